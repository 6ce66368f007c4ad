"""Compares a candidate with its baseline: a ratio for each metric and level, and what cannot be compared, and why."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from statistics import fmean, geometric_mean
from typing import NamedTuple

import numpy as np

from benchlab.core.errors import ConfigError
from benchlab.load import registry
from benchlab.load.metrics import Measures, Metric
from benchlab.records.plan import LevelKey
from benchlab.records.run import Decision
from benchlab.statistics import analysis, comparison, stats
from benchlab.statistics.analysis import ALL_LEVELS, Over, Scope
from benchlab.statistics.baseline import ComparedRuns, Design, Key, design_of
from benchlab.statistics.comparison import Pair
from benchlab.statistics.pooling import Blocks
from benchlab.statistics.stats import Ratio

# What the command line and reports call them.
CANDIDATE, BASELINE = "new", "old"

# The values of one metric, by level.
ByLevel = Mapping[LevelKey, Blocks]
Compare = Callable[[ByLevel, ByLevel], Ratio]
# The metric of an entry in a test, by level and block or day.
Values = Callable[[str, str, Metric], ByLevel]


class RowKey(NamedTuple):
    """What a row is the ratio of."""

    entry: str
    test: str
    level: Scope
    metric: Metric


class Why(Enum):
    """Why a cell, or one metric of it, cannot be compared."""

    # Samples failed in either, even in some blocks only: those that are left may be the lucky ones.
    FAILED = "failed"
    MEASURED_ONCE = "only one has samples"
    CLIENT_BOUND = "wrk was the limit"
    KNOWN_ONCE = "only one knows the metric"
    # A CPU-second of a full host does less than one of the other's host.
    HOST_FULL = "only one filled the host"


@dataclass(frozen=True)
class Uncompared:
    """A cell that cannot be compared, or one metric of it.

    `only_in` is BASELINE or CANDIDATE where that alone has it; `failed` counts the failed trials of both.
    """

    key: Key
    why: Why
    metric: Metric | None = None
    only_in: str = ""
    failed: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Row:
    """The ratio of candidate to baseline in one metric, at one level of a test or over all of them, and what it tells.

    The p of all rows over all levels are corrected together, and those of all rows of single levels. `over` names the
    levels that a row over all of them is made of, where it lacks some.
    """

    entry: str
    test: str
    level: Scope
    metric: Metric
    pair: Pair
    design: Design = Design.VERSIONS
    over: Over | None = None

    @property
    def ratio(self) -> Ratio:
        return self.pair.ratio


@dataclass(frozen=True)
class BaselineComparison:
    """A candidate compared with its baseline: every ratio, the worst first, and what cannot be compared, and why."""

    baseline: ComparedRuns
    candidate: ComparedRuns
    rows: tuple[Row, ...]
    uncompared: tuple[Uncompared, ...]

    @property
    def design(self) -> Design:
        return design_of(self.baseline, self.candidate)


class NothingInCommonError(ConfigError):
    """Candidate and baseline have no cell in common."""

    def __init__(self) -> None:
        super().__init__("the two have no entry, test and level in common that has samples")


def compare(baseline: ComparedRuns, candidate: ComparedRuns) -> BaselineComparison:
    """Return how the candidate compares with its baseline. Raises NothingInCommonError where there is no ratio."""
    all_rows = rows(baseline, candidate)
    if not all_rows:
        raise NothingInCommonError
    return BaselineComparison(baseline, candidate, all_rows, uncompared(baseline, candidate))


def rows(baseline: ComparedRuns, candidate: ComparedRuns) -> tuple[Row, ...]:
    """Return every ratio of candidate to baseline that both have samples for, with its outcome, the worst first.

    Blocks of one run are compared in pairs, those of two runs are not: they share no time. Of several runs
    of either, those of one day are one value.
    """
    design = design_of(baseline, candidate)
    ratio_of: Compare = partial(paired, baseline.runs[0].decision) if design is Design.VERSIONS else unpaired
    before: Values = baseline.by_day if design is Design.RUNS else baseline.values
    after: Values = candidate.by_day if design is Design.RUNS else candidate.values
    full_once = {key for key, _ in _host_full_once(baseline, candidate)}
    estimates = []
    for entry, test in sorted(baseline.trials & candidate.trials):
        for metric in measures(baseline).compared:
            was, is_now = before(entry, test, metric), after(entry, test, metric)
            if metric.host_limits:
                was = {level: blocks for level, blocks in was.items() if (entry, test, level) not in full_once}
            estimates += [(RowKey(entry, test, level, metric), ratio) for level, ratio in ratios(was, is_now, ratio_of)]
    return judged(estimates, design, baseline.planned & candidate.planned & (baseline.cells | candidate.cells))


def measures(runs: ComparedRuns) -> Measures:
    """Return the metrics of the runs' load model, which is the same for baseline and candidate."""
    return registry.measures(runs.runs[0].manifest)


