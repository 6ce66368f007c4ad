"""Whether short slices give the rate of long samples, and of wrk typed by hand. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchlab.core.quantities import counted
from benchlab.selftest.check import Check
from benchlab.statistics import stats

# Ways of measuring the same: slices as the lab takes them, a sample as `study` takes it, and wrk as it is typed.
WAYS = SLICES, LONG, PLAIN = "slices", "a long sample", "plain wrk"
LIMIT, CONFIDENCE = 0.01, 0.90
# Requests per second of each way, by round.
Rates = Mapping[str, Sequence[float]]


def checks(rates: Mapping[str, Rates], is_full: bool) -> Iterator[Check]:
    """Yield for each test how the rate of slices compares with those of the other ways, in the same rounds.

    What so few rounds leave open fails the full version only.
    """
    for test, of_test in rates.items():
        for other in (LONG, PLAIN):
            yield _equal(f"bias: {test}, slices against {other}", of_test[SLICES], of_test[other], is_full)


def _equal(name: str, slices: Sequence[float], others: Sequence[float], is_full: bool) -> Check:
    """Return whether the interval of the ratio lies within the limit."""
    logs = [math.log(rate / other) for rate, other in zip(slices, others, strict=True)]
    goal = f"{CONFIDENCE:.0%} interval within ± {LIMIT:.0%}"
    if len(logs) < 2:
        return Check(name, "too few rounds", goal, False if is_full else None)
    middle, half = stats.mean_within(logs, 1 - CONFIDENCE)
    low, high = math.exp(middle - half), math.exp(middle + half)
    measured = f"{math.exp(middle):.3f} [{low:.3f}–{high:.3f}], {counted(len(logs), 'round')}"
    if low >= 1 - LIMIT and high <= 1 + LIMIT:
        return Check(name, measured, goal, True)
    is_open = low <= 1 + LIMIT and high >= 1 - LIMIT
    return Check(name, measured, goal, None if is_open and not is_full else False)
