"""What a calibration says of plain wrk, of the lab's own CPU and of injected faults, and its report."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab import __version__
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.records.run import GOOD, SUSPECT, Failure, Verdict
from benchlab.report import markdown
from benchlab.selftest import calibrate
from benchlab.selftest.check import Check, Overhead
from benchlab.selftest.kept import Calibration, FaultResult

from .conftest import STARTED, long_samples, make_counters, make_sample, make_trial
from .made_runs import NOISE, OTHER_NOISE, run_of, samples_of
from .values import blocks


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    return replace(manifest, settings=long_samples())


@pytest.mark.parametrize(
    ("shift", "noise", "passed"),
    [
        pytest.param(0.0, 0.5, True, id="inside"),
        pytest.param(0.02, 0.5, False, id="above"),
        pytest.param(-0.02, 0.5, False, id="below"),
        pytest.param(0.0, 5.0, False, id="too wide to tell"),
    ],
)
def test_the_bias_passes_where_its_whole_90_percent_interval_is_within_1_percent(
    shift: float, noise: float, passed: bool
) -> None:
    lab, plain = shift + noise * NOISE, noise * OTHER_NOISE
    differences = lab - plain
    low, high = np.exp(reference.t.interval(0.90, 4, differences.mean(), reference.sem(differences)))
    measured = f"{math.exp(differences.mean()):.4f} [{low:.4f}–{high:.4f}], 5 rounds"
    rates = {calibrate.LAB: blocks(lab), calibrate.PLAIN: blocks(plain), calibrate.UNCHECKED: blocks(plain)}
    bias, checking = calibrate.bias(rates)
    assert bias == Check("bias against plain wrk, 90% interval", measured, "within ± 1.0%", passed)
    # Half of the bias is allowed, and the interval is the same one here.
    within_half = low >= 0.995 and high <= 1.005
    assert checking == Check("cost of looking at answers, 90% interval", measured, "within ± 0.5%", within_half)


@pytest.mark.parametrize("rounds", [0, 1])
def test_the_bias_of_too_few_rounds_is_not_told_and_not_passed(rounds: int) -> None:
    ways = (calibrate.LAB, calibrate.UNCHECKED, calibrate.PLAIN)
    checks = calibrate.bias({way: blocks(NOISE[:rounds]) for way in ways})
    assert [(check.measured, check.passed) for check in checks] == [("too few rounds", False)] * 2


@pytest.mark.parametrize(
    ("used", "measured", "passed"),
    [
        (Overhead(0.004, 0.006), "1.00% of a core: lab.py 0.40%, engine 0.60%", True),
        (Overhead(0.004, 0.007), "1.10% of a core: lab.py 0.40%, engine 0.70%", False),
        (Overhead(0.01, None), "1.00% of a core: lab.py 1.00%, engine unavailable", None),
        (Overhead(0.011, None), "1.10% of a core: lab.py 1.10%, engine unavailable", False),
    ],
)
def test_lab_and_engine_together_may_take_a_hundredth_of_a_core(
    used: Overhead, measured: str, passed: bool | None
) -> None:
    (both, outside) = calibrate.perturbation(used, [make_sample()])
    assert both == Check("CPU of lab.py and engine while sampling", measured, "≤ 1%", passed)
    # 900,000 us busy and 80,000 us of interrupts, less 950,000 us of the containers, in 1,050,000 us.
    assert (outside.measured, outside.passed) == ("2.86% of a core", None)


def test_what_runs_outside_the_containers_is_unavailable_where_the_host_does_not_tell() -> None:
    counters = make_counters()
    blind = [
        replace(counters, roles={}),
        replace(counters, host=replace(counters.host, busy_us=None)),
        replace(counters, host=replace(counters.host, interrupts_us=None)),
    ]
    samples = [replace(make_sample(), counters=each) for each in blind]
    assert calibrate.perturbation(Overhead(0.0, None), samples)[1].measured == "unavailable"
    assert calibrate.perturbation(Overhead(0.0, None), [*samples, make_sample()])[1].measured == "2.86% of a core"


def _result(name: str, broken: dict[str, float], expected: tuple[str, ...]) -> FaultResult:
    return FaultResult(name, replace(make_sample(), verdict=Verdict(SUSPECT if broken else GOOD, broken)), expected)


@pytest.mark.parametrize(
    ("broken", "measured", "passed"),
    [
        ({"duration error": 2.0}, "duration error", True),
        ({"stolen": 0.1, "duration error": 2.0}, "stolen, duration error", True),
        ({"stolen": 0.1}, "stolen", False),
        ({}, "nothing was flagged", False),
    ],
)
def test_a_fault_is_caught_by_one_of_its_own_rules(broken: dict[str, float], measured: str, passed: bool) -> None:
    result = _result("a 1-s stop", broken, ("duration error", "gaps"))
    assert calibrate.fault(result) == Check("fault: a 1-s stop", measured, "duration error or gaps", passed)


def test_a_fault_that_costs_the_entry_its_sample_is_caught() -> None:
    lost = Failure(make_trial(), STARTED, "under load, crax ended (out of memory)")
    expected = Check("fault: memory", "not measured: under load, crax ended (out of memory)", "out of memory", True)
    assert calibrate.fault(FaultResult("memory", lost, ("out of memory",))) == expected


def _calibration(manifest: Manifest, **facts: object) -> Calibration:
    run = run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE}))
    return Calibration("a calibration", replace(run, manifest=replace(run.manifest, facts=Facts.of(facts))))


@pytest.mark.parametrize(
    ("profile", "tried"), [("quick", "The short version"), ("default", "The full version (`--full`)")]
)
def test_the_report_says_how_much_was_tried_with_which_seed_when_and_by_which_lab(
    manifest: Manifest, profile: str, tried: str
) -> None:
    of_profile = replace(manifest, settings=replace(manifest.settings, profile=profile))
    head = markdown.text(calibrate.report(_calibration(of_profile, lab_version=__version__))).split("\n\n")[:2]
    assert head == [
        "# a calibration",
        f"{tried}, seed 7, begun 2026-11-23 12:00 UTC by benchlab {__version__}. "
        "2 equal entries in 5 blocks, 1 sample of 2 s at each level in a container lifetime. "
        "Not made, or not kept here: injected slowdown, plain wrk, CPU of the lab, injected faults.",
    ]


def test_a_calibration_of_another_lab_says_so(manifest: Manifest) -> None:
    told = markdown.text(calibrate.report(_calibration(manifest, lab_version="0.1.0")))
    assert f"by benchlab 0.1.0, analysed by {__version__}." in told


def test_the_report_says_for_which_host_it_holds(manifest: Manifest) -> None:
    host = {"cpu_count": 2, "cpu_model": None, "odd": 1}
    told = markdown.text(calibrate.report(_calibration(manifest, lab_version="0.1.0", host=host)))
    assert told.endswith(
        "\n\n## The host\n\nAll of it is in the manifest.json of the A/A test.\n\n"
        "* cpu_count: 2\n* lab_version: 0.1.0\n"
    )


def test_the_report_says_of_each_check_whether_it_passed(manifest: Manifest) -> None:
    faults = (_result("late", {"duration error": 2.0}, ("duration error",)), _result("lie", {}, ("wrong answers",)))
    told = markdown.text(calibrate.report(replace(_calibration(manifest), faults=faults, used=Overhead(0.0, None))))
    assert re.search(r"\| check +\| measured +\| goal +\| result +\|", told)
    assert re.search(r"\| fault: late +\| duration error +\| duration error +\| pass +\|", told)
    assert re.search(r"\| fault: lie +\| nothing was flagged +\| wrong answers +\| FAIL +\|", told)
    assert re.search(r"\| CPU of lab\.py and engine while sampling +\| .*\| – +\|", told)
    assert "Not made, or not kept here: injected slowdown, plain wrk.\n" in told


def test_the_checks_are_those_of_the_parts_there_are(manifest: Manifest) -> None:
    aa_test = _calibration(manifest)
    rates = {way: blocks(NOISE) for way in (calibrate.LAB, calibrate.UNCHECKED, calibrate.PLAIN)}
    whole = replace(
        aa_test,
        rates=rates,
        used=Overhead(0.0, 0.0),
        faults=(_result("late", {"duration error": 2.0}, ("duration error",)),),
    )
    alone = calibrate.checks(aa_test)
    more = calibrate.checks(whole)
    assert more[: len(alone)] == alone
    assert [check.name for check in more[len(alone) :]] == [
        "bias against plain wrk, 90% interval",
        "cost of looking at answers, 90% interval",
        "CPU of lab.py and engine while sampling",
        "CPU outside the containers while sampling",
        "fault: late",
    ]
