"""Each entry against one that was named beforehand: held against simulated truth, and against Dunnett's own table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchlab.load.metrics import Better
from benchlab.records.run import Decision, Run
from benchlab.report import outputs
from benchlab.statistics import analysis, comparison, control, sequential, sizing
from benchlab.statistics import stats as estimates
from benchlab.statistics.comparison import LEAST_BLOCKS, Outcome, Pair
from benchlab.statistics.control import Compared, LeastP
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import ALPHA

from .conftest import STARTED
from .made_runs import busy_client, make_run, samples_of
from .values import Array, at, cells, known, plausible

FASTER, SLOWER, EQUAL, UNDECIDED = Outcome.FASTER, Outcome.SLOWER, Outcome.EQUAL, Outcome.UNDECIDED
# Fewer than usual, so that many families can be drawn.
DRAWS, FAMILIES = 600, 600


def _compared(of: Cells, better: Better = Better.HIGHER) -> Compared:
    """Return entries b, c, ... against a."""
    return Compared(*estimates.ratios_to({at(16): of}, "a"), better)


def _family(numbers: np.random.Generator, blocks: int, spreads: Array, lost: float = 0.0) -> Compared:
    """Return equal entries with these spreads, the control first, in blocks that move all of them."""
    logs = numbers.normal(0, 0.1, blocks) + numbers.normal(0, 1, (len(spreads), blocks)) * spreads[:, None]
    whole = cells(logs)
    return _compared({name: {n: v for n, v in of.items() if numbers.random() >= lost} for name, of in whole.items()})


def _missed(pairs: list[tuple[Pair, ...]]) -> bool:
    """Return whether any interval leaves out 1, which is the truth."""
    bounds = [pair.ratio for of in pairs for pair in of if pair.adjusted_p is not None]
    return any(not known(ratio.low) <= 1 <= known(ratio.high) for ratio in bounds)


@pytest.mark.parametrize(
    ("blocks", "spreads", "lost", "tests"),
    [
        pytest.param(8, np.full(8, 0.02), 0.0, 1, id="equally noisy"),
        pytest.param(4, np.full(8, 0.02), 0.0, 1, id="few blocks"),
        pytest.param(8, np.array([0.01, *np.linspace(0.01, 0.06, 7)]), 0.0, 1, id="differently noisy"),
        pytest.param(6, np.full(6, 0.02), 0.15, 1, id="with losses"),
        pytest.param(8, np.full(4, 0.02), 0.0, 3, id="over three tests"),
    ],
)
def test_where_nothing_differs_one_family_in_twenty_has_an_interval_that_misses(
    blocks: int, spreads: Array, lost: float, tests: int
) -> None:
    numbers = np.random.default_rng(5)
    missed = sum(
        _missed(control.decide([_family(numbers, blocks, spreads, lost) for _ in range(tests)], DRAWS))
        for _ in range(FAMILIES)
    )
    # Simulated with ten times as many: 5.0 to 5.7 %.
    assert 0.025 < missed / FAMILIES < 0.085


def test_a_noisy_control_which_all_share_makes_no_more_false_outcomes() -> None:
    numbers, spreads = np.random.default_rng(6), np.array([0.06, *[0.01] * 7])
    missed = sum(_missed(control.decide([_family(numbers, 8, spreads)], DRAWS)) for _ in range(FAMILIES))
    assert missed <= plausible(FAMILIES, ALPHA)[-1]


@pytest.mark.parametrize("count", [2, 6])
def test_with_many_blocks_of_equal_noise_the_critical_value_is_dunnett_s(count: int) -> None:
    family = _family(np.random.default_rng(9), 150, np.full(count + 1, 0.02))
    found = stats.norm.isf(LeastP([family]).level / 2)
    assert found == pytest.approx(_dunnett(count), rel=0.015)


def _dunnett(count: int) -> float:
    """Return the two-sided 5 % point of comparisons with a control of known, equal spread (Dunnett 1955)."""
    of_control, weights = np.polynomial.hermite_e.hermegauss(60)
    reach = math.sqrt(2) * np.linspace(1.5, 3.5, 401)[:, None]
    inside = stats.norm.cdf(of_control + reach) - stats.norm.cdf(of_control - reach)
    coverage = (inside**count @ weights) / math.sqrt(2 * math.pi)
    return float(np.interp(0.95, coverage, reach[:, 0] / math.sqrt(2)))


def test_dunnett_s_own_table_is_what_is_worked_out_here() -> None:
    assert [round(_dunnett(count), 2) for count in (1, 2, 5, 9)] == [1.96, 2.21, 2.51, 2.69]


@pytest.fixture
def family() -> Compared:
    """Return nine entries, from half as fast as the control to twice, of which some are equal to it."""
    logs: Array = np.log(np.array([1, 0.5, 0.9, 0.97, 1, 1, 1.002, 1.05, 1.2, 2.0]))
    return _compared(cells(np.random.default_rng(8).normal(0, 0.01, (10, 8)) + logs[:, None]))


def test_an_outcome_is_that_of_the_interval_and_its_p(family: Compared) -> None:
    (pairs,) = control.decide([family])
    assert [pair.ratio.first for pair in pairs] == list("bcdefghij")
    assert {pair.ratio.second for pair in pairs} == {"a"}
    told = {pair.ratio.first: pair.outcome for pair in pairs}
    assert (told["b"], told["c"], told["i"], told["j"]) == (SLOWER, SLOWER, FASTER, FASTER)
    assert {told["e"], told["f"], told["g"]} <= {EQUAL, UNDECIDED}
    for pair in pairs:
        leaves_out_1 = not known(pair.ratio.low) <= 1 <= known(pair.ratio.high)
        assert leaves_out_1 == (pair.outcome in (FASTER, SLOWER)) == (known(pair.adjusted_p) <= ALPHA)
        assert (pair.among, pair.is_unclear) == (9, False)


def test_intervals_are_wider_than_each_has_by_itself_and_no_wider_than_bonferroni_s(family: Compared) -> None:
    least = LeastP([family])
    assert ALPHA / 9 <= least.level < ALPHA / 6
    for pair, ratio in zip(control.decide([family])[0], family.ratios, strict=True):
        bonferroni = estimates.at_level(ratio, ALPHA / 9)
        assert known(ratio.half_width) < known(pair.ratio.half_width) <= known(bonferroni.half_width)
        assert (pair.ratio.low_90, pair.ratio.high_90) == (ratio.low_90, ratio.high_90)


def test_far_fewer_comparisons_than_all_pairs_have_narrower_intervals(family: Compared) -> None:
    # Holm's first step over all pairs of ten.
    assert LeastP([family]).level > 4 * ALPHA / 45


def test_the_same_is_said_each_time_and_more_is_better_or_less(family: Compared) -> None:
    assert control.decide([family]) == control.decide([family])
    (less,) = control.decide([replace(family, better=Better.LOWER)])
    assert (less[0].outcome, less[-1].outcome) == (FASTER, SLOWER)


def test_a_single_comparison_is_an_ordinary_one() -> None:
    whole = cells(np.random.default_rng(9).normal(0, 0.02, (2, 6)))
    (pair,) = control.decide([_compared(whole)])[0]
    (ordinary,) = comparison.compare(whole, Better.HIGHER).pairs
    assert pair.ratio.low == pytest.approx(1 / known(ordinary.ratio.high))
    assert pair.adjusted_p == pytest.approx(ordinary.adjusted_p)
    assert pair.outcome is ordinary.outcome


def test_one_of_too_few_blocks_is_undecided_and_costs_the_others_nothing() -> None:
    whole = cells(np.random.default_rng(10).normal(0, 0.01, (4, 6)) + np.log([[1.0], [2.0], [1.5], [3.0]]))
    few = {**whole, "d": {block: whole["d"][block] for block in range(1, LEAST_BLOCKS)}}
    (of_few,), (without,) = (control.decide([_compared(of)]) for of in (few, {name: whole[name] for name in "abc"}))
    assert of_few[:2] == without
    assert (of_few[2].adjusted_p, of_few[2].outcome, of_few[2].among) == (None, UNDECIDED, 2)
    (single,) = control.decide([_compared({name: {1: of[1]} for name, of in whole.items()})])
    assert {(pair.ratio.low, pair.adjusted_p) for pair in single} == {(None, None)}


def test_one_without_a_block_of_the_control_is_compared_through_an_anchor() -> None:
    whole = cells(np.random.default_rng(11).normal(0, 0.01, (3, 12)) + np.log([[1.0], [2.0], [1.5]]))
    apart = {
        "a": {block: value for block, value in whole["a"].items() if block <= 6},
        "b": whole["b"],
        "c": {block: value for block, value in whole["c"].items() if block > 6},
    }
    b, c = control.decide([_compared(apart)])[0]
    assert (b.ratio.through, c.ratio.through, c.outcome) == ("", "b", FASTER)
    assert known(c.ratio.low) < 1.5 < known(c.ratio.high)


def test_after_a_pilot_that_decided_the_blocks_the_wider_interval_counts() -> None:
    logs = np.random.default_rng(12).normal(0, 0.005, (4, 9))
    logs[:, :3] *= 8
    whole = cells(logs)
    first = {name: {block: of[block] for block in (1, 2, 3)} for name, of in whole.items()}
    plain = _compared(whole)
    staged = replace(plain, pilot=_compared(first).ratios)
    level = LeastP([plain]).level
    for pair, pilot, final in zip(control.decide([staged])[0], staged.pilot, plain.ratios, strict=True):
        stein = sequential.stein_interval(pilot, final, level)
        assert pair.ratio.high == max(known(stein.high), known(estimates.at_level(final, level).high))


NAMES = ("aiohttp", "crax", "falcon", "rill")
LOGS = np.random.default_rng(13).normal(0, 0.01, (4, 6)) + np.log([[1.0], [0.5], [1.0], [2.0]])


def _run(name: str = "aiohttp", tests: tuple[str, ...] = ("json",)) -> Run:
    run = make_run({entry: [1000] for entry in NAMES})
    samples = [sample for test in tests for sample in samples_of(dict(zip(NAMES, LOGS, strict=True)), test=test)]
    settings = replace(run.manifest.settings, control=name, blocks=6, levels=dict.fromkeys(tests, (16,)))
    return Run(replace(run.manifest, settings=settings), tuple(samples), ())


def _pairs(run: Run) -> Iterator[Pair]:
    for result in analysis.analyse(run):
        yield from result.overall.pairs


def test_a_run_with_a_baseline_has_each_entry_against_it_and_all_tests_are_one_family() -> None:
    alone, both = (list(_pairs(_run(tests=tests))) for tests in (("json",), ("json", "plaintext")))
    assert [(pair.ratio.first, pair.ratio.second) for pair in alone] == [(n, "aiohttp") for n in NAMES[1:]]
    assert [pair.outcome for pair in alone] == [SLOWER, EQUAL, FASTER]
    assert {pair.among for pair in both} == {6}
    assert known(both[0].ratio.half_width) > known(alone[0].ratio.half_width)


def test_single_levels_are_families_of_their_own() -> None:
    (result, _) = analysis.analyse(_run(tests=("json", "plaintext")))
    (at_level,) = result.decided_levels.values()
    assert [pair.ratio.second for pair in at_level.pairs] == ["aiohttp"] * 3
    assert {pair.among for pair in at_level.pairs} == {3}


def test_the_baseline_stands_first_then_the_best() -> None:
    (result,) = analysis.analyse(_run())
    assert [standing.entry for standing in result.standings] == ["aiohttp", "rill", "falcon", "crax"]
    assert {standing.rank for standing in result.standings} == {None}


def test_what_all_others_are_compared_with_decides_how_many_blocks_there_are() -> None:
    ratios = sizing.decisive(_run())
    assert [(ratio.first, ratio.second) for ratio in ratios] == [(name, "aiohttp") for name in NAMES[1:]]
    # Each by its own interval.
    assert known(ratios[0].half_width) < known(next(_pairs(_run())).ratio.half_width)
    run = replace(_run(), decision=Decision(STARTED, 6, 6, None, "x"))
    told = f"The widest ratio of an entry to aiohttp over all levels is known to ± {sizing.reached(ratios):.1%}"
    assert f"{told}, by its own interval." in outputs.text(run)


def _bound() -> Run:
    run = _run()
    return replace(
        run,
        taken=tuple(
            replace(sample, counters=busy_client()) if sample.trial.entry == "aiohttp" else sample
            for sample in run.taken
        ),
    )


def _unmeasured() -> Run:
    run = _run()
    return replace(run, taken=tuple(sample for sample in run.taken if sample.trial.entry != "aiohttp"))


@pytest.mark.parametrize("make", [_bound, _unmeasured])
def test_without_a_value_of_the_baseline_nothing_is_compared(make: Callable[[], Run]) -> None:
    run = make()
    (result,) = analysis.analyse(run)
    assert (result.overall.pairs, result.standings, result.lacks_control) == ((), (), True)
    assert "json. Nothing is compared with aiohttp, the baseline: none of its levels has a value that counts." in (
        outputs.text(run)
    )
    outputs.html(run)


def test_the_report_has_a_table_of_ratios_to_the_baseline_and_no_ranks() -> None:
    text = outputs.text(_run())
    _, _, table = text.partition("### Summary over all levels, compared with aiohttp by requests per second\n\n")
    head, _, *rows = table.partition("\n\n")[0].splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")][:3] == ["entry", "relative requests/s", "outcome"]
    assert [row.split("|")[1].strip() for row in rows] == ["aiohttp", "rill", "falcon", "crax"]
    assert [row.split("|")[3].strip() for row in rows] == ["–", "faster", "equal", "slower"]
    assert "A rank spans" not in text
    assert (
        "all intervals of ratios to aiohttp hold at once in 95 % of such reports (3 comparisons of all tests)" in text
    )


def test_a_p_of_1_stays_1_and_without_a_comparison_there_is_nothing_to_correct(family: Compared) -> None:
    assert (LeastP([family]).adjusted(1.0), LeastP([]).level) == (1.0, ALPHA)
