"""All that the lab says of a made-up run, as text, and what a reader could look it up in: no judgement of it."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchlab.cli import gate
from benchlab.core.errors import LabError
from benchlab.records.run import Run
from benchlab.report import changes, export, factors, markdown, outputs, runs, sentences
from benchlab.statistics import analysis, baseline, candidate, effects
from benchlab.statistics.factorial import DesignError
from tests.unit.pages import comparison_page

from .made_reports import Case


@dataclass(frozen=True)
class Records:
    """What stands in the files of a run: when it began, samples.csv, what failed, and what was asked for.

    `versions` has the entries of another version, each with the one that it is of. `rounds` are those of a test in a
    block, 0 where one entry is up at a time. `control` is the baseline that each other entry is compared with.
    """

    began: datetime
    samples_csv: str
    failed: Sequence[str]
    levels: Mapping[str, Sequence[int]]
    tests: Mapping[str, Sequence[str]]
    versions: Mapping[str, str]
    blocks: int
    repeats: int
    rounds: int
    pilot: int | None
    needed: int | None
    control: str
    unbuilt: Sequence[str]
    warned: Sequence[str]
    reopened: Sequence[str]
    unknown: Mapping[str, int]

    @property
    def deciding_pilot(self) -> int | None:
        """Return how many blocks the pilot had whose spread decided how many there are, None where it did not."""
        return self.pilot if self.needed is not None and self.needed <= self.blocks else None


@dataclass(frozen=True)
class Texts:
    """What the lab says of one run."""

    records: Records
    report: str
    page: str
    lines: Sequence[str]
    ahead: Sequence[str]
    factors: str


@dataclass(frozen=True)
class Compared:
    """What it says of new against old, and the exit code of the gate; of each run its files and its report."""

    old: Sequence[tuple[Records, str]]
    new: Sequence[tuple[Records, str]]
    is_one_run: bool
    margin: float
    text: str
    said: Sequence[str]
    exit_code: int
    page: str


def of_run(run: Run) -> Texts:
    results = analysis.analyse(run)
    return Texts(
        records=records(run),
        report=outputs.text(run),
        page=outputs.html(run),
        lines=list(sentences.last_lines(run, results)),
        ahead=[runs.ahead(result) for result in results if len(result.overall.entries) > 1],
        factors=_factors(run),
    )


def of_comparison(case: Case) -> Compared | None:
    """Return what is said of runs, or of the versions in one; None where there is nothing to compare."""
    old, new = case.older, case.newer or case.older
    try:
        pair = baseline.of_several(old, new) if case.newer else baseline.of_versions(case.run)
        comparison = candidate.compare(*pair)
    except LabError:
        return None
    shown, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
        if case.newer:
            gate.warn(case.margin, *pair)
        decision = gate.decide(comparison, case.margin)
        assert decision is not None
        gate.report(comparison, changes.report(comparison, [], decision), decision)
    return Compared(
        old=[(records(run), outputs.text(run)) for run in old],
        new=[(records(run), outputs.text(run)) for run in new],
        is_one_run=not case.newer,
        margin=case.margin,
        text=shown.getvalue(),
        said=said.getvalue().splitlines(),
        exit_code=decision.exit_code,
        page=comparison_page(comparison, [], decision),
    )


def records(run: Run) -> Records:
    manifest = run.manifest
    return Records(
        began=manifest.created_at,
        samples_csv=export.samples_csv(run),
        failed=[failure.trial.key for failure in run.failures],
        levels=manifest.settings.levels,
        tests={entry: manifest.tests(entry) for entry in manifest.entries},
        versions={name: of.origin for name, of in manifest.variants.items() if "commit" in of.levels},
        blocks=run.blocks,
        repeats=manifest.settings.repeats,
        rounds=manifest.settings.repeats if manifest.settings.together else 0,
        pilot=run.decision.pilot if run.decision else None,
        needed=run.decision.needed if run.decision else None,
        control=manifest.settings.control,
        unbuilt=list(manifest.unbuilt),
        warned=sorted({f"{finding.entry} in {finding.test}" for finding in run.findings if finding.warning}),
        reopened=sorted({r.entry for r in run.findings if r.warning and r.rule == "keep-alive"}),
        unknown=Counter(name for sample in run.taken for name in sample.verdict.unknown),
    )


def _factors(run: Run) -> str:
    """Return what `lab.py factors` prints; nothing where the entries tell of none."""
    try:
        return markdown.text(factors.report(run, effects.analyse(run)))
    except DesignError:
        return ""
