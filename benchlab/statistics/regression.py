"""Says whether anything got slower: the gate of a candidate against its baseline, once all is measured.

The gate that looks while a run goes on is in `interim`; this one is of runs that had none: those at different times,
and those measured without a margin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from benchlab.load.metrics import Better
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import ComparedRuns, Design
from benchlab.statistics.candidate import Row, Uncompared
from benchlab.statistics.comparison import LEAST_BLOCKS, Outcome

# The gate's answers, which are its exit codes; 2 is an error everywhere.
NO_REGRESSION, REGRESSION, UNDECIDED = 0, 1, 3
# Days of baseline or candidate that show how much days differ; on fewer there is no outcome, as on as few blocks.
LEAST_DAYS = LEAST_BLOCKS


class Need(Enum):
    """What would make a row exclude the limit."""

    # No block, or day, has all levels.
    A_WHOLE_BLOCK = "a block with all levels"
    # There is no outcome on so few.
    LEAST_BLOCKS = "as many as an outcome takes"
    # The estimate itself lies beyond the limit: if it stays there, nothing does.
    ANOTHER_ESTIMATE = "another estimate"
    MORE_BLOCKS = "more blocks"


@dataclass(frozen=True)
class Open:
    """Rows that do not exclude the limit, and what would make them; `blocks` is how many, or days, it would take."""

    need: Need
    rows: tuple[Row, ...]
    blocks: int = 0


@dataclass(frozen=True)
class Doubts:
    """Why a regression is not excluded.

    `levels` are slower though the mean over all levels is not; `lacking` are means that lack some levels; `uncompared`
    counts the parts that could not be compared.
    """

    are_two_runs: bool = False
    open: tuple[Open, ...] = ()
    levels: tuple[Row, ...] = ()
    lacking: tuple[Row, ...] = ()
    uncompared: int = 0
    is_nothing_compared: bool = False
    awaits_look: bool = False


# A run ended before the first of its looks.
NO_LOOK = Doubts(awaits_look=True)


@dataclass(frozen=True)
class Gate:
    """The answer to "did anything get slower by the margin?": an exit code, and what it follows from.

    A regression is shown by the rows `slower`; without one there are doubts, or the nearest bounds of all intervals to
    the limit: the lowest of what is better higher, the highest of what is better lower.
    """

    exit_code: int
    margin: float
    slower: tuple[Row, ...] = ()
    doubts: Doubts | None = None
    lowest: float | None = None
    highest: float | None = None


def gate(rows: Iterable[Row], margin: float, uncompared: Sequence[Uncompared] = ()) -> Gate:
    """Return whether anything got slower by `margin`, a share such as 0.03.

    A regression is shown where a row over all levels says slower, after Holm over all tests and metrics, and one of the
    margin's size cannot be excluded. It is shown at a single level where that says slower, after Holm over all of them,
    and its whole 95 % interval lies beyond the limit: a mean over levels can hide one that lost much. Each of the two
    families calls an unchanged entry slower in 2.5 % at the most, so that both do in 5 %.

    The limit is 1 - margin; of a metric of which lower is better, 1 + margin. A regression is excluded where the
    interval of every row over all levels lies within the limit, and that of every level that says slower, too. It is
    never excluded where something is `uncompared`, or by two runs at two times.
    """
    rows = list(rows)
    if any(row.design is Design.TWO_RUNS for row in rows):
        return Gate(UNDECIDED, margin, doubts=Doubts(are_two_runs=True, uncompared=len(uncompared)))
    overall = [row for row in rows if row.level is ALL_LEVELS]
    slower = [row for row in rows if row.pair.outcome is Outcome.SLOWER and not excludes(row, margin)]
    if shown := tuple(_shown(slower, margin)):
        return Gate(REGRESSION, margin, shown)
    doubts = Doubts(
        open=tuple(_open([row for row in overall if not excludes(row, margin)], margin)),
        levels=tuple(row for row in slower if row.level is not ALL_LEVELS),
        lacking=tuple(row for row in overall if row.over),
        uncompared=len(uncompared),
        is_nothing_compared=not overall,
    )
    if doubts != Doubts():
        return Gate(UNDECIDED, margin, doubts=doubts)
    lows = [row.ratio.low for row in overall if row.metric.better is Better.HIGHER and row.ratio.low is not None]
    highs = [row.ratio.high for row in overall if row.metric.better is Better.LOWER and row.ratio.high is not None]
    return Gate(NO_REGRESSION, margin, lowest=min(lows, default=None), highest=max(highs, default=None))


def has_too_few_days(baseline: ComparedRuns, candidate: ComparedRuns) -> bool:
    """Return whether the runs are of too few days to pass or fail a gate."""
    return min(max(baseline.days), max(candidate.days)) < LEAST_DAYS


def counts_once(baseline: ComparedRuns, candidate: ComparedRuns) -> bool:
    """Return whether some runs are of one day, and so count once."""
    return any(len(of.runs) != max(of.days) for of in (baseline, candidate))


def limit(row: Row, margin: float) -> float:
    """Return the limit of the row's ratio: a row whose whole interval lies within it excludes a regression."""
    return row.metric.better.limit(margin)


