"""Slices against long samples and plain wrk: when the ratio of rates is near enough to 1, when not, and when open."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.selftest import bias
from benchlab.selftest.bias import LONG, PLAIN, SLICES
from benchlab.selftest.check import Check

from .made_runs import NOISE, OTHER_NOISE


@pytest.mark.parametrize(
    ("shift", "noise", "short", "full"),
    [
        pytest.param(0.0, 0.5, True, True, id="inside"),
        pytest.param(0.03, 0.5, False, False, id="above"),
        pytest.param(-0.03, 0.5, False, False, id="below"),
        pytest.param(0.012, 0.5, None, False, id="perhaps above"),
        pytest.param(0.0, 5.0, None, False, id="too wide to tell"),
    ],
)
def test_the_whole_90_percent_interval_is_within_1_percent_and_too_few_rounds_fail_the_full_version_only(
    shift: float, noise: float, short: bool | None, full: bool
) -> None:
    slices, others = shift + noise * NOISE, noise * OTHER_NOISE
    differences = slices - others
    low, high = np.exp(reference.t.interval(0.90, 4, differences.mean(), reference.sem(differences)))
    rates = {SLICES: np.exp(slices).tolist(), LONG: np.exp(others).tolist(), PLAIN: np.exp(others).tolist()}
    measured = f"{math.exp(differences.mean()):.3f} [{low:.3f}–{high:.3f}], 5 rounds"
    for is_full, passed in ((False, short), (True, full)):
        assert list(bias.checks({"json": rates}, is_full)) == [
            Check(f"bias: json, slices against {other}", measured, "90% interval within ± 1%", passed)
            for other in ("a long sample", "plain wrk")
        ]


@pytest.mark.parametrize("rounds", [0, 1])
def test_the_bias_of_too_few_rounds_is_not_told(rounds: int) -> None:
    rates = {way: [1.0] * rounds for way in bias.WAYS}
    for is_full, passed in ((False, None), (True, False)):
        found = bias.checks({"json": rates}, is_full)
        assert {(check.measured, check.passed) for check in found} == {("too few rounds", passed)}
