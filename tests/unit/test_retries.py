"""Samples that do not count, and trials that failed in passing: what is kept of them, and when they are taken anew."""

from __future__ import annotations

import base64
import json

import pytest

from benchlab.engine.command import Executed
from benchlab.quality import judge
from benchlab.records.plan import Entry, Settings, Trial
from benchlab.records.run import GOOD, INVALID, SUSPECT, Run, Sample
from benchlab.run.wrk import MARK

from .conftest import Kept, make_manifest, planned, run_planned
from .fake_host import REPORT, FakeHost, printed, seen


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            printed(errors={"connect": 0, "read": 0, "write": 0, "status": 12, "timeout": 1}),
            "answers above 399, or connections that failed (12); 12 answers above 399, 1 time-out",
        ),
        (printed(requests=0), "no request was answered"),
        (printed(duration_us=900_000), "wrk ran longer or shorter than asked: the host stalled (1.60 s off)"),
        (printed(duration_us=2_600_000), "wrk ran longer or shorter than asked: the host stalled (0.60 s off)"),
        (printed(wall_us=7_310_000), "wrk ran longer or shorter than asked: the host stalled (5.31 s off)"),
    ],
)
def test_an_invalid_sample_is_kept_with_its_reason_and_taken_anew_at_the_end_of_its_block(
    entries: list[Entry], settings: Settings, output: str, told: str
) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: output if number == 2 else None
    run_planned(host, entries, settings, kept)
    (invalid,) = (sample for sample in kept.samples if sample.verdict.severity == INVALID)
    assert told in judge.reason(invalid)
    assert kept[10] == _good_samples(kept)[invalid.trial]
    assert kept[10].attempt == 2
    assert _good_samples(kept).keys() == {t for visit in planned(entries) for t in visit.trials}


