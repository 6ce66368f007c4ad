"""The figure of an entry over all of its levels. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import geometric_mean

from benchlab.statistics import stats
from benchlab.statistics.stats import Blocks, Cells, Estimate


def over_levels(levels: Iterable[Cells]) -> dict[str, Estimate]:
    """Return for each entry its geometric mean over the blocks, each block being the geometric mean of its levels.

    A block that lacks one of the entry's levels does not count, and an entry without any block is left out.
    """
    by_entry: dict[str, list[Blocks]] = defaultdict(list)
    for cells in levels:
        for entry, blocks in cells.items():
            by_entry[entry].append(blocks)
    means = {entry: stats.estimate(by_block(of_levels)) for entry, of_levels in by_entry.items()}
    return {entry: mean for entry, mean in means.items() if mean is not None}


def by_block(levels: Sequence[Blocks]) -> dict[int, float]:
    """Return the geometric mean over the levels in each block that has them all."""
    whole = set(levels[0]).intersection(*levels[1:])
    return {block: geometric_mean([blocks[block] for blocks in levels]) for block in sorted(whole)}
