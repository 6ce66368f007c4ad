"""What a calibration keeps is what its report is made of, then and later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchlab.cli import cli
from benchlab.core.errors import StoreError
from benchlab.records import schema
from benchlab.records.plan import Manifest
from benchlab.records.run import INVALID, Failure, Run, Verdict
from benchlab.report import markdown
from benchlab.selftest import calibrate, kept, slowdown
from benchlab.selftest.check import Overhead
from benchlab.selftest.kept import Calibration, FaultResult
from benchlab.storage import store

from .conftest import STARTED, make_sample, make_trial
from .made_runs import NOISE, OTHER_NOISE, run_of, samples_of
from .mutations import VALUES, assert_each_is_plain_or_told, written
from .values import blocks

ENVIRONMENT = {slowdown.VARIABLE: json.dumps({"/json": 0.005})}


def _keep(folder: Path, name: str, run: Run) -> Run:
    """Keep the run in the folder under this name, and return it as it is read back."""
    services: dict[str, dict[str, object]] = {slowdown.SLOWED_ENTRY: {"environment": ENVIRONMENT}}
    journal = store.create_part(folder / name, replace(run.manifest, services=services))
    for sample in run.taken:
        journal.append(sample)
    return store.read(journal.folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "20261123-120000-calibration"


@pytest.fixture
def whole(folder: Path, manifest: Manifest) -> Calibration:
    """A calibration with all of its parts, kept in the folder."""
    aa_test = run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE}))
    slowed = run_of(manifest, *samples_of({"a": NOISE, slowdown.SLOWED_ENTRY: OTHER_NOISE - 0.05}))
    lost = Failure(make_trial(), STARTED, "under load, crax ended (out of memory)")
    found = Calibration(
        folder.name,
        _keep(folder, kept.AA_TEST, aa_test),
        _keep(folder, kept.SLOWDOWN, slowed),
        {way: dict(enumerate(blocks(NOISE).values())) for way in (calibrate.LAB, calibrate.UNCHECKED, calibrate.PLAIN)},
        Overhead(0.001, None),
        (
            FaultResult("late", make_sample(), ("duration error",)),
            FaultResult("memory", lost, ("out of memory", "memory pressure")),
        ),
        {"plain wrk": "wrk printed no rate"},
    )
    kept.write(folder, found)
    return found


def test_a_calibration_is_read_back_as_it_was(folder: Path, whole: Calibration) -> None:
    assert kept.read(folder) == whole


def test_a_calibration_that_was_ended_is_read_back_as_far_as_it_came(folder: Path, manifest: Manifest) -> None:
    aa_test = _keep(folder, kept.AA_TEST, run_of(manifest, *samples_of({"a": NOISE, "b": OTHER_NOISE})))
    found = Calibration(folder.name, aa_test)
    kept.write(folder, found)
    assert kept.read(folder) == found


def test_its_report_is_made_anew_the_same_as_the_calibration_wrote_it(
    folder: Path, whole: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    written = markdown.text(calibrate.report(whole))
    assert cli.main(folder, ["report", str(folder)]) == 0
    assert (folder / store.REPORT).read_text(encoding="utf-8") == written
    assert capsys.readouterr() == (written, "")
    assert "Not made" not in written


def test_a_calibration_of_an_older_lab_is_read_by_the_names_it_has(
    folder: Path, whole: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    written = markdown.text(calibrate.report(whole))
    for name, former in kept.FORMER.items():
        (folder / name).rename(folder / former)
    slowed = folder / kept.FORMER[kept.SLOWDOWN]
    for file in (store.MANIFEST, store.JOURNAL):
        text = (slowed / file).read_text(encoding="utf-8")
        (slowed / file).write_text(text.replace(slowdown.SLOWED_ENTRY, slowdown.FORMER_ENTRY), encoding="utf-8")
    assert kept.is_part(slowed)
    assert kept.first_manifest(folder) == whole.aa_test.manifest
    assert cli.main(folder, ["report", str(folder)]) == 0
    assert capsys.readouterr() == (written, "")


def test_where_only_the_runs_are_kept_their_checks_are_told_and_the_report_stays_as_it_was(
    folder: Path, whole: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / kept.CALIBRATION).unlink()
    (folder / store.REPORT).write_text("all of it")
    assert cli.main(folder, ["report", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.out == markdown.text(calibrate.report(replace(whole, rates=None, used=None, faults=(), broken={})))
    assert "sensitivity: json, requests/CPU-s" in printed.out
    assert "its report.md stays as it was" in printed.err
    assert (folder / store.REPORT).read_text() == "all of it"


@pytest.mark.parametrize("part", [kept.AA_TEST, kept.SLOWDOWN])
def test_a_calibration_that_was_stopped_in_a_part_is_told_as_far_as_it_came(
    folder: Path, manifest: Manifest, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    services: dict[str, dict[str, object]] = {slowdown.SLOWED_ENTRY: {"environment": ENVIRONMENT}}
    planned = run_of(manifest, *samples_of({"a": NOISE, slowdown.SLOWED_ENTRY: OTHER_NOISE}))
    if part == kept.SLOWDOWN:
        kept.write(folder, Calibration(folder.name, _keep(folder, kept.AA_TEST, planned)))
    journal = store.create_part(folder / part, replace(planned.manifest, services=services))
    journal.append(planned.taken[0])
    assert not (folder / "latest").is_symlink()
    assert cli.main(folder, ["report", str(folder)]) == 0
    printed = capsys.readouterr()
    named = "equal entries" if part == kept.AA_TEST else "the slowed entry and its equal"
    assert f"| samples of {named} that count" in printed.out
    assert "1 of 10" in printed.out
    assert (folder / store.REPORT).read_text(encoding="utf-8") == printed.out
    assert printed.err == ""


def test_an_older_calibration_is_read_with_the_names_that_rules_have_now(folder: Path, whole: Calibration) -> None:
    older = replace(make_sample(), verdict=Verdict(INVALID, {"late": 2.0}, ("heat", "steal")))
    kept.write(folder, replace(whole, faults=(FaultResult("stop", older, ("uneven", "late")),)))
    (fault,) = kept.read(folder).faults
    verdict = Verdict(INVALID, {"duration error": 2.0}, ("thermal throttling", "steal"))
    assert fault == FaultResult("stop", replace(older, verdict=verdict), ("stall", "duration error"))


def test_a_calibration_that_was_stopped_before_its_first_sample_is_refused(
    folder: Path, manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    store.create_part(folder / kept.AA_TEST, manifest)
    assert cli.main(folder, ["report", str(folder)]) == 1
    assert (
        "aa-test has no sample, so that nothing is known of the instrument; calibrate anew" in capsys.readouterr().err
    )


def test_a_report_that_cannot_be_written_is_printed_all_the_same(
    folder: Path, whole: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    # The tests may run as root, whom no mode keeps from writing.
    (folder / f".{store.REPORT}.draft").mkdir()
    assert cli.main(folder, ["report", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.out == markdown.text(calibrate.report(whole))
    told = "report.md cannot be written (Is a directory); fix its owner or permissions, or make room"
    assert printed.err.endswith(f"{told}\n")


FAILURE = schema.line(Failure(make_trial(), STARTED, "it died"))


def _late(**changes: object) -> dict[str, object]:
    """Return a fault as the file has it, with changes."""
    return {"name": "late", "expected": ["late"], "record": FAILURE} | changes


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0},
        {"rates": {"lab": [0]}},
        {"rates": {"lab": ["fast"]}},
        {"rates": {"lab": [10**400]}},
        {"rates": {"lab": 5}},
        {"rates": []},
        {"rates": [1]},
        {"used": {"lab": 0.1}},
        {"used": {"lab": "x", "engine": 1}},
        {"used": {"lab": 0.1, "engine": "x"}},
        {"used": {"lab": -0.1, "engine": None}},
        {"used": {"lab": 1e400, "engine": None}},
        {"used": [1]},
        {"faults": None},
        {"broken": None},
        {"broken": ["plain wrk"]},
        {"broken": {"plain wrk": 1}},
        {"broken": {"plain wrk": "\ud800"}},
        {"broken": {"\ud800": "wrk printed no rate"}},
        {"faults": [_late(expected=[1])]},
        {"faults": [_late(expected="late")]},
        {"faults": [_late(expected=["\ud800"])]},
        {"faults": [_late(name=None)]},
        {"faults": [_late(record=None)]},
        {"faults": [_late(record=FAILURE | {"started_at": "0001-01-01T00:00:00+23:59"})]},
        {"faults": [_late(record=FAILURE | {"reason": 1})]},
        {"faults": [{"name": "x"}]},
        {"faults": [{"name": "x", "expected": [], "record": {"kind": "odd"}}]},
        {"faults": 1},
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(folder: Path, whole: Calibration, change: dict[str, object]) -> None:
    path = folder / kept.CALIBRATION
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StoreError, match=rf"{kept.CALIBRATION} cannot be read \(.*restore it, or calibrate anew"):
        kept.read(folder)


@pytest.mark.parametrize("value", VALUES)
def test_a_file_with_any_other_value_is_refused_in_plain_words_or_can_be_told(
    folder: Path, whole: Calibration, value: object
) -> None:
    path = folder / kept.CALIBRATION
    content = json.loads(path.read_text())

    def refused() -> str:
        try:
            kept.read(folder)
        except StoreError as error:
            return str(error)
        return ""

    assert_each_is_plain_or_told(
        content,
        value,
        write=lambda changed: path.write_text(written(changed)),
        refused=refused,
        tell=lambda: markdown.text(calibrate.report(kept.read(folder))).encode(),
        named=str(path),
    )


def test_a_file_that_is_no_json_is_refused_by_name(folder: Path, whole: Calibration) -> None:
    (folder / kept.CALIBRATION).write_text("{")
    with pytest.raises(StoreError, match=f"{kept.CALIBRATION} cannot be read"):
        kept.read(folder)


def test_where_it_cannot_be_written_is_told_with_what_helps(folder: Path, whole: Calibration) -> None:
    path = folder / kept.CALIBRATION
    # The tests may run as root, whom no mode keeps from writing.
    path.with_name(f".{path.name}.draft").mkdir()
    with pytest.raises(StoreError) as error:
        kept.write(folder, whole)
    assert str(error.value) == f"{path} cannot be written (Is a directory); fix its owner or permissions, or make room"
