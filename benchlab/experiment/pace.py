"""Decides how slices are taken: how long at the least, and how many rounds of each test in a block. Pure.

Source: docs/method.md, section 1.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchlab.records.plan import Level

# By then wrk's connections are open. Chosen, not measured.
LEAST_RAMP_MS = 85
# What a slice takes beside its load: wrk's start and end, readings, and the wait until servers are done with the one
# before, in times of a connection's wait for its answers.
BESIDE_S, DRAIN_WAITS = 0.06, 0.5
# However little time a block has, every test has a round in it.
LEAST_ROUNDS, MOST_ROUNDS = 1, 500


@dataclass(frozen=True)
class SliceLength:
    """How long a slice is loaded before it is counted, and then counted, in milliseconds, at the least."""

    ramp_ms: int
    window_ms: int


@dataclass(frozen=True)
class Rate:
    """What a warm-up showed at a level: requests per second, more than 0."""

    level: Level
    per_s: float

    @property
    def wait_s(self) -> float:
        """Return how long a connection waits for its answers: requests in flight over rate (Little's law)."""
        return self.level.connections * self.level.pipeline / self.per_s


def length(window_s: float) -> SliceLength:
    """Return the length of slices that are counted for so long at the least."""
    return SliceLength(LEAST_RAMP_MS, round(1000 * window_s))


def slice_s(levels: Sequence[Level], rates: Mapping[str, Sequence[Rate]], least: SliceLength) -> float:
    """Return how long a slice takes on average, over entries and levels, with all that is beside its load.

    `rates` has each entry's at one level or more; between these, and beyond, the wait is taken to grow in line with
    what varies.
    """
    return mean(_slice_s(_wait_s(level, of), least) for of in rates.values() for level in levels)


def rounds(slices_s: Mapping[str, float], levels: Mapping[str, int], block_s: float) -> dict[str, int]:
    """Return how many rounds each test gets in a block of two entries that takes `block_s`.

    `slices_s` is how long a slice of each takes, and `levels` how many it has. Where a pair takes four times as long,
    there are half as many pairs: of all ways to share the time out, this one makes the variances of the tests' ratios,
    over all levels, least in sum (Neyman 1934), if pairs spread alike.
    """
    roots = sum(map(math.sqrt, slices_s.values()))
    pairs = {test: block_s / (2 * roots * math.sqrt(each_s)) for test, each_s in slices_s.items()}
    return {test: min(MOST_ROUNDS, max(LEAST_ROUNDS, round(pairs[test] / levels[test]))) for test in slices_s}


def _slice_s(wait_s: float, least: SliceLength) -> float:
    """Return how long a slice takes: its window is some waits of a connection, and begins when the first is over."""
    ramp_s, window_s = max(least.ramp_ms / 1000, wait_s), max(least.window_ms / 1000 + wait_s / 2, wait_s)
    return ramp_s + window_s + BESIDE_S + DRAIN_WAITS * wait_s


def _wait_s(level: Level, rates: Sequence[Rate]) -> float:
    known = sorted((rate.level.key.value, rate.wait_s) for rate in rates)
    if len(known) < 2 or known[0][0] == known[-1][0]:
        (value, wait) = known[-1]
        return wait * level.key.value / value
    (least, least_wait), (most, most_wait) = known[0], known[-1]
    slope = (most_wait - least_wait) / (most - least)
    return max(0.0, least_wait + slope * (level.key.value - least))
