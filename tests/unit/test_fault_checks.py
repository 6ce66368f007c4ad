"""Whether an injected fault counts as caught, from what was flagged of slices; and what may be flagged beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchlab.records.plan import Trial
from benchlab.records.run import INVALID, SUSPECT, Failure, Run, Verdict
from benchlab.selftest import faults
from benchlab.selftest.check import Check

from . import made_rounds
from .conftest import STARTED

SOUND = "sound"
NAMES = (SOUND, *map(faults.entry, faults.INJECTED))


def _run(**broken: tuple[str, ...]) -> Run:
    """Return a run of the sound entry and those with a fault, in which the first slices of entries broke rules."""
    run = made_rounds.run(np.zeros((1, len(NAMES), 1, 4)), names=NAMES)
    first = {name: Verdict(INVALID, dict.fromkeys(rules, 2.0)) for name, rules in broken.items()}
    taken = [
        replace(sample, verdict=first[sample.trial.entry])
        if sample.trial.repeat == 1 and sample.trial.entry in first
        else sample
        for sample in run.taken
    ]
    return replace(run, taken=tuple(taken))


def _found(run: Run, name: str) -> Check:
    (found,) = (check for check in faults.injected(run, SOUND) if check.name == name)
    return found


@pytest.mark.parametrize(
    ("broken", "measured", "passed"),
    [
        (("errors",), "errors (1) of 4 slices", True),
        (("steal", "errors"), "steal (1), errors (1) of 4 slices", True),
        (("steal",), "steal (1) of 4 slices", False),
        ((), "nothing was flagged of 4 slices", False),
    ],
)
def test_a_fault_is_caught_by_one_of_its_own_rules(broken: tuple[str, ...], measured: str, passed: bool) -> None:
    run = _run(**{"fault-500": broken} if broken else {})
    assert _found(run, "fault: 500") == Check("fault: 500", measured, "errors", passed)


def test_a_fault_that_costs_the_entry_its_slices_is_caught() -> None:
    run = _run()
    trial: Trial = next(sample.trial for sample in run.taken if sample.trial.entry == "fault-memory")
    lost = Failure(trial, STARTED, "under load, fault-memory ended (out of memory); its log: logs/x")
    found = _found(replace(run, failures=(lost,)), "fault: memory")
    assert found.measured == "nothing was flagged of 4 slices; under load, fault-memory ended (out of memory)"
    assert found.passed is True


@pytest.mark.parametrize(
    ("broken", "passed"),
    [((), True), (("background CPU", "idle entries"), True), (("wrong answers",), False)],
)
def test_of_the_sound_entry_only_what_takes_its_cpu_is_flagged(broken: tuple[str, ...], passed: bool) -> None:
    run = _run(**{SOUND: broken} if broken else {})
    *_, found = faults.injected(run, SOUND)
    assert (found.name, found.passed) == ("flagged of the sound entry beside them", passed)
    assert [check.passed for check in faults.injected(replace(run, taken=()), SOUND)] == [False] * len(NAMES)


def test_a_trouble_of_the_host_is_looked_for_in_the_sound_entry() -> None:
    run = made_rounds.run(np.zeros((1, 1, 1, 4)), names=(SOUND,))
    throttled = replace(run.taken[2], verdict=Verdict(SUSPECT, {"throttled": 3.0}))
    assert faults.trouble(faults.STARVED, run, SOUND).passed is False
    found = faults.trouble(faults.STARVED, replace(run, taken=(*run.taken[:2], throttled, run.taken[3])), SOUND)
    assert found == Check("fault: starved wrk", "throttled (1) of 4 slices", "throttled or client-bound", True)
