"""Runs made up from their rates, to test what is said and drawn of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from benchlab.records.counters import CLIENT, Counters, HostUsage, Usage
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.records.run import INVALID, ContractFinding, Failure, Run, Sample, Verdict
from benchlab.statistics import analysis
from benchlab.statistics.analysis import Result

from .conftest import LABELS, STARTED, make_counters, make_load, make_manifest, make_sample, make_trial
from .values import Array

# Entry to the rate of each of its blocks.
Rates = Mapping[str, Sequence[int]]
# So many that rounding to whole requests changes nothing.
RATE = 10_000_000
# Logarithms in five blocks.
NOISE = np.array([0.004, -0.006, 0.001, 0.005, -0.004])
OTHER_NOISE = np.array([-0.003, 0.002, 0.006, -0.005, 0.0])
# A second of two CPUs without time to spare.
FULL = HostUsage(1_950_000, 80_000, 10_000, 0, 0, 0, 0, None)


def make_run(rates: Rates, level: int = 16, counters: Counters | None = None) -> Run:
    """Return a run of json at one level, a sample a minute, block by block."""
    blocks = max(map(len, rates.values()), default=0)
    trials = [
        (block, entry, of[block - 1])
        for block in range(1, blocks + 1)
        for entry, of in rates.items()
        if block <= len(of)
    ]
    samples = tuple(
        replace(
            make_sample(make_trial(block, entry, "json", level), make_load(rate)),
            started_at=STARTED + timedelta(minutes=number),
            counters=counters or make_counters(),
        )
        for number, (block, entry, rate) in enumerate(trials)
    )
    return Run(manifest_of(list(rates), blocks, level), samples, ())


def manifest_of(entries: Sequence[str], blocks: int, *levels: int) -> Manifest:
    manifest = make_manifest()
    settings = replace(
        manifest.settings, profile="default", frameworks=tuple(entries), blocks=blocks, levels={"json": levels}
    )
    return replace(manifest, settings=settings, entries=dict.fromkeys(entries, LABELS))


def samples_of(logs: Mapping[str, Array], connections: int = 16, test: str = "json") -> tuple[Sample, ...]:
    """Return samples of entries whose rates have these logarithms, above that of RATE, by block."""
    return tuple(
        make_sample(make_trial(block, entry, test, connections), make_load(round(RATE * math.exp(log))))
        for entry, of_blocks in logs.items()
        for block, log in enumerate(of_blocks, start=1)
    )


def run_of(manifest: Manifest, *samples: Sample) -> Run:
    """Return a run of just these entries, tests, levels and blocks."""
    levels: dict[str, set[int]] = {}
    for sample in samples:
        levels.setdefault(sample.trial.test, set()).add(sample.trial.level.key.value)
    settings = replace(
        manifest.settings,
        levels={test: tuple(sorted(values)) for test, values in levels.items()},
        blocks=max(sample.trial.block for sample in samples),
    )
    names = sorted({sample.trial.entry for sample in samples})
    return Run(replace(manifest, settings=settings, entries=dict.fromkeys(names, LABELS)), samples, ())


def with_samples(run: Run, *samples: Sample) -> Run:
    return replace(run, taken=(*run.taken, *samples))


def result_of(run: Run) -> Result:
    (result,) = analysis.analyse(run)
    return result


def full_host() -> Counters:
    """Return the counters of a second in which two CPUs had nothing left to give to the roles that shared them."""
    return replace(make_counters(app_cpu_us=1_400_000), host=FULL)


def crowded_host() -> Counters:
    """Return the counters of a second in which something else than the roles filled two CPUs."""
    return replace(make_counters(app_cpu_us=500_000), host=FULL)


def busy_client() -> Counters:
    counters = make_counters()
    return replace(counters, roles={**counters.roles, CLIENT: Usage(2_050_000, 0, 0, 10_000_000)})


def hostile_run(text: str) -> Run:
    """Return a run whose every name, label and message is the text."""
    run = make_run({text: [2000, 2010, 2020], "crax": [1000, 1010, 990]})
    labels = dict.fromkeys(run.manifest.entries[text], text) | {"workers": "2"}
    manifest = replace(
        run.manifest,
        entries={**run.manifest.entries, text: labels},
        facts=Facts.of({text: [text, {text: text}]}),
        images={text: text},
    )
    wrong = replace(
        make_sample(make_trial(1, text), attempt=2), verdict=Verdict(INVALID, {"duration error": 2.0}, (), text)
    )
    failed = Failure(make_trial(3, "crax", connections=32), STARTED, text)
    finding = ContractFinding(1, text, text, STARTED, text, text, warning=True)
    return replace(with_samples(run, wrong), manifest=manifest, failures=(failed,), findings=(finding,))
