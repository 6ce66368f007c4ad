"""Folders of the TechEmpower format made entries, without an engine: what is written, and what is left alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchlab.adoption import adopt
from benchlab.adoption.adopt import Wish
from benchlab.adoption.stanza import Grants
from benchlab.core import stack
from benchlab.core.errors import ConfigError
from benchlab.machine.compose import ADOPTED
from benchlab.machine.topology import Topology

ROOT = Path(__file__).parents[2]
TFB = ROOT / "tests/tfb"
GRANTS = Grants(20_000, {"net.core.somaxconn": "65535"})
USUAL = {"python:3.12": "benchlab/base", "python:3.12-slim": "benchlab/base"}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Return a lab's folder: its compose.yaml, and nothing else."""
    root = tmp_path / "lab"
    root.mkdir()
    shutil.copy(ROOT / "compose.yaml", root)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an entry's folder: a test `brook` that answers json, in a dockerfile of one line."""
    found = tmp_path / "brook"
    found.mkdir()
    _configure(found, default={"json_url": "/json"})
    (found / "brook.dockerfile").write_text("FROM python:3.12\n")
    return found


def _configure(folder: Path, **tests: dict[str, Any]) -> None:
    (folder / "benchmark_config.json").write_text(json.dumps({"framework": "brook", "tests": [tests]}))


def _adopt(lab: Path, wish: Wish) -> dict[str, str]:
    adoptees, refused = adopt.examine(lab, wish)
    adopt.adopt(lab, wish.folder, adoptees, GRANTS)
    return refused


def _stanzas(lab: Path) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((lab / ADOPTED).read_text())["services"]
    return services


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of all files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}


def _told(lab: Path, wish: Wish) -> str:
    """Return why a wish is refused, after a look that nothing was written."""
    before = _content(lab)
    with pytest.raises(ConfigError) as told:
        _adopt(lab, wish)
    assert _content(lab) == before
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("name", ["rill", "asgi", "bottle"])
def test_the_entries_of_the_tests_are_adopted_and_neither_they_nor_compose_yaml_are_changed(
    lab: Path, name: str
) -> None:
    before = _content(TFB), (lab / "compose.yaml").read_bytes()
    refused = _adopt(lab, Wish(TFB / name, usual=USUAL))
    assert (_content(TFB), (lab / "compose.yaml").read_bytes()) == before
    assert refused == (
        {"asgi-mysql": "its database is MySQL, and the lab has Postgres or none"} if name == "asgi" else {}
    )
    for entry in (name, "asgi-psycopg") if name == "asgi" else (name,):
        built = (lab / "adopted" / entry / "benchlab.dockerfile").read_text()
        assert "FROM benchlab/base" in built
        assert "python:" not in built


