"""Baseline and candidate: runs, or two versions of the entries in one; what each has, and what failed."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import pairwise
from statistics import geometric_mean

from benchlab.core.errors import UsageError
from benchlab.factors import catalog
from benchlab.load import registry
from benchlab.load.metrics import Metric
from benchlab.quality import judge
from benchlab.records.plan import LevelKey, Trial
from benchlab.records.run import Run
from benchlab.statistics import bottleneck, cells
from benchlab.statistics.cells import Cell, Known
from benchlab.statistics.pooling import Blocks

# A day ends where nothing begins for so long: an evening's runs are of one day though the last began past midnight.
BREAK_HOURS = 12
# An entry under the name that it is compared by, a test, a level of it.
Key = tuple[str, str, LevelKey]


def numbers(began: Sequence[datetime]) -> tuple[int, ...]:
    """Return the number of each moment's day: 1 is the first by the clock, whatever the order given."""
    in_order = sorted(began)
    later = [one for before, one in pairwise(in_order) if one - before >= timedelta(hours=BREAK_HOURS)]
    # The first of each day.
    firsts = [*in_order[:1], *later]
    return tuple(bisect_right(firsts, moment) for moment in began)


class Design(Enum):
    """What was measured when, which decides what is compared with what."""

    # Both in turns, in one run: its blocks are pairs, and drift cancels.
    VERSIONS = "versions"
    # A run for each, at two times: their blocks share no time, and say how the two runs differ, not why.
    TWO_RUNS = "two runs"
    # Several runs for one of them: those of a day give one value, so that what differs from day to day is seen.
    RUNS = "runs"

    @property
    def unit(self) -> str:
        """Return what a ratio counts as one observation."""
        return "day" if self is Design.RUNS else "block"


