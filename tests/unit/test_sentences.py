from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from benchlab.load.metrics import PER_CPU, RATE, Better, Metric
from benchlab.records.counters import Counters
from benchlab.records.facts import Facts
from benchlab.records.run import GOOD, INVALID, SUSPECT, Failure, Run, Verdict
from benchlab.report import changes, outcomes, sentences, tables
from benchlab.statistics import analysis, stats
from benchlab.statistics.analysis import ALL_LEVELS, Over
from benchlab.statistics.baseline import Design
from benchlab.statistics.candidate import Row
from benchlab.statistics.comparison import decide
from benchlab.statistics.stats import Ratio

from .conftest import STARTED, make_counters, make_load, make_sample, make_trial, older, versions
from .made_runs import Rates, busy_client, crowded_host, full_host, make_run, result_of, run_of, with_samples
from .values import at, known


def _answer(rates: Rates) -> str:
    return sentences.conclusion(result_of(make_run(rates)))


def test_the_answer_says_who_leads_by_how_much() -> None:
    told = _answer({"slow": [1000, 1010, 990], "fast": [2000, 2010, 2020]})
    assert told == "fast leads: it has 2.01 times the requests per second of slow [1.95–2.08]."


def test_a_small_lead_is_told_in_per_cent() -> None:
    told = _answer({"slow": [1000, 1010, 990], "fast": [1100, 1110, 1090]})
    assert told == "fast leads: it has 10.0% more requests per second than slow [+9.8% to +10.2%]."


def test_of_several_behind_the_next_and_the_last_are_told() -> None:
    told = _answer({"a": [4000, 4010, 4000], "b": [2000, 2010, 2000], "c": [1500, 1500, 1510], "d": [1000, 1000, 1010]})
    assert told == (
        "a leads: it has 2.00 times the requests per second of b [1.99–2.01], and 3.99 times the requests per second "
        "of d [3.93–4.06], the last."
    )


NOISE = (-0.004, 0.006, -0.001, 0.002, -0.003)


def _levels(
    rates: Mapping[str, Mapping[int, float]], counters: Mapping[tuple[str, int], Counters] | None = None
) -> Run:
    """Return five blocks of json in which each entry has a rate at each level, with a little noise."""
    samples = [
        replace(
            make_sample(make_trial(block, entry, "json", level), make_load(round(rate * (1 + noise)))),
            counters=(counters or {}).get((entry, level), make_counters()),
        )
        for number, (entry, levels) in enumerate(rates.items())
        for level, rate in levels.items()
        for block, noise in enumerate(NOISE[number:] + NOISE[:number], start=1)
    ]
    return run_of(make_run({}).manifest, *samples)


def test_a_lead_that_some_levels_contradict_says_so_and_what_they_say() -> None:
    run = _levels({"a": {16: 12000, 32: 12000, 128: 9000}, "b": {16: 10000, 32: 10000, 128: 10000}})
    assert sentences.conclusion(result_of(run)) == (
        "a leads: it has 9.0% more requests per second than b [+8.1% to +9.9%]. Levels disagree: a / b is 0.900 "
        "[0.892–0.908] at 128."
    )


def test_entries_that_are_equal_over_all_levels_are_said_to_differ_at_single_ones() -> None:
    run = _levels({"a": {16: 12000, 128: 10000}, "b": {16: 10000, 128: 12000}})
    told = sentences.conclusion(result_of(run))
    assert told.startswith(
        "a and b are equal: their requests per second lie within 3% of each other. Levels disagree: "
    )
    assert re.search(r": a / b is 1\.2\d\d \[[\d.–]+\] at 16 and 0\.8\d\d \[[\d.–]+\] at 128\.$", told)


