"""Keeps runs on disk: the journal is the truth, everything else in the folder is derived from it.

results/<run-id>/manifest.json    what the run is, written before the first sample
                 samples.jsonl    one line per sample, failure, decision, look, broken rule, flushed and fsynced at once
                 samples.csv      the samples, derived, with those that do not count
                 report.md        the tables, derived
                 report.html      the tables and plots as one page, derived
results/latest                    a link to the newest run
"""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from benchlab.core import letters
from benchlab.core.errors import NoRunError, StoreError, UsageError
from benchlab.core.quantities import counted
from benchlab.experiment.profiles import RENAMED
from benchlab.experiment.settings import MAX_BLOCKS
from benchlab.factors import catalog
from benchlab.load import registry
from benchlab.records import schema
from benchlab.records.plan import Manifest, Settings, Variant
from benchlab.records.run import ContractFinding, Decision, Failure, Look, Pace, Record, Run, Sample
from benchlab.storage import files, impossible

MIXED = "were two runs mixed?"
# From this schema on a manifest says what its entries are variants of.
RECORDED = 5

Kind = TypeVar("Kind", bound=Record)
MANIFEST, JOURNAL, CSV, LOGS = "manifest.json", "samples.jsonl", "samples.csv", "logs"
# What each level of a factor has installed, with hashes.
LOCKS = "locks"
# The link to the newest run.
LATEST = "latest"
REPORT, PAGE = "report.md", "report.html"
# Bytes that the name of a file has at the most, on nearly every file system.
LONGEST_NAME = 255


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
    """Return the run that is in the journal's content; a cut-off last line is left out.

    Raises StoreError, which names the `path` that it was read from.
    """
    records = list(_records(manifest, content, path))
    decisions = _of(Decision, records)
    if len(decisions) > 1:
        raise StoreError(f"{path}: it has {len(decisions)} decisions on the number of blocks; {MIXED}")
    whole = Run(
        manifest,
        tuple(sorted(_of(Sample, records), key=lambda sample: (sample.started_at, sample.trial.key, sample.attempt))),
        tuple(sorted(_of(Failure, records), key=lambda failed: (failed.started_at, failed.trial.key, failed.reason))),
        decisions[0] if decisions else None,
        tuple(sorted(_of(ContractFinding, records), key=lambda finding: finding.key)),
        looks=tuple(sorted(_of(Look, records), key=lambda look: look.number)),
        paces=tuple(_of(Pace, records)),
    )
    _refuse_other_looks(whole, path)
    _refuse_doubles(whole, path)
    _refuse_beyond(whole, path)
    return whole


def _records(manifest: Manifest, content: bytes, path: Path) -> Iterator[Record]:
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = schema.of_line(line)
            _refuse_other_run(record, manifest)
            yield record
        except ValueError as error:
            why = letters.one_line(str(error))
            raise StoreError(f"{path}, line {number}: not a record ({why}); mend or remove the line") from error


def _of(kind: type[Kind], records: Iterable[Record]) -> list[Kind]:
    return [record for record in records if isinstance(record, kind)]


def _refuse_other_run(record: Record, manifest: Manifest) -> None:
    """Raise ValueError where the record cannot be the run's own: the journals of two runs were mixed."""
    if isinstance(record, Decision):
        own = record.pilot == manifest.settings.blocks and record.pilot <= record.blocks <= MAX_BLOCKS
        problem = f"a decision for {counted(record.blocks, 'block')} after {record.pilot} is none of"
    elif isinstance(record, Pace):
        own = record.test in manifest.settings.levels
        problem = f"a pace of {record.test} is none of"
    elif isinstance(record, Look):
        own = max(record.blocks, record.next_look or 0) <= max(manifest.settings.looks, default=0)
        problem = f"a look after {counted(record.blocks, 'block')} is none of"
    elif isinstance(record, ContractFinding):
        own = record.entry in manifest.entries and record.test in manifest.tests(record.entry)
        problem = f"{record.entry} {record.test} is no test type of"
    else:
        own = _is_planned(record, manifest)
        problem = f"{record.trial.key} is no trial of"
    if not own:
        raise ValueError(f"{problem} {manifest.run_id}; {MIXED}")


