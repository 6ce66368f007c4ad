"""What the instrument itself takes: time beside the loads, and CPU of lab.py, the engine and idle entries. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from statistics import mean, median

from benchlab.experiment import pace
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Settings
from benchlab.records.run import Run, Sample
from benchlab.selftest.check import Check, Overhead

LAB_CPU = IDLE_CPU = 0.01
BESIDE_MS = 60


def checks(run: Run, used: Overhead | None) -> Iterator[Check]:
    """Yield what a slice takes beside its load, and the CPU that is used meanwhile, as shares of one core.

    `used` is that of lab.py and engine while the rounds went on.
    """
    for test in run.manifest.settings.tests:
        yield _beside(run, test)
    if used is not None:
        yield _of_lab(used)
    yield _idle(run.taken)
    yield _outside(run.taken)


def took_s(run: Run, test: str) -> Iterator[tuple[Sample, float]]:
    """Yield each slice of the test but a block's first, and the seconds that it took with all around it.

    They are those from the end of the slice before to its own.
    """
    of_test = sorted((sample for sample in run.taken if sample.trial.test == test), key=_ended_us)
    for _, of_block in groupby(of_test, key=lambda sample: sample.trial.block):
        for before, sample in pairwise(of_block):
            yield sample, (_ended_us(sample) - _ended_us(before)) / 1e6


def _ended_us(sample: Sample) -> int:
    return round(sample.started_at.timestamp() * 1e6) + sample.load.wall_us


def _beside(run: Run, test: str) -> Check:
    """Return the median of what a slice takes beside the time in which it is loaded and counted.

    When that is over, its server still answers what is in flight (Little's law), which the next slice waits for.
    """
    slices = list(took_s(run, test))
    name, goal = f"time of a slice beside its load: {test}", f"median ≤ {BESIDE_MS} ms"
    if not slices:
        return Check(name, UNAVAILABLE, goal, None)
    beside_ms = median(1000 * took - _loaded_ms(sample, run.manifest.settings) for sample, took in slices)
    wait_ms = median(map(_wait_ms, (sample for sample, _ in slices)))
    goal = f"{goal} and the {wait_ms:.0f} ms until all is answered"
    return Check(name, f"{beside_ms:.0f} ms of {len(slices):,} slices", goal, beside_ms <= BESIDE_MS + wait_ms)


def _loaded_ms(sample: Sample, settings: Settings) -> float:
    """Return how long the slice was loaded: until its first answers, and then counted."""
    return max(pace.length(settings.duration_s).ramp_ms, _wait_ms(sample)) + 1000 * sample.load.seconds


def _wait_ms(sample: Sample) -> float:
    rate = sample.load.requests_per_second
    return 1000 * sample.trial.level.connections * sample.trial.level.pipeline / rate if rate else math.inf


def _of_lab(used: Overhead) -> Check:
    both = used.lab + (used.engine or 0.0)
    # Of an engine that cannot be seen nothing is passed; lab.py alone can be too much.
    passed = None if used.engine is None and both <= LAB_CPU else both <= LAB_CPU
    engine = f"engine {UNAVAILABLE}" if used.engine is None else f"engine {used.engine:.2%}"
    measured = f"{both:.2%} of a core: lab.py {used.lab:.2%}, {engine}"
    return Check("CPU of lab.py and engine while rounds go on", measured, f"≤ {LAB_CPU:.0%}", passed)


def _idle(samples: Iterable[Sample]) -> Check:
    """Return the CPU of the entries that are up and not loaded."""
    known = [cpus for sample in samples if (cpus := sample.counters.idle_entries_cpus) is not None]
    measured = f"{mean(known):.2%} of a core" if known else UNAVAILABLE
    passed = mean(known) <= IDLE_CPU if known else None
    return Check("CPU of idle entries while another is loaded", measured, f"≤ {IDLE_CPU:.0%}", passed)


def _outside(samples: Iterable[Sample]) -> Check:
    counters = [sample.counters for sample in samples]
    known = [each.outside_cpu_us / each.between_us for each in counters if each.outside_cpu_us is not None]
    return Check(
        "CPU outside the containers while one is loaded",
        f"{mean(known):.2%} of a core" if known else UNAVAILABLE,
        "for information: engine, kernel, lab.py, neighbours",
        None,
    )