def test_of_all_that_are_behind_those_that_are_faster_at_a_level_are_named() -> None:
    rates = {"a": (12000, 9000), "b": (11000, 8800), "c": (8000, 9500), "d": (7000, 8000)}
    run = _levels({entry: dict(zip((16, 128), of, strict=True)) for entry, of in rates.items()})
    told = sentences.conclusion(result_of(run))
    assert told.startswith("a leads: it has ")
    assert re.search(r", the last\. Levels disagree: a / c is 0\.9\d\d \[[\d.–]+\] at 128\.$", told)


def test_an_entry_alone_on_a_host_that_some_of_its_rows_filled_is_not_said_to_have_a_rank() -> None:
    result = result_of(_levels({"a": {16: 4000, 32: 4000}}, {("a", 16): full_host()}))
    assert sentences.conclusion(result) == "There is nothing to compare a with."
    assert list(tables.summary(result)["rank"]) == ["–"]


def test_ratios_that_have_no_outcome_are_told_with_the_interval_of_the_table() -> None:
    result = result_of(_levels({"a": {16: 2010}, "b": {16: 2000}}, {("a", 16): full_host()}))
    rows = tables.ratios(result)
    of_rates = rows[(rows["metric"] == RATE.name) & (rows["level"] == "all")].iloc[0]
    told = f"a / b is {of_rates['ratio']} {of_rates['95 % interval']} in requests per second and"
    assert told in sentences.conclusion(result)
    assert "(90 %)" not in sentences.conclusion(result)


def test_comparisons_that_have_too_few_blocks_are_not_counted_among_those_corrected_together() -> None:
    run = make_run({"a": [2000, 2010, 2020], "b": [1000, 1010, 990], "c": [500, 505]})
    assert "(Holm, over 1 comparison of all tests)" in tables.chance(analysis.analyse(run))
    few = analysis.analyse(make_run({"a": [2000, 2010], "b": [1000, 1010]}))
    assert tables.chance(few) == ""


def test_of_many_that_a_level_contradicts_the_rest_are_counted() -> None:
    behind = {f"e{number}": {16: 10000 - 10 * number, 128: 10500} for number in range(6)}
    told = sentences.conclusion(result_of(_levels({"a": {16: 20000, 128: 9000}, **behind})))
    assert re.search(r" Levels disagree: (?:a / e\d is 0\.8\d\d \[[\d.–]+\] at 128; ){4}and 2 more\.$", told)


def test_a_level_that_noise_alone_puts_on_the_other_side_contradicts_no_lead() -> None:
    run = _levels({"a": {16: 12000, 32: 12000, 128: 9990}, "b": {16: 10000, 32: 10000, 128: 10000}})
    assert "Levels disagree" not in sentences.conclusion(result_of(run))


def test_levels_that_cancel_out_are_told_though_none_is_decided() -> None:
    rates = {"a": [1300, 900, 1250, 1500], "b": [1000, 1000, 1010, 990]}
    slow = {"a": [700, 1100, 800, 650], "b": [1000, 1000, 1010, 990]}
    samples = [
        make_sample(make_trial(block, entry, "json", level), make_load(rate))
        for level, of in ((16, rates), (128, slow))
        for entry, blocks in of.items()
        for block, rate in enumerate(blocks, start=1)
    ]
    told = sentences.conclusion(result_of(run_of(make_run({}).manifest, *samples)))
    assert re.search(
        r"cannot be told apart: .* Levels disagree: b / a is 0\.\d+ \[.*\] at 16 and 1\.\d+ \[.*\] at 128\.$", told
    )


def test_nobody_is_the_last_whom_the_ranks_do_not_call_so() -> None:
    # Over what each shares with a, c is farther behind than b; but c has one level only, and is ahead of b there.
    run = _levels({"a": {16: 10000, 128: 10000}, "b": {16: 10500, 128: 8000}, "c": {128: 8500}})
    result = result_of(run)
    assert {standing.entry: str(standing.rank) for standing in result.standings} == {"a": "1", "c": "2", "b": "3"}
    assert list(tables.summary(result)["entry"]) == ["a", "c", "b"]
    told = sentences.conclusion(result)
    assert re.search(
        r"than c \[.*\] at 128 alone, and \d\.\d% more requests per second than b \[.*\], the last\.", told
    )