def _is_planned(record: Sample | Failure, manifest: Manifest) -> bool:
    trial, settings = record.trial, manifest.settings
    return (
        trial.entry in manifest.entries
        and trial.test in manifest.tests(trial.entry)
        and trial.level.key in registry.of(settings).keys(trial.test, settings.levels[trial.test])
        and trial.block >= 1
        and trial.repeat >= 1
        and (settings.together or trial.repeat <= settings.repeats)
    )


def _refuse_doubles(run: Run, path: Path) -> None:
    """Raise StoreError where a record is in the journal twice."""
    keys: Counter[tuple[object, ...]] = Counter((sample.trial.key, sample.attempt) for sample in run.taken)
    keys.update(finding.key for finding in run.findings)
    keys.update(("a pace of", pace.test, "") for pace in run.paces)
    if doubles := [" ".join(map(str, key[:-1])) for key, count in keys.items() if count > 1]:
        raise StoreError(f"{path}: {doubles[0]} is in it twice; {MIXED} remove the lines that are not its own")


def _refuse_other_looks(run: Run, path: Path) -> None:
    """Raise StoreError where the looks do not follow each other, each after the blocks that the one before it named."""
    due: int | None = run.manifest.settings.looks[0] if run.looks else None
    for number, look in enumerate(run.looks, start=1):
        if (look.number, look.blocks) != (number, due):
            raise StoreError(f"{path}: its looks do not follow each other (number {look.number}); {MIXED}")
        due = look.next_look


def _refuse_beyond(run: Run, path: Path) -> None:
    """Raise StoreError where a record is of a block that the run has not."""
    blocks = [(record.trial.block, record.trial.key) for record in run.taken + run.failures]
    blocks += [(finding.block, " ".join(map(str, finding.key[:-1]))) for finding in run.findings]
    if beyond := [key for block, key in blocks if block > run.blocks]:
        raise StoreError(f"{path}: {beyond[0]} is of a block beyond the run's {run.blocks}; {MIXED}")


class Journal:
    """The open journal of one run: lines are appended, never changed. `derived` is the run as it was derived last."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.derived: Run | None = None
        self._path = folder / JOURNAL
        self._run: Run | None = None

    def run(self) -> Run:
        """Return the run as it stands: read back once, until a line is appended. Raises StoreError."""
        if self._run is None:
            self._run = read(self.folder)
        return self._run

    def append(self, record: Record) -> None:
        """Write the record so that it survives a crash. Raises StoreError; the journal stays whole."""
        self._run = None
        line = json.dumps(schema.line(record), ensure_ascii=False).encode() + b"\n"
        with files.writing(self._path, files.SINCE), self._path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, "only a part of the line could be written")
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise

    def being_measured(self) -> AbstractContextManager[None]:
        """Mark the run for `is_being_measured` for the length of the with block, or until this process ends."""
        return files.in_use(self._path)

    def keep_log(self, name: str, text: str) -> str:
        """Keep what a container printed before it was lost, and return where, as seen from the run's folder."""
        return str(keep_log(self.folder, name, text).relative_to(self.folder))

    def derive(self, run: Run, outputs: Mapping[str, str]) -> None:
        """Write the outputs that are derived from the run, by the names of their files; never a half of one."""
        for name, text in outputs.items():
            files.write(self.folder / name, text, files.MEND)
        self.derived = run


@dataclass(frozen=True)
class Unkept:
    """The journal of what is not kept; only the logs of lost containers are, in `folder`."""

    folder: Path

    def append(self, record: Record) -> None:
        pass

    def keep_log(self, name: str, text: str) -> str:
        """Keep what a container printed before it was lost, and return where, as it can be typed here."""
        return files.shown(keep_log(self.folder, name, text))


def write_comparison(folder: Path, name: str, page: str) -> Path:
    """Write a comparison with what the name says into the run's folder; return its path. Raises StoreError."""
    path = folder / f"compare-{name}.html"
    files.write(path, page, files.MEND)
    return path


