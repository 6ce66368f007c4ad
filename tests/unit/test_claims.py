"""What an entry's labels say, held against logs as the entries' workers and servers write them."""

from __future__ import annotations

import pytest

from benchlab.contract import claims
from benchlab.contract.answers import Problem
from benchlab.engine.endpoints import Roles
from benchlab.records.plan import Entry
from benchlab.run import conformance
from benchlab.run.conformance import Conformance
from benchlab.run.lifecycle import Lifetime, RunningEntry

from .conftest import LABELS, PATHS, PATTERNS, Kept, make_group
from .fake_host import WORLD, FakeHost

TRUE = LABELS | {"framework": "Fast-Web"}
GUNICORN, UVICORN = "[7] [INFO] Starting gunicorn 27.0.1\n", "INFO:     Uvicorn running on http://0.0.0.0:8080\n"
WORKER = "started: framework=fast_web.app loop=uvloop json=json driver=asyncpg data=asyncpg.pool pool=16\n"


def _told(labels: dict[str, str], log: str) -> list[str]:
    return [problem.message for problem in claims.check(labels, log, PATTERNS)]


def test_threads_have_no_event_loop_to_speak_of_and_one_that_runs_is_a_false_label() -> None:
    assert _told(TRUE | {"loop": "none"}, WORKER.replace("loop=uvloop ", "") * 2) == []
    assert _told(TRUE | {"loop": "none"}, WORKER * 2) == ["its labels say loop=none; its log says loop=uvloop"]


@pytest.mark.parametrize("log", [GUNICORN + WORKER * 2, WORKER * 2, WORKER * 3, GUNICORN, "tired\n", ""])
def test_labels_are_right_as_far_as_the_log_says_the_same(log: str) -> None:
    assert _told(TRUE, log) == []


@pytest.mark.parametrize(
    ("changes", "log", "told"),
    [
        ({"framework": "mine"}, WORKER * 2, "its labels say framework=mine; its log says framework=fast_web"),
        ({"json": "ujson"}, WORKER * 2, "its labels say json=ujson; its log says json=json"),
        ({"orm": "full"}, WORKER * 2, "its labels say orm=full; its log says orm=raw"),
        (
            {},
            WORKER.replace("asyncpg.pool", "sqlalchemy.ext.asyncio") * 2,
            "its labels say orm=raw; its log says orm=full",
        ),
        ({"pool": "8"}, WORKER * 2, "its labels say pool=8; its log says pool=16"),
        ({}, WORKER, "its labels say workers=2; its log says workers=1"),
        ({}, UVICORN + WORKER * 2, "its labels say server=gunicorn; its log says server=uvicorn"),
        (
            {"loop": "asyncio", "driver": "pg"},
            WORKER * 3,
            "its labels say driver=pg, loop=asyncio; its log says driver=asyncpg, loop=uvloop",
        ),
        (
            {},
            WORKER + WORKER.replace("json=json", "json=orjson"),
            "its labels say json=json; its log says json=json orjson",
        ),
    ],
)
def test_a_false_label_is_quoted_beside_what_the_log_says(changes: dict[str, str], log: str, told: str) -> None:
    assert _told(TRUE | changes, log) == [told]


@pytest.mark.parametrize(
    ("data", "driver", "wrong"),
    [
        ("psycopg_pool", "psycopg", "full"),
        ("psycopg.cursor", "psycopg", "full"),
        ("tortoise.models", "asyncpg", "raw"),
        ("peewee", "psycopg2", "raw"),
        ("django.db", "psycopg", "raw"),
        ("mine.rows", "asyncpg", None),
    ],
)
def test_sql_by_hand_and_mappers_are_told_by_the_module_that_rows_come_from(
    data: str, driver: str, wrong: str | None
) -> None:
    log = f"started: framework=fast_web driver={driver} data={data}\n" * 2
    told = {orm: bool(_told(TRUE | {"driver": driver, "orm": orm}, log)) for orm in ("raw", "full")}
    assert told == {orm: orm == wrong for orm in ("raw", "full")}


def test_of_what_a_worker_does_not_tell_nothing_is_known() -> None:
    assert _told(TRUE | {"json": "ujson", "orm": "full"}, "started: framework=fast_web\n" * 2) == []


class Telling(FakeHost):
    """Has workers that speak of themselves, one more at each look at the log."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def log(self, service: str) -> str:
        self.looks += 1
        return WORKER * self.looks


def _conformance(host: FakeHost, labels: dict[str, str], workers_s: float = 5) -> Conformance:
    entry = Entry("crax", labels, PATHS)
    running = RunningEntry(entry, Roles.on_one(host).of(entry), WORLD, Lifetime("verify", Kept().keep_log, PATTERNS))
    return Conformance(running, workers_s)


def test_workers_that_are_still_starting_are_waited_for_but_not_for_ever() -> None:
    host = Telling()
    assert _conformance(host, TRUE).labels() == []
    assert host.looks == 2
    early = _conformance(Telling(), TRUE, workers_s=0).labels()
    assert early == [
        Problem("", "labels", "its labels say workers=2; its log says workers=1", warning=True),
    ]


def test_the_labels_of_an_adopted_entry_are_left_alone() -> None:
    adopted = TRUE | {"origin": "adopted", "workers": "own", "json": "?"}
    assert _conformance(Telling(), adopted).labels() == []


def test_verification_warns_of_a_false_label_in_a_line_of_the_entry_s_own() -> None:
    host = Telling()
    entry = Entry("crax", TRUE | {"json": "ujson"}, PATHS)
    verdicts = conformance.verify_entry(make_group(host, entry), PATHS)
    assert [str(verdict) for verdict in verdicts] == [
        "pass  crax json",
        "pass  crax plaintext",
        "pass  crax query",
        "warn  crax: its labels say json=ujson; its log says json=json [labels]",
    ]
