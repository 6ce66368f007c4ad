"""Three doses of a slowdown against an entry without: what is injected, what it says it took, and what was told. Pure.

How long a loop takes depends on what else runs on its core. So truth is no loop that was timed on an idle host, but the
CPU time that the slowed entry says its loop took, less that of the entry without, which counts as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from benchlab.core.quantities import bounds, counted
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import registry
from benchlab.load.metrics import PER_APP_CPU, PER_CPU, Metric, per_cpu_s
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.run import Run, Sample
from benchlab.selftest import check
from benchlab.selftest.check import NO_SAMPLE, Burden, Check
from benchlab.selftest.extent import DOSES, PLAIN
from benchlab.statistics import bottleneck, cells, pooling, sequential, stats
from benchlab.statistics.cells import Measured
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import ALPHA

TEST = "json"
PATH = WORKLOADS[TEST].path
# In an entry's environment: the slowdown in microseconds of CPU time, by path; and where the entry tells what it took.
VARIABLE, BURDEN_PATH = "LAB_BURN_US", "/lab-burden"
# How exactly the slope of told against true must be known.
HALF_WIDTH = 0.2
# What is just visible is missed in one of five tries; this much of it, in hardly any.
PLAINLY = 1.5
NOT_ITS_CPU = "it was not CPU time of the entry that limited the rate"
NO_TRUTH = "too few blocks in which the entries say what their loops took"
# By block.
Logs = Mapping[int, float]


def burn_us(equal: Run, least: float) -> dict[str, float]:
    """Return the slowdown of each entry in microseconds of CPU time: the least is this share of what the whole host
    spends on a request. `equal` is the run of equal entries.
    """
    cost_us = _host_us(sample for sample in equal.samples if sample.trial.test == TEST)
    return {PLAIN: 0.0} | {name: round(times * least * cost_us, 3) for name, times in DOSES.items()}


def checks(run: Run, burdens: Sequence[Burden], is_full: bool) -> Iterator[Check]:
    """Yield what the run of the slowed entries, and of the one without, says of the instrument.

    A slope that so few rounds do not show exactly enough fails the full version only.
    """
    yield check.complete("the slowed entries and their equal", run)
    measured = cells.measured(run).get(TEST)
    for metric in registry.measures(run.manifest).compared:
        name = f"injected slowdown, {metric.name}"
        (of,) = measured.ranked(metric).values() if measured else ({},)
        estimated = _estimated(of)
        if measured is None or not any(estimated.values()):
            yield Check(name, UNAVAILABLE if measured else NO_SAMPLE, "", None if measured else False)
            continue
        costs_us = _costs_us(run, measured, metric)
        true = _true(burdens, costs_us)
        why = _too_coarse(burdens) if costs_us else NOT_ITS_CPU
        yield from _doses(name, of, true, why)
        yield _slope(f"{name}: slope of told against true", estimated, true, is_full, why)
    yield _all_else(run, burdens)


def slopes(estimated: Mapping[str, Logs], true: Mapping[str, Logs]) -> list[float]:
    """Return for each block with a truth of all doses the slope of what was told of them against that, through 0."""
    blocks = sorted(set.intersection(*(set(of[dose]) for of in (estimated, true) for dose in DOSES)))
    return [
        sum(estimated[dose][block] * true[dose][block] for dose in DOSES)
        / sum(true[dose][block] ** 2 for dose in DOSES)
        for block in blocks
    ]


def _estimated(of: Cells) -> dict[str, Logs]:
    """Return for each dose how much less its entry did than the one without, by block."""
    numbers = sorted({block for blocks in of.values() for block in blocks})
    logs = {dose: pooling.log_ratios([of], [PLAIN, dose])[0, 0].tolist() for dose in DOSES}
    return {
        dose: {block: log for block, log in zip(numbers, of_dose, strict=True) if math.isfinite(log)}
        for dose, of_dose in logs.items()
    }


def _true(burdens: Iterable[Burden], costs_us: Logs) -> dict[str, Logs]:
    """Return for each dose how much less its entry can do, by block, where a request costs so much without."""
    us = {(burden.entry, burden.block): burden.us for burden in burdens}
    return {
        dose: {
            block: math.log1p((us[dose, block] - us[PLAIN, block]) / cost_us)
            for block, cost_us in costs_us.items()
            if us.get((dose, block), 0.0) > us.get((PLAIN, block), math.inf)
        }
        for dose in DOSES
    }


def _costs_us(run: Run, measured: Measured, metric: Metric) -> Logs:
    """Return by block the CPU time of a request without a slowdown, of what the metric falls with, in microseconds.

    Nothing where the rate was limited by something else than the entry's CPU time, or that is not known.
    """
    (cell,) = (cell for cell in measured.cells if cell.entry == PLAIN)
    if metric != PER_CPU and cell.bottleneck in (bottleneck.HOST, bottleneck.MIXED):
        samples = [sample for sample in run.samples if sample.trial.entry == PLAIN]
        blocks = {sample.trial.block for sample in samples}
        return {block: _host_us(sample for sample in samples if sample.trial.block == block) for block in blocks}
    if metric != PER_CPU and cell.bottleneck != APP:
        return {}
    per_cpu_s = measured.known[PER_CPU if metric == PER_CPU else PER_APP_CPU][cell.level].get(PLAIN, {})
    return {block: 1e6 / value for block, value in per_cpu_s.items()}


def _host_us(samples: Iterable[Sample]) -> float:
    """Return the CPU time that the whole host spent on a request, in microseconds."""
    spent = [(sample.counters.host, sample.load.requests_beside_counters) for sample in samples]
    spent_us = sum((host.busy_us or 0) + (host.interrupts_us or 0) for host, _ in spent)
    return spent_us / sum(requests for _, requests in spent)


def _doses(name: str, of: Cells, true: Mapping[str, Logs], why: str) -> Iterator[Check]:
    """Yield for each dose whether it was told, as far as it is plainly more than the smallest effect of its blocks.

    `why` says why there is no truth, where that is so.
    """
    ratios = {dose: ratio for dose in DOSES if (ratio := stats.ratio(of, dose, PLAIN))}
    variances = [ratio.stdev**2 for ratio in ratios.values() if ratio.stdev is not None]
    for dose, ratio in ratios.items():
        measured = f"{ratio.ratio:.3f}{bounds(ratio.low, ratio.high)}, {counted(ratio.blocks, 'block')}"
        if not true[dose] or not variances:
            yield Check(f"{name}: {dose}", measured, f"for information: {why or NO_TRUTH}", None)
            continue
        truth = fmean(true[dose].values())
        smallest = sequential.smallest_effect(math.sqrt(fmean(variances)), ratio.blocks)
        plain = truth >= PLAINLY * math.log1p(smallest)
        is_told = ratio.p is not None and ratio.p <= ALPHA and ratio.ratio < 1
        yield Check(
            f"{name}: {dose}",
            f"{measured}; its loop took {math.exp(-truth):.3f}",
            f"{'below 1' if plain else 'for information'}: the smallest effect here is {smallest:.1%}",
            is_told if plain else None,
        )


def _slope(name: str, estimated: Mapping[str, Logs], true: Mapping[str, Logs], is_full: bool, why: str) -> Check:
    """Return whether the slope is 1; `why` says why it cannot be told, where that is so."""
    goal = f"1 lies within, ± {HALF_WIDTH} at the most"
    if why:
        return Check(name, UNAVAILABLE, f"for information: {why}", None)
    of_blocks = slopes(estimated, true)
    if len(of_blocks) < 2:
        return Check(name, NO_TRUTH, goal, False)
    middle, half = stats.mean_within(of_blocks)
    measured = f"{middle:.2f} [{middle - half:.2f}–{middle + half:.2f}], {counted(len(of_blocks), 'block')}"
    if abs(middle - 1) > half:
        return Check(name, measured, goal, False)
    return Check(name, measured, goal, True if half <= HALF_WIDTH else False if is_full else None)


def _all_else(run: Run, burdens: Iterable[Burden]) -> Check:
    """Return how much more CPU time all else of a request took beside the largest dose: wrk, and the rest of the entry.

    Nothing was injected into these. What they take more is what the host does less for all alike, as where less is
    ready each time that a program looks; a slope above 1 by that is no error of the instrument.
    """
    dose = max(DOSES, key=DOSES.__getitem__)
    name = f"injected slowdown: CPU of all else in a request, {dose} to {PLAIN}"
    ours = {entry: [burden.us for burden in burdens if burden.entry == entry] for entry in (dose, PLAIN)}
    used = {entry: (_us(run, entry, (CLIENT,)), _us(run, entry, (APP, DB, PROXY))) for entry in ours}
    rest = {entry: (client, served - fmean(ours[entry])) for entry, (client, served) in used.items() if ours[entry]}
    if len(rest) < len(ours) or not all(us > 0 for pair in rest.values() for us in pair):
        return Check(name, UNAVAILABLE, "", None)
    wrk, entry = (more / usual for more, usual in zip(rest[dose], rest[PLAIN], strict=True))
    measured = f"wrk {wrk:.2f}, the entry without its loop {entry:.2f}"
    return Check(name, measured, "for information: if both are above 1, so is the slope", None)


def _us(run: Run, entry: str, roles: Sequence[str]) -> float:
    """Return the CPU time of these roles in a request of the entry, in microseconds; 0 where it is not known."""
    samples = [sample for sample in run.samples if sample.trial.entry == entry]
    parts = [per_cpu_s(sample, roles) for sample in samples]
    known = [part for part in parts if part is not None]
    requests = sum(part.numerator for part in known)
    return 1e6 * sum(part.denominator for part in known) / requests if requests else 0.0


def _too_coarse(burdens: Iterable[Burden]) -> str:
    """Return in words that the clock of the slowed entries cannot tell the least dose; nothing where it can."""
    least = [burden for burden in burdens if DOSES.get(burden.entry) == min(DOSES.values())]
    step_us = max((burden.clock_step_ns for burden in least), default=0) / 1000
    dose_us = fmean(burden.us for burden in least) if least else math.inf
    if step_us <= dose_us:
        return ""
    return f"a look at the clock of a thread takes {step_us:.1f} us, the least loop {dose_us:.1f} us"
