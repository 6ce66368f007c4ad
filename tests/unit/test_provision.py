from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import NoEngineError, SetupError
from benchlab.engine import building, provision
from benchlab.engine.engine import Engine
from benchlab.engine.topology import Topology

ROOT = Path(__file__).parents[2]


def test_the_images_get_the_certificates_of_this_machine_and_no_others(tmp_path: Path) -> None:
    source, target = tmp_path / "host", tmp_path / "image"
    (source / "company").mkdir(parents=True)
    target.mkdir()
    (source / "company" / "a.crt").write_text("new")
    (source / "other").mkdir()
    (source / "other" / "a.crt").write_text("another")
    (source / "dangling.crt").symlink_to(source / "nowhere")
    (source / "readme.txt").write_text("no certificate")
    (target / "company-a.crt").write_text("old")
    (target / "gone.crt").write_text("revoked")
    (target / ".gitignore").write_text("*")
    building.copy_certificates(source, target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "company-a.crt": "new",
        "other-a.crt": "another",
        ".gitignore": "*",
    }


def test_a_machine_without_extra_certificates_is_fine(tmp_path: Path) -> None:
    building.copy_certificates(tmp_path / "nowhere", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_was_named_is_not_replaced_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    said: list[str] = []
    with pytest.raises(NoEngineError, match="start it, or name another"):
        provision.engine("benchlab", said.append)
    assert said == []


WITHOUT_COMPOSE = "from benchlab.engine import provision; print(provision.without_compose('benchlab'))"


def test_a_machine_with_neither_docker_nor_compose_is_told_both_remedies_at_once(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"}
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPOSE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == (
        "no Compose: neither `docker compose` nor `docker-compose` runs, and no Docker engine answers; install Docker "
        "with Compose, or run this as root on a Debian-family machine, where the lab installs it\n"
    )


def test_a_bootstrap_takes_place_on_a_disk_or_where_the_caller_has_room(tmp_path: Path) -> None:
    assert provision.workplace({"TMPDIR": ""}) == Path("/var/tmp")
    assert provision.workplace({"TMPDIR": str(tmp_path)}) == tmp_path


def test_a_bootstrap_without_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    # A file system that never has any room.
    with pytest.raises(SetupError, match=r"^bootstrapping Debian needs 600 MB, and /proc has 0 MB free; make room"):
        provision.workplace({"TMPDIR": "/proc"})
    with pytest.raises(SetupError, match=r"nowhere cannot be used \(No such file or directory\); set TMPDIR"):
        provision.workplace({"TMPDIR": f"{tmp_path}/nowhere"})


# As mmdebstrap ends where apt refuses an index, which it does not where it is told to take one of any age.
MMDEBSTRAP = """#!/bin/sh
echo "$*" >> {log}
case "$*" in *Check-Valid-Until*) exit 0;; esac
echo "E: Release file for http://somewhere/debian/dists/forky/InRelease {why}." >&2
echo "I: removing tempdir /var/tmp/x..." >&2
exit 25
"""
PAST = "is expired (invalid since 24d 14h 2min 57s). Updates for this repository will not be applied"


def _unpack(tmp_path: Path, why: str) -> tuple[list[str], list[str]]:
    """Return what the bootstrapping of a release says, and with which arguments it was tried; the index is refused."""
    program, log = tmp_path / "mmdebstrap", tmp_path / "log"
    program.write_text(MMDEBSTRAP.format(log=log, why=why))
    program.chmod(0o755)
    said: list[str] = []
    provision.unpack("forky", tmp_path / "rootfs.tar", {"PATH": f"{tmp_path}:/usr/bin:/bin"}, said.append)
    return said, log.read_text().splitlines()


def test_an_index_that_is_past_its_date_is_used_and_told(tmp_path: Path) -> None:
    said, tried = _unpack(tmp_path, PAST)
    assert said == ["the index of Debian forky is past its date, so the mirror is behind; its signature counts"]
    assert tried[1].split() == [*tried[0].split()[:-2], *provision.ANY_AGE.split(), *tried[0].split()[-2:]]


def test_an_index_that_apt_refuses_for_another_reason_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="is not signed"):
        _unpack(tmp_path, "is not signed")
    assert len((tmp_path / "log").read_text().splitlines()) == 1


class FakeEngine(Engine):
    """Images by name, and the ids of those that were removed when a build took their last name."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.removed: list[str] = []

    def info(self) -> dict[str, Any]:
        return {"ID": "this engine"}

    def image_id(self, name: str) -> str | None:
        return self.images.get(name)

    def remove_unnamed_image(self, image_id: str) -> None:
        self.removed.append(image_id)


@dataclass(frozen=True)
class Building(Topology):
    """A topology whose builds give images of a new id; `built` lists the services of each build."""

    on: FakeEngine = field(default_factory=FakeEngine)
    built: list[list[str]] = field(default_factory=list)

    def build(self, services: Collection[str], log: Path) -> None:
        self.built.append(list(services))
        for service in services:
            self.on.images[self.image(service)] = f"{service} of build {len(self.built)}"


@pytest.fixture
def project(tmp_path: Path) -> Building:
    services = {}
    for name in ("base", "db", "crax"):
        context = tmp_path / name
        context.mkdir()
        (context / "Dockerfile").write_text("FROM x")
        services[name] = {"image": f"benchlab/{name}", "build": {"context": str(context)}}
    (tmp_path / "images/base/rootfs" / building.CERTIFICATES).mkdir(parents=True)
    return Building(tmp_path, ("compose",), {}, "benchlab", services)


def _bring_up_to_date(project: Building) -> None:
    building.update(project, project.on, ["db", "crax"], project.root / ".lab", lambda line: None)


def test_only_what_changed_is_built_and_the_image_that_lost_its_name_is_removed(project: Building) -> None:
    _bring_up_to_date(project)
    _bring_up_to_date(project)
    assert (project.built, project.on.removed) == ([["base"], ["crax", "db"]], [])
    (project.root / "crax/app.py").write_text("changed")
    _bring_up_to_date(project)
    assert (project.built[2:], project.on.removed) == ([["crax"]], ["crax of build 2"])


def test_what_starts_from_a_changed_image_is_built_anew(project: Building) -> None:
    _bring_up_to_date(project)
    (project.root / "base/Dockerfile").write_text("FROM y")
    _bring_up_to_date(project)
    assert project.built[2:] == [["base"], ["crax", "db"]]
    assert project.on.removed == ["base of build 1", "crax of build 2", "db of build 2"]


def test_an_image_that_is_gone_or_was_replaced_is_built_again(project: Building) -> None:
    _bring_up_to_date(project)
    del project.on.images["benchlab/db"]
    project.on.images["benchlab/crax"] = "of somebody else"
    _bring_up_to_date(project)
    assert (project.built[2:], project.on.removed) == ([["crax", "db"]], ["of somebody else"])


def test_services_that_share_an_image_are_built_as_one_and_both_are_known_to_be_up_to_date(project: Building) -> None:
    shared = replace(project, services={**project.services, "crax-orm": project.services["crax"]})
    for _ in range(2):
        building.update(shared, shared.on, ["crax", "crax-orm"], shared.root / ".lab", lambda line: None)
    assert shared.built == [["base"], ["crax"]]


def test_a_build_that_leaves_no_image_is_told(project: Building) -> None:
    class Empty(Building):
        def build(self, services: Collection[str], log: Path) -> None:
            pass

    empty = Empty(project.root, ("compose",), {}, "benchlab", project.services)
    with pytest.raises(SetupError, match="building base left no image benchlab/base; see "):
        _bring_up_to_date(empty)


@dataclass(frozen=True)
class Failing(Building):
    """A topology of which some services' images cannot be built; that of others is built by each that is asked for."""

    broken: frozenset[str] = frozenset()

    def build(self, services: Collection[str], log: Path) -> None:
        super().build(services, log)
        if found := sorted(self.broken & set(services)):
            for service in services:
                del self.on.images[self.image(service)]
            raise SetupError(f"building {', '.join(services)} failed; the build log {log} ends:\nStep 2\n{found} broke")


def _with(project: Building, broken: str, *entries: str) -> Failing:
    """Return the project with these entries, one of its services broken."""
    services = dict(project.services)
    for name in entries:
        (project.root / name).mkdir(exist_ok=True)
        labels = {"benchlab.origin": "adopted", "benchlab.base": f"python:3.12=stand-in-of-{name}"}
        build = {"context": str(project.root / name)}
        services[name] = {"image": f"benchlab/{name}", "build": build, "profiles": ["entry"], "labels": labels}
    return Failing(project.root, ("compose",), {}, "benchlab", services, on=project.on, broken=frozenset({broken}))


def test_an_entry_that_cannot_be_built_is_told_and_the_others_are_built(project: Building) -> None:
    lab = _with(project, "bad", "bad", "good")
    said: list[str] = []
    state = lab.root / ".lab"
    unbuilt = building.update(lab, lab.on, ["db", "bad", "good"], state, said.append)
    log = state / "build-bad.log"
    assert unbuilt == {"bad": f"building bad failed; the build log {log} ends: ['bad'] broke"}
    assert lab.built[1:] == [["bad", "db", "good"], ["bad"], ["db"], ["good"]]
    assert f"building bad failed; the build log {log} ends:\nStep 2\n['bad'] broke" in said
    assert building.update(lab, lab.on, ["db", "good"], state, said.append) == {}
    assert lab.built[5:] == []


def test_what_stands_beside_the_entries_must_be_built(project: Building) -> None:
    lab = _with(project, "db", "good")
    with pytest.raises(SetupError, match="building db failed"):
        building.update(lab, lab.on, ["db", "good"], lab.root / ".lab", lambda line: None)


def test_an_adopted_entry_is_built_anew_when_what_stands_in_for_its_base_has_changed(project: Building) -> None:
    lab = _with(project, "", "good", "other")
    for stand_in in ("first", "first", "second"):
        lab.on.images["stand-in-of-good"] = stand_in
        assert building.update(lab, lab.on, ["good", "other"], lab.root / ".lab", lambda line: None) == {}
    assert lab.built[1:] == [["good", "other"], ["good"]]


def test_sources_follow_files_and_build_settings_but_not_the_caller_s_proxies(project: Building) -> None:
    def sources(**arguments: str) -> dict[str, str]:
        crax = {**project.services["crax"], "build": {**project.services["crax"]["build"], "args": arguments}}
        return building.sources(replace(project, services={**project.services, "crax": crax}), ["crax"])

    first = sources()
    assert set(first) == {"base", "crax"}
    assert sources(http_proxy="p", NO_PROXY="q") == first
    assert sources(VERSION="2")["crax"] != first["crax"]
    (project.root / "crax/app.py").write_text("changed")
    assert sources()["crax"] != first["crax"]
    assert sources()["base"] == first["base"]
