from __future__ import annotations

import csv
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchlab.core.errors import StoreError
from benchlab.quality import judge
from benchlab.records import schema
from benchlab.records.load import Load
from benchlab.records.plan import Level, Manifest, Settings, Variant
from benchlab.records.run import Decision, Failure, Pace, Run, Sample
from benchlab.report import export, outputs
from benchlab.storage import files, store

from . import refusals
from .conftest import COMMIT, LABELS, STARTED, make_finding, make_manifest, make_trial

ROOT = Path(__file__).parents[2]
# A bare locale, without Python's own remedy for it.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0"}
FINISH = """
import sys
from pathlib import Path
from benchlab.cli import measure
from benchlab.core import output
from benchlab.report import outputs
from benchlab.storage import store
folder = Path(sys.argv[1])
run = store.read(folder)
store.Journal(folder).derive(run, {store.REPORT: outputs.text(run)})
output.install()
measure.finish(folder, run)
"""


def _failure(reason: str = "it died") -> Failure:
    return Failure(make_trial(block=2), STARTED, reason)


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path, manifest: Manifest, sample: Sample) -> None:
    journal = store.create(tmp_path, manifest)
    failures = (_failure(), Failure(make_trial(block=3), STARTED, "errors", passing=True))
    decision, findings = Decision(STARTED, 2, 4, None, "a budget"), (make_finding("aiohttp"), make_finding())
    for record in (sample, *failures, decision, *findings):
        journal.append(record)
    assert store.read(tmp_path / manifest.run_id) == Run(manifest, (sample,), failures, decision, findings)


@given(reason=st.text())
def test_any_reason_survives_the_journal(tmp_path_factory: pytest.TempPathFactory, reason: str) -> None:
    journal = store.create(tmp_path_factory.mktemp("results"), make_manifest())
    try:
        reason.encode()
    except UnicodeEncodeError:
        return
    journal.append(_failure(reason))
    assert store.read(journal.folder).failures == (_failure(reason),)


def test_latest_points_to_the_newest_run(tmp_path: Path, manifest: Manifest) -> None:
    for run_id in ("first", "second"):
        store.create(tmp_path, replace(manifest, run_id=run_id))
    assert (tmp_path / "latest").resolve() == tmp_path / "second"


