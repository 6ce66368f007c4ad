"""What is printed of a run's factors: two sentences, the cells, and a table for each test."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchlab.core import quantities
from benchlab.records.plan import Level, Manifest, Trial
from benchlab.records.run import Run, Sample
from benchlab.report import factors, markdown
from benchlab.statistics import effects
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.effects import FactorAnalysis

from .conftest import LABELS, make_load, make_sample
from .made_runs import full_host

QUIET = (1.0, 1.01, 0.99, 1.0, 1.005)
ENTRIES = {
    "aiohttp": LABELS | {"framework": "aiohttp", "orm": "full", "json": "ujson"},
    "aiohttp-raw": LABELS | {"framework": "aiohttp", "orm": "raw", "json": "ujson"},
    "crax": LABELS | {"framework": "crax", "orm": "raw"},
    "crax-orm": LABELS | {"framework": "crax", "orm": "full"},
}


def _text(run: Run, answer: FactorAnalysis) -> str:
    return markdown.text(factors.report(run, answer))


def _run(manifest: Manifest, rates: dict[str, float], noise: tuple[float, ...] = QUIET, test: str = "query") -> Run:
    level = Level(128, 2, queries=20) if test == "query" else Level(128, 2)
    samples: list[Sample] = []
    for number, (entry, rate) in enumerate(rates.items()):
        for block in range(1, len(noise) + 1):
            # Each entry has the same noise, in an order of its own.
            factor = noise[(block + number * number) % len(noise)]
            samples.append(make_sample(Trial(block, entry, test, level), make_load(round(1000 * rate * factor))))
    settings = replace(manifest.settings, levels={test: (20,) if test == "query" else (128,)})
    return Run(replace(manifest, entries=ENTRIES, settings=settings), tuple(samples), ())


def _told(run: Run) -> str:
    """Return the two sentences."""
    return _text(run, effects.analyse(run)).split("\n\n")[1]


def _plain(sentence: str) -> str:
    return re.sub(r" \[[\d.]+–[\d.]+\](?: \(90 %\))?", "", sentence)


def test_the_answer_is_two_sentences_that_tell_of_each_level_against_its_reference(manifest: Manifest) -> None:
    told = _told(_run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1}))
    assert _plain(told) == (
        "At 20 queries a request, in requests per second, raw SQL instead of the ORM gave 3.00x; crax instead of "
        "aiohttp gave 0.50x. Raw SQL instead of the ORM gave the same with crax as with aiohttp, within 3% (1.00x)."
    )
    assert re.search(r"gave 3\.00x \[2\.9\d–3\.0\d\]; ", told)


def test_of_another_test_than_query_that_varies_queries_the_name_is_told(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1})
    samples = tuple(replace(sample, trial=replace(sample.trial, test="update")) for sample in run.taken)
    entries = {name: labels | {"tests": "update"} for name, labels in ENTRIES.items()}
    settings = replace(run.manifest.settings, levels={"update": (20,)})
    told = _told(replace(run, manifest=replace(run.manifest, entries=entries, settings=settings), taken=samples))
    assert told.startswith("At 20 queries a request (update), in requests per second, ")


def test_where_only_two_changes_together_can_be_told_it_is_said_that_one_cannot(manifest: Manifest) -> None:
    run = _run(manifest, dict.fromkeys(ENTRIES, 1.0))
    answer = effects.analyse(run)
    both = replace(answer, effects=tuple(told for told in answer.effects if len(told.effect.changes) == 2))
    assert next(factors.sentences(both)) == (
        "No block has a sample of all the entries that an effect of one change needs."
    )
    none = replace(answer, effects=())
    assert next(factors.sentences(none)) == "No block has a sample of all the entries that an effect needs."


def test_what_acts_together_is_told_of_the_level_against_the_reference_too(manifest: Manifest) -> None:
    rates = {"aiohttp": 2.0, "aiohttp-raw": 4.0, "crax": 1.0, "crax-orm": 1.0}
    assert _plain(_told(_run(manifest, rates))).endswith(
        "crax instead of aiohttp gave 0.35x. Raw SQL instead of the ORM gave 0.50x as much with crax as with aiohttp."
    )


def test_the_lab_s_own_entries_are_named_in_the_sentence_and_in_the_table(manifest: Manifest) -> None:
    run = _run(manifest, {"crax": 2.0, "tfb-crax": 1.0})
    labels = {"crax": LABELS, "tfb-crax": LABELS | {"origin": "adopted"}}
    run = replace(run, manifest=replace(run.manifest, entries=labels))
    told = _text(run, effects.analyse(run, ["origin=adopted"]))
    assert "the lab's own instead of an adopted entry gave 2.00x" in told
    assert "| origin: lab / adopted " in told


@pytest.mark.parametrize(
    ("asked", "sentence", "row"),
    [
        ([], "raw SQL instead of the ORM gave 0.41x;", "orm: raw / full +\\| +0\\.408 "),
        (["orm=raw"], "the ORM instead of raw SQL gave 2.45x.", "orm: full / raw +\\| +2\\.449 "),
    ],
)
def test_sentences_and_tables_tell_an_effect_in_one_direction_that_of_the_table_s_head(
    manifest: Manifest, asked: list[str], sentence: str, row: str
) -> None:
    run = _run(manifest, {"aiohttp": 4.0, "aiohttp-raw": 1.0, "crax": 1.0, "crax-orm": 1.5})
    text = _text(run, effects.analyse(run, asked))
    assert sentence in _plain(text)
    assert re.search(rf"^\| +level \| effect: level / reference +\|(.|\n)+\| +20 \| {row}", text, re.MULTILINE)


def test_what_acts_together_is_told_in_the_direction_in_which_it_is_told_alone(manifest: Manifest) -> None:
    rates = {"aiohttp": 4.0, "aiohttp-raw": 1.0, "crax": 1.0, "crax-orm": 1.5}
    told = _plain(_told(_run(manifest, rates)))
    assert told.endswith("Raw SQL instead of the ORM gave 2.67x as much with crax as with aiohttp.")


def test_what_cannot_be_told_is_not_claimed(manifest: Manifest) -> None:
    noisy = (1.0, 1.6, 0.7, 1.3, 0.8)
    told = _plain(_told(_run(manifest, dict.fromkeys(ENTRIES, 1.0), noisy)))
    assert "gave" not in told.partition(". ")[0]
    assert told.count("cannot be told from no change") == 2
    assert re.search(r"\. Whether .* gave more with \w+ than with \w+ cannot be told \(\d\.\d\dx\)\.$", told)


def test_what_too_wide_means_stands_below_effects_that_say_it(manifest: Manifest) -> None:
    rates = dict.fromkeys(ENTRIES, 1.0)
    wide, calm = (_run(manifest, rates, noise) for noise in ((1.0, 3.0), QUIET))
    assert _text(wide, effects.analyse(wide)).endswith(f"\n\n{quantities.MEANING}\n")
    assert quantities.MEANING not in _text(calm, effects.analyse(calm))


def test_without_the_entries_for_it_nothing_is_said_of_what_acts_together(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 1.0, "aiohttp-raw": 3.0})
    assert _plain(_told(run)) == (
        "At 20 queries a request, in requests per second, raw SQL instead of the ORM (between aiohttp and aiohttp-raw "
        "alone) gave 3.00x. How the factors interact is unknown, because entries are missing."
    )


def test_where_some_entries_filled_the_host_and_others_did_not_no_factor_is_told_of(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1})
    mixed = tuple(replace(s, counters=full_host()) if s.trial.entry == "aiohttp" else s for s in run.taken)
    text = _text(run, effects.analyse(replace(run, taken=mixed)))
    assert text.split("\n\n")[1] == (
        "At 20 queries a request some entries filled the host and others did not, so neither requests per second nor "
        "requests per CPU-second shows what a factor does."
    )
    assert "### Factors in query: ratios [95 % interval], no outcome over all levels: some rows filled the host" in text
    assert "faster" not in text


def test_an_effect_over_fewer_levels_says_which(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6})
    levels = replace(run.manifest.settings, levels={"query": (1, 20)})
    extra = tuple(
        replace(s, trial=replace(s.trial, level=replace(s.trial.level, queries=1)))
        for s in run.taken
        if s.trial.entry == "aiohttp"
    )
    short = replace(run, manifest=replace(run.manifest, settings=levels), taken=run.taken + extra)
    assert re.search(r"\| 20 alone +\| orm: raw / full", _text(short, effects.analyse(short)))


def test_of_one_factor_alone_no_entry_is_called_missing(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1})
    sentence = _text(run, effects.analyse(run, ["orm"])).split("\n\n")[1]
    assert sentence.endswith("Only one factor was studied, so there are no interactions.")


def test_the_connections_are_named_where_these_vary(manifest: Manifest) -> None:
    assert _told(_run(manifest, dict.fromkeys(ENTRIES, 1.0), test="db")).startswith("At 128 connections (db), in ")


def test_a_run_without_a_sample_says_so(manifest: Manifest) -> None:
    assert "No block has a sample of all the entries" in _told(_run(manifest, {}))


def test_the_table_has_a_row_for_each_level_and_effect_with_both_figures(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1})
    text = _text(run, effects.analyse(run))
    section = text.partition("### Factors in query: ratios [95 % interval], outcome by requests/s")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")]
    assert [row[:2] + row[4:] for row in rows[1:]] == [
        ["20", "orm: raw / full", "5", "faster"],
        ["20", "framework: crax / aiohttp", "5", "slower"],
        ["20", "orm raw × framework crax", "5", "independent"],
        ["all", "orm: raw / full", "5", "faster"],
        ["all", "framework: crax / aiohttp", "5", "slower"],
        ["all", "orm raw × framework crax", "5", "independent"],
    ]
    assert all(
        re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}–\d\.\d{3}\](?: \(90 %\))?", cell) for row in rows[1:] for cell in row[2:4]
    )


def test_the_report_says_what_goes_with_a_factor_and_which_cells_have_no_entry(manifest: Manifest) -> None:
    run = _run(manifest, dict.fromkeys(ENTRIES, 1.0))
    more = ENTRIES | {"crax-uvicorn": ENTRIES["crax"] | {"server": "uvicorn"}}
    run = replace(run, manifest=replace(run.manifest, entries=more))
    text = _text(run, effects.analyse(run))
    assert "* framework: crax / aiohttp also changes json (json, ujson); this effect includes what that does." in text
    assert (
        "* Cells without an entry (orm, framework, server): full aiohttp uvicorn; full crax uvicorn; "
        "raw aiohttp uvicorn." in text
    )
    assert "* server: uvicorn / gunicorn comes from crax and crax-uvicorn." in text
    assert "Left out: crax-uvicorn has no sample." in text


def test_an_effect_that_is_lost_among_many_is_explained_where_there_is_one(manifest: Manifest) -> None:
    run = _run(manifest, {"aiohttp": 2, "aiohttp-raw": 6, "crax": 3, "crax-orm": 1})
    answer = effects.analyse(run)
    assert not any("although its own interval" in note for note in factors.notes(answer))
    first, *others = answer.effects
    lost = replace(first, pair=replace(first.pair, outcome=Outcome.UNDECIDED))
    told = replace(answer, effects=(lost, *others))
    assert factors.notes(told)[-1].endswith("although its own interval excludes 1.")


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_stands_in_its_cell(manifest: Manifest, entry: str) -> None:
    run = _run(manifest, dict.fromkeys(ENTRIES, 1.0))
    labels = ENTRIES[entry]
    text = _text(run, effects.analyse(run))
    assert re.search(rf"\| {entry} +\| {labels['orm']} +\| {labels['framework']} +\|", text)
