from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from benchlab.load.metrics import Better
from benchlab.report import outcomes
from benchlab.statistics import comparison
from benchlab.statistics.comparison import Comparison, Outcome, Pair, Rank, Standing, holm, standings
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import Ratio

from .values import Array, cells, known, numbered, plausible

T = TypeVar("T")
U = TypeVar("U")

FASTER, SLOWER, EQUAL, UNDECIDED = Outcome.FASTER, Outcome.SLOWER, Outcome.EQUAL, Outcome.UNDECIDED
NOISE = np.random.default_rng(2).normal(0, 0.01, (4, 8))
# In the order a, b, c, d: b twice as fast as the rest, which are equal but for noise.
ONE_AHEAD = cells(NOISE + np.log([[1.0], [2.0], [1.0], [1.0]]))

# How entries compare in a metric of which more is better.
compare = partial(comparison.compare, better=Better.HIGHER)
decide = partial(comparison.decide, better=Better.HIGHER)


def across(levels: Iterable[Cells]) -> Comparison:
    return comparison.across(numbered(levels), Better.HIGHER)


figures = st.dictionaries(st.integers(1, 5), st.integers(1, 10_000).map(float), max_size=5)
entries = st.dictionaries(st.sampled_from("abcde"), figures, min_size=2)
levels = st.lists(entries, max_size=3)


def _outcomes(found: Comparison) -> dict[str, Outcome]:
    return {pair.ratio.first + pair.ratio.second: pair.outcome for pair in found.pairs}


def _ratio(p: float | None, equivalence_p: float | None, ratio: float = 1.1) -> Ratio:
    return Ratio("a", "b", ratio, None, None, p, equivalence_p, 5, None)


@pytest.mark.parametrize(
    "p_values",
    [
        pytest.param([0.04], id="one"),
        pytest.param([0.04, 0.01, 0.03, 0.005], id="unordered"),
        pytest.param([0.02, 0.02, 0.02, 0.9], id="ties"),
        pytest.param([0.03, 0.031, 0.99], id="a later step is never below an earlier one"),
        pytest.param([0.0, 1.0, 0.5, 0.0], id="extremes"),
        pytest.param((np.random.default_rng(1).random(780) ** 4).tolist(), id="all pairs of 40 entries"),
    ],
)
def test_holm_adjusts_as_statsmodels_does(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_has_nothing_to_adjust_without_a_test() -> None:
    assert holm([]) == []


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_not_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match=f"^p = {p} is not a probability; leave out"):
        holm([0.5, p])


@pytest.mark.parametrize(
    ("p", "equivalence_p", "ratio", "outcome"),
    [
        (0.05, 0.9, 1.1, FASTER),
        (0.05, 0.9, 0.9, SLOWER),
        (0.04, 0.01, 1.01, FASTER),
        (0.06, 0.06, 1.1, UNDECIDED),
        (0.06, 0.05, 1.01, EQUAL),
        (1.0, 0.0, 1.0, EQUAL),
        (None, None, 1.1, UNDECIDED),
    ],
)
def test_a_difference_is_told_before_equality_and_equality_only_within_the_margin(
    p: float | None, equivalence_p: float | None, ratio: float, outcome: Outcome
) -> None:
    (pair,) = decide([_ratio(p, equivalence_p, ratio)])
    assert (pair.adjusted_p, pair.outcome) == (p, outcome)


def test_a_pair_without_a_test_costs_the_others_nothing_and_takes_nobodys_p() -> None:
    pairs = decide([_ratio(0.03, 1.0), _ratio(None, None), _ratio(0.02, 1.0, 0.5)])
    assert [pair.adjusted_p for pair in pairs] == pytest.approx([0.04, None, 0.04])
    assert [pair.outcome for pair in pairs] == [FASTER, UNDECIDED, SLOWER]


