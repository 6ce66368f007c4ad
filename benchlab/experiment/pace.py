"""Decides how slices are taken: how long at each level, and how many rounds of each test in a block. Pure.

Source: docs/method.md, section 1.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchlab.records.plan import Level
from benchlab.records.run import SliceLength

# A server that works on all requests at once answers none of a launch before a connection's whole wait, L = requests
# in flight / rate, and then nearly all of them, again and again. So this long is loaded before it is counted, in times
# of L and at least, and counted after it: one L has as many answers wherever it begins.
RAMP_WAITS, LEAST_RAMP_S = 1.0, 0.085
WINDOW_WAITS = 1.0
# wrk's threads look ten times a second whether they are to end: a slice that is over just before costs no wait. By then
# its connections have taken some ms to open.
TICK_MS, BEFORE_TICK_MS = 100, 15
# Neither part of a slice is longer for what its server waits for.
MOST_SLICE_S = 30.0
# What a slice takes beside its load: wrk's start and end, readings, and the wait until servers are done with the one
# before, which is up to one wait more.
BESIDE_S, DRAIN_WAITS = 0.06, 0.5
# A test whose rounds take longest still has so many in a block.
LEAST_ROUNDS = 1
MOST_ROUNDS = 500


@dataclass(frozen=True)
class Rate:
    """What a warm-up showed at a level: requests per second, 0 where nothing came."""

    level: Level
    per_s: float

    @property
    def wait_s(self) -> float:
        """Return how long a connection waits for its answers: requests in flight over rate (Little's law)."""
        return self.level.connections * self.level.pipeline / self.per_s if self.per_s else MOST_SLICE_S


def lengths(levels: Sequence[Level], rates: Mapping[str, Sequence[Rate]], least_s: float) -> tuple[SliceLength, ...]:
    """Return how long a slice of each entry is at each level: as long as its own server needs it.

    `rates` has each entry's at one level or more; between these, and beyond, the wait is taken to grow in line with
    what varies.
    """
    return tuple(_length(entry, level, _wait_s(level, of), least_s) for entry, of in rates.items() for level in levels)


def wait_s(length: SliceLength) -> float:
    """Return the wait that a slice of this length was made for, at the most."""
    return length.ramp_ms / 1000 / RAMP_WAITS


def slice_s(lengths: Sequence[SliceLength]) -> float:
    """Return how long a slice takes on average, with all that is beside its load, over entries and levels."""
    return mean(each.loaded_s + BESIDE_S + DRAIN_WAITS * wait_s(each) for each in lengths)


def rounds(tests: Mapping[str, Sequence[SliceLength]], block_s: float) -> dict[str, int]:
    """Return how many rounds each test gets in a block of two entries that takes `block_s`.

    Where a pair takes four times as long, there are half as many pairs: of all ways to share the time out, this one
    makes the variances of the tests' ratios, over all levels, least in sum (Neyman 1934), if pairs spread alike.
    """
    pair_s = {test: 2 * slice_s(lengths) for test, lengths in tests.items()}
    levels = {test: len({each.level for each in of}) for test, of in tests.items()}
    roots = sum(map(math.sqrt, pair_s.values()))
    pairs = {test: block_s / (roots * math.sqrt(each_s)) for test, each_s in pair_s.items()}
    return {test: min(MOST_ROUNDS, max(LEAST_ROUNDS, round(pairs[test] / levels[test]))) for test in tests}


def _length(entry: str, level: Level, wait: float, least_s: float) -> SliceLength:
    ramp_s = min(MOST_SLICE_S, max(LEAST_RAMP_S, RAMP_WAITS * wait))
    window_s = max(least_s, min(MOST_SLICE_S, WINDOW_WAITS * wait))
    window_ms = round(1000 * window_s)
    loaded_ms = round(1000 * ramp_s) + window_ms + BEFORE_TICK_MS
    ramp_ms = -(-loaded_ms // TICK_MS) * TICK_MS - BEFORE_TICK_MS - window_ms
    return SliceLength(entry, level.key, ramp_ms, window_ms)


def _wait_s(level: Level, rates: Sequence[Rate]) -> float:
    known = sorted((rate.level.key.value, rate.wait_s) for rate in rates)
    if len(known) < 2 or known[0][0] == known[-1][0]:
        (value, wait) = known[-1]
        return wait * level.key.value / value
    (least, least_wait), (most, most_wait) = known[0], known[-1]
    slope = (most_wait - least_wait) / (most - least)
    return max(0.0, least_wait + slope * (level.key.value - least))
