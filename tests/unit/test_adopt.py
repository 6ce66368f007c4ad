"""Folders of the TechEmpower format made entries, without an engine: what is written, and what is left alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchlab.core.errors import ConfigError, EngineError, UsageError
from benchlab.engine.compose import ADOPTED
from benchlab.engine.topology import Topology
from benchlab.experiment import stack
from benchlab.techempower import adopt
from benchlab.techempower.adopt import Request
from benchlab.techempower.registry import AdoptedEntry, Grants

ROOT = Path(__file__).parents[2]
TFB = ROOT / "tests/tfb"
GRANTS = Grants(20_000, {"net.core.somaxconn": "65535"})
USUAL = {"python:3.12": "benchlab/base-python", "python:3.12-slim": "benchlab/base-python"}


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
    path = tmp_path / "brook"
    path.mkdir()
    _configure(path, default={"json_url": "/json"})
    (path / "brook.dockerfile").write_text("FROM python:3.12\n")
    return path


def _configure(folder: Path, **tests: dict[str, Any]) -> None:
    (folder / "benchmark_config.json").write_text(json.dumps({"framework": "brook", "tests": [tests]}))


def _adopt(lab: Path, request: Request) -> dict[str, str]:
    entries, refused = adopt.examine(lab, request)
    adopt.adopt(lab, request.folder, entries, GRANTS)
    return refused


def _stanzas(lab: Path) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((lab / ADOPTED).read_text())["services"]
    return services


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of all files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}


def _refusal(lab: Path, request: Request) -> str:
    """Return why a request is refused, and check that nothing was written."""
    before = _content(lab)
    with pytest.raises(ConfigError) as raised:
        _adopt(lab, request)
    assert _content(lab) == before
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", ["rill", "asgi", "flagon", "wsgi"])
def test_the_entries_of_the_tests_are_adopted_and_neither_they_nor_compose_yaml_are_changed(
    lab: Path, name: str
) -> None:
    before = _content(TFB), (lab / "compose.yaml").read_bytes()
    refused = _adopt(lab, Request(TFB / name, optional_stand_ins=USUAL))
    assert (_content(TFB), (lab / "compose.yaml").read_bytes()) == before
    assert refused == (
        {"asgi-mysql": "its database is MySQL, and the lab has Postgres or none"} if name == "asgi" else {}
    )
    for entry in (name, "asgi-psycopg") if name == "asgi" else (name,):
        built = (lab / "adopted" / entry / "benchlab.dockerfile").read_text()
        assert "FROM benchlab/base-python" in built
        assert "FROM python:" not in built


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
    _adopt(lab, Request(folder, stand_ins={"python:3.12": "benchlab/base"}))
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
    _adopt(lab, Request(TFB / "asgi", ("psycopg",), optional_stand_ins=USUAL))
    services = {name: stanza for name, stanza in _stanzas(lab).items() if name != "nginx"}
    network = {"default": {"labels": {"benchlab.lab": "yes"}}}
    entry = Topology(lab, ("compose",), {}, "benchlab", services, network).entries["asgi-psycopg"]
    assert (entry.port, entry.tests) == (9080, {"db": "/db", "query": "/queries/"})
    assert stack.stand_ins(entry.labels) == {"python:3.12": "benchlab/base-python"}


def test_the_copy_is_readable_for_all_keeps_links_and_leaves_out_what_git_keeps(lab: Path, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("ref")
    (folder / "app").mkdir(mode=0o700)
    secret = folder / "app/app.py"
    secret.write_text("pass")
    secret.chmod(0o600)
    (folder / "link").symlink_to("/etc/hostname")
    _adopt(lab, Request(folder))
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
    _adopt(lab, Request(folder))
    assert adopt.outdated(lab, ["brook"]) == []
    (folder / "old.py").rename(folder / "new.py")
    assert (adopt.outdated(lab, ["brook"]), adopt.outdated(lab, ["other"])) == (["brook"], [])
    _adopt(lab, Request(folder))
    assert adopt.outdated(lab, ["brook"]) == []
    assert (lab / "adopted/brook/new.py").exists()
    assert not (lab / "adopted/brook/old.py").exists()
    shutil.rmtree(folder)
    assert adopt.outdated(lab, ["brook"]) == []


def test_what_is_removed_leaves_nothing_and_the_others_stay(lab: Path, folder: Path) -> None:
    before = _content(lab)
    _adopt(lab, Request(TFB / "asgi", optional_stand_ins=USUAL))
    _adopt(lab, Request(folder))
    assert adopt.remove(lab, ["asgi"]) == ["benchlab/adopted:asgi"]
    assert set(_stanzas(lab)) == {"brook", "asgi-psycopg", "nginx"}
    with pytest.raises(UsageError, match=r"--remove asgi: not an adopted entry; choose from asgi-psycopg, brook$"):
        adopt.remove(lab, ["brook", "asgi"])
    assert set(_stanzas(lab)) == {"brook", "asgi-psycopg", "nginx"}
    assert adopt.remove(lab, ["asgi-psycopg", "brook", "brook"]) == [
        "benchlab/adopted:asgi-psycopg",
        "benchlab/adopted:brook",
    ]
    assert _content(lab) == before
    assert not (lab / "adopted").exists()


def test_a_hundred_entries_are_removed_by_one_rewrite_of_the_stanzas(lab: Path, folder: Path) -> None:
    names = [f"v{number}" for number in range(111)]
    _configure(folder, **{name: {"json_url": "/json", "dockerfile": "brook.dockerfile"} for name in names})
    _adopt(lab, Request(folder))
    entries = [f"brook-{name}" for name in names]
    # Whoever has the file open sees the one that was there: each rewrite puts another in its place, and the last
    # removal leaves none.
    with (lab / ADOPTED).open() as before:
        assert adopt.remove(lab, entries[:-1]) == [f"benchlab/adopted:{entry}" for entry in entries[:-1]]
        assert set(yaml.safe_load(before)["services"]) == set(entries)
    assert set(_stanzas(lab)) == {entries[-1]}
    assert [path.name for path in (lab / "adopted").iterdir()] == [entries[-1]]


def test_another_name_for_the_framework_lets_an_entry_stand_beside_one_of_the_same_name(
    lab: Path, folder: Path
) -> None:
    config = {"framework": "aiohttp", "tests": [{"default": {"json_url": "/json"}, "raw": {"json_url": "/json"}}]}
    (folder / "benchmark_config.json").write_text(json.dumps(config))
    for name in ("aiohttp", "aiohttp-raw"):
        (folder / f"{name}.dockerfile").write_text("FROM python:3.12\n")
    assert _refusal(lab, Request(folder, ("default",))) == (
        "aiohttp: compose.yaml has that name already; give another with --as, or leave it out with --test"
    )
    _adopt(lab, Request(folder, name="tfb-aiohttp"))
    built = {name: stanza["build"]["args"]["TFB_TEST_NAME"] for name, stanza in _stanzas(lab).items()}
    assert built == {"tfb-aiohttp": "aiohttp", "tfb-aiohttp-raw": "aiohttp-raw"}


def test_a_name_that_was_adopted_from_elsewhere_is_taken_whatever_its_letters_size(
    lab: Path, folder: Path, tmp_path: Path
) -> None:
    _adopt(lab, Request(folder))
    twin = shutil.copytree(folder, tmp_path / "twin")
    (twin / "benchmark_config.json").write_text((twin / "benchmark_config.json").read_text().replace("brook", "Brook"))
    (twin / "Brook.dockerfile").write_text("FROM python:3.12\n")
    assert _refusal(lab, Request(twin)).startswith(f"Brook: {folder} has that name already; give another with --as")


@pytest.mark.parametrize("part", ["db", "wrk", "nginx", "base", "base-python", "crax"])
def test_the_names_of_the_lab_s_own_parts_are_taken(lab: Path, folder: Path, part: str) -> None:
    assert (
        _refusal(lab, Request(folder, name=part)) == f"--as {part}: compose.yaml has that name already; choose another"
    )


def test_a_name_that_cannot_be_had_is_a_wrong_command_line_and_one_line(lab: Path, folder: Path) -> None:
    with pytest.raises(UsageError) as raised:
        _adopt(lab, Request(folder, name="my app"))
    assert str(raised.value).startswith("--as my app: that cannot be an entry's name; use letters, ")


@pytest.mark.parametrize("framework", ["../brook", "a b", "-x", "\u202e"])
def test_a_name_that_no_container_can_have_is_refused(lab: Path, folder: Path, framework: str) -> None:
    config = {"framework": framework, "tests": [{"default": {"json_url": "/json", "dockerfile": "brook.dockerfile"}}]}
    (folder / "benchmark_config.json").write_text(json.dumps(config))
    refusal = _refusal(lab, Request(folder))
    assert "that cannot be an entry's name" in refusal
    assert refusal.isprintable()


def test_a_name_may_look_like_that_of_a_variant(lab: Path, folder: Path) -> None:
    for name in ("brook-at-home", "brook-via-nginx", "brook-pool-8"):
        _adopt(lab, Request(folder, name=name))
        assert name in _stanzas(lab)


def test_a_framework_whose_name_no_container_can_have_is_adopted_under_another(lab: Path, folder: Path) -> None:
    config = {"framework": "my app", "tests": [{"default": {"json_url": "/json", "dockerfile": "brook.dockerfile"}}]}
    (folder / "benchmark_config.json").write_text(json.dumps(config))
    assert _refusal(lab, Request(folder)).endswith("; --as gives the framework another name")
    _adopt(lab, Request(folder, name="mine"))
    stanza = _stanzas(lab)["mine"]
    assert (stanza["image"], stanza["build"]["args"]["TFB_TEST_NAME"]) == ("benchlab/adopted:mine", "my app")


def test_two_tests_of_a_folder_that_differ_in_the_size_of_letters_are_not_both_adopted(lab: Path, folder: Path) -> None:
    _configure(folder, raw={"json_url": "/json"}, RAW={"json_url": "/json", "dockerfile": "brook-raw.dockerfile"})
    (folder / "brook-raw.dockerfile").write_text("FROM python:3.12\n")
    (why,) = _adopt(lab, Request(folder)).values()
    assert why.startswith("this folder has that name already")
    assert set(_stanzas(lab)) == {"brook-raw"}


def test_one_test_that_cannot_be_adopted_does_not_keep_the_others(lab: Path, folder: Path) -> None:
    _configure(folder, default={"json_url": "/json"}, lost={"json_url": "/json"}, empty={"json_url": "/json"})
    (folder / "brook-empty.dockerfile").write_text("RUN true\n")
    assert _adopt(lab, Request(folder)) == {
        "brook-lost": f"{folder} has no brook-lost.dockerfile",
        "brook-empty": "brook-empty.dockerfile has no FROM; add one",
    }
    assert set(_stanzas(lab)) == {"brook"}
    assert _refusal(lab, Request(folder, ("lost",))) == f"brook-lost: {folder} has no brook-lost.dockerfile"
    assert _refusal(lab, Request(folder, ("lost", "default"))) == f"brook-lost: {folder} has no brook-lost.dockerfile"


def test_what_is_no_entry_s_folder_is_refused(lab: Path, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _refusal(lab, Request(file)) == f"{file} is not a folder; name one that has a benchmark_config.json"
    assert _refusal(lab, Request(tmp_path / "nowhere")).endswith(
        "is not a folder; name one that has a benchmark_config.json"
    )
    assert _refusal(lab, Request(empty)) == f"{empty} has no benchmark_config.json; name a folder that has one"
    assert _refusal(lab, Request(tmp_path)) == f"{tmp_path} has the lab itself in it; name the folder of an entry"
    (folder / "benchmark_config.json").write_bytes(b"\xff\xfe\x00")
    assert _refusal(lab, Request(folder)) == f"{folder / 'benchmark_config.json'} is not text in UTF-8; fix it"
    (folder / "benchmark_config.json").write_text("{")
    assert _refusal(lab, Request(folder)).startswith("benchmark_config.json: line 1 is not valid JSON (")
    (folder / "benchmark_config.json").unlink()
    (folder / "benchmark_config.json").mkdir()
    assert _refusal(lab, Request(folder)) == "benchmark_config.json is not a regular file; put one in its place"


@pytest.mark.parametrize("name", ["benchmark_config.json", "brook.dockerfile", "deep/other"])
def test_a_named_pipe_is_refused_and_nobody_waits_for_it(lab: Path, folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert _refusal(lab, Request(folder)) == f"{path} is a named pipe, which cannot be copied; remove it"


def test_a_link_to_itself_is_refused_where_it_is_the_dockerfile_and_else_copied(lab: Path, folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    _adopt(lab, Request(folder))
    assert (lab / "adopted/brook/loop").readlink() == Path("loop")
    (folder / "brook.dockerfile").unlink()
    (folder / "brook.dockerfile").symlink_to("brook.dockerfile")
    assert _refusal(lab, Request(folder)) == "brook: brook.dockerfile is a link that leads to itself; fix it"


def test_a_copy_of_the_lab_s_own_is_not_adopted_over_itself(lab: Path, folder: Path) -> None:
    _adopt(lab, Request(folder))
    assert _refusal(lab, Request(lab / "adopted/brook")).endswith("is the lab's own; name the folder of an entry")


def test_a_dockerfile_behind_a_link_that_leads_out_of_the_folder_is_refused(
    lab: Path, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.dockerfile"
    outside.write_text("FROM python:3.12\n")
    (folder / "brook.dockerfile").unlink()
    (folder / "brook.dockerfile").symlink_to(outside)
    assert _refusal(lab, Request(folder)) == f"brook: brook.dockerfile leads out of {folder}"


def test_a_link_to_a_folder_or_file_does_not_lead_the_lab_to_write_into_the_entry_s_folder(
    lab: Path, folder: Path
) -> None:
    (folder / "real").mkdir()
    (folder / "real/brook.dockerfile").write_text("FROM python:3.12\n")
    (folder / "way").symlink_to(folder / "real")
    (folder / "benchlab.dockerfile").symlink_to(folder / "real/brook.dockerfile")
    _configure(folder, default={"json_url": "/json", "dockerfile": "way/brook.dockerfile"})
    before = _content(folder)
    _adopt(lab, Request(folder, stand_ins={"python:3.12": "benchlab/base"}))
    assert _content(folder) == before
    assert (lab / "adopted/brook/benchlab.dockerfile").read_text() == "FROM benchlab/base\n"


def test_a_stand_in_that_no_dockerfile_asks_for_is_refused_by_a_flag_and_passed_over_in_a_file(
    lab: Path, folder: Path
) -> None:
    other = {"python:3.13": "benchlab/base"}
    assert _refusal(lab, Request(folder, stand_ins=other)) == (
        "--base python:3.13: no dockerfile starts from it; there is python:3.12"
    )
    _adopt(lab, Request(folder, optional_stand_ins=other))
    assert (lab / "adopted/brook/benchlab.dockerfile").read_text() == "FROM python:3.12\n"


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        (
            "ARG IMG\nFROM $IMG\n",
            "`FROM $IMG` starts from nothing: the variables in it have no value; give them one in ",
        ),
        (
            "FROM python:${V:!3}\n",
            "`FROM python:${V:!3}`: python:${V:!3}: the lab does not support ${V!…}; write its value",
        ),
        ("FROM Python:3.12\n", "`FROM Python:3.12` starts from 'Python:3.12', which is not an image's name"),
        ("FROM python:3.12 as\n", "`FROM python:3.12 as` is neither FROM image nor FROM image AS name; fix it"),
        ("FROM python:$TARGETARCH\n", "only the builder knows TARGETARCH; write its value"),
    ],
)
def test_a_dockerfile_that_starts_from_no_image_that_can_be_known_is_refused_before_anything_is_written(
    lab: Path, folder: Path, dockerfile: str, why: str
) -> None:
    (folder / "brook.dockerfile").write_text(dockerfile)
    refusal = _refusal(lab, Request(folder))
    assert refusal.startswith("brook: brook.dockerfile: ")
    assert why in refusal


def test_a_dockerfile_that_starts_from_scratch_is_adopted_and_called_that(lab: Path, folder: Path) -> None:
    (folder / "brook.dockerfile").write_text("FROM scratch\nCOPY server /\n")
    (entry,), _ = adopt.examine(lab, Request(folder))
    assert str(entry) == "brook: json; port 8080; from scratch, no image"


def test_a_variable_that_the_format_gives_its_builds_has_that_value(lab: Path, folder: Path) -> None:
    (folder / "brook.dockerfile").write_text("ARG TFB_TEST_NAME=x\nFROM apps/${TFB_TEST_NAME}:1\n")
    (entry,), _ = adopt.examine(lab, Request(folder))
    assert entry.bases == ("apps/brook:1",)


def test_what_buildkit_alone_builds_is_noted_with_the_entry(lab: Path, folder: Path) -> None:
    (folder / "brook.dockerfile").write_text("FROM python:3.12\nRUN --mount=type=cache,target=/x <<EOF\ntrue\nEOF\n")
    _adopt(lab, Request(folder))
    assert _stanzas(lab)["brook"]["labels"]["benchlab.buildkit"] == "here-documents, RUN --mount"


def test_an_adoption_that_fails_leaves_stanzas_and_copies_as_they_were(lab: Path, folder: Path) -> None:
    _configure(folder, default={"json_url": "/json"}, raw={"json_url": "/json"})
    (folder / "brook-raw.dockerfile").write_text("FROM python:3.12\n")
    _adopt(lab, Request(folder, ("default",)))
    (folder / "new.py").write_text("pass")
    # The draft of the stanzas cannot be written over a folder.
    (lab / f"{ADOPTED}.draft").mkdir()
    assert "cannot be used" in _refusal(lab, Request(folder))
    assert sorted(path.name for path in (lab / "adopted").iterdir()) == ["brook"]
    (lab / f"{ADOPTED}.draft").rmdir()
    _adopt(lab, Request(folder))
    assert sorted(path.name for path in (lab / "adopted").iterdir()) == ["brook", "brook-raw"]
    assert (lab / "adopted/brook/new.py").exists()


class _Images:
    """An engine that has some images, and whose registry has some."""

    def __init__(self, *names: str, pulled: str = ""):
        self._names, self._pulled = names, pulled

    def image_id(self, name: str) -> str | None:
        return name if name in self._names else None

    def pull(self, repository: str, tag: str) -> None:
        if f"{repository}:{tag}" != self._pulled:
            raise EngineError("pulling it failed: no such host")


def test_a_stand_in_that_is_nowhere_is_refused_with_what_there_is(lab: Path, folder: Path) -> None:
    def entries(stand_in: str) -> list[AdoptedEntry]:
        return adopt.examine(lab, Request(folder, stand_ins={"python:3.12": stand_in}))[0]

    engine = _Images("mine:1", pulled="elsewhere:5000/python:latest")
    for there in ("mine:1", "benchlab/base-dev", "benchlab/base:latest", "elsewhere:5000/python"):
        adopt.refuse_missing(engine, entries(there), print)
    with pytest.raises(UsageError) as raised:
        adopt.refuse_missing(engine, entries("benchlab/bse"), print)
    assert str(raised.value) == (
        "--base python:3.12=benchlab/bse: the engine has no such image, and it cannot be pulled (pulling it failed: no "
        "such host); there is benchlab/base, benchlab/base-python, benchlab/base-dev, and what `docker images` lists"
    )


def test_pairs_of_images_come_from_flags_and_files(tmp_path: Path) -> None:
    file = tmp_path / "bases.txt"
    file.write_text("# a comment\n\npython:3.12 = benchlab/base\n")
    assert adopt.stand_ins([*adopt.pairs(file), "a=b/c:1"]) == {"python:3.12": "benchlab/base", "a": "b/c:1"}
    for wrong in ("python:3.12", "=x", "x=", "a b=c"):
        with pytest.raises(ConfigError, match="write IMAGE=IMAGE"):
            adopt.stand_ins([wrong])
    with pytest.raises(UsageError, match=r"--base a=B: B is not an image's name"):
        adopt.stand_ins(["a=B"])
    with pytest.raises(UsageError, match=r"--base a=c: b stands for a already; leave one"):
        adopt.stand_ins(["a=b", "a=b", "a=c"])
    with pytest.raises(ConfigError, match="nowhere: there is no such file; name one"):
        adopt.pairs(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: [", "is not valid YAML"),
        ("- a\n", "has no stanzas"),
        ("services: {brook: {labels: {}}}\n", "is not as adopt wrote it; remove it, and adopt again"),
        ("x-adopted: {brook: {folder: /x, digest: d}}\n", "is not as adopt wrote it; remove it, and adopt again"),
        (
            "{x-adopted: {../a: {folder: /x, digest: d}}, services: {../a: {labels: {benchlab.port: '8080'}}}}\n",
            "is not as adopt wrote it; remove it, and adopt again",
        ),
    ],
)
def test_stanzas_that_somebody_broke_are_refused_and_not_written_over(
    lab: Path, folder: Path, text: str, why: str
) -> None:
    (lab / ADOPTED).write_text(text)
    assert why in _refusal(lab, Request(folder))


def test_an_engine_that_does_not_grant_the_setting_gets_a_stanza_without_it(lab: Path, folder: Path) -> None:
    entries, _ = adopt.examine(lab, Request(folder))
    adopt.adopt(lab, folder, entries, Grants(1024, {}))
    assert "sysctls" not in _stanzas(lab)["brook"]
