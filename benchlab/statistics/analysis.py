"""From a run's samples to what its tables say: estimates, comparisons, bottlenecks. Pure: no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from benchlab.quality import rules
from benchlab.records.plan import Manifest
from benchlab.records.run import Decision, Run
from benchlab.statistics import bottleneck, comparison, metrics, sequential, stats
from benchlab.statistics.comparison import Comparison, Standing
from benchlab.statistics.metrics import Cell, Figure, Measured
from benchlab.statistics.stats import Average, Cells, Ratio

# What the tables call the two figures that entries are compared by, and all levels of a test together.
RATE, PER_CPU = "requests/s", "requests/CPU-s"
ALL_LEVELS = "all"
# What entries are ranked by, and what the gate looks at: both are told, and both are calibrated.
FIGURES: Mapping[str, Figure] = {RATE: metrics.rate, PER_CPU: metrics.per_cpu_s}


@dataclass(frozen=True)
class Result:
    """All of one test: its cells, the pairs at each level, and the entries over all levels.

    `basis` is the figure that ranks the entries, RATE or PER_CPU; None where neither may, because some cells filled the
    host and others did not. `overall` is what the ranks are from, over all levels. `rates` and `costs` compare requests
    per second and per CPU-second over all levels, `levels` and `cpu_levels` at each; the two of CPU-seconds are empty
    where rates rank. `level_basis` is the figure whose outcomes hold at a level: that of the test, and where it has
    none, that of the level's own cells.
    `per_cpu_s` and `per_app_cpu_s` are an entry's figures over all its levels, as far as they are known. `unmeasured`
    has entry and level of what was asked for and has no sample that counts.
    """

    test: str
    cells: tuple[Cell, ...]
    basis: str | None
    overall: Comparison
    rates: Comparison
    costs: Comparison
    levels: Mapping[int, Comparison]
    cpu_levels: Mapping[int, Comparison]
    level_basis: Mapping[int, str | None]
    per_cpu_s: Mapping[str, Average]
    per_app_cpu_s: Mapping[str, Average]
    unmeasured: tuple[tuple[str, int], ...]

    @property
    def by_cpu(self) -> bool:
        """Return whether the ranks are made of requests per CPU-second: the host was full in all cells compared."""
        return self.basis == PER_CPU

    @property
    def decided_levels(self) -> dict[int, Comparison]:
        """Return the comparisons at single levels whose outcomes hold, of each level that has any such."""
        by_basis = {RATE: self.levels, PER_CPU: self.cpu_levels}
        return {level: by_basis[basis][level] for level, basis in self.level_basis.items() if basis}

    @property
    def asked(self) -> tuple[int, ...]:
        """Return all levels that were asked for."""
        return tuple(sorted({cell.level for cell in self.cells} | {level for _, level in self.unmeasured}))

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Return who is where, the leader first; nobody where no figure ranks."""
        return comparison.standings(self.overall) if self.basis else ()

    def label(self, over: Sequence[int]) -> str:
        """Return what is over these levels, of all that were asked for, as the function `label` does."""
        return label(over, self.asked)


def analyse(run: Run) -> tuple[Result, ...]:
    """Return the result of each test that has samples, in the order of the settings."""
    return run.once(_results)


def parameters() -> dict[str, object]:
    """Return what decides the outcomes and is fixed before a run begins: levels of the tests, limits of the rules."""
    return {
        "significance": stats.ALPHA,
        "equivalence": stats.EQUIVALENCE,
        "multiple_pairs": "Holm, over all pairs that a report leads with; at single levels over the pairs of a level",
        "least_blocks": comparison.LEAST_BLOCKS,
        "interval": "Student's t on logarithms, paired by block",
        "rules": {rule.name: {"severity": rule.severity, "limit": rule.limit} for rule in rules.RULES},
    }


def compared(levels: Mapping[int, Cells], decision: Decision | None) -> Comparison:
    """Return how the entries compare over the levels; where spread decided the number of blocks, by Stein's rule."""
    return Comparison(comparison.entries(levels.values()), comparison.decide(concluded(stats.ratios, levels, decision)))


