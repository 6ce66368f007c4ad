"""What the instrument takes for itself, from slices whose times and counters are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchlab.records.counters import Counters
from benchlab.records.run import Run
from benchlab.selftest import costs
from benchlab.selftest.check import Check, Overhead

from . import made_rounds
from .conftest import make_counters


def _run(counters: Counters | None = None) -> Run:
    run = made_rounds.run(np.zeros((2, 2, 2, 3)))
    return replace(run, taken=tuple(replace(sample, counters=counters or make_counters()) for sample in run.taken))


def _found(run: Run, name: str, used: Overhead | None = None) -> Check:
    (found,) = (check for check in costs.checks(run, used) if check.name.startswith(name))
    return found


def test_what_a_slice_takes_beside_its_load_is_told_of_every_slice_but_the_first_of_a_block() -> None:
    found = _found(_run(), "time of a slice")
    goal = "median ≤ 60 ms and the 0 ms until all is answered"
    assert found == Check("time of a slice beside its load: json", "50 ms of 22 slices", goal, True)


def test_a_slice_may_wait_until_its_server_has_answered_what_was_in_flight() -> None:
    # 16 connections at 80 requests a second: each waits for 0.2 s.
    run = made_rounds.run(np.zeros((1, 2, 2, 3)), rate=80.0)
    later = tuple(
        replace(sample, load=replace(sample.load, wall_us=sample.load.wall_us + 200_000 * place))
        for place, sample in enumerate(run.taken)
    )
    found = _found(replace(run, taken=later), "time of a slice")
    assert (found.measured, found.passed) == ("135 ms of 10 slices", True)
    assert found.goal.endswith("the 200 ms until all is answered")


def test_slices_that_take_longer_fail_and_a_few_of_them_change_nothing() -> None:
    run = _run()
    late = run.taken[3:6]
    slow = [replace(sample, load=replace(sample.load, wall_us=sample.load.wall_us + 20_000)) for sample in late]
    assert _found(replace(run, taken=(*run.taken[:3], *slow, *run.taken[6:])), "time of a slice").passed is True
    # Each is 20 ms later than the one before it.
    later = tuple(
        replace(sample, load=replace(sample.load, wall_us=sample.load.wall_us + 20_000 * place))
        for place, sample in enumerate(run.taken)
    )
    assert _found(replace(run, taken=later), "time of a slice").measured.startswith("70 ms")
    assert _found(replace(run, taken=later), "time of a slice").passed is False


@pytest.mark.parametrize(
    ("used", "measured", "passed"),
    [
        (Overhead(0.004, 0.006), "1.00% of a core: lab.py 0.40%, engine 0.60%", True),
        (Overhead(0.004, 0.007), "1.10% of a core: lab.py 0.40%, engine 0.70%", False),
        (Overhead(0.01, None), "1.00% of a core: lab.py 1.00%, engine unavailable", None),
        (Overhead(0.011, None), "1.10% of a core: lab.py 1.10%, engine unavailable", False),
    ],
)
def test_lab_and_engine_together_may_take_a_hundredth_of_a_core(
    used: Overhead, measured: str, passed: bool | None
) -> None:
    found = _found(_run(), "CPU of lab.py", used)
    assert found == Check("CPU of lab.py and engine while rounds go on", measured, "≤ 1%", passed)


@pytest.mark.parametrize(
    ("idle_us", "measured", "passed"),
    [(10_500, "1.00% of a core", True), (21_000, "2.00% of a core", False), (None, "unavailable", None)],
)
def test_idle_entries_together_may_take_a_hundredth_of_a_core(
    idle_us: int | None, measured: str, passed: bool | None
) -> None:
    found = _found(_run(replace(make_counters(), idle_entries_cpu_us=idle_us)), "CPU of idle entries")
    assert (found.measured, found.passed) == (measured, passed)


def test_what_runs_outside_the_containers_is_for_information_and_unavailable_where_the_host_does_not_tell() -> None:
    counters = make_counters()
    # 900,000 us busy and 80,000 us of interrupts, less 950,000 us of the containers, in 1,050,000 us.
    assert _found(_run(counters), "CPU outside").measured == "2.86% of a core"
    for blind in (
        replace(counters, roles={}),
        replace(counters, host=replace(counters.host, busy_us=None)),
        replace(counters, host=replace(counters.host, interrupts_us=None)),
    ):
        assert _found(_run(blind), "CPU outside").measured == "unavailable"
