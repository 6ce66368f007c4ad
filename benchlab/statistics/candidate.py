"""Holds new against old, side against side: a ratio for each metric and level, and what nothing can be said of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from statistics import fmean, geometric_mean

import numpy as np

from benchlab.core.errors import ConfigError
from benchlab.records.plan import LevelKey
from benchlab.records.run import Decision
from benchlab.statistics import analysis, baseline, comparison, metrics, stats
from benchlab.statistics.analysis import ALL_LEVELS, Over, Scope
from benchlab.statistics.baseline import Design, Key, Side
from benchlab.statistics.comparison import Pair
from benchlab.statistics.metrics import Measures, Metric
from benchlab.statistics.stats import Blocks, Ratio

NEW, OLD = "new", "old"

# Entry, test, level, metric.
Cell = tuple[str, str, Scope, Metric]
# The values of a side, by level.
OfSide = Mapping[LevelKey, Blocks]
Compare = Callable[[OfSide, OfSide], Ratio]
# The metric of an entry in a test, by level and block or day.
Values = Callable[[str, str, Metric], Mapping[LevelKey, Blocks]]


class Why(Enum):
    """Why nothing can be said of a cell, or of one metric of it."""

    # Samples failed on either side, be it in some blocks only: those that are left may be the lucky ones.
    FAILED = "failed"
    ONE_SIDED = "one side has samples"
    CLIENT_BOUND = "wrk was the limit"
    KNOWN_ONCE = "one side knows the metric"
    # There a CPU-second does less than on the other side's host.
    HOST_FULL = "one side filled the host"


@dataclass(frozen=True)
class Uncompared:
    """What nothing can be said of: a cell, or one metric of it.

    `side` is the one that alone has it, where it is only one; `failed` counts the trials of old and new that failed.
    """

    key: Key
    why: Why
    metric: Metric | None = None
    side: str = ""
    failed: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Row:
    """The ratio of new to old in one metric, at one level of a test or over all of them, and what it tells.

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

    @property
    def where(self) -> str:
        """Return the level as it is told, or those that a row over all of them is made of."""
        return str(self.over or self.level)


@dataclass(frozen=True)
class Versus:
    """New held against old: every ratio, the worst first, and what nothing can be said of, each with the reason."""

    old: Side
    new: Side
    rows: tuple[Row, ...]
    uncompared: tuple[Uncompared, ...]

    @property
    def design(self) -> Design:
        return baseline.design(self.old, self.new)


def hold(old: Side, new: Side) -> Versus:
    """Return how new compares with old. Raises ConfigError where the sides have nothing in common."""
    found = rows(old, new)
    if not found:
        raise ConfigError(
            "the two have no entry, test and level in common that has samples; compare runs of the same ones, or see "
            "in their reports what was not measured"
        )
    return Versus(old, new, found, uncompared(old, new))


def rows(old: Side, new: Side) -> tuple[Row, ...]:
    """Return every ratio of new to old that both sides have samples for, with its outcome, the worst first.

    Blocks of one run are compared in pairs, those of two runs are not: they share no time. Of several runs a side,
    those of one day are one value.
    """
    design = baseline.design(old, new)
    compare: Compare = partial(paired, old.runs[0].decision) if design is Design.VERSIONS else unpaired
    before: Values = old.by_day if design is Design.RUNS else old.values
    after: Values = new.by_day if design is Design.RUNS else new.values
    unlike = {key for key, _ in _unlike(old, new)}
    found = []
    for entry, test in sorted(old.trials & new.trials):
        for metric in measures(old).compared:
            was, is_now = before(entry, test, metric), after(entry, test, metric)
            if metric.host_limits:
                was = {level: blocks for level, blocks in was.items() if (entry, test, level) not in unlike}
            found += [((entry, test, level, metric), ratio) for level, ratio in ratios(was, is_now, compare)]
    return judged(found, design, old.planned & new.planned & (old.cells | new.cells))


def measures(side: Side) -> Measures:
    """Return the metrics of the side's load model, which is that of the other side too."""
    return metrics.of_run(side.runs[0].manifest)


def judged(found: Iterable[tuple[Cell, Ratio]], design: Design, known: Iterable[Key] = ()) -> tuple[Row, ...]:
    """Return the ratios with their outcomes, the worst first; `over` has the levels that one over all is made of.

    All levels are those that there are ratios of, in any metric, and those that are `known` of a side.
    """
    pairs = list(found)
    single = [(cell, ratio) for cell, ratio in pairs if cell[2] is not ALL_LEVELS]
    overall = [(cell, ratio) for cell, ratio in pairs if cell[2] is ALL_LEVELS]
    every: dict[tuple[str, str], set[LevelKey]] = defaultdict(set)
    for entry, test, level in [*known, *(cell[:3] for cell, _ in single)]:
        if level is not ALL_LEVELS:
            every[entry, test].add(level)
    made = [*_decided(single, design, every), *_decided(overall, design, every)]
    return tuple(sorted(made, key=lambda row: row.metric.better.gain(row.ratio.ratio)))


