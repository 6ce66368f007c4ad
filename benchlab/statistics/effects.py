"""What each factor did in a run: effects and interactions with their intervals, by test, level and metric. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchlab.load import registry
from benchlab.load.metrics import Better, Metric
from benchlab.records.plan import LevelKey
from benchlab.records.run import Decision, Run
from benchlab.statistics import analysis, cells, comparison, factorial, stats
from benchlab.statistics.analysis import ALL_LEVELS, Over, Result, Scope
from benchlab.statistics.comparison import Pair
from benchlab.statistics.factorial import DesignError, Effect, FactorialDesign, UnknownEntry
from benchlab.statistics.pooling import Cells


@dataclass(frozen=True)
class EstimatedEffect:
    """An effect at one level of a test or over all of them, in one metric; `over` names the levels that it is over.

    The ratio is the one that the change makes; of an interaction, that by which both changes together exceed the
    product of each. The p of all effects of one level and metric are corrected together.
    """

    test: str
    level: Scope
    metric: Metric
    effect: Effect
    pair: Pair
    over: LevelKey | Over


@dataclass(frozen=True)
class LeftOut:
    """An entry that has no sample of a test; or, with a level, of which wrk was the limit there."""

    entry: str
    level: LevelKey | None = None


@dataclass(frozen=True)
class FactorAnalysis:
    """The effects of the factors in a run.

    `results` are those of its tests; `left_out` has by test what no effect is taken from.
    """

    design: FactorialDesign
    effects: tuple[EstimatedEffect, ...]
    results: Mapping[str, Result]
    left_out: Mapping[str, tuple[LeftOut, ...]]

    def metric(self, test: str, level: Scope) -> Metric | None:
        """Return the metric whose outcomes hold at the level, or over all of them; None where no one's do."""
        result = self.results[test]
        return result.basis if level is ALL_LEVELS else result.level_basis[level]

    def is_headed_by(self, effect: EstimatedEffect) -> bool:
        """Return whether the effect is one in the metric whose outcomes hold."""
        return effect.metric == self.metric(effect.test, effect.level)


def analyse(run: Run, asked: Iterable[str] = (), entries: Iterable[str] = ()) -> FactorAnalysis:
    """Return the effects of the factors asked for, all that the run's entries tell of without them.

    `entries` are those to take them from, all without them. Raises DesignError where they tell nothing.
    """
    known = run.manifest.entries
    if unknown := [name for name in entries if name not in known]:
        raise DesignError(UnknownEntry(unknown[0], run.manifest.run_id, tuple(known)))
    chosen = {name: known[name] for name in entries or known}
    design = factorial.cross(chosen, asked, run.manifest.settings.vary, run.manifest.variants)
    results = analysis.analyse(run)
    compared = registry.measures(run.manifest).compared
    estimated = (row for result in results for metric in compared for row in _estimated(run, result, metric, design))
    return FactorAnalysis(
        design=design,
        effects=tuple(estimated),
        results={result.test: result for result in results},
        left_out={result.test: tuple(_left_out(result, design)) for result in results},
    )


def _estimated(run: Run, result: Result, metric: Metric, design: FactorialDesign) -> Iterable[EstimatedEffect]:
    """Yield the effects at each level of the test, then over all of them."""
    effects = design.only({cell.entry for cell in result.cells}).effects
    by_level = cells.measured(run)[result.test].ranked(metric)
    named = {effect.names: effect for effect in effects}
    groups: list[tuple[Scope, dict[LevelKey, Cells]]] = [
        (level, {level: by_level[level]}) for level in sorted(by_level)
    ]
    for level, of_level in [*groups, (ALL_LEVELS, by_level)]:
        for pair in _pairs(of_level, effects, metric.better, run.decision):
            over = result.over(pair.ratio.over) if level is ALL_LEVELS else level
            yield EstimatedEffect(result.test, level, metric, named[pair.ratio.first, pair.ratio.second], pair, over)


def _left_out(result: Result, design: FactorialDesign) -> Iterable[LeftOut]:
    measured = {cell.entry for cell in result.cells}
    yield from (LeftOut(entry) for entry in design.entries if entry not in measured)
    yield from (LeftOut(cell.entry, cell.level) for cell in result.cells if cell.client_bound)


def _pairs(
    levels: Mapping[LevelKey, Cells], effects: Sequence[Effect], better: Better, decision: Decision | None
) -> tuple[Pair, ...]:
    weights = {effect.names: effect.weights for effect in effects}
    return comparison.decide(analysis.concluded(partial(stats.contrasts, weights=weights), levels, decision), better)
