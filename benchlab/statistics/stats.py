"""Estimates a metric, and the ratio of two entries in the same blocks: pure, on logarithms (docs/method.md, section 6).

Nothing here depends on whether more or less of a metric is better.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations, permutations
from statistics import fmean, geometric_mean

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from benchlab.records.plan import LevelKey
from benchlab.statistics import pooling
from benchlab.statistics.pooling import Array, Blocks, Cells, log

# Whether there is a value: level x block.
Presence = NDArray[np.bool_]

ALPHA = 0.05
# Entries this close are equal for practical purposes: on logs ±ln 1.03, the same whichever entry comes first.
EQUIVALENCE = 0.03
# The logarithm of a value up to 1e15 is rounded by less than 1e-14: a difference below this is rounding.
RESOLUTION = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A metric over the blocks, in its own unit.

    `mean` is the geometric mean; `low` and `high` bound its 95 % interval, and are None with one block.
    """

    mean: float
    low: float | None
    high: float | None
    median: float
    minimum: float
    maximum: float
    blocks: int


@dataclass(frozen=True)
class Ratio:
    """How many times the value of `second` that of `first` is, over the blocks both have.

    `low` and `high` bound the 95 % interval; `stdev` is that of the log-ratio over the blocks. `p` tests whether the
    ratio is 1, `equivalence_p` whether it lies outside 1 ± EQUIVALENCE; the latter is at most 5 % where the 90 %
    interval, `low_90` to `high_90`, lies within. With fewer than two blocks all of these are None. `over` are the
    levels that it is the mean of; it is empty where no levels were given.

    Two entries that have no block in common are compared `through` a third, the anchor, which has blocks with both: the
    ratio is that of the first to the anchor times that of the anchor to the second. `blocks` is then the smaller number
    of the two, `stdev` what as many blocks in common would have for the same interval.
    """

    first: str
    second: str
    ratio: float
    low: float | None
    high: float | None
    p: float | None
    equivalence_p: float | None
    blocks: int
    stdev: float | None
    low_90: float | None = None
    high_90: float | None = None
    over: tuple[LevelKey, ...] = ()
    through: str = ""

    @property
    def names(self) -> tuple[str, str]:
        return self.first, self.second

    @property
    def inverse(self) -> Ratio:
        """Return the ratio of second to first."""
        low, high, low_90, high_90 = (
            None if bound is None else 1 / bound for bound in (self.high, self.low, self.high_90, self.low_90)
        )
        return replace(
            self,
            first=self.second,
            second=self.first,
            ratio=1 / self.ratio,
            low=low,
            high=high,
            low_90=low_90,
            high_90=high_90,
        )

    @property
    def half_width(self) -> float | None:
        """Return how far the interval reaches above the ratio, as a share of it: 0.03 is 3 %."""
        return None if self.high is None else self.high / self.ratio - 1


def estimate(values: Blocks) -> Estimate | None:
    """Return the geometric mean with its t-interval on logs, and what the blocks span; None without a block.

    Raises ValueError if a value is not a positive number.
    """
    if not values:
        return None
    logs = np.array([[log(value, f"block {block}") for block, value in values.items()]])
    lowest, highest, count = min(values.values()), max(values.values()), len(values)
    # exp(ln x) can come back a digit off x: the mean is kept between the values it was made from.
    mean = min(max(math.exp(logs.mean()), lowest), highest)
    error = float(_stdevs(logs)[0]) / math.sqrt(count)
    low, high = (None, None) if count < 2 else _interval(mean, error, count - 1)
    return Estimate(mean, low, high, statistics.median(values.values()), lowest, highest, count)


def ratio(cells: Cells, first: str, second: str) -> Ratio | None:
    """Return the ratio of first to second over the blocks both have; None if they have none in common.

    Raises ValueError if a value is not a positive number.
    """
    made = ratios_at({name: cells.get(name, {}) for name in (first, second)})
    if not made:
        return None
    return made[0] if made[0].first == first else made[0].inverse


