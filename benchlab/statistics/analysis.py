"""From a run's samples to what its tables say: estimates, comparisons, bottlenecks. Pure: no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from itertools import product
from typing import Final

from benchlab.load import registry
from benchlab.load.metrics import Better, Measures, Metric
from benchlab.quality import rules
from benchlab.records.plan import LevelKey, Manifest
from benchlab.records.run import Decision, Run
from benchlab.statistics import bottleneck, cells, comparison, control, pooling, sequential, stats
from benchlab.statistics.cells import Cell, Measured
from benchlab.statistics.comparison import Comparison, Standing
from benchlab.statistics.control import Compared
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import Average, Ratio


class AllLevels(Enum):
    """All levels of a test together, as the tables call them."""

    ALL = "all"

    def __str__(self) -> str:
        return self.value


ALL_LEVELS: Final = AllLevels.ALL
# Where something is compared: at one level of a test, or over all of them.
Scope = LevelKey | AllLevels


@dataclass(frozen=True)
class Over:
    """The levels that something is the mean of, and those of all that were asked for that it lacks."""

    levels: tuple[LevelKey, ...]
    lacking: tuple[LevelKey, ...]

    @property
    def are_all(self) -> bool:
        return not self.lacking

    @property
    def are_most(self) -> bool:
        return len(self.lacking) < len(self.levels)


@dataclass(frozen=True)
class Result:
    """All of one test: its cells, the pairs at each level, and the entries over all levels.

    `measures` are the metrics of the run's load model. `basis` is the one that ranks the entries; None where none may,
    because some cells filled the host and others did not. `overall` is what the ranks are from, over all levels.
    `compared` has the comparisons in each metric over all levels, `levels` those at each; neither has the metric of
    full hosts where another ranks. `level_basis` is the metric whose outcomes hold at a level: that of the test, and
    where it has none, that of the level's own cells. Where the run has a `control`, the pairs of `overall` and `levels`
    are those with it, each the other entry to the control, where they have outcomes in intervals that hold all at once.
    `averages` has the metrics of each entry over all its levels, as far as they are known. `unmeasured` has entry and
    level of what was asked for and has no sample that counts.
    """

    test: str
    cells: tuple[Cell, ...]
    measures: Measures
    basis: Metric | None
    overall: Comparison
    compared: Mapping[Metric, Comparison]
    levels: Mapping[Metric, Mapping[LevelKey, Comparison]]
    level_basis: Mapping[LevelKey, Metric | None]
    averages: Mapping[Metric, Mapping[str, Average]]
    unmeasured: tuple[tuple[str, LevelKey], ...]
    control: str = ""

    @property
    def is_host_full(self) -> bool:
        """Return whether the metric of full hosts ranks: all cells compared filled the host."""
        return self.basis is not None and self.basis == self.measures.on_full_host

    @property
    def decided_levels(self) -> dict[LevelKey, Comparison]:
        """Return the comparisons at single levels whose outcomes hold, of each level that has any such."""
        return {level: self.levels[basis][level] for level, basis in self.level_basis.items() if basis}

    @cached_property
    def asked(self) -> tuple[LevelKey, ...]:
        """Return all levels that were asked for."""
        return tuple(sorted({cell.level for cell in self.cells} | {level for _, level in self.unmeasured}))

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Return who is where, the leader first, or the control; nobody where no metric ranks, or that has no value."""
        if not self.basis or self.lacks_control:
            return ()
        return comparison.beside(self.overall, self.control) if self.control else comparison.standings(self.overall)

    @cached_property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """Return the entries in groups, in the order of their standings: each is faster than all in those after it."""
        return comparison.tiers([standing.entry for standing in self.standings], self.overall)

    @property
    def lacks_control(self) -> bool:
        """Return whether the run has a control, and no value of it in this test."""
        return bool(self.control) and self.control not in self.overall.entries

    @property
    def informing(self) -> Mapping[Metric, Comparison]:
        """Return the comparisons in each metric over all levels: where there is a control, of the pairs with it."""
        if not self.control:
            return self.compared
        return {metric: comparison.of_one(compared, self.control) for metric, compared in self.compared.items()}

    def over(self, levels: Sequence[LevelKey]) -> Over:
        """Return the levels beside those that were asked for."""
        return over(levels, self.asked)


