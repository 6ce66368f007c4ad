from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from benchlab import __version__
from benchlab.core import quantities
from benchlab.experiment.settings import choose
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.counters import APP, PROXY
from benchlab.records.facts import Facts
from benchlab.records.load import Errors, Latency
from benchlab.records.plan import Level, Manifest, Trial
from benchlab.records.run import GOOD, INVALID, ITS_LOG, SUSPECT, Failure, Run, Sample, Verdict
from benchlab.report import outputs, tables

from .conftest import STARTED, long_samples, make_counters, make_finding, make_load, make_sample, make_trial
from .made_runs import full_host


def _sample(entry: str, block: int, requests: int, connections: int = 16) -> Sample:
    return make_sample(make_trial(block, entry, "json", connections), make_load(requests))


# The parts of a report that compare no entries.
UNMARKED = [
    "## Verdicts",
    "## The run",
    "## The method, and its limits",
    "## Again",
]
SAMPLES = (
    _sample("aiohttp", 1, 1000),
    _sample("aiohttp", 2, 3000),
    _sample("crax", 1, 1500),
    _sample("crax", 2, 1700),
)


def test_the_study_table_holds_means_over_blocks_in_its_columns_and_units() -> None:
    table = tables.study(SAMPLES, "json")
    assert table.to_dict("records") == [
        {
            "framework": entry,
            "jsonConcurrencyLevels": 16,
            "totalRequests": requests,
            "seconds": 1.0,
            "requestsPerSecond": requests,
            "latencyAvg": 2.0,
            "latencyMax": 9.0,
            "N / X": nx,
        }
        for entry, requests, nx in (("aiohttp", 2000.0, (16 + 16 / 3) / 2), ("crax", 1600.0, (16 / 1.5 + 16 / 1.7) / 2))
    ]


def test_the_query_table_names_rows_a_request_not_connections() -> None:
    trial = Trial(1, "crax", "query", Level(128, 2, queries=20))
    table = tables.study((make_sample(trial),), "query")
    assert list(table["queryLevels"]) == [20]