def ratios_at(cells: Cells) -> tuple[Ratio, ...]:
    """Return the ratio of every pair of entries at one level, as `ratios` does over several."""
    return tuple(ratio for ratio, _ in _of_pairs([cells]))


def ratios(levels: Mapping[LevelKey, Cells]) -> tuple[Ratio, ...]:
    """Return the ratio of every pair of entries over all the levels; pairs and the names in them are alphabetical.

    The log-ratio of a block is that of the two values over the rounds that both have. A pair shares the levels in which
    it has a block in common; the log-ratio of a block is its mean over them, and a block that lacks one of them does
    not count. A level that would cost more than half of the blocks is left out instead (`kept` says which);
    `Ratio.over` has those that are left. A pair without any block in common is compared through an anchor, and left out
    if there is none. Raises ValueError if a value is not a positive number.
    """
    return _over(levels, _of_pairs(list(levels.values())))


def ratios_to(levels: Mapping[LevelKey, Cells], control: str) -> tuple[tuple[Ratio, ...], Array]:
    """Return the ratio of each other entry to the control, as `ratios` makes it, in alphabetical order.

    Beside them stand the log-ratios of their blocks, ratio x block: NaN where a block has none, and throughout where
    the ratio is through an anchor.
    """
    made = [ratio if ratio.second == control else ratio.inverse for ratio in ratios(levels) if control in ratio.names]
    made.sort(key=lambda ratio: ratio.first)
    names = [control, *(ratio.first for ratio in made)]
    # The pairs of the first of the names are the first of all.
    differences = -pooling.log_ratios(list(levels.values()), names)[:, : len(made)]
    return tuple(made), _block_means(differences, _kept_of_pairs(np.asarray(np.isfinite(differences))))


def contrasts(
    levels: Mapping[LevelKey, Cells], weights: Mapping[tuple[str, str], Mapping[str, float]]
) -> tuple[Ratio, ...]:
    """Return for each two names the exponential of a weighted sum of entries' logarithms, as a ratio of the two.

    The weights, by entry, are not 0 and sum to 0: what a block has in common cancels. With 1 and -1 it is the ratio of
    two entries, and levels, blocks and rounds count for all entries that have a weight as they do there.
    """
    made: list[tuple[Ratio, tuple[int, ...]]] = []
    for names, of_entries in weights.items():
        logs = pooling.logs_in_common(list(levels.values()), list(of_entries))
        sums = np.tensordot(logs, np.array(list(of_entries.values())), axes=(1, 0))
        made += _summaries([names], sums[:, None, :])
    return _over(levels, made)


def unpaired(first: str, second: str, values: Blocks, others: Blocks) -> Ratio | None:
    """Return the ratio of two entries whose blocks have nothing in common, such as those of two runs.

    `blocks` is the smaller number of the two, `stdev` what pairs of as many blocks would have for the same interval.
    None if one has no block. Raises ValueError if a value is not a positive number.
    """
    if not values or not others:
        return None
    logs = [
        np.array([[log(value, f"{name}, block {block}") for block, value in blocks.items()]])
        for name, blocks in ((first, values), (second, others))
    ]
    means, variances, counts = zip(*(_moments(row) for row in logs), strict=True)
    return _sum((first, second), means[0] - means[1], variances, counts)


def tested(first: str, second: str, log_mean: float, stdev: float, blocks: int, freedom: float) -> Ratio:
    """Return the ratio with its interval and tests, from the mean and standard deviation of the log-ratio.

    `freedom` is one less than the blocks that the standard deviation was taken from. Sources: the paired t-test; for
    equivalence two one-sided tests, Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657-680.
    """
    error = stdev / math.sqrt(blocks)
    center = math.exp(log_mean)
    low, high = _interval(center, error, freedom)
    low_90, high_90 = _interval(center, error, freedom, 2 * ALPHA)
    p = min(1.0, 2 * tail(abs(log_mean), error, freedom))
    equivalence_p = tail(_snapped(math.log1p(EQUIVALENCE) - abs(log_mean)), error, freedom)
    return Ratio(first, second, center, low, high, p, equivalence_p, blocks, stdev, low_90, high_90)