def write_against(folder: Path, control: str, page: str) -> Path:
    """Write a run's page against the baseline into its folder; return its path. Raises StoreError."""
    path = folder / f"baseline-{re.sub(r'[^a-zA-Z0-9._-]', '_', control)}.html"
    files.write(path, page, files.MEND)
    return path


def write_report(folder: Path, text: str) -> None:
    """Write the report into the folder: whole, or not at all. Raises StoreError."""
    files.write(folder / REPORT, text, files.MEND)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet: whole, or not at all. Raises UsageError where it is, StoreError else."""
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already; name another file, or remove it")
    if not files.is_folder(path.parent):
        raise UsageError(f"{path.parent} is no folder; name a file in one that there is")
    files.write(path, text, "name another file")


def keep_log(folder: Path, name: str, text: str) -> Path:
    """Write a container's log into the folder and return its path."""
    path = folder / LOGS / f"{name}.log"
    with files.writing(path, files.MEND):
        path.parent.mkdir(exist_ok=True)
    files.write(path, text, files.MEND)
    return path


def keep_locks(folder: Path, locks: Mapping[str, str]) -> None:
    """Write the lock of each entry, given by its name, into the folder. Raises StoreError."""
    for name, text in locks.items():
        path = folder / LOCKS / f"{name}.txt"
        with files.writing(path, files.MEND):
            path.parent.mkdir(exist_ok=True)
        files.write(path, text, files.MEND)


def locks(folder: Path) -> dict[str, str]:
    """Return the locks that a run keeps, by the name of the entry. Raises StoreError where one cannot be read."""
    try:
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / LOCKS).glob("*.txt"))}
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / LOCKS} cannot be read ({error}); restore it, or start a new run") from error


def check(results: Path) -> None:
    """Raise StoreError where no run can be kept in the folder: before anything is built or measured for it."""
    with files.writing(results, files.BEFORE):
        results.mkdir(parents=True, exist_ok=True)
        files.probe(results)


def check_run(folder: Path) -> None:
    """Raise StoreError where the run in the folder cannot be continued: before anything is built for it."""
    with files.writing(folder, files.SINCE):
        files.probe(folder)
        with (folder / JOURNAL).open("ab"):
            pass


def create(results: Path, manifest: Manifest) -> Journal:
    """Make the run's folder with its manifest, and point `latest` to it. Raises StoreError."""
    journal = create_part(results / manifest.run_id, manifest)
    with _whole(journal.folder), files.writing(journal.folder, files.BEFORE):
        files.point(results / LATEST, journal.folder.name)
    return journal


def create_part(folder: Path, manifest: Manifest) -> Journal:
    """Make the folder of a run that is a part of something larger, with its manifest. Raises StoreError."""
    with files.writing(folder, files.BEFORE):
        folder.mkdir(parents=True)
    with _whole(folder), files.writing(folder, files.BEFORE):
        (folder / JOURNAL).touch()
        content = json.dumps(schema.described(manifest), indent=2) + "\n"
        files.write(folder / MANIFEST, content, files.BEFORE)
    return Journal(folder)


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Remove the folder, which was just made, where the with block cannot fill it."""
    try:
        yield
    except StoreError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def reopen(folder: Path) -> tuple[Journal, int]:
    """Open the journal of a run to continue it.

    Returns it with the number of bytes dropped from its end: a line that a crash cut off.
    """
    path = folder / JOURNAL
    with files.writing(path, files.SINCE), path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
        os.fsync(file.fileno())
    return Journal(folder), len(content) - whole


def named(text: str) -> Path:
    """Return the folder of a run that was named, whole and without links.

    Raises NoRunError where the name leads nowhere: the message has both, the name and where it leads.
    """
    if not text or "\0" in text:
        raise NoRunError(f"{letters.quoted(text)} is no name of a run's folder; name a folder of results/")
    try:
        folder = Path(os.path.realpath(text))
    except OSError as error:
        raise NoRunError(
            f"{text}: the folder that this was called in is not there any more; name a whole path"
        ) from error
    try:
        Path(text).stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NoRunError(f"{text} is a link that leads back to itself; name a folder of results/") from error
        # Some file systems say of a name that is too long only that it is not there.
        if error.errno == errno.ENAMETOOLONG or any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(text).parts):
            raise NoRunError(f"{text[:60]}… is too long for a folder's name; name a folder of results/") from error
        if error.errno == errno.ENOENT and Path(text).absolute() != folder:
            raise NoRunError(f"{text} leads to {folder}, which is not there; name a folder of results/") from error
    return folder


def read(folder: Path) -> Run:
    """Return the run in the folder. A cut-off last line is left out. Raises StoreError."""
    manifest = read_manifest(folder)
    path = folder / JOURNAL
    return run(manifest, files.read(path), path)


def is_being_measured(folder: Path) -> bool:
    """Return whether a lab is at work on the run in the folder just now."""
    return files.is_in_use(folder / JOURNAL)


def is_cut(folder: Path) -> bool:
    """Return whether the journal ends in the middle of a line, as a crash leaves it. Raises StoreError."""
    content = files.read(folder / JOURNAL)
    return bool(content) and not content.endswith(b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return what the run in the folder is. Raises NoRunError where it is none, StoreError where it cannot be read."""
    path = folder / MANIFEST
    _refuse_no_run(folder)
    try:
        content = schema.manifest(files.read(path))
        if content is None:
            raise StoreError(f"{path} is not one of a run; {files.LOST}")
        manifest = _current(*content)
        if faults := impossible.faults(manifest):
            raise ValueError("; ".join(faults))
    except schema.OtherSchemaError as error:
        raise StoreError(f"{path}: {error}; use the lab that wrote it") from error
    except ValueError as error:
        raise StoreError(f"{path} cannot be read ({error}); {files.LOST}") from error
    return manifest


