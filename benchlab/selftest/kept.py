"""What a calibration keeps in its folder, which its report is made of.

aa-test/, slowdown/    two runs, each with its manifest and its journal
calibration.json       what plain wrk and the injected faults gave, written anew after each part
report.md              derived from these
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchlab.core.errors import StoreError
from benchlab.core.letters import quoted
from benchlab.records import checks, schema, shapes
from benchlab.records.plan import Manifest
from benchlab.records.run import Failure, Run, Sample
from benchlab.selftest.check import Overhead
from benchlab.storage import files, store

# That of calibration.json; the samples in it are as in a journal.
# 1: the first form.
SCHEMA = 1

# The folders of its runs, the first of which every calibration has, and the file of what else it keeps.
AA_TEST, SLOWDOWN, CALIBRATION = "aa-test", "slowdown", "calibration.json"
# What the folders were called up to version 0.2.
FORMER = {AA_TEST: "twins", SLOWDOWN: "burden"}
# The profile that a calibration's runs are made with tells how much was tried.
SHORT, FULL = "quick", "default"


@dataclass(frozen=True)
class FaultResult:
    """What came of a sample under a fault; one of the `expected` rules must be broken."""

    name: str
    record: Sample | Failure
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """A calibration as far as it came; of a part that was not made, or not kept, there is nothing.

    `rates` are requests per second by way of measuring and round; `used` is the CPU of lab.py and engine under a load.
    `broken` are the parts that were begun and given up, with the reason.
    """

    name: str
    aa_test: Run
    slowdown: Run | None = None
    rates: Mapping[str, Mapping[int, float]] | None = None
    used: Overhead | None = None
    faults: tuple[FaultResult, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.aa_test.manifest.settings.profile == FULL

    @property
    def lacking(self) -> list[str]:
        """Return the parts that there is nothing of."""
        parts = {
            "injected slowdown": self.slowdown,
            "plain wrk": self.rates,
            "CPU of the lab": self.used,
            "injected faults": self.faults,
        }
        return [name for name, part in parts.items() if not part]


def write(folder: Path, calibration: Calibration) -> None:
    """Write what is not in the calibration's runs into its folder: whole, or not at all. Raises StoreError."""
    rates = {way: list(rounds.values()) for way, rounds in (calibration.rates or {}).items()}
    content = {
        "schema": SCHEMA,
        "rates": rates or None,
        "used": calibration.used and asdict(calibration.used),
        "faults": [_plain(each) for each in calibration.faults],
        "broken": dict(calibration.broken),
    }
    files.write(folder / CALIBRATION, json.dumps(content, indent=2) + "\n", files.MEND)


def is_calibration(folder: Path) -> bool:
    """Return whether the folder holds the runs of a calibration."""
    return files.exists(_run_folder(folder, AA_TEST) / store.MANIFEST)


def is_part(folder: Path) -> bool:
    """Return whether the run in the folder is a part of a calibration, which cannot go on."""
    return is_calibration(folder.parent)


def first_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of the calibration's first run, None where the folder holds none. Raises StoreError."""
    return store.read_manifest(_run_folder(folder, AA_TEST)) if is_calibration(folder) else None


def is_whole(folder: Path) -> bool:
    """Return whether the folder keeps all that its report is made of: those of older labs lack what no run holds."""
    return files.exists(folder / CALIBRATION)


def read(folder: Path) -> Calibration:
    """Return what the folder keeps. Raises StoreError, also where it was stopped before its first sample."""
    of_aa_test, of_slowdown = _run_folder(folder, AA_TEST), _run_folder(folder, SLOWDOWN)
    aa_test = store.read(of_aa_test)
    if not aa_test.taken:
        raise StoreError(f"{of_aa_test} has no sample, so that nothing is known of the instrument; calibrate anew")
    slowdown = store.read(of_slowdown) if files.exists(of_slowdown / store.MANIFEST) else None
    calibration = Calibration(folder.name, aa_test, slowdown)
    path = folder / CALIBRATION
    if not is_whole(folder):
        return calibration
    try:
        return _with(calibration, shapes.decoded(files.read(path)))
    except ValueError as error:
        raise StoreError(f"{path} cannot be read ({error}); restore it, or calibrate anew") from error


def _run_folder(folder: Path, name: str) -> Path:
    """Return the folder of the calibration's run, by the name that it has there."""
    former = folder / FORMER[name]
    return former if files.exists(former / store.MANIFEST) else folder / name


@dataclass(frozen=True)
class _Fault:
    """A sample under a fault, as the file has it."""

    name: str
    expected: tuple[str, ...]
    record: dict[str, object]


@dataclass(frozen=True)
class _Content:
    """What the file has. Older ones have no broken parts: what broke a part ended the calibration."""

    schema: int
    rates: dict[str, tuple[float, ...]] | None
    used: Overhead | None
    faults: tuple[_Fault, ...]
    broken: dict[str, str] = field(default_factory=dict)


def _with(calibration: Calibration, content: Any) -> Calibration:
    """Return the calibration with what the file has of it. Raises ValueError, in plain words."""
    if isinstance(content, dict) and content.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"schema {quoted(content['schema'])}, this lab reads {SCHEMA}")
    made = shapes.made(_Content, content)
    return replace(
        calibration,
        rates=None if made.rates is None else {way: _rounds(way, rates) for way, rates in made.rates.items()},
        used=made.used,
        faults=tuple(map(_fault_result, made.faults)),
        broken=made.broken,
    )


def _rounds(way: str, rates: Sequence[float]) -> dict[int, float]:
    for rate in rates:
        checks.amounts(way, rate=rate)
        if not rate:
            raise ValueError(f"{way}: a rate is 0")
    return dict(enumerate(rates))


def _plain(result: FaultResult) -> dict[str, Any]:
    return {"name": result.name, "expected": list(result.expected), "record": schema.line(result.record)}


def _fault_result(fault: _Fault) -> FaultResult:
    record = schema.record(fault.record)
    if not isinstance(record, Sample | Failure):
        raise ValueError(f"{fault.name}: no sample and no failure")
    return FaultResult(fault.name, record, tuple(map(schema.rule_name, fault.expected)))
