"""An entry with a known slowdown of every request against one without: what is injected, and whether it shows. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from benchlab.core.quantities import counted
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed, registry
from benchlab.load.metrics import PER_APP_CPU, PER_CPU, Metric
from benchlab.records.counters import APP
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import LevelKey
from benchlab.records.run import Run, Sample
from benchlab.selftest import aa_test, check
from benchlab.selftest.check import NO_SAMPLE, Check
from benchlab.statistics import analysis, bottleneck, cells, comparison, sequential, stats
from benchlab.statistics.analysis import Result
from benchlab.statistics.cells import Cell
from benchlab.statistics.stats import ALPHA, Estimate, Ratio

# The name of the entry with the slowdown, and what it was up to version 0.2.
SLOWED_ENTRY, FORMER_ENTRY = "slowed", "burdened"
# In that entry's environment: the slowdown in microseconds of CPU time, by path.
VARIABLE = "LAB_BURN_US"
# The one level of each test that is compared.
LEVELS: Mapping[str, tuple[int, ...]] = {"json": (32,), "plaintext": (256,), "query": (1,)}
# The smallest slowdown that is tried, as a share of all CPU time of a request.
LEAST = 0.03
# What is just visible is missed in one of five tries; this much of it, in hardly any.
PLAINLY = 1.5
# The slowdown is a loop timed on an idle host. Under load another thread may have the other half of its core, or of its
# cache: it takes up to so many times as long.
UNDER_LOAD = 2


def shares(equal: Run, blocks: int) -> dict[str, float]:
    """Return for each test the slowdown that should show in so many blocks, a share of the CPU time of a request.

    `equal` is the run of equal entries. Without a known spread the slowdown is the least; a test without a sample that
    counts is left out.
    """
    injected = {}
    for result in analysis.analyse(equal):
        spreads = [_spread(equal, result, metric) for metric in result.measures.compared]
        visible = [sequential.smallest_effect(spread, blocks) for spread in spreads if spread]
        injected[result.test] = max([LEAST, *(PLAINLY * effect for effect in visible)])
    return injected


def burn_us(equal: Run, slowdowns: Mapping[str, float]) -> dict[str, float]:
    """Return the slowdowns in microseconds of CPU time by path: shares of what the whole host spends on a request."""
    samples = {test: [sample for sample in equal.samples if sample.trial.test == test] for test in slowdowns}
    return {
        WORKLOADS[test].path.partition("?")[0]: round(share * _host_us(_at_level(test, samples[test])), 3)
        for test, share in slowdowns.items()
    }


def checks(run: Run) -> list[Check]:
    """Return what the run of the entry with a slowdown and of the one without says of the instrument."""
    return [check.complete("the slowed entry and its equal", run), *sensitivity(run)]


def sensitivity(run: Run) -> list[Check]:
    """Return for each test and metric whether the injected slowdown showed, and as large as it is."""
    results = {result.test: result for result in analysis.analyse(run)}
    injected_us = _injected_us(run)
    return [
        _sensitivity(run, results.get(test), f"sensitivity: {test}, {metric.name}", metric, injected_us.get(test, 0.0))
        for test in run.manifest.settings.tests
        for metric in registry.measures(run.manifest).compared
    ]


def _slowed(run: Run) -> str:
    """Return the name of the entry with the slowdown."""
    return SLOWED_ENTRY if SLOWED_ENTRY in run.manifest.services else FORMER_ENTRY


def _spread(equal: Run, result: Result, metric: Metric) -> float | None:
    at_level = cells.measured(equal)[result.test].ranked(metric).get(_level(result.test), {})
    return aa_test.pooled_stdev(pair.ratio for pair in comparison.compare(at_level, metric.better).pairs)


def _level(test: str) -> LevelKey:
    """Return the level of the test that is compared."""
    (level,) = closed.keys(test, LEVELS[test])
    return level


def _at_level(test: str, samples: list[Sample]) -> list[Sample]:
    """Return the samples of the level that is compared; all of them where it has none."""
    return [sample for sample in samples if sample.trial.level.key == _level(test)] or samples


def _host_us(samples: Iterable[Sample]) -> float:
    """Return the CPU time that the whole host spent on a request, in microseconds."""
    spent = [(sample.counters.host, sample.load.requests) for sample in samples]
    spent_us = sum((host.busy_us or 0) + (host.interrupts_us or 0) for host, _ in spent)
    return spent_us / sum(requests for _, requests in spent)


def _injected_us(run: Run) -> dict[str, float]:
    """Return the slowdown of each test in microseconds of CPU time a request, as the run's manifest tells it."""
    environment = run.manifest.services[_slowed(run)]["environment"]
    by_path = json.loads(environment[VARIABLE]) if isinstance(environment, dict) else {}
    paths = {test: WORKLOADS[test].path.partition("?")[0] for test in run.manifest.settings.tests}
    return {test: float(by_path[path]) for test, path in paths.items() if path in by_path}


