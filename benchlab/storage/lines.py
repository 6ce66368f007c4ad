"""The journal's lines, read back as a run: whatever their order; refused where they are none of it. Pure."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchlab.core import letters
from benchlab.core.errors import StoreError
from benchlab.core.measured import Decision, Failure, Record, Remark, Run, Sample
from benchlab.core.model import Manifest
from benchlab.core.quantities import counted
from benchlab.plan.profiles import MAX_BLOCKS
from benchlab.plan.workloads import varied
from benchlab.storage import records, shapes

MIXED = "were two runs mixed?"

Kind = TypeVar("Kind", bound=Record)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles of garbage: records make none, and of many it took a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_collector()
def run(manifest: Manifest, content: bytes, path: Path) -> Run:
    """Return the run that the journal's content tells; a cut-off last line is left out.

    Raises StoreError, which names the `path` that it was read from.
    """
    found = list(_records(manifest, content, path))
    decisions = _of(Decision, found)
    if len(decisions) > 1:
        raise StoreError(f"{path}: it has {len(decisions)} decisions on the number of blocks; {MIXED}")
    told = Run(
        manifest,
        tuple(sorted(_of(Sample, found), key=lambda sample: (sample.started_at, sample.trial.key, sample.attempt))),
        tuple(sorted(_of(Failure, found), key=lambda failed: (failed.started_at, failed.trial.key, failed.reason))),
        decisions[0] if decisions else None,
        tuple(sorted(_of(Remark, found), key=lambda remark: remark.key)),
    )
    _refuse_doubles(told, path)
    _refuse_beyond(told, path)
    return told


def _records(manifest: Manifest, content: bytes, path: Path) -> Iterator[Record]:
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = records.record(shapes.decoded(line))
            _refuse_stranger(record, manifest)
            yield record
        except ValueError as error:
            why = letters.one_line(str(error))
            raise StoreError(f"{path}, line {number}: not a record ({why}); mend or remove the line") from error


def _of(kind: type[Kind], found: Iterable[Record]) -> list[Kind]:
    return [record for record in found if isinstance(record, kind)]


def _refuse_stranger(record: Record, manifest: Manifest) -> None:
    """Raise ValueError where the record cannot be the run's own: the journals of two runs were mixed."""
    if isinstance(record, Decision):
        own = record.pilot == manifest.settings.blocks and record.pilot <= record.blocks <= MAX_BLOCKS
        told = f"a decision for {counted(record.blocks, 'block')} after {record.pilot} is none of"
    elif isinstance(record, Remark):
        own = record.entry in manifest.entries and record.test in manifest.tests(record.entry)
        told = f"{record.entry} {record.test} is no test type of"
    else:
        own = _is_planned(record, manifest)
        told = f"{record.trial.key} is no trial of"
    if not own:
        raise ValueError(f"{told} {manifest.run_id}; {MIXED}")


def _is_planned(record: Sample | Failure, manifest: Manifest) -> bool:
    trial, settings = record.trial, manifest.settings
    planned = settings.levels.get(trial.test, ())
    return (
        trial.entry in manifest.entries
        and trial.test in manifest.tests(trial.entry)
        and varied(trial.test, trial.level) in planned
        and trial.block >= 1
        and 1 <= trial.repeat <= settings.repeats
    )


def _refuse_doubles(run: Run, path: Path) -> None:
    """Raise StoreError where a record is in the journal twice."""
    keys: Counter[tuple[object, ...]] = Counter((sample.trial.key, sample.attempt) for sample in run.taken)
    keys.update(remark.key for remark in run.remarks)
    if doubles := [" ".join(map(str, key[:-1])) for key, count in keys.items() if count > 1]:
        raise StoreError(f"{path}: {doubles[0]} is in it twice; {MIXED} remove the lines that are not its own")


def _refuse_beyond(run: Run, path: Path) -> None:
    """Raise StoreError where a record is of a block that the run has not."""
    blocks = [(record.trial.block, record.trial.key) for record in run.taken + run.failures]
    blocks += [(remark.block, " ".join(map(str, remark.key[:-1]))) for remark in run.remarks]
    if beyond := [key for block, key in blocks if block > run.blocks]:
        raise StoreError(f"{path}: {beyond[0]} is of a block beyond the run's {run.blocks}; {MIXED}")