def test_a_stanza_has_what_the_format_promises_and_as_few_rights_as_it_can_do_with(lab: Path, folder: Path) -> None:
    _configure(
        folder,
        default={
            "json_url": "/json",
            "query_url": "/queries/",
            "port": 9000,
            "database": "Postgres",
            "orm": "Micro",
            "webserver": "None",
            "platform": "asyncio",
            "notes": "costs $0",
            "docker_cmd": "serve $HOME",
        },
    )
    _adopt(lab, Wish(folder, stand_ins={"python:3.12": "benchlab/base"}))
    stanza = _stanzas(lab)["brook"]
    assert stanza.pop("build") == {
        "context": "adopted/brook",
        "dockerfile": "benchlab.dockerfile",
        "args": {
            **dict.fromkeys(("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")),
            "BENCHMARK_ENV": "benchlab",
            "TFB_TEST_NAME": "brook",
            "TFB_TEST_DATABASE": "postgres",
        },
    }
    assert stanza.pop("labels") == {
        "benchlab.lab": "yes",
        "benchlab.cpus": "${LAB_CPUS_APP:-all}",
        "benchlab.origin": "adopted",
        "benchlab.default": "no",
        "benchlab.framework": "brook",
        "benchlab.orm": "micro",
        "benchlab.driver": "?",
        "benchlab.server": "asyncio",
        "benchlab.loop": "?",
        "benchlab.json": "?",
        "benchlab.workers": "own",
        "benchlab.pool": "own",
        "benchlab.connections": "own",
        "benchlab.proxy": "${LAB_PROXY:-none}",
        "benchlab.tests": "json query",
        "benchlab.port": "9000",
        "benchlab.path.json": "/json",
        "benchlab.path.query": "/queries/",
        "benchlab.base": "python:3.12=benchlab/base",
        "benchlab.tfb.database": "Postgres",
        "benchlab.tfb.notes": "costs $$0",
        "benchlab.tfb.orm": "Micro",
        "benchlab.tfb.platform": "asyncio",
        "benchlab.tfb.project": "brook",
        "benchlab.tfb.webserver": "None",
    }
    assert stanza == {
        "image": "benchlab/adopted:brook",
        "command": ["serve", "$$HOME"],
        "profiles": ["entry"],
        "cpuset": "${LAB_CPUS_APP:-}",
        "networks": {"default": {"aliases": ["tfb-server"]}},
        "init": True,
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 16384,
        "ulimits": {"nofile": {"soft": 20_000, "hard": 20_000}},
        "sysctls": {"net.core.somaxconn": "65535"},
        "healthcheck": {"disable": True},
        "stop_grace_period": "5s",
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}},
    }
    assert _stanzas(lab)["nginx"] == {"environment": {"ENTRY_PORTS": "8080 9000"}}


def test_an_adopted_stanza_is_an_entry_with_its_port_and_paths(lab: Path) -> None:
    _adopt(lab, Wish(TFB / "asgi", ("psycopg",), usual=USUAL))
    services = {name: stanza for name, stanza in _stanzas(lab).items() if name != "nginx"}
    network = {"default": {"labels": {"benchlab.lab": "yes"}}}
    entry = Topology(lab, ("compose",), {}, "benchlab", services, network).entries["asgi-psycopg"]
    assert (entry.port, entry.tests) == (9080, {"db": "/db", "query": "/queries/"})
    assert stack.stand_ins(entry.labels) == {"python:3.12": "benchlab/base"}


