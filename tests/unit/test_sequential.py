from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.power import TTestPower

from benchlab.load.metrics import Better
from benchlab.statistics.comparison import Outcome, decide
from benchlab.statistics.pooling import Cells
from benchlab.statistics.sequential import blocks_needed, conclude, smallest_effect, stein_interval, wider
from benchlab.statistics.stats import Ratio, ratio, ratios_at

from .values import Array, cells, first_blocks, known, plausible

TRUE_RATIO = 1.02
LOGS = np.random.default_rng(9).normal([[0.03], [0.0], [-0.01]], 0.02, (3, 9))
WHOLE = cells(LOGS)
PILOT = first_blocks(WHOLE, 5)


def _pilot(stdev: float | None, blocks: int) -> Ratio:
    return Ratio("a", "b", 1.0, None, None, None, None, blocks, stdev)


@pytest.mark.parametrize(
    ("pilot", "half_width", "expected"),
    [
        pytest.param([], 0.03, 0, id="no pair"),
        # By hand: t(.975, 4) = 2.77645; (2.77645 * .04 / ln 1.03)^2 = 14.12.
        pytest.param([_pilot(0.04, 5)], 0.03, 15, id="more than the pilot"),
        # (2.36462 * .04 / ln 1.03)^2 = 10.24.
        pytest.param([_pilot(0.04, 8)], 0.03, 11, id="a longer pilot knows better"),
        pytest.param([_pilot(0.04, 5)], 0.06, 5, id="never fewer than the pilot"),
        pytest.param([_pilot(0.0, 5)], 0.03, 5, id="no spread"),
        pytest.param([_pilot(0.01, 5), _pilot(0.04, 5), _pilot(0.02, 5)], 0.03, 15, id="the widest pair decides"),
        # t(.975, 3) = 3.18245; (3.18245 * .04 / ln 1.03)^2 = 18.54.
        pytest.param([_pilot(0.04, 5), _pilot(0.04, 4)], 0.03, 19, id="a pair with a gap knows less"),
        pytest.param([_pilot(None, 1), _pilot(None, 0)], 0.03, 1, id="one block tells nothing"),
    ],
)
def test_the_blocks_needed_follow_from_the_spread_of_the_pilot(
    pilot: list[Ratio], half_width: float, expected: int
) -> None:
    assert blocks_needed(pilot, half_width) == expected


@pytest.mark.parametrize("half_width", [0.0, -0.03, math.nan])
def test_a_half_width_that_no_run_can_reach_is_refused(half_width: float) -> None:
    with pytest.raises(ValueError, match=f"^half-width {half_width} is not positive"):
        blocks_needed([], half_width)


def test_steins_interval_has_the_mean_of_all_blocks_and_the_spread_of_the_pilot() -> None:
    differences = LOGS[0] - LOGS[1]
    mean, error = float(differences.mean()), float(differences[:5].std(ddof=1)) / math.sqrt(9)
    low, high = reference.t.interval(0.95, 4, loc=mean, scale=error)
    p = 2 * reference.t.sf(mean / error, 4)
    equivalence_p = reference.t.sf((math.log(1.03) - mean) / error, 4)
    expected = Ratio("a", "b", math.exp(mean), math.exp(low), math.exp(high), p, equivalence_p, 9, error * 3)
    low_90, high_90 = reference.t.interval(0.90, 4, loc=mean, scale=error)
    expected = replace(expected, low_90=math.exp(low_90), high_90=math.exp(high_90))
    found = stein_interval(known(ratio(PILOT, "a", "b")), known(ratio(WHOLE, "a", "b")))
    figures = [{name: value for name, value in asdict(each).items() if name != "over"} for each in (found, expected)]
    assert figures[0] == pytest.approx(figures[1])


@pytest.mark.parametrize(("pilot", "blocks"), [(_pilot(None, 1), 5), (_pilot(0.1, 6), 5)])
def test_what_is_no_pilot_of_the_ratio_is_refused(pilot: Ratio, blocks: int) -> None:
    with pytest.raises(ValueError, match=f"^a/b: {pilot.blocks} blocks in the pilot, {blocks} in all; a pilot is"):
        stein_interval(pilot, _pilot(0.1, blocks))


def test_the_wider_interval_comes_with_the_larger_p_of_each_test() -> None:
    narrow = Ratio("a", "b", 1.1, 1.08, 1.12, 0.01, 0.20, 9, 0.02, 1.085, 1.115)
    wide = Ratio("a", "b", 1.1, 1.05, 1.15, 0.02, 0.10, 9, 0.03, 1.06, 1.14)
    assert wider(narrow, wide) == replace(narrow, low=1.05, high=1.15, p=0.02, low_90=1.06, high_90=1.14)
    assert wider(wide, narrow) == replace(wide, equivalence_p=0.20)


def test_a_run_is_concluded_with_the_wider_interval_of_every_ratio() -> None:
    pilot, final = ratios_at(PILOT), ratios_at(WHOLE)
    expected = [wider(after, stein_interval(before, after)) for before, after in zip(pilot, final, strict=True)]
    assert conclude(pilot, final) == expected


def test_a_difference_that_only_the_last_blocks_make_look_sure_is_not_claimed() -> None:
    differences = np.log([1.00, 1.10, 0.98, 1.07, 1.02, 1.05, 1.05, 1.05, 1.05])
    whole = cells(np.array([differences, 0 * differences]))
    pilot, final = ratios_at(first_blocks(whole, 5)), ratios_at(whole)
    assert [pair.outcome for pair in decide(final, Better.HIGHER)] == [Outcome.FASTER]
    assert [pair.outcome for pair in decide(conclude(pilot, final), Better.HIGHER)] == [Outcome.UNDECIDED]


