"""A run whose files were changed, piece by piece: each is refused in one plain line, or all can be told of it."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import StoreError
from benchlab.records import schema
from benchlab.records.facts import Facts
from benchlab.records.plan import Variant
from benchlab.records.run import Decision, Failure, Record
from benchlab.report import export, outputs, runs
from benchlab.statistics import analysis, baseline, candidate, comparability, effects
from benchlab.statistics.factorial import DesignError
from benchlab.storage import store

from .conftest import LABELS, STARTED, long_samples, make_finding, make_manifest, make_sample, make_trial
from .mutations import REMOVED, VALUES, Place, assert_each_is_plain_or_told, changed, written

FACTS: dict[str, object] = {
    "lab_version": "0.1.0",
    "lab_commit": "a" * 40,
    "lab_branch": "main",
    "lab_repository": "https://example.org/lab",
    "lab_changed_files": 0,
    "argv": ["--framework", "crax"],
    "engine_id": "one",
    "engine_version": "20.10",
    "engine_os": "Linux",
    "host": {"cpu_model": "Model X", "cpu_governors": ["performance"], "kernel": "6", "cgroup_tree": "v1"},
    "database": {"version": "16", "settings": {"fsync": "off"}},
    "wrk": {"version": "4", "scripts_sha256": {"report.lua": "a"}},
    "entries": {"crax": {"python": "3.13"}},
    "analysis": analysis.parameters(),
    "unbuilt": {"other": "it could not be built"},
}


def _manifest() -> dict[str, Any]:
    made = make_manifest()
    own = replace(
        made.settings, levels={"json": (16,), "query": (20,)}, precision=0.03, budget_s=600, db_connections=(16,)
    )
    labels = LABELS | {"origin": "adopted", "base": "python:3=benchlab/base", "tfb.notes": "one"}
    entries = {"aiohttp": LABELS | {"orm": "full"}, "crax": labels}
    variants = {"aiohttp": Variant("aiohttp"), "crax": Variant("wave", {"connections": "32"})}
    full = replace(made, settings=own, entries=entries, variants=variants, facts=Facts.of(FACTS))
    full = replace(full, placement={"client": (0,), "app": (1,)})
    content: dict[str, Any] = json.loads(json.dumps(schema.described(full)))
    return content


def _lines() -> list[dict[str, Any]]:
    samples = [make_sample(make_trial(block, entry)) for block in (1, 2) for entry in ("aiohttp", "crax")]
    others: list[Record] = [Failure(make_trial(3), STARTED, "it died"), Decision(STARTED, 2, 4, 4, "x"), make_finding()]
    return [json.loads(json.dumps(schema.line(record))) for record in (*samples, *others)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "results" / "run"
    made.mkdir(parents=True)
    (made / store.MANIFEST).write_text(json.dumps(_manifest()))
    (made / store.JOURNAL).write_text("".join(f"{json.dumps(line)}\n" for line in _lines()))
    return made


def _told(folder: Path) -> None:
    """Make all that is made of a run."""
    run = store.read(folder)
    text = outputs.text(run)
    for told in (text, outputs.html(run), export.samples_csv(run)):
        told.encode()
    assert not re.search(r"[\x00-\x08\x1b\u202e]", text)
    assert all(export.text(run, form) for form in ("tfb", "csv", "json") if run.samples)
    assert comparability.differences(run.manifest, run.manifest) == []
    candidate.compare(
        *(baseline.of_versions(run) if run.manifest.settings.against else baseline.of_several([run], [run]))
    )
    with suppress(DesignError):
        effects.analyse(run)
    runs.left(run, folder)


def _refused(folder: Path) -> str:
    try:
        store.read(folder)
    except StoreError as error:
        return str(error)
    return ""


def test_the_run_that_is_changed_can_be_told_before(folder: Path) -> None:
    _told(folder)


@pytest.mark.parametrize("value", VALUES)
def test_a_manifest_with_any_other_value_is_refused_in_plain_words_or_can_be_told(folder: Path, value: object) -> None:
    def write(content: Any) -> None:
        (folder / store.MANIFEST).write_text(written(content))

    assert_each_is_plain_or_told(
        _manifest(), value, write, lambda: _refused(folder), lambda: _told(folder), str(folder)
    )


@pytest.mark.parametrize("number", [0, 4, 5, 6], ids=["sample", "failure", "decision", "verification"])
@pytest.mark.parametrize("value", VALUES)
def test_a_line_with_any_other_value_is_refused_in_plain_words_or_can_be_told(
    folder: Path, value: object, number: int
) -> None:
    lines = _lines()

    def write(content: Any) -> None:
        others = [*lines[:number], content, *lines[number + 1 :]]
        (folder / store.JOURNAL).write_text("".join(f"{written(line)}\n" for line in others))

    named = str(folder / store.JOURNAL)
    assert_each_is_plain_or_told(lines[number], value, write, lambda: _refused(folder), lambda: _told(folder), named)


def test_a_run_of_an_older_lab_with_a_seed_that_is_refused_now_is_read(folder: Path) -> None:
    (folder / store.MANIFEST).write_text(written(changed(_manifest(), ("settings", "seed"), -1)))
    _told(folder)


def test_a_run_of_an_older_lab_with_the_old_name_of_the_study_s_profile_is_read(folder: Path) -> None:
    old = json.loads(json.dumps(asdict(long_samples()))) | {"profile": "seed"}
    (folder / store.MANIFEST).write_text(written(_manifest() | {"settings": old}))
    assert store.read_manifest(folder).settings.profile == "study"
    _told(folder)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("settings", "blocks"), -8, "settings.blocks is -8, and must be 1 to 1000"),
        (("settings", "blocks"), "8", 'settings.blocks is "8", and must be a whole number'),
        (("settings", "blocks"), REMOVED, "settings.blocks is missing"),
        (
            ("settings", "profile"),
            "sed",
            'settings.profile is "sed", and must be one of default, quick, study, tfb',
        ),
        (("settings", "levels", "json"), [16, 16], "settings.levels.json is a list, and must be levels, each once"),
        (("settings", "levels", "jsn"), [16], 'settings.levels has "jsn", which is no test; there is json, plaintext'),
        (("settings", "warmup_s"), [1], "settings.warmup_s has 1 values, and must have 2"),
        (("settings", "more"), 1, "settings.more is nothing that this lab knows"),
        (("created_at",), "yesterday", 'created_at is "yesterday", and must be a time with its zone, like 2026-'),
        (("entries", "crax", "tests"), REMOVED, "entries.crax.tests is missing"),
        (("entries", "crax", "workers"), "0", 'entries.crax.workers is "0", and must be from 1 to 999999'),
        (("entries", "a\x1b[2J"), LABELS, 'entries has "a\\u001b[2J", which is no name of an entry'),
        (("run_id",), "a\nb", 'run_id is "a\\nb", and must be a word in one line'),
        (("facts", "host", "more"), math.inf, "facts.host.more is not a finite number"),
        (("cpus",), 0, "cpus is 0, and must be from 1 to 999999"),
        (("variants", "wave"), {"origin": "crax", "levels": {}}, 'variants has "wave", which is no entry of the run'),
        (("variants", "crax", "origin"), "a\nb", 'variants.crax.origin is "a\\nb", which is no name of an entry'),
        (
            ("variants", "crax", "levels", "moon"),
            "full",
            'variants.crax.levels has "moon", which is no factor that this lab varies',
        ),
        (
            ("variants", "crax", "levels", "commit"),
            "abc1234",
            "entries.crax has no other version beside it",
        ),
        (("settings", "against"), "abc1234", 'settings.against is "abc1234", and entries has none of another commit'),
    ],
)
def test_what_is_wrong_with_a_manifest_is_told_by_its_key(folder: Path, path: Place, value: object, said: str) -> None:
    (folder / store.MANIFEST).write_text(written(changed(_manifest(), path, value)))
    assert _refused(folder).startswith(f"{folder / store.MANIFEST} cannot be read ({said}")
    assert _refused(folder).endswith("); restore it or start a new run")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("trial",), REMOVED, "trial is missing"),
        (("trial", "level", "more"), 1, "trial.level.more is nothing that this lab knows"),
        (("trial", "level"), [1, 2], "trial.level is a list, and must be an object"),
        (("load", "requests"), "many", 'load.requests is "many", and must be a whole number'),
        (("load", "requests"), 10**400, "load: requests of a number of many digits cannot be; it is 0 or more"),
        (("counters", "received"), [[1]], "counters.received[1] has 1 values, and must have 2"),
        (("counters", "roles", "app", "cpu_us"), -1, "counters: cpu_us ran backwards by 1"),
        (("kind",), "simple", 'kind is "simple", and must be one of sample, failure, decision, look, verification'),
        (("kind",), REMOVED, "kind is null, and must be one of"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_by_its_key(folder: Path, path: Place, value: object, said: str) -> None:
    (folder / store.JOURNAL).write_text(f"{written(changed(_lines()[0], path, value))}\n")
    assert _refused(folder).startswith(f"{folder / store.JOURNAL}, line 1: not a record ({said}")
    assert _refused(folder).endswith("); mend or remove the line")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON at column 1"),
        (b"{", "no JSON at column 2"),
        (b'{\n"schema": 3,\n', "no JSON at line 3, column 1"),
        (b"\0", "no JSON at column 1"),
        (b'{"schema": "\xff"}', "byte 13 is no UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"schema": ' + b"9" * 5_000 + b"}", "a number in it has too many digits"),
        (b'{"schema": NaN}', "NaN is no number"),
    ],
    ids=["empty", "cut", "cut later", "NUL", "Latin-1", "deep", "long number", "NaN"],
)
def test_what_is_no_json_is_told_in_plain_words(folder: Path, content: bytes, said: str) -> None:
    (folder / store.JOURNAL).write_bytes(content.replace(b"\n", b" ") + b"\n")
    told = said.replace("line 3, column 1", "column 16")
    assert _refused(folder) == (f"{folder / store.JOURNAL}, line 1: not a record ({told}); mend or remove the line")
    (folder / store.MANIFEST).write_bytes(content)
    assert _refused(folder) == f"{folder / store.MANIFEST} cannot be read ({said}); restore it or start a new run"
