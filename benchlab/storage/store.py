"""Keeps runs on disk: the journal is the truth, everything else in the folder is derived from it.

results/<run-id>/manifest.json    what the run is, written before the first sample
                 samples.jsonl    one line per sample or failure, flushed and fsynced at once
                 samples.csv      the samples, derived, with those that do not count
                 report.md        the tables, derived
                 report.html      the tables and plots as one page, derived
results/latest                    a link to the newest run
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from benchlab.core import spelling
from benchlab.core.counters import Usage
from benchlab.core.errors import StoreError
from benchlab.core.model import Decision, Failure, Manifest, Run, Sample, Trial
from benchlab.plan.workloads import varied
from benchlab.storage import records

KINDS = {Sample: "sample", Failure: "failure", Decision: "decision"}

# 1: the first form of manifest and journal.
# 2: a sample has its attempt, its counters and its verdict; one that does not count is a sample too, not a failure. A
#    manifest has digests of what the images were built from.
# 3: a sample's memory is the anonymous memory seen while it was taken, not the most of any kind since its container's
#    start; its out-of-memory kills count from its test type's warm-up on; it says whether the servers were idle before.
SCHEMA = 3

MANIFEST, JOURNAL, CSV, LOGS = "manifest.json", "samples.jsonl", "samples.csv", "logs"
REPORT, PAGE = "report.md", "report.html"
# The first run of a calibration's folder, and what is kept beside its runs.
PART, CALIBRATION = "twins", "calibration.json"
# What to do where a file cannot be written: before anything was measured, and since.
BEFORE = "mend its owner or rights, or make room, then start anew"
SINCE = "nothing measured before is lost: make room or rights, then --resume"


class Journal:
    """The open journal of one run. Lines are appended, never changed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._path = folder / JOURNAL

    def append(self, record: Sample | Failure | Decision) -> None:
        """Write the record so that it survives a crash. Raises StoreError; the journal stays whole."""
        line = json.dumps({"kind": KINDS[type(record)], **records.plain(record)}, ensure_ascii=False).encode() + b"\n"
        with _writing(self._path), self._path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError("only a part of the line could be written")
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise

    def keep_log(self, name: str, text: str) -> str:
        """Keep what a container printed before it was lost, and return where, as seen from the run's folder."""
        return str(keep_log(self.folder, name, text).relative_to(self.folder))

    def derive(self, run: Run, report: str, page: str) -> None:
        """Write what is derived from the run: samples.csv, and its report as text and page; never a half of one."""
        _replace(self.folder / CSV, _csv(run))
        _replace(self.folder / REPORT, report)
        _replace(self.folder / PAGE, page)


def write_comparison(folder: Path, name: str, page: str) -> Path:
    """Write a comparison with what the name says into the run's folder; return its path. Raises StoreError."""
    path = folder / f"compare-{name}.html"
    _replace(path, page)
    return path


def is_calibration(folder: Path) -> bool:
    """Return whether the folder holds the runs of a calibration."""
    return (folder / PART / MANIFEST).exists()


def write_calibration(folder: Path, text: str) -> None:
    """Write what a calibration keeps beside its runs into its folder: whole, or not at all. Raises StoreError."""
    _replace(folder / CALIBRATION, text)


def write_report(folder: Path, text: str) -> None:
    """Write the report into the folder: whole, or not at all. Raises StoreError."""
    _replace(folder / REPORT, text)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet: whole, or not at all. Raises StoreError."""
    if path.exists():
        raise StoreError(f"{path} is there already; name another file, or remove it")
    _replace(path, text, "name another file")


def keep_log(folder: Path, name: str, text: str) -> Path:
    """Write a container's log into the folder and return its path."""
    path = folder / LOGS / f"{name}.log"
    with _writing(path):
        path.parent.mkdir(exist_ok=True)
    _replace(path, text)
    return path


def check(results: Path) -> None:
    """Raise StoreError where no run can be kept in the folder: before anything is built or measured for it."""
    with _writing(results, BEFORE):
        results.mkdir(parents=True, exist_ok=True)
        _try(results)


def check_run(folder: Path) -> None:
    """Raise StoreError where the run in the folder cannot be continued: before anything is built for it."""
    with _writing(folder):
        _try(folder)
        with (folder / JOURNAL).open("ab"):
            pass


def create(results: Path, manifest: Manifest) -> Journal:
    """Make the run's folder with its manifest, and point `latest` to it. Raises StoreError."""
    folder = results / manifest.run_id
    with _writing(folder, BEFORE):
        folder.mkdir(parents=True)
        (folder / JOURNAL).touch()
        _replace(folder / MANIFEST, json.dumps({"schema": SCHEMA, **records.plain(manifest)}, indent=2) + "\n", BEFORE)
        _point(results / "latest", folder.name)
    return Journal(folder)


def reopen(folder: Path) -> tuple[Journal, int]:
    """Open the journal of a run to continue it.

    Returns it with the number of bytes dropped from its end: a line that a crash cut off.
    """
    path = folder / JOURNAL
    with _writing(path), path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
        os.fsync(file.fileno())
    return Journal(folder), len(content) - whole


