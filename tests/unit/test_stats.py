from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference
from statsmodels.stats.weightstats import ttost_paired

from benchlab.statistics.pooling import Blocks, Cells
from benchlab.statistics.stats import Estimate, Ratio, contrasts, estimate, kept, ratio, ratios, ratios_at, unpaired

from .values import at, blocks, cells, known, numbered, plausible

A: Blocks = {1: 1010.0, 2: 1043.0, 3: 987.0, 4: 1102.0, 5: 995.0}
B: Blocks = {1: 960.0, 2: 1001.0, 3: 970.0, 4: 1031.0, 5: 981.0}
UNTESTED: dict[str, float | None] = dict.fromkeys(["low", "high", "p", "equivalence_p", "stdev", "low_90", "high_90"])

# Whole numbers, as far apart as servers are: their ratios are equal, or differ by far more than rounding.
figures = st.dictionaries(st.integers(1, 8), st.integers(1, 10_000).map(float), max_size=8)


def _logs(values: Blocks) -> list[float]:
    return [math.log(value) for value in values.values()]


def _figures(found: Ratio) -> dict[str, Any]:
    """Return all of a ratio but the levels that it is over, and what it goes through."""
    return {name: value for name, value in asdict(found).items() if name not in ("over", "through")}


def test_a_mean_is_geometric_and_its_interval_is_students_on_logarithms() -> None:
    logs = _logs(A)
    low, high = reference.t.interval(0.95, len(A) - 1, loc=np.mean(logs), scale=reference.sem(logs))
    expected = Estimate(float(reference.gmean(list(A.values()))), math.exp(low), math.exp(high), 1010, 987, 1102, 5)
    assert asdict(known(estimate(A))) == pytest.approx(asdict(expected))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({3: 0.1}, Estimate(0.1, None, None, 0.1, 0.1, 0.1, 1)),
        ({1: 0.1, 2: 0.1, 3: 0.1}, Estimate(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 3)),
        (dict.fromkeys(range(7), 1234.567), Estimate(1234.567, 1234.567, 1234.567, 1234.567, 1234.567, 1234.567, 7)),
    ],
)
def test_an_estimate_without_spread_is_exact(values: Blocks, expected: Estimate | None) -> None:
    assert estimate(values) == expected


@given(st.dictionaries(st.integers(1, 8), st.floats(1e-3, 1e9), min_size=2))
def test_the_figures_of_an_estimate_never_contradict_each_other(values: Blocks) -> None:
    found = known(estimate(values))
    assert known(found.low) <= found.mean <= known(found.high)
    assert found.minimum <= found.mean <= found.maximum
    assert found.minimum <= found.median <= found.maximum


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_a_positive_number_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=rf"^block 2: {value} is not a positive number; leave out"):
        estimate({1: 5.0, 2: value})
    for names in ("xy", "x"):
        with pytest.raises(ValueError, match=rf"^x, block 2: {value} is not a positive number; leave out"):
            ratios_at({name: {1: 5.0, 2: value} for name in names})


def test_a_ratio_is_the_paired_t_test_on_logarithms() -> None:
    test = reference.ttest_rel(_logs(A), _logs(B))
    low, high = test.confidence_interval(0.95)
    low_90, high_90 = test.confidence_interval(0.90)
    differences = np.subtract(_logs(A), _logs(B))
    equivalence_p = ttost_paired(np.array(_logs(A)), np.array(_logs(B)), -math.log(1.03), math.log(1.03))[0]
    expected = Ratio(
        first="a",
        second="b",
        ratio=math.exp(differences.mean()),
        low=math.exp(low),
        high=math.exp(high),
        p=float(test.pvalue),
        equivalence_p=float(equivalence_p),
        blocks=5,
        stdev=float(differences.std(ddof=1)),
        low_90=math.exp(low_90),
        high_90=math.exp(high_90),
    )
    assert _figures(known(ratio({"a": A, "b": B}, "a", "b"))) == pytest.approx(_figures(expected))