def test_every_pair_of_a_level_has_an_outcome_after_correction_over_all() -> None:
    found = compare(ONE_AHEAD)
    assert _outcomes(found) == {"ab": SLOWER, "ac": EQUAL, "ad": EQUAL, "bc": FASTER, "bd": FASTER, "cd": EQUAL}
    adjusted = multipletests([pair.ratio.p for pair in found.pairs], method="holm")[1]
    assert [pair.adjusted_p for pair in found.pairs] == pytest.approx(adjusted.tolist())


def test_entries_that_cannot_be_told_apart_share_an_interval_of_ranks() -> None:
    ranks = compare(ONE_AHEAD).ranks
    assert ranks == {"a": Rank(2, 4), "b": Rank(1, 1), "c": Rank(2, 4), "d": Rank(2, 4)}
    assert {entry: str(rank) for entry, rank in ranks.items()} == {"a": "2–4", "b": "1", "c": "2–4", "d": "2–4"}


def test_an_entry_between_two_can_share_ranks_with_both() -> None:
    noisy = NOISE[0] * 10
    found = compare(cells(np.array([np.full(8, 0.1), noisy, np.full(8, -0.1)]) * 0.5))
    assert _outcomes(found) == {"ab": UNDECIDED, "ac": FASTER, "bc": UNDECIDED}
    assert found.ranks == {"a": Rank(1, 2), "b": Rank(1, 3), "c": Rank(2, 3)}


@pytest.mark.parametrize(
    ("given_cells", "outcomes", "ranks"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"a": {}}, {}, {}, id="an entry without a figure"),
        pytest.param({"a": {1: 5.0}, "b": {}}, {}, {"a": Rank(1, 1)}, id="one entry with a figure"),
        pytest.param(
            {"a": {1: 5.0}, "b": {1: 9.0}}, {"ab": UNDECIDED}, dict.fromkeys("ab", Rank(1, 2)), id="one block"
        ),
        pytest.param({"a": {1: 5.0}, "b": {2: 9.0}}, {}, dict.fromkeys("ab", Rank(1, 2)), id="no block in common"),
        pytest.param(
            {"a": {1: 5.0, 2: 5.0}, "b": {1: 9.0, 2: 9.0}},
            {"ab": UNDECIDED},
            dict.fromkeys("ab", Rank(1, 2)),
            id="two blocks, be they without spread",
        ),
        pytest.param(
            {"a": dict.fromkeys((1, 2, 3), 5.0), "b": dict.fromkeys((1, 2, 3), 9.0), "c": {2: 7.0}},
            {"ab": SLOWER, "ac": UNDECIDED, "bc": UNDECIDED},
            {"a": Rank(2, 3), "b": Rank(1, 2), "c": Rank(1, 3)},
            id="no spread, and a cell missing",
        ),
    ],
)
def test_what_was_not_measured_is_not_decided(
    given_cells: Cells, outcomes: dict[str, Outcome], ranks: dict[str, Rank]
) -> None:
    found = compare(given_cells)
    assert (_outcomes(found), found.ranks) == (outcomes, ranks)


def test_a_summary_gives_each_entry_its_ratio_to_the_leader_fastest_first() -> None:
    given_levels = [cells(NOISE * scale + np.log([[3.0], [2.0], [4.0], [1.0]])) for scale in (1, 2)]
    found = across(given_levels)
    to_leader = {pair.ratio.first + pair.ratio.second: pair for pair in found.pairs}
    assert standings(found) == (
        Standing("c", True, None, Rank(1, 1)),
        Standing("a", False, to_leader["ac"], Rank(2, 2)),
        Standing("b", False, to_leader["bc"], Rank(3, 3)),
        Standing("d", False, to_leader["cd"].inverse, Rank(4, 4)),
    )
    assert [standing.relative for standing in standings(found)] == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4], rel=0.02)


def test_an_entry_does_not_lead_because_it_lacks_the_level_that_is_slow_for_all() -> None:
    fast = {"a": {1: 90.0, 2: 91.0}, "b": {1: 100.0, 2: 101.0}}
    slow = {"a": {}, "b": {1: 1.0, 2: 1.1}}
    assert across([fast, slow]).leader == "b"


