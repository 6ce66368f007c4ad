"""The figure of an entry over all of its levels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

import numpy as np

from benchlab.statistics import stats
from benchlab.statistics.stats import Blocks, Cells, Estimate


@dataclass(frozen=True)
class Average:
    """An entry's geometric mean over the blocks, each block being that of its levels; `over` are these levels."""

    estimate: Estimate
    over: tuple[int, ...]


def over_levels(levels: Mapping[int, Cells]) -> dict[str, Average]:
    """Return the average of each entry that has a block, by level as `levels` is.

    A block that lacks one of the levels does not count, and a level that most blocks lack is left out (`stats.kept`).
    """
    entries = sorted({entry for cells in levels.values() for entry, blocks in cells.items() if blocks})
    return {entry: _average({level: levels[level].get(entry, {}) for level in sorted(levels)}) for entry in entries}


def by_block(levels: Sequence[Blocks]) -> dict[int, float]:
    """Return the geometric mean over the levels in each block that has them all."""
    whole = set(levels[0]).intersection(*levels[1:])
    return {block: geometric_mean([blocks[block] for blocks in levels]) for block in sorted(whole)}


def _average(levels: Mapping[int, Blocks]) -> Average:
    numbers = sorted({block for blocks in levels.values() for block in blocks})
    rows = stats.kept(np.array([[block in blocks for block in numbers] for blocks in levels.values()]))
    over = tuple(list(levels)[row] for row in rows)
    estimate = stats.estimate(by_block([levels[level] for level in over]))
    assert estimate is not None  # half of some level's blocks are whole
    return Average(estimate, over)
