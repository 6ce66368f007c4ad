"""The figures of samples, of which a cell is made: an entry at one level of one test, over its blocks. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from benchlab.experiment.workloads import WORKLOADS, varied
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import Manifest
from benchlab.records.run import Run, Sample
from benchlab.statistics import bottleneck, stats
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.stats import Cells, Estimate

Figure = Callable[[Sample], float | None]
# The samples of one test, by level and entry.
Grouped = Mapping[int, Mapping[str, Sequence[Sample]]]
# All figures of them, by level, entry and block.
Known = Mapping[Figure, Mapping[int, Cells]]


@dataclass(frozen=True)
class Cell:
    """One entry at one level of one test, over its blocks.

    `rate` is requests per second; `per_cpu_s` requests per second of CPU time of app, database and proxy together, and
    `per_app_cpu_s` of the app alone; both are None where the host does not tell. `memory_peak_bytes` is the app's, the
    largest of all samples.
    """

    entry: str
    test: str
    level: int
    rate: Estimate
    per_cpu_s: Estimate | None
    per_app_cpu_s: Estimate | None
    memory_peak_bytes: int | None
    shares: Shares
    bottleneck: str

    @property
    def client_bound(self) -> bool:
        """Return whether wrk was the limit: the entry could do more, so it has no rank."""
        return self.bottleneck == CLIENT


@dataclass(frozen=True)
class Measured:
    """What was measured of one test: its cells, and all figures that are known of it."""

    test: str
    cells: tuple[Cell, ...]
    known: Known

    def ranked(self, figure: Figure) -> dict[int, Cells]:
        """Return the figures by level, but of cells that the client bound."""
        bound = {(cell.entry, cell.level) for cell in self.cells if cell.client_bound}
        return {
            level: {entry: blocks for entry, blocks in entries.items() if (entry, level) not in bound}
            for level, entries in self.known[figure].items()
        }


def measured(run: Run) -> Mapping[str, Measured]:
    """Return what was measured, by test: of each that has samples, in the order of the settings."""
    return run.once(_measured)


def every_cell(run: Run) -> Iterator[Cell]:
    """Yield every cell of the run; nothing is compared for it."""
    for of_test in measured(run).values():
        yield from of_test.cells


def rate(sample: Sample) -> float | None:
    """Return requests per second; None where nothing was answered."""
    return sample.load.requests_per_second or None


def per_cpu_s(sample: Sample) -> float | None:
    """Return requests per second of CPU time of app, database and proxy together, None where it is not known."""
    return _per_cpu_s(sample, (APP, DB, PROXY))


def per_app_cpu_s(sample: Sample) -> float | None:
    """Return requests per second of the app's CPU time, None where it is not known."""
    return _per_cpu_s(sample, (APP,))


def by_block(samples: Iterable[Sample], figure: Figure) -> dict[int, float]:
    """Return the figure of one cell in each block that has one; of repeats the geometric mean."""
    values: dict[int, list[float]] = defaultdict(list)
    for sample in samples:
        if (value := figure(sample)) is not None:
            values[sample.trial.block].append(value)
    return {block: of[0] if len(of) == 1 else geometric_mean(of) for block, of in values.items()}


def _per_cpu_s(sample: Sample, roles: Iterable[str]) -> float | None:
    used = [sample.counters.roles[role].cpu_us for role in roles if role in sample.counters.roles]
    total_us = sum(filter(None, used))
    return None if None in used or not total_us else sample.load.requests / (total_us / 1e6) or None


def _measured(run: Run) -> dict[str, Measured]:
    by_test: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        by_test[sample.trial.test].append(sample)
    found = {}
    for test in (test for test in run.manifest.settings.tests if by_test[test]):
        grouped = _grouped(by_test[test])
        known: Known = {figure: _figures(grouped, figure) for figure in (rate, per_cpu_s, per_app_cpu_s)}
        found[test] = Measured(test, _cells(run.manifest, test, grouped, known), known)
    return found


def _grouped(samples: Iterable[Sample]) -> Grouped:
    grouped: dict[int, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        grouped[varied(sample.trial.test, sample.trial.level)][sample.trial.entry].append(sample)
    return grouped


def _figures(grouped: Grouped, figure: Figure) -> dict[int, dict[str, dict[int, float]]]:
    """Return the figure by level, entry and block, as far as it is known; of repeats the geometric mean."""
    return {
        level: {entry: blocks for entry, cell in entries.items() if (blocks := by_block(cell, figure))}
        for level, entries in grouped.items()
    }


def _cells(manifest: Manifest, test: str, grouped: Grouped, known: Known) -> tuple[Cell, ...]:
    """Return the cells of the test that have a rate, in the order of entries and levels."""
    estimates = {
        (entry, level): {figure: stats.estimate(levels[level].get(entry, {})) for figure, levels in known.items()}
        for level, entries in grouped.items()
        for entry in entries
    }
    means = {key: of[rate] for key, of in estimates.items()}
    return tuple(
        _cell(manifest, grouped[level][entry], mean, estimates[entry, level], _growth(means, test, entry, level))
        for entry, level in sorted(means)
        if (mean := means[entry, level]) is not None
    )


def _cell(
    manifest: Manifest,
    samples: Sequence[Sample],
    mean: Estimate,
    estimates: Mapping[Figure, Estimate | None],
    growth: float | None,
) -> Cell:
    trial = samples[0].trial
    found = bottleneck.shares(samples, bottleneck.role_cpus(manifest, trial.entry, trial.level))
    peaks = [sample.counters.roles[APP].memory_peak_bytes for sample in samples if APP in sample.counters.roles]
    return Cell(
        entry=trial.entry,
        test=trial.test,
        level=varied(trial.test, trial.level),
        rate=mean,
        per_cpu_s=estimates[per_cpu_s],
        per_app_cpu_s=estimates[per_app_cpu_s],
        memory_peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
        shares=found,
        bottleneck=bottleneck.name(found, growth, bottleneck.own_share(bottleneck.of_host(samples))),
    )


def _growth(means: Mapping[tuple[str, int], Estimate | None], test: str, entry: str, level: int) -> float | None:
    """Return the rate at twice the connections over the rate here; None where that was not measured."""
    here, doubled = means.get((entry, level)), means.get((entry, 2 * level))
    if WORKLOADS[test].varies != "connections" or here is None or doubled is None:
        return None
    return doubled.mean / here.mean