def at_level(ratio: Ratio, level: float) -> Ratio:
    """Return the ratio with the interval that leaves the truth out with the probability `level`.

    Of a ratio through an anchor it is that of the leg with fewer blocks, which is no narrower than its own.
    """
    return ratio if ratio.stdev is None else within(ratio, ratio.stdev, ratio.blocks - 1, level)


def within(ratio: Ratio, stdev: float, freedom: float, level: float) -> Ratio:
    """Return the ratio with the interval at `level` that this standard deviation of its blocks makes."""
    low, high = _interval(ratio.ratio, stdev / math.sqrt(ratio.blocks), freedom, level)
    return replace(ratio, low=low, high=high)


def kept(present: Presence) -> tuple[int, ...]:
    """Return the levels, by row, that a mean over levels is taken of; `present` is level x block.

    All that have a block, as long as half as many blocks as the fullest level has are whole. Else levels are left out,
    each time the one without which the most blocks are whole: a level that was lost in most blocks would take these
    from all the others. What is left out depends on what is missing, never on a value.
    """
    rows = [row for row in range(len(present)) if present[row].any()]
    fullest = present.sum(axis=1).max(initial=0)
    while len(rows) > 1 and 2 * _whole(present, rows) < fullest:
        # Of several that free as many blocks, the one with the fewest blocks goes; then the last.
        rows.remove(max(rows, key=lambda row: (_whole(present, rows, row), -present[row].sum(), row)))
    return tuple(rows)


@cache
def t_quantile(freedom: float, level: float = ALPHA) -> float:
    """Return what Student's t exceeds, to either side, with the probability `level`."""
    return float(stdtrit(freedom, 1 - level / 2))


def _interval(center: float, error: float, freedom: float, level: float = ALPHA) -> tuple[float, float]:
    half = t_quantile(freedom, level) * error
    return center * math.exp(-half), center * math.exp(half)


def mean_within(values: Sequence[float], level: float = ALPHA) -> tuple[float, float]:
    """Return the mean of two values or more, and half the length of its interval: Student's t at 1 - `level`."""
    return fmean(values), t_quantile(len(values) - 1, level) * statistics.stdev(values) / math.sqrt(len(values))


def tail(distance: float, error: float, freedom: float) -> float:
    """Return how likely Student's t is to exceed distance / error; without an error, 0 or 1."""
    if error == 0:
        return float(distance <= 0)
    return float(stdtr(freedom, -distance / error))


def _of_pairs(levels: Sequence[Cells]) -> list[tuple[Ratio, tuple[int, ...]]]:
    names = sorted({name for cells in levels for name in cells})
    differences = pooling.log_ratios(levels, names)
    return _with_paths(names, differences, _summaries(list(combinations(names, 2)), differences))


def _over(levels: Iterable[LevelKey], made: Iterable[tuple[Ratio, tuple[int, ...]]]) -> tuple[Ratio, ...]:
    """Return the ratios, each with the levels at the places beside it."""
    keys = list(levels)
    return tuple(replace(ratio, over=tuple(keys[place] for place in places)) for ratio, places in made)


def _summaries(pairs: Sequence[tuple[str, str]], differences: Array) -> list[tuple[Ratio, tuple[int, ...]]]:
    """Return the ratio of each pair, and the places of the levels that it is the mean of.

    It is made from its log-ratios, level x pair x block, that are NaN where there is none.
    """
    over = _kept_of_pairs(np.asarray(np.isfinite(differences)))
    by_block = _block_means(differences, over)
    blocks = np.isfinite(by_block).sum(axis=1).tolist()
    rows = zip(pairs, _means(by_block, axis=1).tolist(), _stdevs(by_block).tolist(), blocks, over, strict=True)
    return [
        (_summary(pair, _snapped(mean), stdev, count), places) for pair, mean, stdev, count, places in rows if places
    ]


