"""What was measured, by cell: an entry at one level of one test, over its blocks. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchlab.load import registry
from benchlab.load.metrics import RATE, Metric, Parts
from benchlab.records.counters import APP, CLIENT
from benchlab.records.plan import CONNECTIONS, LevelKey, Manifest
from benchlab.records.run import Run, Sample
from benchlab.statistics import bottleneck, stats
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.pooling import ONLY_ROUND, Blocks, Cells, PooledBlocks
from benchlab.statistics.stats import Estimate

# The samples of one test, by level and entry.
Grouped = Mapping[LevelKey, Mapping[str, Sequence[Sample]]]
# All metrics of them, by level, entry and block.
Known = Mapping[Metric, Mapping[LevelKey, Cells]]


@dataclass(frozen=True)
class Cell:
    """One entry at one level of one test, over its blocks.

    `estimates` are those of the metrics that are known of it, and the rate is among them. `memory_peak_bytes` is the
    app's, the largest of all samples.
    """

    entry: str
    test: str
    level: LevelKey
    estimates: Mapping[Metric, Estimate]
    memory_peak_bytes: int | None
    shares: Shares
    bottleneck: str

    @property
    def rate(self) -> Estimate:
        """Return requests per second."""
        return self.estimates[RATE]

    @property
    def client_bound(self) -> bool:
        """Return whether wrk was the limit: the entry could do more, so it has no rank."""
        return self.bottleneck == CLIENT


@dataclass(frozen=True)
class Measured:
    """What was measured of one test: its cells, and all metrics that are known of it."""

    test: str
    cells: tuple[Cell, ...]
    known: Known

    def ranked(self, metric: Metric) -> dict[LevelKey, Cells]:
        """Return the values by level, but of cells that the client bound."""
        bound = {(cell.entry, cell.level) for cell in self.cells if cell.client_bound}
        return {
            level: {entry: blocks for entry, blocks in entries.items() if (entry, level) not in bound}
            for level, entries in self.known[metric].items()
        }


def measured(run: Run) -> Mapping[str, Measured]:
    """Return what was measured, by test: of each that has samples, in the order of the settings."""
    return run.once(_measured)


def every_cell(run: Run) -> Iterator[Cell]:
    """Yield every cell of the run; nothing is compared for it."""
    for of_test in measured(run).values():
        yield from of_test.cells


def by_block(samples: Iterable[Sample], metric: Metric) -> Blocks:
    """Return the metric of one cell in each block that has a value: that of its rounds together.

    A sample of which the metric is not known is in none of the sums.
    """
    known = [(sample.trial, parts) for sample in samples if (parts := metric.parts(sample)) is not None]
    if all(trial.repeat == ONLY_ROUND for trial, _ in known):
        return {trial.block: value for trial, parts in known if (value := parts.value) is not None}
    rounds: dict[int, dict[int, Parts]] = defaultdict(dict)
    for trial, parts in known:
        rounds[trial.block][trial.repeat] = parts
    return PooledBlocks(rounds)


def _measured(run: Run) -> dict[str, Measured]:
    return measured_in(run, registry.measures(run.manifest).every)


def measured_in(run: Run, of_metrics: Sequence[Metric]) -> dict[str, Measured]:
    """Return what was measured in these metrics, of which the rate is one, by test."""
    by_test: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        by_test[sample.trial.test].append(sample)
    made = {}
    for test in (test for test in run.manifest.settings.tests if by_test[test]):
        grouped = _grouped(by_test[test])
        known: Known = {metric: _values(grouped, metric) for metric in of_metrics}
        made[test] = Measured(test, _cells(run.manifest, grouped, known), known)
    return made


def _grouped(samples: Iterable[Sample]) -> Grouped:
    grouped: dict[LevelKey, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        grouped[sample.trial.level.key][sample.trial.entry].append(sample)
    return grouped


def _values(grouped: Grouped, metric: Metric) -> dict[LevelKey, dict[str, Blocks]]:
    """Return the metric by level, entry and block, as far as it is known."""
    return {
        level: {entry: blocks for entry, cell in entries.items() if (blocks := by_block(cell, metric))}
        for level, entries in grouped.items()
    }


def _cells(manifest: Manifest, grouped: Grouped, known: Known) -> tuple[Cell, ...]:
    """Return the cells of the test that have a rate, in the order of entries and levels."""
    estimates = {
        (entry, level): {
            metric: value
            for metric, levels in known.items()
            if (value := stats.estimate(levels[level].get(entry, {}))) is not None
        }
        for level, entries in grouped.items()
        for entry in entries
    }
    means = {key: of[RATE] for key, of in estimates.items() if RATE in of}
    return tuple(
        _cell(manifest, grouped[level][entry], estimates[entry, level], _growth(means, entry, level))
        for entry, level in sorted(means)
    )


def _cell(
    manifest: Manifest, samples: Sequence[Sample], estimates: Mapping[Metric, Estimate], growth: float | None
) -> Cell:
    trial = samples[0].trial
    used = bottleneck.shares(samples, bottleneck.role_cpus(manifest, trial.entry, trial.level))
    peaks = [sample.counters.roles[APP].memory_peak_bytes for sample in samples if APP in sample.counters.roles]
    return Cell(
        entry=trial.entry,
        test=trial.test,
        level=trial.level.key,
        estimates=estimates,
        memory_peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
        shares=used,
        bottleneck=bottleneck.name(used, growth, bottleneck.own_share(bottleneck.of_host(samples))),
    )


def _growth(means: Mapping[tuple[str, LevelKey], Estimate], entry: str, level: LevelKey) -> float | None:
    """Return the rate at twice the connections over the rate here; None where that was not measured."""
    here, doubled = means.get((entry, level)), means.get((entry, replace(level, value=2 * level.value)))
    if level.unit != CONNECTIONS or here is None or doubled is None:
        return None
    return doubled.mean / here.mean
