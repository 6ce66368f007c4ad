"""What a comparison lists as not compared, with the reasons: against the files of baseline and candidate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .printed import Row
from .sampled import PER_CPU, QUERIES, RATE, Sampled, key, missing
from .tables import FULL, Report, is_full, is_spare
from .telling import Compared, Records

# Entry under the name that it is compared by, test and level.
Cell = tuple[str, str, int]


def check(told: Sequence[str], compared: Compared) -> Iterator[str]:
    """Find reasons to say nothing of a part that are not told, and told ones that the files do not have."""
    said = Counter(parts(told))
    must, may = _expected(compared)
    if missing := must - said:
        yield f"nothing is said of {sorted(missing)}"
    if strangers := said - must - may:
        yield f"it is said for nothing of {sorted(strangers)}"


def _expected(compared: Compared) -> tuple[Counter[str], Counter[str]]:
    """Return what cannot be compared; and what may not be, where a printed figure lies on a limit."""
    old, new = _Version("old", compared.old, compared), _Version("new", compared.new, compared)
    both, planned = old.cells & new.cells, old.planned & new.planned
    failed = {cell for cell in old.failed | new.failed if cell in planned}
    must, may = Counter[str](), Counter[str]()
    for cell in failed:
        counts = ", ".join(
            f"{version.failed[cell]} in {version.name}" for version in (old, new) if version.failed[cell]
        )
        must[f"{_named(cell)} (samples that failed: {counts})"] += 1
    must.update(f"{_named(cell)} (only old has samples)" for cell in old.cells - new.cells - failed)
    must.update(f"{_named(cell)} (only new has samples)" for cell in (new.cells - old.cells) & old.planned - failed)
    must.update(f"{RATE} of {_named(cell)} (wrk was the limit)" for cell in (old.bound | new.bound) & both)
    for one, other in ((old, new), (new, old)):
        alone = (one.costed - other.costed) & both
        must.update(f"{PER_CPU} of {_named(cell)} (only {one.name} has a value)" for cell in alone)
        for cell in one.full & other.may_spare:
            found = must if cell in other.spare else may
            found[f"{PER_CPU} of {_named(cell)} (only {one.name} filled the host)"] += 1
    return must, may


def parts(told: Iterable[str]) -> Iterator[str]:
    """Yield what is told of the levels of an entry's test as it would be of each."""
    for line in told:
        for levels in line.removeprefix("could not be compared: ").split("; "):
            match = re.fullmatch(r"(.+ at )([\d, and]+)( \(.+\))", levels)
            yield from (f"{match[1]}{level}{match[3]}" for level in re.findall(r"\d+", match[2])) if match else [levels]


def _named(cell: Cell) -> str:
    entry, test, level = cell
    return f"{entry} {test} at {level}"


class _Version:
    """What the files of baseline or candidate hold of the entries that are compared."""

    def __init__(self, name: str, runs: Sequence[tuple[Records, str]], compared: Compared):
        self.name = name
        self.cells: set[Cell] = set()
        self.planned: set[Cell] = set()
        self.costed: set[Cell] = set()
        self.failed = Counter[Cell]()
        self._rows: list[tuple[Cell, Row]] = []
        for records, text in runs:
            self._add(records, Report(text), _called(name, records, compared))
        self.bound = self._where(lambda row: row["limited by"] == "client")
        self.full = self._where(lambda row: row["limited by"] in FULL)
        self.may_spare = self._where(is_spare)
        self.spare = self._where(lambda row: is_spare(row) and not is_full(row))

    def _add(self, records: Records, report: Report, called: Mapping[str, str]) -> None:
        sampled = Sampled(records.samples_csv)
        counting = {key(row) for row in sampled.counting}
        for entry, test, level in map(_cell, counting):
            if entry in called:
                self.cells.add((called[entry], test, level))
                if sampled.logs(PER_CPU, test, entry, level):
                    self.costed.add((called[entry], test, level))
        for entry, test, level in map(_cell, missing(sampled, records.failed, records.rounds)):
            if entry in called:
                self.failed[called[entry], test, level] += 1
        for entry, name in called.items():
            self.planned |= {(name, test, level) for test in records.tests[entry] for level in records.levels[test]}
        self._rows += [
            ((called[row["entry"]], row["test"], int(row["level"])), row)
            for row in report.cells
            if row["entry"] in called
        ]

    def _where(self, is_so: Callable[[Row], bool]) -> set[Cell]:
        return {cell for cell, row in self._rows if is_so(row)}


def _called(version: str, records: Records, compared: Compared) -> Mapping[str, str]:
    """Return the name that each entry is compared by: of two versions in one run, that of the new one."""
    if not compared.is_one_run:
        return {entry: entry for entry in records.tests}
    return records.versions if version == "old" else {name: name for name in records.versions.values()}


def _cell(told: str) -> Cell:
    """Return entry, test and level of a trial as the journal calls it."""
    _, entry, test, level, *_ = told.split("/")
    parts = dict(re.findall(r"([cqp])(\d+)", level))
    return entry, test, int(parts["q" if test in QUERIES else "c"])
