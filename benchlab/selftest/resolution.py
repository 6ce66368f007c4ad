"""How small a difference can be and still be told, from the spread of equal entries and the time of a block. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

from benchlab.core.quantities import counted
from benchlab.experiment import forecast, pace
from benchlab.experiment.profiles import PROFILES
from benchlab.load import registry
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Block, Rounds
from benchlab.records.run import Pace, Run
from benchlab.selftest import costs
from benchlab.selftest.check import NO_SAMPLE, Check
from benchlab.statistics import cells, lives, sequential, stats
from benchlab.statistics.lives import Spread, Verdict

# How long a pair is measured for the smallest effect (docs/method.md, section 9.3), and how small that is to be.
PAIR_S, SMALLEST = 600, 0.03


def checks(run: Run) -> Iterator[Check]:
    """Yield for each test and metric the smallest difference shown with 80 % power in ten minutes a pair, and why.

    It is that of blocks as the profile takes them where it measures this test alone. Their spread follows from that of
    the run's blocks, which have fewer rounds or more: what rounds alone make of it shrinks with their number. What is
    left for the lives of containers does not.
    """
    measured = cells.measured(run)
    for test in run.manifest.settings.tests:
        for metric in registry.measures(run.manifest).compared:
            levels = measured[test].ranked(metric) if test in measured else {}
            spread = lives.spread(levels, stats.ratios(levels), metric)
            yield _effect(f"smallest effect: {test}, {metric.name}", run, test, spread)
            if spread is not None:
                yield _components(f"standard deviation between: {test}, {metric.name}", spread)


def _effect(name: str, run: Run, test: str, spread: Spread | None) -> Check:
    goal = f"≤ {SMALLEST:.0%}"
    of_test = next((pace for pace in run.paces if pace.test == test), None)
    if of_test is None or not any(sample.trial.test == test for sample in run.samples):
        return Check(name, NO_SAMPLE, goal, False)
    if spread is None or spread.life is None:
        return Check(name, UNAVAILABLE, goal, None)
    rounds = _rounds(run, of_test)
    blocks = int(PAIR_S / _block_s(run, of_test, rounds))
    if blocks < 2:
        return Check(name, f"{counted(blocks, 'block')} (10 min) can show no difference", goal, False)
    of_rounds = spread.predicted * math.sqrt(spread.rounds / rounds)
    stdev = math.hypot(spread.life, of_rounds)
    effect, least = (sequential.smallest_effect(each, blocks) for each in (stdev, of_rounds))
    shown = f"{effect:.1%}" if effect < 1 else "more than 100%"
    measured = f"{shown} in {blocks} blocks of {counted(rounds, 'round')} (10 min), spread of a block {stdev:.1%}"
    if spread.verdict is not Verdict.NO or effect <= SMALLEST or least > SMALLEST:
        return Check(name, measured, goal, effect <= SMALLEST)
    # Chance alone may have made what is estimated for lives.
    return Check(name, f"{measured}; {least:.1%} if lives add nothing, which so few blocks leave open", goal, None)


def _components(name: str, spread: Spread) -> Check:
    lives = UNAVAILABLE if spread.life is None else f"{spread.life:.1%}, at most {spread.life_high:.1%}"
    between = UNAVAILABLE if spread.between_blocks is None else f"{spread.between_blocks:.1%}"
    measured = (
        f"rounds {spread.between_rounds:.1%}, blocks {between} (rounds alone {spread.predicted:.1%}), lives {lives}"
    )
    return Check(name, measured, f"for information: {spread.blocks} blocks of {spread.rounds} rounds here", None)


def _rounds(run: Run, of_test: Pace) -> int:
    """Return how many rounds of the test a block of the profile has, if it measures nothing else."""
    test, levels = of_test.test, len(run.manifest.settings.levels[of_test.test])
    return pace.rounds({test: of_test.slice_s}, {test: levels}, PROFILES[run.manifest.settings.profile].block_s)[test]


def _block_s(run: Run, of_test: Pace, rounds: int) -> float:
    """Return how long a block of two entries takes: starts and warm-ups as planned, and rounds as in this run."""
    settings = replace(run.manifest.settings, repeats=0, block_s=0)
    before_s = forecast.block_s(Block(1, ("one", "other"), (Rounds(of_test.test, 0),)), settings)
    slice_s = fmean(took_s for _, took_s in costs.took_s(run, of_test.test))
    return before_s + rounds * 2 * len(run.manifest.settings.levels[of_test.test]) * slice_s