def concluded(
    ratios: Callable[[Sequence[Cells]], Sequence[Ratio]], levels: Mapping[int, Cells], decision: Decision | None
) -> list[Ratio]:
    """Return the ratios over the levels, each with those that it is over; where spread decided the blocks, by Stein."""
    numbers = sorted(levels)
    whole = [levels[number] for number in numbers]
    found = list(ratios(whole))
    # Where the budget decided, and not the spread, the ordinary interval is right; Stein's would be wider for nothing.
    if decision is not None and decision.needed is not None and decision.needed <= decision.blocks:
        found = sequential.conclude(ratios(_first_blocks(whole, decision.pilot)), found)
    return [replace(ratio, over=tuple(numbers[place] for place in ratio.over)) for ratio in found]


def label(over: Sequence[int], asked: Iterable[int]) -> str:
    """Return what is over these levels, of those that were asked for: "all", "all but 128", or "16 alone"."""
    lacking = [level for level in asked if level not in over]
    if not lacking:
        return ALL_LEVELS
    return f"{ALL_LEVELS} but {_listed(lacking)}" if len(lacking) < len(over) else f"{_listed(over)} alone"


def unmeasured(manifest: Manifest, test: str, cells: Iterable[Cell] = ()) -> tuple[tuple[str, int], ...]:
    """Return entry and level of what has no cell, but of no entry that could not be built: its tests are not known."""
    declaring = [entry for entry in manifest.entries if test in manifest.tests(entry)]
    wanted = set(product(declaring, manifest.settings.levels[test]))
    return tuple(sorted(wanted - {(cell.entry, cell.level) for cell in cells}))


def _results(run: Run) -> tuple[Result, ...]:
    """Return the results; the pairs over all levels, which a report leads with, are corrected together."""
    found = [_result(run.manifest, measured, run.decision) for measured in metrics.measured(run).values()]
    headlines = iter(comparison.decide([pair.ratio for result in found for pair in result.overall.pairs]))
    return tuple(
        replace(result, overall=replace(result.overall, pairs=tuple(next(headlines) for _ in result.overall.pairs)))
        for result in found
    )


def _result(manifest: Manifest, measured: Measured, decision: Decision | None) -> Result:
    basis = _basis(measured.cells)
    by_rate = measured.ranked(metrics.rate)
    by_cost = {} if basis == RATE else measured.ranked(metrics.per_cpu_s)
    rates, costs = compared(by_rate, decision), compared(by_cost, decision)
    unranked = Comparison(rates.entries, ())
    return Result(
        test=measured.test,
        cells=measured.cells,
        basis=basis,
        overall={RATE: rates, PER_CPU: costs, None: unranked}[basis],
        rates=rates,
        costs=costs,
        levels={level: compared({level: by_rate[level]}, decision) for level in sorted(by_rate)},
        cpu_levels={level: compared({level: by_cost[level]}, decision) for level in sorted(by_cost)},
        level_basis={
            level: basis or _basis(cell for cell in measured.cells if cell.level == level) for level in sorted(by_rate)
        },
        per_cpu_s=stats.over_levels(measured.known[metrics.per_cpu_s]),
        per_app_cpu_s=stats.over_levels(measured.known[metrics.per_app_cpu_s]),
        unmeasured=unmeasured(manifest, measured.test, measured.cells),
    )


def _basis(cells: Iterable[Cell]) -> str | None:
    """Return what ranks the cells (docs/method.md, section 6.5): rates where none was limited by the full host.

    Requests per CPU-second where all filled it: a CPU-second of a full host does less than one of an idle host, so full
    and idle cells are comparable in neither figure, and nothing ranks them.
    """
    ranked = [cell for cell in cells if not cell.client_bound]
    if not any(cell.bottleneck in (bottleneck.HOST, bottleneck.OTHERS) for cell in ranked):
        return RATE
    return PER_CPU if all(bottleneck.fills_host(cell.shares) for cell in ranked) else None


def _listed(levels: Sequence[int]) -> str:
    *most, last = map(str, levels)
    return f"{', '.join(most)} and {last}" if most else last


def _first_blocks(levels: Iterable[Cells], last: int) -> list[Cells]:
    return [
        {entry: {block: value for block, value in blocks.items() if block <= last} for entry, blocks in cells.items()}
        for cells in levels
    ]
