"""The report of a candidate against its baseline: the gate, each test's outcome, warnings, and every ratio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from benchlab.core import quantities
from benchlab.experiment.settings import AGAINST
from benchlab.report import document, outcomes, sentences
from benchlab.report.document import Block, Bullets, Document, Heading, Paragraph, Plot, Table, Warnings
from benchlab.report.gate import COUNTED_ONCE, Decided, counts, reason
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import ComparedRuns, Design
from benchlab.statistics.candidate import BASELINE, CANDIDATE, BaselineComparison, Row, Uncompared, Why
from benchlab.statistics.comparability import Difference
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.stats import EQUIVALENCE

TWO_RUNS = (
    "These are two runs at two times: they differ by what changed in the entry and by what changed from day to day, "
    f"some per cent, and cannot tell one from the other. To tell, measure both versions in one run with {AGAINST.name}."
)
# How a value changed since the baseline was measured, where it is not known to have gone up or down.
CHANGES = {
    Outcome.EQUAL: f"are within {EQUIVALENCE:.0%} of what they were",
    Outcome.UNDECIDED: "cannot be told apart from what they were",
}
# How the values of two runs at two times differ, where none is known to be higher.
DIFFERENCES = {
    Outcome.EQUAL: f"of the two runs are within {EQUIVALENCE:.0%} of each other",
    Outcome.UNDECIDED: "of the two runs cannot be told apart",
}
CORRECTED = (
    "The outcomes over all levels are corrected together (Holm), and those of single levels together: for each of the "
    "two, 5 % is the chance that any of its outcomes says faster or slower wrongly."
)


def report(comparison: BaselineComparison, differences: Sequence[str], gate: Decided | None) -> Document:
    """Return how the candidate compares with its baseline, and what the gate decides.

    `differences` names what else differs between the runs, beside the entries.
    """
    blocks = [*_conclusion(comparison, differences, gate), *_ratios(comparison), *_runs_compared(comparison)]
    return Document(
        tuple(blocks),
        "Candidate against baseline",
        f"{_run_ids(comparison.candidate)} against {_run_ids(comparison.baseline)}",
    )


def _conclusion(comparison: BaselineComparison, differences: Sequence[str], gate: Decided | None) -> Iterator[Block]:
    yield Heading("The answer", key="answer")
    if gate is not None:
        why = reason(gate)
        yield Paragraph((f"{why[0].upper()}{why[1:]}.",), is_strong=True)
    yield Bullets(tuple(changes(comparison.rows)))
    if warnings := tuple(_warnings(comparison, differences)):
        yield Warnings(warnings)
    yield Plot(
        "changes",
        "New / old, over all levels",
        f"{sentences.better_direction(row.metric.better for row in comparison.rows)}. The axis is logarithmic. An "
        "interval that crosses 1 leaves open whether anything changed; of what is called equal it is the one of 90 %, "
        "of all else that of 95 %.",
    )


def _warnings(comparison: BaselineComparison, differences: Sequence[str]) -> Iterator[str]:
    if comparison.design is Design.TWO_RUNS:
        yield TWO_RUNS
    if differences:
        yield f"Compared although {'; '.join(differences)}."
    if comparison.uncompared:
        yield f"Could not be compared: {uncompared(comparison)}."


def uncompared(comparison: BaselineComparison) -> str:
    """Return what could not be compared, and why, the levels of an entry's test together; nothing where all was."""
    levels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for part in comparison.uncompared:
        entry, test, level = part.key
        of = f"{part.metric.name} of " if part.metric else ""
        levels[f"{of}{entry} {test}", _why(part)].append(str(level))
    return "; ".join(f"{of} at {quantities.listed(at)} ({why})" for (of, why), at in levels.items())


def _why(part: Uncompared) -> str:
    match part.why:
        case Why.FAILED:
            failures = ", ".join(
                f"{count} in {name}" for name, count in zip((BASELINE, CANDIDATE), part.failed, strict=True) if count
            )
            return f"samples that failed: {failures}"
        case Why.MEASURED_ONCE:
            return f"only {part.only_in} has samples"
        case Why.CLIENT_BOUND:
            return "wrk was the limit"
        case Why.KNOWN_ONCE:
            return f"only {part.only_in} has a value"
        case Why.HOST_FULL:
            return f"only {part.only_in} filled the host"