def test_the_copy_is_readable_for_all_keeps_links_and_leaves_out_what_git_keeps(lab: Path, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("ref")
    (folder / "app").mkdir(mode=0o700)
    secret = folder / "app/app.py"
    secret.write_text("pass")
    secret.chmod(0o600)
    (folder / "link").symlink_to("/etc/hostname")
    _adopt(lab, Wish(folder))
    copy = lab / "adopted/brook"
    assert {path.name for path in copy.iterdir()} == {
        "app",
        "link",
        "benchmark_config.json",
        "brook.dockerfile",
        "benchlab.dockerfile",
    }
    assert (copy / "link").readlink() == Path("/etc/hostname")
    assert ((copy / "app").stat().st_mode & 0o777, (copy / "app/app.py").stat().st_mode & 0o777) == (0o755, 0o644)
    assert secret.stat().st_mode & 0o777 == 0o600


def test_adopting_the_same_folder_again_takes_what_has_changed(lab: Path, folder: Path) -> None:
    (folder / "old.py").write_text("1")
    _adopt(lab, Wish(folder))
    assert adopt.outdated(lab, ["brook"]) == []
    (folder / "old.py").rename(folder / "new.py")
    assert (adopt.outdated(lab, ["brook"]), adopt.outdated(lab, ["other"])) == (["brook"], [])
    _adopt(lab, Wish(folder))
    assert adopt.outdated(lab, ["brook"]) == []
    assert (lab / "adopted/brook/new.py").exists()
    assert not (lab / "adopted/brook/old.py").exists()
    shutil.rmtree(folder)
    assert adopt.outdated(lab, ["brook"]) == []


def test_what_is_removed_leaves_nothing_and_the_others_stay(lab: Path, folder: Path) -> None:
    before = _content(lab)
    _adopt(lab, Wish(TFB / "asgi", usual=USUAL))
    _adopt(lab, Wish(folder))
    assert adopt.remove(lab, "asgi") == "benchlab/adopted:asgi"
    assert set(_stanzas(lab)) == {"brook", "asgi-psycopg", "nginx"}
    adopt.remove(lab, "asgi-psycopg")
    assert set(_stanzas(lab)) == {"brook"}
    with pytest.raises(ConfigError, match=r"--remove asgi: no such entry was adopted; there is brook$"):
        adopt.remove(lab, "asgi")
    adopt.remove(lab, "brook")
    assert _content(lab) == before
    assert not (lab / "adopted").exists()


def test_another_name_for_the_framework_lets_an_entry_stand_beside_one_of_the_same_name(
    lab: Path, folder: Path
) -> None:
    config = {"framework": "aiohttp", "tests": [{"default": {"json_url": "/json"}, "raw": {"json_url": "/json"}}]}
    (folder / "benchmark_config.json").write_text(json.dumps(config))
    for name in ("aiohttp", "aiohttp-raw"):
        (folder / f"{name}.dockerfile").write_text("FROM python:3.12\n")
    assert _told(lab, Wish(folder, ("default",))) == (
        "aiohttp is in compose.yaml already; give it another name with --as, or leave it out with --test"
    )
    _adopt(lab, Wish(folder, name="tfb-aiohttp"))
    built = {name: stanza["build"]["args"]["TFB_TEST_NAME"] for name, stanza in _stanzas(lab).items()}
    assert built == {"tfb-aiohttp": "aiohttp", "tfb-aiohttp-raw": "aiohttp-raw"}


def test_a_name_that_was_adopted_from_elsewhere_is_taken_whatever_its_letters_size(
    lab: Path, folder: Path, tmp_path: Path
) -> None:
    _adopt(lab, Wish(folder))
    twin = shutil.copytree(folder, tmp_path / "twin")
    (twin / "benchmark_config.json").write_text((twin / "benchmark_config.json").read_text().replace("brook", "Brook"))
    (twin / "Brook.dockerfile").write_text("FROM python:3.12\n")
    assert _told(lab, Wish(twin)).startswith(f"Brook: Brook is in {folder} already")


@pytest.mark.parametrize("part", ["db", "wrk", "nginx", "base"])
def test_the_names_of_the_lab_s_own_parts_are_taken(lab: Path, folder: Path, part: str) -> None:
    assert _told(lab, Wish(folder, name=part)).startswith(f"brook: {part} is in compose.yaml already")


def test_one_test_that_cannot_be_adopted_does_not_keep_the_others(lab: Path, folder: Path) -> None:
    _configure(folder, default={"json_url": "/json"}, lost={"json_url": "/json"}, empty={"json_url": "/json"})
    (folder / "brook-empty.dockerfile").write_text("RUN true\n")
    assert _adopt(lab, Wish(folder)) == {
        "brook-lost": f"{folder} has no brook-lost.dockerfile",
        "brook-empty": "brook-empty.dockerfile starts from no image: it has no FROM",
    }
    assert set(_stanzas(lab)) == {"brook"}
    assert _told(lab, Wish(folder, ("lost",))) == f"{folder} has no brook-lost.dockerfile"


def test_what_is_no_entry_s_folder_is_refused(lab: Path, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _told(lab, Wish(file)) == f"{file} is no folder; name one that has a benchmark_config.json"
    assert _told(lab, Wish(tmp_path / "nowhere")).endswith("is no folder; name one that has a benchmark_config.json")
    assert _told(lab, Wish(empty)) == f"{empty} has no benchmark_config.json; name a folder that has one"
    assert _told(lab, Wish(tmp_path)) == f"{tmp_path} has the lab itself in it; name the folder of an entry"
    (folder / "benchmark_config.json").write_bytes(b"\xff\xfe\x00")
    assert _told(lab, Wish(folder)) == f"{folder / 'benchmark_config.json'} is no text in UTF-8; mend it"
    (folder / "benchmark_config.json").write_text("{")
    assert _told(lab, Wish(folder)).startswith("benchmark_config.json: line 1 is no JSON (")


def test_a_copy_of_the_lab_s_own_is_not_adopted_over_itself(lab: Path, folder: Path) -> None:
    _adopt(lab, Wish(folder))
    assert _told(lab, Wish(lab / "adopted/brook")).endswith("is the lab's own; name the folder of an entry")


def test_a_dockerfile_behind_a_link_that_leads_out_of_the_folder_is_refused(
    lab: Path, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.dockerfile"
    outside.write_text("FROM python:3.12\n")
    (folder / "brook.dockerfile").unlink()
    (folder / "brook.dockerfile").symlink_to(outside)
    assert _told(lab, Wish(folder)) == f"brook: brook.dockerfile leads out of {folder}"


def test_a_link_to_a_folder_or_file_does_not_lead_the_lab_to_write_into_the_entry_s_folder(
    lab: Path, folder: Path
) -> None:
    (folder / "real").mkdir()
    (folder / "real/brook.dockerfile").write_text("FROM python:3.12\n")
    (folder / "way").symlink_to(folder / "real")
    (folder / "benchlab.dockerfile").symlink_to(folder / "real/brook.dockerfile")
    _configure(folder, default={"json_url": "/json", "dockerfile": "way/brook.dockerfile"})
    before = _content(folder)
    _adopt(lab, Wish(folder, stand_ins={"python:3.12": "benchlab/base"}))
    assert _content(folder) == before
    assert (lab / "adopted/brook/benchlab.dockerfile").read_text() == "FROM benchlab/base\n"


def test_a_stand_in_that_no_dockerfile_asks_for_is_refused_by_a_flag_and_passed_over_in_a_file(
    lab: Path, folder: Path
) -> None:
    other = {"python:3.13": "benchlab/base"}
    assert _told(lab, Wish(folder, stand_ins=other)) == (
        "--base python:3.13: no dockerfile starts from it; there is python:3.12"
    )
    _adopt(lab, Wish(folder, usual=other))
    assert (lab / "adopted/brook/benchlab.dockerfile").read_text() == "FROM python:3.12\n"


def test_pairs_of_images_come_from_flags_and_files(tmp_path: Path) -> None:
    file = tmp_path / "bases.txt"
    file.write_text("# a comment\n\npython:3.12 = benchlab/base\n")
    assert adopt.stand_ins([*adopt.pairs(file), "a=b/c:1"]) == {"python:3.12": "benchlab/base", "a": "b/c:1"}
    for wrong in ("python:3.12", "=x", "x=", "a b=c"):
        with pytest.raises(ConfigError, match="write IMAGE=IMAGE"):
            adopt.stand_ins([wrong])
    with pytest.raises(ConfigError, match="nowhere: there is no such file; name one"):
        adopt.pairs(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: [", "is no YAML"),
        ("- a\n", "holds no stanzas"),
        ("services: {brook: {labels: {}}}\n", "is not as adopt wrote it; remove it, and adopt anew"),
        ("x-adopted: {brook: {folder: /x, digest: d}}\n", "is not as adopt wrote it; remove it, and adopt anew"),
        (
            "{x-adopted: {../a: {folder: /x, digest: d}}, services: {../a: {labels: {benchlab.port: '8080'}}}}\n",
            "is not as adopt wrote it; remove it, and adopt anew",
        ),
    ],
)
def test_stanzas_that_somebody_broke_are_told_and_not_written_over(
    lab: Path, folder: Path, text: str, why: str
) -> None:
    (lab / ADOPTED).write_text(text)
    assert why in _told(lab, Wish(folder))


def test_an_engine_that_does_not_grant_the_setting_gets_a_stanza_without_it(lab: Path, folder: Path) -> None:
    adoptees, _ = adopt.examine(lab, Wish(folder))
    adopt.adopt(lab, folder, adoptees, Grants(1024, {}))
    assert "sysctls" not in _stanzas(lab)["brook"]
