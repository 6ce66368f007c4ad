"""The gate's decision in sentences: why it passes, fails, or decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.experiment.settings import AGAINST
from benchlab.load.metrics import Better
from benchlab.records.run import Look
from benchlab.report import outcomes
from benchlab.statistics import regression
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import BREAK_HOURS, ComparedRuns
from benchlab.statistics.candidate import Row
from benchlab.statistics.comparison import LEAST_BLOCKS
from benchlab.statistics.interim import Answer, Finding
from benchlab.statistics.regression import LEAST_DAYS, NO_REGRESSION, REGRESSION, Doubts, Gate, Need, Open

# What the gate decided: at a look, as the journal keeps it, or of what was measured without looks.
Decided = Gate | Look
COUNTED_ONCE = f"old runs that began less than {BREAK_HOURS} hours apart count once, and so do new ones"


def reason(gate: Decided) -> str:
    """Return the reason for the gate's decision, in one line."""
    if isinstance(gate, Look):
        return gate.reason
    percent = _percent(gate.margin)
    if gate.exit_code == REGRESSION:
        return f"slower: {_listed(gate.slower, gate.margin)}"
    if gate.doubts:
        doubts = "; and ".join(_doubts(gate.doubts, gate.margin, percent))
        return f"a regression of {percent} is neither shown nor excluded: {doubts}"
    return (
        f"no regression: each test's mean over its levels is {' and '.join(_within(gate))}, and no level is "
        f"shown to be slower by as much as {percent}"
    )


def at_look(answer: Answer, blocks: int, looks: Sequence[int], *, ends_early: bool = False) -> str:
    """Return in one line what a look after so many blocks says, and why; `looks` are all that were planned.

    `ends_early` says that the time has come to its end before the last of them.
    """
    percent, listed = _percent(answer.margin), "; ".join
    most = looks[-1]
    when = f"after all {most} blocks" if blocks == most else f"after {blocks} of at most {most} blocks"
    when += ", for which the budget had time" if ends_early else ""
    if answer.exit_code == REGRESSION:
        return f"slower {when}: {listed(_found(each, answer.margin) for each in answer.slower)}"
    if answer.exit_code == NO_REGRESSION:
        limits = " and ".join(_nearest(answer.means, answer.margin))
        return f"no regression {when}: {limits}, and no level is shown to be slower that may have lost {percent}"
    return f"a regression of {percent} is neither shown nor excluded {when}: {'; and '.join(_still(answer, percent))}"


def _still(answer: Answer, percent: str) -> Iterator[str]:
    """Yield what keeps a look from an answer."""
    if answer.open:
        yield f"not known well enough: {'; '.join(_found(each, answer.margin) for each in answer.open)}"
    if answer.levels:
        levels = "; ".join(_found(each, answer.margin) for each in answer.levels)
        yield f"slower at {counted(len(answer.levels), 'level')}, and maybe by {percent}: {levels}"
    for row in answer.lacking:
        yield f"{row.entry} {row.test} {row.metric.name} is a mean over {outcomes.where(row)}"
    if answer.uncompared:
        yield f"{counted(answer.uncompared, 'part')} could not be compared"
    if not answer.means:
        yield "nothing was compared"


def _nearest(means: Iterable[Finding], margin: float) -> Iterator[str]:
    """Yield on which side of the limit the means are, and how near the nearest interval comes to it."""
    of = {better: [each for each in means if each.row.metric.better is better] for better in Better}
    if lows := [each.low for each in of[Better.HIGHER] if each.low is not None]:
        limit = Better.HIGHER.limit(margin)
        yield (
            f"each test's mean over its levels is above {limit:.10g} of what it was (the lowest interval begins at "
            f"{quantities.ratio(min(lows), limit)})"
        )
    if highs := [each.high for each in of[Better.LOWER] if each.high is not None]:
        limit = Better.LOWER.limit(margin)
        yield (
            f"each test's mean over its levels is below {limit:.10g} of what it was (the highest interval ends at "
            f"{quantities.ratio(max(highs), limit)})"
        )


def _found(each: Finding, margin: float) -> str:
    """Return the row with the interval that the look decides by, which is corrected for all looks."""
    row = each.row
    at = "" if row.level is ALL_LEVELS and row.over is None else f" at {outcomes.where(row)}"
    limit = regression.limit(row, margin)
    bounds = quantities.bounds(each.low, each.high, limit)
    return f"{row.entry} {row.test}{at} {row.metric.name} {quantities.ratio(row.ratio.ratio, limit)}{bounds}"


def _percent(margin: float) -> str:
    return f"{100 * margin:.10g}%"


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
    if doubts.awaits_look:
        yield "the run ended before its first look; resume it"
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
