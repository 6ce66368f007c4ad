"""A journal's lines: their order tells nothing, and what cannot be the run's own is refused by its line."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchlab.core.errors import StoreError
from benchlab.records.checks import MOST
from benchlab.records.plan import Manifest
from benchlab.records.run import GOOD, INVALID, SUSPECT, Decision, Failure, Record
from benchlab.report import outputs
from benchlab.storage import store

from .conftest import LABELS, STARTED, make_finding, make_load, make_manifest, make_sample, make_trial

SAMPLE, FINDING = make_sample(), make_finding()
FAILURE = Failure(make_trial(block=2), STARTED, "it died")
DECISION = Decision(STARTED, 2, 4, 4, "spread")
EVERY = (SAMPLE, FAILURE, DECISION, FINDING)
DERIVED = (store.CSV, store.REPORT, store.PAGE)


def _kept(results: Path, manifest: Manifest, *found: Record) -> Path:
    """Return the folder of a run with these lines."""
    journal = store.create(results, manifest)
    for record in found:
        journal.append(record)
    return journal.folder


def _manifest() -> Manifest:
    """Return what a run is of one test at two levels, each sampled twice in a visit, whose blocks are decided on."""
    manifest = make_manifest()
    own = replace(manifest.settings, levels={"json": (16, 32)}, repeats=2, precision=0.03)
    return replace(manifest, settings=own)


def _lines_of_a_run() -> list[Record]:
    """Return all that can happen: what is taken anew, and why, failures, repeats; often at the same moment."""
    severities = {
        3: (INVALID, SUSPECT, GOOD),
        7: (SUSPECT, SUSPECT),
        12: (INVALID, INVALID, INVALID),
        20: (INVALID, GOOD),
    }
    trials = [
        replace(make_trial(block, entry, "json", level), repeat=repeat)
        for block in (1, 2, 3)
        for entry in ("aiohttp", "crax")
        for level in (16, 32)
        for repeat in (1, 2)
    ]
    taken = [
        replace(
            make_sample(trial, make_load(1000 + 37 * number % 200 + attempt), severity, attempt),
            started_at=STARTED + timedelta(seconds=number // 2),
        )
        for number, trial in enumerate(trials[:-1])
        for attempt, severity in enumerate(severities.get(number, (GOOD,)), start=1)
    ]
    failures = [
        Failure(trials[5], STARTED, "wrk broke", passing=True),
        *(Failure(trials[-1], STARTED + timedelta(seconds=second), f"died {second}") for second in (1, 1, 2)),
        Failure(trials[-1], STARTED + timedelta(seconds=2), "died otherwise"),
    ]
    findings = [make_finding(), make_finding("aiohttp"), make_finding("aiohttp", warning=False)]
    return [*taken, *failures, *findings, Decision(STARTED, 2, 3, 3, "spread")]


def _derived(folder: Path) -> list[bytes]:
    """Return what is derived from the run."""
    run = store.read(folder)
    store.Journal(folder).derive(run, outputs.outputs(run))
    return [(folder / name).read_bytes() for name in DERIVED]


@settings(max_examples=10)
@given(st.permutations(range(len(_lines_of_a_run()))))
def test_the_order_of_the_lines_changes_nothing_that_is_derived(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = _kept(tmp_path_factory.mktemp("results"), _manifest(), *_lines_of_a_run())
    as_measured = _derived(folder)
    lines = (folder / store.JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / store.JOURNAL).write_bytes(b"".join(lines[number] for number in order))
    assert _derived(folder) == as_measured


@pytest.mark.parametrize(
    ("record", "old", "new"),
    [
        (SAMPLE, '"requests": 1000', '"requests": NaN'),
        (SAMPLE, '"requests": 1000', '"requests": 1e400'),
        (SAMPLE, '"requests": 1000', '"requests": 9999999999999999'),
        (SAMPLE, '"duration_us": 1000000', '"duration_us": 0'),
        (SAMPLE, '"wall_us": 1020000', '"wall_us": -1'),
        (SAMPLE, '"wall_us": 1020000', f'"wall_us": {MOST + 1}'),
        (SAMPLE, '"stdev_us": 100.0', '"stdev_us": 1e400'),
        (SAMPLE, '"p99_9_us": 8000.0', '"p99_9_us": -1'),
        (SAMPLE, '"status": 0', '"status": "none"'),
        (SAMPLE, '"attempt": 1', '"attempt": "first"'),
        (SAMPLE, '"attempt": 1', '"attempt": 0'),
        (SAMPLE, '"block": 1', '"block": 1.0'),
        (SAMPLE, '"threads": 2', '"threads": 0'),
        (SAMPLE, "+00:00", ""),
        (SAMPLE, "2026-11-23T", "9999-11-23T"),
        (SAMPLE, '"broken": {}', '"broken": {"duration error": "very"}'),
        (SAMPLE, '"broken": {}', '"broken": {"duration error": 1e400}'),
        (SAMPLE, '"unknown": []', '"unknown": [1]'),
        (SAMPLE, '"detail": ""', '"detail": "\\ud800"'),
        (SAMPLE, '"severity": "good"', '"severity": "fabulous"'),
        (SAMPLE, '"cpu_us": 500000', '"cpu_us": -1'),
        (SAMPLE, '"cpu_us": 500000', f'"cpu_us": {MOST + 1}'),
        (SAMPLE, '"between_us": 1050000', f'"between_us": {MOST + 1}'),
        (SAMPLE, '"speeds_us": [5000.0,', '"speeds_us": [1e400,'),
        (SAMPLE, '"speeds_us": [5000.0,', '"speeds_us": [true,'),
        (SAMPLE, '"app": {', '"stranger": {'),
        (SAMPLE, '"kind": "sample"', '"kind": "simple"'),
        (FAILURE, '"reason": "it died"', '"reason": 5'),
        (FAILURE, '"passing": false', '"passing": "no"'),
        (FAILURE, "+00:00", ""),
        (DECISION, '"blocks": 4', '"blocks": "many"'),
        (DECISION, '"blocks": 4', '"blocks": 1'),
        (DECISION, '"blocks": 4', '"blocks": 1001'),
        (DECISION, '"pilot": 2', '"pilot": 3'),
        (DECISION, '"needed": 4', '"needed": 0'),
        (DECISION, '"reason": "spread"', '"reason": null'),
        (DECISION, "+00:00", ""),
        (FINDING, '"block": 1', '"block": 0'),
        (FINDING, '"rule": "extra keys"', '"rule": null'),
        (FINDING, '"warning": true', '"warning": 1'),
        (FINDING, '"test": "json"', '"test": "update"'),
        (FINDING, '"entry": "crax"', '"entry": "stranger"'),
        (FINDING, "+00:00", ""),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(
    tmp_path: Path, manifest: Manifest, record: Record, old: str, new: str
) -> None:
    folder = _kept(tmp_path, manifest, make_sample(make_trial(entry="aiohttp")), record)
    path = folder / store.JOURNAL
    text = path.read_text()
    before, found, after = text.rpartition("\n{")
    assert old in after
    path.write_text(f"{before}{found}{after.replace(old, new, 1)}")
    with pytest.raises(StoreError, match="line 2: not a record"):
        store.read(folder)


def test_the_collector_of_garbage_goes_on_after_a_journal_that_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, manifest)
    (journal.folder / store.JOURNAL).write_text("{}\n")
    with pytest.raises(StoreError):
        store.read(journal.folder)
    assert gc.isenabled()


def test_a_second_decision_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    folder = _kept(tmp_path, manifest, DECISION, replace(DECISION, blocks=5))
    with pytest.raises(StoreError, match="it has 2 decisions on the number of blocks; were two runs mixed"):
        store.read(folder)


@pytest.mark.parametrize(
    ("record", "named"),
    [(SAMPLE, "1/crax/json/c16-q0-p1"), (FINDING, "crax json extra keys")],
    ids=["sample", "finding"],
)
def test_what_is_in_the_journal_twice_is_refused(
    tmp_path: Path, manifest: Manifest, record: Record, named: str
) -> None:
    folder = _kept(tmp_path, manifest, record, record)
    with pytest.raises(StoreError, match=f"{named} is in it twice; were two runs mixed"):
        store.read(folder)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (make_sample(make_trial(block=99)), "99/crax/json/c16-q0-p1"),
        (Failure(make_trial(block=99), STARTED, "it died"), "99/crax/json/c16-q0-p1"),
        (make_finding(block=99), "crax json extra keys"),
    ],
    ids=["sample", "failure", "finding"],
)
def test_a_block_beyond_the_run_s_is_refused(tmp_path: Path, manifest: Manifest, record: Record, named: str) -> None:
    folder = _kept(tmp_path, manifest, SAMPLE, record)
    with pytest.raises(StoreError, match=f"{named} is of a block beyond the run's 2; were two runs mixed"):
        store.read(folder)


@pytest.mark.parametrize("record", [SAMPLE, FAILURE, FINDING], ids=["sample", "failure", "finding"])
def test_a_test_type_that_the_entry_does_not_declare_is_refused(
    tmp_path: Path, manifest: Manifest, record: Record
) -> None:
    undeclared = replace(manifest, entries={**manifest.entries, "crax": LABELS | {"tests": "plaintext query"}})
    folder = _kept(tmp_path, undeclared, record)
    with pytest.raises(StoreError, match=r"line 1: not a record .* of 20261123-120000-quick; were two runs mixed"):
        store.read(folder)


def test_a_time_of_another_zone_is_told_in_utc(tmp_path: Path, manifest: Manifest) -> None:
    folder = _kept(tmp_path, manifest, SAMPLE)
    path = folder / store.JOURNAL
    path.write_text(path.read_text().replace("T12:00:00+00:00", "T13:00:00+01:00"))
    (sample,) = store.read(folder).taken
    assert sample.started_at.isoformat() == "2026-11-23T12:00:00+00:00"


def test_a_line_with_its_keys_in_another_order_is_the_same_record(tmp_path: Path, manifest: Manifest) -> None:
    folder = _kept(tmp_path, manifest, *EVERY)
    as_measured = store.read(folder)
    path = folder / store.JOURNAL
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(dict(reversed(line.items())), indent=None)}\n" for line in lines))
    assert store.read(folder) == as_measured


def test_a_whole_number_that_broke_a_rule_is_kept_as_one(tmp_path: Path, manifest: Manifest) -> None:
    broken = replace(
        SAMPLE, verdict=replace(SAMPLE.verdict, severity=SUSPECT, broken={"duration error": 2, "steal": 0.5})
    )
    (sample,) = store.read(_kept(tmp_path, manifest, broken)).taken
    assert json.dumps(sample.verdict.broken) == '{"duration error": 2, "steal": 0.5}'
