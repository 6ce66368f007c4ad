"""A running entry held against the contract: what is asked of it, counted and waited for, and what that costs a run."""

from __future__ import annotations

from typing import Any

import pytest

from benchlab.contract.answers import Verification
from benchlab.experiment.workloads import WORKLOADS
from benchlab.records.plan import Entry, Settings
from benchlab.run import conformance
from benchlab.run.state import SessionState

from .conftest import LABELS, Kept, make_finding, make_group, make_runner, planned
from .fake_host import FakeHost

PATHS = {test: workload.path for test, workload in WORKLOADS.items()}
ALL = Entry("crax", LABELS, PATHS)


def _verified(host: FakeHost, *tests: str) -> list[Verification]:
    return conformance.verify_entry(make_group(host, ALL), tests or WORKLOADS)


def _rules(verdicts: list[Verification]) -> dict[str, list[str]]:
    return {verdict.test: [problem.rule for problem in verdict.problems] for verdict in verdicts if verdict.problems}


def test_an_honest_entry_passes_in_every_test_type() -> None:
    assert [str(verdict) for verdict in _verified(FakeHost())] == [f"pass  crax {test}" for test in WORKLOADS]


def test_an_entry_that_does_not_start_fails_in_one_line_with_what_was_raised_and_where() -> None:
    class Importing(FakeHost):
        def log(self, service: str) -> str:
            worker = (
                'Traceback (most recent call last):\n  File "/app/app.py", line 12, in <module>\nImportError: no x\n'
            )
            return f"{worker}INFO:     Child process [9] died\n" * 2

    host = Importing()
    host.stillborn = {"crax"}
    assert [str(verdict) for verdict in _verified(host, "json", "db")] == [
        "fail  crax: in start-up, crax ended (exit code 3); it raised ImportError: no x (app.py:12); "
        "its log: logs/verify-crax [serves]"
    ]


def test_an_entry_that_dies_while_it_is_verified_fails_as_a_whole_not_by_what_it_left_unanswered() -> None:
    class Dying(FakeHost):
        def _burst(self, job: dict[str, Any]) -> str:
            self.dead["crax"] = "crax ended (exit code 1)"
            return super()._burst(job)

        def answer(self, path: str) -> dict[str, object]:
            return {"path": path, "error": "refused"} if self.dead else super().answer(path)

    (found,) = _verified(Dying(), "db", "json")
    assert str(found).startswith("fail  crax: while it was verified, crax ended (exit code 1); ")


def test_an_entry_that_answers_from_memory_is_told_by_what_the_database_counted() -> None:
    host = FakeHost()
    host.remembers = {"crax"}
    counted = ["queries", "rows read"]
    assert _rules(_verified(host)) == {
        "db": counted,
        "query": counted,
        "fortune": counted,
        "update": [*counted, "rows written"],
    }


def test_statements_are_counted_only_while_the_requests_are_sent() -> None:
    host = FakeHost()
    _verified(host, "query", "json")
    steps = [step for step in host.done if step.startswith(("count", "burst"))]
    assert steps == [
        "count-statements on",
        "burst /queries?queries=20",
        "count-statements take",
        "count-statements off",
    ]


def test_test_types_share_one_counting_but_for_those_that_write() -> None:
    host = FakeHost()
    _verified(host, "db", "query", "update")
    assert [step for step in host.done if step.startswith(("count", "burst"))] == [
        "count-statements on",
        "burst /db",
        "count-statements take",
        "burst /queries?queries=20",
        "count-statements take",
        "count-statements off",
        "count-statements on",
        "burst /updates?queries=20",
        "count-statements take",
        "count-statements off",
    ]


def test_counting_is_switched_off_where_the_requests_cannot_be_sent() -> None:
    class Broken(FakeHost):
        def _burst(self, job: dict[str, Any]) -> str:
            raise KeyboardInterrupt

    host = Broken()
    with pytest.raises(KeyboardInterrupt):
        _verified(host, "query")
    assert host.done[-2:] == ["count-statements off", "stop crax"]


class Reading(FakeHost):
    """Has cached-query read rows: as many in each counted round as `rounds` says, then none."""

    def __init__(self, *rounds: int):
        super().__init__()
        self.rounds, self.filled = [*rounds], 0

    def _burst(self, job: dict[str, Any]) -> str:
        if job["path"].endswith("=20"):
            number = self.rounds.pop(0) if self.rounds else 0
            self._caused("world", number, number)
        else:
            self.filled += 1
        return super()._burst(job)


def test_a_cache_may_be_filled_by_the_first_requests() -> None:
    host = Reading(9000, 3000, 400, 2, 1, 2)
    assert _rules(_verified(host, "cached-query")) == {}
    assert host.filled == 6


def test_a_cache_that_is_filled_at_the_start_is_asked_once() -> None:
    host = Reading()
    assert _rules(_verified(host, "cached-query")) == {}
    assert host.filled == 0


@pytest.mark.parametrize("rounds", [[10_240, 10_240], [512] * 2, [2] * 30])
def test_a_cache_that_goes_on_reading_is_none(rounds: list[int]) -> None:
    assert _rules(_verified(Reading(*rounds), "cached-query")) == {"cached-query": ["cached"]}


