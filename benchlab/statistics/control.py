"""Compares each entry with one that was named beforehand, the control: all comparisons of a family at once.

Pure: what is simulated has a fixed seed. Source: docs/method.md, section 6.13.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import stdtr

from benchlab.load.metrics import Better
from benchlab.statistics import sequential, stats
from benchlab.statistics.comparison import LEAST_BLOCKS, Outcome, Pair
from benchlab.statistics.pooling import Array
from benchlab.statistics.stats import ALPHA, Ratio

# So many draws know 5 % to ± 0.3 %, and take a tenth of a second for 19 comparisons in eight blocks.
DRAWS, AT_ONCE, SEED = 20_000, 2_000, 1955
# What two comparisons have in common is less than all that either has.
MOST_COMMON = 0.999


@dataclass(frozen=True)
class Compared:
    """The ratios of entries to the control at one level, or over all, and the log-ratios of their blocks.

    `logs` is ratio x block, NaN where a block has none. `pilot` are the ratios in the blocks by whose spread it was
    decided how many there are; empty where the spread did not decide.
    """

    ratios: tuple[Ratio, ...]
    logs: Array
    better: Better
    pilot: tuple[Ratio, ...] = ()

    @property
    def tested(self) -> list[int]:
        """Return the places of the ratios that have enough blocks for an outcome."""
        return [place for place, ratio in enumerate(self.ratios) if ratio.blocks >= LEAST_BLOCKS]


def decide(family: Sequence[Compared], draws: int = DRAWS) -> list[tuple[Pair, ...]]:
    """Return the outcomes of each part of the family, in its order, with intervals that hold all at once.

    In 95 of 100 families all intervals of ratios with an outcome hold; FASTER and SLOWER are those that leave out 1. A
    ratio of fewer than LEAST_BLOCKS is undecided, and costs the others nothing. EQUAL is not corrected, and has its own
    interval of 90 %.
    """
    least = LeastP(family, draws)
    return [tuple(_decided(compared, least)) for compared in family]


class LeastP:
    """The least p of a family in which nothing differs: as it would come out, simulated.

    Each comparison keeps its blocks and its own spread. Two of them share the control: what this alone does to their
    log-ratios is estimated, and simulated as one part that all have in common.
    """

    def __init__(self, family: Sequence[Compared], draws: int = DRAWS):
        self._draws = draws
        self._family = [compared for compared in family if compared.tested]
        self.count = sum(len(compared.tested) for compared in self._family)
        self._every = sum(len(compared.ratios) for compared in family)

    @cached_property
    def _drawn(self) -> Array:
        """Return the least p of each draw, the smallest first."""
        numbers = np.random.default_rng(SEED)
        return np.sort(np.min([_least_of(compared, numbers, self._draws) for compared in self._family], axis=0))

    @property
    def level(self) -> float:
        """Return the level of a single comparison at which 5 % of the families have a false outcome.

        It is at least what Bonferroni's correction has, which holds whatever the comparisons have in common.
        """
        if self.count <= 1:
            return ALPHA if self.count else ALPHA / max(1, self._every)
        return float(np.clip(self._drawn[int(ALPHA * self._draws) - 1], ALPHA / self.count, ALPHA))

    def adjusted(self, p: float) -> float:
        """Return how likely the least p of the family is to be as small as this one where nothing differs."""
        if self.count <= 1:
            return p
        share = min(1.0, self.count * p, (int(np.searchsorted(self._drawn, p)) + 1) / self._draws)
        # At the level itself the two ways of rounding agree.
        return min(share, ALPHA) if p <= self.level else max(share, math.nextafter(ALPHA, 1), p)


def _least_of(compared: Compared, numbers: np.random.Generator, draws: int) -> Array:
    """Return the least p of the part's comparisons in each draw."""
    direct = [place for place in compared.tested if not compared.ratios[place].through]
    logs = compared.logs[direct]
    present = np.isfinite(logs)
    common = _common(logs, present)[:, None]
    least = np.ones(draws)
    for start in range(0, draws, AT_ONCE) if direct else ():
        count = min(AT_ONCE, draws - start)
        shared = numbers.standard_normal((count, 1, logs.shape[1]))
        own = numbers.standard_normal((count, *logs.shape))
        drawn = np.where(present, common * shared + np.sqrt(1 - common**2) * own, 0.0)
        least[start : start + count] = _least(drawn, present.sum(axis=1))
    # Those through an anchor share no block with the control.
    for _ in range(len(compared.tested) - len(direct)):
        least = np.minimum(least, numbers.uniform(size=draws))
    return least


def _least(drawn: Array, counts: Array) -> Array:
    """Return the least p of the t-tests of each draw; `drawn` is draw x comparison x block, 0 where there is none."""
    means = drawn.sum(axis=2) / counts
    variances = ((drawn**2).sum(axis=2) - counts * means**2) / (counts - 1)
    t = np.abs(means) / np.sqrt(variances / counts)
    # Of those with as many blocks the largest t has the least p.
    by_count = [2 * stdtr(count - 1, -t[:, counts == count].max(axis=1)) for count in np.unique(counts)]
    return np.asarray(np.min(by_count, axis=0))


def _common(logs: Array, present: Array) -> Array:
    """Return of each comparison which share of its standard deviation it has in common with all others.

    That is the control's. What two of them have in common is their covariance: its mean over all pairs counts.
    """
    centered = np.where(present, logs - _means(logs)[:, None], 0.0)
    together = present.astype(float) @ present.T.astype(float)
    pairs = (together > 1) & ~np.eye(len(logs), dtype=bool)
    covariances = (centered @ centered.T)[pairs] / (together[pairs] - 1)
    stdevs = np.sqrt((centered**2).sum(axis=1) / np.maximum(1, present.sum(axis=1) - 1))
    variance = max(0.0, float(covariances.mean())) if covariances.size else 0.0
    shares = np.divide(math.sqrt(variance), stdevs, out=np.zeros(len(logs)), where=stdevs > 0)
    return np.asarray(np.minimum(shares, MOST_COMMON))


def _means(logs: Array) -> Array:
    return np.asarray(np.nansum(logs, axis=1) / np.maximum(1, np.isfinite(logs).sum(axis=1)))


def _decided(compared: Compared, least: LeastP) -> list[Pair]:
    intervals = [stats.at_level(ratio, least.level) for ratio in compared.ratios]
    if compared.pilot:
        intervals = sequential.conclude(compared.pilot, intervals, least.level)
    return [_outcome(ratio, compared.better, least) for ratio in intervals]


def _outcome(ratio: Ratio, better: Better, least: LeastP) -> Pair:
    """Return the ratio with its outcome, which is that of its interval."""
    if ratio.through and ratio.stdev is not None:
        # By the degrees of freedom of its interval.
        error = ratio.stdev / math.sqrt(ratio.blocks)
        ratio = replace(ratio, p=min(1.0, 2 * stats.tail(abs(math.log(ratio.ratio)), error, ratio.blocks - 1)))
    if ratio.blocks < LEAST_BLOCKS or ratio.p is None or ratio.equivalence_p is None:
        return Pair(ratio, None, Outcome.UNDECIDED, least.count)
    if ratio.p <= least.level:
        outcome = Outcome.FASTER if better.gain(ratio.ratio) > 1 else Outcome.SLOWER
    else:
        outcome = Outcome.EQUAL if ratio.equivalence_p <= ALPHA else Outcome.UNDECIDED
    return Pair(ratio, least.adjusted(ratio.p), outcome, least.count)
