"""The study's own tables, with its columns and units: means over the blocks, of wrk's own values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from benchlab.experiment import profiles
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load.closed import TIMEOUT_S
from benchlab.records.run import Run, Sample
from benchlab.report import markdown

# What must be said under tables of latencies that wrk has miscounted.
PIPELINED = (
    "wrk's latencies of pipelined batches are too low: it adds requests that it takes for delayed to its histogram, "
    "and counts them without their time. Go by N / X."
)
FORMATS = {
    "totalRequests": "{:.1f}",
    "seconds": "{:.2f}",
    "requestsPerSecond": "{:.2f}",
    "latencyAvg": "{:.3f}",
    "latencyMax": "{:.3f}",
    "N / X": "{:.3f}",
}


def table(samples: tuple[Sample, ...], test: str) -> pd.DataFrame:
    """Return one row for each entry and level of the test, with the study's columns.

    Each value is the mean over the samples. latencyAvg and latencyMax are wrk's own, in ms. The lab adds N / X: what
    the mean must be in a closed loop whose connections all take part; of a pipelined load, that of a batch.
    """
    column = WORKLOADS[test].column
    rows = [
        {
            "framework": sample.trial.entry,
            column: sample.trial.level.key.value,
            "totalRequests": sample.load.requests,
            "seconds": sample.load.seconds,
            "requestsPerSecond": sample.load.requests_per_second,
            "latencyAvg": sample.load.latency.mean_us / 1000,
            "latencyMax": sample.load.latency.max_us / 1000,
            "N / X": closed_loop_s(sample) * 1000,
        }
        for sample in samples
        if sample.trial.test == test
    ]
    columns = ["framework", column, *FORMATS]
    return pd.DataFrame(rows, columns=columns).groupby(["framework", column], as_index=False).mean()


def closed_loop_s(sample: Sample) -> float:
    """Return connections over rate, in seconds; by pipelined batch where there are any. Source: Little's law."""
    level = sample.trial.level
    rate = sample.load.requests_per_second
    return level.connections * level.pipeline / rate if rate else math.nan


def sections(run: Run) -> Iterator[str]:
    """Yield for each test with samples its two tables, by rate and by latency, and what must be said of them."""
    caution = profiles.caution(run.manifest)
    for test in run.manifest.settings.tests:
        means = table(run.samples, test)
        if means.empty:
            continue
        for by, ascending in (("requestsPerSecond", False), ("latencyAvg", True)):
            order = "ascending" if ascending else "descending"
            ordered = means.sort_values(by, ascending=ascending, kind="stable")
            title = f"## {test}, by {by} {order} (latency in ms){caution}"
            yield f"{title}\n\n{markdown.table(_formatted(ordered))}"
        if WORKLOADS[test].pipeline > 1:
            yield PIPELINED
        yield from _short(run, test)
        yield from _timeouts(run, test)


def _short(run: Run, test: str) -> Iterator[str]:
    """Yield which cells of the test have fewer samples than its fullest one, where there are any."""
    counts = Counter(
        f"{sample.trial.entry} at {sample.trial.level.key}" for sample in run.samples if sample.trial.test == test
    )
    most = max(counts.values())
    if short := [f"{cell}: {count}" for cell, count in sorted(counts.items()) if count < most]:
        yield f"Means over fewer than {most} samples, so not quite comparable: {', '.join(short)}."


def _timeouts(run: Run, test: str) -> Iterator[str]:
    """Yield how many requests of the test were open for longer than wrk waits, where there were any."""
    counts: dict[str, int] = {}
    for sample in run.samples:
        if sample.trial.test == test and sample.load.errors.timeout:
            cell = f"{sample.trial.entry} at {sample.trial.level.key}"
            counts[cell] = counts.get(cell, 0) + sample.load.errors.timeout
    if counts:
        told = ", ".join(f"{cell}: {count}" for cell, count in sorted(counts.items()))
        yield f"Time-outs (a request that was answered after more than {TIMEOUT_S} s), over all blocks: {told}."


def _formatted(means: pd.DataFrame) -> pd.DataFrame:
    formatted = means.astype(object)
    for column, form in FORMATS.items():
        formatted[column] = means[column].map(form.format)
    return formatted