def ratios(old: OfSide, new: OfSide, compare: Compare) -> Iterator[tuple[Scope, Ratio]]:
    """Yield the ratio at each level that both have, and over all of these."""
    levels = sorted(old.keys() & new.keys())
    groups: list[tuple[Scope, list[LevelKey]]] = [*((level, [level]) for level in levels), (ALL_LEVELS, levels)]
    for scope, group in groups:
        if group:
            yield scope, compare({level: new[level] for level in group}, {level: old[level] for level in group})


def paired(decision: Decision | None, new: OfSide, old: OfSide) -> Ratio:
    """Return the ratio over the levels of blocks that both versions have, in pairs."""
    levels = {level: {NEW: new[level], OLD: old[level]} for level in new}
    found = analysis.concluded(stats.ratios, levels, decision)
    return found[0] if found else _apart(new, old)


def unpaired(new: OfSide, old: OfSide) -> Ratio:
    """Return the ratio of blocks, or days, that share no time, over the levels that leave half of them whole.

    Where no level does so on both sides, over the one that both have most of.
    """
    fullest = max(new, key=lambda level: min(len(new[level]), len(old[level])))
    over = tuple(sorted({*_kept(new)} & {*_kept(old)})) or (fullest,)
    mine, theirs = (stats.by_block([side[level] for level in over]) for side in (new, old))
    ratio = stats.unpaired(NEW, OLD, mine, theirs)
    return replace(ratio, over=over) if ratio else _apart(new, old)


def uncompared(old: Side, new: Side) -> tuple[Uncompared, ...]:
    """Return what nothing can be said of, each with the reason.

    It is what failed on either side, be it in some blocks only; what one side alone has samples of, or knows the metric
    of; metrics that wrk was the limit of; and those that a full host limits, where one side alone filled it. What only
    the new side was to have is no doubt about the rest, and left out.
    """
    failed = (
        Uncompared(key, Why.FAILED, failed=(old.failed[key], new.failed[key])) for key in sorted(_failed(old, new))
    )
    one_sided = (Uncompared(key, Why.ONE_SIDED, side=side) for key, side in _one_sided(old, new))
    of_metrics = (each for metric in measures(old).compared for each in _of_metric(metric, old, new))
    return (*failed, *one_sided, *of_metrics)


def _of_metric(metric: Metric, old: Side, new: Side) -> Iterator[Uncompared]:
    """Yield of what the metric says nothing though both sides have samples, and why."""
    both = old.cells & new.cells
    bound = (old.client_bound | new.client_bound) & both if metric.client_limits else set()
    yield from (Uncompared(key, Why.CLIENT_BOUND, metric) for key in sorted(bound))
    for key, side in _known_once(metric, old, new, both - bound):
        yield Uncompared(key, Why.KNOWN_ONCE, metric, side)
    for key, side in _unlike(old, new) if metric.host_limits else []:
        yield Uncompared(key, Why.HOST_FULL, metric, side)


def _failed(old: Side, new: Side) -> set[Key]:
    """Return what failed on either side, of what both were to measure."""
    return old.planned & new.planned & (old.failed.keys() | new.failed.keys())


def _one_sided(old: Side, new: Side) -> list[tuple[Key, str]]:
    """Return what one side alone has samples of, and which: but for what failed, and what the old never was to have."""
    found = [(key, OLD) for key in old.cells - new.cells]
    found += [(key, NEW) for key in (new.cells - old.cells) & old.planned]
    failed = _failed(old, new)
    return sorted((key, side) for key, side in found if key not in failed)


def _known_once(metric: Metric, old: Side, new: Side, of: set[Key]) -> list[tuple[Key, str]]:
    """Return of what one side alone knows the metric, and which."""
    before, after = (side.known(metric) & of for side in (old, new))
    return sorted([*((key, OLD) for key in before - after), *((key, NEW) for key in after - before)])


def _unlike(old: Side, new: Side) -> list[tuple[Key, str]]:
    """Return where one side alone filled the host, and which: a CPU-second there does less than on the other's."""
    found = [(key, OLD) for key in old.full & new.spare]
    return sorted([*found, *((key, NEW) for key in new.full & old.spare)])


def _decided(
    found: Sequence[tuple[Cell, Ratio]], design: Design, every: Mapping[tuple[str, str], Iterable[LevelKey]]
) -> Iterator[Row]:
    """Yield each ratio with its outcome, the p of all of them corrected together; `every` are all levels of a test."""
    pairs = comparison.decide_together([(ratio, metric.better) for (*_, metric), ratio in found])
    for (cell, ratio), pair in zip(found, pairs, strict=True):
        entry, test, level, _ = cell
        over = analysis.over(ratio.over, sorted(every[entry, test])) if level is ALL_LEVELS else None
        yield Row(*cell, pair, design, None if over is None or over.are_all else over)


def _kept(side: OfSide) -> tuple[LevelKey, ...]:
    numbers = sorted({block for blocks in side.values() for block in blocks})
    levels = list(side)
    rows = stats.kept(np.array([[block in blocks for block in numbers] for blocks in side.values()]))
    return tuple(levels[row] for row in rows)


def _apart(new: OfSide, old: OfSide) -> Ratio:
    """Return the mean of the levels' own ratios, of 0 blocks and without an interval: none has all that is compared."""
    logs = (math.log(geometric_mean(new[level].values()) / geometric_mean(old[level].values())) for level in new)
    return Ratio(NEW, OLD, math.exp(fmean(logs)), None, None, None, None, 0, None, over=tuple(new))
