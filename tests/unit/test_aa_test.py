"""The A/A test: how often equal entries are declared different, and the smallest difference that would be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.experiment import forecast
from benchlab.records.plan import Manifest
from benchlab.records.run import GOOD, INVALID, SUSPECT, Failure, Sample
from benchlab.selftest import aa_test, check
from benchlab.selftest.check import Check
from benchlab.statistics.sequential import smallest_effect

from .conftest import STARTED, long_samples, make_sample, make_trial
from .made_runs import NOISE, OTHER_NOISE, run_of, samples_of
from .values import Array

FIGURES = ("requests/s", "requests/CPU-s")


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    return replace(manifest, settings=long_samples())


def _spread_exactly(stdev: float) -> dict[str, Array]:
    """Return the logarithms of two entries whose log-ratio has this standard deviation over five blocks."""
    return {"a": NOISE / NOISE.std(ddof=1) * stdev, "b": np.zeros(5)}


def _blind(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return the samples as of a host that tells nothing of its containers."""
    return tuple(replace(sample, counters=replace(sample.counters, roles={})) for sample in samples)


def test_equal_entries_that_are_not_declared_different_pass_in_both_figures(manifest: Manifest) -> None:
    run = run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1]}))
    assert aa_test.false_positives(run) == [
        Check(f"A/A: {what}, {figure} over all levels", counted, f"≤ {limit}, the binomial limit", True)
        for figure in FIGURES
        for what, counted, limit in (
            ("pairs declared different at 5 %", "0 of 3", 1),
            ("comparisons with a false positive after Holm", "0 of 1", 0),
        )
    ]


def test_equal_entries_that_are_declared_different_are_counted_at_each_level_and_over_all_of_them(
    manifest: Manifest,
) -> None:
    apart = samples_of({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1] + 0.1})
    alike = samples_of({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1]}, connections=32)
    assert aa_test.false_positives(run_of(manifest, *apart, *alike)) == [
        Check(f"A/A: {what}, {figure} {where}", counted, f"≤ {limit}, the binomial limit", passed)
        for figure in FIGURES
        for what, where, counted, limit, passed in (
            ("pairs declared different at 5 %", "at single levels", "2 of 6", 1, False),
            ("comparisons with a false positive after Holm", "at single levels", "1 of 2", 1, True),
            ("pairs declared different at 5 %", "over all levels", "2 of 3", 1, False),
            ("comparisons with a false positive after Holm", "over all levels", "1 of 1", 0, False),
        )
    ]


def test_a_figure_that_the_host_does_not_tell_has_no_false_positives_to_count(manifest: Manifest) -> None:
    run = run_of(manifest, *_blind(samples_of({"a": NOISE, "b": OTHER_NOISE})))
    assert aa_test.false_positives(run)[-1] == Check("A/A: requests/CPU-s", "unavailable", "", None)


def test_where_nothing_can_be_counted_nothing_is_passed(manifest: Manifest) -> None:
    alone = run_of(manifest, *samples_of({"a": NOISE}))
    assert {(found.measured, found.passed) for found in aa_test.false_positives(alone)} == {("nothing to count", False)}


@pytest.mark.parametrize(("pairs", "limit"), [(20, 3), (60, 6), (100, 9)])
def test_the_binomial_limit_is_what_chance_exceeds_in_less_than_5_percent(
    manifest: Manifest, pairs: int, limit: int
) -> None:
    levels = (samples_of({"a": NOISE, "b": OTHER_NOISE}, connections=2 * number) for number in range(1, pairs + 1))
    first, *_ = aa_test.false_positives(run_of(manifest, *(sample for level in levels for sample in level)))
    assert (first.measured, first.goal) == (f"0 of {pairs}", f"≤ {limit}, the binomial limit")
    assert reference.binom.sf(limit, pairs, 0.05) <= 0.05 < reference.binom.sf(limit - 1, pairs, 0.05)


@pytest.mark.parametrize(
    ("flagged", "measured", "passed"),
    [([], "0 of 50 (0.0%)", True), ([SUSPECT], "1 of 50 (2.0%)", True), ([SUSPECT, INVALID], "2 of 50 (4.0%)", False)],
)
def test_clean_samples_that_are_flagged_are_counted(
    manifest: Manifest, flagged: list[str], measured: str, passed: bool
) -> None:
    severities = [*flagged, *[GOOD] * (50 - len(flagged))]
    taken = [make_sample(make_trial(block), severity=severity) for block, severity in enumerate(severities, start=1)]
    expected = Check("clean samples that are flagged", measured, "≤ 2%", passed)
    assert aa_test.calm(run_of(manifest, *taken)) == expected


# docs/method.md, section 9.1: the smallest effect in standard deviations of the log-ratio.
@pytest.mark.parametrize(
    ("block_s", "count", "factor"), [(120, 5, 1.68), (100, 6, 1.43), (75, 8, 1.16), (60, 10, 1.00), (30, 20, 0.66)]
)
def test_the_smallest_effect_is_the_method_s_for_the_blocks_of_ten_minutes(
    manifest: Manifest, block_s: float, count: int, factor: float
) -> None:
    found = aa_test.smallest_effects(run_of(manifest, *samples_of(_spread_exactly(0.02))), {"json": block_s})
    effect = smallest_effect(0.02, count)
    assert math.log1p(effect) == pytest.approx(factor * 0.02, abs=0.005 * 0.02)
    assert found == [
        Check(
            f"smallest effect: json, {figure} of 2-s samples",
            f"{effect:.1%} in {count} blocks (10 min), spread 2.0%",
            "≤ 3%",
            factor * 0.02 < math.log1p(0.03),
        )
        for figure in FIGURES
    ]


