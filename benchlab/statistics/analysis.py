"""From a run's samples to what its tables say: estimates, comparisons, bottlenecks. Pure: no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from benchlab.core.measured import Decision, Run
from benchlab.core.model import Manifest
from benchlab.statistics import averages, bottleneck, comparison, figures, sequential, stats
from benchlab.statistics.comparison import Comparison, Pair, Standing
from benchlab.statistics.figures import Cell, Figure, Measured
from benchlab.statistics.stats import Cells, Estimate, Ratio
from benchlab.verdicts import rules

# What the tables call the two figures that entries are compared by, and all levels of a test together.
RATE, PER_CPU = "requests/s", "requests/CPU-s"
ALL_LEVELS = "all"
# What entries are ranked by, and what the gate looks at: both are told, and both are calibrated.
FIGURES: Mapping[str, Figure] = {RATE: figures.rate, PER_CPU: figures.per_cpu_s}


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
    return run.once(_results)


def parameters() -> dict[str, object]:
    """Return what decides the outcomes and is fixed before a run begins: levels of the tests, limits of the rules."""
    return {
        "significance": stats.ALPHA,
        "equivalence": stats.EQUIVALENCE,
        "multiple_pairs": "Holm, over the pairs of a level",
        "interval": "Student's t on logarithms, paired by block",
        "rules": {rule.name: {"severity": rule.severity, "limit": rule.limit} for rule in rules.RULES},
    }


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


def unmeasured(manifest: Manifest, test: str, cells: Iterable[Cell] = ()) -> tuple[tuple[str, int], ...]:
    """Return entry and level of what has no cell, but of no entry that could not be built: its tests are not known."""
    declaring = [entry for entry in manifest.entries if test in manifest.tests(entry)]
    wanted = set(product(declaring, manifest.settings.levels[test]))
    return tuple(sorted(wanted - {(cell.entry, cell.level) for cell in cells}))


def _results(run: Run) -> tuple[Result, ...]:
    return tuple(_result(run.manifest, measured, run.decision) for measured in figures.measured(run).values())


def _result(manifest: Manifest, measured: Measured, decision: Decision | None) -> Result:
    by_cpu = any(cell.bottleneck in (bottleneck.HOST, bottleneck.OTHERS) for cell in measured.cells)
    by_rate = measured.ranked(figures.rate)
    rates = compared(list(by_rate.values()), decision)
    by_cost = measured.ranked(figures.per_cpu_s) if by_cpu else {}
    return Result(
        test=measured.test,
        cells=measured.cells,
        levels={level: compared([by_rate[level]], decision) for level in sorted(by_rate)},
        rates=rates,
        overall=compared(list(by_cost.values()), decision) if by_cpu else rates,
        by_cpu=by_cpu,
        cpu_levels={level: compared([by_cost[level]], decision) for level in sorted(by_cost)},
        per_cpu_s=averages.over_levels(measured.known[figures.per_cpu_s].values()),
        per_app_cpu_s=averages.over_levels(measured.known[figures.per_app_cpu_s].values()),
        unmeasured=unmeasured(manifest, measured.test, measured.cells),
    )
