"""The gate's three answers, by which figures it gives them, and what keeps it undecided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchlab.core.measured import Decision, Run
from benchlab.statistics import regression, sequential, sides, stats, versus
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE
from benchlab.statistics.comparison import decide
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED, Gate
from benchlab.statistics.stats import Ratio
from benchlab.statistics.versus import Row

from .conftest import STARTED
from .figures import known
from .made_runs import busy_client
from .made_sides import CALM, COST_US, NEW, OLD, failures, held, overall, run_of, samples

# Slower by 6 %, with a p between a quarter and half of 5 %.
UNSURE = (887, 916, 930, 952, 970, 1002)


def _gate(run: Run, margin: float = 0.03) -> Gate:
    found = held(run)
    return regression.gate(found.rows, margin, found.untold)


def _of_rates(old: Sequence[int], new: Sequence[int]) -> Gate:
    return _gate(run_of(*samples(OLD, old), *samples(NEW, new)))


@pytest.mark.parametrize(
    ("new", "exit_code"),
    [
        (CALM, NO_REGRESSION),
        ([1010, 1013, 1008, 1011, 1009, 1012], NO_REGRESSION),
        ([990, 993, 988, 991, 989, 992], NO_REGRESSION),  # slower for certain, and less than 3 %
        ([950, 953, 948, 951, 949, 952], REGRESSION),
        ([968, 974, 966, 971, 969, 972], REGRESSION),  # about 3 %: it may be more
        ([900, 1100, 950, 1050, 1000, 980], UNDECIDED),
    ],
)
def test_the_gate_tells_a_regression_from_none_and_both_from_noise(new: list[int], exit_code: int) -> None:
    assert _of_rates(CALM, new).exit_code == exit_code


def test_requests_per_cpu_second_alone_show_a_regression() -> None:
    answer = _gate(run_of(*samples(OLD, CALM), *samples(NEW, CALM, [COST_US + 25] * 6)))
    assert answer == Gate(REGRESSION, "slower: crax json requests/CPU-s 0.909 [0.909–0.909]")


def test_requests_per_cpu_second_alone_leave_the_gate_undecided() -> None:
    costs = [COST_US + more for more in (-20, 30, -30, 20, 10, -10)]
    answer = _gate(run_of(*samples(OLD, CALM), *samples(NEW, CALM, costs)))
    assert (answer.exit_code, RATE in answer.reason, PER_CPU in answer.reason) == (UNDECIDED, False, True)


def test_two_runs_that_share_no_time_go_through_the_same_gate() -> None:
    old, new = run_of(*samples("crax", CALM)), run_of(*samples("crax", [n // 2 for n in CALM]))
    found = versus.hold(*sides.of_runs(old, new))
    assert regression.gate(found.rows, 0.03, found.untold).exit_code == REGRESSION


def test_a_slower_test_counts_for_less_among_many_after_holm() -> None:
    json = (*samples(OLD, CALM), *samples(NEW, UNSURE))
    assert 0.05 / 4 < known(overall(held(run_of(*json)), RATE).ratio.p) < 0.05 / 2
    assert _gate(run_of(*json)).exit_code == REGRESSION
    calm = [sample for name in (OLD, NEW) for sample in samples(name, CALM, test="plaintext", level=256)]
    assert _gate(run_of(*json, *calm)).exit_code == UNDECIDED


def test_what_is_too_noisy_names_the_blocks_it_would_take() -> None:
    answer = _of_rates(CALM, [900, 1100, 950, 1050, 1000, 980])
    assert _named(answer) > len(CALM)
    assert "crax json requests/s" in answer.reason


def test_an_interval_that_ends_at_the_margin_takes_one_block_more() -> None:
    ends = Ratio("new", "old", 0.98, 0.97, 0.98**2 / 0.97, 0.2, 0.2, 6, 0.01)
    assert _named(regression.gate([Row("crax", "json", ALL_LEVELS, RATE, *decide([ends]))], 0.03)) == 7


def test_after_a_pilot_its_spread_decides_and_the_blocks_named_are_more_than_there_are() -> None:
    rates = [900, 1100, 1000, *[1000] * 6]
    run = run_of(*samples(OLD, [1000] * 9), *samples(NEW, rates))
    assert _gate(run, 0.05).exit_code == NO_REGRESSION
    staged = replace(run, decision=Decision(STARTED, 3, 9, 9, "spread"))
    answer = _gate(staged, 0.05)
    pilot = known(stats.ratio({"new": dict(enumerate(rates[:3])), "old": dict.fromkeys(range(3), 1000)}, "new", "old"))
    asked = sequential.blocks_needed([pilot], overall(held(staged), RATE).ratio.ratio / 0.95 - 1)
    assert answer.exit_code == UNDECIDED
    assert _named(answer) == asked > 9


def test_where_no_number_of_blocks_would_do_none_is_named() -> None:
    answer = _of_rates(CALM, [900, 1100, 800, 1050, 950, 980])
    assert (answer.exit_code, "no number of blocks will do" in answer.reason) == (UNDECIDED, True)


def test_one_block_is_too_noisy_for_any_answer() -> None:
    answer = _of_rates(CALM[:1], CALM[:1])
    assert (answer.exit_code, "at least 2 blocks" in answer.reason) == (UNDECIDED, True)


def test_where_no_block_has_all_levels_the_gate_stays_undecided_whatever_other_tests_say() -> None:
    old = run_of(
        *samples("crax", CALM, test="plaintext", level=256),
        *samples("crax", CALM)[:3],
        *samples("crax", CALM, level=32)[3:],
    )
    new = run_of(
        *samples("crax", CALM, test="plaintext", level=256), *samples("crax", CALM), *samples("crax", CALM, level=32)
    )
    found = versus.hold(*sides.of_runs(old, new))
    answer = regression.gate(found.rows, 0.03, found.untold)
    assert (answer.exit_code, "no block has all levels" in answer.reason) == (UNDECIDED, True)


def test_a_version_that_fails_in_most_blocks_leaves_the_gate_undecided_though_the_others_are_calm() -> None:
    run = run_of(*samples(OLD, CALM), *samples(NEW, CALM[:2]), failed=failures(NEW, [3, 4, 5, 6]))
    assert regression.gate(held(run).rows, 0.03).exit_code == NO_REGRESSION
    assert _gate(run) == Gate(
        UNDECIDED,
        "a regression of 3.0% is neither shown nor excluded: nothing can be said of 1 part of the comparison",
    )


def test_what_is_untold_hides_no_regression_that_is_shown() -> None:
    run = run_of(*samples(OLD, CALM), *samples(NEW, [500] * 6), failed=failures(NEW, [1], level=32))
    assert _gate(run).exit_code == REGRESSION


def test_a_test_that_fails_on_both_sides_leaves_the_gate_undecided() -> None:
    failed = [failure for name in (OLD, NEW) for failure in failures(name, range(1, 7), "plaintext", 256)]
    assert _gate(run_of(*samples(OLD, CALM), *samples(NEW, CALM), failed=failed)).exit_code == UNDECIDED


def test_a_rate_that_wrk_limited_leaves_the_gate_undecided() -> None:
    taken = [replace(sample, counters=busy_client()) for name in (OLD, NEW) for sample in samples(name, CALM)]
    assert _gate(run_of(*taken)).exit_code == UNDECIDED


def test_without_any_ratio_the_gate_is_undecided() -> None:
    assert regression.gate([], 0.03).exit_code == UNDECIDED


def _named(answer: Gate) -> int:
    """Return the number of blocks that the answer names."""
    match = re.search(r"it would take about (\d+) blocks", answer.reason)
    return int(known(match)[1])