def test_an_entry_without_a_block_in_common_with_the_leader_has_no_ratio_to_it_and_comes_last() -> None:
    measured = {"a": {5: 900.0}, "b": {1: 2.0}, "c": {1: 4.0}}
    anywhere = Rank(1, 3)
    (pair,) = compare(measured).pairs
    assert standings(compare(measured)) == (
        Standing("c", True, None, anywhere),
        Standing("b", False, pair, anywhere),
        Standing("a", False, None, anywhere),
    )
    assert [standing.relative for standing in standings(compare(measured))] == [1.0, 0.5, None]


def test_nobody_leads_who_is_known_to_be_slower_than_another() -> None:
    # a loses to b where both were measured; over all it seems far ahead, by a level that b lacks.
    fast = {"a": [1000.0, 1010.0, 990.0], "b": [1090.0, 1100.0, 1080.0], "c": [500.0, 505.0, 495.0]}
    faster = {"a": [9000.0, 9090.0, 8910.0], "b": [], "c": [1000.0, 1010.0, 990.0]}
    found = across([{name: dict(enumerate(of)) for name, of in level.items()} for level in (fast, faster)])
    assert found.ranks["a"] == Rank(2, 2)
    assert (found.leader, standings(found)[0].entry) == ("b", "b")


def test_where_each_of_three_is_slower_than_another_nobody_leads() -> None:
    pairs = [("a", "b", 2.0), ("a", "c", 0.5), ("b", "c", 2.0)]
    ratios_in_a_ring = [Ratio(first, second, ratio, ratio, ratio, 0.0, 1.0, 5, 0.0) for first, second, ratio in pairs]
    found = Comparison(("a", "b", "c"), decide(ratios_in_a_ring), Better.HIGHER)
    assert found.leader is None
    assert [standing.relative for standing in standings(found)] == [None, None, None]


def test_an_outcome_stands_beside_the_interval_that_it_follows_from() -> None:
    equal = Pair(Ratio("a", "b", 0.99, 0.96, 1.02, 0.3, 0.04, 5, 0.02, 0.975, 1.01), 0.3, EQUAL)
    assert (equal.bounds, outcomes.ratio(equal)) == ((0.975, 1.01), "0.990 [0.975–1.010] (90 %)")
    open_one = replace(equal, outcome=UNDECIDED)
    assert (open_one.bounds, outcomes.ratio(open_one)) == ((0.96, 1.02), "0.990 [0.960–1.020]")


def test_what_its_interval_tells_apart_and_the_correction_does_not_is_unclear_among_so_many() -> None:
    (found, *_) = decide([_ratio(0.03, 1.0), _ratio(0.5, 1.0), _ratio(None, None)])
    apart = replace(found, ratio=replace(found.ratio, low=1.02, high=1.2))
    assert (apart.outcome, outcomes.outcome(apart)) == (UNDECIDED, "unclear among 2 comparisons")
    assert outcomes.outcome(apart.inverse) == outcomes.outcome(apart)
    assert outcomes.outcome(decide([_ratio(None, None)])[0]) == "too few blocks"


@pytest.mark.parametrize("blocks", [1, 2])
def test_on_fewer_than_three_blocks_nothing_is_decided_and_others_are_not_corrected_for_it(blocks: int) -> None:
    few, enough = replace(_ratio(0.0, 0.0), blocks=blocks), replace(_ratio(0.04, 1.0), blocks=3)
    pairs = decide([few, enough])
    assert [(pair.outcome, pair.adjusted_p, pair.among) for pair in pairs] == [(UNDECIDED, None, 1), (FASTER, 0.04, 1)]


@pytest.mark.parametrize("given_levels", [[], [{}], [{"a": {}}]])
def test_without_entries_there_is_no_leader_and_no_summary(given_levels: list[Cells]) -> None:
    assert (across(given_levels).leader, standings(across(given_levels))) == (None, ())


