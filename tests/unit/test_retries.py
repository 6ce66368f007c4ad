"""Samples that do not count, and trials that failed in passing: what is kept of them, and when they are taken anew."""

from __future__ import annotations

import base64
import json

import pytest

from benchlab.core.measured import GOOD, INVALID, SUSPECT, Sample
from benchlab.core.model import Entry, Settings, Trial
from benchlab.machine.engine import Executed
from benchlab.measuring.wrk import MARK
from benchlab.verdicts import judge

from .conftest import Kept, planned, run_planned
from .fake_host import REPORT, FakeHost, printed, seen


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            printed(errors={"connect": 0, "read": 0, "write": 0, "status": 12, "timeout": 1}),
            "answers above 399, or connections that failed (12); 12 answers above 399, 1 time-out",
        ),
        (printed(requests=0), "no request was answered"),
        (printed(duration_us=900_000), "wrk did not run as long as it was told: the host stalled (1.60 s off)"),
        (printed(duration_us=2_600_000), "wrk did not run as long as it was told: the host stalled (0.60 s off)"),
        (printed(wall_us=7_310_000), "wrk did not run as long as it was told: the host stalled (5.31 s off)"),
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
    lives = [step for step in host.done if step == f"start {first.entry}"]
    assert len(lives) == 3
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
