"""Trueness: rates of slices against that of a server which answers each connection every 10 ms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchlab.records.run import Run
from benchlab.selftest import known_rate
from benchlab.selftest.check import Check

from . import made_rounds
from .made_runs import NOISE


def _run(off: float, noise: float = 0.1) -> Run:
    """Return a run at 16 connections whose rates are so far off 1,600 requests a second."""
    return made_rounds.run(off + noise * NOISE.reshape(1, 1, 1, 5), rate=1600.0)


@pytest.mark.parametrize(
    ("off", "noise", "passed"),
    [
        pytest.param(0.0, 0.1, True, id="true"),
        pytest.param(0.005, 0.1, True, id="near enough"),
        pytest.param(0.02, 0.1, False, id="too high"),
        pytest.param(-0.02, 0.1, False, id="too low"),
        pytest.param(0.0, 5.0, False, id="too wide to tell"),
    ],
)
def test_the_whole_interval_over_slices_is_within_1_percent(off: float, noise: float, passed: bool) -> None:
    complete, found = known_rate.checks(_run(off, noise))
    assert complete == Check("slices of the entry of known rate that count", "5 of 5", "all", True)
    assert (found.name, found.goal, found.passed) == ("trueness: 1,600 requests/s", "within ± 1%", passed)
    told = float(found.measured.partition(" ")[0])
    # A slice of 0.3 s has 480 requests: whole ones.
    assert told == pytest.approx(math.exp(off), abs=0.0015)


def test_one_slice_has_no_interval() -> None:
    *_, found = known_rate.checks(made_rounds.run(np.full((1, 1, 1, 1), -8.0)))
    assert (found.measured, found.passed) == ("too few slices", False)