def test_a_cut_off_last_line_is_left_out_and_dropped_before_going_on(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(sample)
    path = journal.folder / store.JOURNAL
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert store.read(journal.folder).samples == (sample,)
        reopened, dropped = store.reopen(journal.folder)
        assert dropped == cut
        reopened.append(_failure())
        assert store.read(journal.folder).failures == (_failure(),)


def test_nonsense_inside_the_journal_is_refused_with_its_line(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(sample)
    path = journal.folder / store.JOURNAL
    path.write_bytes(path.read_bytes() + b'{"kind": "sample"}\n')
    with pytest.raises(StoreError, match="line 2"):
        store.read(journal.folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run"):
        store.read(tmp_path)


def test_another_schema_is_refused_with_all_numbers(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, manifest)
    path = journal.folder / store.MANIFEST
    path.write_text(path.read_text().replace(f'"schema": {schema.SCHEMA}', '"schema": 99'))
    with pytest.raises(StoreError, match=f"schema 99, this lab reads 3, 4, 5, 6 and {schema.SCHEMA}; "):
        store.read(journal.folder)


def test_a_run_of_the_schema_before_gates_looked_has_no_gate(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(sample)
    path = journal.folder / store.MANIFEST
    content = json.loads(path.read_text()) | {"schema": 5}
    del content["settings"]["margin"], content["settings"]["looks"]
    path.write_text(json.dumps(content))
    run = store.read(journal.folder)
    assert (run, run.looks, run.answer) == (Run(manifest, (sample,), ()), (), None)


def test_a_run_of_the_schema_before_is_read_with_its_verdicts_as_they_were(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(sample)
    path = journal.folder / store.MANIFEST
    path.write_text(path.read_text().replace(f'"schema": {schema.SCHEMA}', '"schema": 3'))
    assert store.read(journal.folder).taken == (sample,)


def _without_variants(folder: Path) -> None:
    """Make of the run's manifest one as it was before it had records of the variants."""
    path = folder / store.MANIFEST
    content = json.loads(path.read_text())
    del content["variants"]
    path.write_text(json.dumps(content | {"schema": 4}))


@pytest.mark.parametrize(
    ("changes", "variants"),
    [
        ({}, {name: Variant(name) for name in ("x", "x-at-y", "x-pool-3", "x-via-nginx")}),
        (
            {"proxy": "none,nginx"},
            {name: Variant(name) for name in ("x", "x-at-y", "x-pool-3")}
            | {"x-via-nginx": Variant("x", {"proxy": "nginx"})},
        ),
        (
            {"db_connections": (16, 3)},
            {name: Variant(name) for name in ("x", "x-at-y", "x-via-nginx")}
            | {"x-pool-3": Variant("x", {"connections": "3"})},
        ),
        (
            {"against": COMMIT * 3},
            {name: Variant(name) for name in ("x", "x-at-y")}
            | {f"{name}-at-{COMMIT}": Variant(name, {"commit": COMMIT * 3}) for name in ("x", "x-at-y")},
        ),
        (
            {"proxy": "none,nginx", "db_connections": (16, 3)},
            {
                "x": Variant("x"),
                "x-pool-3": Variant("x", {"connections": "3"}),
                "x-via-nginx": Variant("x", {"proxy": "nginx"}),
                "x-via-nginx-pool-3": Variant("x", {"proxy": "nginx", "connections": "3"}),
            },
        ),
    ],
)
def test_of_a_run_before_there_were_records_its_settings_say_which_names_are_those_of_variants(
    tmp_path: Path, manifest: Manifest, changes: dict[str, Any], variants: dict[str, Variant]
) -> None:
    settings = replace(manifest.settings, frameworks=tuple(sorted(variants)), **changes)
    made = replace(manifest, settings=settings, entries=dict.fromkeys(variants, LABELS), variants=variants)
    journal = store.create(tmp_path, made)
    _without_variants(journal.folder)
    assert store.read_manifest(journal.folder) == made


def test_a_broken_manifest_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, manifest)
    (journal.folder / store.MANIFEST).write_text("{")
    with pytest.raises(StoreError, match=r"manifest.json cannot be read"):
        store.read(journal.folder)


@pytest.mark.parametrize("content", ["[]", "{}"])
def test_a_manifest_that_is_none_is_told_without_an_exception_s_words(tmp_path: Path, content: str) -> None:
    (tmp_path / store.MANIFEST).write_text(content)
    with pytest.raises(StoreError, match=r"manifest.json is not one of a run; restore it or start a new run$"):
        store.read(tmp_path)


@pytest.mark.parametrize("name", [store.MANIFEST, store.JOURNAL])
def test_a_run_that_may_not_be_read_is_not_told_to_be_lost(tmp_path: Path, manifest: Manifest, name: str) -> None:
    with TemporaryDirectory() as results:
        Path(results).chmod(0o755)
        folder = store.create(Path(results), manifest).folder
        with refusals.without_rights(folder / name), pytest.raises(StoreError) as error:
            store.read(folder)
        assert str(error.value) == (f"{folder / name} cannot be read (Permission denied); fix its owner or permissions")


def test_a_results_folder_that_is_a_file_is_refused_with_the_remedy(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "results").write_text("")
    for use in (store.check, lambda results: store.create(results, manifest)):
        with pytest.raises(StoreError) as error:
            use(tmp_path / "results")
        remedy = "fix its owner or permissions, or make room, then start anew"
        assert re.fullmatch(rf"\S+results\S* cannot be written \(.+\); {remedy}", str(error.value))


def test_a_run_whose_folder_cannot_be_written_is_told_to_be_kept(tmp_path: Path, manifest: Manifest) -> None:
    folder = store.create(tmp_path, manifest).folder
    store.check_run(folder)
    # The tests may run as root, whom no mode keeps from writing.
    (folder / ".probe").mkdir()
    remedy = "nothing measured before is lost: fix its owner or permissions, or make room"
    with pytest.raises(StoreError, match=rf"^{folder} cannot be written \(.+\); {remedy}$"):
        store.check_run(folder)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        (store.CSV, lambda folder: store.Journal(folder).derive(store.read(folder), {store.CSV: ""})),
        (store.REPORT, lambda folder: store.write_report(folder, "")),
        ("compare-old.html", lambda folder: store.write_comparison(folder, "old", "")),
        (f"{store.LOGS}/crax.log", lambda folder: store.keep_log(folder, "crax", "")),
    ],
)
def test_where_nothing_is_being_measured_a_file_that_cannot_be_written_has_a_remedy_without_it(
    tmp_path: Path, manifest: Manifest, name: str, write: Callable[[Path], object]
) -> None:
    folder = store.create(tmp_path, manifest).folder
    path = folder / name
    # The tests may run as root, whom no mode keeps from writing.
    path.with_name(f".{path.name}.draft").mkdir(parents=True)
    with pytest.raises(StoreError) as error:
        write(folder)
    assert str(error.value) == (
        f"{path} cannot be written (Is a directory); fix its owner or permissions, or make room"
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "(No space left on device); make room, then start anew"),
        (errno.EACCES, "(Permission denied); fix its owner or permissions, then start anew"),
    ],
)
def test_what_cannot_be_written_is_told_with_what_helps_against_that_and_no_more(number: int, said: str) -> None:
    with (
        pytest.raises(StoreError, match=f"^results cannot be written {re.escape(said)}$"),
        files.writing(Path("results"), files.BEFORE),
    ):
        raise OSError(number, os.strerror(number))


