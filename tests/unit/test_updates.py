"""Updates change World: when they come in a visit, what they are held against, and what the next visit finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchlab.experiment import schedule
from benchlab.load import closed
from benchlab.records.plan import Entry, Settings
from benchlab.run import conformance

from .conftest import LABELS, Kept, make_group, make_runner
from .fake_host import WORLD, FakeHost, printed, seen

# Declared first, and yet an entry that starts is not looked at by updating World.
PATHS = {"update": "/updates?queries=", "query": "/queries?queries=", "db": "/db", "fortune": "/fortunes"}
TRIALS = {"update": (1, 20), "query": (20,), "db": (16,), "fortune": (16,)}
LEVELS = {test: closed.levels_of(test, values, 2) for test, values in TRIALS.items()}


@pytest.fixture
def entry() -> Entry:
    return Entry("crax", LABELS, PATHS)


def _run(host: FakeHost, entry: Entry, settings: Settings) -> Kept:
    """Make two visits and return their records."""
    kept = Kept()
    runner = make_runner(host, kept, [entry], replace(settings, levels=TRIALS), levels=LEVELS)
    list(runner.run(schedule.plan([entry], LEVELS, 2, seed=7)))
    return kept


def test_every_type_is_measured_and_updates_last(entry: Entry, settings: Settings) -> None:
    kept = _run(FakeHost(), entry, settings)
    assert kept.failures == []
    tests = [sample.trial.test for sample in kept.samples]
    assert (tests[3:5], tests[8:]) == (["update"] * 2, ["update"] * 2)
    assert set(tests[:3]) == set(tests[5:8]) == {"query", "db", "fortune"}


def test_world_is_restored_before_each_visit(entry: Entry, settings: Settings) -> None:
    host = FakeHost()
    _run(host, entry, settings)
    assert host.world != WORLD
    steps = [step for step in host.done if step in ("pristine-world", "start crax", "stop crax")]
    assert steps == ["pristine-world", "start crax", "stop crax"] * 2


def test_updates_that_are_not_written_are_told_and_never_loaded(entry: Entry, settings: Settings) -> None:
    host = FakeHost()
    host.forgets = {"crax"}
    kept = _run(host, entry, settings)
    assert {failure.trial.test for failure in kept.failures} == {"update"}
    assert kept.failures[0].reason == (
        "wrong answer: update: World holds 0 of 500 returned rows, not 475 or more: id 1 was returned with 2, but World"
        " has 1 [written]"
    )
    assert {sample.trial.test for sample in kept.samples} == {"query", "db", "fortune"}
    assert not any("/updates" in url for _, url in host.loads)


def test_verification_without_a_load_comes_to_updates_last_too(entry: Entry) -> None:
    verdicts = conformance.verify_entry(make_group(FakeHost(), entry), TRIALS)
    assert [verdict.test for verdict in verdicts] == ["query", "db", "fortune", "update"]
    assert all(verdict.passed for verdict in verdicts)


def test_an_update_that_answers_wrongly_under_load_does_not_count(entry: Entry, settings: Settings) -> None:
    host = FakeHost()
    busy = host.answer("/updates?queries=1") | {"headers": []}

    def answer(crax: str, number: int) -> str | None:
        if "/updates" not in host.loads[-1][1]:
            return None
        return printed().partition("BENCHLAB-SEEN")[0] + seen(answers=[busy])

    host.on_load = answer
    kept = _run(host, entry, settings)
    wrong = [sample for sample in kept.samples if sample.verdict.severity == "invalid"]
    assert {sample.trial.test for sample in wrong} == {"update"}
    assert wrong[0].verdict.detail == "update: /updates?queries=1 came without the header server [headers]"