def changes(rows: Iterable[Row]) -> Iterator[str]:
    """Yield, for each metric of each test over all levels, whether the new is faster or slower than the old.

    Two runs at two times only differ: the entry need not be the reason.
    """
    for row in rows:
        if row.level is not ALL_LEVELS:
            continue
        subject = f"{row.entry}, {row.test}{sentences.of_levels(row.over)}: {row.metric.long_name}"
        if row.pair.adjusted_p is None:
            of = "the old run" if _are_two_runs(row) else "what they were"
            yield f"{subject} {outcomes.ratio(row.pair)} of {of}; {_why_no_outcome(row)}."
        elif row.pair.is_unclear:
            yield f"{subject} are {outcomes.outcome(row.pair)}: {outcomes.ratio(row.pair)}."
        else:
            yield f"{subject} {_change(row)}: {outcomes.ratio(row.pair)}."


def _change(row: Row) -> str:
    """Return how the metric changed, or how the two runs differ in it."""
    if row.pair.outcome in (Outcome.FASTER, Outcome.SLOWER):
        is_up = row.ratio.ratio > 1
        if _are_two_runs(row):
            return f"were {'higher' if is_up else 'lower'} in the new run"
        return f"went {'up' if is_up else 'down'}"
    return (DIFFERENCES if _are_two_runs(row) else CHANGES)[row.pair.outcome]


def _are_two_runs(row: Row) -> bool:
    return row.design is Design.TWO_RUNS


def _why_no_outcome(row: Row) -> str:
    """Return why the row has no outcome."""
    unit, count = row.design.unit, row.ratio.blocks
    return {0: f"no {unit} has all levels", 1: f"one {unit} shows no spread"}.get(count, f"{count} {unit}s are too few")


def outcome(row: Row) -> str:
    """Return the outcome for a table; for two runs at two times, only which value is higher."""
    if row.pair.adjusted_p is None:
        return f"too few {row.design.unit}s"
    if _are_two_runs(row) and row.pair.outcome in (Outcome.FASTER, Outcome.SLOWER):
        return "higher" if row.ratio.ratio > 1 else "lower"
    return outcomes.outcome(row.pair)


def _ratios(comparison: BaselineComparison) -> Iterator[Block]:
    yield Heading("All ratios", key="ratios", short="ratios")
    yield document.table(frame(comparison.rows), "New / old, the worst first")


def _runs_compared(comparison: BaselineComparison) -> Iterator[Block]:
    headers = ("version", "run", "measured", "entries")
    rows = tuple(
        (
            name,
            part.run.manifest.run_id,
            f"{part.run.manifest.created_at:%Y-%m-%d %H:%M} UTC",
            ", ".join(part.entries.values()),
        )
        for name, runs in (("old", comparison.baseline), ("new", comparison.candidate))
        for part in runs.parts
    )
    yield Heading("Old and new", key="run", short="old and new")
    yield Table(headers, rows, words=headers, title="What was compared")
    yield Bullets((_method(comparison), CORRECTED))


def _method(comparison: BaselineComparison) -> str:
    match comparison.design:
        case Design.VERSIONS:
            return (
                "Old and new were measured in turns in one run: their blocks are compared in pairs, so drift of the "
                "host cancels."
            )
        case Design.TWO_RUNS:
            return (
                "The two runs share no time: a change of the host cannot be told from a change of the entries. "
                "Intervals (Welch's, unpaired) say how the two runs differ, and nothing of other runs."
            )
        case Design.RUNS:
            return (
                f"{counts(comparison.baseline, comparison.candidate)} are compared by day: {COUNTED_ONCE}. Each day "
                "gives one value, the mean over its runs, each the mean over its blocks, so that what differs from day "
                "to day is seen; intervals are Welch's, unpaired."
            )


def _run_ids(runs: ComparedRuns) -> str:
    return sentences.names([run.manifest.run_id for run in runs.runs])


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the ratios as a table, in the order given."""
    return pd.DataFrame([_columns(row) for row in rows])


def _columns(row: Row) -> dict[str, object]:
    return {
        "entry": row.entry,
        "test": row.test,
        "level": outcomes.where(row),
        "metric": row.metric.name,
        "new / old": quantities.ratio(row.ratio.ratio),
        "95 % interval": outcomes.interval(row.pair).strip() or "–",
        f"{row.design.unit}s": row.ratio.blocks,
        "outcome": outcome(row),
    }


def difference(of: Difference) -> str:
    """Return what makes two runs incomparable, with both values, as a part of a sentence."""
    one, other = ("", "") if of.runs is None else (f" in {run}" for run in of.runs)
    return f"{of.name} was {_value(of.before)}{one}, is {_value(of.after)}{other}"


def _value(of: object) -> object:
    return " to ".join(map(str, of)) if isinstance(of, tuple) else of
