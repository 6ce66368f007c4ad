"""A visit that is lost: one line with its cause, and what it kept from being tried, in journal, terminal and report."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from benchlab.core.errors import EngineError
from benchlab.experiment.forecast import Forecast
from benchlab.records.plan import Entry, Manifest, Settings, Visit
from benchlab.records.run import Run
from benchlab.report import report, tfb_results
from benchlab.run.progress import Progress

from .conftest import Kept, make_runner, planned, run_planned
from .fake_host import FakeHost

CRAX = "crax ended (exit code 3)"


def _first(visit: Visit) -> str:
    """Return test type and level of the visit's first trial."""
    trial = visit.trials[0]
    return f"{trial.test} {trial.level.key}"


def _dying_at(load: int, how: str) -> FakeHost:
    """Return a host on which the entry dies in the load of that number, from 1."""
    host = FakeHost()

    def die(entry: str, number: int) -> None:
        if number == load:
            host.dead[entry] = how

    host.on_load = die
    return host


def test_the_trial_at_which_an_entry_died_has_the_cause_and_those_after_it_are_not_tried(
    entries: list[Entry], settings: Settings
) -> None:
    kept, first = Kept(), planned(entries)[0]
    run_planned(_dying_at(2, "it is dead (out of memory)"), entries, settings, kept)
    assert [failure.reason for failure in kept.failures] == [
        f"while {_first(first)} was measured, it is dead (out of memory); it logged last: {first.entry} is tired; "
        f"its log: logs/block1-{first.entry}",
        *["not tried: it is dead (out of memory)"] * 4,
    ]


def test_an_entry_that_dies_while_it_warms_up_is_said_to_have_died_then(
    entries: list[Entry], settings: Settings
) -> None:
    kept = Kept()
    run_planned(_dying_at(1, "it is dead"), entries, settings, kept)
    test = planned(entries)[0].trials[0].test
    assert kept.failures[0].reason.startswith(f"while {test} was warmed up, it is dead; ")


def test_an_entry_that_dies_before_a_test_type_is_asked_gives_no_wrong_answers(
    entries: list[Entry], settings: Settings
) -> None:
    class Dying(FakeHost):
        """Dies when its first container is asked for anything after a load: for the answers of its second test type."""

        def _fetch(self, job: dict[str, Any]) -> str:
            if self.loads and not self.dead and self.done.count("pristine-world") == 1:
                self.dead[self.entry] = "it is dead"
            return super()._fetch(job)

    kept, first = Kept(), planned(entries)[0]
    run_planned(Dying(), entries, settings, kept)
    tests = [trial.test for trial in first.trials]
    lost = first.trials[tests.count(tests[0]) :]
    assert [failure.trial for failure in kept.failures] == list(lost)
    assert kept.failures[0].reason.startswith(f"while {lost[0].test} was verified, it is dead; ")
    assert {failure.reason for failure in kept.failures[1:]} == {"not tried: it is dead"}
    assert kept.findings == []


def test_what_was_not_tried_because_the_engine_failed_says_so(entries: list[Entry], settings: Settings) -> None:
    class Full(FakeHost):
        def start(self, service: str) -> None:
            if service == "crax":
                raise EngineError("no space left on device")
            super().start(service)

    kept = Kept()
    run_planned(Full(), entries, settings, kept)
    told = ["no space left on device", *["not tried: the engine failed in this visit"] * 4]
    assert sorted(failure.reason for failure in kept.failures) == sorted(told * 2)


@pytest.fixture
def stillborn() -> FakeHost:
    host = FakeHost()
    host.stillborn = {"crax"}
    return host


@pytest.fixture
def run(stillborn: FakeHost, entries: list[Entry], settings: Settings, manifest: Manifest) -> Run:
    """Return a run of two entries, of which crax does not start."""
    kept = Kept()
    run_planned(stillborn, entries, settings, kept)
    return Run(manifest, tuple(kept.samples), tuple(kept.failures))


def test_a_run_says_what_a_lost_visit_cost_in_one_line_after_its_cause(
    stillborn: FakeHost, entries: list[Entry], settings: Settings, manifest: Manifest
) -> None:
    screen, visits = StringIO(), planned(entries, blocks=1)
    progress = Progress(Console(file=screen), Forecast(visits, settings), Run(manifest, (), ()), "")
    with progress.running():
        list(make_runner(stillborn, Kept(), entries, settings, progress).run(visits))
    (visit,) = (visit for visit in visits if visit.entry == "crax")
    assert [line for line in screen.getvalue().splitlines() if CRAX in line] == [
        f"  block 1: crax: {_first(visit)}: not measured: in start-up, {CRAX}; it logged last: crax is tired; "
        "its log: logs/block1-crax",
        f"  block 1: crax: 4 more samples not tried: {CRAX}",
    ]


def test_a_report_tells_a_cause_once_however_many_test_types_and_blocks_it_cost(run: Run) -> None:
    cause, untried = (reason for reason in report.reasons(run) if "crax" in reason)
    assert (
        f": in start-up, {CRAX}; it logged last: crax is tired; its log: logs/block1-crax (2 trials, first 1/" in cause
    )
    assert f": not tried: {CRAX} (8 trials, first 1/crax/" in untried
    assert {*untried.partition(": ")[0].split(", ")} == {"crax", "json", "query"}


def test_a_results_file_has_the_cause_and_not_what_it_kept_from_being_tried(run: Run) -> None:
    assert tfb_results.results(run)["completed"]["crax"].startswith(f"ERROR: in start-up, {CRAX}; ")
