"""Says whether anything got slower: the gate of new held against old."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.statistics import baseline
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import BREAK_HOURS, Design, Side
from benchlab.statistics.candidate import Row
from benchlab.statistics.comparison import LEAST_BLOCKS, Outcome
from benchlab.statistics.metrics import Better

# The gate's answers, which are its exit codes; 2 is an error everywhere.
NO_REGRESSION, REGRESSION, UNDECIDED = 0, 1, 3
# Days of a side that show how much days differ; on fewer there is no outcome, as on as few blocks.
LEAST_DAYS = LEAST_BLOCKS
COUNTED_ONCE = f"runs of a side that began less than {BREAK_HOURS} hours apart count once"
TWO_RUNS = "two runs at two times show how they differ, not whether the entry does"


@dataclass(frozen=True)
class Gate:
    """The answer to "did anything get slower by a margin?": an exit code, and why in one line."""

    exit_code: int
    reason: str


def gate(found: Iterable[Row], margin: float, untold: Sequence[str] = ()) -> Gate:
    """Return whether anything got slower by `margin`, a share such as 0.03.

    A regression is shown where a row over all levels says slower, after Holm over all tests and metrics, and one of the
    margin's size cannot be excluded. It is shown at a single level where that says slower, after Holm over all of them,
    and its whole 95 % interval lies beyond the limit: a mean over levels can hide one that lost much. Each of the two
    families calls an unchanged entry slower in 2.5 % at the most, so that both do in 5 %.

    The limit is 1 - margin; of a metric of which lower is better, 1 + margin. A regression is excluded where the
    interval of every row over all levels lies on the good side of the limit, and that of every level that says slower,
    too. Of what is `untold` it never is, nor by two runs at two times.
    """
    rows = list(found)
    if any(row.design is Design.TWO_RUNS for row in rows):
        return _undecided(margin, [TWO_RUNS, *_silence(untold)])
    overall = [row for row in rows if row.level is ALL_LEVELS]
    open_rows = [row for row in overall if not _excludes(row, margin)]
    slower = [row for row in rows if row.pair.outcome is Outcome.SLOWER and not _excludes(row, margin)]
    if shown := list(_shown(slower, margin)):
        return Gate(REGRESSION, f"slower: {'; '.join(_named(row, margin) for row in shown)}")
    doubts = [
        *_noise(open_rows, margin),
        *_levels(slower, margin),
        *_lacking(overall),
        *_silence(untold),
        *([] if overall else ["nothing was compared"]),
    ]
    if doubts:
        return _undecided(margin, doubts)
    return Gate(
        NO_REGRESSION,
        f"no regression: each test's mean over its levels is {' and '.join(_within(overall, margin))}, and no level is "
        f"shown to be slower by as much as {_percent(margin)}",
    )


def too_few_days(old: Side, new: Side) -> str:
    """Return why runs of so few days, at different times, pass no gate and fail none; nothing where they may."""
    if min(max(old.days), max(new.days)) >= LEAST_DAYS:
        return ""
    are_two = len(old.runs) == len(new.runs) == 1
    runs = "two runs at two times" if are_two else baseline.counts(old, new)
    count_as = "" if are_two else f", and {COUNTED_ONCE}"
    return (
        f"{runs} cannot pass or fail a gate, because runs of an unchanged entry differ by some per cent from day to "
        f"day{count_as}; measure each side on {LEAST_DAYS} days or more, best old and new in turns on each of them "
        "(--old DIR DIR DIR --new DIR DIR DIR), or both versions in one run with --against"
    )


def counted_once(old: Side, new: Side) -> str:
    """Return that some runs are of one day, and so count once; nothing where each has a day of its own."""
    if all(len(side.runs) == max(side.days) for side in (old, new)):
        return ""
    return f"{baseline.counts(old, new)} are compared by day: {COUNTED_ONCE}"


def _undecided(margin: float, doubts: Sequence[str]) -> Gate:
    doubted = "; and ".join(doubts)
    return Gate(UNDECIDED, f"a regression of {_percent(margin)} is neither shown nor excluded: {doubted}")


def _limit(row: Row, margin: float) -> float:
    return row.metric.better.limit(margin)


def _excludes(row: Row, margin: float) -> bool:
    """Return whether the row says that a regression by the margin did not happen."""
    low, high = row.ratio.low, row.ratio.high
    if row.pair.adjusted_p is None or low is None or high is None:
        return False
    return low > _limit(row, margin) if row.metric.better is Better.HIGHER else high < _limit(row, margin)


def _is_beyond(row: Row, margin: float) -> bool:
    """Return whether the row's whole interval lies on the bad side of the limit."""
    low, high = row.ratio.low, row.ratio.high
    if low is None or high is None:
        return False
    return high < _limit(row, margin) if row.metric.better is Better.HIGHER else low > _limit(row, margin)