def test_a_full_disk_leaves_a_journal_of_whole_lines(tmp_path: Path, manifest: Manifest, sample: Sample) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(sample)
    size = (journal.folder / store.JOURNAL).stat().st_size
    remedy = "nothing measured before is lost: make room"
    _refuse_with_room_for(size + 20, lambda: journal.append(_failure()), remedy)
    assert store.read(journal.folder).samples == (sample,)
    assert (journal.folder / store.JOURNAL).stat().st_size == size


def test_a_full_disk_leaves_no_part_of_a_new_run(tmp_path: Path, manifest: Manifest) -> None:
    results = tmp_path / "results"
    _refuse_with_room_for(20, lambda: store.create(results, manifest), "make room, then start anew")
    assert list(results.iterdir()) == []


def test_a_run_that_is_there_is_not_removed_by_one_of_its_name(tmp_path: Path, manifest: Manifest) -> None:
    folder = store.create(tmp_path, manifest).folder
    with pytest.raises(StoreError, match="File exists"):
        store.create(tmp_path, manifest)
    assert store.read(folder).manifest == manifest


def test_a_full_disk_leaves_no_draft_and_the_old_file(tmp_path: Path, manifest: Manifest) -> None:
    folder = store.create(tmp_path, manifest).folder
    store.write_report(folder, "old")
    before = sorted(folder.iterdir())
    _refuse_with_room_for(20, lambda: store.write_report(folder, 30 * "new"), "make room")
    assert (sorted(folder.iterdir()), (folder / store.REPORT).read_text()) == (before, "old")


def _refuse_with_room_for(most_bytes: int, write: Callable[[], object], remedy: str) -> None:
    """Assert that a write is refused with the remedy where no file may grow over `most_bytes`."""
    child = os.fork()
    if child == 0:
        os._exit(_refused(most_bytes, write, remedy))
    assert os.waitpid(child, 0)[1] == 0


