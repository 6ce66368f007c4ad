"""Runs to compare with each other: samples of one test with the CPU time that they took, and runs made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from benchlab.load.metrics import Metric
from benchlab.records.plan import Manifest, Variant
from benchlab.records.run import Decision, Failure, Run, Sample
from benchlab.statistics import baseline, candidate
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.candidate import BaselineComparison, Row

from .conftest import STARTED, make_load, make_manifest, make_sample, make_trial, older, versions

OLD, NEW = older("crax"), "crax"
VERSIONS = versions("aiohttp", "crax")
CALM = (1000, 1003, 998, 1001, 999, 1002)
# Microseconds of each role's CPU time for a request.
COST_US = 250


def samples(
    entry: str, rates: Sequence[int], costs_us: Sequence[int] = (), test: str = "json", level: int = 16
) -> tuple[Sample, ...]:
    """Return a sample a block. Without costs a request takes the same CPU time in each: only the rate differs."""
    costs = costs_us or [COST_US] * len(rates)
    return tuple(
        _sample(entry, block, requests, cost_us, test, level)
        for block, (requests, cost_us) in enumerate(zip(rates, costs, strict=True), start=1)
    )


def failures(entry: str, blocks: Sequence[int], test: str = "json", level: int = 16) -> tuple[Failure, ...]:
    return tuple(Failure(make_trial(block, entry, test, level), STARTED, "it died") for block in blocks)


def run_of(*taken: Sample, failed: Sequence[Failure] = (), decision: Decision | None = None, hours: float = 0) -> Run:
    """Return a run of the study's levels of json and plaintext, which began so many hours after all others."""
    trials = [*(sample.trial for sample in taken), *(failure.trial for failure in failed)]
    manifest = manifest_of({trial.entry for trial in trials})
    manifest = replace(manifest, created_at=manifest.created_at + timedelta(hours=hours))
    return Run(manifest, taken, tuple(failed), decision)


def manifest_of(entries: set[str]) -> Manifest:
    manifest = make_manifest()
    return replace(
        manifest,
        entries=dict.fromkeys(sorted(entries), manifest.entries["crax"]),
        variants={name: VERSIONS.get(name, Variant(name)) for name in entries},
    )


def compared(run: Run) -> BaselineComparison:
    """Return how the versions in the run compare."""
    return candidate.compare(*baseline.of_versions(run))


def overall(found: BaselineComparison, metric: Metric) -> Row:
    """Return the one row of the metric over all levels."""
    (row,) = (row for row in found.rows if (row.level, row.metric) == (ALL_LEVELS, metric))
    return row


def _sample(entry: str, block: int, requests: int, cost_us: int, test: str, level: int) -> Sample:
    sample = make_sample(make_trial(block, entry, test, level), make_load(requests))
    roles = {role: replace(usage, cpu_us=requests * cost_us) for role, usage in sample.counters.roles.items()}
    return replace(sample, counters=replace(sample.counters, roles=roles))
