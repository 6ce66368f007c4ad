"""The metrics, and that one of which lower is better comes out right in all that is made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchlab.experiment import profiles
from benchlab.load import closed, registry
from benchlab.load.metrics import PER_CPU, RATE, Better, Measures, Metric, Parts
from benchlab.records.run import Run, Sample
from benchlab.report import changes, charts, gate, plots, sentences, tables
from benchlab.statistics import analysis, candidate, comparison, regression, stats
from benchlab.statistics.analysis import ALL_LEVELS, Result
from benchlab.statistics.baseline import Design
from benchlab.statistics.candidate import Row, RowKey
from benchlab.statistics.cells import by_block
from benchlab.statistics.comparison import Outcome, Rank
from benchlab.statistics.pooling import Cells
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED
from benchlab.statistics.stats import Ratio

from .conftest import make_load, make_sample, make_trial
from .made_runs import full_host, manifest_of
from .values import at, cells, known

P99 = Metric(
    name="p99, ms",
    long_name="p99 latencies",
    key="latency_p99_ms",
    unit="ms",
    better=Better.LOWER,
    parts=lambda sample: Parts(sample.load.latency.p99_us / 1000, 1),
    form="{:,.2f}",
)
LATENCY = Measures(ranked_by=P99, beside=(RATE,))
CALM = (0.0, 0.002, -0.002, 0.001, -0.001)


def _sample(entry: str, block: int, p99_ms: float, level: int) -> Sample:
    load = make_load(1000 + block)
    latency = replace(load.latency, p99_us=1000 * p99_ms)
    return make_sample(make_trial(block, entry, "json", level), replace(load, latency=latency))


def _run(entries: dict[str, dict[int, float]]) -> Run:
    """Return a run of entries whose p99 in ms at each level is about this in every block."""
    samples = [
        _sample(entry, block, p99_ms * math.exp(CALM[(block + place) % 5]), level)
        for place, (entry, levels) in enumerate(entries.items())
        for level, p99_ms in levels.items()
        for block in range(1, 6)
    ]
    return Run(manifest_of(list(entries), 5, *next(iter(entries.values()))), tuple(samples), ())


def _result(**entries: float) -> Result:
    (result,) = analysis.results(_run({name: {16: p99_ms} for name, p99_ms in entries.items()}), LATENCY)
    return result


def test_each_metric_has_a_name_and_a_key_of_its_own() -> None:
    every = closed.MEASURES.every
    assert len({metric.name for metric in every}) == len({metric.key for metric in every}) == len(every) == 3
    assert (closed.MEASURES.ranking, closed.MEASURES.compared) == ((RATE, PER_CPU), (RATE, PER_CPU))
    assert registry.measures(_run({"a": {16: 1.0}}).manifest) == closed.MEASURES


def test_a_block_s_value_is_the_sum_of_its_rounds_over_that_of_their_denominators() -> None:
    trial, loads = make_trial(1, "a", "json", 16), [make_load(requests) for requests in (1000, 4000, 10)]
    # The last one stalled: it lasted as long as the others, so it weighs as much, however few its requests are.
    rounds = [
        make_sample(replace(trial, repeat=number), replace(load, duration_us=300_000))
        for number, load in enumerate(loads, start=1)
    ]
    assert dict(by_block(rounds, RATE)) == {1: pytest.approx(5010 / 0.9)}


def test_a_slice_of_which_a_metric_is_not_known_is_in_none_of_its_sums() -> None:
    trial = make_trial(1, "a", "json", 16)
    whole, unknown, silent = (
        make_sample(replace(trial, repeat=number), make_load(requests))
        for number, requests in enumerate((1000, 500, 0), start=1)
    )
    unknown = replace(unknown, counters=replace(unknown.counters, roles={}))
    assert dict(by_block([whole, unknown], PER_CPU)) == {1: pytest.approx(known(PER_CPU.read(whole)))}
    assert dict(by_block([whole, unknown], RATE)) == {1: pytest.approx(750)}
    assert dict(by_block([whole, silent], RATE)) == {1: pytest.approx(500)}
    assert dict(by_block([silent], RATE)) == {}


def test_the_lower_value_is_faster_ranks_first_and_leads() -> None:
    slow_in_name_order: Cells = cells(np.array([CALM, CALM, CALM])[[0, 1, 2]] + np.log([[3.0], [2.0], [1.0]]))
    found = comparison.compare(slow_in_name_order, Better.LOWER)
    assert {
        pair.ratio.first + pair.ratio.second: (pair.outcome, round(pair.ratio.ratio, 3)) for pair in found.pairs
    } == {
        "ab": (Outcome.SLOWER, 1.5),
        "ac": (Outcome.SLOWER, 3.0),
        "bc": (Outcome.SLOWER, 2.0),
    }
    assert found.leader == "c"
    assert [(each.entry, each.rank, round(each.relative or 0, 3)) for each in comparison.standings(found)] == [
        ("c", Rank(1, 1), 1.0),
        ("b", Rank(2, 2), 2.0),
        ("a", Rank(3, 3), 3.0),
    ]


def test_what_is_better_changes_neither_ratio_nor_p_and_turns_the_outcome() -> None:
    ratios = stats.ratios_at(cells(np.array([CALM, CALM[::-1]]) + np.log([[1.5], [1.0]])))
    higher, lower = (comparison.decide(ratios, better)[0] for better in Better)
    assert replace(lower, outcome=higher.outcome) == higher
    assert (higher.outcome, lower.outcome) == (Outcome.FASTER, Outcome.SLOWER)
    assert lower.inverse.outcome is Outcome.FASTER
    assert comparison.decide_together([(ratios[0], better) for better in Better])[1].outcome is Outcome.SLOWER


def test_equal_entries_are_equal_whatever_is_better() -> None:
    ratios = stats.ratios_at(cells(np.array([CALM, CALM[::-1]])))
    assert {comparison.decide(ratios, better)[0].outcome for better in Better} == {Outcome.EQUAL}


def test_entries_with_one_rank_stand_in_ascending_order() -> None:
    noise = np.random.default_rng(5).normal(0, 0.3, (3, 5))
    found = comparison.compare(cells(noise + np.log([[1.1], [1.0], [1.05]])), Better.LOWER)
    rest = [standing.relative or 0.0 for standing in comparison.standings(found)]
    assert {standing.rank for standing in comparison.standings(found)} == {Rank(1, 3)}
    assert rest[0] == 1.0
    assert rest[1:] == sorted(rest[1:])


def test_a_result_is_ranked_by_the_metric_of_its_load_model() -> None:
    result = _result(slow=4.0, quick=2.0)
    assert (result.basis, result.overall.better, result.is_host_full) == (P99, Better.LOWER, False)
    assert [standing.entry for standing in result.standings] == ["quick", "slow"]
    (pair,) = result.overall.pairs
    assert (pair.ratio.first, pair.ratio.second, round(pair.ratio.ratio, 2)) == ("quick", "slow", 0.5)
    # Of the metrics compared beside it, none ranks.
    assert list(result.compared) == [P99, RATE]


def test_the_tables_show_ratios_as_they_are_and_the_lowest_first() -> None:
    result = _result(slow=4.0, quick=2.0)
    summary = tables.summary(result)
    assert summary["entry"].tolist() == ["quick", "slow"]
    assert summary["rank"].tolist() == ["1", "2"]
    assert summary["relative p99, ms"].tolist()[0] == "1.000"
    assert summary["relative p99, ms"].tolist()[1].startswith("2.0")
    assert summary["p99, ms"].tolist()[0].startswith("2.00 [")
    rows = tables.ratios(result)
    headline = rows[(rows["level"] == "all") & (rows["metric"] == "p99, ms")].iloc[0]
    assert (headline["pair"], headline["ratio"][:3], headline["outcome"]) == ("quick / slow", "0.5", "faster")
    assert set(rows[rows["metric"] == RATE.name]["outcome"]) == {"–"}


def test_the_answer_says_that_the_leader_has_less() -> None:
    told = sentences.conclusion(_result(slow=2.2, quick=2.0))
    assert told.startswith("quick leads: it has 9.")
    assert "% lower p99 latencies than slow [-9." in told
    assert sentences.conclusion(_result(slow=4.0, quick=2.0)).startswith(
        "quick leads: it has 0.50 times the p99 latencies of slow"
    )
    assert sentences.conclusion(_result(a=2.0, b=2.0)).startswith(
        "a and b are equal: their p99 latencies lie within 3% of each other"
    )


def test_levels_that_contradict_the_whole_are_told_where_lower_is_better() -> None:
    run = _run({"a": {16: 1.0, 32: 1.0, 128: 1.3}, "b": {16: 2.0, 32: 2.0, 128: 1.0}})
    (result,) = analysis.results(run, LATENCY)
    told = sentences.conclusion(result)
    assert told.startswith("a leads: it has ")
    assert " Levels disagree: a / b is 1.3" in told
    assert told.count(" at ") == 1
    assert " at 128." in told


def _ratio(log_ratio: float, stdev: float = 0.01, blocks: int = 6) -> Ratio:
    return stats.tested("new", "old", log_ratio, stdev, blocks, blocks - 1)


def _rows(*found: tuple[Metric, float, float], design: Design = Design.VERSIONS) -> tuple[Row, ...]:
    """Return the rows over all levels of these metrics, with logarithm and spread of new to old."""
    return candidate.judged(
        [
            (RowKey("crax", f"t{n}", ALL_LEVELS, metric), _ratio(log, stdev))
            for n, (metric, log, stdev) in enumerate(found)
        ],
        design,
    )


def test_the_worst_ratio_comes_first_whichever_way_it_goes() -> None:
    rows = _rows((P99, 0.1, 0.01), (RATE, 0.2, 0.01), (P99, -0.3, 0.01), (RATE, -0.2, 0.01))
    assert [(row.metric, changes.outcome(row), round(math.log(row.ratio.ratio), 1)) for row in rows] == [
        (RATE, "slower", -0.2),
        (P99, "slower", 0.1),
        (RATE, "faster", 0.2),
        (P99, "faster", -0.3),
    ]


def test_a_change_is_told_as_it_went_and_judged_by_what_is_better() -> None:
    rows = _rows((P99, 0.1, 0.01), (P99, -0.1, 0.01), (P99, 0.0, 0.01))
    assert [told.split(": ")[1] for told in changes.changes(rows)] == [
        "p99 latencies went up",
        "p99 latencies are within 3% of what they were",
        "p99 latencies went down",
    ]
    assert changes.frame(rows)[["metric", "outcome"]].to_numpy().tolist() == [
        ["p99, ms", "slower"],
        ["p99, ms", "equal"],
        ["p99, ms", "faster"],
    ]
    apart = _rows((P99, 0.1, 0.01), (P99, -0.1, 0.01), design=Design.TWO_RUNS)
    assert [changes.outcome(row) for row in apart] == ["higher", "lower"]
    assert [told.split(": ")[1] for told in changes.changes(apart)] == [
        "p99 latencies were higher in the new run",
        "p99 latencies were lower in the new run",
    ]


@pytest.mark.parametrize(
    ("log_ratio", "stdev", "exit_code", "reason"),
    [
        pytest.param(0.1, 0.01, REGRESSION, "slower: crax t0 p99, ms 1.105 [1.", id="higher by more than the margin"),
        pytest.param(-0.1, 0.01, NO_REGRESSION, "below 1.03 of what it was (the highest 95 % interval", id="lower"),
        pytest.param(0.01, 0.002, NO_REGRESSION, "interval ends at 1.0", id="higher by less than the margin"),
        pytest.param(0.0, 0.1, UNDECIDED, "it would take about", id="noisy"),
        pytest.param(0.05, 0.2, UNDECIDED, "the estimate itself lies above the limit", id="noisy and higher"),
    ],
)
def test_the_gate_s_limit_is_above_1_where_lower_is_better(
    log_ratio: float, stdev: float, exit_code: int, reason: str
) -> None:
    answer = regression.gate(_rows((P99, log_ratio, stdev)), 0.03)
    assert (answer.exit_code, reason in gate.reason(answer)) == (exit_code, True), gate.reason(answer)


def test_the_gate_holds_each_metric_against_a_limit_of_its_own() -> None:
    calm = ((RATE, 0.0, 0.001), (P99, 0.0, 0.001))
    passed = regression.gate(_rows(*calm), 0.03)
    assert passed.exit_code == NO_REGRESSION
    assert "is above 0.97 of what it was (the lowest 95 % interval begins at 0.99" in gate.reason(passed)
    assert (
        "and where lower is better, below 1.03 of what it was (the highest 95 % interval ends at 1.00"
        in gate.reason(passed)
    )
    assert regression.gate(_rows(*calm, (P99, 0.1, 0.001)), 0.03).exit_code == REGRESSION
    assert regression.gate(_rows(*calm, (RATE, -0.1, 0.001)), 0.03).exit_code == REGRESSION
    assert regression.gate(_rows(*calm, (P99, -0.1, 0.001), (RATE, 0.1, 0.001)), 0.03).exit_code == NO_REGRESSION


def test_a_single_level_is_slower_where_its_whole_interval_lies_above_the_limit() -> None:
    def rows(logs: Sequence[float]) -> tuple[Row, ...]:
        levels = [
            (RowKey("crax", "json", level, P99), _ratio(log, 0.003))
            for level, log in zip((at(16), at(32)), logs, strict=True)
        ]
        overall = replace(_ratio(0.0, 0.003), over=(at(16), at(32)))
        return candidate.judged([*levels, (RowKey("crax", "json", ALL_LEVELS, P99), overall)], Design.VERSIONS)

    shown = regression.gate(rows((0.1, -0.1)), 0.03)
    assert (shown.exit_code, "crax json at 16 p99, ms 1.105" in gate.reason(shown)) == (REGRESSION, True)
    assert "at 32" not in gate.reason(shown)
    assert regression.gate(rows((0.01, -0.01)), 0.03).exit_code == NO_REGRESSION


def test_the_blocks_that_a_gate_asks_for_are_the_same_for_a_mirrored_ratio() -> None:
    # ln 1.03 above 1 and ln 1/1.03 below it are equally far away.
    higher = gate.reason(regression.gate(_rows((RATE, 0.0, 0.1)), 1 - 1 / 1.03))
    lower = gate.reason(regression.gate(_rows((P99, 0.0, 0.1)), 0.03))
    blocks = [reason.partition("about ")[2].partition(" block")[0] for reason in (higher, lower)]
    assert blocks[0] == blocks[1] != ""


def test_each_profile_has_a_load_model() -> None:
    assert {profile.load for profile in profiles.PROFILES.values()} <= set(registry.MODELS)


def test_the_page_says_on_which_side_the_better_ratios_are() -> None:
    assert sentences.better_direction([Better.HIGHER, Better.HIGHER]) == "Further right is better"
    assert sentences.better_direction([Better.LOWER]) == "Further left is better"
    assert sentences.better_direction(Better) == "Further left is better, or further right where higher is better"
    axis = plots.overall([_result(slow=4.0, quick=2.0)], charts.looks(["slow", "quick"])).layout["xaxis"]
    assert axis["range"][0] < 0 < math.log10(2) < axis["range"][1]


def test_without_a_metric_of_full_hosts_the_usual_one_ranks_there_too() -> None:
    run = _run({"slow": {16: 4.0}, "quick": {16: 2.0}})
    full = replace(run, taken=tuple(replace(sample, counters=full_host()) for sample in run.taken))
    (result,) = analysis.results(full, LATENCY)
    assert (result.basis, result.is_host_full, result.decided_levels[at(16)].better) == (P99, False, Better.LOWER)
    (result,) = analysis.results(full, replace(LATENCY, on_full_host=PER_CPU))
    assert (result.basis, result.is_host_full) == (PER_CPU, True)
