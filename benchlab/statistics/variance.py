"""Where the spread of equal entries comes from, and how many samples a container lifetime is worth. Pure.

A sample's logarithm is its block's level, plus its container lifetime's, plus its own: three components of variance.
Those of lifetime and sample make the spread of a ratio; what a whole block has in common cancels in it.
Source: Kalibera and Jones, Rigorous benchmarking in reasonable time, ISMM 2013; docs/method.md, section 9.1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, variance

from benchlab.experiment import forecast
from benchlab.load.metrics import Metric
from benchlab.records.run import INVALID, Run
from benchlab.statistics import sequential, sizing

# More samples of one lifetime than these were never worth it, and a run must keep blocks to repeat.
MOST_REPEATS = 30
# The logarithms of one entry's samples, by block: it has one container lifetime in each.
Lifetimes = Mapping[int, list[float]]


@dataclass(frozen=True)
class Components:
    """Standard deviations of a metric's logarithm: between blocks, between container lifetimes of a block, within one.

    `lifetime` is None where none has two samples: then it cannot be separated from what is within.
    """

    block: float | None
    lifetime: float | None
    within: float | None

    def ratio_stdev(self, repeats: int) -> float | None:
        """Return the standard deviation of a log-ratio in one block, of container lifetimes of so many samples each."""
        if self.lifetime is None or self.within is None:
            return None
        return math.sqrt(2 * (self.lifetime**2 + self.within**2 / repeats))


@dataclass(frozen=True)
class Cost:
    """Seconds: of a lifetime with one test, before its first sample; and of a sample with what is around it."""

    lifetime_s: float
    sample_s: float

    def block_s(self, samples: int) -> float:
        """Return how long a block of two entries takes, with so many samples of each."""
        return 2 * (self.lifetime_s + samples * self.sample_s)


def cost(run: Run) -> Cost:
    """Return what a lifetime and a sample cost in the run, retries included.

    Raises ValueError where it has no sample.
    """
    if not run.taken:
        raise ValueError(f"{run.manifest.run_id} has no samples, so nothing is known of their cost")
    settings = run.manifest.settings
    visits = {(sample.trial.block, sample.trial.entry) for sample in run.taken}
    visit_s = sizing.spent_s(run.taken) / len(visits)
    samples = settings.repeats * sum(map(len, settings.levels.values()))
    sample_s = settings.duration_s + forecast.TRIAL_S
    warmed_s = (visit_s - forecast.VISIT_S - samples * sample_s) / len(settings.levels)
    return Cost(forecast.VISIT_S + max(0.0, warmed_s), sample_s)


def components(run: Run, test: str, metric: Metric) -> Components:
    """Return the components of a test, as means over its levels. All entries of the run must be the same one."""
    levels: dict[object, dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for sample in run.taken:
        value = metric.read(sample)
        # A retry is of another lifetime.
        counts = sample.attempt == 1 and sample.verdict.severity != INVALID
        if sample.trial.test == test and counts and value is not None:
            levels[sample.trial.level][sample.trial.entry][sample.trial.block].append(math.log(value))
    at_levels = [_components(entries.values()) for entries in levels.values()]
    names = ("block", "lifetime", "within")
    return Components(*(_root_mean(getattr(each, name) for each in at_levels) for name in names))


def best_repeats(components: Components, cost: Cost, limit_s: float) -> int | None:
    """Return how many samples of a lifetime show the smallest effect within the time; None where none is known."""
    return min(
        (repeats for repeats in range(1, MOST_REPEATS + 1) if effect(components, cost, repeats, limit_s) is not None),
        key=lambda repeats: effect(components, cost, repeats, limit_s) or math.inf,
        default=None,
    )


def effect(components: Components, cost: Cost, repeats: int, limit_s: float) -> float | None:
    """Return the smallest effect that a pair shows with 80 % power within the time, of lifetimes of so many samples."""
    blocks, stdev = int(limit_s / cost.block_s(repeats)), components.ratio_stdev(repeats)
    return None if stdev is None or blocks < 2 else sequential.smallest_effect(stdev, blocks)


def _components(entries: Iterable[Lifetimes]) -> Components:
    """Return the components at one level, by the method of moments; one that comes out negative is 0."""
    by_block: dict[int, list[list[float]]] = defaultdict(list)
    for lifetimes in entries:
        for block, logs in lifetimes.items():
            by_block[block].append(logs)
    every = [logs for lifetimes in by_block.values() for logs in lifetimes]
    within = _mean([variance(logs) for logs in every if len(logs) > 1])
    between = _mean([variance(map(fmean, lifetimes)) for lifetimes in by_block.values() if len(lifetimes) > 1])
    means = [fmean(map(fmean, lifetimes)) for lifetimes in by_block.values()]
    if between is None or within is None:
        return Components(None, None, None if within is None else math.sqrt(within))
    share = fmean(1 / len(logs) for logs in every)
    of_means = fmean(1 / len(lifetimes) for lifetimes in by_block.values())
    blocks = None if len(means) < 2 else _root(variance(means) - between * of_means)
    return Components(blocks, _root(between - within * share), math.sqrt(within))


def _root(value: float) -> float:
    return math.sqrt(max(0.0, value))


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None


def _root_mean(values: Iterable[float | None]) -> float | None:
    squares = [value**2 for value in values if value is not None]
    return math.sqrt(fmean(squares)) if squares else None
