"""Decides how many blocks a run gets: once, after its pilot, from spread and time, never from who is ahead."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import median

from benchlab.experiment import forecast
from benchlab.experiment.settings import MAX_BLOCKS
from benchlab.factors import catalog
from benchlab.records.run import Run, Sample
from benchlab.statistics import analysis, baseline, candidate, sequential
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.stats import Ratio

# One block has no spread.
LEAST_PILOT = 2
# What lies between two samples, starts and warm-ups of entries that fail among it, takes minutes at the most: more is a
# pause between two sittings, or a clock that was set.
PAUSE_S = 600


def block_s(run: Run) -> float:
    """Return how long a block of the run takes, the median: from the end of the one before to its own, without pauses.

    The first one, which has no other before it, counts only where it is the only one, with a guess of its start.
    Raises StatisticsError where the run has no samples.
    """
    taken: dict[int, list[Sample]] = defaultdict(list)
    for sample in run.taken:
        taken[sample.trial.block].append(sample)
    blocks = [samples for _, samples in sorted(taken.items())]
    if len(blocks) == 1:
        return spent_s(blocks[0]) + forecast.VISIT_S
    lasts = [max(samples, key=lambda sample: sample.started_at) for samples in blocks]
    return median(spent_s([last, *of]) - last.load.wall_us / 1e6 for last, of in zip(lasts, blocks[1:], strict=False))


def pilot_blocks(wanted: int, block_s: float, budget_s: int | None, groups: int = 1) -> int:
    """Return how many blocks to begin with: those wanted, or as many as the budget has time for, which may be none.

    `block_s` is what one is expected to take. Where `groups` take turns, each has as many.
    """
    return in_turns(wanted, groups) if budget_s is None else min(wanted, fitting_blocks(budget_s, block_s, groups))


def fitting_blocks(budget_s: float, block_s: float, groups: int = 1) -> int:
    """Return how many blocks of so many seconds the budget has time for in all, of each group as many."""
    return in_turns(min(MAX_BLOCKS, int(budget_s / block_s)), groups)


def in_turns(blocks: int, groups: int) -> int:
    """Return up to so many blocks, of which each group that takes turns has as many."""
    return blocks - blocks % max(1, groups)


def decisive(run: Run) -> tuple[Ratio, ...]:
    """Return the ratios that the number of blocks is decided by: those that the report leads with.

    Every two entries over all levels of a test, in the metric that ranks them, in all that may where none does; of a
    run with a control those with it, each by its own interval; in a run of versions what the gate looks at, new to old
    in each metric over all levels. Single levels have no say: the widest of many would ask for twice the blocks that
    any sentence is in need of.
    """
    if catalog.compares_versions(run.manifest.settings):
        versions = candidate.rows(*baseline.of_versions(run))
        return tuple(row.ratio for row in versions if row.level is ALL_LEVELS)
    comparisons = [
        comparison
        for result in analysis.analyse(run)
        for comparison in (
            (result.informing[result.basis],)
            if result.basis
            else map(result.informing.__getitem__, result.measures.ranking)
        )
    ]
    return tuple(pair.ratio for comparison in comparisons for pair in comparison.pairs)


class Because(Enum):
    """Why a run gets so many blocks."""

    # Without a precision: what the budget has time for.
    BUDGET = "budget"
    NO_PAIR = "no pair to compare"
    NO_SPREAD = "no pair with two blocks in common"
    PRECISION = "the pilot's spread"
    # The precision would take more than these.
    BUDGET_BEFORE_PRECISION = "budget before precision"
    MOST_BEFORE_PRECISION = "the most that a run can have"


@dataclass(frozen=True)
class Size:
    """How many blocks a run gets in all, and why; `needed` are those that its precision takes, where that is known."""

    blocks: int
    because: Because
    needed: int | None = None


def decide(
    ratios: Sequence[Ratio], pilot: int, precision: float | None, block_s: float, left_s: float | None, groups: int = 1
) -> Size:
    """Return how many blocks the run gets in all, and why.

    `ratios` are those that must become as precise as asked for, `block_s` is what a block of the pilot took, `left_s`
    what is left of the budget, None without one. With a precision (0.03: intervals of ± 3 %) they are as many as
    Stein's rule asks for, within the budget; without, what the budget has time for. A ratio has the blocks of its
    group, of which `groups` take turns.
    """
    fitting = MAX_BLOCKS if left_s is None else pilot + max(0, math.floor(left_s / block_s))
    most = max(pilot, in_turns(min(MAX_BLOCKS, fitting), groups))
    if precision is None:
        return Size(most, Because.BUDGET)
    if all(ratio.stdev is None for ratio in ratios):
        return Size(pilot, Because.NO_SPREAD if ratios else Because.NO_PAIR)
    needed = max(pilot, groups * sequential.blocks_needed(ratios, precision))
    if needed <= most:
        return Size(needed, Because.PRECISION, needed)
    capped = Because.MOST_BEFORE_PRECISION if left_s is None else Because.BUDGET_BEFORE_PRECISION
    return Size(most, capped, needed)


def reached(ratios: Iterable[Ratio]) -> float | None:
    """Return the widest relative half-width of the ratios that have an interval; None where none has."""
    return max((ratio.half_width for ratio in ratios if ratio.half_width is not None), default=None)


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
