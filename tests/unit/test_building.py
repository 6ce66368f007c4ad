"""Which images are built, in which order, and that what is wrong with one entry fails that one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import SetupError
from benchlab.engine import building
from benchlab.engine.topology import Topology

# A Compose command that notes what it is to build, and fails where a dockerfile says so.
COMPOSE = f"""#!{sys.executable}
import pathlib, sys
services = [word for word in sys.argv[sys.argv.index("build") + 1 :] if not word.startswith("-")]
with open("built", "a") as file:
    file.write(" ".join(services) + "\\n")
failing = [name for name in services if "FAIL" in pathlib.Path(name, "Dockerfile").read_text()]
if failing:
    print("working\\rworking \\x1b[31mhard\\x1b[0m\\r\\n\\x1b[1;31mERROR\\x1b[0m: it is broken\\n")
sys.exit(bool(failing))
"""


class _Engine:
    """An engine that has every image which is asked for by a name."""

    def info(self) -> dict[str, Any]:
        return {"ID": "x"}

    def image_id(self, name: str) -> str | None:
        assert name
        return f"id of {name}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "compose").write_text(COMPOSE)
    (tmp_path / "compose").chmod(0o755)
    (tmp_path / "images/base/rootfs/usr/local/share/ca-certificates").mkdir(parents=True)
    return tmp_path


def _topology(root: Path, compose: str = "compose", /, **entries: dict[str, str]) -> Topology:
    """Return a lab of the three bases and of entries with these labels."""
    bases = {name: {"image": f"benchlab/{name}"} for name in ("base", "base-python", "base-dev")}
    own = {
        name: {
            "image": f"benchlab/adopted:{name}",
            "profiles": ["entry"],
            "labels": {f"benchlab.{key}": value for key, value in labels.items()},
        }
        for name, labels in entries.items()
    }
    services: dict[str, dict[str, Any]] = {**bases, **own}
    for name, service in services.items():
        (root / name).mkdir(exist_ok=True)
        if not (root / name / "Dockerfile").exists():
            (root / name / "Dockerfile").write_text("FROM somewhere\n")
        service["build"] = {"context": str(root / name)}
    return Topology(root, (str(root / compose),), {}, "benchlab", services)


def _images(root: Path, topology: Topology) -> tuple[dict[str, str], list[str]]:
    """Return why entries cannot be built, and what was built together, in order."""
    entries = [name for name in topology.services if not name.startswith("base")]
    said: list[str] = []
    unbuilt = building.update(topology, _Engine(), entries, root / ".lab", said.append)  # type: ignore[arg-type]
    return unbuilt, (root / "built").read_text().splitlines()


PYTHON = {"base": "python:3.12=benchlab/base-python"}
DEV = {"base": "python:3.12=benchlab/base-dev:latest"}


@pytest.mark.parametrize(
    ("entries", "built"),
    [
        ({"own": {}}, ["base", "own"]),
        ({"one": {"base": "python:3.12=benchlab/base"}}, ["base", "one"]),
        ({"one": PYTHON, "own": {}}, ["base", "base-python", "one own"]),
        ({"one": DEV}, ["base", "base-python", "base-dev", "one"]),
        ({"one": {"builds-on": "benchlab/base-python"}}, ["base", "base-python", "one"]),
    ],
)
def test_the_bases_of_adopted_entries_are_built_where_one_starts_from_them_and_before_it(
    root: Path, entries: dict[str, dict[str, str]], built: list[str]
) -> None:
    assert _images(root, _topology(root, "compose", **entries)) == ({}, built)


def test_what_has_not_changed_is_not_built_again_and_sources_tell_of_the_bases(root: Path) -> None:
    topology = _topology(root, one=PYTHON)
    _images(root, topology)
    assert _images(root, topology)[1] == ["base", "base-python", "one"]
    before = building.sources(topology, ["one"])
    assert list(before) == ["base", "base-python", "one"]
    (root / "base-python/Dockerfile").write_text("FROM elsewhere\n")
    assert building.sources(topology, ["one"])["base-python"] != before["base-python"]


def _sharing(root: Path, **dockerfiles: str) -> Topology:
    """Return a lab of entries that have the root as their context, each with such a dockerfile in its own folder."""
    topology = _topology(root, "compose", **{name: {} for name in dockerfiles})
    for name, text in {**dockerfiles, "shared/layer": "1"}.items():
        path = root / (f"{name}/Dockerfile" if name in dockerfiles else name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    builds = {name: {"context": str(root), "dockerfile": f"{name}/Dockerfile"} for name in dockerfiles}
    services = {
        name: {**service, "build": builds.get(name, service["build"])} for name, service in topology.services.items()
    }
    return replace(topology, services=services)


def test_a_change_in_a_context_that_entries_share_makes_just_those_images_stale_that_are_built_from_it(
    root: Path,
) -> None:
    topology = _sharing(root, one="FROM x\nCOPY shared/layer ./\n", two="FROM x\nCOPY two ./\n")
    sources = building.sources(topology, ["one", "two"])
    assert _images(root, topology)[1] == ["base", "one two"]
    (root / "two/app.py").write_text("x")
    assert _images(root, topology)[1][2:] == ["two"]
    (root / "shared/layer").write_text("2")
    assert _images(root, topology)[1][3:] == ["one"]
    (root / "shared/other").write_text("x")
    assert _images(root, topology)[1][4:] == []
    now = building.sources(topology, ["one", "two"])
    assert {name for name in now if now[name] != sources[name]} == {"one", "two"}


def test_an_entry_that_copies_another_s_files_fails_and_the_others_do_not(root: Path) -> None:
    topology = _sharing(root, one="FROM x\nCOPY one/app.py ./\n", copied="FROM x\nCOPY one/app.py ./\n")
    unbuilt, built = _images(root, topology)
    assert built == ["base", "one"]
    assert list(unbuilt) == ["copied"]
    assert unbuilt["copied"].startswith(f"{root}/copied/Dockerfile copies one/app.py, which belongs to another entry; ")


def test_a_file_that_a_container_could_not_read_fails_its_entry_and_not_the_others(root: Path) -> None:
    topology = _topology(root, good={}, bad={}, other={})
    (root / "bad/secret").write_text("x")
    (root / "bad/secret").chmod(0o600)
    unbuilt, built = _images(root, topology)
    assert built == ["base", "good other"]
    assert list(unbuilt) == ["bad"]
    assert unbuilt["bad"].startswith(f"{root}/bad/secret may be read by its owner alone")


def test_a_link_is_built_as_what_it_says_and_nothing_that_it_leads_to_is_read(root: Path) -> None:
    topology = _topology(root, one={})
    secret = root / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    (root / "one/link").symlink_to(secret)
    (root / "one/nowhere").symlink_to("nowhere at all")
    (root / "one/folder").symlink_to(root)
    before = topology.inputs("one", "")
    assert _images(root, topology) == ({}, ["base", "one"])
    secret.write_text("y")
    assert topology.inputs("one", "") == before
    (root / "one/link").unlink()
    (root / "one/link").symlink_to("elsewhere")
    assert topology.inputs("one", "") != before


def test_a_base_that_cannot_be_built_fails_those_that_start_from_it(root: Path) -> None:
    topology = _topology(root, one=DEV, two=PYTHON, own={})
    (root / "base-dev/Dockerfile").write_text("FAIL\n")
    unbuilt, built = _images(root, topology)
    assert built == ["base", "base-python", "base-dev", "own two"]
    assert list(unbuilt) == ["one"]
    assert unbuilt["one"].startswith("building base-dev failed; the build log ")


def test_a_build_that_fails_is_told_in_a_line_without_colours(root: Path) -> None:
    topology = _topology(root, good={}, bad={})
    (root / "bad/Dockerfile").write_text("FAIL\n")
    said: list[str] = []
    unbuilt = building.update(topology, _Engine(), ["good", "bad"], root / ".lab", said.append)  # type: ignore[arg-type]
    assert unbuilt["bad"].endswith("build-bad.log ends: ERROR: it is broken")
    assert "\nworking hard\nERROR: it is broken" in "\n".join(said)
    assert "\x1b" not in "".join(said)


def test_the_lab_s_own_base_that_cannot_be_built_ends_it_all(root: Path) -> None:
    topology = _topology(root, one={})
    (root / "base/Dockerfile").write_text("FAIL\n")
    with pytest.raises(SetupError, match="building base failed"):
        _images(root, topology)


def test_what_needs_buildkit_says_so_where_compose_builds_without(root: Path) -> None:
    for name in ("compose", "docker-compose"):
        (root / name).write_text(COMPOSE)
        (root / name).chmod(0o755)
        topology = _topology(root, name, one={"buildkit": "here-documents"}, two={})
        for entry in ("one", "two"):
            (root / entry / "Dockerfile").write_text("FAIL\n")
        unbuilt, _ = _images(root, topology)
        needs = "here-documents need BuildKit, which Compose v1 (docker-compose) builds without: install Compose v2; "
        assert unbuilt["one"].startswith(needs) == (name == "docker-compose")
        assert "BuildKit" not in unbuilt["two"]
