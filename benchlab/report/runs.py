"""The list of runs on disk: when, what, how complete, and who is ahead; and how to resume a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchlab.core import letters
from benchlab.core.errors import LabError, StoreError
from benchlab.core.quantities import counted
from benchlab.quality import judge
from benchlab.records.plan import Manifest
from benchlab.records.run import GOOD, Run
from benchlab.report import sentences, tables
from benchlab.statistics import analysis
from benchlab.statistics.analysis import Result
from benchlab.statistics.comparison import Outcome
from benchlab.storage import files, store

COLUMNS = ("run", "when (UTC)", "profile", "entries", "blocks", "verdict", "ahead")


@dataclass(frozen=True)
class Listing:
    """The runs of a folder, the newest first: a row each, notes on some, and why others cannot be read."""

    rows: list[list[str]]
    notes: list[str]
    unreadable: list[str]


def _no_calibration(folder: Path) -> Manifest | None:
    return None


def listing(results: Path, calibration: Callable[[Path], Manifest | None] = _no_calibration) -> Listing:
    """Return the runs in the folder, also if some cannot be read. Raises StoreError if the folder itself cannot be.

    `calibration` returns the manifest if a folder holds a calibration, else None.
    """
    readable: list[tuple[Manifest, list[str], str]] = []
    unreadable: list[str] = []
    for folder in _folders(results):
        try:
            if manifest := calibration(folder):
                readable.append((manifest, _calibration_row(folder, manifest), ""))
            else:
                readable.append((*_row(folder), cut(folder)))
        except StoreError as error:
            unreadable.append(letters.one_line(str(error)))
        except LabError as error:
            unreadable.append(letters.one_line(f"{folder}: {error}"))
    newest = sorted(readable, key=lambda each: each[0].created_at, reverse=True)
    return Listing([row for _, row, _ in newest], [note for *_, note in newest if note], unreadable)


def verdict(run: Run, going: bool) -> str:
    """Return whether the run is complete, and how many of its samples count and are good."""
    state = _state(run, going)
    good = sum(sample.verdict.severity == GOOD for sample in run.samples)
    taken, used = counted(len(run.taken), "sample"), len(run.samples)
    if used < len(run.taken):
        return f"{state}; {used:,} of {taken} {'counts' if used == 1 else 'count'}, {good:,} good"
    return f"{state}; {good:,} of {taken} good"


def left(run: Run, folder: Path) -> str:
    """Return how to measure what the run in the folder lacks, in one line; "" if it lacks nothing."""
    if store.is_being_measured(folder):
        return "the run is still being measured: this is what there is of it so far"
    if run.to_come or run.awaits_decision:
        return go_on(folder)
    if missing := judge.missing(run):
        unmeasured = f"{_counted(run, judge.number_missing(run))} not measured"
        if all(failure.is_wrong_answer for failure in missing):
            remedy = "mend these and start a new run; --resume takes unchanged sources only"
            return f"{unmeasured}, for wrong answers: {remedy}"
        return f"{unmeasured}; to try again: {_resuming(folder)}"
    return ""


def cut(folder: Path, goes_on: bool = True) -> str:
    """Return that the journal ends in the middle of a line, and what follows from it; "" if it does not."""
    if not store.is_cut(folder):
        return ""
    loss = f"the last line of {files.shown(folder / store.JOURNAL)} was cut off and is left out"
    return f"{loss}; --resume measures what is missing for it" if goes_on else loss


def go_on(folder: Path) -> str:
    """Return how to resume the run in the folder, which ended early."""
    return f"what was measured is kept; go on with: {_resuming(folder)}"


def _resuming(folder: Path) -> str:
    return f"python lab.py --resume {files.typed(folder)}"


def ahead(result: Result) -> str:
    """Return the test and who certainly leads it, or "undecided"; beside a baseline, how many are told from it."""
    if result.control:
        outcomes = Counter(pair.outcome for pair in result.overall.pairs)
        apart = f"{outcomes[Outcome.FASTER]} faster and {outcomes[Outcome.SLOWER]} slower"
        return f"{result.test} {apart} of {len(result.overall.pairs)} than {result.control}"
    ranks = result.overall.ranks
    first = [entry for entry, rank in ranks.items() if rank.worst == 1]
    return f"{result.test} {first[0] if first else 'undecided'}"


def _state(run: Run, going: bool) -> str:
    if run.to_come:
        return f"{'running' if going else 'stopped'}, {_counted(run, run.to_come)} to go"
    if going:
        return "running"
    if run.awaits_decision:
        return "stopped before its blocks were decided"
    missing = judge.number_missing(run)
    return f"{_counted(run, missing)} not measured" if missing else "complete"


def _counted(run: Run, trials: int) -> str:
    return counted(trials, "slice" if run.manifest.settings.together else "trial")


def _folders(results: Path) -> Iterator[Path]:
    if not os.path.lexists(results):
        return
    with files.reading(results):
        folders = list(results.iterdir())
    yield from (folder for folder in folders if files.is_folder(folder) and not folder.is_symlink())


def _calibration_row(folder: Path, manifest: Manifest) -> list[str]:
    return [*_heading(folder, manifest, "calibration"), "", f"see its {store.REPORT}", ""]


def _row(folder: Path) -> tuple[Manifest, list[str]]:
    # Asked before the run is read: otherwise one that ends in between would be listed as stopped.
    going = store.is_being_measured(folder)
    run = store.read(folder)
    manifest = run.manifest
    compared = [ahead(result) for result in analysis.analyse(run) if len(result.overall.entries) > 1]
    return manifest, [
        *_heading(folder, manifest, manifest.settings.profile),
        f"{len({sample.trial.block for sample in run.samples})} of {run.blocks}",
        verdict(run, going),
        ", ".join(compared),
    ]


def _heading(folder: Path, manifest: Manifest, profile: str) -> list[str]:
    names = sorted(manifest.entries)
    entries = sentences.names(names) if len(names) > tables.MANY else ", ".join(names)
    return [folder.name, f"{manifest.created_at:%Y-%m-%d %H:%M}", profile, entries]
