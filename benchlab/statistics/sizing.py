"""Decides how many blocks a run gets: once, after its pilot, from spread and time, never from who is ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median

from benchlab.core.errors import ConfigError
from benchlab.core.measured import Decision, Run
from benchlab.plan import forecast
from benchlab.plan.forecast import minutes
from benchlab.plan.profiles import MAX_BLOCKS
from benchlab.statistics import sequential
from benchlab.statistics.analysis import Result
from benchlab.statistics.stats import Ratio

# One block has no spread.
LEAST_PILOT = 2


def block_s(run: Run) -> float:
    """Return how long a block of the run takes: the median from the first sample of one to the end of its last.

    A pause between two sittings, or a clock that was set, lies inside one block, which does not move the median much.
    """
    spans: dict[int, list[float]] = {}
    for sample in run.taken:
        began_s = sample.started_at.timestamp()
        spans.setdefault(sample.trial.block, []).extend((began_s, began_s + sample.load.wall_us / 1e6))
    # The start of a block's first entry comes before its first sample.
    return median(max(times) - min(times) for times in spans.values()) + forecast.VISIT_S


def pilot_blocks(wanted: int, block_s: float, budget_s: int | None) -> int:
    """Return how many blocks to begin with: those wanted, or as many as the budget has time for.

    Raises ConfigError where it has no time for a single one; `block_s` is what one is expected to take.
    """
    if budget_s is None:
        return wanted
    fitting = int(budget_s / block_s)
    if fitting < 1:
        raise ConfigError(
            f"--budget {minutes(budget_s)}: one block takes about {minutes(block_s)}; "
            "give more time, or choose fewer entries, tests or levels"
        )
    return min(wanted, fitting)


def decide(
    results: Iterable[Result], pilot: int, precision: float | None, block_s: float, left_s: float | None, now: datetime
) -> Decision:
    """Return how many blocks the run gets in all, and why.

    `block_s` is what a block of the pilot took, `left_s` what is left of the budget, None without one. With a
    precision (0.03: intervals of ± 3 %) they are as many as Stein's rule asks for, within the budget; without, what the
    budget has time for.
    """
    fitting = MAX_BLOCKS if left_s is None else pilot + max(0, math.floor(left_s / block_s))
    most = min(MAX_BLOCKS, fitting)
    if precision is None:
        return Decision(now, pilot, most, None, f"what the budget has time for, at {minutes(block_s)} a block")
    pairs = _pairs(results)
    if all(ratio.stdev is None for ratio in pairs):
        return Decision(now, pilot, pilot, None, "no pair has two blocks in common, so no spread is known to decide by")
    needed = max(pilot, sequential.blocks_needed(pairs, precision))
    if needed <= most:
        return Decision(now, pilot, needed, needed, f"the pilot's spread asks for {needed} for ± {precision:.1%}")
    cap = "the budget has time for" if left_s is not None else "a run can have"
    return Decision(
        now,
        pilot,
        most,
        needed,
        f"± {precision:.1%} would take {needed}; {most} are what {cap}: it will be less precise",
    )


def reached(results: Iterable[Result]) -> float | None:
    """Return the widest relative half-width of any pair at any level; None where no pair has an interval."""
    widths = [ratio.half_width for ratio in _pairs(results) if ratio.half_width is not None]
    return max(widths, default=None)


def _pairs(results: Iterable[Result]) -> Sequence[Ratio]:
    return [pair.ratio for result in results for compared in result.levels.values() for pair in compared.pairs]