def _summary(pair: tuple[str, str], log_mean: float, stdev: float, blocks: int) -> Ratio:
    if blocks < 2:
        return Ratio(*pair, math.exp(log_mean), None, None, None, None, blocks, None)
    return tested(*pair, log_mean, stdev, blocks, blocks - 1)


def _with_paths(
    names: Sequence[str], differences: Array, made: Sequence[tuple[Ratio, tuple[int, ...]]]
) -> list[tuple[Ratio, tuple[int, ...]]]:
    """Return the ratios of all pairs in their order: those `made`, and of the others each that has an anchor."""
    pairs = list(combinations(names, 2))
    if len(made) == len(pairs):
        return list(made)
    legs = _Legs(names, differences, made)
    direct = {(ratio.first, ratio.second): (ratio, places) for ratio, places in made}
    ratios = (direct.get(pair) or legs.path(*pair) for pair in pairs)
    return [each for each in ratios if each is not None]


class _Legs:
    """The pairs that have blocks in common, which paths through an anchor are made of."""

    def __init__(self, names: Sequence[str], differences: Array, made: Sequence[tuple[Ratio, tuple[int, ...]]]):
        self._differences = differences
        self._place = {pair: place for place, pair in enumerate(combinations(names, 2))}
        self._over: dict[str, dict[str, tuple[int, ...]]] = {name: {} for name in names}
        self._blocks: dict[tuple[str, str], int] = {}
        for ratio, places in made:
            for one, other in permutations((ratio.first, ratio.second)):
                self._over[one][other], self._blocks[one, other] = places, ratio.blocks

    def path(self, first: str, second: str) -> tuple[Ratio, tuple[int, ...]] | None:
        """Return the ratio through the anchor with the most blocks, and the levels of both its legs; None without."""
        for anchor in sorted(
            self._over[first].keys() & self._over[second].keys(), key=partial(self._rank, first, second)
        ):
            levels = tuple(sorted({*self._over[first][anchor]} & {*self._over[anchor][second]}))
            legs = [self._moments(first, anchor, levels), self._moments(anchor, second, levels)] if levels else []
            if legs and all(count for *_, count in legs):
                means, variances, counts = zip(*legs, strict=True)
                return replace(_sum((first, second), sum(means), variances, counts), through=anchor), levels
        return None

    def _rank(self, first: str, second: str, anchor: str) -> tuple[int, int, str]:
        """Return what sorts the anchors: the interval is about as wide as that of the leg with fewer blocks."""
        blocks = self._blocks[first, anchor], self._blocks[anchor, second]
        return -min(blocks), -sum(blocks), anchor

    def _moments(self, first: str, second: str, levels: tuple[int, ...]) -> tuple[float, float, int]:
        """Return the mean log-ratio over the levels, its variance, and the number of blocks."""
        sign = 1 if first < second else -1
        of_pair = self._differences[:, self._place[min(first, second), max(first, second)]]
        by_block = of_pair[list(levels)].mean(axis=0)
        mean, variance, count = _moments(by_block[np.isfinite(by_block)][None])
        return sign * mean, variance, count


def _moments(row: Array) -> tuple[float, float, int]:
    """Return the mean of the one row, the variance of the mean, and the count; NaN where there is none."""
    count = row.size
    return (float(row.mean()), float(_stdevs(row)[0]) ** 2 / count, count) if count else (math.nan, math.nan, 0)


def _sum(pair: tuple[str, str], log_mean: float, variances: Sequence[float], counts: Sequence[int]) -> Ratio:
    """Return the ratio whose logarithm is a sum of independent means, with these variances and numbers of values.

    Source: Welch (1947), Biometrika 34, 28-35; the degrees of freedom are his and Satterthwaite's.
    """
    log_mean, least = _snapped(log_mean), min(counts)
    if least < 2:
        return _summary(pair, log_mean, math.nan, least)
    error = math.sqrt(sum(variances))
    spread = sum(variance**2 / (count - 1) for variance, count in zip(variances, counts, strict=True))
    freedom = error**4 / spread if spread else least - 1
    return tested(*pair, log_mean, error * math.sqrt(least), least, freedom)


