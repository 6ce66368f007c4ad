"""How the candidate compares with its baseline, on the screen, and the gate that --fail-if-slower makes of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchlab.cli.command import say, show
from benchlab.core.errors import ConfigError, UsageError
from benchlab.experiment.settings import AGAINST, FAIL_IF_SLOWER, VARY
from benchlab.factors import catalog

if TYPE_CHECKING:
    from benchlab.records.plan import Settings
    from benchlab.records.run import Run
    from benchlab.report.document import Document
    from benchlab.report.gate import Decided
    from benchlab.statistics.baseline import ComparedRuns
    from benchlab.statistics.candidate import BaselineComparison

APART = (
    "two runs at two times differ by what changed in the entry and by what changed from day to day, some per cent, and "
    f"cannot tell one from the other; to tell, measure both versions in one run with {AGAINST.name}"
)


def refuse_without_versions(settings: Settings) -> None:
    """Raise UsageError where a run that is to pass the gate has no older version of its entries."""
    if settings.margin is not None and not catalog.compares_versions(settings):
        raise UsageError(
            f"{FAIL_IF_SLOWER.name} needs something to compare with; add {AGAINST.name} REF or {VARY.name} "
            "NAME=OLD,NEW, or use compare"
        )


def versions(run: Run) -> tuple[ComparedRuns, ComparedRuns]:
    """Return the two versions of the entries in the run: baseline, candidate. Raises UsageError where it has none."""
    from benchlab.statistics import baseline

    try:
        return baseline.of_versions(run)
    except baseline.NoVersionsError as error:
        raise UsageError(f"{error}; name two runs, or measure with {AGAINST.name}") from error


def compare(baseline: ComparedRuns, candidate: ComparedRuns) -> BaselineComparison:
    """Return how the candidate compares with its baseline. Raises ConfigError where they have nothing in common."""
    from benchlab.statistics import candidate as of_candidate

    try:
        return of_candidate.compare(baseline, candidate)
    except of_candidate.NothingInCommonError as error:
        raise ConfigError(
            f"{error}; compare runs of the same ones, or see in their reports what was not measured"
        ) from error


def warn(margin: float | None, baseline: ComparedRuns, candidate: ComparedRuns) -> None:
    """Say, before anything else, that runs of so few days decide nothing, if they do not, and which count once.

    Without a margin nothing is to be decided; then a line says what two runs cannot show.
    """
    from benchlab.report import gate

    if margin is not None and (why := gate.too_few_days(baseline, candidate)):
        say(why)
    elif len(baseline.runs) == len(candidate.runs) == 1:
        say(APART)
    elif once := gate.counted_once(baseline, candidate):
        say(once)


def decide(comparison: BaselineComparison, margin: float | None) -> Decided | None:
    """Return the gate's decision on the comparison; None where there is no margin.

    Of a run with looks it is what the last of them said, whatever was measured since. Raises UsageError where that was
    about another margin.
    """
    from benchlab.statistics import regression
    from benchlab.statistics.baseline import Design

    if margin is None:
        return None
    run = comparison.baseline.runs[0]
    if comparison.design is not Design.VERSIONS or not run.manifest.settings.looks:
        return regression.gate(comparison.rows, margin, comparison.uncompared)
    if margin != run.manifest.settings.margin:
        raise UsageError(
            f"{FAIL_IF_SLOWER.name} {FAIL_IF_SLOWER.write(margin)}: {run.manifest.run_id} ended when it knew of "
            f"{FAIL_IF_SLOWER.write(run.manifest.settings.margin)}, which says nothing of another margin; ask for "
            "that one, or start a new run"
        )
    return run.looks[-1] if run.looks else regression.Gate(regression.UNDECIDED, margin, doubts=regression.NO_LOOK)


def report(comparison: BaselineComparison, document: Document, decision: Decided | None) -> None:
    """Print the document, and in a line each what could not be compared and what the gate says.

    The document says both, too: where it stands on the same screen as the lines would, they are left out.
    """
    from benchlab.report import changes, gate

    show(document)
    if sys.stdout.isatty() and sys.stderr.isatty():
        return
    if comparison.uncompared:
        say(f"could not be compared: {changes.uncompared(comparison)}")
    if decision is not None:
        say(gate.reason(decision))