def test_an_entry_that_only_the_correction_ties_with_the_leader_is_marked_in_the_summary() -> None:
    rates = {"a": [1100, 1120, 1060, 1110], "b": [1000, 1050, 1030, 1040], "c": [1060, 1000, 1100, 1010]}
    rows = tables.summary(result_of(make_run(rates)))
    assert [cell for cell in rows["relative requests/s"] if "unclear among 3 comparisons" in cell]


@pytest.mark.parametrize(("share", "told"), [(0.0334, "3.3%"), (0.0003, "0.03%"), (-0.00002, "-0.002%"), (0.0, "0.0%")])
def test_a_share_that_is_not_0_does_not_look_like_it(share: float, told: str) -> None:
    assert sentences._share(share) == told


def test_a_lead_over_fewer_levels_than_were_asked_for_says_which() -> None:
    run = _levels({"a": {16: 2000, 32: 2000, 128: 2000}, "b": {16: 1000, 32: 1000}})
    assert re.fullmatch(
        r"a leads: it has 2\.00 times the requests per second of b \[[\d.–]+\] over all levels but 128\.",
        sentences.conclusion(result_of(run)),
    )
    alone = _levels({"a": {16: 2000, 32: 2000, 128: 2000}, "b": {16: 1000}})
    assert sentences.conclusion(result_of(alone)).endswith(" at 16 alone.")


def test_where_some_rows_filled_the_host_and_others_did_not_nobody_leads_and_both_ratios_are_told() -> None:
    # Equal cost, but a CPU-second of the full host is worth less: b would lead by 40 %.
    full = {("a", 16): full_host()}
    result = result_of(_levels({"a": {16: 4000}, "b": {16: 2000}}, full))
    told = sentences.conclusion(result)
    assert told.startswith(
        "Nobody leads: some rows filled the host and others did not, so neither requests per second nor requests per "
        "CPU-second are comparable over all levels. a / b is 2.0"
    )
    assert re.search(r" in requests per second and [\d.]+ \[[\d.–]+\] in requests per CPU-second\.$", told)
    assert list(tables.summary(result)["rank"]) == ["–", "–"]
    assert set(tables.ratios(result)["outcome"]) == {"–"}
    assert "ranks" not in sentences.limits(result)


def test_of_a_group_with_a_pair_told_apart_only_the_pairs_with_the_leader_are_claimed() -> None:
    # b and c are told apart; a is too noisy for either.
    rates = {"a": [1060, 1000, 1130, 1080, 990, 1100], "b": [1050, 1060, 1055, 1050, 1060, 1052]}
    assert _answer({**rates, "c": [1000, 1010, 1004, 1000, 1009, 1002]}) == (
        "b and c cannot be told apart from a: a has 5.4% more requests per second than c [-0.6% to +11.8%], the last "
        "of them."
    )


def test_an_entry_without_a_block_in_common_with_the_leader_is_said_to_have_none() -> None:
    run = make_run({"a": [2000, 2010, 2020, 2000], "b": [1000, 1010, 990, 1005]})
    late = [make_sample(make_trial(block, "c", "json", 16), make_load(500)) for block in (5, 6)]
    manifest = make_run({"a": [1] * 6, "b": [], "c": []}).manifest
    told = sentences.conclusion(result_of(replace(with_samples(run, *late), manifest=manifest)))
    assert re.fullmatch(r"a is ahead of b: it has 2\.\d\d times .*\. a has no block in common with c\.", told)


