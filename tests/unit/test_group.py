"""A group of entries that are up at once: who is lost, why, and that it costs no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchlab.contract.claims import STARTED
from benchlab.core.errors import EngineError, EntryError
from benchlab.engine.command import Executed
from benchlab.engine.endpoints import Roles
from benchlab.records.plan import Entry
from benchlab.run.group import Group
from benchlab.run.state import SessionState

from .conftest import LABELS, PATHS, PATTERNS, Kept
from .fake_host import FakeHost

ENTRIES = [Entry(name, LABELS, PATHS) for name in ("aiohttp", "crax", "starlette")]


def _group(host: FakeHost, entries: Sequence[Entry] = ENTRIES, kept: Kept | None = None, **options: Any) -> Group:
    return Group(
        entries, Roles.on_one(host), ENTRIES, (Kept() if kept is None else kept).keep_log, patterns=PATTERNS, **options
    )


def test_all_are_up_at_once_and_down_again() -> None:
    host = FakeHost()
    with _group(host).up("block1") as up:
        assert (sorted(up.running), up.lost) == (["aiohttp", "crax", "starlette"], {})
        assert host.running == {"db", "wrk", "aiohttp", "crax", "starlette"}
    assert host.running == {"db", "wrk"}


def test_each_entry_behind_a_proxy_has_one_of_its_own_that_ends_before_it() -> None:
    host = FakeHost()
    proxied = [replace(entry, labels=LABELS | {"proxy": "nginx"}) for entry in ENTRIES[:2]]
    with _group(host, proxied).up("block1"):
        assert {"nginx-for-aiohttp", "nginx-for-crax"} <= host.running
    stops = [step for step in host.done if step.startswith("stop") and "crax" in step]
    assert stops == ["stop nginx-for-crax", "stop crax"]


@pytest.mark.parametrize("loss", ["stillborn", "mute"])
def test_one_that_never_gets_ready_is_lost_by_name_with_its_log_and_the_others_are_up(loss: str) -> None:
    host, kept = FakeHost(), Kept()
    setattr(host, loss, {"crax"})
    with _group(host, kept=kept, ready_s=0).up("block1") as up:
        assert (sorted(up.running), list(up.lost)) == (["aiohttp", "starlette"], ["crax"])
        assert host.running == {"db", "wrk", "aiohttp", "starlette"}
    assert isinstance(up.lost["crax"], EntryError)
    assert kept.logs.keys() == {"block1-crax"}


def test_one_that_the_engine_does_not_start_is_lost_alone() -> None:
    class Full(FakeHost):
        def start(self, service: str) -> None:
            if service == "crax":
                raise EngineError("no space left on device")
            super().start(service)

    with _group(Full()).up("block1") as up:
        assert sorted(up.running) == ["aiohttp", "starlette"]
        assert str(up.lost["crax"]) == "no space left on device"


def test_one_that_another_answers_for_is_lost_with_both_addresses() -> None:
    host = FakeHost()
    host.impostors = {"crax": "aiohttp"}
    with _group(host).up("block1") as up:
        assert sorted(up.running) == ["aiohttp", "starlette"]
        assert "crax" not in host.running
    assert str(up.lost["crax"]).startswith(
        "crax is not what answers under its name: app-crax leads to address of aiohttp, and its container has address "
        "of crax; "
    )


def test_one_that_dies_idle_beside_a_load_is_told_and_costs_no_other() -> None:
    host = FakeHost()
    with _group(host).up("block1") as up:
        assert up.check("while json 32 of crax was measured") == {}
        host.dead["aiohttp"] = "aiohttp ended (out of memory)"
        losses = up.check("while json 32 of crax was measured")
        assert list(losses) == ["aiohttp"]
        assert str(losses["aiohttp"]).startswith("while json 32 of crax was measured, aiohttp ended (out of memory)")
        assert (sorted(up.running), list(up.lost)) == (["crax", "starlette"], ["aiohttp"])
        assert up.check("later") == {}


def test_a_database_that_ends_is_everyone_s_loss() -> None:
    host = FakeHost()
    with _group(host).up("block1") as up:
        host.dead["db"] = "db ended (exit code 137)"
        with pytest.raises(EntryError, match=r"^meanwhile, db ended"):
            up.check("meanwhile")
    assert host.running == {"db", "wrk"}


def test_a_failing_stop_keeps_no_other_from_it_and_never_hides_what_ended_the_life() -> None:
    class Stuck(FakeHost):
        def stop(self, service: str) -> str | None:
            if service == "crax":
                raise EngineError("crax cannot be stopped")
            return super().stop(service)

    host = Stuck()
    with pytest.raises(KeyboardInterrupt), _group(host).up("block1"):
        raise KeyboardInterrupt
    assert host.running == {"db", "wrk", "crax"}
    with pytest.raises(EngineError, match="crax cannot be stopped"), _group(Stuck()).up("block1"):
        pass


def test_an_interrupt_while_entries_start_ends_those_that_run_already() -> None:
    class Interrupted(FakeHost):
        def execute(self, service: str, command: list[str]) -> Executed:
            if "/wrk/resolve.py" in command:
                raise KeyboardInterrupt
            return super().execute(service, command)

    host = Interrupted()
    with pytest.raises(KeyboardInterrupt), _group(host).up("block1"):
        pytest.fail("nothing is up")
    assert host.running == {"db", "wrk"}


class Slow(FakeHost):
    """Logs one worker more each time its log is looked at, up to `most`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.looks = most, 0

    def log(self, service: str) -> str:
        self.looks += 1
        return f"{STARTED}x\n" * min(self.looks - 1, self.most) if self.looks > 1 else ""