@dataclass(frozen=True)
class ComparedRun:
    """A run of the baseline or of the candidate; `entries` are those compared, by the name of each comparison.

    One entry may be there under several names, as the first level of a factor is beside each of the others.
    """

    run: Run
    entries: Mapping[str, str]

    def values(self, entry: str, test: str, metric: Metric) -> dict[LevelKey, Blocks]:
        """Return the metric by level and block of what is compared under the entry's name.

        Without the cells that wrk limited, if wrk limits the metric: such a value says only what the entry does at
        least.
        """
        known, origin = self._known.get(test), self.entries.get(entry)
        if known is None or origin is None:
            return {}
        by_level = {level: of[origin] for level, of in known[metric].items() if origin in of}
        if not metric.client_limits:
            return by_level
        return {level: blocks for level, blocks in by_level.items() if (entry, test, level) not in self.client_bound}

    def known(self, metric: Metric) -> set[Key]:
        """Return the cells with a value of the metric in at least one block."""
        return {(entry, test, level) for entry, test in self.trials for level in self.values(entry, test, metric)}

    @cached_property
    def _known(self) -> dict[str, Known]:
        """Return the values of each test, under the run's own names of the entries."""
        return {test: measured.known for test, measured in cells.measured(self.run).items()}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Return the names that each entry of the run is compared under."""
        names: dict[str, list[str]] = {}
        for name, entry in self.entries.items():
            names.setdefault(entry, []).append(name)
        return names

    @cached_property
    def client_bound(self) -> set[Key]:
        """Return the cells that wrk limited."""
        return self._keys(lambda cell: cell.client_bound)

    @cached_property
    def full(self) -> set[Key]:
        """Return the cells that the full host limited."""
        return self._keys(lambda cell: cell.bottleneck in (bottleneck.HOST, bottleneck.OTHERS))

    @cached_property
    def spare(self) -> set[Key]:
        """Return the cells that left the host idle time."""
        return self._keys(lambda cell: cell.shares.idle is not None and not bottleneck.fills_host(cell.shares))

    @cached_property
    def cells(self) -> set[Key]:
        """Return the cells that have samples."""
        return {key for sample in self.run.samples for key in self._of_trial(sample.trial)}

    @property
    def trials(self) -> set[tuple[str, str]]:
        """Return entry and test of the cells that have samples."""
        return {(entry, test) for entry, test, _ in self.cells}

    @property
    def planned(self) -> set[Key]:
        """Return the cells that the run was to measure."""
        manifest = self.run.manifest
        keys = registry.of(manifest.settings).keys
        return {
            (name, test, level)
            for name, entry in self.entries.items()
            for test in manifest.tests(entry)
            for level in keys(test, manifest.settings.levels[test])
        }

    @cached_property
    def failed(self) -> Counter[Key]:
        """Return by cell how many trials were tried and have no sample that counts."""
        return Counter(key for failure in judge.missing(self.run) for key in self._of_trial(failure.trial))

    def _keys(self, of: Callable[[Cell], bool]) -> set[Key]:
        """Return the cells for which `of` is true."""
        chosen = (cell for cell in cells.every_cell(self.run) if of(cell))
        return {(name, cell.test, cell.level) for cell in chosen for name in self._names.get(cell.entry, ())}

    def _of_trial(self, trial: Trial) -> Iterator[Key]:
        """Yield the cells that the trial is of."""
        for name in self._names.get(trial.entry, ()):
            yield name, trial.test, trial.level.key


@dataclass(frozen=True)
class ComparedRuns:
    """The baseline or the candidate of a comparison: one run, or several of the same entries."""

    parts: tuple[ComparedRun, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(part.run for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the entries are compared under."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.entries))

    def values(self, entry: str, test: str, metric: Metric) -> dict[LevelKey, Blocks]:
        """Return the metric by level and block, of one run. Raises ValueError where it is several."""
        (part,) = self.parts
        return part.values(entry, test, metric)

    @cached_property
    def days(self) -> tuple[int, ...]:
        """Return the number of the day on which each run began."""
        return numbers([run.manifest.created_at for run in self.runs])

    def by_day(self, entry: str, test: str, metric: Metric) -> dict[LevelKey, Blocks]:
        """Return the metric by level and number of the day: of its runs the mean, each the mean over its blocks.

        The means are geometric. Without the cells that wrk limited in any run, if wrk limits the metric.
        """
        by_level: dict[LevelKey, dict[int, list[float]]] = {}
        for day, part in zip(self.days, self.parts, strict=True):
            for level, blocks in part.values(entry, test, metric).items():
                if not metric.client_limits or (entry, test, level) not in self.client_bound:
                    by_level.setdefault(level, {}).setdefault(day, []).append(geometric_mean(blocks.values()))
        return {level: {day: geometric_mean(of) for day, of in by_day.items()} for level, by_day in by_level.items()}

    def known(self, metric: Metric) -> set[Key]:
        """Return the cells with a value of the metric in at least one block."""
        return self._any(lambda part: part.known(metric))

    @property
    def client_bound(self) -> set[Key]:
        """Return the cells that wrk limited in at least one run."""
        return self._any(lambda part: part.client_bound)

    @property
    def full(self) -> set[Key]:
        """Return the cells that the full host limited in at least one run."""
        return self._any(lambda part: part.full)

    @property
    def spare(self) -> set[Key]:
        """Return the cells that left the host idle time in at least one run."""
        return self._any(lambda part: part.spare)

    @property
    def cells(self) -> set[Key]:
        """Return the cells that have samples."""
        return self._any(lambda part: part.cells)

    @property
    def trials(self) -> set[tuple[str, str]]:
        """Return entry and test of the cells that have samples."""
        return {(entry, test) for entry, test, _ in self.cells}

    @property
    def planned(self) -> set[Key]:
        """Return the cells that at least one run was to measure."""
        return self._any(lambda part: part.planned)

    @property
    def failed(self) -> Counter[Key]:
        """Return by cell how many trials were tried and have no sample that counts."""
        return sum((part.failed for part in self.parts), Counter())

    def _any(self, of: Callable[[ComparedRun], Iterable[Key]]) -> set[Key]:
        return {key for part in self.parts for key in of(part)}


def design_of(baseline: ComparedRuns, candidate: ComparedRuns) -> Design:
    if len(baseline.runs) > 1 or len(candidate.runs) > 1:
        return Design.RUNS
    return Design.VERSIONS if baseline.runs[0] is candidate.runs[0] else Design.TWO_RUNS


def of_several(baseline: Sequence[Run], candidate: Sequence[Run]) -> tuple[ComparedRuns, ComparedRuns]:
    """Return the runs as baseline and candidate, one or more for each; entries are matched by name."""
    return _of_runs(baseline), _of_runs(candidate)


class NoVersionsError(UsageError):
    """A run has no entry of another commit; `run_id` names it."""

    def __init__(self, run_id: str):
        super().__init__(f"{run_id} holds no entry of another commit")
        self.run_id = run_id


def of_versions(run: Run) -> tuple[ComparedRuns, ComparedRuns]:
    """Return the two versions of the entries in one run: baseline, candidate. Raises NoVersionsError without."""
    older = catalog.versions(run.manifest.variants, run.manifest.settings)
    if not older:
        raise NoVersionsError(run.manifest.run_id)
    newer = {name: name for name in older}
    return ComparedRuns((ComparedRun(run, older),)), ComparedRuns((ComparedRun(run, newer),))


def _of_runs(runs: Sequence[Run]) -> ComparedRuns:
    return ComparedRuns(tuple(ComparedRun(run, {name: name for name in run.manifest.entries}) for run in runs))
