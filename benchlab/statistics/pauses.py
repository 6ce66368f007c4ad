"""How much of the clock that samples were timed by was spent on them: its pauses and jumps are left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from benchlab.core.measured import Sample

# What lies between two samples, starts and warm-ups of entries that fail among it, takes minutes at the most: more is a
# pause between two sittings, or a clock that was set.
PAUSE_S = 600


def spent_s(samples: Iterable[Sample]) -> float:
    """Return the seconds from the start of the first sample to the end of the last; 0 without a sample.

    Of a gap between two of them nothing counts where it is longer than PAUSE_S, or negative: the clock was set back.
    """
    ordered = sorted(samples, key=lambda sample: sample.started_at)
    gaps_s = [
        (after.started_at - before.started_at).total_seconds() - before.load.wall_us / 1e6
        for before, after in pairwise(ordered)
    ]
    return sum(sample.load.wall_us for sample in ordered) / 1e6 + sum(gap for gap in gaps_s if 0 < gap <= PAUSE_S)