@pytest.mark.parametrize("shift", [-0.05, -0.02, 0.0, 0.02, 0.05])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_equivalence_is_tested_as_statsmodels_tests_it(shift: float, count: int) -> None:
    logs = np.random.default_rng(count).normal([[0.0], [shift]], 0.02, (2, count))
    expected = ttost_paired(logs[0], logs[1], -math.log(1.03), math.log(1.03))[0]
    assert known(ratio(cells(logs), "a", "b")).equivalence_p == pytest.approx(expected)


def test_only_blocks_that_both_have_are_paired() -> None:
    whole = ratio({"a": A, "b": B}, "a", "b")
    gaps = {"a": {**A, 7: 1.0}, "b": {**B, 6: 1.0, 9: 1.0}}
    assert ratio(gaps, "a", "b") == whole


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({1: 6.0}, {1: 3.0, 2: 1.0}, UNTESTED | {"ratio": 2.0, "blocks": 1}, id="one block in common"),
        pytest.param(
            {1: 6.0, 2: 3.0},
            {1: 2.0, 2: 1.0},
            {"ratio": 3.0, "low": 3.0, "high": 3.0, "p": 0.0, "equivalence_p": 1.0, "blocks": 2, "stdev": 0.0},
            id="different, without spread",
        ),
        pytest.param(
            {1: 0.3, 2: 0.1},
            {1: 0.1 + 0.2, 2: 0.1},
            {"ratio": 1.0, "low": 1.0, "high": 1.0, "p": 1.0, "equivalence_p": 0.0, "blocks": 2, "stdev": 0.0},
            id="equal but for rounding",
        ),
        pytest.param(
            {1: 102.0, 2: 51.0},
            {1: 100.0, 2: 50.0},
            {"ratio": 1.02, "low": 1.02, "high": 1.02, "p": 0.0, "equivalence_p": 0.0, "blocks": 2, "stdev": 0.0},
            id="within the margin, without spread",
        ),
        pytest.param(
            {1: 103.0, 2: 51.5},
            {1: 100.0, 2: 50.0},
            {"ratio": 1.03, "low": 1.03, "high": 1.03, "p": 0.0, "equivalence_p": 1.0, "blocks": 2, "stdev": 0.0},
            id="on the margin, without spread",
        ),
    ],
)
def test_a_ratio_of_few_blocks_or_no_spread_says_what_is_known(
    first: Blocks, second: Blocks, expected: dict[str, float | None]
) -> None:
    found = _figures(known(ratio({"a": first, "b": second}, "a", "b")))
    bounds = {"low_90": expected["low"], "high_90": expected["high"]}
    assert found == pytest.approx({"first": "a", "second": "b"} | {**expected, **bounds})


@pytest.mark.parametrize("second", [{"b": {4: 2.0}}, {"b": {}}, {}], ids=["no block in common", "empty", "absent"])
def test_without_a_block_in_common_there_is_no_ratio(second: Cells) -> None:
    assert ratio({"a": {1: 2.0, 2: 3.0}, **second}, "a", "b") is None


def test_several_levels_are_averaged_within_each_block() -> None:
    logs = np.random.default_rng(3).normal(7, 0.05, (4, 2, 6))
    test = reference.ttest_rel(logs[:, 0].mean(axis=0), logs[:, 1].mean(axis=0))
    (found,) = ratios(numbered(cells(level) for level in logs))
    low, high = test.confidence_interval(0.95)
    assert [found.low, found.high, found.p] == pytest.approx([math.exp(low), math.exp(high), test.pvalue])
    of_levels = [known(ratio(cells(level), "a", "b")).ratio for level in logs]
    assert found.ratio == pytest.approx(reference.gmean(of_levels))
    assert found.blocks == 6


