"""A run as a results file of the TechEmpower benchmarks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from benchlab.records.facts import Facts
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Level, Manifest, Settings, Trial
from benchlab.records.run import INVALID, Failure, Run, Sample
from benchlab.report import tfb_results
from benchlab.statistics import analysis

from ..results_schema import SCHEMA, problems
from .conftest import LABELS, STARTED, long_samples, make_finding, make_load, make_sample

LEVELS = {"json": (32, 16), "plaintext": (256,), "query": (1, 20)}
# Requests per second in blocks 1 and 2: their geometric mean is 2,000.
RATES = {1: 1000, 2: 4000}


def _level(test: str, value: int) -> Level:
    return Level(128, 2, queries=value) if test == "query" else Level(value, 2)


def _sample(entry: str, test: str, value: int, block: int, load: Load | None = None) -> Sample:
    trial = Trial(block, entry, test, _level(test, value))
    sample = make_sample(trial, load or make_load(RATES[block] * 2, 2_000_000))
    return replace(sample, started_at=STARTED + timedelta(minutes=block))


def _samples(settings: Settings, entries: tuple[str, ...] = ("aiohttp", "crax")) -> tuple[Sample, ...]:
    return tuple(
        _sample(entry, test, value, block)
        for block in RATES
        for entry in entries
        for test, values in settings.levels.items()
        for value in values
    )


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    return replace(manifest, settings=replace(manifest.settings, levels=LEVELS))


@pytest.fixture
def run(manifest: Manifest) -> Run:
    return Run(manifest, _samples(manifest.settings), ())


def test_a_run_is_a_results_file(run: Run) -> None:
    document = json.loads(json.dumps(tfb_results.results(run)))
    assert problems(document) == []
    assert document["frameworks"] == ["aiohttp", "crax"]
    assert document["duration"] == 15
    assert document["verify"] == {
        entry: {"json": "pass", "plaintext": "pass", "query": "pass"} for entry in ("aiohttp", "crax")
    }
    assert document["succeeded"]["query"] == ["aiohttp", "crax"]
    assert document["failed"] == {test: [] for test in document["rawData"]}


@pytest.mark.parametrize(("together", "duration_s"), [(True, 15), (False, 2)], ids=["slices", "long samples"])
def test_a_figure_stands_for_all_samples_as_one_of_whole_seconds(run: Run, together: bool, duration_s: int) -> None:
    settings = run.manifest.settings if together else replace(long_samples(), levels=LEVELS)
    document = tfb_results.results(replace(run, manifest=replace(run.manifest, settings=settings)))
    figure = document["rawData"]["json"]["crax"][0]
    assert document["duration"] == duration_s
    began_s = int((STARTED + timedelta(minutes=1)).timestamp())
    assert figure == {
        "latencyAvg": "2.00ms",
        "latencyStdev": "100.00us",
        "latencyMax": "9.00ms",
        "totalRequests": 2000 * duration_s,
        "startTime": began_s,
        "endTime": began_s + duration_s,
    }


def test_who_divides_requests_by_duration_gets_the_report_s_rate(run: Run) -> None:
    odd = tuple(
        replace(sample, load=replace(sample.load, requests=sample.load.requests + 3 * number))
        for number, sample in enumerate(run.samples)
    )
    changed = replace(run, taken=odd)
    document = tfb_results.results(changed)
    for result in analysis.analyse(changed):
        for entry in document["frameworks"]:
            rates = [
                figure["totalRequests"] / document["duration"] for figure in document["rawData"][result.test][entry]
            ]
            assert rates == pytest.approx([cell.rate.mean for cell in result.cells if cell.entry == entry], abs=0.5)


def test_levels_ascend_and_each_list_is_in_their_order(manifest: Manifest) -> None:
    fast = replace(make_load(20_000), duration_us=2_000_000)
    samples = (_sample("crax", "json", 32, 1, fast), _sample("crax", "json", 16, 1))
    document = tfb_results.results(Run(manifest, samples, ()))
    assert document["concurrencyLevels"] == [16, 32]
    assert [figure["totalRequests"] for figure in document["rawData"]["json"]["crax"]] == [15 * 1000, 15 * 10_000]
    assert document["pipelineConcurrencyLevels"] == [256]
    assert document["queryIntervals"] == [1, 20]
    assert document["cachedQueryIntervals"] == []


def test_a_level_without_a_sample_that_counts_is_empty_in_its_place(manifest: Manifest) -> None:
    invalid = make_sample(Trial(1, "crax", "json", _level("json", 16)), severity=INVALID)
    document = tfb_results.results(Run(manifest, (invalid, _sample("crax", "json", 32, 1)), ()))
    first, second = document["rawData"]["json"]["crax"]
    assert first == {}
    assert second["totalRequests"] == 15 * 1000
    assert problems(document) == []


def test_tests_of_one_kind_share_a_list_of_levels_and_each_ends_at_its_own_largest(manifest: Manifest) -> None:
    settings = replace(manifest.settings, levels={"query": (1, 20), "update": (10,)})
    labels = LABELS | {"tests": "query update"}
    both = replace(manifest, settings=settings, entries={"crax": labels})
    samples = tuple(
        replace(_sample("crax", "query", value, 1), trial=Trial(1, "crax", test, Level(128, 2, queries=value)))
        for test, value in (("query", 1), ("query", 20), ("update", 10))
    )
    document = tfb_results.results(Run(both, samples, ()))
    assert document["queryIntervals"] == [1, 10, 20]
    assert [bool(figure) for figure in document["rawData"]["query"]["crax"]] == [True, False, True]
    assert [bool(figure) for figure in document["rawData"]["update"]["crax"]] == [False, True]


def test_latencies_are_pooled_over_the_requests_of_all_samples(manifest: Manifest) -> None:
    loads = (
        replace(make_load(1000), latency=Latency(2000.0, 0.0, 30_000.0, 1, 1, 1, 1, 1)),
        replace(make_load(3000), latency=Latency(4000.0, 0.0, 20_000.0, 1, 1, 1, 1, 1)),
    )
    samples = tuple(_sample("crax", "json", 16, block, load) for block, load in enumerate(loads, start=1))
    figure = tfb_results.results(Run(manifest, samples, ()))["rawData"]["json"]["crax"][0]
    assert (figure["latencyAvg"], figure["latencyStdev"], figure["latencyMax"]) == ("3.50ms", "866.03us", "30.00ms")


@pytest.mark.parametrize(
    ("microseconds", "said"),
    [
        (0, "0.00us"),
        (635.91, "635.91us"),
        (999.996, "1.00ms"),
        (1390, "1.39ms"),
        (7_840_000, "7.84s"),
        (75e6, "75.00s"),
    ],
)
def test_a_latency_is_written_as_wrk_prints_it(microseconds: float, said: str) -> None:
    assert tfb_results.latency(microseconds) == said


def test_time_outs_are_told_for_a_sample_rounded_up(manifest: Manifest) -> None:
    slow = make_load(2000, 2_000_000, Errors(timeout=3))
    samples = (_sample("crax", "json", 16, 1, slow), _sample("crax", "json", 16, 2))
    document = tfb_results.results(Run(manifest, samples, ()))
    figure = document["rawData"]["json"]["crax"][0]
    assert {kind: figure[kind] for kind in ("connect", "read", "write", "timeout")} == {
        "connect": 0,
        "read": 0,
        "write": 0,
        "timeout": 2,
    }
    assert "5xx" not in figure
    assert problems(document) == []


def _failures(settings: Settings, entry: str, reason: str) -> tuple[Failure, ...]:
    return tuple(
        Failure(Trial(block, entry, test, _level(test, value)), STARTED + timedelta(minutes=block), reason)
        for block in RATES
        for test, values in settings.levels.items()
        for value in values
    )


def test_wrong_and_dying_entries_have_failed_each_in_its_way(manifest: Manifest) -> None:
    entries = dict.fromkeys(("crax", "liar", "stillborn"), LABELS)
    three = replace(manifest, entries=entries)
    failures = (
        *_failures(manifest.settings, "liar", "wrong answer: json: body"),
        *_failures(manifest.settings, "stillborn", "in start-up, stillborn ended (exit code 1)"),
    )
    document = tfb_results.results(Run(three, _samples(manifest.settings, ("crax",)), failures))
    assert problems(document) == []
    assert document["failed"]["json"] == ["liar", "stillborn"]
    assert document["succeeded"]["json"] == list(document["rawData"]["json"]) == ["crax"]
    assert document["verify"]["liar"] == {"json": "fail", "plaintext": "fail", "query": "fail"}
    assert "stillborn" not in document["verify"]
    assert document["completed"] == {
        "crax": "20261123120200",
        "liar": "20261123120200",
        "stillborn": "ERROR: in start-up, stillborn ended (exit code 1)",
    }


def test_verification_is_told_by_the_worst_that_it_found(run: Run) -> None:
    warned = replace(
        run, findings=(make_finding("crax"), make_finding("aiohttp"), make_finding("aiohttp", warning=False))
    )
    document = tfb_results.results(warned)
    assert problems(document) == []
    assert document["verify"] == {
        "aiohttp": {"json": "fail", "plaintext": "pass", "query": "pass"},
        "crax": {"json": "warn", "plaintext": "pass", "query": "pass"},
    }


def test_a_run_that_was_cut_off_is_not_complete(run: Run) -> None:
    whole, cut = tfb_results.results(run), tfb_results.results(replace(run, taken=run.taken[:-1]))
    assert whole["completionTime"] - whole["startTime"] == 122_020
    assert cut["completionTime"] is None
    assert problems(cut) == []


def test_a_run_whose_number_of_blocks_is_undecided_is_not_complete(run: Run) -> None:
    precise = replace(run.manifest, settings=replace(run.manifest.settings, precision=0.03))
    assert tfb_results.results(replace(run, manifest=precise))["completionTime"] is None


def test_the_commit_is_told_where_it_is_known(run: Run) -> None:
    facts: dict[str, object] = {
        "lab_commit": "a" * 40,
        "lab_branch": "main",
        "lab_repository": "https://example.org/lab",
    }
    told = tfb_results.results(replace(run, manifest=replace(run.manifest, facts=Facts.of(facts))))
    assert told["git"] == {"commitId": "a" * 40, "repositoryUrl": "https://example.org/lab", "branchName": "main"}
    assert problems(told) == []
    assert tfb_results.results(run)["git"] is None


@pytest.mark.parametrize("unknown", ["unavailable", "unavailable: git refuses a checkout of another user; `git` …"])
def test_what_is_not_known_of_the_checkout_is_empty_and_no_word_in_the_place_of_an_address(
    run: Run, unknown: str
) -> None:
    facts: dict[str, object] = {"lab_commit": "a" * 40, "lab_branch": unknown, "lab_repository": unknown}
    told = tfb_results.results(replace(run, manifest=replace(run.manifest, facts=Facts.of(facts))))
    assert told["git"] == {"commitId": "a" * 40, "repositoryUrl": "", "branchName": ""}
    assert problems(told) == []
    without = tfb_results.results(
        replace(run, manifest=replace(run.manifest, facts=Facts.of(facts | {"lab_commit": unknown})))
    )
    assert without["git"] is None


def test_tests_of_one_adopted_folder_have_its_name_and_the_mark_of_another_base_image(run: Run) -> None:
    labels = LABELS | {"origin": "adopted", "framework": "None", "tfb.framework": "None", "tfb.notes": "one worker"}
    folder = {"tfb.project": "rill", "base": "python:3.12=benchlab/base"}
    adopted, old = tfb_results.results(
        replace(run, manifest=replace(run.manifest, entries={"aiohttp": labels | folder, "crax": labels}))
    )["testMetadata"]
    assert (adopted["project_name"], adopted["framework"]) == ("rill", "none")
    assert adopted["notes"] == "one worker; another base image: benchlab/base for python:3.12"
    # One that was adopted before its folder's name was kept is no part of a project called None.
    assert (old["project_name"], old["notes"]) == ("crax", "one worker")


def test_the_description_names_the_host_and_what_is_left_out(run: Run) -> None:
    facts: dict[str, object] = {"engine_version": "20.10", "host": {"cpu_model": "Model X"}}
    said = tfb_results.results(replace(run, manifest=replace(run.manifest, facts=Facts.of(facts))))[
        "environmentDescription"
    ]
    assert said.startswith("Model X; all roles share the 2 CPUs; Docker 20.10; ")
    assert "without intervals, ranks, verdicts" in said


def test_equal_runs_have_the_same_id_and_others_another(run: Run) -> None:
    other = replace(run, manifest=replace(run.manifest, run_id="other"))
    assert tfb_results.results(run)["uuid"] == tfb_results.results(run)["uuid"] != tfb_results.results(other)["uuid"]


def test_what_an_entry_is_made_of_comes_from_its_labels(run: Run) -> None:
    own = {"classification": "Micro", "approach": "Realistic", "platform": "asyncio", "display_name": "Crax, asyncpg"}
    labels = LABELS | {f"tfb.{key}": text for key, text in own.items()}
    document = tfb_results.results(
        replace(run, manifest=replace(run.manifest, entries={"aiohttp": LABELS, "crax": labels}))
    )
    assert problems(document) == []
    unlabelled, labelled = document["testMetadata"]
    assert labelled == {
        "project_name": "x",
        "name": "crax",
        "approach": "realistic",
        "classification": "micro",
        "database": "postgres",
        "framework": "x",
        "language": "python",
        "orm": "raw",
        "platform": "asyncio",
        "webserver": "gunicorn",
        "os": "linux",
        "database_os": "linux",
        "display_name": "Crax, asyncpg",
        "notes": "",
        "versus": "none",
        "tags": [],
    }
    assert (unlabelled["classification"], unlabelled["display_name"]) == ("none", "aiohttp")


def test_an_adopted_entry_is_told_in_the_words_of_its_authors(run: Run) -> None:
    words = {"language": "Python", "orm": "Raw", "webserver": "uvicorn", "versus": "asgi", "notes": "one worker"}
    labels = LABELS | {"origin": "adopted", "server": "?", "orm": "?", "driver": "none"}
    labels |= {f"tfb.{key}": text for key, text in words.items()}
    document = tfb_results.results(
        replace(run, manifest=replace(run.manifest, entries={"aiohttp": LABELS, "crax": labels}))
    )
    assert problems(document) == []
    told = document["testMetadata"][1]
    assert {key: told[key] for key in ("database", "language", "orm", "webserver", "versus", "notes")} == {
        "database": "none",
        "language": "python",
        "orm": "raw",
        "webserver": "uvicorn",
        "versus": "asgi",
        "notes": "one worker",
    }


def test_of_an_adopted_entry_its_authors_words_come_back(run: Run) -> None:
    told = {
        "approach": "Stripped",
        "classification": "Platform",
        "database": "None",
        "display_name": "Rill [fast]",
        "language": "Python",
        "notes": "a process for each CPU",
        "orm": "Raw",
        "platform": "asyncio",
        "versus": "default",
        "webserver": "None",
    }
    labels = LABELS | {"origin": "adopted", "orm": "none"} | {f"tfb.{key}": text for key, text in told.items()}
    document = tfb_results.results(
        replace(run, manifest=replace(run.manifest, entries={"aiohttp": LABELS, "crax": labels}))
    )
    kept = ("display_name", "notes", "versus")
    _, adopted = document["testMetadata"]
    assert {key: adopted[key] for key in told} == {
        key: text if key in kept else text.lower() for key, text in told.items()
    }
    assert problems(document) == []


def _without(document: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """Return a copy of the document without what the path leads to."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    place: Any = copy
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return copy


def test_the_schema_itself_refuses_what_is_no_results_file(run: Run) -> None:
    document = tfb_results.results(run)
    for path in (("uuid",), ("rawData", "json"), ("rawData", "json", "crax", 0, "totalRequests"), ("failed", "db")):
        assert problems(_without(document, *path)), path
    assert problems(document | {"startTime": document["startTime"] // 1000})
    assert problems(document | {"verdict": "good"})
    assert set(SCHEMA["required"]) == set(document)
