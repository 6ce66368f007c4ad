"""The instrument's own test, on runs whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.calibration import calibrate
from benchlab.calibration.calibrate import Check
from benchlab.core.measured import GOOD, INVALID, SUSPECT, Failure, Run, Sample, Verdict
from benchlab.core.model import Manifest
from benchlab.machine.overhead import Overhead
from benchlab.statistics.sequential import smallest_effect

from .conftest import STARTED, make_counters, make_load, make_sample, make_trial
from .figures import Array, blocks

# So many that rounding to whole requests changes nothing.
RATE = 10_000_000
NOISE = np.array([0.004, -0.006, 0.001, 0.005, -0.004])
OTHER_NOISE = np.array([-0.003, 0.002, 0.006, -0.005, 0.0])


def _samples(logs: dict[str, Array], connections: int = 16, test: str = "json") -> tuple[Sample, ...]:
    """Return samples of entries whose rates have these logarithms, above that of RATE, by block."""
    return tuple(
        make_sample(make_trial(block, entry, test, connections), make_load(round(RATE * math.exp(log))))
        for entry, of_blocks in logs.items()
        for block, log in enumerate(of_blocks, start=1)
    )


def _run(manifest: Manifest, *samples: Sample) -> Run:
    names = sorted({sample.trial.entry for sample in samples})
    return Run(replace(manifest, entries=dict.fromkeys(names, manifest.entries["crax"])), samples, ())


def _spread_exactly(stdev: float) -> dict[str, Array]:
    """Return the logarithms of two entries whose log-ratio has this standard deviation over five blocks."""
    return {"a": NOISE / NOISE.std(ddof=1) * stdev, "b": np.zeros(5)}


def test_equal_entries_that_are_not_told_apart_pass(manifest: Manifest) -> None:
    run = _run(manifest, *_samples({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1]}))
    assert calibrate.false_positives(run) == [
        Check("A/A: pairs told apart at 5 %", "0 of 3", "≤ 1, the binomial limit", True),
        Check("A/A: levels with a false positive after Holm", "0 of 1", "≤ 0, the binomial limit", True),
    ]


def test_equal_entries_that_are_told_apart_are_counted_by_pair_and_by_level(manifest: Manifest) -> None:
    apart = _samples({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1] + 0.1})
    alike = _samples({"a": NOISE, "b": OTHER_NOISE, "c": NOISE[::-1]}, connections=32)
    assert calibrate.false_positives(_run(manifest, *apart, *alike)) == [
        Check("A/A: pairs told apart at 5 %", "2 of 6", "≤ 1, the binomial limit", False),
        Check("A/A: levels with a false positive after Holm", "1 of 2", "≤ 1, the binomial limit", True),
    ]


@pytest.mark.parametrize(("pairs", "limit"), [(20, 3), (60, 6), (100, 9)])
def test_the_binomial_limit_is_what_chance_exceeds_in_less_than_5_percent(
    manifest: Manifest, pairs: int, limit: int
) -> None:
    levels = (_samples({"a": NOISE, "b": OTHER_NOISE}, connections=2 * number) for number in range(1, pairs + 1))
    (check, _) = calibrate.false_positives(_run(manifest, *(sample for level in levels for sample in level)))
    assert (check.measured, check.goal) == (f"0 of {pairs}", f"≤ {limit}, the binomial limit")
    assert reference.binom.sf(limit, pairs, 0.05) <= 0.05 < reference.binom.sf(limit - 1, pairs, 0.05)


@pytest.mark.parametrize(
    ("flagged", "measured", "passed"),
    [([], "0 of 50 (0.0%)", True), ([SUSPECT], "1 of 50 (2.0%)", True), ([SUSPECT, INVALID], "2 of 50 (4.0%)", False)],
)
def test_clean_samples_that_are_flagged_are_counted(
    manifest: Manifest, flagged: list[str], measured: str, passed: bool
) -> None:
    severities = [*flagged, *[GOOD] * (50 - len(flagged))]
    taken = [make_sample(make_trial(block), severity=severity) for block, severity in enumerate(severities, start=1)]
    expected = Check("clean samples that are flagged", measured, "≤ 2%", passed)
    assert calibrate.calm(_run(manifest, *taken)) == expected


# METHOD, section 8: the smallest effect in standard deviations of the log-ratio.
@pytest.mark.parametrize(
    ("block_s", "count", "factor"), [(120, 5, 1.68), (100, 6, 1.43), (75, 8, 1.16), (60, 10, 1.00), (30, 20, 0.66)]
)
def test_the_smallest_effect_is_the_method_s_for_the_blocks_of_ten_minutes(
    manifest: Manifest, block_s: float, count: int, factor: float
) -> None:
    (check,) = calibrate.smallest_effects(_run(manifest, *_samples(_spread_exactly(0.02))), {"json": block_s})
    effect = smallest_effect(0.02, count)
    assert math.log1p(effect) == pytest.approx(factor * 0.02, abs=0.005 * 0.02)
    assert check == Check(
        "smallest effect: json, requests/s of 2-s samples",
        f"{effect:.1%} in {count} blocks (10 min), spread 2.0%",
        "≤ 3%",
        factor * 0.02 < math.log1p(0.03),
    )


def test_the_smallest_effect_follows_from_the_spread_of_all_pairs_together(manifest: Manifest) -> None:
    logs = {"a": 3 * NOISE, "b": 2 * OTHER_NOISE, "c": NOISE[::-1]}
    spreads = [(logs[one] - logs[other]).std(ddof=1) for one, other in ("ab", "ac", "bc")]
    spread = math.sqrt(np.mean(np.square(spreads)))
    (check,) = calibrate.smallest_effects(_run(manifest, *_samples(logs)), {"json": 60})
    assert check.measured == f"{smallest_effect(spread, 10):.1%} in 10 blocks (10 min), spread {spread:.1%}"


def test_each_test_has_its_smallest_effect_by_its_own_time(manifest: Manifest) -> None:
    samples = (*_samples(_spread_exactly(0.02)), *_samples(_spread_exactly(0.01), test="plaintext"))
    json, plaintext = calibrate.smallest_effects(_run(manifest, *samples), {"json": 120, "plaintext": 60})
    assert json.measured.endswith(" in 5 blocks (10 min), spread 2.0%")
    assert plaintext.measured.endswith(" in 10 blocks (10 min), spread 1.0%")


@pytest.mark.parametrize(("count", "block_s"), [(1, 60), (5, 301)])
def test_a_smallest_effect_of_less_than_two_blocks_is_unavailable(
    manifest: Manifest, count: int, block_s: float
) -> None:
    logs = {entry: of_blocks[:count] for entry, of_blocks in _spread_exactly(0.02).items()}
    (check,) = calibrate.smallest_effects(_run(manifest, *_samples(logs)), {"json": block_s})
    assert (check.measured, check.passed) == ("unavailable", None)


@pytest.mark.parametrize(("plain", "burdened"), [("crax", "crax-burdened"), ("crax", "burdened")])
@pytest.mark.parametrize(
    ("burden", "passed"),
    [
        pytest.param(0.95, True, id="a burden that shows"),
        pytest.param(1.0, False, id="none"),
        pytest.param(1.05, False, id="faster by a burden"),
    ],
)
def test_a_planted_burden_is_told_from_none(
    manifest: Manifest, plain: str, burdened: str, burden: float, passed: bool
) -> None:
    run = _run(manifest, *_samples({plain: NOISE, burdened: OTHER_NOISE + math.log(burden)}))
    (check,) = calibrate.sensitivity(run, {"json": 0.95}, plain, burdened)
    differences = OTHER_NOISE + math.log(burden) - NOISE
    low, high = np.exp(reference.t.interval(0.95, 4, differences.mean(), reference.sem(differences)))
    assert check == Check(
        "sensitivity: json",
        f"{math.exp(differences.mean()):.3f} [{low:.3f}–{high:.3f}], 5 blocks",
        "below 1; the burden makes it 0.950 or less",
        passed,
    )


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
def test_the_bias_of_too_few_rounds_is_not_told(rounds: int) -> None:
    ways = (calibrate.LAB, calibrate.UNCHECKED, calibrate.PLAIN)
    checks = calibrate.bias({way: blocks(NOISE[:rounds]) for way in ways})
    assert [(check.measured, check.passed) for check in checks] == [("too few rounds", None)] * 2


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


@pytest.mark.parametrize(
    ("broken", "measured", "passed"),
    [
        ({"late": 2.0}, "late", True),
        ({"stolen": 0.1, "late": 2.0}, "stolen, late", True),
        ({"stolen": 0.1}, "stolen", False),
        ({}, "nothing was flagged", False),
    ],
)
def test_a_fault_is_caught_by_one_of_its_own_rules(broken: dict[str, float], measured: str, passed: bool) -> None:
    sample = replace(make_sample(), verdict=Verdict(SUSPECT if broken else GOOD, broken))
    expected = Check("fault: a 1-s stop", measured, "late or gaps", passed)
    assert calibrate.fault("a 1-s stop", sample, ["late", "gaps"]) == expected


def test_a_fault_that_costs_the_entry_its_sample_is_caught() -> None:
    lost = Failure(make_trial(), STARTED, "under load, crax is not running (out of memory)")
    expected = Check(
        "fault: memory", "not measured: under load, crax is not running (out of memory)", "out of memory", True
    )
    assert calibrate.fault("memory", lost, ["out of memory"]) == expected


def test_the_report_says_of_each_check_whether_it_passed_and_for_which_host() -> None:
    checks = [Check("one", "0", "≤ 1", True), Check("two", "2", "≤ 1", False), Check("three", "3", "", None)]
    told = calibrate.report("a calibration", checks, {"cpu_count": 2, "cpu_model": None, "odd": 1})
    assert told == (
        "# a calibration\n\n"
        "| check   | measured   | goal   |      |\n"
        "|---------|------------|--------|------|\n"
        "| one     | 0          | ≤ 1    | pass |\n"
        "| two     | 2          | ≤ 1    | FAIL |\n"
        "| three   | 3          |        | –    |\n"
        "\n## The host\n\nAll of it is in twins/manifest.json.\n\n* cpu_count: 2\n"
    )
