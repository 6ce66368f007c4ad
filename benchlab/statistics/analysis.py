"""From a run's samples to what its tables say: estimates, comparisons, bottlenecks. Pure: no clock, no chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from statistics import geometric_mean

from benchlab.core.counters import APP, CLIENT, DB, PROXY
from benchlab.core.measured import Decision, Run, Sample
from benchlab.core.model import Manifest
from benchlab.plan.workloads import WORKLOADS, varied
from benchlab.statistics import averages, bottleneck, comparison, sequential, stats
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.comparison import Comparison, Pair, Standing
from benchlab.statistics.stats import Cells, Estimate, Ratio
from benchlab.verdicts import rules

Figure = Callable[[Sample], float | None]

# What the tables call the two figures that entries are compared by, and all levels of a test together.
RATE, PER_CPU = "requests/s", "requests/CPU-s"
ALL_LEVELS = "all"


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
class Result:
    """All of one test: its cells, the pairs at each level, and the entries over all levels.

    `levels` and `rates`, the latter over all levels, compare requests per second; `overall` is what the ranks are from.
    `by_cpu` tells what the ranks are made of: where the host was full, requests per CPU-second, because there a rate
    says as much about the load's own need of CPU as about the entry; then `cpu_levels` compares these at each level.
    `per_cpu_s` and `per_app_cpu_s` are an entry's figures over all its levels, as far as they are known. `unmeasured`
    has entry and level of what was asked for and has no sample that counts.
    """

    test: str
    cells: tuple[Cell, ...]
    levels: Mapping[int, Comparison]
    rates: Comparison
    overall: Comparison
    by_cpu: bool
    cpu_levels: Mapping[int, Comparison]
    per_cpu_s: Mapping[str, Estimate]
    per_app_cpu_s: Mapping[str, Estimate]
    unmeasured: tuple[tuple[str, int], ...]

    @property
    def ranked_by(self) -> str:
        """Return the figure that the ranks are made of, RATE or PER_CPU."""
        return PER_CPU if self.by_cpu else RATE

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        return comparison.standings(self.overall)


def analyse(run: Run) -> tuple[Result, ...]:
    """Return the result of each test that has samples, in the order of the settings."""
    by_test: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        by_test[sample.trial.test].append(sample)
    return tuple(
        _result(run.manifest, test, by_test[test], run.decision)
        for test in run.manifest.settings.tests
        if by_test[test]
    )


def parameters() -> dict[str, object]:
    """Return what decides the outcomes and is fixed before a run begins: levels of the tests, limits of the rules."""
    return {
        "significance": stats.ALPHA,
        "equivalence": stats.EQUIVALENCE,
        "multiple_pairs": "Holm, over the pairs of a level",
        "interval": "Student's t on logarithms, paired by block",
        "rules": {rule.name: {"severity": rule.severity, "limit": rule.limit} for rule in rules.RULES},
    }


def rate(sample: Sample) -> float | None:
    """Return requests per second; None where nothing was answered."""
    return sample.load.requests_per_second or None


def per_cpu_s(sample: Sample) -> float | None:
    """Return requests per second of CPU time of app, database and proxy together, None where it is not known."""
    return _per_cpu_s(sample, (APP, DB, PROXY))


# What entries are ranked by, and what the gate looks at: both are told, and both are calibrated.
FIGURES: Mapping[str, Figure] = {RATE: rate, PER_CPU: per_cpu_s}


def per_app_cpu_s(sample: Sample) -> float | None:
    """Return requests per second of the app's CPU time, None where it is not known."""
    return _per_cpu_s(sample, (APP,))