def judged(estimates: Iterable[tuple[RowKey, Ratio]], design: Design, known: Iterable[Key] = ()) -> tuple[Row, ...]:
    """Return the ratios with their outcomes, the worst first; `over` has the levels that one over all is made of.

    All levels are those that there are ratios of, in any metric, and those that are `known` of either.
    """
    pairs = list(estimates)
    single = [(key, ratio) for key, ratio in pairs if key.level is not ALL_LEVELS]
    overall = [(key, ratio) for key, ratio in pairs if key.level is ALL_LEVELS]
    every: dict[tuple[str, str], set[LevelKey]] = defaultdict(set)
    for entry, test, level in [*known, *(key[:3] for key, _ in single)]:
        if level is not ALL_LEVELS:
            every[entry, test].add(level)
    made = [*_decided(single, design, every), *_decided(overall, design, every)]
    return tuple(sorted(made, key=lambda row: row.metric.better.gain(row.ratio.ratio)))


def ratios(baseline: ByLevel, candidate: ByLevel, compare: Compare) -> Iterator[tuple[Scope, Ratio]]:
    """Yield the ratio at each level that both have, and over all of these."""
    levels = sorted(baseline.keys() & candidate.keys())
    groups: list[tuple[Scope, list[LevelKey]]] = [*((level, [level]) for level in levels), (ALL_LEVELS, levels)]
    for scope, group in groups:
        if group:
            yield (
                scope,
                compare({level: candidate[level] for level in group}, {level: baseline[level] for level in group}),
            )


def paired(decision: Decision | None, candidate: ByLevel, baseline: ByLevel) -> Ratio:
    """Return the ratio over the levels of blocks that both versions have, in pairs."""
    levels = {level: {CANDIDATE: candidate[level], BASELINE: baseline[level]} for level in candidate}
    shared = analysis.concluded(stats.ratios, levels, decision)
    return shared[0] if shared else _without_interval(candidate, baseline)


def unpaired(candidate: ByLevel, baseline: ByLevel) -> Ratio:
    """Return the ratio of blocks, or days, that share no time, over the levels that leave half of them whole.

    Where no level does so in both, over the one that both have most of.
    """
    fullest = max(candidate, key=lambda level: min(len(candidate[level]), len(baseline[level])))
    over = tuple(sorted({*_kept(candidate)} & {*_kept(baseline)})) or (fullest,)
    first, second = (stats.by_block([values[level] for level in over]) for values in (candidate, baseline))
    ratio = stats.unpaired(CANDIDATE, BASELINE, first, second)
    return replace(ratio, over=over) if ratio else _without_interval(candidate, baseline)


def uncompared(baseline: ComparedRuns, candidate: ComparedRuns) -> tuple[Uncompared, ...]:
    """Return what cannot be compared, each with the reason.

    These are cells that failed in either, even in some blocks only; cells or metrics that only one has; metrics that
    wrk limited; and metrics that a full host limits, where only one filled it. What only the candidate was to measure
    says nothing against the rest, and is left out.
    """
    failed = (
        Uncompared(key, Why.FAILED, failed=(baseline.failed[key], candidate.failed[key]))
        for key in sorted(_failed(baseline, candidate))
    )
    measured_once = (
        Uncompared(key, Why.MEASURED_ONCE, only_in=which) for key, which in _measured_once(baseline, candidate)
    )
    of_metrics = (each for metric in measures(baseline).compared for each in _of_metric(metric, baseline, candidate))
    return (*failed, *measured_once, *of_metrics)