def test_a_block_that_lacks_a_shared_level_does_not_count_and_a_level_not_shared_does_not_matter() -> None:
    light = {"a": A, "b": B}
    heavy = {"a": {1: 30.0, 2: 40.0, 4: 50.0, 5: 9.0}, "b": {2: 20.0, 3: 10.0, 4: 20.0, 5: 3.0}}
    only_a = {"a": {1: 5.0, 2: 5.0}, "b": {3: 1.0}}
    means = [
        (math.log(A[block] / B[block]) + math.log(heavy["a"][block] / heavy["b"][block])) / 2 for block in (2, 4, 5)
    ]
    (found,) = ratios(numbered([light, heavy, only_a]))
    assert [found.ratio, found.p] == pytest.approx([math.exp(np.mean(means)), reference.ttest_1samp(means, 0).pvalue])
    assert (found.blocks, found.over) == (3, (at(1), at(2)))


def test_a_level_that_was_lost_in_most_blocks_is_left_out_and_costs_the_others_no_block() -> None:
    logs = np.random.default_rng(6).normal([[0.1], [0.0]], 0.01, (3, 2, 8))
    whole = [cells(level) for level in logs]
    lost = {name: {block: value for block, value in of.items() if block > 6} for name, of in whole[1].items()}
    (found,) = ratios(numbered([whole[0], lost, whole[2]]))
    (without,) = ratios(numbered([whole[0], whole[2]]))
    assert found == replace(without, over=(at(1), at(3)))
    assert found.blocks == 8


@pytest.mark.parametrize(
    ("present", "left"),
    [
        pytest.param(["xxxx", "xxxx"], (0, 1), id="nothing is missing"),
        pytest.param(["xxxx", "xx--"], (0, 1), id="half of the blocks are whole"),
        pytest.param(["xxxx", "x---"], (0,), id="one level would cost three of four blocks"),
        pytest.param(["xx--", "--x-"], (0,), id="no block is whole"),
        pytest.param(["x---", "-x--"], (0,), id="of two alike the last is left out"),
        pytest.param(["xxxxxxxx", "xxxxxx--", "---xxxxx", "xxxxxxxx"], (0, 1, 3), id="the one that frees the most"),
        pytest.param(["----", "xxxx"], (1,), id="a level without a block"),
        pytest.param(["----"], (), id="nothing at all"),
    ],
)
def test_of_levels_those_are_kept_that_leave_half_of_the_blocks_whole(
    present: list[str], left: tuple[int, ...]
) -> None:
    assert kept(np.array([[mark == "x" for mark in row] for row in present])) == left


def test_pairs_come_in_alphabetical_order_whatever_the_order_of_the_entries() -> None:
    entries = {"c": A, "a": B, "d": {}, "b": A}
    assert [(found.first, found.second) for found in ratios_at(entries)] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert ratios_at(dict(reversed(entries.items()))) == ratios_at(entries)


def test_the_half_width_is_what_the_interval_adds_above_the_ratio() -> None:
    assert Ratio("a", "b", 2.0, 1.6, 2.5, 0.01, 1.0, 5, 0.1).half_width == pytest.approx(0.25)
    assert known(ratio({"a": {1: 2.0}, "b": {1: 1.0}}, "a", "b")).half_width is None


@given(figures, figures)
def test_swapped_figures_invert_the_ratio(first: Blocks, second: Blocks) -> None:
    found, swapped = ratio({"a": first, "b": second}, "a", "b"), ratio({"a": second, "b": first}, "a", "b")
    turned = ratio({"a": first, "b": second}, "b", "a")
    if found is None:
        assert swapped is turned is None
        return
    inverse = _figures(found) | {"ratio": 1 / found.ratio}
    if found.low is not None and found.high is not None:
        inverse |= {"low": 1 / found.high, "high": 1 / found.low}
        inverse |= {"low_90": 1 / known(found.high_90), "high_90": 1 / known(found.low_90)}
    assert _figures(known(swapped)) == pytest.approx(inverse)
    assert _figures(known(turned)) == pytest.approx(inverse | {"first": "b", "second": "a"})


