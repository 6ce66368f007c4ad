"""What a calibration keeps in its folder, which its report is made of.

aa-test/, slowdown/, …    runs, each with its manifest and its journal
calibration.json          what no run holds, written before the first of them, and anew after each part
report.md                 derived from these
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchlab.core.errors import StoreError
from benchlab.core.letters import quoted
from benchlab.records import checks, shapes
from benchlab.records.plan import Manifest
from benchlab.records.run import Run
from benchlab.selftest import bias, faults
from benchlab.selftest.check import Burden, Overhead
from benchlab.storage import files, store

# That of calibration.json.
# 1: of entries that are up one at a time. What its parts were compared with has no meaning for rounds.
# 2: of entries that are up together; injected faults are runs too.
SCHEMA = 2

# The folders of its runs, the first of which every calibration has, and the file of what else it keeps.
AA_TEST, SLOWDOWN, KNOWN_RATE, FAULTS = "aa-test", "slowdown", "known-rate", "faults"
# By trouble of the host.
TROUBLES = {name: name.replace(" ", "-") for name in faults.TROUBLES}
RUNS = (AA_TEST, SLOWDOWN, KNOWN_RATE, FAULTS, *TROUBLES.values())
CALIBRATION = "calibration.json"
# What the first folder was called up to version 0.2.
FORMER_AA_TEST = "twins"


@dataclass(frozen=True)
class Findings:
    """What no run of a calibration holds; of a part that was not made there is nothing.

    `used` is the CPU of lab.py and engine in the rounds of the injected slowdown, `burdens` what slowed entries said of
    themselves. `rates` are requests per second by test and way of measuring, one for each round. `broken` are the parts
    that were begun and given up, with the reason.
    """

    is_full: bool
    used: Overhead | None = None
    burdens: tuple[Burden, ...] = ()
    rates: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        for test, ways in self.rates.items():
            if ways.keys() != set(bias.WAYS) or len({len(rates) for rates in ways.values()}) > 1:
                raise ValueError(f"rates of {quoted(test)}: each of {', '.join(bias.WAYS)} must have as many")
            for way, rates in ways.items():
                for rate in rates:
                    checks.amounts(way, rate=rate)
                    if not rate:
                        raise ValueError(f"{way}: a rate is 0")


@dataclass(frozen=True)
class Calibration:
    """A calibration as far as it came: its runs by their folders, the A/A test among them, and what else was found."""

    name: str
    runs: Mapping[str, Run]
    findings: Findings

    @property
    def aa_test(self) -> Run:
        return self.runs[AA_TEST]

    @property
    def lacking(self) -> list[str]:
        """Return the parts that there is nothing of."""
        parts = {part: part in self.runs for part in RUNS} | {"plain wrk": bool(self.findings.rates)}
        return [name for name, is_there in parts.items() if not is_there]


def write(folder: Path, findings: Findings) -> None:
    """Write what is not in the calibration's runs into its folder: whole, or not at all. Raises StoreError."""
    files.write(folder / CALIBRATION, json.dumps(asdict(findings), indent=2) + "\n", files.MEND)


def is_calibration(folder: Path) -> bool:
    """Return whether the folder holds the runs of a calibration."""
    return files.exists(_aa_test(folder) / store.MANIFEST)


def is_part(folder: Path) -> bool:
    """Return whether the run in the folder is a part of a calibration, which cannot go on."""
    return is_calibration(folder.parent)


def first_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of the calibration's first run, None where the folder holds none. Raises StoreError."""
    return store.read_manifest(_aa_test(folder)) if is_calibration(folder) else None


def read(folder: Path) -> Calibration:
    """Return what the folder keeps.

    Raises StoreError, also where it was stopped before its first slice, and where an older lab made it.
    """
    findings = _findings(folder)
    aa_test = store.read(folder / AA_TEST)
    if not aa_test.taken:
        raise StoreError(f"{folder / AA_TEST} has no slice, so that nothing is known of the instrument; calibrate anew")
    others = [part for part in RUNS[1:] if files.exists(folder / part / store.MANIFEST)]
    return Calibration(
        folder.name, {AA_TEST: aa_test, **{part: store.read(folder / part) for part in others}}, findings
    )


def _findings(folder: Path) -> Findings:
    path = folder / CALIBRATION
    if not files.exists(path):
        raise _older(folder)
    try:
        content: Any = shapes.decoded(files.read(path))
        schema = content.get("schema") if isinstance(content, dict) else SCHEMA
        if type(schema) is int and schema == 1:
            raise _older(folder)
        if type(schema) is not int or schema != SCHEMA:
            raise ValueError(f"schema {quoted(schema)}, this lab reads {SCHEMA}")
        return shapes.made(Findings, content)
    except ValueError as error:
        raise StoreError(f"{path} cannot be read ({error}); restore it, or calibrate anew") from error


def _older(folder: Path) -> StoreError:
    return StoreError(
        f"{folder} is a calibration of an older lab, whose entries were up one at a time; its {store.REPORT} stays as "
        "it is; calibrate anew"
    )


def _aa_test(folder: Path) -> Path:
    """Return the folder of the calibration's first run, by the name that it has there."""
    former = folder / FORMER_AA_TEST
    return former if files.exists(former / store.MANIFEST) else folder / AA_TEST
