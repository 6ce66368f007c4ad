"""Whether lives of containers differ by more than their rounds explain: rounds, blocks, and the component between.

A pair's log-ratio in a block has two sources of spread: how its rounds differ, which more rounds reduce, and what the
lives of the containers have to themselves, which only more blocks do. Source: docs/method.md, section 6.11.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from statistics import fmean, median_low, variance

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, fdtrc

from benchlab.load.metrics import Metric
from benchlab.records.plan import LevelKey
from benchlab.records.run import Run
from benchlab.statistics import cells, pooling
from benchlab.statistics.analysis import Result
from benchlab.statistics.pooling import Array, Cells, PooledBlocks
from benchlab.statistics.stats import ALPHA, Ratio

# A component of lives below this costs less than it takes to show it. Chosen, not measured.
LEAST_LIFE = 0.01


class Verdict(Enum):
    """Whether the lives of containers matter beside the rounds."""

    # One block has no spread.
    UNKNOWN = "not known"
    NO = "not seen"
    SMALL = "hardly"
    YES = "yes"


@dataclass(frozen=True)
class Spread:
    """Of the pairs of a test's entries: standard deviations of a log-ratio, and what they tell of containers' lives.

    `blocks` and `rounds` are the most that a pair has, the rounds at a level of a block. `between_rounds` is that of a
    pair's ratio in one round at one level. The others are of its ratio in a block, over all levels: `between_blocks` as
    it was, and `predicted` as rounds alone make it. `life` is what is left of the one without the other, at most
    `life_high` (one-sided, 95 %); `p` is how likely such a spread is where lives add nothing.
    """

    metric: Metric
    blocks: int
    rounds: int
    between_rounds: float
    predicted: float
    between_blocks: float | None
    life: float | None
    life_high: float | None
    p: float | None

    @property
    def verdict(self) -> Verdict:
        if self.life is None or self.p is None:
            return Verdict.UNKNOWN
        if self.p > ALPHA:
            return Verdict.NO
        return Verdict.YES if self.life > LEAST_LIFE else Verdict.SMALL


@dataclass
class _Pair:
    """What the blocks of one pair have: log-ratios, and the variances that rounds alone make of them."""

    blocks: list[int]
    logs: list[float]
    predicted: list[float]


def of_test(run: Run, result: Result) -> Spread | None:
    """Return the spread in the metric that leads the test; None where no pair has a block of several rounds."""
    metric = result.basis or result.measures.ranked_by
    ratios = [pair.ratio for pair in result.compared[metric].pairs]
    return spread(cells.measured(run)[result.test].ranked(metric), ratios, metric)


def spread(levels: Mapping[LevelKey, Cells], ratios: Iterable[Ratio], metric: Metric) -> Spread | None:
    """Return the spread of these ratios, each over its levels; None where no block of them has several rounds.

    Ratios through an anchor are left out: they are made of others. The test of lives is the F test of the two-way
    layout of entries and blocks: exact for two entries, and where all are equally noisy.
    """
    direct = [ratio for ratio in ratios if not ratio.through]
    have_rounds = any(isinstance(blocks, PooledBlocks) for of in levels.values() for blocks in of.values())
    if not direct or not have_rounds:
        return None
    names = sorted({name for ratio in direct for name in (ratio.first, ratio.second)})
    at = {(level, block): _Slices(of, names, block) for level, of in levels.items() for block in _blocks(of)}
    pairs = {(ratio.first, ratio.second): _pair(ratio, names, at) for ratio in direct}
    rounds = [slices.rounds for slices in at.values() if slices.rounds > 1]
    by_round = [of.by_round(*two) for of in at.values() for two in combinations(range(len(names)), 2)]
    known = [variance for variance in by_round if variance is not None]
    if not rounds or not known or not any(pair.logs for pair in pairs.values()):
        return None
    freedom = sum(slices.freedom for slices in at.values())
    return _spread(metric, pairs, median_low(rounds), math.sqrt(fmean(known)), freedom)


class _Slices:
    """The slices of all entries at one level of one block."""

    def __init__(self, cells: Cells, names: Sequence[str], block: int):
        self._numerators, self._denominators, present = pooling.parts(cells, names, block)
        self._present = present > 0
        self.rounds = int(self._present.shape[1])

    @property
    def freedom(self) -> int:
        """Return how many slices are left to judge noise by, without the means of entries and of rounds."""
        having = int(self._present.any(axis=1).sum())
        return max(0, int(self._present.sum()) - having - self.rounds + 1)

    def log_ratio(self, first: int, second: int) -> tuple[float, float] | None:
        """Return the log-ratio over the rounds of both, and its variance; None without two such rounds."""
        shared = self._shared(first, second)
        if shared is None:
            return None
        sums = [(self._numerators[row, shared].sum(), self._denominators[row, shared].sum()) for row in (first, second)]
        logs = [math.log(numerator / denominator) for numerator, denominator in sums]
        return logs[0] - logs[1], self._variance(first, second, shared) / shared.size

    def by_round(self, first: int, second: int) -> float | None:
        """Return the variance of the log-ratio in one round; None where it is not known."""
        shared = self._shared(first, second)
        return None if shared is None else self._variance(first, second, shared)

    def _shared(self, first: int, second: int) -> NDArray[np.intp] | None:
        """Return the rounds of both, if there are two, and either has a value in them."""
        shared = np.flatnonzero(self._present[first] & self._present[second])
        sums = [of[row, shared].sum() for of in (self._numerators, self._denominators) for row in (first, second)]
        return shared if shared.size > 1 and min(sums) > 0 else None

    def _variance(self, first: int, second: int, shared: NDArray[np.intp]) -> float:
        """Return the variance of a round's part in the log-ratio, by the delta method: exact to the first order.

        The logarithm of a round's own ratio would be without bound where a slice stalled.
        """
        parts = self._influence(first, shared) - self._influence(second, shared)
        return float(parts @ parts) / (shared.size - 1)

    def _influence(self, row: int, shared: NDArray[np.intp]) -> Array:
        numerators, denominators = self._numerators[row, shared], self._denominators[row, shared]
        return np.asarray(numerators / numerators.mean() - denominators / denominators.mean())


def _blocks(cells: Cells) -> list[int]:
    return sorted({block for blocks in cells.values() for block in blocks})


def _pair(ratio: Ratio, names: Sequence[str], at: Mapping[tuple[LevelKey, int], _Slices]) -> _Pair:
    """Return the blocks of the ratio that have all its levels, each in several rounds."""
    first, second, made = names.index(ratio.first), names.index(ratio.second), _Pair([], [], [])
    for block in sorted({block for _, block in at}):
        logs = [at[level, block].log_ratio(first, second) for level in ratio.over if (level, block) in at]
        known = [each for each in logs if each is not None]
        if len(known) == len(ratio.over):
            made.blocks.append(block)
            made.logs.append(fmean(log for log, _ in known))
            made.predicted.append(sum(variance for _, variance in known) / len(known) ** 2)
    return made


def _spread(
    metric: Metric, pairs: Mapping[tuple[str, str], _Pair], rounds: int, between_rounds: float, freedom: int
) -> Spread:
    having = {names: pair for names, pair in pairs.items() if pair.logs}
    most = max(len(pair.logs) for pair in having.values())
    repeated = [pair for pair in having.values() if len(pair.logs) > 1]
    if not repeated:
        alone = fmean(fmean(pair.predicted) for pair in having.values())
        return Spread(metric, most, rounds, between_rounds, math.sqrt(alone), None, None, None, None)
    weights = [len(pair.logs) - 1 for pair in repeated]
    squares = sum(weight * variance(pair.logs) for weight, pair in zip(weights, repeated, strict=True))
    alone = sum(weight * fmean(pair.predicted) for weight, pair in zip(weights, repeated, strict=True)) / sum(weights)
    observed, of_blocks = squares / sum(weights), _freedom(having)
    p = float(fdtrc(of_blocks, freedom, observed / alone)) if alone else float(observed == 0)
    high = observed * of_blocks / chdtri(of_blocks, 1 - ALPHA)
    return Spread(
        metric=metric,
        blocks=most,
        rounds=rounds,
        between_rounds=between_rounds,
        predicted=math.sqrt(alone),
        between_blocks=math.sqrt(observed),
        life=math.sqrt(max(0.0, observed - alone)),
        life_high=math.sqrt(max(0.0, high - alone)),
        p=p,
    )


def _freedom(pairs: Mapping[tuple[str, str], _Pair]) -> int:
    """Return the degrees of freedom of the layout of entries and blocks: values, less the means of either."""
    values = {(name, block) for names, pair in pairs.items() for name in names for block in pair.blocks}
    groups: list[set[tuple[str, str | int]]] = []
    for name, block in values:
        ends: set[tuple[str, str | int]] = {("entry", name), ("block", block)}
        joined = [group for group in groups if group & ends]
        groups = [group for group in groups if not group & ends] + [ends.union(*joined)]
    return len(values) - sum(map(len, groups)) + len(groups)