def test_updates_may_be_written_to_the_quoted_twin_of_world() -> None:
    host = FakeHost()
    host.quotes = {"crax"}
    assert _rules(_verified(host, "update")) == {}


def test_a_date_that_stands_still_is_told_for_each_test_type() -> None:
    host = FakeHost()
    host.still = {"crax"}
    assert _rules(_verified(host, "json", "db")) == {"json": ["date"], "db": ["date"]}


def test_where_a_date_has_changed_already_nothing_more_is_asked() -> None:
    class Quick(FakeHost):
        def answer(self, path: str) -> dict[str, object]:
            self.second += 1
            return super().answer(path)

    host, slow = Quick(), FakeHost()
    _verified(host, "json")
    _verified(slow, "json")
    assert (host.fetched, slow.fetched) == (2, 3)


class Concurrent(FakeHost):
    """Answers many requests at once with something else."""

    def __init__(self, **changes: object):
        super().__init__()
        self.changes = changes
        self.many = False

    def _burst(self, job: dict[str, Any]) -> str:
        self.many = True
        return super()._burst(job)

    def answer(self, path: str) -> dict[str, object]:
        return {**super().answer(path), **(self.changes if self.many else {})}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"status": 302}, "status"), ({"body": ""}, "body"), ({"closing": True}, "keep-alive")],
)
def test_what_goes_wrong_only_with_many_requests_at_once_is_told(changes: dict[str, object], rule: str) -> None:
    assert _rules(_verified(Concurrent(**changes), "db")) == {"db": [rule]}


def test_a_run_holds_an_entry_against_all_of_the_contract_once(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    list(make_runner(host, Kept(), entries, settings).run(planned(entries)))
    assert host.done.count("burst /queries?queries=20") == len(entries)


def test_a_type_that_broke_a_rule_is_held_against_all_of_them_in_each_visit_and_never_loaded(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.still, host.remembers = {"crax"}, {"aiohttp"}
    list(make_runner(host, kept, entries, settings).run(planned(entries)))
    reasons = {(failure.trial.entry, failure.trial.test, failure.reason.split("[")[-1]) for failure in kept.failures}
    assert reasons == {
        ("crax", "json", "date]"),
        ("crax", "plaintext", "date]"),
        ("crax", "query", "date]"),
        ("aiohttp", "query", "queries]"),
    }
    assert {failure.trial.block for failure in kept.failures} == {1, 2}
    assert {(entry, url.rpartition("/")[2]) for entry, url in host.loads} == {
        ("aiohttp", "json"),
        ("aiohttp", "plaintext"),
    }


class Chatty(FakeHost):
    """Sends another key beside json's message."""

    more = "more"

    def _value(self, path: str) -> object:
        return {"message": "Hello, World!", self.more: 1} if path == "/json" else super()._value(path)


def _told(kept: Kept) -> list[tuple[int, str, str, str, bool]]:
    return sorted((found.block, found.entry, found.test, found.rule, found.warning) for found in kept.findings)


def test_what_is_only_warned_of_is_kept_once_in_a_run_and_loaded_all_the_same(
    entries: list[Entry], settings: Settings
) -> None:
    kept = Kept()
    list(make_runner(Chatty(), kept, entries, settings).run(planned(entries)))
    assert _told(kept) == [(1, entry.name, "json", "extra keys", True) for entry in entries]
    assert kept.findings[0].message == "has more keys than message: 'more'"
    assert (kept.failures, len(kept.samples)) == ([], 20)


def test_a_key_that_no_file_takes_is_noted_and_ends_nothing(entries: list[Entry], settings: Settings) -> None:
    host, kept = Chatty(), Kept()
    host.more = "\ud800"
    list(make_runner(host, kept, entries, settings).run(planned(entries)))
    assert [finding.message for finding in kept.findings] == ["has more keys than message: '\\ud800'"] * 2
    assert (kept.failures, len(kept.samples)) == ([], 20)


def test_what_is_wrong_is_kept_once_in_a_run_and_is_the_failure_of_each_trial(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.lies = {"crax"}
    list(make_runner(host, kept, entries, settings).run(planned(entries)))
    assert _told(kept) == [(1, "crax", "json", "body", False)]
    assert {failure.trial.block for failure in kept.failures} == {1, 2}


def test_of_an_entry_that_keeps_the_contract_nothing_is_kept(entries: list[Entry], settings: Settings) -> None:
    kept = Kept()
    list(make_runner(FakeHost(), kept, entries, settings).run(planned(entries)))
    assert kept.findings == []


def test_a_resumed_run_keeps_only_what_it_had_not_seen_before(entries: list[Entry], settings: Settings) -> None:
    kept = Kept()
    state = SessionState(findings=[make_finding(entries[0].name)])
    runner = make_runner(Chatty(), kept, entries, settings, state=state)
    list(runner.run(planned(entries)))
    assert _told(kept) == [(1, entries[1].name, "json", "extra keys", True)]
