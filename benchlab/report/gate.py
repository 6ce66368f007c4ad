"""The gate's decision in sentences: why it passes, fails, or decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.experiment.settings import AGAINST
from benchlab.load.metrics import Better
from benchlab.report import outcomes
from benchlab.statistics import regression
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import BREAK_HOURS, ComparedRuns
from benchlab.statistics.candidate import Row
from benchlab.statistics.comparison import LEAST_BLOCKS
from benchlab.statistics.regression import LEAST_DAYS, REGRESSION, Doubts, Gate, Need, Open

COUNTED_ONCE = f"old runs that began less than {BREAK_HOURS} hours apart count once, and so do new ones"


def reason(gate: Gate) -> str:
    """Return the reason for the gate's decision, in one line."""
    percent = f"{100 * gate.margin:.10g}%"
    if gate.exit_code == REGRESSION:
        return f"slower: {_listed(gate.slower, gate.margin)}"
    if gate.doubts:
        doubts = "; and ".join(_doubts(gate.doubts, gate.margin, percent))
        return f"a regression of {percent} is neither shown nor excluded: {doubts}"
    return (
        f"no regression: each test's mean over its levels is {' and '.join(_within(gate))}, and no level is "
        f"shown to be slower by as much as {percent}"
    )


def too_few_days(baseline: ComparedRuns, candidate: ComparedRuns) -> str:
    """Return why runs of so few days can neither pass nor fail a gate; "" if they can."""
    if not regression.has_too_few_days(baseline, candidate):
        return ""
    are_two = len(baseline.runs) == len(candidate.runs) == 1
    runs = "two runs at two times" if are_two else counts(baseline, candidate)
    count_as = "" if are_two else f", and {COUNTED_ONCE}"
    return (
        f"{runs} cannot pass or fail a gate, because runs of an unchanged entry differ by some per cent from day to "
        f"day{count_as}; measure old and new on {LEAST_DAYS} days or more each, best in turns on the same days "
        f"(--old DIR DIR DIR --new DIR DIR DIR), or both versions in one run with {AGAINST.name}"
    )


def counted_once(baseline: ComparedRuns, candidate: ComparedRuns) -> str:
    """Return that runs of the same day count once; "" if each has its own day."""
    return (
        f"{counts(baseline, candidate)} are compared by day: {COUNTED_ONCE}"
        if regression.counts_once(baseline, candidate)
        else ""
    )


def counts(baseline: ComparedRuns, candidate: ComparedRuns) -> str:
    """Return how many runs baseline and candidate have, of how many days."""
    of_each = (
        f"{counted(len(runs.runs), f'{name} run')} of {counted(max(runs.days), 'day')}"
        for name, runs in (("old", baseline), ("new", candidate))
    )
    return " and ".join(of_each)


def _doubts(doubts: Doubts, margin: float, percent: str) -> Iterator[str]:
    if doubts.are_two_runs:
        yield "two runs at two times show how they differ, not whether the entry does"
    for each in doubts.open:
        yield f"not known well enough ({_needed(each)}): {_listed(each.rows, margin)}"
    if doubts.levels:
        levels = counted(len(doubts.levels), "level")
        yield f"slower at {levels}, and maybe by {percent}: {_listed(doubts.levels, margin)}"
    for row in doubts.lacking:
        yield f"{row.entry} {row.test} {row.metric.name} is a mean over {outcomes.where(row)}"
    if doubts.uncompared:
        yield f"{counted(doubts.uncompared, 'part')} could not be compared"
    if doubts.is_nothing_compared:
        yield "nothing was compared"


def _needed(each: Open) -> str:
    """Return what the rows need to exclude the limit; either all of them compare blocks, or all compare days."""
    row = each.rows[0]
    unit = row.design.unit
    match each.need:
        case Need.A_WHOLE_BLOCK:
            return f"no {unit} has all levels"
        case Need.LEAST_BLOCKS:
            return f"it takes at least {counted(LEAST_BLOCKS, unit)}"
        case Need.ANOTHER_ESTIMATE:
            beyond = "below" if row.metric.better is Better.HIGHER else "above"
            stays = f"if it stays there, no number of {unit}s excludes it"
            return f"so far the estimate itself lies {beyond} the limit; {stays}"
        case Need.MORE_BLOCKS:
            return f"it would take about {counted(each.blocks, unit)}"


def _within(gate: Gate) -> Iterator[str]:
    """Yield that the means are above or below the limit, and how near the nearest interval comes to it."""
    if gate.lowest is not None:
        limit = Better.HIGHER.limit(gate.margin)
        begins = f"the lowest 95 % interval begins at {quantities.ratio(gate.lowest, limit)}"
        yield f"above {limit:.10g} of what it was ({begins})"
    if gate.highest is not None:
        limit = Better.LOWER.limit(gate.margin)
        ends = f"the highest 95 % interval ends at {quantities.ratio(gate.highest, limit)}"
        where = "" if gate.lowest is None else "where lower is better, "
        yield f"{where}below {limit:.10g} of what it was ({ends})"


def _listed(rows: Iterable[Row], margin: float) -> str:
    return "; ".join(_named(row, margin) for row in rows)


def _named(row: Row, margin: float) -> str:
    """Return the row with the 95 % interval, which the gate decides by."""
    at = "" if row.level is ALL_LEVELS and row.over is None else f" at {outcomes.where(row)}"
    limit = regression.limit(row, margin)
    bounds = quantities.bounds(row.ratio.low, row.ratio.high, limit)
    return f"{row.entry} {row.test}{at} {row.metric.name} {quantities.ratio(row.ratio.ratio, limit)}{bounds}"
