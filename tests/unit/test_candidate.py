"""A candidate against its baseline: runs, ratios, and what could not be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import geometric_mean

import pytest

from benchlab.cli import gate
from benchlab.core import quantities
from benchlab.core.errors import ConfigError, UsageError
from benchlab.load.metrics import PER_CPU, RATE, Better, Parts
from benchlab.records.run import Run, Sample
from benchlab.report import changes, document, markdown, outcomes
from benchlab.statistics import baseline, candidate, comparison, stats
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.candidate import BaselineComparison
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.pooling import Blocks

from .conftest import older
from .made_comparisons import CALM, NEW, OLD, compared, failures, overall, run_of, samples
from .made_runs import busy_client, full_host
from .values import at, known, numbered


def _blind(taken: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return the samples as a host leaves them that does not tell of CPU time."""
    return tuple(
        replace(
            sample,
            counters=replace(
                sample.counters,
                roles={role: replace(usage, cpu_us=None) for role, usage in sample.counters.roles.items()},
            ),
        )
        for sample in taken
    )


def _limited(taken: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return the samples as they are where wrk uses up its CPUs."""
    return tuple(replace(sample, counters=busy_client()) for sample in taken)


def _against(old: Run, new: Run) -> candidate.BaselineComparison:
    return candidate.compare(*baseline.of_several([old], [new]))


def test_two_runs_are_matched_by_entry_test_and_level_and_compared_unpaired() -> None:
    found = _against(run_of(*samples("crax", CALM)), run_of(*samples("crax", [n // 2 for n in CALM])))
    assert [(row.entry, row.test, row.level) for row in found.rows if row.metric == RATE] == [
        ("crax", "json", at(16)),
        ("crax", "json", ALL_LEVELS),
    ]
    assert found.rows[0].ratio.ratio == pytest.approx(0.5, rel=0.01)
    assert found.uncompared == ()


def test_a_row_over_all_levels_names_those_it_is_made_of_where_one_version_or_one_metric_lacks_some() -> None:
    lacks = run_of(*samples(OLD, CALM), *samples(OLD, CALM, level=32), *samples(NEW, CALM))
    assert {outcomes.where(row) for row in compared(lacks).rows} == {"16", "16 alone"}
    bound = run_of(
        *samples(OLD, CALM), *samples(OLD, CALM, level=32), *samples(NEW, CALM), *_limited(samples(NEW, CALM, level=32))
    )
    found = compared(bound)
    assert (outcomes.where(overall(found, RATE)), outcomes.where(overall(found, PER_CPU))) == ("16 alone", "all")
    assert "crax, json at 16 alone: requests per second" in "\n".join(changes.changes(found.rows))


def _text(found: BaselineComparison) -> str:
    return markdown.text(changes.report(found, [], None))


def _table(found: BaselineComparison) -> str:
    return markdown.table(document.table(changes.frame(found.rows)))


def test_what_too_wide_means_stands_below_ratios_that_say_it() -> None:
    for rates, says in (([1000, 3000], True), ([1000, 1001], False)):
        text = _text(compared(run_of(*samples(OLD, [1000, 1001]), *samples(NEW, rates))))
        assert text.endswith(f"\n\n{quantities.MEANING}\n") == says


def test_what_became_of_each_metric_is_told_above_a_table_with_an_outcome_in_each_row() -> None:
    slower, costs = [n // 2 for n in CALM], [200, 300, 260, 240, 290, 210]
    text = _text(_against(run_of(*samples("crax", CALM)), run_of(*samples("crax", slower, costs))))
    _, _, told, *rest = text.split("\n\n")
    (table,) = (part for part in rest if part.startswith("| entry"))
    rate, per_cpu = told.splitlines()
    assert rate == "* crax, json: requests per second were lower in the new run: 0.500 [0.499–0.501]."
    assert per_cpu.startswith("* crax, json: requests per CPU-second of the two runs cannot be told apart: ")
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines())
    assert head[-1] == "outcome"
    assert [(row[3], row[-1]) for row in rows] == [
        *[(RATE.name, "lower")] * 2,
        *[(PER_CPU.name, "cannot be told apart")] * 2,
    ]


def test_outcomes_over_all_levels_are_corrected_together_as_the_gate_s_are() -> None:
    unsure = [*samples("crax", (887, 916, 930, 952, 970, 1002))]
    calm = samples("crax", CALM, test="plaintext", level=256)
    alone = _against(run_of(*samples("crax", CALM)), run_of(*unsure))
    among = _against(run_of(*samples("crax", CALM), *calm), run_of(*unsure, *calm))
    assert overall(alone, RATE).pair.outcome is Outcome.SLOWER
    (row,) = (row for row in among.rows if (row.test, row.level, row.metric) == ("json", ALL_LEVELS, RATE))
    assert row.pair.outcome is Outcome.UNDECIDED


def test_the_worst_ratio_comes_first() -> None:
    found = compared(
        run_of(
            *samples(older("crax"), CALM),
            *samples("crax", [1100] * 6),
            *samples(older("aiohttp"), CALM),
            *samples("aiohttp", [900] * 6),
        )
    )
    assert [row.ratio.ratio for row in found.rows] == sorted(row.ratio.ratio for row in found.rows)
    assert found.rows[0].entry == "aiohttp"
    assert _table(found).splitlines()[2].split("|")[1].strip() == "aiohttp"


def test_a_side_has_no_values_of_an_entry_that_it_lacks_and_none_that_nobody_made() -> None:
    old, new = baseline.of_versions(run_of(*samples(OLD, CALM), *samples(NEW, CALM), *samples("rill", CALM)))
    assert [runs.values("rill", "json", RATE) for runs in (old, new)] == [{}, {}]
    assert list(old.values("crax", "json", RATE)) == [at(16)]
    assert old.values("crax", "plaintext", RATE) == {}
    unknown = replace(RATE, parts=lambda sample: Parts(sample.load.seconds, 1))
    with pytest.raises(KeyError):
        old.values("crax", "json", unknown)


def test_a_run_without_versions_is_no_comparison() -> None:
    with pytest.raises(
        UsageError, match=r"holds no entry of another commit; name two runs, or measure with --against$"
    ):
        gate.versions(run_of(*samples("crax", CALM)))


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(samples("aiohttp", CALM), id="another entry"),
        pytest.param(samples("crax", CALM, test="plaintext", level=256), id="another test"),
        pytest.param(samples("crax", CALM, level=32), id="another level"),
    ],
)
def test_runs_with_nothing_in_common_are_no_comparison(new: tuple[Sample, ...]) -> None:
    with pytest.raises(ConfigError, match="no entry, test and level in common"):
        _against(run_of(*samples("crax", CALM)), run_of(*new))


def test_a_level_that_most_blocks_of_a_version_lack_is_left_out_and_named() -> None:
    old = run_of(*samples("crax", CALM[:3]), *samples("crax", CALM, level=32)[3:])
    new = run_of(*samples("crax", [500] * 6), *samples("crax", [500] * 6, level=32))
    row = overall(_against(old, new), RATE)
    assert row.ratio.ratio == pytest.approx(0.5, rel=0.01)
    assert (row.ratio.blocks, outcomes.where(row)) == (3, "16 alone")


def _several(old: Sequence[int], new: Sequence[int], hours: float = 24) -> candidate.BaselineComparison:
    """Compare runs that each have six blocks around their own rate; those of a version begin so far apart."""
    before, after = (
        [
            run_of(*samples("crax", [n + rate - 1000 for n in CALM]), hours=place * hours)
            for place, rate in enumerate(version)
        ]
        for version in (old, new)
    )
    return candidate.compare(*baseline.of_several(before, after))


def test_several_runs_of_each_version_are_compared_by_one_value_for_each_day_whatever_its_blocks() -> None:
    row = overall(_several([1000, 1050, 950], [1100, 1150, 1050]), RATE)
    expected = stats.unpaired(
        "new", "old", *(dict(enumerate(means)) for means in _means([1100, 1150, 1050], [1000, 1050, 950]))
    )
    assert (row.ratio.ratio, row.ratio.low) == pytest.approx((known(expected).ratio, known(expected).low), rel=1e-6)
    assert row.ratio.blocks == 3


def _means(*pair: Sequence[int]) -> list[list[float]]:
    return [[geometric_mean([n + rate - 1000 for n in CALM]) for rate in version] for version in pair]


def test_runs_of_one_day_are_one_value_their_mean() -> None:
    old, new = [1000, 1100, 950, 960, 1040, 1020], [900, 950, 850, 900, 940, 960]
    row = overall(_several(old, new, hours=8), RATE)
    assert (row.ratio.blocks, row.ratio.low, changes.outcome(row)) == (1, None, "too few days")
    # Two runs of each of three days.
    pairs = [[[version[at], version[at + 1]] for at in (0, 2, 4)] for version in (old, new)]
    pair = [
        [
            run_of(*samples("crax", [n + rate - 1000 for n in CALM]), hours=24 * day + place)
            for day, rates in enumerate(version)
            for place, rate in enumerate(rates)
        ]
        for version in pairs
    ]
    row = overall(candidate.compare(*baseline.of_several(*pair)), RATE)
    before, after = (
        [geometric_mean(day) for day in zip(*[iter(means)] * 2, strict=True)] for means in _means(old, new)
    )
    expected = known(stats.unpaired("new", "old", dict(enumerate(after)), dict(enumerate(before))))
    assert row.ratio.blocks == 3
    assert (row.ratio.ratio, row.ratio.low) == pytest.approx((expected.ratio, expected.low), rel=1e-6)


def test_of_several_runs_the_table_counts_days() -> None:
    head, _, first, *_ = _table(_several([1000, 1010], [1000, 1010, 990])).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, first)]
    assert dict(zip(*cells, strict=True)) | {"days": "2", "outcome": "too few days"} == dict(zip(*cells, strict=True))


def test_a_rate_that_wrk_limited_in_one_of_several_runs_has_no_ratio() -> None:
    old = [run_of(*samples("crax", CALM)) for _ in range(3)]
    new = [*old[1:], run_of(*_limited(samples("crax", CALM)))]
    found = candidate.compare(*baseline.of_several(old, new))
    assert {row.metric for row in found.rows} == {PER_CPU}
    assert changes.uncompared(found) == "requests/s of crax json at 16 (wrk was the limit)"


def _row(ratio: stats.Ratio, *others: stats.Ratio) -> candidate.Row:
    return candidate.Row("crax", "json", ALL_LEVELS, RATE, comparison.decide([ratio, *others], Better.HIGHER)[0])


def test_an_equal_ratio_shows_the_interval_that_decided_it() -> None:
    equal = _row(stats.tested("new", "old", 0.0, 0.032, 6, 5))
    assert equal.pair.outcome is Outcome.EQUAL
    assert known(equal.ratio.low) < 1 / 1.03
    assert outcomes.ratio(equal.pair) == "1.000 [0.974–1.027] (90 %)"


def test_what_only_the_number_of_comparisons_leaves_open_is_called_unclear_among_them() -> None:
    near = stats.tested("new", "old", -0.03, 0.025, 6, 5)
    others = [stats.tested("new", "old", 0.0, 0.1, 6, 5)] * 4
    row = _row(near, *others)
    assert (outcomes.interval(row.pair), changes.outcome(row)) == (" [0.945–0.996]", "unclear among 5 comparisons")


@pytest.mark.parametrize(
    ("log_ratio", "figures"),
    [(-0.0001, "0.9999 [0.9999–0.9999]"), (0.0004, "1.0004 [1.0004–1.0004]"), (-0.002, "0.998 [0.998–0.998]")],
)
def test_rounding_moves_no_figure_to_1_that_is_not(log_ratio: float, figures: str) -> None:
    assert outcomes.ratio(_row(stats.tested("new", "old", log_ratio, 1e-6, 6, 5)).pair) == figures


def test_versions_without_a_block_in_common_have_a_ratio_without_an_interval() -> None:
    row = overall(compared(run_of(*samples(OLD, CALM)[:3], *samples(NEW, [500] * 6)[3:])), RATE)
    assert row.ratio.ratio == pytest.approx(0.5, rel=0.01)
    assert (row.ratio.low, row.ratio.blocks) == (None, 0)


def test_what_failed_in_some_blocks_is_untold_though_others_have_samples() -> None:
    run = run_of(*samples(OLD, CALM), *samples(NEW, CALM[:2]), failed=failures(NEW, [3, 4, 5, 6]))
    assert changes.uncompared(compared(run)) == "crax json at 16 (samples that failed: 4 in new)"


def test_what_failed_on_both_sides_is_untold_though_neither_has_samples() -> None:
    failed = [*failures(OLD, [1, 2], "plaintext", 256), *failures(NEW, [1], "plaintext", 256)]
    run = run_of(*samples(OLD, CALM), *samples(NEW, CALM), failed=failed)
    assert changes.uncompared(compared(run)) == "crax plaintext at 256 (samples that failed: 2 in old, 1 in new)"


def test_the_levels_of_an_entry_s_test_that_could_not_be_compared_are_told_together() -> None:
    failed = [failure for level in (32, 128) for failure in failures(NEW, [1], "json", level)]
    run = run_of(*samples(OLD, CALM), *samples(NEW, CALM), failed=failed)
    assert changes.uncompared(compared(run)) == "crax json at 32 and 128 (samples that failed: 1 in new)"


def test_what_failed_altogether_is_told_once() -> None:
    taken = (*samples(OLD, CALM), *samples(OLD, CALM, level=32), *samples(NEW, CALM))
    run = run_of(*taken, failed=failures(NEW, range(1, 7), level=32))
    assert changes.uncompared(compared(run)) == "crax json at 32 (samples that failed: 6 in new)"


def test_what_only_one_version_has_samples_of_is_untold() -> None:
    run = run_of(*samples(OLD, CALM), *samples(OLD, CALM, test="plaintext", level=256), *samples(NEW, CALM))
    assert changes.uncompared(compared(run)) == "crax plaintext at 256 (only old has samples)"


def test_an_entry_that_only_the_older_run_has_is_untold() -> None:
    old = run_of(*samples("crax", CALM), *samples("aiohttp", CALM))
    assert (
        changes.uncompared(_against(old, run_of(*samples("crax", CALM)))) == "aiohttp json at 16 (only old has samples)"
    )


def test_what_the_older_run_was_to_have_and_never_tried_is_untold() -> None:
    new = run_of(*samples("crax", CALM), *samples("crax", CALM, level=32))
    assert changes.uncompared(_against(run_of(*samples("crax", CALM)), new)) == "crax json at 32 (only new has samples)"


def test_what_only_the_newer_run_was_to_have_is_no_doubt_about_the_rest_even_where_it_failed() -> None:
    old = run_of(*samples("crax", CALM))
    only_json = replace(old.manifest.settings, levels={"json": (16,)})
    new = run_of(
        *samples("crax", CALM),
        *samples("crax", CALM, level=32),
        *samples("crax", CALM, test="plaintext", level=256),
        *samples("aiohttp", CALM),
        failed=[*failures("aiohttp", [1], level=32), *failures("crax", [1], level=128)],
    )
    assert _against(replace(old, manifest=replace(old.manifest, settings=only_json)), new).uncompared == ()


@pytest.mark.parametrize("limited", [OLD, NEW])
def test_a_rate_that_wrk_limited_on_either_side_is_untold_and_has_no_ratio(limited: str) -> None:
    taken = {name: samples(name, CALM) for name in (OLD, NEW)}
    taken[limited] = _limited(taken[limited])
    found = compared(run_of(*taken[OLD], *taken[NEW]))
    assert changes.uncompared(found) == "requests/s of crax json at 16 (wrk was the limit)"
    assert {row.metric for row in found.rows} == {PER_CPU}


@pytest.mark.parametrize(("blind", "told"), [(OLD, "new"), (NEW, "old")])
def test_cpu_time_that_one_side_alone_tells_is_untold(blind: str, told: str) -> None:
    taken = {name: (*samples(name, CALM), *samples(name, CALM, level=32)) for name in (OLD, NEW)}
    taken[blind] = (*taken[blind][:6], *_blind(taken[blind][6:]))
    found = compared(run_of(*taken[OLD], *taken[NEW]))
    assert changes.uncompared(found) == f"requests/CPU-s of crax json at 32 (only {told} has a value)"
    assert overall(found, PER_CPU).ratio.blocks == 6


def test_where_the_host_tells_no_cpu_time_at_all_the_rate_is_what_is_compared() -> None:
    found = compared(run_of(*_blind(samples(OLD, CALM)), *_blind(samples(NEW, CALM))))
    assert ({row.metric for row in found.rows}, found.uncompared) == ({RATE}, ())


def test_where_one_version_alone_filled_the_host_requests_per_cpu_second_are_not_compared() -> None:
    full = tuple(replace(sample, counters=full_host()) for sample in samples(OLD, CALM))
    found = compared(run_of(*full, *samples(NEW, CALM)))
    assert {row.metric for row in found.rows} == {RATE}
    assert changes.uncompared(found) == "requests/CPU-s of crax json at 16 (only old filled the host)"
    assert compared(run_of(*full, *(replace(s, trial=replace(s.trial, entry=NEW)) for s in full))).uncompared == ()


def test_of_sides_that_lost_different_levels_the_one_that_both_have_most_of_is_compared() -> None:
    new: list[Blocks] = [{1: 2.0, 2: 2.0, 3: 2.0, 4: 2.0}, {1: 2.0}]
    old: list[Blocks] = [{1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0}]
    found = candidate.unpaired(numbered(new), numbered(old))
    assert (found.over, found.blocks, found.ratio) == ((at(1),), 2, 2.0)