def _refused(most_bytes: int, write: Callable[[], object], remedy: str) -> int:
    """Return 0 when the write was refused as it should be."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        write()
    except StoreError as error:
        return 0 if re.fullmatch(rf"\S+ cannot be written \(.+\); {remedy}", str(error)) else 1
    return 2


def test_the_csv_holds_every_sample_and_no_failure(tmp_path: Path, manifest: Manifest, sample: Sample) -> None:
    journal = store.create(tmp_path, manifest)
    later = replace(sample, trial=make_trial(block=2), started_at=STARTED + timedelta(seconds=9))
    for record in (sample, _failure(), later):
        journal.append(record)
    run = store.read(journal.folder)
    journal.derive(run, outputs.outputs(run))
    with (journal.folder / store.CSV).open() as file:
        rows = list(csv.DictReader(file))
    assert [
        (row["block"], row["entry"], row["connections"], row["requests"], row["latency_max_us"]) for row in rows
    ] == [
        ("1", "crax", "16", "1000", "9000.0"),
        ("2", "crax", "16", "1000", "9000.0"),
    ]
    assert (rows[0]["host_busy_us"], rows[0]["app_cpu_us"], rows[0]["errors_timeout"]) == ("900000", "500000", "0")
    assert (journal.folder / store.REPORT).read_text() == outputs.text(run)
    assert (journal.folder / store.PAGE).read_text() == outputs.html(run)


class Summed(Load):
    """A load that keeps what was once asked of it."""

    @cached_property
    def per_request(self) -> float:
        return self.bytes / self.requests


def test_what_a_record_keeps_beside_its_fields_shifts_no_column(manifest: Manifest, sample: Sample) -> None:
    loads = [Summed(**{name: getattr(sample.load, name) for name in vars(sample.load)}) for _ in range(2)]
    taken = tuple(replace(sample, trial=make_trial(block), load=load) for block, load in enumerate(loads, start=1))
    before = export.samples_csv(Run(manifest, taken, ()))
    assert loads[1].per_request == 150
    assert "per_request" in vars(loads[1])
    assert export.samples_csv(Run(manifest, taken, ())) == before


def test_a_trial_that_failed_and_was_then_measured_is_not_missing(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    failed = Failure(sample.trial, STARTED, "it died")
    for record in (failed, _failure("first"), sample, _failure("second")):
        journal.append(record)
    run = store.read(journal.folder)
    assert judge.missing(run) == (_failure("second"),)
    assert run.measured == {sample.trial.key}


def test_a_report_is_written_and_printed_in_a_locale_that_lacks_its_letters(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    for record in (sample, _failure("wrong answer: 16–32 „nein“")):
        journal.append(record)
    result = subprocess.run(
        [sys.executable, "-c", FINISH, str(journal.folder)], cwd=ROOT, env={**os.environ, **ASCII}, capture_output=True
    )
    written = (journal.folder / store.REPORT).read_text(encoding="utf-8")
    assert "wrong answer: 16–32 „nein“" in written
    assert (result.returncode, result.stdout.decode("ascii").strip()) == (
        0,
        written.encode("ascii", "replace").decode().strip(),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"entry": "stranger"},
        {"test": "query"},
        {"level": Level(64, 2)},
        {"block": 0},
        {"repeat": 0},
    ],
)
def test_a_line_of_another_run_is_refused_by_its_number(
    tmp_path: Path, manifest: Manifest, sample: Sample, change: dict[str, Any]
) -> None:
    only_json = replace(manifest, settings=replace(manifest.settings, levels={"json": (16,)}))
    journal = store.create(tmp_path, only_json)
    journal.append(sample)
    journal.append(replace(sample, trial=replace(sample.trial, **change)))
    with pytest.raises(
        StoreError, match=r"line 2: not a record .* is no trial of 20261123-120000-quick; were two runs"
    ):
        store.read(journal.folder)


def test_a_long_sample_that_was_not_asked_for_is_of_another_run(
    tmp_path: Path, manifest: Manifest, settings: Settings, sample: Sample
) -> None:
    journal = store.create(tmp_path, replace(manifest, settings=settings))
    journal.append(replace(sample, trial=replace(sample.trial, repeat=2)))
    with pytest.raises(StoreError, match="is no trial of"):
        store.read(journal.folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"blocks": 2', '"blocks": "x"', 'settings.blocks is "x", and must be a whole number'),
        ("2026-11-23T12:00:00+00:00", "2026-11-23T12:00:00", "must be a time with its zone"),
    ],
)
def test_a_manifest_that_the_lab_would_not_write_is_refused(
    tmp_path: Path, manifest: Manifest, old: str, new: str, said: str
) -> None:
    folder = store.create(tmp_path, manifest).folder
    path = folder / store.MANIFEST
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(StoreError, match=said):
        store.read(folder)


@pytest.mark.parametrize("groups", [(("aiohttp", "stranger"),), ((),), (("crax", "crax"),)])
def test_groups_that_are_none_of_the_run_are_refused(
    tmp_path: Path, manifest: Manifest, groups: tuple[tuple[str, ...], ...]
) -> None:
    folder = store.create(tmp_path, replace(manifest, groups=groups)).folder
    with pytest.raises(StoreError, match=r"groups has .* entries of the run, each once"):
        store.read(folder)


def _pace(test: str) -> Pace:
    return Pace(STARTED, test, 5, 0.5)


@pytest.mark.parametrize(
    ("paces", "said"),
    [
        ([_pace("json"), _pace("json")], "a pace of json is in it twice"),
        ([_pace("query")], "a pace of query is none of"),
    ],
)
def test_a_pace_of_another_run_is_refused(tmp_path: Path, manifest: Manifest, paces: list[Pace], said: str) -> None:
    journal = store.create(tmp_path, replace(manifest, settings=replace(manifest.settings, levels={"json": (16,)})))
    for pace in paces:
        journal.append(pace)
    with pytest.raises(StoreError, match=said):
        store.read(journal.folder)


def test_a_journal_that_ends_in_the_middle_of_a_line_is_known(
    tmp_path: Path, manifest: Manifest, sample: Sample
) -> None:
    journal = store.create(tmp_path, manifest)
    assert not store.is_cut(journal.folder)
    journal.append(sample)
    assert not store.is_cut(journal.folder)
    path = journal.folder / store.JOURNAL
    path.write_bytes(path.read_bytes()[:-5])
    assert store.is_cut(journal.folder)


@pytest.mark.parametrize(("names", "count"), [(["slowdown"], "1 run"), (["aa-test", "slowdown"], "2 runs")])
def test_a_folder_that_holds_runs_is_told_from_a_run_s(
    tmp_path: Path, manifest: Manifest, names: list[str], count: str
) -> None:
    for name in names:
        store.create_part(tmp_path / name, manifest)
    with pytest.raises(StoreError, match=f"is not a run, but holds {count}: name one, such as .*/slowdown$"):
        store.read(tmp_path)