def _within(overall: Sequence[Row], margin: float) -> Iterator[str]:
    """Yield on which side of the limit the means are, and how near the nearest interval comes to it."""
    lows = [row.ratio.low for row in overall if row.metric.better is Better.HIGHER and row.ratio.low is not None]
    highs = [row.ratio.high for row in overall if row.metric.better is Better.LOWER and row.ratio.high is not None]
    if lows:
        limit = Better.HIGHER.limit(margin)
        begins = f"the lowest 95 % interval begins at {quantities.ratio(min(lows), limit)}"
        yield f"above {limit:.10g} of what it was ({begins})"
    if highs:
        limit = Better.LOWER.limit(margin)
        ends = f"the highest 95 % interval ends at {quantities.ratio(max(highs), limit)}"
        yield f"{'where lower is better, ' if lows else ''}below {limit:.10g} of what it was ({ends})"


def _shown(slower: Sequence[Row], margin: float) -> Iterator[Row]:
    """Yield the rows that show a regression: over all levels, and of what is not among these at single ones."""
    overall = [row for row in slower if row.level is ALL_LEVELS]
    yield from overall
    shown = {(row.entry, row.test, row.metric) for row in overall}
    for row in slower:
        if _is_beyond(row, margin) and (row.entry, row.test, row.metric) not in shown:
            yield row


def _noise(rows: Sequence[Row], margin: float) -> Iterator[str]:
    """Yield which rows do not exclude the limit, by what would make them."""
    for needed, of in _by_need(rows, margin):
        yield f"not known well enough ({needed}): {'; '.join(_named(row, margin) for row in of)}"


def _by_need(rows: Iterable[Row], margin: float) -> Iterator[tuple[str, list[Row]]]:
    """Yield rows by what would exclude the limit: what they need first, or so many blocks, or days, if they stayed."""
    by_need: dict[str, list[Row]] = {}
    for row in rows:
        by_need.setdefault(_needed_first(row, margin), []).append(row)
    noisy = by_need.pop("", [])
    yield from by_need.items()
    if noisy:
        most = max(_blocks(row, margin) for row in noisy)
        yield f"it would take about {counted(most, noisy[0].design.unit)}", noisy


def _levels(slower: Sequence[Row], margin: float) -> Iterator[str]:
    """Yield which single levels are slower, by how much, though the mean over all levels is not."""
    if levels := [row for row in slower if row.level is not ALL_LEVELS]:
        rows = "; ".join(_named(row, margin) for row in levels)
        yield f"slower at {counted(len(levels), 'level')}, and maybe by {_percent(margin)}: {rows}"


def _lacking(overall: Sequence[Row]) -> Iterator[str]:
    """Yield which means over levels lack some of them."""
    for row in overall:
        if row.over:
            yield f"{row.entry} {row.test} {row.metric.name} is a mean over {row.where}"


def _silence(untold: Sequence[str]) -> Iterator[str]:
    """Yield that something is untold; what, and why, is told beside every answer."""
    if untold:
        yield f"nothing can be said of {counted(len(untold), 'part')} of the comparison"


def _needed_first(row: Row, margin: float) -> str:
    """Return what is in the way of excluding the limit by more of the same; nothing where that is noise alone."""
    unit = row.design.unit
    if not row.ratio.blocks:
        return f"no {unit} has all levels"
    if row.pair.adjusted_p is None:
        return f"it takes at least {counted(LEAST_BLOCKS, unit)}"
    better = row.metric.better
    if better.gain(row.ratio.ratio) <= better.gain(_limit(row, margin)):
        side = "below" if better is Better.HIGHER else "above"
        return f"so far the estimate itself lies {side} the limit; if it stays there, no number of {unit}s excludes it"
    return ""


def _blocks(row: Row, margin: float) -> int:
    """Return how many blocks would bring the whole interval to the good side of the limit: more than there are.

    An interval narrows with the root of the blocks. It is the one shown that counts: after a pilot it can be wider than
    the spread of all blocks makes it.
    """
    ratio = row.ratio
    reach, room = math.log1p(ratio.half_width or 0.0), abs(math.log(ratio.ratio / _limit(row, margin)))
    return max(ratio.blocks + 1, math.ceil(ratio.blocks * (reach / room) ** 2))


def _named(row: Row, margin: float) -> str:
    """Return the row with the 95 % interval, which the gate decides by."""
    at = "" if row.level is ALL_LEVELS and row.over is None else f" at {row.where}"
    limit = _limit(row, margin)
    bounds = quantities.bounds(row.ratio.low, row.ratio.high, limit)
    return f"{row.entry} {row.test}{at} {row.metric.name} {quantities.ratio(row.ratio.ratio, limit)}{bounds}"


def _percent(margin: float) -> str:
    return f"{100 * margin:.10g}%"
