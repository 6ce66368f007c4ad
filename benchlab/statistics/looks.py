"""Looks at a run before its end: after which blocks, what they cost, and what they can tell. Pure.

Source: Pocock (1977), Biometrika 64, 191-199: a group sequential test, each look at the same level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from benchlab.statistics.comparison import LEAST_BLOCKS

Array = NDArray[np.float64]

# More looks save little: with ten a run of a lost 6 % ends hardly earlier, and each is at a stricter level.
MOST_LOOKS = 5
# How many standard errors from the mean a density is followed, and at how many points: the tail beyond is below 1e-18.
REACH, POINTS = 9.0, 120
# A p below this is corrected as by Bonferroni, which is then exact to its first digits.
TINY = 1e-12


def planned(blocks: int, groups: int = 1) -> tuple[int, ...]:
    """Return after how many blocks the looks at a run of at most so many blocks are: equal steps, the last at the end.

    No look has fewer than LEAST_BLOCKS blocks more than the one before it. Where `groups` of entries take turns, each
    group has as many at every look. Empty where no look can tell anything.
    """
    each = blocks // groups
    count = min(MOST_LOOKS, each // LEAST_BLOCKS)
    return tuple(groups * math.ceil(each * number / count) for number in range(1, count + 1))


def corrected(p: float, looks: Sequence[int]) -> float:
    """Return how likely it is that nothing changed and some of the looks has a one-sided p as small as this.

    Fewer looks than planned, the last of them early because time ran out, make it smaller still: their statistics are
    closer to each other (Slepian's inequality).
    """
    if len(looks) < 2:
        return p
    if p < TINY:
        return len(looks) * p
    if p >= 1:
        return 1.0
    return max(p, _crossing([-float(ndtri(p))] * len(looks), looks))


@cache
def nominal(level: float, looks: tuple[int, ...]) -> float:
    """Return the one-sided p that a look must not exceed, for all looks together to be wrong with this probability."""
    from scipy.optimize import brentq  # not above: most commands do without, and it takes half of a short one's time

    if len(looks) < 2:
        return level
    return float(brentq(lambda p: corrected(p, looks) - level, level / len(looks) / 2, level, xtol=1e-12))


def power(effect: float, stdev: float, looks: Sequence[int], level: float) -> float:
    """Return how likely any of the looks shows an effect of this size, one-sided at this level over all looks.

    `effect` and `stdev`, that of the log-ratio of a block, are logarithms.
    """
    if stdev == 0:
        return float(effect > 0)
    each = nominal(level, tuple(looks))
    bounds = [float(stdtrit(blocks - 1, 1 - each)) for blocks in looks]
    return _crossing(bounds, looks, effect / stdev)


def smallest_loss(stdev: float, looks: Sequence[int], level: float, chance: float = 0.8) -> float:
    """Return the smallest loss that the looks show with this chance, as a share: 0.03 is 3 %."""
    from scipy.optimize import brentq  # not above, for the same reason

    if stdev == 0:
        return 0.0
    most = stdev
    while power(most, stdev, looks, level) < chance:
        most *= 2
    return -math.expm1(-float(brentq(lambda effect: power(effect, stdev, looks, level) - chance, 0, most)))


def _crossing(bounds: Sequence[float], looks: Sequence[int], drift: float = 0.0) -> float:
    """Return how likely a sum of normal values is, at any look, as many standard errors above 0 as its bound says.

    Each value has the mean `drift` and the variance 1; a look comes after so many of them. Source: the recursion of
    Armitage, McPherson & Rowe (1969), J. R. Statist. Soc. A 132, 235-244.
    """
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    density = np.ones(1)
    sums, before = np.zeros(1), 0
    for bound, blocks in zip(bounds, looks, strict=True):
        step = math.sqrt(blocks - before)
        high = bound * math.sqrt(blocks)
        low = min(high, drift * blocks) - REACH * math.sqrt(blocks)
        new = (high - low) / 2 * nodes + (high + low) / 2
        away = (new[:, None] - sums[None, :] - drift * (blocks - before)) / step
        kernel = np.exp(-(away**2) / 2) / (step * math.sqrt(2 * math.pi))
        density = (high - low) / 2 * weights * (kernel @ density)
        sums, before = new, blocks
    return float(min(1.0, max(0.0, 1 - density.sum())))