def analyse(run: Run) -> tuple[Result, ...]:
    """Return the result of each test that has samples, in the order of the settings."""
    return run.once(_results)


def _results(run: Run) -> tuple[Result, ...]:
    return _corrected(run, registry.measures(run.manifest), cells.measured(run).values())


def parameters() -> dict[str, object]:
    """Return what decides the outcomes and is fixed before a run begins: levels of the tests, limits of the rules."""
    return {
        "significance": stats.ALPHA,
        "equivalence": stats.EQUIVALENCE,
        "multiple_pairs": "Holm, over all pairs that a report leads with; at single levels over the pairs of a level",
        "baseline": f"the least p of all ratios to it, simulated ({control.DRAWS} draws, seed {control.SEED})",
        "least_blocks": comparison.LEAST_BLOCKS,
        "interval": "Student's t on logarithms, paired by block",
        "rules": {rule.name: {"severity": rule.severity, "limit": rule.limit} for rule in rules.RULES},
    }


def compared(levels: Mapping[LevelKey, Cells], better: Better, decision: Decision | None) -> Comparison:
    """Return how the entries compare over the levels; where spread decided the number of blocks, by Stein's rule."""
    pairs = comparison.decide(concluded(stats.ratios, levels, decision), better)
    return Comparison(comparison.entries(levels.values()), pairs, better)


def concluded(
    ratios: Callable[[Mapping[LevelKey, Cells]], Sequence[Ratio]],
    levels: Mapping[LevelKey, Cells],
    decision: Decision | None,
) -> list[Ratio]:
    """Return the ratios over the levels; where spread decided the number of blocks, by Stein's rule."""
    whole = {level: levels[level] for level in sorted(levels)}
    made = list(ratios(whole))
    if pilot := _deciding_pilot(decision):
        return sequential.conclude(ratios(_first_blocks(whole, pilot)), made)
    return made


def _deciding_pilot(decision: Decision | None) -> int:
    """Return how many blocks the pilot had whose spread decided how many there are; 0 where it did not.

    Where the budget decided, and not the spread, the ordinary interval is right; Stein's would be wider for nothing.
    """
    if decision is None or decision.needed is None or decision.needed > decision.blocks:
        return 0
    return decision.pilot


def over(levels: Sequence[LevelKey], asked: Iterable[LevelKey]) -> Over:
    """Return the levels beside those that were asked for."""
    return Over(tuple(levels), tuple(level for level in asked if level not in levels))


def unmeasured(manifest: Manifest, test: str, cells: Iterable[Cell] = ()) -> tuple[tuple[str, LevelKey], ...]:
    """Return entry and level of what has no cell, but of no entry that could not be built: its tests are not known."""
    declaring = [entry for entry in manifest.entries if test in manifest.tests(entry)]
    levels = registry.of(manifest.settings).keys(test, manifest.settings.levels[test])
    wanted = set(product(declaring, levels))
    return tuple(sorted(wanted - {(cell.entry, cell.level) for cell in cells}))


def results(run: Run, measures: Measures) -> tuple[Result, ...]:
    """Return the run's results in these metrics; the pairs that a report leads with are corrected together."""
    return _corrected(run, measures, cells.measured_in(run, measures.every).values())


def _corrected(run: Run, measures: Measures, measured: Iterable[Measured]) -> tuple[Result, ...]:
    if run.manifest.settings.control:
        return _against_control(run, measures, measured)
    uncorrected = [_result(run.manifest, measures, of_test, run.decision) for of_test in measured]
    ratios = [(pair.ratio, result.overall.better) for result in uncorrected for pair in result.overall.pairs]
    headlines = iter(comparison.decide_together(ratios))
    return tuple(
        replace(result, overall=replace(result.overall, pairs=tuple(next(headlines) for _ in result.overall.pairs)))
        for result in uncorrected
    )