def test_the_smallest_effect_follows_from_the_spread_of_all_pairs_together(manifest: Manifest) -> None:
    logs = {"a": 3 * NOISE, "b": 2 * OTHER_NOISE, "c": NOISE[::-1]}
    spreads = [(logs[one] - logs[other]).std(ddof=1) for one, other in ("ab", "ac", "bc")]
    spread = math.sqrt(np.mean(np.square(spreads)))
    first, *_ = aa_test.smallest_effects(run_of(manifest, *samples_of(logs)), {"json": 60})
    assert first.measured == f"{smallest_effect(spread, 10):.1%} in 10 blocks (10 min), spread {spread:.1%}"


def test_each_test_has_its_smallest_effect_by_its_own_time(manifest: Manifest) -> None:
    samples = (*samples_of(_spread_exactly(0.02)), *samples_of(_spread_exactly(0.01), test="plaintext"))
    json, _, plaintext, _ = aa_test.smallest_effects(run_of(manifest, *samples), {"json": 120, "plaintext": 60})
    assert json.measured.endswith(" in 5 blocks (10 min), spread 2.0%")
    assert plaintext.measured.endswith(" in 10 blocks (10 min), spread 1.0%")


@pytest.mark.parametrize(
    ("count", "block_s", "measured", "passed"),
    [
        pytest.param(1, 60, "unavailable", None, id="no spread is known"),
        pytest.param(5, 301, "1 block (10 min) can show no difference", False, id="ten minutes are too short"),
    ],
)
def test_there_is_no_smallest_effect_of_less_than_two_blocks(
    manifest: Manifest, count: int, block_s: float, measured: str, passed: bool | None
) -> None:
    logs = {entry: of_blocks[:count] for entry, of_blocks in _spread_exactly(0.02).items()}
    found = aa_test.smallest_effects(run_of(manifest, *samples_of(logs)), {"json": block_s})
    assert {(each.measured, each.passed) for each in found} == {(measured, passed)}


def test_a_test_without_a_sample_that_counts_fails_by_name(manifest: Manifest) -> None:
    lost = make_sample(make_trial(1, "a", "plaintext"), severity=INVALID)
    run = run_of(manifest, *samples_of(_spread_exactly(0.02)), lost)
    *_, last = aa_test.smallest_effects(run, {"json": 60, "plaintext": 60})
    name = "smallest effect: plaintext, requests/CPU-s of 2-s samples"
    assert last == Check(name, "no sample that counts", "≤ 3%", False)


@pytest.mark.parametrize(
    ("severity", "measured", "passed"),
    [(GOOD, "10 of 10", True), (SUSPECT, "10 of 10", True), (INVALID, "9 of 10", False)],
)
def test_what_was_not_measured_was_not_tested(manifest: Manifest, severity: str, measured: str, passed: bool) -> None:
    *others, last = samples_of({"a": NOISE, "b": OTHER_NOISE})
    run = run_of(manifest, *others, replace(last, verdict=make_sample(severity=severity).verdict))
    assert check.complete("x", run) == Check("samples of x that count", measured, "all", passed)


def test_what_was_never_tried_and_what_failed_were_not_tested_either(manifest: Manifest) -> None:
    *others, _ = samples_of({"a": NOISE, "b": OTHER_NOISE})
    cut = run_of(manifest, *others)
    failed = replace(cut, failures=(Failure(make_trial(5, "b"), STARTED, "it died"),))
    assert [check.complete("x", run).measured for run in (cut, failed)] == ["9 of 10"] * 2


def test_a_run_of_equal_entries_has_a_row_of_each_kind_for_each_figure(manifest: Manifest) -> None:
    run = run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE}))
    names = [found.name for found in aa_test.checks(run)]
    assert names[0] == "samples of equal entries that count"
    for kind in ("A/A: pairs", "A/A: comparisons", "smallest effect: json", "standard deviation between: json"):
        of_kind = [name for name in names if name.startswith(kind)]
        assert [figure for figure in FIGURES for name in of_kind if figure in name] == [*FIGURES]
    # Two lifetimes of one sample each, of 2 s and 0.4 s around it; the run took no longer than they must.
    blocks = int(600 / (2 * (forecast.VISIT_S + 2.4)))
    assert f"in {blocks} blocks (10 min)" in next(
        found.measured for found in aa_test.checks(run) if found.name.startswith("smallest effect")
    )


def test_names_that_are_permuted_inside_blocks_declare_equal_entries_different_at_the_nominal_rate(
    manifest: Manifest,
) -> None:
    noise = np.random.default_rng(16).normal(0, 0.03, (5, 8))
    equal = dict(zip("abcde", noise, strict=True))
    (found,) = aa_test.permuted(run_of(manifest, *samples_of(equal)))
    assert found.name == "A/A, names permuted: json, pairs declared different at 5 %, requests/s over all levels"
    assert (found.measured.partition("% of ")[2], found.goal, found.passed) == ("20,000", "5% ± 2%", True)
    (few,) = aa_test.permuted(run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE})))
    assert (few.goal, few.passed) == ("for information: few blocks or entries", None)