def test_each_test_has_its_two_tables_each_in_its_order(manifest: Manifest) -> None:
    slow = Latency(5000.0, 1.0, 6000.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    fast_but_late = replace(_sample("crax", 1, 9000), load=replace(make_load(9000), latency=slow))
    text = outputs.text(Run(manifest, (_sample("aiohttp", 1, 1000), fast_but_late), ()))
    by_rate, by_latency = re.findall(r"### json, by .*?(?=\n##|\Z)", text, re.DOTALL)
    assert "requestsPerSecond descending" in by_rate
    assert by_rate.index("crax") < by_rate.index("aiohttp")
    assert "latencyAvg ascending" in by_latency
    assert by_latency.index("aiohttp") < by_latency.index("crax")


def test_the_study_s_tables_name_their_cells_that_miss_blocks(manifest: Manifest) -> None:
    whole, short = (outputs.text(Run(manifest, samples, ())) for samples in (SAMPLES, SAMPLES[:3]))
    assert "Means over fewer than 2 samples, so not quite comparable: crax at 16: 1." in short
    assert "fewer than" not in whole


def test_time_outs_are_counted_under_their_tables(manifest: Manifest) -> None:
    slow = replace(SAMPLES[0], load=make_load(1000, errors=Errors(timeout=3)))
    text = outputs.text(Run(manifest, (slow, *SAMPLES[1:]), ()))
    assert "over all blocks: aiohttp at 16: 3." in text
    assert "Time-outs" not in outputs.text(Run(manifest, SAMPLES, ()))


def test_each_section_with_tables_of_a_quick_run_is_marked_once_as_a_first_look(manifest: Manifest) -> None:
    lines = outputs.text(Run(manifest, SAMPLES, ())).splitlines()
    sections = [line for line in lines if line.startswith("## ")]
    assert [title for title in sections if "a first look" not in title] == UNMARKED
    assert [line for line in lines if line.startswith("###") and "a first look" in line] == []


def test_what_was_not_measured_is_reported_with_its_reason(manifest: Manifest) -> None:
    failures = tuple(Failure(make_trial(block, "crax"), STARTED, "wrong answer: x") for block in (1, 2))
    text = outputs.text(Run(manifest, SAMPLES[:2], failures))
    assert "* crax, json: wrong answer: x (2 trials, first 1/crax/json/c16-q0-p1)" in text


def test_an_entry_that_failed_wholly_stands_in_the_tables_as_not_measured(manifest: Manifest) -> None:
    failures = tuple(Failure(make_trial(block, "crax"), STARTED, "wrong answer: x") for block in (1, 2))
    text = outputs.text(Run(manifest, SAMPLES[:2], failures))
    assert re.search(r"^\| json +\| +16 \| 1,732 .*\| +not measured \|$", text, re.MULTILINE)
    assert re.search(r"^\| crax +\| +– \| +not measured \|", text, re.MULTILINE)


def test_what_lost_a_visit_is_told_where_another_visit_measured_the_trial_and_what_only_wrk_failed_at_is_not(
    manifest: Manifest,
) -> None:
    trial = SAMPLES[0].trial
    lost = Failure(trial, STARTED, f"while json 16 was measured, it died{ITS_LOG}logs/x")
    failures = (lost, Failure(trial, STARTED, "wrk failed", passing=True))
    text = outputs.text(Run(manifest, SAMPLES, failures))
    told = f"* {trial.entry}, json: {lost.reason} (1 trial, {trial.key}); measured later\n"
    assert told in text
    assert "wrk failed" not in text


def test_what_was_not_built_is_reported_with_its_reason(manifest: Manifest) -> None:
    settings = replace(manifest.settings, levels={"json": (16,)})
    without = replace(manifest, settings=settings, facts=Facts.of({"unbuilt": {"brook": "building brook failed"}}))
    failures = (Failure(make_trial(1, "crax"), STARTED, "wrong answer: x"),)
    told = outputs.text(Run(without, SAMPLES[:2], failures)).partition("## Not measured\n\n")[2]
    assert told.startswith(
        "* brook, all of it: building brook failed\n"
        "* crax, json: wrong answer: x (1 trial, 1/crax/json/c16-q0-p1)\n"
        "* 1 trial still to come.\n"
    )


def test_what_verification_found_is_reported_with_the_block_in_which_it_was_seen_first(manifest: Manifest) -> None:
    found = (make_finding("aiohttp", warning=False), make_finding("crax", block=2))
    text = outputs.text(Run(manifest, SAMPLES, (), None, found))
    assert text.partition("## Verification\n\n")[2].split("\n\n")[1] == (
        "* aiohttp, json: wrong: answered 'Bye' [body] (block 1)\n"
        "* crax, json: warning: has more keys [extra keys] (block 2)"
    )
    assert "## Verification" not in outputs.text(Run(manifest, SAMPLES, ()))


def test_each_section_with_tables_of_a_run_says_whose_base_image_is_another(manifest: Manifest) -> None:
    labels = manifest.entries["crax"] | {
        "origin": "adopted",
        "workers": "own",
        "pool": "own",
        "base": "python:3.12=benchlab/base python:3.12-slim=benchlab/base",
    }
    adopted = replace(manifest, entries={**manifest.entries, "crax": labels})
    text = outputs.text(Run(adopted, SAMPLES, ()))
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    mark = "(another base image: crax)"
    assert [title for title in titles if mark not in title] == UNMARKED
    assert mark not in outputs.text(Run(manifest, SAMPLES, ()))
    assert "Another base image: crax has benchlab/base for python:3.12, benchlab/base for python:3.12-slim.\n" in text
    assert "Adopted, of the TechEmpower format: crax. Workers and connections are the entry's own choice (own)" in text


def test_the_report_says_what_its_peak_memory_is(manifest: Manifest) -> None:
    assert "\n\nPeak memory is the most anonymous memory that " in outputs.text(Run(manifest, SAMPLES, ()))
    assert "Peak memory" not in outputs.text(Run(manifest, (), ()))


def test_resuming_is_offered_only_where_something_is_missing(manifest: Manifest) -> None:
    whole = Run(replace(manifest, settings=replace(manifest.settings, blocks=2, levels={"json": (16,)})), SAMPLES, ())
    assert "--resume" not in outputs.text(whole)
    assert "--resume" in outputs.text(replace(whole, taken=SAMPLES[:-1]))


def test_a_run_without_samples_has_a_report(manifest: Manifest) -> None:
    assert "No sample was measured" in outputs.text(Run(manifest, (), ()))


def test_the_report_says_how_much_of_the_time_went_into_samples(manifest: Manifest) -> None:
    late = replace(SAMPLES[1], started_at=STARTED + timedelta(seconds=3))
    assert "Sampling took 2 s of 4 s (50%)" in outputs.text(Run(manifest, (SAMPLES[0], late), ()))


def test_the_report_says_when_and_by_which_lab_the_run_was_measured(manifest: Manifest) -> None:
    late = replace(SAMPLES[1], started_at=STARTED + timedelta(minutes=3))
    ours = replace(manifest, facts=Facts.of({"lab_version": __version__}))
    told = f"Measured from 2026-11-23 12:00 to 2026-11-23 12:03 UTC by benchlab {__version__}"
    assert f"{told}." in outputs.text(Run(ours, (SAMPLES[0], late), ()))
    older = replace(manifest, facts=Facts.of({"lab_version": "0.1.0"}))
    assert f"by benchlab 0.1.0, analysed by {__version__}." in outputs.text(Run(older, SAMPLES, ()))


def test_a_clock_that_was_set_back_ends_no_report(manifest: Manifest) -> None:
    set_back = tuple(replace(sample, started_at=STARTED - timedelta(hours=1)) for sample in SAMPLES)
    assert "the clock was set back" in outputs.text(Run(manifest, set_back, ()))


def test_a_run_without_a_sample_that_counts_says_what_they_broke(manifest: Manifest) -> None:
    invalid = tuple(make_sample(sample.trial, severity=INVALID) for sample in SAMPLES)
    text = outputs.text(Run(manifest, invalid, ()))
    assert "Of the 4 samples taken, none counts." in text
    assert re.search(r"\| duration error +\| +4 \| invalid +\|", text)


def test_rules_that_some_samples_had_no_value_for_are_told_with_their_number_and_the_reason(
    manifest: Manifest,
) -> None:
    unknown = [
        ("thermal throttling", "host speed"),
        ("thermal throttling", "host speed"),
        ("thermal throttling",),
        ("thermal throttling",),
    ]
    taken = [
        replace(
            sample, verdict=Verdict(SUSPECT if number == 2 else GOOD, {"host speed": 0.2} if number == 2 else {}, names)
        )
        for number, (sample, names) in enumerate(zip(SAMPLES, unknown, strict=True))
    ]
    text = outputs.text(Run(manifest, tuple(taken), ()))
    assert (
        "4 samples were taken: 4 count (1 of them suspect). Rules without a value: host speed in 2 of them "
        "(a run's first samples come before it is known what is usual), thermal throttling in all samples "
        "(this host does not report it).\n"
    ) in text
    assert re.search(r"\| host speed +\| +1 \| suspect +\|", text)
    assert "without a value" not in outputs.text(Run(manifest, SAMPLES, ()))


def _again(sample: Sample, severity: str, attempt: int, minute: int) -> Sample:
    again = make_sample(sample.trial, severity=severity, attempt=attempt)
    return replace(again, started_at=sample.started_at + timedelta(minutes=minute))


def test_sampling_took_what_all_samples_took_and_says_what_became_of_them(manifest: Manifest) -> None:
    first, second, *rest = SAMPLES
    taken = (
        _again(first, SUSPECT, 1, 0),
        _again(first, GOOD, 2, 1),
        _again(second, INVALID, 1, 0),
        _again(second, INVALID, 2, 1),
        _again(second, SUSPECT, 3, 2),
        *rest,
    )
    text = outputs.text(Run(manifest, taken, ()))
    became = "7 samples were taken: 4 count (1 of them suspect), 1 was suspect and repeated, 2 are invalid."
    assert re.search(rf"Sampling took 7 s of .*, pauses included; 7 s of it are counted\. {re.escape(became)}", text)
    assert f"## Verdicts\n\n{became}" in text


def test_errors_are_named_by_kind() -> None:
    assert str(Errors(status=3, timeout=1)) == "3 answers above 399, 1 time-out"


def test_of_a_single_sample_nothing_is_told_in_the_plural(manifest: Manifest) -> None:
    one = replace(manifest, settings=replace(manifest.settings, blocks=1, levels={"json": (16,)}), cpus=1)
    text = outputs.text(Run(one, SAMPLES[:1], ()))
    assert "1 sample was taken: 1 counts." in text
    assert "Changed: only some tests, other levels, 1 block, 1 round of a test in a block." in text
    assert "CPUs: all roles share the 1 CPU." in text
    assert not re.search(r"\b1 (samples|blocks|rounds|trials|CPUs)\b|\(s\)", text)


def test_a_table_calls_an_interval_too_wide_where_two_blocks_lie_far_apart(manifest: Manifest) -> None:
    text = outputs.text(Run(manifest, SAMPLES, ()))
    assert re.search(r"^\| json +\| +16 \| +1,732 \[too wide\] \| 1,597 \[\d", text, re.MULTILINE)


def test_what_too_wide_means_stands_once_at_the_end_where_it_is_said(manifest: Manifest) -> None:
    told = outputs.text(Run(manifest, SAMPLES, ()))
    assert told.endswith("\n\n" + quantities.MEANING + "\n")
    assert told.count(quantities.MEANING) == 1
    assert quantities.MEANING not in outputs.text(Run(manifest, SAMPLES[:1], ()))


def _large_run(manifest: Manifest) -> Run:
    """Return a run of all test types with whatever makes the tables of two entries wide."""
    more = {"framework": "aiohttp", "cpus": "all", "proxy": "none", "tests": " ".join(WORKLOADS)}
    labels = manifest.entries["crax"] | more
    settings = choose(frameworks=["aiohttp", "crax"], tests=WORKLOADS, blocks=3, seed=7)
    trials = [
        Trial(block, entry, test, level)
        for block in (1, 2, 3)
        for entry in ("aiohttp", "crax")
        for test, levels in closed.levels(settings, 2).items()
        for level in levels
    ]
    # One cell lacks a block, one entry a level; at some levels the host is full; the rates are as large as they get.
    taken = [
        replace(
            make_sample(trial, make_load(20_000 + 10_000 * trial.block + trial.level.connections)),
            counters=full_host() if number % 2 else make_counters(),
        )
        for number, trial in enumerate(trials)
        if (trial.block, trial.test, trial.level.connections) != (3, "json", 16)
        and (trial.entry, trial.test, trial.level.connections) != ("crax", "db", 16)
    ]
    return Run(replace(manifest, settings=settings, entries={"aiohttp": labels, "crax": labels}), tuple(taken), ())


def test_no_table_of_two_entries_but_the_study_s_is_wider_than_120_columns(manifest: Manifest) -> None:
    text = outputs.text(_large_run(manifest))
    own = re.sub(r"^### [\w-]+, by .*?(?=^##)", "", text, flags=re.MULTILINE | re.DOTALL)
    tables = [line for line in own.splitlines() if line.startswith("|")]
    assert any("host-shared (" in line for line in tables)
    assert any("(all but 16)" in line for line in tables)
    assert max(map(len, tables)) <= 120


def test_the_tests_that_entries_declare_stand_below_their_table(manifest: Manifest) -> None:
    assert "\n\nTest types: json plaintext query.\n" in outputs.text(Run(manifest, SAMPLES, ()))
    other = manifest.entries | {"crax": manifest.entries["crax"] | {"tests": "json"}}
    told = "\n\nTest types: json plaintext query (aiohttp); json (crax).\n"
    assert told in outputs.text(Run(replace(manifest, entries=other), SAMPLES, ()))


def test_the_method_says_what_a_block_is_in_a_run_of_rounds_and_in_any_other(manifest: Manifest) -> None:
    one_at_a_time = replace(manifest, settings=long_samples())
    alone, together = (outputs.text(Run(each, SAMPLES, ())) for each in (one_at_a_time, manifest))
    assert "A block visits every entry once, in shuffled order. Only blocks count" in alone
    assert "are up together; each of its rounds loads every one of them once at a level, in shuffled order. Only" in (
        together
    )
    assert "visits every entry" not in together


def test_a_report_of_groups_names_them_and_misses_no_block_in_which_an_entry_was_not_up(manifest: Manifest) -> None:
    groups = (("aiohttp", "crax"), ("aiohttp", "starlette"))
    labels = manifest.entries["crax"]
    grouped = replace(
        manifest,
        entries=manifest.entries | {"starlette": labels},
        settings=replace(manifest.settings, blocks=4),
        groups=groups,
    )
    samples = [_sample(entry, block, 1000 + block) for block in range(1, 5) for entry in groups[(block - 1) % 2]]
    text = outputs.text(Run(grouped, tuple(samples), ()))
    assert "Up together, in turns: aiohttp and crax; aiohttp and starlette." in text
    assert "of 4 blocks)" not in text
    lost = [sample for sample in samples if (sample.trial.entry, sample.trial.block) != ("crax", 3)]
    assert "(1 of 2 blocks)" in outputs.text(Run(grouped, tuple(lost), ()))


def test_a_report_without_the_cgroup_tree_says_what_is_not_known(manifest: Manifest) -> None:
    blind = replace(manifest, facts=Facts.of({"host": {"cgroup_tree": "unavailable: not mounted"}}))
    words = "The CPU time of containers is not known"
    assert words in outputs.text(Run(blind, SAMPLES, ()))
    assert words not in outputs.text(Run(manifest, SAMPLES, ()))
    assert words not in outputs.text(Run(replace(blind, settings=long_samples()), SAMPLES, ()))


def test_a_role_that_only_some_entries_have_is_no_number_of_the_others(manifest: Manifest) -> None:
    through = [
        replace(
            sample,
            counters=replace(sample.counters, roles=sample.counters.roles | {PROXY: sample.counters.roles[APP]}),
        )
        for sample in SAMPLES
        if sample.trial.entry == "crax"
    ]
    text = outputs.text(Run(manifest, (*SAMPLES[:2], *through), ()))
    assert "nan" not in text.split()
