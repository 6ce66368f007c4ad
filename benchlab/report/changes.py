"""The comparison of new with old: the answer for each test, the gate, what to be wary of, and every ratio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from benchlab.report import document, sentences
from benchlab.report.document import Block, Bullets, Document, Heading, Paragraph, Plot, Table, Warnings
from benchlab.statistics import baseline, regression
from benchlab.statistics.baseline import Design, Side
from benchlab.statistics.candidate import Row, Versus
from benchlab.statistics.regression import Gate

TWO_RUNS = (
    "These are two runs at two times: they differ by what changed in the entry and by what changed from day to day, "
    "some per cent, and cannot tell one from the other. To tell, measure both versions in one run with --against."
)
CORRECTED = (
    "The outcomes over all levels are corrected together (Holm), as those of the gate (--fail-if-slower) are, and "
    "those of single levels together: for each of the two, 5 % is the chance that any of its outcomes says faster or "
    "slower wrongly."
)


def report(held: Versus, differences: Sequence[str], gate: Gate | None) -> Document:
    """Return how the new side compares with the old one, and what the gate says of it.

    `differences` are those of runs that are compared although they differ in more than the entries.
    """
    blocks = [*_answer(held, differences, gate), *_ratios(held), *_sides(held)]
    return Document(tuple(blocks), "New against old", f"{_run_ids(held.new)} against {_run_ids(held.old)}")


def _answer(held: Versus, differences: Sequence[str], gate: Gate | None) -> Iterator[Block]:
    yield Heading("The answer", key="answer")
    if gate is not None:
        yield Paragraph((f"{gate.reason[0].upper()}{gate.reason[1:]}.",), is_strong=True)
    yield Bullets(tuple(sentences.changes(held.rows)))
    if warnings := tuple(_warnings(held, differences)):
        yield Warnings(warnings)
    yield Plot(
        "changes",
        "New / old, over all levels",
        "Further right is better. The axis is logarithmic. An interval that crosses 1 leaves open whether anything "
        "changed; of what is called equal it is the one of 90 %, of all else that of 95 %.",
    )


def _warnings(held: Versus, differences: Sequence[str]) -> Iterator[str]:
    if held.design is Design.TWO_RUNS:
        yield TWO_RUNS
    if differences:
        yield f"Compared although {'; '.join(differences)}."
    if held.untold:
        yield f"Nothing can be said of {'; '.join(held.untold)}."


def _ratios(held: Versus) -> Iterator[Block]:
    yield Heading("All ratios", key="ratios", short="ratios")
    yield document.table(frame(held.rows), "New / old, the worst first")


def _sides(held: Versus) -> Iterator[Block]:
    headers = ("side", "run", "measured", "entries")
    rows = tuple(
        (
            name,
            part.run.manifest.run_id,
            f"{part.run.manifest.created_at:%Y-%m-%d %H:%M} UTC",
            ", ".join(part.names.values()),
        )
        for name, side in (("old", held.old), ("new", held.new))
        for part in side.parts
    )
    yield Heading("The sides", key="run", short="the sides")
    yield Table(headers, rows, words=headers, title="What was compared")
    yield Bullets((_method(held), CORRECTED))


def _method(held: Versus) -> str:
    match held.design:
        case Design.VERSIONS:
            return (
                "Both sides were measured in turns in one run: their blocks are compared in pairs, and drift of the "
                "host cancels."
            )
        case Design.TWO_RUNS:
            return (
                "The two runs share no time: a change of the host cannot be told from a change of the entries. "
                "Intervals (Welch's, unpaired) say how the two runs differ, and nothing of other runs."
            )
        case Design.RUNS:
            return (
                f"{baseline.counts(held.old, held.new)} are compared by day: {regression.COUNTED_ONCE}. Each day gives "
                "one value, the mean over its runs, each the mean over its blocks, so that what differs from day to "
                "day is seen; intervals are Welch's, unpaired."
            )


def _run_ids(side: Side) -> str:
    return sentences.names([run.manifest.run_id for run in side.runs])


def frame(found: Sequence[Row]) -> pd.DataFrame:
    """Return the ratios as they are shown, in the order given."""
    return pd.DataFrame([_shown(row) for row in found])


def _shown(row: Row) -> dict[str, object]:
    return {
        "entry": row.entry,
        "test": row.test,
        "level": row.where,
        "metric": row.metric.name,
        "new / old": row.told.ratio,
        "95 % interval": row.told.interval or "–",
        f"{row.design.unit}s": row.ratio.blocks,
        "outcome": row.told.outcome,
    }