@pytest.mark.parametrize("count", [3, 5, 10])
def test_the_intervals_cover_the_truth_in_95_of_100_runs(count: int) -> None:
    runs, rng = 3000, np.random.default_rng(count)
    drift = rng.normal(0, 0.2, (runs, 1, count))
    noise = rng.normal([[0.3], [0.1]], 0.03, (runs, 2, count))
    found = [known(ratio(cells(logs), "a", "b")) for logs in drift + noise]
    covered = sum(_within(each.low, math.exp(0.2), each.high) for each in found)
    assert covered in plausible(runs, 0.95)
    means = [known(estimate(blocks(logs[0]))) for logs in noise]
    assert sum(_within(mean.low, math.exp(0.3), mean.high) for mean in means) in plausible(runs, 0.95)


def _within(low: float | None, value: float, high: float | None) -> bool:
    return known(low) <= value <= known(high)


def test_blocks_of_two_runs_are_compared_unpaired_as_welch_does() -> None:
    others = {1: 990.0, 2: 1100.0, 7: 930.0}
    welch = reference.ttest_ind(_logs(A), _logs(others), equal_var=False)
    low, high = (math.exp(bound) for bound in welch.confidence_interval(0.95))
    found = unpaired("a", "b", A, others)
    assert found is not None
    assert (found.p, found.low, found.high) == pytest.approx((welch.pvalue, low, high))
    assert found.ratio == pytest.approx(reference.gmean(list(A.values())) / reference.gmean(list(others.values())))
    assert found.blocks == 3


@pytest.mark.parametrize(("others", "blocks"), [({1: 500.0}, 1), ({}, None)])
def test_unpaired_figures_of_few_blocks_say_what_is_known(others: Blocks, blocks: int | None) -> None:
    found = unpaired("a", "b", A, others)
    assert (None if found is None else found.blocks) == blocks
    if found is not None:
        assert (found.low, found.high, found.p) == (None, None, None)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), figures), max_size=3))
def test_a_contrast_of_two_entries_is_their_ratio_whatever_is_missing(levels: list[Cells]) -> None:
    assert contrasts(numbered(levels), {("a", "b"): {"a": 1.0, "b": -1.0}}) == ratios(numbered(levels))


def test_a_contrast_is_the_one_sample_t_test_of_its_weighted_sum_in_each_block() -> None:
    logs = np.random.default_rng(3).normal([[0.5], [0.1], [0.3], [0.2]], 0.03, (4, 6))
    weights = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    (found,) = contrasts(numbered([cells(logs)]), {("more", "less"): weights})
    sums = np.array(list(weights.values())) @ logs
    test = reference.ttest_1samp(sums, 0.0)
    low, high = test.confidence_interval(0.95)
    assert (found.first, found.second, found.blocks) == ("more", "less", 6)
    assert (found.ratio, found.low, found.high) == pytest.approx(tuple(np.exp([sums.mean(), low, high])))
    assert (found.p, found.stdev) == pytest.approx((test.pvalue, sums.std(ddof=1)))


def test_a_contrast_counts_the_blocks_that_all_of_its_entries_have() -> None:
    whole = cells(np.random.default_rng(4).normal(0, 0.1, (3, 5)))
    weights = {"a": 1.0, "b": -0.5, "c": -0.5}
    gap = {**whole, "c": {block: value for block, value in whole["c"].items() if block != 2}}
    (found,) = contrasts(numbered([gap]), {("a", "others"): weights})
    without = {name: {block: value for block, value in each.items() if block != 2} for name, each in whole.items()}
    assert (found,) == contrasts(numbered([without]), {("a", "others"): weights})
    assert contrasts(numbered([{**whole, "c": {}}]), {("a", "others"): weights}) == ()