def _unsure(host: FakeHost, **options: Any) -> tuple[str, list[str]]:
    said: list[str] = []
    with _group(host, ENTRIES[1:2], say=said.append, **options).up("block1") as up:
        return up.running["crax"].unsure, said


def test_an_entry_is_up_when_all_its_workers_have_told_so_and_answered_many_connections() -> None:
    host = Slow(2)
    host.looks = 1
    assert _unsure(host) == ("", [])
    assert host.looks == 3
    assert "connections /json" in host.done


def test_too_few_workers_are_waited_for_once_in_a_session_and_told_once() -> None:
    host, state = Slow(1), SessionState()
    host.looks = 1
    unsure, said = _unsure(host, ready_s=0.2, state=state)
    assert said == [f"crax: {unsure}"] == ["crax: 1 of its 2 workers were seen to serve when it was loaded"]
    looked = host.looks
    assert _unsure(host, state=state) == (unsure, [])
    assert host.looks == looked + 1


def test_requests_of_the_start_that_are_not_answered_are_told() -> None:
    class Choosy(Slow):
        def _connected(self, job: dict[str, Any]) -> str:
            return json.dumps({"right": job["requests"] - 1, "answers": []})

    host = Choosy(2)
    host.looks = 1
    assert _unsure(host)[0] == "of 64 requests at once, 63 were answered with 200 before it was loaded"


def test_of_an_entry_without_the_label_it_is_told_that_its_workers_are_not_known() -> None:
    labels = {name: value for name, value in ENTRIES[1].labels.items() if name != "workers"}
    with _group(FakeHost(), [replace(ENTRIES[1], labels=labels)]).up("block1") as up:
        assert up.running["crax"].unsure == "how many workers it has is not known: it has no label that says so"


LISTENS = "  0: 00000000:1F90 00000000:0000 0A\n"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (LISTENS * 2, ""),
        (LISTENS, "whether all of its 2 workers serve is not known: its log has no line of each"),
        ("", "whether all of its 2 workers serve is not known: its log has no line of each"),
    ],
)
def test_workers_that_tell_nothing_show_by_sockets_of_their_own_or_not_at_all(table: str, told: str) -> None:
    host = FakeHost()
    host.table = table
    assert _unsure(host)[0] == told


def test_the_names_are_asked_for_in_one_question_for_all() -> None:
    asked: list[list[str]] = []

    class Noting(FakeHost):
        def execute(self, service: str, command: list[str]) -> Executed:
            if "/wrk/resolve.py" in command:
                asked.append(json.loads(command[-1]))
            return super().execute(service, command)

    with _group(Noting()).up("block1"):
        assert asked == [["app-aiohttp", "app-crax", "app-starlette"]]