def test_two_blocks_lead_nobody() -> None:
    assert _answer({"a": [2000, 2010], "b": [1000, 1010]}) == (
        "2 blocks are too few to tell a and b apart: a has 2.00 times the requests per second of b [1.93–2.06]."
    )
    run = make_run({"a": [2000, 2010], "b": [1000, 1010]})
    assert list(sentences.warnings(run, analysis.analyse(run))) == [
        "2 blocks are too few to rank entries: it takes 3 to call anything faster or equal."
    ]


def test_headlines_of_all_tests_are_corrected_together() -> None:
    # Alone each test has a leader; of four such, chance makes one too often.
    one = make_run({"a": [1110, 1150, 1080, 1120], "b": [1000, 1100, 1030, 1090]})
    tests = ("db", "fortune", "json", "plaintext")
    many = tuple(replace(s, trial=replace(s.trial, test=test)) for test in tests for s in one.taken)
    settings = replace(one.manifest.settings, levels=dict.fromkeys(tests, (16,)))
    run = replace(one, manifest=replace(one.manifest, settings=settings), taken=many)
    (alone,) = result_of(one).overall.pairs
    assert 0.0125 < known(alone.ratio.p) < 0.05
    assert alone.outcome.value == "faster"
    for result in analysis.analyse(run):
        (pair,) = result.overall.pairs
        assert (outcomes.outcome(pair), pair.among) == ("unclear among 4 comparisons", 4)
        assert "among 4 pairs chance alone can produce such a gap" in sentences.conclusion(result)


def test_what_cannot_be_told_apart_is_said_with_ratio_and_interval() -> None:
    told = _answer({"a": [1000, 1300, 900, 1150], "b": [1100, 1000, 1050, 1020]})
    assert told == "a and b cannot be told apart: a has 3.4% more requests per second than b [-23.9% to +40.5%]."


def test_of_several_that_cannot_be_told_apart_the_widest_gap_is_told() -> None:
    told = _answer({"a": [1000, 1300, 900, 1150], "b": [1100, 1000, 1050, 1020], "c": [900, 1100, 1200, 800]})
    assert told == (
        "a, b and c cannot be told apart: a has 1.09 times the requests per second of c [0.71–1.68], the last of them."
    )


def test_a_gap_that_would_stand_out_alone_is_called_chance_among_many_pairs() -> None:
    rates = {"a": [1100, 1120, 1060, 1110], "b": [1000, 1050, 1030, 1040], "c": [1060, 1000, 1100, 1010]}
    assert _answer({**rates, "d": [1050, 1090, 1000, 1070]}).startswith(
        "a, c and b cannot be told apart: a has 6.5% more requests per second than b [+2.0% to +11.3%], the last of "
        "them; among 6 pairs chance alone can produce such a gap. a is ahead of d: "
    )


def test_of_two_that_share_one_block_it_is_said_why_there_is_no_interval() -> None:
    assert _answer({"a": [2000], "b": [1000]}) == (
        "a and b cannot be told apart: a has 2.00 times the requests per second of b; only one block has both, so "
        "the spread is unknown."
    )


def test_an_interval_too_wide_for_per_cent_is_told_in_times() -> None:
    told = _answer({"a": [1000, 1200, 1100], "b": [900, 1400, 800]})
    assert "1.09 times the requests per second of b [0.61–1.97]" in told


def test_an_interval_that_tells_not_even_the_order_of_magnitude_is_called_too_wide() -> None:
    told = _answer({"a": [1000, 3000], "b": [1500, 1700]})
    assert "1.08 times the requests per second of b [too wide]" in told


def test_equal_ones_are_called_equal_and_not_ranked() -> None:
    told = _answer({"a": [1000, 1201, 900], "b": [1001, 1200, 901]})
    assert told == "b and a are equal: their requests per second lie within 3% of each other."


def test_a_leader_that_is_tied_is_still_ahead_of_the_rest() -> None:
    told = _answer({"a": [1000, 1300, 900, 1150], "b": [1100, 1000, 1050, 1020], "c": [300, 310, 290, 300]})
    assert told.startswith("a and b cannot be told apart: ")
    assert "a is ahead of c: it has 3.59 times the requests per second of c" in told


