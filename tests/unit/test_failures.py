"""What breaks a trial, a visit or the run, and what goes on all the same."""

from __future__ import annotations

import pytest

from benchlab.engine import Executed
from benchlab.errors import EngineError
from benchlab.model import Entry, Settings
from benchlab.runner import Events, Runner

from .fake_host import FakeHost
from .running import LEVELS, Kept, planned, run


def test_an_entry_that_dies_under_load_fails_the_rest_of_its_visit_only(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def die_once(entry: str, number: int) -> None:
        if number == 2:
            host.dead[entry] = f"{entry} is not running (out of memory)"

    host.on_load = die_once
    run(host, entries, settings, kept)
    first = planned(entries)[0]
    assert [failure.trial for failure in kept.failures] == list(first.trials)
    assert (
        kept.failures[0].reason
        == f"under load, {first.entry} is not running (out of memory); its log: logs/block1-{first.entry}"
    )
    assert len(kept.samples) == 15


def test_a_database_that_dies_under_load_is_named_and_started_again(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()

    def kill_database(entry: str, number: int) -> None:
        if number == 2:
            host.dead["db"] = "db is not running (exit code 137)"

    host.on_load = kill_database
    run(host, entries, settings, kept)
    assert "db is not running (exit code 137)" in kept.failures[0].reason
    assert len(kept.samples) == 15


def test_an_entry_that_dies_in_start_up_is_recorded_and_the_others_go_on(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.stillborn = {"aiohttp"}
    run(host, entries, settings, kept)
    assert {failure.reason for failure in kept.failures} == {
        "in start-up, aiohttp is not running (exit code 3); its log: logs/block1-aiohttp",
        "in start-up, aiohttp is not running (exit code 3); its log: logs/block2-aiohttp",
    }
    assert {failure.trial.entry for failure in kept.failures} == {"aiohttp"}
    assert {sample.trial.entry for sample in kept.samples} == {"crax"}


def test_an_entry_that_never_answers_is_stopped_and_recorded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.mute = {"aiohttp"}
    by_name = {entry.name: entry for entry in entries}
    list(Runner(host, kept, by_name, LEVELS, settings, Events(), 2, ready_s=0).run(planned(entries)))
    assert kept.failures[0].reason == (
        "aiohttp did not answer /json on port 8080 within 0 s of its start; its log: logs/block1-aiohttp"
    )
    assert kept.logs == {f"block{n}-aiohttp": "aiohttp is tired" for n in (1, 2)}
    assert host.running == {"db", "wrk"}


def test_what_wrk_did_not_finish_fails_that_trial_only(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: "unable to connect" if number == 2 else None
    run(host, entries, settings, kept)
    assert len(kept.failures) == 1
    assert "unable to connect" in kept.failures[0].reason


def test_what_wrk_says_when_it_fails_is_the_reason(entries: list[Entry], settings: Settings) -> None:
    class Refusing(FakeHost):
        def execute(self, service: str, command: list[str]) -> Executed:
            left = super().execute(service, command)
            refused = "/wrk/load.py" in command and len(self.loads) == 2
            return Executed(1, "", "unable to connect to tfb-server:8080\n") if refused else left

    kept = Kept()
    run(Refusing(), entries, settings, kept)
    assert [failure.reason for failure in kept.failures] == [
        "wrk ended with exit code 1: unable to connect to tfb-server:8080"
    ]
    assert len(kept.samples) == 20


def test_an_interrupt_ends_the_run_even_where_the_entry_cannot_be_stopped(
    entries: list[Entry], settings: Settings
) -> None:
    class Stuck(FakeHost):
        def stop(self, service: str) -> None:
            raise EngineError(f"{service} cannot be stopped")

    def interrupt(entry: str, number: int) -> None:
        raise KeyboardInterrupt

    host, kept = Stuck(), Kept()
    host.on_load = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(host, entries, settings, kept)
    assert kept == []


def test_two_visits_in_a_row_lost_to_the_engine_end_the_run(entries: list[Entry], settings: Settings) -> None:
    class Full(FakeHost):
        def start(self, service: str) -> None:
            raise EngineError("no space left on device")

    kept = Kept()
    with pytest.raises(EngineError, match="no space left"):
        run(Full(), entries, settings, kept)
    assert {failure.trial.block for failure in kept.failures} == {1}


def test_a_visit_that_is_not_allowed_any_more_ends_the_run_and_is_not_made(
    entries: list[Entry], settings: Settings
) -> None:
    asked: list[str] = []

    def allow() -> None:
        asked.append("allowed?")
        if len(asked) == 3:
            raise EngineError("the lease is lost")

    host, kept = FakeHost(), Kept()
    by_name = {entry.name: entry for entry in entries}
    runner = Runner(host, kept, by_name, LEVELS, settings, Events(), 2, allow=allow)
    with pytest.raises(EngineError, match="the lease is lost"):
        list(runner.run(planned(entries)))
    assert (len(kept.samples), kept.failures) == (10, [])
    assert host.running == {"db", "wrk"}


def test_an_engine_that_is_gone_ends_the_run_and_keeps_what_was_measured(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def vanish(entry: str, number: int) -> None:
        host.gone = number == 3

    host.on_load = vanish
    with pytest.raises(EngineError, match="the engine is gone"):
        run(host, entries, settings, kept)
    assert (len(kept.samples), kept.failures) == (1, [])
