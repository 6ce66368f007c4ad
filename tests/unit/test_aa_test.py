"""The A/A test: how often equal entries are declared different, and whether one of them is favoured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.records.run import INVALID, SUSPECT, Failure, Run, Verdict
from benchlab.selftest import aa_test, check
from benchlab.selftest.check import Check

from . import made_rounds
from .conftest import STARTED
from .made_runs import NOISE, OTHER_NOISE
from .values import Array, plausible

METRICS = ("requests/s", "requests/CPU-s")
GOAL = "5% or less lies in the interval; pairs share entries"
ALIKE = (NOISE, OTHER_NOISE, NOISE[::-1])
APART = (NOISE, OTHER_NOISE, NOISE[::-1] + 0.1)


def _run(*levels: tuple[Array, ...]) -> Run:
    """Return a run of entries whose blocks have these logarithms, at each level."""
    return made_rounds.run(np.array(levels)[..., None])


def _blind(run: Run) -> Run:
    """Return the run as of a host that tells nothing of its containers."""
    taken = (replace(sample, counters=replace(sample.counters, roles={})) for sample in run.taken)
    return replace(run, taken=tuple(taken))


def test_equal_entries_that_are_not_declared_different_pass_in_both_metrics() -> None:
    assert aa_test.false_positives(_run(ALIKE)) == [
        Check(f"A/A: {what}, {metric} over all levels", counted, GOAL, True)
        for metric in METRICS
        for what, counted in (
            ("pairs declared different at 5 %", "0 of 3: 0% [0%–71%]"),
            ("comparisons with a false positive after Holm", "0 of 1: 0% [0%–98%]"),
        )
    ]


def test_equal_entries_that_are_declared_different_are_counted_at_each_level_and_over_all_of_them() -> None:
    assert [(found.name, found.measured, found.passed) for found in aa_test.false_positives(_run(APART, ALIKE))] == [
        (f"A/A: {what}, {metric} {where}", counted, passed)
        for metric in METRICS
        for what, where, counted, passed in (
            ("pairs declared different at 5 %", "at single levels", "2 of 6: 33% [4%–78%]", True),
            ("comparisons with a false positive after Holm", "at single levels", "1 of 2: 50% [1%–99%]", True),
            ("pairs declared different at 5 %", "over all levels", "2 of 3: 67% [9%–99%]", False),
            ("comparisons with a false positive after Holm", "over all levels", "1 of 1: 100% [2%–100%]", True),
        )
    ]


def test_the_rate_of_false_positives_has_the_interval_of_clopper_and_pearson() -> None:
    first, *_ = aa_test.false_positives(_run(APART, APART, APART, ALIKE))
    assert first.measured.startswith("6 of 12: 50% ")
    low, high = reference.binomtest(6, 12).proportion_ci(0.95, method="exact")
    assert first.measured.endswith(f"[{low:.0%}–{high:.0%}]")


def test_a_metric_that_the_host_does_not_tell_has_no_false_positives_to_count() -> None:
    blind = _blind(_run(ALIKE))
    assert aa_test.false_positives(blind)[-1] == Check("A/A: requests/CPU-s", "unavailable", "", None)
    *_, favoured = aa_test.favoured(blind)
    assert (favoured.measured, favoured.passed) == ("unavailable", None)


def test_where_nothing_can_be_counted_nothing_is_passed() -> None:
    found = aa_test.false_positives(_run((NOISE,)))
    assert {(each.measured, each.passed) for each in found} == {("nothing to count", False)}


def test_an_entry_that_is_favoured_in_all_tests_is_found_by_the_f_test_of_entries_and_blocks() -> None:
    (found, _) = aa_test.favoured(_run(APART, APART))
    assert found.name == "A/A: bias, fastest to slowest entry, requests/s over all tests"
    assert (found.measured, found.passed) == ("10.52%, p = 0.00, 5 blocks", False)
    noise = np.random.default_rng(2).normal(0, 0.03, (4, 6)) + np.random.default_rng(3).normal(0, 0.3, 6)
    (found, _) = aa_test.favoured(_run(tuple(noise)))
    # The F test of a two-way layout: what a block has in common is taken off first.
    apart = noise - noise.mean(axis=0)
    between = 6 * (apart.mean(axis=1) ** 2).sum() / 3
    within = ((apart - apart.mean(axis=1, keepdims=True)) ** 2).sum() / 15
    assert f", p = {reference.f.sf(between / within, 3, 15):.2f}, 6 blocks" in found.measured
    assert found.passed is True


def test_equal_entries_are_called_favoured_in_5_of_100_runs() -> None:
    chance = np.random.default_rng(4)
    runs = [_run(tuple(chance.normal(0, 0.03, (4, 5)))) for _ in range(100)]
    assert sum(next(iter(aa_test.favoured(run))).passed is False for run in runs) in plausible(100, 0.05)


@pytest.mark.parametrize(
    ("flagged", "measured", "passed"),
    [([], "0 of 50 (0.0%)", True), ([SUSPECT], "1 of 50 (2.0%)", True), ([SUSPECT, INVALID], "2 of 50 (4.0%)", False)],
)
def test_slices_without_a_fault_that_are_flagged_are_counted(flagged: list[str], measured: str, passed: bool) -> None:
    run = made_rounds.run(np.zeros((1, 2, 5, 5)))
    bad = [
        replace(sample, verdict=Verdict(severity, {"steal": 0.1}))
        for sample, severity in zip(run.taken, flagged, strict=False)
    ]
    expected = Check("slices without a fault that are flagged", measured, "≤ 2%", passed)
    assert aa_test.calm(replace(run, taken=(*bad, *run.taken[len(bad) :]))) == expected


def test_what_was_not_measured_was_not_tested() -> None:
    run = made_rounds.run(np.zeros((2, 2, 3, 4)))
    whole = check.complete("x", run)
    assert whole == Check("slices of x that count", "48 of 48", "all", True)
    last = run.taken[-1]
    invalid = replace(last, verdict=Verdict(INVALID, {"errors": 1.0}))
    lost = Failure(last.trial, STARTED, "it died")
    cut = replace(run, taken=run.taken[:-1])
    for other in (cut, replace(cut, failures=(lost,)), replace(run, taken=(*run.taken[:-1], invalid))):
        assert check.complete("x", other) == Check("slices of x that count", "47 of 48", "all", False)
    # Another round in its place counts as well, and one more than was asked for makes up for no other.
    again = replace(last, trial=replace(last.trial, repeat=5))
    assert check.complete("x", replace(cut, taken=(*cut.taken, again))).passed is True
    first = run.taken[0]
    more = replace(first, trial=replace(first.trial, repeat=5))
    assert check.complete("x", replace(cut, taken=(*cut.taken, more))).measured == "47 of 48"


def test_names_that_are_permuted_inside_blocks_declare_equal_entries_different_at_the_nominal_rate() -> None:
    noise = np.random.default_rng(16).normal(0, 0.03, (5, 8))
    (found,) = aa_test.permuted(_run(tuple(noise)))
    assert found.name == "A/A, names permuted: json, pairs declared different at 5 %, requests/s over all levels"
    assert (found.measured.partition("] of ")[2], found.goal, found.passed) == ("20,000", "5% ± 2%", True)
    for few in ((NOISE, OTHER_NOISE), tuple(noise[:4, :5])):
        (found,) = aa_test.permuted(_run(few))
        assert (found.goal, found.passed) == ("for information: few blocks or entries", None)