def figures(samples: Iterable[Sample], figure: Figure) -> dict[int, dict[str, dict[int, float]]]:
    """Return the figure by level, entry and block, as far as it is known; of repeats the geometric mean."""
    grouped: dict[int, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        grouped[varied(sample.trial.test, sample.trial.level)][sample.trial.entry].append(sample)
    return {
        level: {entry: blocks for entry, cell in entries.items() if (blocks := by_block(cell, figure))}
        for level, entries in grouped.items()
    }


def by_block(samples: Iterable[Sample], figure: Figure) -> dict[int, float]:
    """Return the figure of one cell in each block that has one; of repeats the geometric mean."""
    values: dict[int, list[float]] = defaultdict(list)
    for sample in samples:
        if (value := figure(sample)) is not None:
            values[sample.trial.block].append(value)
    return {block: of[0] if len(of) == 1 else geometric_mean(of) for block, of in values.items()}


def _per_cpu_s(sample: Sample, roles: Iterable[str]) -> float | None:
    used = [sample.counters.roles[role].cpu_us for role in roles if role in sample.counters.roles]
    total_us = sum(cpu_us or 0 for cpu_us in used)
    return None if None in used or not total_us else sample.load.requests / (total_us / 1e6) or None


def _result(manifest: Manifest, test: str, samples: list[Sample], decision: Decision | None) -> Result:
    cells = _cells(manifest, test, samples)
    by_cpu = any(cell.bottleneck == bottleneck.HOST for cell in cells)
    by_rate = ranked(samples, cells, rate)
    levels = {level: compared([by_rate[level]], decision) for level in sorted(by_rate)}
    rates = compared(list(by_rate.values()), decision)
    by_cost = ranked(samples, cells, per_cpu_s) if by_cpu else {}
    return Result(
        test=test,
        cells=cells,
        levels=levels,
        rates=rates,
        overall=compared(list(by_cost.values()), decision) if by_cpu else rates,
        by_cpu=by_cpu,
        cpu_levels={level: compared([by_cost[level]], decision) for level in sorted(by_cost)},
        per_cpu_s=averages.over_levels(figures(samples, per_cpu_s).values()),
        per_app_cpu_s=averages.over_levels(figures(samples, per_app_cpu_s).values()),
        unmeasured=unmeasured(manifest, test, cells),
    )


def unmeasured(manifest: Manifest, test: str, cells: Iterable[Cell] = ()) -> tuple[tuple[str, int], ...]:
    """Return entry and level of what has no cell, but of no entry that could not be built: its tests are not known."""
    declaring = [entry for entry in manifest.entries if test in manifest.tests(entry)]
    wanted = set(product(declaring, manifest.settings.levels[test]))
    return tuple(sorted(wanted - {(cell.entry, cell.level) for cell in cells}))


def compared(levels: Sequence[Cells], decision: Decision | None) -> Comparison:
    """Return how the entries compare over the levels; where spread decided the number of blocks, by Stein's rule."""
    return Comparison(comparison.entries(levels), concluded(stats.ratios, levels, decision))


def concluded(
    ratios: Callable[[Sequence[Cells]], Sequence[Ratio]], levels: Sequence[Cells], decision: Decision | None
) -> tuple[Pair, ...]:
    """Return what the ratios over the levels tell; where spread decided the number of blocks, by Stein's rule."""
    found = ratios(levels)
    if decision is None or decision.needed is None:
        return comparison.decide(found)
    last = decision.pilot
    first = [
        {entry: {block: value for block, value in blocks.items() if block <= last} for entry, blocks in cells.items()}
        for cells in levels
    ]
    return comparison.decide(sequential.conclude(ratios(first), found))


def ranked(samples: Iterable[Sample], cells: Iterable[Cell], figure: Figure) -> dict[int, Cells]:
    """Return the figures of all cells of a test, by level, but of those that the client bound."""
    bound = {(cell.entry, cell.level) for cell in cells if cell.client_bound}
    return {
        level: {entry: blocks for entry, blocks in entries.items() if (entry, level) not in bound}
        for level, entries in figures(samples, figure).items()
    }


def _cells(manifest: Manifest, test: str, samples: list[Sample]) -> tuple[Cell, ...]:
    grouped: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.trial.entry, varied(test, sample.trial.level)].append(sample)
    means = {key: _estimate(group, rate) for key, group in grouped.items()}
    return tuple(
        _cell(manifest, group, mean, _growth(means, test, *key))
        for key, group in sorted(grouped.items())
        if (mean := means[key]) is not None
    )


def _cell(manifest: Manifest, samples: list[Sample], mean: Estimate, growth: float | None) -> Cell:
    trial = samples[0].trial
    found = bottleneck.shares(samples, bottleneck.role_cpus(manifest, trial.entry, trial.level))
    peaks = [sample.counters.roles[APP].memory_peak_bytes for sample in samples if APP in sample.counters.roles]
    return Cell(
        entry=trial.entry,
        test=trial.test,
        level=varied(trial.test, trial.level),
        rate=mean,
        per_cpu_s=_estimate(samples, per_cpu_s),
        per_app_cpu_s=_estimate(samples, per_app_cpu_s),
        memory_peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
        shares=found,
        bottleneck=bottleneck.name(found, growth),
    )


def _estimate(samples: Iterable[Sample], figure: Figure) -> Estimate | None:
    return stats.estimate(by_block(samples, figure))


def _growth(means: Mapping[tuple[str, int], Estimate | None], test: str, entry: str, level: int) -> float | None:
    """Return the rate at twice the connections over the rate here; None where that was not measured."""
    here, doubled = means.get((entry, level)), means.get((entry, 2 * level))
    if WORKLOADS[test].varies != "connections" or here is None or doubled is None:
        return None
    return doubled.mean / here.mean