def test_an_entry_alone_has_nothing_to_be_compared_with() -> None:
    assert _answer({"a": [1000, 1010]}) == "There is nothing to compare a with."
    alone = result_of(make_run({"a": [2000, 2010, 2020]}, counters=full_host()))
    assert sentences.limits(alone) == "Limited by the host's CPUs, which all roles share (all rows)."


def test_an_entry_without_any_sample_is_named_in_the_answer() -> None:
    assert _answer({"a": [1000, 1010], "b": []}).endswith("nothing to compare a with. b was not measured.")
    assert _answer({"a": [1000, 1010], "b": [], "c": []}).endswith(" b and c were not measured.")


def test_on_a_full_host_the_answer_is_in_cpu_seconds_and_the_rates_follow() -> None:
    run = make_run({"a": [2000, 2010, 2020], "b": [1000, 1010, 990]}, counters=full_host())
    assert sentences.conclusion(result_of(run)) == (
        "a leads: it has 2.01 times the requests per CPU-second of b [1.95–2.08]. In requests per second, for "
        "information, a / b is 2.010 [1.945–2.077]."
    )
    assert sentences.limits(result_of(run)) == (
        "Limited by the host's CPUs, which all roles share (all rows). "
        "So entries are compared by requests per CPU-second."
    )


def test_where_something_else_filled_the_host_it_is_named_and_the_ranks_are_in_cpu_seconds_too() -> None:
    result = result_of(make_run({"a": [2000, 2010, 2020], "b": [1000, 1010, 990]}, counters=crowded_host()))
    assert sentences.limits(result) == (
        "Limited by other processes on the host, which took the CPUs (all rows). "
        "So entries are compared by requests per CPU-second."
    )
    assert list(tables.summary(result)["limited by"]) == ["others", "others"]


def test_where_wrk_was_the_limit_nothing_is_claimed() -> None:
    run = make_run({"a": [2000, 2010, 2020], "b": [1000, 1010, 990]}, counters=busy_client())
    result = result_of(run)
    assert sentences.conclusion(result).startswith("wrk was the limit of every row")
    assert sentences.limits(result) == "Limited by wrk, the load generator (all rows)."
    assert list(sentences.warnings(run, [result])) == [
        "wrk was the limit of a in json at 16 and b in json at 16: these rates are lower bounds, without a rank."
    ]


def test_a_calm_and_complete_run_has_no_warnings() -> None:
    run = make_run({"a": [1000, 1010, 1000], "b": [1000, 1010, 1000]})
    assert list(sentences.warnings(run, analysis.analyse(run))) == []


def _noisy(severity: str, rule: str) -> Run:
    """Return a run with one sample of that severity among three."""
    run = make_run({"a": [1000, 1010]})
    odd = replace(make_sample(make_trial(3, "a")), verdict=Verdict(severity, {rule: 0.2}))
    return with_samples(replace(run, manifest=make_run({"a": [1] * 3}).manifest), odd)


def _one_at_a_time(run: Run) -> Run:
    return replace(run, manifest=replace(run.manifest, settings=replace(run.manifest.settings, together=False)))


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            replace(make_run({"a": [1, 2, 3]}), taken=make_run({"a": [1, 2]}).taken),
            "is not complete: it has samples of 2 of 3 blocks.",
        ),
        (make_run({"a": [1000]}), "One block shows no spread"),
        (
            _noisy(INVALID, "duration error"),
            "1 sample of 3 was invalid and does not count: wrk ran longer or shorter than asked",
        ),
        (
            _noisy(SUSPECT, "background CPU"),
            "A noisy host: of the 3 samples that count, 1 is suspect (33%): something else on this host was busy (1).",
        ),
        (
            replace(make_run({"a": [1, 2]}), failures=(Failure(make_trial(3, "a"), STARTED, "died"),)),
            "Rounds of a in json could not be measured",
        ),
        (
            _one_at_a_time(replace(make_run({"a": [1, 2]}), failures=(Failure(make_trial(3, "a"), STARTED, "died"),))),
            "1 sample could not be measured",
        ),
    ],
)
def test_what_weakens_the_answer_is_warned_of(run: Run, told: str) -> None:
    assert any(told in warning for warning in sentences.warnings(run, analysis.analyse(run)))


