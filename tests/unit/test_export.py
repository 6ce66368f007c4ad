"""A run in the formats that other programs read, and the command that writes them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchlab.cli import cli, read
from benchlab.core.errors import StoreError
from benchlab.load.metrics import PER_CPU
from benchlab.records.plan import Level, Manifest, Trial
from benchlab.records.run import INVALID, SUSPECT, Failure, Run, Sample
from benchlab.report import export, outputs
from benchlab.storage import store

from ..results_schema import problems
from .conftest import LABELS, STARTED, make_finding, make_load, make_sample, make_trial


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    settings = replace(manifest.settings, levels={"json": (16, 32), "query": (20,)}, blocks=3)
    return replace(manifest, settings=settings)


def _sample(entry: str, block: int, requests: int, connections: int = 16) -> Sample:
    return make_sample(make_trial(block, entry, "json", connections), make_load(requests))


SAMPLES = (
    _sample("aiohttp", 1, 1000),
    _sample("aiohttp", 2, 4000),
    _sample("aiohttp", 3, 2000),
    _sample("crax", 1, 500),
    _sample("crax", 2, 2000),
    _sample("crax", 3, 1000),
)


@pytest.fixture
def run(manifest: Manifest) -> Run:
    died = Failure(Trial(1, "crax", "query", Level(128, 2, queries=20)), STARTED, "it died")
    return Run(manifest, (*SAMPLES, make_sample(make_trial(1, "crax", "json", 32), severity=INVALID)), (died,))


def _rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(export.text(run, "csv"))))


def test_the_csv_has_a_row_for_each_planned_cell_with_its_interval(run: Run) -> None:
    rows = _rows(run)
    assert [(row["test"], row["level"], row["entry"], row["blocks"], row["samples"]) for row in rows] == [
        ("json", "16", "aiohttp", "3", "3"),
        ("json", "16", "crax", "3", "3"),
        ("json", "32", "aiohttp", "0", "0"),
        ("json", "32", "crax", "0", "0"),
        ("query", "20", "aiohttp", "0", "0"),
        ("query", "20", "crax", "0", "0"),
    ]
    first = rows[0]
    assert float(first["requests_per_s"]) == pytest.approx(2000)
    assert float(first["requests_per_s_low"]) * float(first["requests_per_s_high"]) == pytest.approx(2000**2)
    assert (float(first["requests_per_s_min"]), float(first["requests_per_s_max"])) == (1000, 4000)
    # 1,000 and 4,000 requests, each in 0.7 s of CPU time of app and database.
    assert float(first["requests_per_cpu_s"]) == pytest.approx(2000 / 0.7)
    assert (first["varies"], first["limited_by"], first["memory_peak_bytes"]) == (
        "connections",
        "waiting or concurrency",
        "90000000",
    )
    assert rows[-1]["requests_per_s"] == rows[-1]["limited_by"] == ""


def test_an_interval_that_tables_call_too_wide_keeps_its_numbers_in_the_csv(manifest: Manifest) -> None:
    run = Run(manifest, (_sample("aiohttp", 1, 1000), _sample("aiohttp", 2, 3000)), ())
    assert "1,732 [too wide]" in outputs.text(run)
    first = _rows(run)[0]
    assert float(first["requests_per_s_high"]) > 100 * float(first["requests_per_s_low"]) > 0


def test_the_json_has_what_the_report_is_made_of(run: Run) -> None:
    document = json.loads(export.text(run, "json"))
    assert (document["format"], document["version"]) == ("benchlab", 2)
    assert document["manifest"]["run_id"] == run.manifest.run_id
    assert document["samples"] == {
        "taken": 7,
        "counted": 6,
        "good": 6,
        "suspect": 0,
        "invalid": 1,
        "broken": {"duration error": 1},
        "unknown": [],
    }
    (test,) = document["tests"]
    assert (test["test"], test["ranked_by"]) == ("json", "requests/s")
    assert test["unmeasured"] == [{"entry": "aiohttp", "level": 32}, {"entry": "crax", "level": 32}]
    cell = test["cells"][0]
    assert (cell["entry"], cell["level"], cell["bottleneck"], cell["client_bound"]) == (
        "aiohttp",
        16,
        "waiting or concurrency",
        False,
    )
    assert cell["rate"]["mean"] == pytest.approx(2000)
    assert {entry["entry"]: entry["rank"] for entry in test["standings"]} == {
        "aiohttp": {"best": 1, "worst": 1},
        "crax": {"best": 2, "worst": 2},
    }
    assert [(compared["level"], compared["metric"]) for compared in test["comparisons"]] == [
        (16, "requests/s"),
        ("all", "requests/s"),
    ]
    (pair,) = test["comparisons"][0]["pairs"]
    assert (pair["first"], pair["second"], pair["outcome"]) == ("aiohttp", "crax", "faster")
    assert pair["ratio"] == pytest.approx(2)
    assert {(failure["test"], failure["reason"]) for failure in document["missing"]} == {
        ("query", "it died"),
        ("json", "wrk ran longer or shorter than asked: the host stalled (2.00 s off)"),
    }
    # Seven slices were taken, one of them invalid, and what died has no more of its test.
    assert document["untried"] == 3 * 2 * 3 - 8


def test_the_json_has_what_verification_found(run: Run) -> None:
    assert json.loads(export.text(run, "json"))["verification"] == []
    (found,) = json.loads(export.text(replace(run, findings=(make_finding(),)), "json"))["verification"]
    assert found == {
        "block": 1,
        "entry": "crax",
        "test": "json",
        "found_at": "2026-11-23T12:00:00+00:00",
        "rule": "extra keys",
        "message": "has more keys",
        "warning": True,
    }


def test_where_the_host_was_full_both_metrics_are_compared_over_all_levels(run: Run) -> None:
    full = tuple(
        replace(
            sample,
            counters=replace(
                sample.counters, host=replace(sample.counters.host, busy_us=2_000_000, idle_us=0, interrupts_us=0)
            ),
        )
        for sample in SAMPLES
    )
    (test,) = export.document(replace(run, taken=full))["tests"]
    assert test["ranked_by"] == PER_CPU.name
    assert [(compared["level"], compared["metric"]) for compared in test["comparisons"]] == [
        (16, "requests/s"),
        ("all", "requests/s"),
        ("all", "requests/CPU-s"),
    ]


def test_the_json_has_what_each_factor_did_where_entries_tell_of_it(run: Run) -> None:
    assert export.document(run)["factors"] is None
    labels = {"aiohttp": LABELS | {"orm": "raw"}, "crax": LABELS | {"orm": "full"}}
    factors = json.loads(export.text(replace(run, manifest=replace(run.manifest, entries=labels)), "json"))["factors"]
    assert set(factors["levels"]) == {"orm"}
    effect = factors["effects"][0]
    assert (effect["test"], effect["level"], effect["metric"]) == ("json", 16, "requests/s")
    ((change,), (group,)) = effect["changes"], effect["groups"]
    assert {change["level"], change["reference"]} == {"raw", "full"}
    assert set(group) == {"aiohttp", "crax"}
    faster = change["level"] == "raw"
    assert effect["ratio"] == pytest.approx(2 if faster else 1 / 2)
    assert effect["outcome"] == ("faster" if faster else "slower")


def test_every_format_says_what_a_reader_of_its_figures_must_know(run: Run) -> None:
    labels = {"aiohttp": LABELS, "crax": LABELS | {"origin": "adopted", "base": "python:3.12=benchlab/base"}}
    mine = replace(run, manifest=replace(run.manifest, entries=labels))
    first_look = "a first look, not to be quoted"
    told = {row["entry"]: row["caution"] for row in _rows(mine)}
    assert told == {
        "aiohttp": first_look,
        "crax": f"{first_look}; another base image: benchlab/base for python:3.12",
    }
    cautions = [first_look, "another base image: crax"]
    assert json.loads(export.text(mine, "json"))["cautions"] == cautions
    assert "; ".join(cautions) in json.loads(export.text(mine, "tfb"))["environmentDescription"]
    assert all(caution in export.text(mine, "markdown") for caution in cautions)


def test_a_run_without_anything_to_beware_of_has_no_caution(run: Run) -> None:
    calm = replace(run, manifest=replace(run.manifest, settings=replace(run.manifest.settings, profile="default")))
    assert {row["caution"] for row in _rows(calm)} == {""}
    assert json.loads(export.text(calm, "json"))["cautions"] == []


def test_markdown_is_the_report(run: Run) -> None:
    assert export.text(run, "markdown") == outputs.text(run)


@pytest.mark.parametrize("form", read.EXPORTS)
def test_a_run_without_a_sample_that_counts_is_refused(manifest: Manifest, form: str) -> None:
    for taken in ((), (make_sample(severity=INVALID),)):
        with pytest.raises(StoreError, match="has no sample that counts"):
            export.text(Run(manifest, taken, ()), form)


def test_the_formats_that_help_names_are_those_that_there_are() -> None:
    assert set(read.EXPORTS) == set(export.FORMATS)


@pytest.fixture
def folder(tmp_path: Path, manifest: Manifest) -> Path:
    journal = store.create(tmp_path / "results", manifest)
    for sample in SAMPLES:
        journal.append(sample)
    journal.append(make_sample(make_trial(1, "crax", "json", 32), severity=SUSPECT))
    return journal.folder


def test_export_prints_the_document_alone_and_says_what_it_lacks(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(tmp_path, ["export", str(folder), "--format", "tfb"]) == 0
    printed = capsys.readouterr()
    assert problems(json.loads(printed.out)) == []
    assert printed.err == (
        "left out, because the format has no place for it: intervals, ranks, verdicts, CPU time, memory and "
        "bottlenecks\n"
    )


@pytest.mark.parametrize("form", read.EXPORTS)
def test_export_writes_a_file_that_was_not_there_and_replaces_none(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    target = tmp_path / "out"
    arguments = ["export", str(folder), "--format", form, "--output", str(target)]
    assert cli.main(tmp_path, arguments) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"written to {target}" in printed.err
    assert target.read_text() == export.text(store.read(folder), form)
    target.write_text("mine")
    assert cli.main(tmp_path, arguments) == 2
    assert capsys.readouterr().err == f"error: {target} is there already; name another file, or remove it\n"
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--format", "csv"], "is not a run"),
        (["{folder}", "--format", "csv", "-o", "{folder}/no/file"], "/no is no folder; name a file in one"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    filled = [argument.format(folder=folder) for argument in arguments]
    assert cli.main(tmp_path, ["export", *filled]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("error: ")
    assert said in printed.err