def _against_control(run: Run, measures: Measures, measured: Iterable[Measured]) -> tuple[Result, ...]:
    """Return the results with each entry against the control; those over all levels of all tests are one family."""
    name, pilot = run.manifest.settings.control, _deciding_pilot(run.decision)
    made: list[tuple[Result, Compared | None]] = []
    for of_test in measured:
        result = _result(run.manifest, measures, of_test, run.decision)
        at = {metric: of_test.ranked(metric) for metric in result.compared}
        levels = {
            metric: {
                level: _at_once(compared, _compared({level: at[metric][level]}, compared.better, name, pilot))
                if metric == result.level_basis[level]
                else comparison.of_one(compared, name)
                for level, compared in of_levels.items()
            }
            for metric, of_levels in result.levels.items()
        }
        leads = _compared(at[result.basis], result.basis.better, name, pilot) if result.basis else None
        made.append((replace(result, levels=levels, control=name), leads))
    family = [leads for _, leads in made if leads is not None]
    decided = iter(control.decide(family))
    return tuple(
        replace(result, overall=replace(result.overall, pairs=next(decided) if leads is not None else ()))
        for result, leads in made
    )


def _at_once(compared: Comparison, beside: Compared) -> Comparison:
    """Return the comparison with the pairs of a family of its own."""
    (pairs,) = control.decide([beside])
    return replace(compared, pairs=pairs)


def _compared(levels: Mapping[LevelKey, Cells], better: Better, name: str, pilot: int) -> Compared:
    whole = {level: levels[level] for level in sorted(levels)}
    ratios, logs = stats.ratios_to(whole, name)
    first = stats.ratios_to(_first_blocks(whole, pilot), name)[0] if pilot else ()
    return Compared(ratios, logs, better, first)


def _result(manifest: Manifest, measures: Measures, measured: Measured, decision: Decision | None) -> Result:
    basis = _basis(measures, measured.cells)
    is_spare = basis is not None and basis == measures.ranked_by
    asked = [metric for metric in measures.compared if not (is_spare and metric == measures.on_full_host)]
    ranked = {metric: measured.ranked(metric) for metric in asked}
    over_all = {metric: compared(ranked[metric], metric.better, decision) for metric in asked}
    first = over_all[measures.ranked_by]
    return Result(
        test=measured.test,
        cells=measured.cells,
        measures=measures,
        basis=basis,
        overall=replace(first, pairs=()) if basis is None else over_all[basis],
        compared=over_all,
        levels={
            metric: {level: compared({level: levels[level]}, metric.better, decision) for level in sorted(levels)}
            for metric, levels in ranked.items()
        },
        level_basis={
            level: basis or _basis(measures, (cell for cell in measured.cells if cell.level == level))
            for level in sorted(ranked[measures.ranked_by])
        },
        averages={metric: stats.over_levels(levels) for metric, levels in measured.known.items()},
        unmeasured=unmeasured(manifest, measured.test, measured.cells),
    )


def _basis(measures: Measures, of: Iterable[Cell]) -> Metric | None:
    """Return what ranks the cells (docs/method.md, section 6.5): the usual metric where the host limited none of them.

    The metric of full hosts where all filled it: a CPU-second of a full host does less than one of an idle host, so
    full and idle cells are comparable in no metric, and nothing ranks them.
    """
    ranked = [cell for cell in of if not cell.client_bound]
    are_spare = not any(cell.bottleneck in (bottleneck.HOST, bottleneck.OTHERS) for cell in ranked)
    if are_spare or measures.on_full_host is None:
        return measures.ranked_by
    return measures.on_full_host if all(bottleneck.fills_host(cell.shares) for cell in ranked) else None


def _first_blocks(levels: Mapping[LevelKey, Cells], last: int) -> dict[LevelKey, Cells]:
    return {
        level: {entry: pooling.until(of, last) for entry, of in entries.items()} for level, entries in levels.items()
    }