def _of_metric(metric: Metric, baseline: ComparedRuns, candidate: ComparedRuns) -> Iterator[Uncompared]:
    """Yield the cells that have samples in both and cannot be compared in the metric, and why."""
    both = baseline.cells & candidate.cells
    bound = (baseline.client_bound | candidate.client_bound) & both if metric.client_limits else set()
    yield from (Uncompared(key, Why.CLIENT_BOUND, metric) for key in sorted(bound))
    for key, which in _known_once(metric, baseline, candidate, both - bound):
        yield Uncompared(key, Why.KNOWN_ONCE, metric, which)
    for key, which in _host_full_once(baseline, candidate) if metric.host_limits else []:
        yield Uncompared(key, Why.HOST_FULL, metric, which)


def _failed(baseline: ComparedRuns, candidate: ComparedRuns) -> set[Key]:
    """Return the cells that both were to measure and that failed in either."""
    return baseline.planned & candidate.planned & (baseline.failed.keys() | candidate.failed.keys())


def _measured_once(baseline: ComparedRuns, candidate: ComparedRuns) -> list[tuple[Key, str]]:
    """Return the cells that only one has samples of, and which; not those that failed or only the candidate planned."""
    once = [(key, BASELINE) for key in baseline.cells - candidate.cells]
    once += [(key, CANDIDATE) for key in (candidate.cells - baseline.cells) & baseline.planned]
    failed = _failed(baseline, candidate)
    return sorted((key, which) for key, which in once if key not in failed)


def _known_once(metric: Metric, baseline: ComparedRuns, candidate: ComparedRuns, of: set[Key]) -> list[tuple[Key, str]]:
    """Return the cells whose metric only one has, and which."""
    before, after = (runs.known(metric) & of for runs in (baseline, candidate))
    return sorted([*((key, BASELINE) for key in before - after), *((key, CANDIDATE) for key in after - before)])


def _host_full_once(baseline: ComparedRuns, candidate: ComparedRuns) -> list[tuple[Key, str]]:
    """Return the cells where only one filled the host, and which: a CPU-second of a full host does less."""
    full = [(key, BASELINE) for key in baseline.full & candidate.spare]
    return sorted([*full, *((key, CANDIDATE) for key in candidate.full & baseline.spare)])


def _decided(
    estimates: Sequence[tuple[RowKey, Ratio]], design: Design, every: Mapping[tuple[str, str], Iterable[LevelKey]]
) -> Iterator[Row]:
    """Yield each ratio with its outcome, the p of all of them corrected together; `every` are all levels of a test."""
    pairs = comparison.decide_together([(ratio, metric.better) for (*_, metric), ratio in estimates])
    for (key, ratio), pair in zip(estimates, pairs, strict=True):
        entry, test, level, _ = key
        over = analysis.over(ratio.over, sorted(every[entry, test])) if level is ALL_LEVELS else None
        yield Row(*key, pair, design, None if over is None or over.are_all else over)


def _kept(values: ByLevel) -> tuple[LevelKey, ...]:
    numbers = sorted({block for blocks in values.values() for block in blocks})
    levels = list(values)
    rows = stats.kept(np.array([[block in blocks for block in numbers] for blocks in values.values()]))
    return tuple(levels[row] for row in rows)


def _without_interval(candidate: ByLevel, baseline: ByLevel) -> Ratio:
    """Return the mean of the levels' own ratios, of 0 blocks and without an interval: none has all that is compared."""
    logs = (
        math.log(geometric_mean(candidate[level].values()) / geometric_mean(baseline[level].values()))
        for level in candidate
    )
    return Ratio(CANDIDATE, BASELINE, math.exp(fmean(logs)), None, None, None, None, 0, None, over=tuple(candidate))
