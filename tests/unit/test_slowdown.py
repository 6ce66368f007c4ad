"""An injected slowdown: how large it is made, and whether it is detected as large as it is."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.records.counters import APP, CLIENT, DB, HostUsage, Usage
from benchlab.records.plan import Level, Manifest, Trial
from benchlab.records.run import Run, Sample
from benchlab.selftest import slowdown
from benchlab.selftest.check import Check
from benchlab.statistics.sequential import smallest_effect

from .conftest import make_counters, make_load, make_sample, make_trial
from .made_runs import FULL, NOISE, OTHER_NOISE, run_of, samples_of

# A second of a host with one CPU, which has 980,000 us to give, all of it used. At 10,000,000 requests, app and
# database take 0.07 us of each.
FULL_OF_1 = HostUsage(900_000, 80_000, 10_000, 0, 0, 0, 0, None)
HOST_US, COST_US = 0.098, 0.07
# What makes the rate of a full host 0.95 of what it was.
INJECTED_US = HOST_US * (1 / 0.95 - 1)
RATE_GOAL = "differs from 1, interval reaches what was injected: 0.950, or 0.905 where load adds to it"
COST_GOAL = "differs from 1, interval reaches what was injected: 0.931, or 0.872 where load adds to it"


def _sample(block: int, entry: str, burn_us: float, log: float) -> Sample:
    """Return a sample of an entry that burns so much CPU time a request, and is faster by the logarithm."""
    requests = 980_000 / (HOST_US + burn_us)
    counters = replace(make_counters(), host=FULL_OF_1)
    roles = {
        CLIENT: Usage(round(0.025 * requests), 0, 0, 1),
        APP: Usage(round((0.05 + burn_us) * requests), 0, 0, 1),
        DB: Usage(round(0.02 * requests), 0, 0, 1),
    }
    load = make_load(round(requests * math.exp(log)))
    return replace(make_sample(make_trial(block, entry), load), counters=replace(counters, roles=roles))


def _run(manifest: Manifest, plain: str, burn_us: float) -> Run:
    """Return a run in which the slowed entry burns so much, and INJECTED_US is what it was to burn."""
    samples = [
        *(_sample(block, plain, 0.0, log) for block, log in enumerate(NOISE, start=1)),
        *(_sample(block, slowdown.SLOWED_ENTRY, burn_us, log) for block, log in enumerate(OTHER_NOISE, start=1)),
    ]
    return _with_slowdown(run_of(manifest, *samples))


def _with_slowdown(run: Run) -> Run:
    environment = {slowdown.VARIABLE: json.dumps({"/json": INJECTED_US})}
    return replace(run, manifest=replace(run.manifest, services={slowdown.SLOWED_ENTRY: {"environment": environment}}))


@pytest.mark.parametrize("plain", ["crax", "aiohttp"])
@pytest.mark.parametrize(
    ("times", "passed"),
    [
        pytest.param(1.0, True, id="what was injected"),
        pytest.param(2.0, True, id="more of it under load"),
        pytest.param(0.0, False, id="none"),
        pytest.param(-1.0, False, id="faster instead of slower"),
        pytest.param(0.3, False, id="less than was injected"),
        pytest.param(10.0, False, id="far more than was injected"),
    ],
)
def test_an_injected_slowdown_is_detected_in_both_figures_and_as_large_as_it_is(
    manifest: Manifest, plain: str, times: float, passed: bool
) -> None:
    burn_us = times * INJECTED_US
    found = slowdown.sensitivity(_run(manifest, plain, burn_us))
    ratios = (HOST_US / (HOST_US + burn_us), COST_US / (COST_US + burn_us))
    expected = []
    for figure, ratio, goal in zip(("requests/s", "requests/CPU-s"), ratios, (RATE_GOAL, COST_GOAL), strict=True):
        differences = OTHER_NOISE - NOISE + math.log(ratio)
        low, high = np.exp(reference.t.interval(0.95, 4, differences.mean(), reference.sem(differences)))
        measured = f"{math.exp(differences.mean()):.3f} [{low:.3f}–{high:.3f}], 5 blocks"
        expected.append(Check(f"sensitivity: json, {figure}", measured, goal, passed))
    assert found == expected


def test_where_the_app_was_full_the_rate_falls_by_what_the_slowdown_adds_to_it(manifest: Manifest) -> None:
    run = _run(manifest, "crax", INJECTED_US)
    full = _with_cpu(run, **{APP: 1_950_000, CLIENT: 20_000, DB: 20_000})
    rate, _ = slowdown.sensitivity(full)
    cost_us = 1_950_000 / 10_000_000
    most, least = (cost_us / (cost_us + times * INJECTED_US) for times in (1, 2))
    assert rate.goal.endswith(f"injected: {most:.3f}, or {least:.3f} where load adds to it")


def test_where_something_else_was_full_the_rate_is_for_information_and_the_cost_is_judged(manifest: Manifest) -> None:
    rate, cost = slowdown.sensitivity(
        _with_cpu(_run(manifest, "crax", INJECTED_US), **{DB: 1_950_000, CLIENT: 20_000, APP: 20_000})
    )
    assert (rate.goal.startswith("for information"), rate.passed) == (True, None)
    assert cost.passed is not None


def _with_cpu(run: Run, **cpu_us: int) -> Run:
    """Return the run on two CPUs, with other CPU times of roles in all its samples."""
    used = {role: Usage(us, 0, 0, 1) for role, us in cpu_us.items()}
    taken = tuple(
        replace(sample, counters=replace(sample.counters, host=FULL, roles={**sample.counters.roles, **used}))
        for sample in run.taken
    )
    return replace(run, taken=taken)


def test_where_the_host_does_not_tell_the_cost_is_unavailable_and_the_rate_for_information(manifest: Manifest) -> None:
    run = _run(manifest, "crax", INJECTED_US)
    blind = tuple(replace(sample, counters=replace(sample.counters, roles={})) for sample in run.taken)
    rate, cost = slowdown.sensitivity(replace(run, taken=blind))
    assert (rate.passed, cost) == (None, Check("sensitivity: json, requests/CPU-s", "unavailable", "", None))


@pytest.mark.parametrize(
    ("kept", "measured"),
    [("crax", "no block to compare"), (slowdown.SLOWED_ENTRY, "no sample that counts")],
)
def test_an_entry_without_samples_is_no_detected_slowdown(manifest: Manifest, kept: str, measured: str) -> None:
    run = _run(manifest, "crax", INJECTED_US)
    alone = replace(run, taken=tuple(sample for sample in run.taken if sample.trial.entry == kept))
    assert {(found.measured, found.passed) for found in slowdown.sensitivity(alone)} == {(measured, False)}


def test_a_test_without_a_sample_that_counts_fails_by_name(manifest: Manifest) -> None:
    run = _run(manifest, "crax", INJECTED_US)
    settings = replace(run.manifest.settings, levels={"json": (16,), "query": (1,)})
    *_, last = slowdown.checks(replace(run, manifest=replace(run.manifest, settings=settings)))
    assert last == Check("sensitivity: query, requests/CPU-s", "no sample that counts", "", False)


def test_a_slowdown_is_what_its_own_level_shows_plainly(manifest: Manifest) -> None:
    wild = samples_of({"a": 20 * NOISE, "b": np.zeros(5)}, connections=16)
    calm = samples_of({"a": NOISE / NOISE.std(ddof=1) * 0.04, "b": np.zeros(5)}, connections=32)
    found = slowdown.shares(run_of(manifest, *wild, *calm), 12)
    assert found == pytest.approx({"json": 1.5 * smallest_effect(0.04, 12)}, rel=1e-4)


@pytest.mark.parametrize("level", [16, 32])
def test_without_a_spread_at_its_level_a_slowdown_is_the_least(manifest: Manifest, level: int) -> None:
    alone = samples_of({"a": NOISE}, connections=level)
    assert slowdown.shares(run_of(manifest, *alone), 12) == {"json": 0.03}


def test_the_wider_spread_of_the_two_figures_decides(manifest: Manifest) -> None:
    samples = samples_of({"a": np.zeros(5), "b": np.zeros(5)}, connections=32)
    # The rates are all the same; what CPU they took is not.
    uneven = tuple(
        replace(sample, counters=make_counters(app_cpu_us=400_000 + 40_000 * sample.trial.block))
        if sample.trial.entry == "a"
        else sample
        for sample in samples
    )
    logs = np.log([0.7 / (0.6 + 0.04 * block) for block in range(1, 6)])
    found = slowdown.shares(run_of(manifest, *uneven), 12)
    assert found == pytest.approx({"json": 1.5 * smallest_effect(float(logs.std(ddof=1)), 12)})


def test_a_slowdown_is_a_share_of_a_request_at_its_own_level(manifest: Manifest) -> None:
    samples = [
        make_sample(Trial(block, "a", "query", Level(128, 2, queries=queries)), make_load(requests))
        for queries, requests in ((1, 10_000), (20, 1_000))
        for block in (1, 2)
    ]
    # 980,000 us of the host's CPUs for 10,000 requests.
    assert slowdown.burn_us(run_of(manifest, *samples), {"query": 0.1}) == {"/queries": 9.8}


def test_where_its_level_has_no_sample_a_slowdown_is_a_share_of_any_request(manifest: Manifest) -> None:
    samples = samples_of({"a": np.zeros(2)}, connections=16)
    assert slowdown.burn_us(run_of(manifest, *samples), {"json": 0.5}) == {"/json": 0.049}