def _sensitivity(run: Run, result: Result | None, name: str, metric: Metric, injected_us: float) -> Check:
    slowed = _slowed(run)
    plain = [cell for cell in result.cells if cell.entry != slowed] if result else []
    if result is None or not plain:
        return Check(name, NO_SAMPLE, "", False)
    if not injected_us or (metric == PER_CPU and PER_CPU not in plain[0].estimates):
        return Check(name, UNAVAILABLE, "", None)
    ratios = stats.ratios(cells.measured(run)[result.test].ranked(metric))
    samples = [sample for sample in run.samples if sample.trial.entry == plain[0].entry]
    of_test = [sample for sample in samples if sample.trial.test == result.test]
    return _judged(
        name,
        [ratio if ratio.first == slowed else ratio.inverse for ratio in ratios],
        _cost_us(metric, plain[0], of_test),
        injected_us,
    )


def _judged(name: str, ratios: Sequence[Ratio], cost_us: float | None, injected_us: float) -> Check:
    """Return whether the slowdown showed in the ratio to the entry without, if there is one.

    Without it a request costs `cost_us` of the CPU time that the metric counts.
    """
    if not ratios:
        return Check(name, "no block to compare", "", False)
    (ratio,) = ratios
    measured = f"{ratio.ratio:.3f}{_bounds(ratio)}, {counted(ratio.blocks, 'block')}"
    if cost_us is None:
        return Check(name, measured, "for information: it was not CPU time of the entry that limited the rate", None)
    most, least = (cost_us / (cost_us + times * injected_us) for times in (1, UNDER_LOAD))
    low, high = (0.0, math.inf) if ratio.low is None or ratio.high is None else (ratio.low, ratio.high)
    shown = ratio.p is not None and ratio.p <= ALPHA and ratio.ratio < 1
    goal = f"differs from 1, interval reaches what was injected: {most:.3f}, or {least:.3f} where load adds to it"
    return Check(name, measured, goal, shown and low <= most and high >= least)


def _cost_us(metric: Metric, cell: Cell, samples: Iterable[Sample]) -> float | None:
    """Return the CPU time of a request of what the metric falls with, in microseconds.

    None where the rate was limited by something else than the entry's CPU time, or that is not known.
    """
    if metric == PER_CPU:
        return _us(cell.estimates.get(PER_CPU))
    if cell.bottleneck == APP:
        return _us(cell.estimates.get(PER_APP_CPU))
    return _host_us(samples) if cell.bottleneck in (bottleneck.HOST, bottleneck.MIXED) else None


def _us(per_cpu_s: Estimate | None) -> float | None:
    return None if per_cpu_s is None else 1e6 / per_cpu_s.mean


def _bounds(ratio: Ratio) -> str:
    return "" if ratio.low is None else f" [{ratio.low:.3f}–{ratio.high:.3f}]"
