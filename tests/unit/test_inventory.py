"""What containers hold, asked of an engine that answers from a table."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchlab.core.errors import EngineError
from benchlab.engine.command import Executed
from benchlab.engine.endpoints import Endpoint, Roles
from benchlab.host import inventory
from benchlab.records.facts import Contents, Database, Facts, Host, LoadGenerator

from .fake_host import FakeHost

PYTHON = {"python": "3.13.5", "gil": True, "packages": ["ujson==5.10.0"]}
CONTENTS = Contents(python="3.13.5", gil=True, packages=("ujson==5.10.0",))
CALLS = {
    "wait-database": "",
    "SHOW server_version": "17.5\n",
    inventory.SETTINGS: "fsync|off\nmax_connections|2000\nsearch_path|a|b\n",
    inventory.CONTENT: "0123abcd\n",
    inventory.WRK: "wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer\nfeed  -\n",
    "id-of-wrk": '{"cpu_count": 2, "cpu_turbo": null}',
}


class Answering(FakeHost):
    """An engine that knows `calls` by how a command ends, and `images` by id; `inspected` has the images in order."""

    def __init__(self, calls: dict[str, str] = CALLS, images: dict[str, str] | None = None) -> None:
        super().__init__()
        self.calls, self.images = calls, images or {}
        self.inspected: list[str] = []

    def execute(self, service: str, command: list[str]) -> Executed:
        word = command[-1].removeprefix("--command=")
        return Executed(0, self.calls[word], "") if word in self.calls else Executed(2, "", "it is tired\n")

    def run_once(self, image: str, command: list[str]) -> str:
        self.inspected.append(image)
        if image not in self.images:
            raise EngineError("python3 is not there")
        return self.images[image]


def _client(host: FakeHost) -> Endpoint:
    return Roles.on_one(host).client


def _database(host: FakeHost) -> Endpoint:
    return Roles.on_one(host).database


def test_the_host_is_watched_on_the_cpus_that_containers_may_use_and_not_on_the_load_generator_s_alone() -> None:
    host = Answering({"3,11": '{"busy_share": 0.5}'})
    assert inventory.machine(_client(host), (3, 11)) == Host(busy_share=0.5)


def test_what_an_image_holds_is_asked_once_and_kept_in_the_file(tmp_path: Path) -> None:
    host, kept = Answering(images={"sha256:a": json.dumps(PYTHON)}), tmp_path / ".lab/images.json"
    first, second = (inventory.entries(host, {"crax": "sha256:a"}, kept) for _ in range(2))
    assert first == second == {"crax": CONTENTS}
    assert host.inspected == ["sha256:a"]


def test_entries_of_one_image_are_asked_once(tmp_path: Path) -> None:
    host = Answering(images={"sha256:a": json.dumps(PYTHON)})
    images = dict.fromkeys(("crax", "crax-again"), "sha256:a")
    assert inventory.entries(host, images, tmp_path / "images.json") == dict.fromkeys(images, CONTENTS)
    assert host.inspected == ["sha256:a"]


def test_an_image_of_another_id_is_asked_anew(tmp_path: Path) -> None:
    newer = PYTHON | {"python": "3.14.0"}
    host = Answering(images={"sha256:a": json.dumps(PYTHON), "sha256:b": json.dumps(newer)})
    inventory.entries(host, {"crax": "sha256:a"}, tmp_path / "images.json")
    assert inventory.entries(host, {"crax": "sha256:b"}, tmp_path / "images.json") == {"crax": Contents.of(newer)}


def test_a_file_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text('{"sha256:a": ')
    host = Answering(images={"sha256:a": json.dumps(PYTHON)})
    assert inventory.entries(host, {"crax": "sha256:a"}, tmp_path / "images.json") == {"crax": CONTENTS}
    assert json.loads((tmp_path / "images.json").read_text())["images"] == {"sha256:a": PYTHON}


def test_what_an_older_lab_asked_is_asked_anew(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text(json.dumps({"asked": "less", "images": {"sha256:a": {"python": "3.13.5"}}}))
    host = Answering(images={"sha256:a": json.dumps(PYTHON)})
    assert inventory.entries(host, {"crax": "sha256:a"}, tmp_path / "images.json") == {"crax": CONTENTS}


def test_what_is_asked_of_an_image_is_answered_by_this_python() -> None:
    told = json.loads(subprocess.run([sys.executable, "-c", inventory.PYTHON], capture_output=True, check=True).stdout)
    assert told["python"] == platform.python_version()
    assert any(package.startswith("docker==") for package in told["packages"])
    assert isinstance(told["jit"], bool)
    assert (Contents.of(told).rest, Contents.of(told).plain()) == ({}, told)


@pytest.mark.parametrize("images", [{}, {"sha256:a": "no JSON"}])
def test_what_an_entry_without_python_holds_is_unavailable(tmp_path: Path, images: dict[str, str]) -> None:
    host = Answering(images=images)
    assert inventory.entries(host, {"crax": "sha256:a"}, tmp_path / "images.json") == {
        "crax": Contents(rest="unavailable")
    }


def test_the_database_tells_version_settings_and_content() -> None:
    host = Answering()
    settings = {"fsync": "off", "max_connections": "2000", "search_path": "a|b"}
    assert inventory.database(_database(host)) == Database("17.5", settings, "0123abcd")
    assert host.done == ["start db"]


def test_the_load_generator_tells_its_version_and_a_hash_of_its_scripts() -> None:
    host = Answering()
    assert inventory.load_generator(_client(host)) == LoadGenerator("wrk 4.2.0", "feed")
    assert host.done == ["start wrk"]


def test_the_machine_s_facts_are_those_of_the_script_and_what_it_does_not_know_is_unavailable() -> None:
    assert inventory.machine(_client(Answering())).plain() == {"cpu_count": 2, "cpu_turbo": "unavailable"}


@pytest.mark.parametrize(
    ("facts", "blind"),
    [
        ({"host": {"cgroup_tree": "unavailable"}}, True),
        ({"host": {"cgroup_tree": "version 2"}}, False),
        ({}, False),
    ],
)
def test_a_host_whose_cgroup_tree_cannot_be_read_is_blind(facts: dict[str, object], blind: bool) -> None:
    assert inventory.is_blind(Facts.of(facts)) is blind


@pytest.mark.parametrize(
    ("ask", "place", "failing", "message"),
    [
        (inventory.database, _database, "wait-database", "wait-database in db failed: exit code 2: it is tired"),
        (inventory.database, _database, "SHOW server_version", "psql in db failed: exit code 2: it is tired"),
        (inventory.load_generator, _client, inventory.WRK, "sh in wrk failed: exit code 2: it is tired"),
        (inventory.machine, _client, "id-of-wrk", "facts.py in wrk failed: exit code 2: it is tired"),
    ],
)
def test_a_command_that_fails_is_quoted(
    ask: Callable[[Endpoint], object], place: Callable[[FakeHost], Endpoint], failing: str, message: str
) -> None:
    host = Answering(calls={word: answer for word, answer in CALLS.items() if word != failing})
    with pytest.raises(EngineError, match=f"^{message}$"):
        ask(place(host))