def _current(number: int, manifest: Manifest) -> Manifest:
    """Return the manifest of that schema as one of today's: with the profile's name of today, and with variants."""
    settings = manifest.settings
    settings = replace(settings, profile=RENAMED.get(settings.profile, settings.profile))
    variants = manifest.variants if number >= RECORDED else _unrecorded(manifest.entries, settings)
    return replace(manifest, settings=settings, variants=variants)


def _unrecorded(entries: Iterable[str], settings: Settings) -> dict[str, Variant]:
    """Return what the entries are variants of by their names, which are all that runs before schema 5 kept of it.

    A variant is only what the run's own settings would have made of another of its entries.
    """
    names = [*entries]
    asked = catalog.variants(dict.fromkeys([*names, *settings.frameworks]), settings)
    # Where two would have the name, it is that of the entry with the shorter name.
    made = dict(sorted(asked, key=lambda named: len(named[1].levels)))
    return {name: made[name] for name in names}


def _refuse_no_run(folder: Path) -> None:
    """Raise NoRunError where the folder has no manifest."""
    try:
        (folder / MANIFEST).lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if inside := _runs_in(folder):
            raise NoRunError(
                f"{folder} is not a run, but holds {counted(len(inside), 'run')}: name one, such as {inside[-1]}"
            ) from error
        if folder.is_file():
            raise NoRunError(f"{folder} is a file, not a run's folder; name a folder of results/") from error
        hint = _meant(folder)
        raise NoRunError(
            f"{folder} is not a run: {MANIFEST} cannot be read ({error.strerror}); {hint}name a folder of results/"
        ) from error
    except OSError:
        # Reading it says why.
        return


def _meant(folder: Path) -> str:
    """Return "did you mean results/latest? " for a run with that name in results/, or with nearly that name beside it.

    Nothing where there is none, as far as can be seen.
    """
    near = folder.with_name("results") / folder.name
    if not files.exists(near / MANIFEST):
        latest = [LATEST] if files.exists(folder.with_name(LATEST) / MANIFEST) else []
        beside = letters.nearest(folder.name, [run.name for run in _runs_in(folder.parent)] + latest)
        near = folder.with_name(beside) if beside else folder
    return f"did you mean {files.shown(near)}? " if near != folder else ""


def _runs_in(folder: Path) -> list[Path]:
    """Return the folders of runs in a folder by their names, as far as they can be seen; links are left out."""
    with suppress(OSError):
        return sorted(
            inside for inside in folder.iterdir() if not inside.is_symlink() and files.exists(inside / MANIFEST)
        )
    return []
