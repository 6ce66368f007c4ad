"""Label permutations: thousands of A/A trials from one run of equal entries. Pure.

Where entries are equal, any of them might have been called by any of their names, so each way to give the names out is
an A/A trial as good as the one that was made. Source: Fisher (1935), The Design of Experiments, section 21;
docs/method.md, section 9.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtr

from benchlab.records.plan import LevelKey
from benchlab.statistics import pooling
from benchlab.statistics.pooling import Array, Cells
from benchlab.statistics.stats import ALPHA

# So many numbers are drawn at once: some tens of megabytes.
AT_ONCE = 2_000_000


class Within(Enum):
    """What labels are permuted in: it stays as it was measured, and only who is who in it changes."""

    # An entry's rounds of a block keep one label: what a life of its container has to itself stays together.
    BLOCK = "block"
    # Each round at each level has a permutation of its own: lives are mixed, so only the noise of rounds is left.
    ROUND = "round"


@dataclass(frozen=True)
class Rejections:
    """How many of the trials told a pair apart at 5 %; a trial is one pair under one permutation.

    `low` and `high` bound the rate (95 %, `clopper_pearson`) as if the trials were independent. They are not:
    all are made of the same samples, so the interval shows how exactly the permutations were counted, not how the rate
    would differ in another run.
    """

    rejections: int
    trials: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        return self.rejections / self.trials


def rejections(levels: Mapping[LevelKey, Cells], within: Within, permutations: int, seed: int) -> Rejections | None:
    """Return how often pairs are told apart by the paired t-test over blocks, over all the levels together.

    Only rounds that all entries have count, and blocks with such rounds at all levels. None where fewer than two blocks
    or entries are left.
    """
    slices = _slices(levels)
    if slices is None:
        return None
    chance = np.random.default_rng(seed)
    rejected = sum(int((_p(logs) <= ALPHA).sum()) for logs in _permuted(slices, within, permutations, chance))
    entries = slices[0].shape[-1]
    trials = permutations * entries * (entries - 1) // 2
    return Rejections(rejected, trials, *clopper_pearson(rejected, trials))


def _slices(levels: Mapping[LevelKey, Cells]) -> tuple[Array, Array] | None:
    """Return numerators and denominators, block x level x round x entry; 0 where a block has fewer rounds."""
    names = sorted({name for cells in levels.values() for name, blocks in cells.items() if blocks})
    found: dict[int, list[tuple[Array, Array]]] = {}
    every = [set(cells.get(name, ())) for cells in levels.values() for name in names]
    for block in sorted(set.intersection(*every)) if every else []:
        parts = [_shared(cells, names, block) for cells in levels.values()]
        if all((of.sum(axis=0) > 0).all() for pair in parts for of in pair):
            found[block] = parts
    if len(found) < 2 or len(names) < 2:
        return None
    rounds = max(len(numerators) for parts in found.values() for numerators, _ in parts)
    shape = (len(found), len(levels), rounds, len(names))
    both = np.zeros((2, *shape))
    for place, parts in enumerate(found.values()):
        for level, pair in enumerate(parts):
            for which, of in enumerate(pair):
                both[which, place, level, : len(of)] = of
    return both[0], both[1]


def _shared(cells: Cells, names: Sequence[str], block: int) -> tuple[Array, Array]:
    """Return numerators and denominators, round x entry, of the rounds that all entries have."""
    numerators, denominators, present = pooling.parts(cells, names, block)
    shared = present.all(axis=0)
    return numerators[:, shared].T, denominators[:, shared].T


def _permuted(
    slices: tuple[Array, Array], within: Within, permutations: int, chance: np.random.Generator
) -> Iterator[Array]:
    """Yield logarithms over all levels, permutation x block x entry, some permutations at a time."""
    numerators, denominators = slices
    whole = _logs(numerators, denominators)
    size = whole.size if within is Within.BLOCK else numerators.size
    at_once = max(1, AT_ONCE // size)
    for done in range(0, permutations, at_once):
        count = min(at_once, permutations - done)
        if within is Within.BLOCK:
            labels = _labels((count, *whole.shape), chance)
            yield np.take_along_axis(np.broadcast_to(whole, labels.shape), labels, axis=-1)
        else:
            labels = _labels((count, *numerators.shape), chance)
            yield _logs(*(np.take_along_axis(np.broadcast_to(of, labels.shape), labels, axis=-1) for of in slices))


def _labels(shape: tuple[int, ...], chance: np.random.Generator) -> NDArray[np.intp]:
    """Return permutations of the last axis, each by itself."""
    return np.asarray(np.argsort(chance.random(shape, dtype=np.float32), axis=-1))


def _logs(numerators: Array, denominators: Array) -> Array:
    """Return the mean over levels of the logarithm of the pooled values: the axes level and round go."""
    return np.asarray(np.log(numerators.sum(axis=-2) / denominators.sum(axis=-2)).mean(axis=-2))


def _p(logs: Array) -> Array:
    """Return p of the paired t-test over blocks, permutation x pair. Without any spread it is 0, or 1 at 0."""
    blocks = logs.shape[1]
    first, second = np.triu_indices(logs.shape[2], k=1)
    differences = logs[:, :, first] - logs[:, :, second]
    means, errors = np.abs(differences.mean(axis=1)), differences.std(axis=1, ddof=1) / np.sqrt(blocks)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 * stdtr(blocks - 1, -np.where(means > 0, means / errors, 0.0)))


def clopper_pearson(count: int, trials: int) -> tuple[float, float]:
    """Return the bounds of a rate (95 %) of which so many of the independent trials are a sample.

    Source: Clopper and Pearson (1934), Biometrika 26, 404-413.
    """
    low = float(betaincinv(count, trials - count + 1, ALPHA / 2)) if count else 0.0
    high = float(betaincinv(count + 1, trials - count, 1 - ALPHA / 2)) if count < trials else 1.0
    return low, high