def _unsteady(count: int, warmup_s: tuple[int, int] = (3, 5)) -> Run:
    """Return a run of eight samples, so many of which followed a warm-up that did not become steady."""
    run = make_run({"a": [1000] * 8})
    verdicts = [Verdict(GOOD, {"unsteady": 1.0} if number < count else {}) for number in range(8)]
    taken = tuple(replace(sample, verdict=verdict) for sample, verdict in zip(run.taken, verdicts, strict=True))
    settings = replace(run.manifest.settings, warmup_s=warmup_s)
    return replace(run, manifest=replace(run.manifest, settings=settings), taken=taken)


@pytest.mark.parametrize(
    ("warmup_s", "advice"),
    [
        ((3, 5), "--profile study warms up for 15 s, and a longer --duration gives the start of a sample less weight."),
        ((15, 15), "a longer --duration gives the start of a sample less weight."),
    ],
)
def test_many_warm_ups_that_did_not_become_steady_are_warned_of_with_what_to_do(
    warmup_s: tuple[int, int], advice: str
) -> None:
    assert list(sentences.warnings(_unsteady(3, warmup_s), ())) == [
        "Before 3 of the 8 samples that count (38%), the warm-up ended without a steady rate, because of "
        f"noise or because the entry was still getting faster: {advice}"
    ]
    assert list(sentences.warnings(_unsteady(2, warmup_s), ())) == []


def test_an_entry_whose_log_keeps_the_engine_busy_is_named_with_what_that_costs() -> None:
    run = make_run({"a": [1000, 1010], "b": [500, 510]})
    taken = tuple(
        replace(sample, verdict=Verdict(GOOD, {"heavy logging": 8000.0} if sample.trial.entry == "b" else {}))
        for sample in run.taken
    )
    assert list(sentences.warnings(replace(run, taken=taken), ())) == [
        "b in json logged heavily under load: the engine's work on the log lowers the rate, is not counted in "
        "requests per CPU-second, and looks like background CPU."
    ]


def test_an_entry_that_took_no_part_for_want_of_an_image_is_warned_of() -> None:
    run = make_run({"a": [1000, 1010]})
    without = replace(run, manifest=replace(run.manifest, facts=Facts.of({"unbuilt": {"brook": "why"}})))
    told = "brook could not be built, so there are no results: see “Not measured”."
    assert told in list(sentences.warnings(without, ()))


def test_versions_that_are_one_image_are_warned_of() -> None:
    run = make_run({"a": [1000, 1010, 1005], older("a"): [1000, 1010, 1005]})
    told = f"a and {older('a')} are the same image: any difference between them is noise."
    for images, warned in (
        ({"a": "x", older("a"): "x"}, True),
        ({"a": "x", older("a"): "y"}, False),
        ({}, False),
    ):
        found = replace(run, manifest=replace(run.manifest, images=images, variants=versions("a")))
        assert (told in list(sentences.warnings(found, ()))) is warned


def test_a_first_look_is_called_one() -> None:
    run = make_run({"a": [1000, 1010]})
    quick = replace(run, manifest=replace(run.manifest, settings=replace(run.manifest.settings, profile="quick")))
    assert list(sentences.warnings(quick, ())) == ["A first look, not to be quoted."]


def test_many_names_are_counted() -> None:
    assert sentences.names(["a"]) == "a"
    assert sentences.names(["a", "b", "c", "d"]) == "a, b, c and d"
    assert sentences.names(list("abcdef")) == "a, b, c and 3 others"