def read(folder: Path) -> Run:
    """Return the run in the folder. A cut-off last line is left out. Raises StoreError."""
    manifest = read_manifest(folder)
    found = list(_records(folder / JOURNAL, manifest))
    taken = tuple(record for record in found if isinstance(record, Sample))
    failures = tuple(record for record in found if isinstance(record, Failure))
    decisions = [record for record in found if isinstance(record, Decision)]
    run = Run(manifest, taken, failures, decisions[0] if decisions else None)
    _refuse_doubles(folder / JOURNAL, run)
    return run


def is_cut(folder: Path) -> bool:
    """Return whether the journal ends in the middle of a line, as a crash leaves it. Raises StoreError."""
    path = folder / JOURNAL
    with _reading(path):
        content = path.read_bytes()
    return bool(content) and not content.endswith(b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return what the run in the folder is. Raises StoreError where it is no run of this schema."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content.pop("schema")
        if schema != SCHEMA:
            raise StoreError(f"{path}: written in schema {schema}, this lab reads {SCHEMA}; use the lab that wrote it")
        return records.manifest(content)
    except OSError as error:
        if is_calibration(folder):
            raise StoreError(
                f"{folder} is a calibration; the runs that it is made of are in it: name {folder / PART}"
            ) from error
        hint = spelling.meant(folder.name, [found.parent.name for found in folder.parent.glob(f"*/{MANIFEST}")])
        raise StoreError(
            f"{folder} is not a run: {path.name} cannot be read ({error.strerror}); {hint}name a folder of results/"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} cannot be read ({type(error).__name__}: {error}); restore it or start a new run"
        ) from error


def _records(path: Path, manifest: Manifest) -> Iterator[Sample | Failure | Decision]:
    with _reading(path):
        content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = records.record(json.loads(line, parse_constant=_refuse_constant))
            if not isinstance(record, Decision):
                _refuse_stranger(record.trial, manifest)
            yield record
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise StoreError(
                f"{path}, line {number}: not a record ({type(error).__name__}: {error}); mend or remove the line"
            ) from error


def _refuse_doubles(path: Path, run: Run) -> None:
    """Raise StoreError where a sample is in the journal twice, or of a block that the run has not."""
    tries = Counter((sample.trial.key, sample.attempt) for sample in run.taken)
    if doubles := [key for (key, _), count in tries.items() if count > 1]:
        raise StoreError(
            f"{path}: {doubles[0]} is in it twice; were two runs mixed? remove the lines that are not its own"
        )
    if beyond := [sample.trial.key for sample in run.taken if sample.trial.block > run.blocks]:
        raise StoreError(f"{path}: {beyond[0]} is of a block beyond the run's {run.blocks}; were two runs mixed?")


def _refuse_stranger(trial: Trial, manifest: Manifest) -> None:
    """Raise ValueError where the trial is none of the run's: the journals of two runs were mixed."""
    settings = manifest.settings
    planned = settings.levels.get(trial.test, ())
    if (
        trial.entry not in manifest.entries
        or not planned
        or varied(trial.test, trial.level) not in planned
        or trial.block < 1
        or not 1 <= trial.repeat <= settings.repeats
    ):
        raise ValueError(f"{trial.key} is no trial of {manifest.run_id}; were two runs mixed?")


def _refuse_constant(name: str) -> None:
    """Raise ValueError: JSON has no such number, and nothing measured is one."""
    raise ValueError(f"{name} is no number")


def _csv(run: Run) -> str:
    roles = sorted({role for sample in run.taken for role in sample.counters.roles})
    rows = [_row(sample, roles) for sample in run.taken]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _row(sample: Sample, roles: list[str]) -> dict[str, object]:
    plain = records.plain(sample)
    trial, load, verdict = plain["trial"], plain["load"], plain["verdict"]
    flat: dict[str, object] = {name: value for name, value in trial.items() if name != "level"} | trial["level"]
    flat |= {"attempt": sample.attempt, "started_at": plain["started_at"]}
    flat |= {"verdict": verdict["severity"], "broken": " ".join(verdict["broken"])}
    flat |= {name: value for name, value in load.items() if name not in ("latency", "errors")}
    flat |= {f"latency_{name}": value for name, value in load["latency"].items()}
    flat |= {f"errors_{name}": value for name, value in load["errors"].items()}
    flat |= {f"host_{name}": value for name, value in plain["counters"]["host"].items()}
    for role in roles:
        usage = asdict(sample.counters.roles.get(role, Usage()))
        flat |= {f"{role}_{name}": value for name, value in usage.items()}
    return flat


def _replace(path: Path, text: str, remedy: str = SINCE) -> None:
    """Write the whole file or leave the old one as it is."""
    draft = path.with_name(f".{path.name}.draft")
    with _writing(path, remedy), draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        draft.replace(path)


def _try(folder: Path) -> None:
    probe = folder / ".probe"
    probe.touch()
    probe.unlink()


def _point(link: Path, target: str) -> None:
    draft = link.with_name(f".{link.name}.draft")
    with suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(target)
    draft.replace(link)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); restore it or start a new run") from error


@contextmanager
def _writing(path: Path, remedy: str = SINCE) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror or error}); {remedy}") from error