def excludes(row: Row, margin: float) -> bool:
    """Return whether the row says that a regression by the margin did not happen."""
    low, high = row.ratio.low, row.ratio.high
    if row.pair.adjusted_p is None or low is None or high is None:
        return False
    return low > limit(row, margin) if row.metric.better is Better.HIGHER else high < limit(row, margin)


def _is_beyond(row: Row, margin: float) -> bool:
    """Return whether the row's whole interval lies beyond the limit."""
    low, high = row.ratio.low, row.ratio.high
    if low is None or high is None:
        return False
    return high < limit(row, margin) if row.metric.better is Better.HIGHER else low > limit(row, margin)


def _shown(slower: Sequence[Row], margin: float) -> Iterator[Row]:
    """Yield the rows that show a regression: those over all levels, then single levels of others."""
    overall = [row for row in slower if row.level is ALL_LEVELS]
    yield from overall
    shown = {(row.entry, row.test, row.metric) for row in overall}
    for row in slower:
        if _is_beyond(row, margin) and (row.entry, row.test, row.metric) not in shown:
            yield row


def _open(rows: Iterable[Row], margin: float) -> Iterator[Open]:
    """Yield rows by what would make them exclude the limit, those that more blocks or days would last."""
    by_need: dict[tuple[Need, Better | None], list[Row]] = {}
    for row in rows:
        need = _need(row, margin)
        # Beyond the limit is below it or above it, depending on which is better.
        by_need.setdefault((need, row.metric.better if need is Need.ANOTHER_ESTIMATE else None), []).append(row)
    noisy = by_need.pop((Need.MORE_BLOCKS, None), [])
    yield from (Open(need, tuple(of)) for (need, _), of in by_need.items())
    if noisy:
        yield Open(Need.MORE_BLOCKS, tuple(noisy), max(_blocks(row, margin) for row in noisy))


def _need(row: Row, margin: float) -> Need:
    if not row.ratio.blocks:
        return Need.A_WHOLE_BLOCK
    if row.pair.adjusted_p is None:
        return Need.LEAST_BLOCKS
    better = row.metric.better
    if better.gain(row.ratio.ratio) <= better.gain(limit(row, margin)):
        return Need.ANOTHER_ESTIMATE
    return Need.MORE_BLOCKS


def _blocks(row: Row, margin: float) -> int:
    """Return how many blocks would bring the whole interval within the limit: more than there are.

    An interval narrows with the root of the blocks. It is the one shown that counts: after a pilot it can be wider than
    the spread of all blocks makes it.
    """
    ratio = row.ratio
    reach, room = math.log1p(ratio.half_width or 0.0), abs(math.log(ratio.ratio / limit(row, margin)))
    return max(ratio.blocks + 1, math.ceil(ratio.blocks * (reach / room) ** 2))
