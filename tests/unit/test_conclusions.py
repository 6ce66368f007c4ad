"""What a reader is told first: the same words on the page, at the top of the report, and at the end of a run."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from benchlab.cli import measure
from benchlab.records.plan import Manifest
from benchlab.records.run import INVALID, Run
from benchlab.report import outputs, sentences
from benchlab.statistics import analysis
from benchlab.storage import store

from .conftest import make_load, make_sample, make_trial
from .made_runs import busy_client, full_host, make_run, with_samples

CALM = make_run({"aiohttp": [2000, 2010, 2020], "crax": [1000, 1010, 990]})


def _texts(page: str) -> str:
    """Return all that the page says."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def _lines(run: Run) -> list[str]:
    return list(sentences.last_lines(run, analysis.analyse(run)))


def test_what_limited_all_tests_alike_is_told_once_after_the_answers() -> None:
    assert _lines(CALM) == [
        "json. aiohttp leads: it has 2.01 times the requests per second of crax [1.95–2.08].",
        "Limited by waiting, or too few connections: not measured (all rows).",
    ]


def test_counts_of_rows_that_happen_to_be_the_same_stand_beside_the_answer_of_each_test() -> None:
    both = [
        replace(
            make_sample(make_trial(block, entry, test, 256), make_load(1000)),
            counters=busy_client() if entry == "crax" else full_host(),
        )
        for block in (1, 2, 3)
        for entry in ("aiohttp", "crax")
        for test in ("json", "plaintext")
    ]
    settings = replace(CALM.manifest.settings, levels={"json": (256,), "plaintext": (256,)})
    run = replace(CALM, manifest=replace(CALM.manifest, settings=settings), taken=tuple(both))
    told = "Limited by the host's CPUs, which all roles share (1 row); wrk, the load generator (1 row)."
    assert [told in line for line in _lines(run)[:2]] == [True, True]


def test_where_the_tests_differ_in_it_what_limited_each_stands_beside_its_answer() -> None:
    full = [
        replace(make_sample(make_trial(block, entry, "plaintext", 256), make_load(1000)), counters=full_host())
        for block in (1, 2, 3)
        for entry in ("aiohttp", "crax")
    ]
    settings = replace(CALM.manifest.settings, levels={"json": (16,), "plaintext": (256,)})
    json, plaintext = _lines(with_samples(replace(CALM, manifest=replace(CALM.manifest, settings=settings)), *full))
    assert json.endswith("[1.95–2.08]. Limited by waiting, or too few connections: not measured (all rows).")
    assert plaintext.startswith("plaintext. ")
    assert "Limited by the host's CPUs, which all roles share (all rows)." in plaintext


@pytest.mark.parametrize(
    "run",
    [
        CALM,
        make_run({"a": [1000, 1300, 900, 1150], "b": [1100, 1000, 1050, 1020]}),
        make_run({"a": [1000]}),
        with_samples(replace(CALM, taken=()), make_sample(severity=INVALID)),
    ],
    ids=["leads", "untold", "one block", "none counts"],
)
def test_page_report_and_the_end_of_a_run_begin_with_the_same_sentences(run: Run) -> None:
    results = analysis.analyse(run)
    page, top = _texts(outputs.html(run)), outputs.text(run).partition("## The answer")[2].partition("\n## ")[0]
    for told in sentences.conclusions(run, results):
        assert str(told) in page
        assert f"\n* {told}\n" in top
    for warning in sentences.warnings(run, results):
        assert warning in page
        assert f"\n* {warning}\n" in top
        assert warning in _lines(run)[-1]


def test_a_run_without_a_sample_that_counts_answers_nothing(manifest: Manifest) -> None:
    assert _lines(Run(manifest, (), ()))[0] == "No sample counts, so there is no answer."


def test_a_test_that_has_no_sample_that_counts_is_said_to_be_not_measured() -> None:
    settings = replace(CALM.manifest.settings, levels={"fortune": (16,), "json": (16,)})
    first, *rest = _lines(replace(CALM, manifest=replace(CALM.manifest, settings=settings)))
    assert (first, rest) == ("fortune. Not measured.", _lines(CALM))


def test_a_run_ends_with_its_answer_after_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = store.create(tmp_path, CALM.manifest)
    for sample in CALM.taken:
        journal.append(sample)
    assert measure.finish(journal.folder, CALM) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[: len(_lines(CALM))] == _lines(CALM)
    assert printed.out.index("aiohttp leads") < printed.out.index("## Entries")
