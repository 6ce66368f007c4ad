"""Three doses of a slowdown: how large they are made, and whether they are told as large as they say they are."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.records.counters import APP, CLIENT, DB, HostUsage, Usage
from benchlab.records.run import Run, Sample
from benchlab.selftest import slowdown
from benchlab.selftest.check import Burden, Check
from benchlab.selftest.extent import DOSES, PLAIN

from . import made_rounds
from .conftest import make_counters

NAMES = (PLAIN, *DOSES)
BLOCKS, ROUNDS = 5, 8
# What the whole host, and what app and database spend on a request without a slowdown; and the least dose.
HOST_US, COST_US, DOSE_US = 100.0, 70.0, 3.0
# What counting costs each entry, also the one without a slowdown.
COUNTING_US = 0.5
RATE, COST = "injected slowdown, requests/s", "injected slowdown, requests/CPU-s"
SLOPE = re.compile(r"([-\d.]+) \[([-\d.]+)–([-\d.]+)\], 5 blocks")


def _run(told: float = 1.0, noise: float = 0.002, idle_us: int = 0) -> Run:
    """Return a run whose entries are slowed down by so many times what their doses are, on a full host."""
    chance = np.random.default_rng(5)
    rates = [math.log(HOST_US / (HOST_US + told * DOSE_US * dose)) for dose in (0, *DOSES.values())]
    logs = np.array(rates)[None, :, None, None] + chance.normal(0, noise, (1, len(NAMES), BLOCKS, ROUNDS))
    run = made_rounds.run(logs, names=NAMES, rate=2e6 / HOST_US)
    return replace(run, taken=tuple(_with_cpu(sample, told, chance.normal(0, noise), idle_us) for sample in run.taken))


def _with_cpu(sample: Sample, told: float, log: float, idle_us: int) -> Sample:
    """Return the sample with the CPU that its requests took; app and database took more of it by the logarithm."""
    requests, dose_us = sample.load.requests, told * DOSE_US * DOSES.get(sample.trial.entry, 0)
    used_us = round(requests * (HOST_US + dose_us))
    host = HostUsage(used_us, 0, idle_us and round(used_us * idle_us / 100), 0, 0, 0, 0, None)
    roles = {
        CLIENT: Usage(round((HOST_US - COST_US) * requests), 0, 0, 1),
        APP: Usage(round((COST_US - 20 + dose_us) * requests * math.exp(log)), 0, 0, 1),
        DB: Usage(round(20 * requests * math.exp(log)), 0, 0, 1),
    }
    return replace(sample, counters=replace(make_counters(), between_us=used_us // 2, host=host, roles=roles))


def _burdens(blocks: int = BLOCKS, step_ns: int = 300) -> list[Burden]:
    """Return what the entries say of themselves, each of another number of requests."""
    return [
        Burden(block, name, 1000 * block, round(1e6 * block * (COUNTING_US + DOSE_US * DOSES.get(name, 0))), step_ns)
        for block in range(1, blocks + 1)
        for name in NAMES
    ]


def _checks(run: Run, burdens: list[Burden] | None = None, is_full: bool = True) -> dict[str, Check]:
    found = slowdown.checks(run, _burdens() if burdens is None else burdens, is_full)
    return {check.name: check for check in found}


@pytest.mark.parametrize(("told", "passed"), [(1.0, True), (0.5, False), (1.6, False), (0.0, False)])
def test_doses_that_are_told_as_large_as_they_say_they_are_have_a_slope_of_1(told: float, passed: bool) -> None:
    checks = _checks(_run(told))
    for metric, cost_us in ((RATE, HOST_US), (COST, COST_US)):
        found = checks[f"{metric}: slope of told against true"]
        match = SLOPE.fullmatch(found.measured)
        assert match, found
        middle, low, high = map(float, match.groups())
        told_of_largest = math.log1p(told * 3 * DOSE_US / cost_us) / math.log1p(3 * DOSE_US / cost_us)
        assert middle == pytest.approx(told_of_largest, abs=0.08)
        assert low <= middle <= high
        assert found.passed is passed


def test_the_interval_of_the_slope_is_that_of_the_blocks() -> None:
    run = _run(noise=0.02)
    found = _checks(run)[f"{RATE}: slope of told against true"]
    by_block = []
    for block in range(1, BLOCKS + 1):
        rates = {
            name: math.fsum(
                sample.load.requests
                for sample in run.taken
                if (sample.trial.block, sample.trial.entry) == (block, name)
            )
            for name in NAMES
        }
        told = np.array([-math.log(rates[dose] / rates[PLAIN]) for dose in DOSES])
        true = np.array([math.log1p(times * DOSE_US / HOST_US) for times in DOSES.values()])
        by_block.append(float(told @ true / (true @ true)))
    low, high = reference.t.interval(0.95, BLOCKS - 1, np.mean(by_block), reference.sem(by_block))
    match = SLOPE.fullmatch(found.measured)
    assert match
    assert list(map(float, match.groups())) == pytest.approx([np.mean(by_block), low, high], abs=0.006)


def test_a_slope_that_is_not_known_exactly_enough_fails_the_full_version_only() -> None:
    noisy = _run(noise=0.05)
    name = f"{RATE}: slope of told against true"
    assert _checks(noisy, is_full=True)[name].passed is False
    assert _checks(noisy, is_full=False)[name].passed is None


def test_doses_plainly_above_the_smallest_effect_must_be_told_and_others_are_for_information() -> None:
    checks = _checks(_run(noise=0.01))
    first, *_, last = (checks[f"{RATE}: {dose}"] for dose in DOSES)
    assert first.measured.endswith("; its loop took 0.971")
    assert (last.passed, last.goal[:7]) == (True, "below 1")
    wild = _checks(_run(noise=0.2))
    assert wild[f"{RATE}: slowed-1"].passed is None
    assert wild[f"{RATE}: slowed-1"].goal.startswith("for information: the smallest effect here is ")
    lost = _checks(_run(told=0.0, noise=0.002))
    assert [lost[f"{RATE}: {dose}"].passed for dose in DOSES] == [False] * 3


def test_where_the_host_was_not_full_the_rate_has_no_truth_and_the_cost_is_judged() -> None:
    checks = _checks(_run(idle_us=100))
    assert checks[f"{RATE}: slowed-3"].goal == (
        "for information: it was not CPU time of the entry that limited the rate"
    )
    assert checks[f"{RATE}: slope of told against true"].passed is None
    assert checks[f"{COST}: slope of told against true"].passed is True


@pytest.mark.parametrize("blocks", [0, 1])
def test_what_entries_do_not_say_is_no_truth(blocks: int) -> None:
    found = _checks(_run(), _burdens(blocks))[f"{COST}: slope of told against true"]
    assert (found.measured, found.passed) == (slowdown.NO_TRUTH, False)


def test_a_clock_that_cannot_tell_the_least_dose_gives_no_truth() -> None:
    found = _checks(_run(), _burdens(step_ns=4_000_000))[f"{COST}: slope of told against true"]
    assert found.goal == "for information: a look at the clock of a thread takes 4000.0 us, the least loop 3.5 us"
    assert found.passed is None


def test_a_host_that_tells_nothing_of_its_containers_has_no_cost_to_compare() -> None:
    run = _run()
    blind = tuple(replace(sample, counters=replace(sample.counters, roles={})) for sample in run.taken)
    checks = _checks(replace(run, taken=blind))
    assert checks[COST] == Check(COST, "unavailable", "", None)


def test_without_slices_nothing_is_told_and_nothing_passed() -> None:
    checks = _checks(replace(_run(), taken=()))
    assert checks["slices of the slowed entries and their equal that count"].passed is False
    assert (checks[RATE].measured, checks[RATE].passed) == ("no slice that counts", False)


def test_doses_are_shares_of_what_the_whole_host_spends_on_a_request() -> None:
    equal = _run(told=0.0, noise=0.0)
    found = slowdown.burn_us(equal, 0.03)
    assert found == pytest.approx({PLAIN: 0.0, "slowed-1": 3.0, "slowed-2": 6.0, "slowed-3": 9.0}, abs=0.01)


def test_what_all_else_took_more_of_is_told_beside_the_slope() -> None:
    run = _run(noise=0.0)
    name = "injected slowdown: CPU of all else in a request, slowed-3 to equal-1"
    # What counting costs is in both, and in the CPU time of neither here.
    assert _checks(run)[name].measured == "wrk 1.00, the entry without its loop 1.00"
    busier = [
        replace(sample, counters=replace(sample.counters, roles={**sample.counters.roles, CLIENT: _times(sample, 1.1)}))
        if sample.trial.entry == "slowed-3"
        else sample
        for sample in run.taken
    ]
    found = _checks(replace(run, taken=tuple(busier)))[name]
    assert (found.measured, found.passed) == ("wrk 1.10, the entry without its loop 1.00", None)
    assert _checks(run, [])[name].measured == "unavailable"


def _times(sample: Sample, factor: float) -> Usage:
    usage = sample.counters.roles[CLIENT]
    return replace(usage, cpu_us=round(factor * (usage.cpu_us or 0)))