def test_of_entries_that_are_equal_but_for_rounding_the_first_in_the_alphabet_leads() -> None:
    exact, rounded, slow = ({1: figure, 2: figure} for figure in (0.3, 0.1 + 0.2, 0.1))
    assert compare({"b": exact, "c": rounded, "a": slow}).leader == "b"
    assert compare({"b": rounded, "c": exact, "a": slow}).leader == "b"


@settings(deadline=None)
@given(levels)
def test_the_order_in_which_figures_are_given_changes_nothing(given_levels: list[Cells]) -> None:
    reordered = [{entry: _reversed(level[entry]) for entry in _reversed(level)} for level in given_levels]
    assert across(reordered) == across(given_levels)


@settings(deadline=None)
@given(levels, st.floats(1e-3, 1e3))
def test_another_unit_changes_no_ratio_no_p_and_no_rank(given_levels: list[Cells], factor: float) -> None:
    scaled = [
        {entry: {block: value * factor for block, value in blocks.items()} for entry, blocks in level.items()}
        for level in given_levels
    ]
    before, after = across(given_levels), across(scaled)
    assert [_numbers(pair) for pair in after.pairs] == [
        pytest.approx(_numbers(pair), rel=1e-6, abs=1e-9, nan_ok=True) for pair in before.pairs
    ]
    assert (after.ranks, after.leader, _outcomes(after)) == (before.ranks, before.leader, _outcomes(before))


def test_without_a_difference_five_runs_in_a_hundred_show_one_at_most() -> None:
    runs = 1500
    found = [compare(each) for each in map(cells, _null(runs, entries=8, blocks=6))]
    wrong = sum(any(pair.outcome in (FASTER, SLOWER) for pair in each.pairs) for each in found)
    assert wrong < plausible(runs, 0.05).stop
    uncorrected = sum(any(known(pair.ratio.p) <= 0.05 for pair in each.pairs) for each in found)
    assert uncorrected > 5 * plausible(runs, 0.05).stop


def test_the_true_ranks_of_all_entries_lie_in_their_intervals_in_95_of_100_runs() -> None:
    runs = 800
    truth = np.array([[0.0], [0.02], [0.04], [0.06], [0.10]])
    ranks = [compare(cells(logs + truth)).ranks for logs in _null(runs, entries=5, blocks=8)]
    expected = dict(zip("edcba", range(1, 6), strict=True))
    held = sum(all(each[entry].best <= rank <= each[entry].worst for entry, rank in expected.items()) for each in ranks)
    assert held >= plausible(runs, 0.95).start
    assert sum(each["e"] == Rank(1, 1) for each in ranks) > runs / 4


def test_of_pairs_that_differ_by_the_margin_five_in_a_hundred_are_called_equal_at_most() -> None:
    runs = 2000
    truth = np.array([[math.log(1.03)], [0.0]])
    found = [compare(cells(logs + truth)) for logs in _null(runs, entries=2, blocks=5)]
    assert 0 < sum(_outcomes(each)["ab"] is EQUAL for each in found) < plausible(runs, 0.05).stop


def _null(runs: int, entries: int, blocks: int) -> Array:
    """Return logarithms of equal entries, run x entry x block.

    What a block adds to all of them is far above the noise.
    """
    rng = np.random.default_rng(runs + entries)
    return rng.normal(0, 0.2, (runs, 1, blocks)) + rng.normal(0, 0.015, (runs, entries, blocks))


def _reversed(mapping: Mapping[T, U]) -> dict[T, U]:
    return dict(list(mapping.items())[::-1])


def _numbers(pair: Pair) -> list[float]:
    """Return all figures of a pair; those it does not have are NaN."""
    of = pair.ratio
    numbers = [of.ratio, of.low, of.high, of.p, of.equivalence_p, of.stdev, pair.adjusted_p]
    return [math.nan if number is None else number for number in numbers]
