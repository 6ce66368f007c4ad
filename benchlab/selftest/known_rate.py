"""A server of known rate: how far slices are off connections / 10 ms. Pure.

Each connection is answered every 10 ms on a schedule of its own, so that the rate is that however late timers are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from benchlab.records.plan import Level
from benchlab.records.run import Run
from benchlab.selftest import check
from benchlab.selftest.check import Check
from benchlab.statistics import stats

# In the entry's environment.
VARIABLE, PERIOD_MS = "LAB_PERIOD_MS", 10
LIMIT = 0.01


def checks(run: Run) -> Iterator[Check]:
    """Yield how the rates of slices compare with the known one, with a 95 % interval over the slices."""
    yield check.complete("the entry of known rate", run)
    logs: dict[Level, list[float]] = defaultdict(list)
    for sample in run.samples:
        level, rate = sample.trial.level, sample.load.requests_per_second
        if rate:
            logs[level].append(math.log(rate / (level.connections * 1000 / PERIOD_MS)))
    for level, of_level in sorted(logs.items()):
        yield _trueness(f"trueness: {level.connections * 1000 / PERIOD_MS:,.0f} requests/s", of_level)


def _trueness(name: str, logs: list[float]) -> Check:
    goal = f"within ± {LIMIT:.0%}"
    if len(logs) < 2:
        return Check(name, "too few slices", goal, False)
    middle, half = stats.mean_within(logs)
    low, high = math.exp(middle - half), math.exp(middle + half)
    measured = f"{math.exp(middle):.4f} [{low:.4f}–{high:.4f}] of it, {len(logs)} slices"
    return Check(name, measured, goal, low >= 1 - LIMIT and high <= 1 + LIMIT)