@pytest.mark.parametrize(
    "pilot",
    [
        pytest.param({"a": PILOT["a"]}, id="not in the pilot"),
        pytest.param(first_blocks(WHOLE, 1), id="one block in the pilot"),
        pytest.param({**WHOLE, "a": {**WHOLE["a"], 10: 1.0}, "b": {**WHOLE["b"], 10: 1.0}}, id="fewer blocks since"),
    ],
)
def test_a_pair_that_the_pilot_says_nothing_of_keeps_its_own_interval(pilot: Cells) -> None:
    final = ratios_at({name: WHOLE[name] for name in "ab"})
    assert conclude(ratios_at(pilot), final) == list(final)


@pytest.mark.parametrize("stdev", [0.02, 0.04])
def test_steins_rule_covers_the_truth_under_drift_within_the_width_asked_for(stdev: float) -> None:
    runs, half_width = 2000, 0.03
    found = [_stein_run(logs, 5, half_width) for logs in _drifting(runs, stdev)]
    assert max(known(stein.half_width) for stein, _ in found) <= half_width * (1 + 1e-9)
    for of_runs in zip(*found, strict=True):
        covered = sum(known(each.low) <= TRUE_RATIO <= known(each.high) for each in of_runs)
        assert covered >= plausible(runs, 0.95).start


@pytest.mark.parametrize(("most", "stdev"), [(12, 0.04), (20, 0.06)])
def test_where_a_budget_cuts_the_blocks_short_the_ordinary_interval_covers_the_truth_and_is_narrower(
    most: int, stdev: float
) -> None:
    runs, pilot_blocks = 1000, 8
    logs = np.random.default_rng(12).normal([[math.log(TRUE_RATIO)], [0.0]], stdev / math.sqrt(2), (runs, 2, most))
    pilots = [known(ratio(cells(each[:, :pilot_blocks]), "a", "b")) for each in logs]
    cut_short = [
        (pilot, known(ratio(cells(each), "a", "b")))
        for pilot, each in zip(pilots, logs, strict=True)
        if blocks_needed([pilot], 0.03) > most
    ]
    covered = sum(known(final.low) <= TRUE_RATIO <= known(final.high) for _, final in cut_short)
    assert covered >= plausible(len(cut_short), 0.95).start
    widths = [
        (known(final.half_width), known(wider(final, stein_interval(pilot, final)).half_width))
        for pilot, final in cut_short
    ]
    ordinary, widest = np.mean(widths, axis=0)
    assert widest > 1.1 * ordinary


@pytest.mark.parametrize(("blocks", "power", "level"), [(2, 0.8, 0.05), (5, 0.8, 0.05), (8, 0.9, 0.01), (30, 0.3, 0.2)])
def test_the_smallest_effect_is_the_one_statsmodels_solves_for(blocks: int, power: float, level: float) -> None:
    effect = TTestPower().solve_power(nobs=blocks, power=power, alpha=level, alternative="two-sided")
    assert smallest_effect(0.02, blocks, power, level) == pytest.approx(math.expm1(effect * 0.02), rel=1e-5)


@pytest.mark.parametrize(("blocks", "factor"), [(5, 1.68), (6, 1.43), (8, 1.16), (10, 1.00), (20, 0.66)])
def test_the_smallest_effect_is_the_methods_multiple_of_the_spread(blocks: int, factor: float) -> None:
    assert math.log1p(smallest_effect(0.02, blocks)) / 0.02 == pytest.approx(factor, abs=0.005)


def test_the_smallest_effect_is_found_in_80_of_100_runs() -> None:
    runs, blocks, stdev = 3000, 6, 0.02
    effect = math.log1p(smallest_effect(stdev, blocks))
    differences = np.random.default_rng(4).normal(effect, stdev, (runs, blocks))
    found = [known(ratio(cells(np.array([each, 0 * each])), "a", "b")) for each in differences]
    assert sum(known(each.p) <= 0.05 for each in found) in plausible(runs, 0.8)


@pytest.mark.parametrize(
    ("blocks", "power", "level"), [(1, 0.8, 0.05), (5, 1.0, 0.05), (5, 0.8, 0.0), (5, 0.05, 0.05), (5, math.nan, 0.05)]
)
def test_an_effect_that_no_test_has_is_refused(blocks: int, power: float, level: float) -> None:
    with pytest.raises(ValueError, match=f"^{blocks} blocks, level {level}, power {power}: needs"):
        smallest_effect(0.02, blocks, power, level)


def _drifting(runs: int, stdev: float) -> Array:
    """Return logarithms, run x entry x block, of a host that loses 1 % of its speed in every block.

    The entries of a block are visited half a block apart, in an order shuffled for each block.
    """
    rng = np.random.default_rng(int(stdev * 1000))
    blocks = 200
    turn = rng.permuted(np.broadcast_to([[0.0], [0.5]], (runs, 2, blocks)), axis=1)
    drift = -0.01 * (np.arange(blocks) + turn)
    return np.array(drift + rng.normal([[math.log(TRUE_RATIO)], [0.0]], stdev / math.sqrt(2), (runs, 2, blocks)))


def _stein_run(logs: Array, pilot_blocks: int, half_width: float) -> tuple[Ratio, Ratio]:
    """Return Stein's ratio and the one reported, over as many blocks as the pilot asks for."""
    pilot = known(ratio(cells(logs[:, :pilot_blocks]), "a", "b"))
    final = known(ratio(cells(logs[:, : blocks_needed([pilot], half_width)]), "a", "b"))
    stein = stein_interval(pilot, final)
    return stein, wider(final, stein)