def _row(metric: Metric, log_ratio: float, stdev: float = 0.01, design: Design = Design.VERSIONS) -> Row:
    pairs = decide([stats.tested("new", "old", log_ratio, stdev, 5, 4)], metric.better)
    return Row("crax", "json", ALL_LEVELS, metric, pairs[0], design)


def test_a_change_is_told_with_its_direction_or_as_equal_or_as_untold() -> None:
    rows = [_row(RATE, -0.2), _row(RATE, 0.001), _row(PER_CPU, 0.001, 0.1), replace(_row(RATE, -0.2), level=at(16))]
    assert list(changes.changes(rows)) == [
        "crax, json: requests per second went down: 0.819 [0.809–0.829].",
        "crax, json: requests per second are within 3% of what they were: 1.001 [0.992–1.011] (90 %).",
        "crax, json: requests per CPU-second cannot be told apart from what they were: 1.001 [0.884–1.133].",
    ]


def test_of_two_runs_at_two_times_nothing_is_said_to_have_changed_but_that_they_differ() -> None:
    rows = [_row(RATE, -0.2), _row(RATE, 0.2), _row(RATE, 0.001), _row(PER_CPU, 0.001, 0.1)]
    assert list(changes.changes([replace(row, design=Design.TWO_RUNS) for row in rows])) == [
        "crax, json: requests per second were lower in the new run: 0.819 [0.809–0.829].",
        "crax, json: requests per second were higher in the new run: 1.221 [1.206–1.237].",
        "crax, json: requests per second of the two runs are within 3% of each other: 1.001 [0.992–1.011] (90 %).",
        "crax, json: requests per CPU-second of the two runs cannot be told apart: 1.001 [0.884–1.133].",
    ]


def test_what_only_the_number_of_comparisons_leaves_open_is_called_unclear() -> None:
    near, wide = (stats.tested("new", "old", log, stdev, 5, 4) for log, stdev in ((-0.03, 0.02), (0.0, 0.1)))
    row = Row("crax", "json", ALL_LEVELS, RATE, decide([near, wide, wide], Better.HIGHER)[0])
    assert list(changes.changes([row])) == [
        "crax, json: requests per second are unclear among 3 comparisons: 0.970 [0.947–0.995]."
    ]


def test_a_change_over_some_levels_names_those_that_are_lacking() -> None:
    over = Over((at(64), at(128), at(256)), (at(16), at(32)))
    (told,) = changes.changes([replace(_row(RATE, -0.2), over=over)])
    assert told == "crax, json over all levels but 16 and 32: requests per second went down: 0.819 [0.809–0.829]."


@pytest.mark.parametrize(
    ("blocks", "design", "why"),
    [
        (1, Design.VERSIONS, "0.900 of what they were; one block shows no spread"),
        (0, Design.VERSIONS, "0.900 of what they were; no block has all levels"),
        (1, Design.TWO_RUNS, "0.900 of the old run; one block shows no spread"),
        (1, Design.RUNS, "0.900 of what they were; one day shows no spread"),
    ],
)
def test_a_change_without_an_interval_says_why_it_has_none(blocks: int, design: Design, why: str) -> None:
    pairs = decide([Ratio("new", "old", 0.9, None, None, None, None, blocks, None)], Better.HIGHER)
    bare = Row("crax", "json", ALL_LEVELS, RATE, pairs[0], design)
    assert list(changes.changes([bare])) == [f"crax, json: requests per second {why}."]


def test_a_change_on_two_blocks_has_no_direction() -> None:
    pairs = decide([stats.tested("new", "old", -0.2, 0.001, 2, 1)], Better.HIGHER)
    (told,) = changes.changes([Row("crax", "json", ALL_LEVELS, RATE, pairs[0])])
    assert told == "crax, json: requests per second 0.819 [0.811–0.826] of what they were; 2 blocks are too few."