def _kept_of_pairs(present: Presence) -> list[tuple[int, ...]]:
    """Return of each pair the levels that its ratio is taken of; `present` is level x pair x block."""
    any_block = np.asarray(present.any(axis=2))
    is_whole = (present == any_block[:, :, None]).all(axis=(0, 2)) | (any_block.sum(axis=0) < 2)
    return [
        tuple(np.flatnonzero(any_block[:, pair]).tolist()) if is_whole[pair] else kept(present[:, pair])
        for pair in range(present.shape[1])
    ]


def _whole(present: Presence, rows: Sequence[int], but: int | None = None) -> int:
    """Return how many blocks have all the levels of these rows, but for one of them."""
    return int(present[[row for row in rows if row != but]].all(axis=0).sum())


def _block_means(differences: Array, over: Sequence[tuple[int, ...]]) -> Array:
    """Return the means over each pair's levels, pair x block; NaN where a block lacks one of them."""
    chosen = np.zeros(differences.shape[:2], dtype=bool)
    for pair, levels in enumerate(over):
        chosen[list(levels), pair] = True
    # A sum is NaN where one of its parts is; without any part it would be 0.
    sums = np.where(chosen[:, :, None], differences, 0.0).sum(axis=0)
    counts = chosen.sum(axis=0)
    return np.asarray(sums / np.where(counts > 0, counts, np.nan)[:, None])


def _means(values: Array, axis: int) -> Array:
    """Return the means of what is known along the axis; NaN where nothing is."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, axis=axis) / np.isfinite(values).sum(axis=axis))


def _stdevs(rows: Array) -> Array:
    """Return each row's standard deviation over what is known: NaN below two values, 0 where it is rounding."""
    known = np.isfinite(rows).sum(axis=1)
    squares = np.nansum((rows - _means(rows, axis=1)[:, None]) ** 2, axis=1)
    stdevs = np.sqrt(squares / np.where(known > 1, known - 1, np.nan))
    return np.where(stdevs < RESOLUTION, 0.0, stdevs)


def _snapped(value: float) -> float:
    """Return the logarithm, or 0 where it is nothing but rounding."""
    return 0.0 if abs(value) < RESOLUTION else value


@dataclass(frozen=True)
class Average:
    """An entry's geometric mean over the blocks, each block being that of its levels; `over` are these levels."""

    estimate: Estimate
    over: tuple[LevelKey, ...]


def over_levels(levels: Mapping[LevelKey, Cells]) -> dict[str, Average]:
    """Return the average of each entry that has a block, by level as `levels` is.

    A block that lacks one of the levels does not count, and a level that most blocks lack is left out (`stats.kept`).
    """
    entries = sorted({entry for cells in levels.values() for entry, blocks in cells.items() if blocks})
    return {entry: _average({level: levels[level].get(entry, {}) for level in sorted(levels)}) for entry in entries}


def by_block(levels: Sequence[Blocks]) -> dict[int, float]:
    """Return the geometric mean over the levels in each block that has them all."""
    whole = set(levels[0]).intersection(*levels[1:])
    return {block: geometric_mean([blocks[block] for blocks in levels]) for block in sorted(whole)}


def _average(levels: Mapping[LevelKey, Blocks]) -> Average:
    numbers = sorted({block for blocks in levels.values() for block in blocks})
    rows = kept(np.array([[block in blocks for block in numbers] for blocks in levels.values()]))
    over = tuple(list(levels)[row] for row in rows)
    mean = estimate(by_block([levels[level] for level in over]))
    assert mean is not None  # half of some level's blocks are whole
    return Average(mean, over)
