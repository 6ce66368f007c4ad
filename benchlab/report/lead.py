"""What is told first of a run, or of two held against each other, in the same words on the page and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchlab.records.run import Run
from benchlab.report import sentences
from benchlab.statistics.analysis import Result
from benchlab.statistics.candidate import Row

NO_ANSWER = "No sample counts, so there is no answer."
# What stands before the warnings.
BEWARE = "Before you believe it"


@dataclass(frozen=True)
class Told:
    """Of a test who leads and who cannot be told apart, and what limited its rows.

    What limited all tests alike is told once, without a test and an answer.
    """

    test: str
    answer: str
    limits: str

    def __str__(self) -> str:
        return " ".join(filter(None, [self.test and f"{self.test}.", self.answer, self.limits]))


def answers(run: Run, results: Sequence[Result]) -> list[Told]:
    """Return what the run answers, test by test; of a test that has no result, that it was not measured."""
    if not results:
        return [Told("", NO_ANSWER, "")]
    limits = [sentences.limits(result) for result in results]
    # Counts of rows are those of one test: only what limited every row can be told of several tests at once.
    alike = len(results) == 1 or len({cell.bottleneck for result in results for cell in result.cells}) == 1
    common = limits[0] if alike and len(set(limits)) == 1 else ""
    told = {
        result.test: Told(result.test, sentences.answer(result), "" if common else own)
        for result, own in zip(results, limits, strict=True)
    }
    tests = [told.get(test, Told(test, "Not measured.", "")) for test in run.manifest.settings.tests]
    return [*tests, *([Told("", "", common)] if common else [])]


def markdown(run: Run, results: Sequence[Result]) -> str:
    """Return the answers and the warnings as Markdown."""
    parts = ["\n".join(f"* {told}" for told in answers(run, results))]
    if warnings := list(sentences.warnings(run, results)):
        parts.append("\n".join([f"{BEWARE}:", "", *(f"* {warning}" for warning in warnings)]))
    return "\n\n".join(parts)


def changes(rows: Sequence[Row]) -> str:
    """Return how new compares with old over all levels, as Markdown."""
    return "\n".join(f"* {told}" for told in sentences.changes(rows))


def lines(run: Run, results: Sequence[Result]) -> Iterator[str]:
    """Yield each answer as a line, and after them all warnings as one line."""
    yield from map(str, answers(run, results))
    if warnings := list(sentences.warnings(run, results)):
        yield f"{BEWARE}: {' '.join(warnings)}"