def test_a_suspect_sample_is_taken_anew_once_and_counts_where_it_stays_suspect(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    doomed = planned(entries)[0].trials[0]
    # The first of its visit, after the warm-up; and again, alone, after 20 loads of the two visits of its block.
    host.on_load = lambda entry, number: printed(stolen_us=500_000) if number in (2, 18) else None
    run_planned(host, entries, settings, kept)
    suspects = [sample for sample in kept.samples if sample.verdict.severity == SUSPECT]
    assert [(sample.trial, sample.attempt) for sample in suspects] == [(doomed, 1), (doomed, 2)]
    assert judge.reason(suspects[0]) == "the hypervisor took CPU time away (10.9%)"
    assert len(kept) == 21


def _good_samples(kept: Kept) -> dict[Trial, Sample]:
    return {sample.trial: sample for sample in kept.samples if sample.verdict.severity == GOOD}


def test_what_wrk_did_not_finish_fails_that_trial_only(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: "unable to connect" if number == 2 else None
    run_planned(host, entries, settings, kept)
    assert len(kept.failures) == 1
    assert "unable to connect" in kept.failures[0].reason


def test_what_wrk_says_when_it_fails_is_the_reason(entries: list[Entry], settings: Settings) -> None:
    class Refusing(FakeHost):
        def execute(self, service: str, command: list[str]) -> Executed:
            left = super().execute(service, command)
            refused = "/wrk/load.py" in command and len(self.loads) == 2
            return Executed(1, "", "unable to connect to tfb-server:8080\n") if refused else left

    kept = Kept()
    run_planned(Refusing(), entries, settings, kept)
    assert [failure.reason for failure in kept.failures] == [
        "wrk ended with exit code 1: unable to connect to tfb-server:8080"
    ]
    assert len(kept.samples) == 20


def test_a_trial_that_is_invalid_three_times_is_missing_and_the_rest_goes_on(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    doomed = planned(entries)[0].trials[0]
    host.on_load = lambda entry, number: printed(requests=0) if number in (2, 18, 20) else None
    run_planned(host, entries, settings, kept)
    invalid = [sample for sample in kept.samples if sample.verdict.severity == INVALID]
    assert [(sample.trial, sample.attempt) for sample in invalid] == [(doomed, n) for n in (1, 2, 3)]
    assert len(_good_samples(kept)) == 19


def test_a_retry_is_a_visit_of_its_own_with_start_verification_and_warm_up(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: printed(requests=0) if number == 2 else None
    run_planned(host, entries, settings, kept)
    first = planned(entries)[0]
    starts = [step for step in host.done if step == f"start {first.entry}"]
    assert len(starts) == 3
    assert host.jobs[16]["warm_up_s"] == [1, 1]
    assert host.jobs[17]["check"]["path"] == host.jobs[1]["check"]["path"]


def test_a_wrong_answer_under_load_makes_the_sample_invalid_and_is_quoted(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    body = base64.b64encode(b"busy").decode()
    wrong = host.answer("/json") | {"body": body}
    told = f"Running\n{MARK}{json.dumps(REPORT)}\n{seen(answers=[wrong])}"
    host.on_load = lambda entry, number: told if number == 2 else None
    run_planned(host, entries, settings, kept)
    (invalid,) = (sample for sample in kept.samples if sample.verdict.severity == INVALID)
    assert "wrong answers under load (1)" in judge.reason(invalid)
    assert "'busy'" in judge.reason(invalid)


# In the second of four seconds nothing came.
STALLED = ((0, 0), (1_000_000, 75_000), (2_000_000, 75_000), (3_000_000, 150_000), (4_000_000, 225_000))


def test_the_samples_of_an_entry_that_stalls_are_its_first_ones(entries: list[Entry], settings: Settings) -> None:
    """Taken anew until it does not, it would seem to be faster than it is."""
    host, kept = FakeHost(), Kept()
    report = f"{MARK}{json.dumps(REPORT)}\n"
    host.on_load = lambda entry, number: f"{report}{seen(received=STALLED)}" if entry == "aiohttp" else None
    run_planned(host, entries, settings, kept)
    counting = Run(make_manifest(), tuple(kept.samples), ()).samples
    assert {sample.attempt for sample in kept.samples} == {sample.attempt for sample in counting} == {1}
    assert len(kept) == len(counting) == 20
    stalled = [sample for sample in counting if "stall" in sample.verdict.broken]
    assert {sample.trial.entry for sample in stalled} == {"aiohttp"}
    assert {sample.verdict.severity for sample in stalled} == {GOOD}


@pytest.mark.parametrize(
    ("lines_per_s", "broken", "attempts"), [(8000.0, {"heavy logging"}, {1}), (3.0, {"background CPU"}, {1, 2})]
)
def test_a_sample_beside_a_busy_engine_is_taken_anew_but_for_an_entry_whose_log_keeps_it_busy(
    entries: list[Entry], settings: Settings, lines_per_s: float, broken: set[str], attempts: set[int]
) -> None:
    host, kept = FakeHost(), Kept()
    host.chatter = lines_per_s
    report = f"{MARK}{json.dumps(REPORT)}\n"
    host.on_load = lambda entry, number: f"{report}{seen(busy_us=4_000_000)}" if number in (2, 18) else None
    run_planned(host, entries, settings, kept)
    found = [sample for sample in kept.samples if sample.verdict.broken]
    assert {name for sample in found for name in sample.verdict.broken} == broken
    assert {sample.attempt for sample in kept.samples} == attempts
    # It is asked only where something was busy.
    assert len([done for done in host.done if done.startswith("log ")]) == len(found)


@pytest.mark.parametrize("set_us", [3_600_000_000, -3_600_000_000, -1_500_000])
def test_a_clock_that_is_set_under_a_load_costs_no_sample_and_is_told(
    entries: list[Entry], settings: Settings, set_us: int
) -> None:
    host, kept = FakeHost(), Kept()
    told = f"{MARK}{json.dumps(REPORT | {'duration_us': 2_010_000 + set_us})}\n{seen(clock_set_us=set_us)}"
    host.on_load = lambda entry, number: told if number == 2 else None
    run_planned(host, entries, settings, kept)
    assert len(kept) == 20
    (sample,) = (sample for sample in kept.samples if sample.verdict.broken)
    assert (sample.verdict.severity, sample.verdict.broken) == (GOOD, {"clock set": abs(set_us) / 1e6})
    assert sample.load.duration_us == 2_010_000
    assert judge.reason(sample).startswith("the clock was set")
