"""What a calibration keeps is what its report is made of, then and later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchlab.cli import cli
from benchlab.core.errors import StoreError
from benchlab.records.run import Run
from benchlab.report import markdown
from benchlab.selftest import bias, calibrate, faults, kept
from benchlab.selftest.check import Burden, Overhead
from benchlab.selftest.extent import DOSES, KNOWN_RATE, PLAIN
from benchlab.selftest.kept import Calibration, Findings
from benchlab.storage import store

from . import made_rounds
from .mutations import VALUES, assert_each_is_plain_or_told, written

ENTRIES = {
    kept.AA_TEST: ("equal-1", "equal-2"),
    kept.SLOWDOWN: (PLAIN, *DOSES),
    kept.KNOWN_RATE: (KNOWN_RATE,),
    kept.FAULTS: (PLAIN, *map(faults.entry, faults.INJECTED)),
    **dict.fromkeys(kept.TROUBLES.values(), (PLAIN,)),
}


def _made(part: str) -> Run:
    names = ENTRIES[part]
    noise = np.random.default_rng(1).normal(0, 0.02, (1, len(names), 3, 4))
    return made_rounds.run(noise, names=names)


def _keep(folder: Path, part: str, count: int | None = None) -> Run:
    """Keep the run of a part in the folder, or its first slices, and return it as it is read back."""
    run = _made(part)
    journal = store.create_part(folder / part, run.manifest)
    for pace in run.paces:
        journal.append(pace)
    for sample in run.taken[:count]:
        journal.append(sample)
    return store.read(journal.folder)


FINDINGS = Findings(
    is_full=False,
    used=Overhead(0.001, None),
    burdens=tuple(
        Burden(block, name, 100, 100_000 * number, 200)
        for block in (1, 2, 3)
        for number, name in enumerate((PLAIN, *DOSES))
    ),
    rates={"json": dict.fromkeys(bias.WAYS, (1000.0, 1010.0))},
    broken={"plain wrk": "wrk printed no rate"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "20261123-120000-calibration"


@pytest.fixture
def whole(folder: Path) -> Calibration:
    """A calibration with all of its parts, kept in the folder."""
    found = Calibration(folder.name, {part: _keep(folder, part) for part in kept.RUNS}, FINDINGS)
    kept.write(folder, FINDINGS)
    return found


def test_a_calibration_is_read_back_as_it_was(folder: Path, whole: Calibration) -> None:
    assert kept.read(folder) == whole
    assert whole.lacking == []


def test_its_report_is_made_anew_the_same_as_the_calibration_wrote_it(
    folder: Path, whole: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    written = markdown.text(calibrate.report(whole))
    assert cli.main(folder, ["report", str(folder)]) == 0
    assert (folder / store.REPORT).read_text(encoding="utf-8") == written
    assert capsys.readouterr() == (written, "")
    assert "Not made" not in written


@pytest.mark.parametrize("part", [kept.AA_TEST, kept.SLOWDOWN])
def test_a_calibration_that_was_stopped_in_a_part_is_told_as_far_as_it_came(
    folder: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for before in kept.RUNS[: kept.RUNS.index(part)]:
        _keep(folder, before)
    _keep(folder, part, count=1)
    kept.write(folder, Findings(is_full=False))
    assert not (folder / "latest").is_symlink()
    assert cli.main(folder, ["report", str(folder)]) == 0
    printed = capsys.readouterr()
    named = "equal entries" if part == kept.AA_TEST else "the slowed entries and their equal"
    assert f"| slices of {named} that count" in printed.out
    assert f"1 of {len(_made(part).taken)}" in printed.out
    assert (folder / store.REPORT).read_text(encoding="utf-8") == printed.out
    assert printed.err == ""


@pytest.mark.parametrize("name", [kept.AA_TEST, kept.FORMER_AA_TEST])
@pytest.mark.parametrize("content", [None, '{"schema": 1, "rates": null, "used": null, "faults": []}'])
def test_a_calibration_of_entries_that_were_up_one_at_a_time_is_refused_and_its_report_stays(
    folder: Path, name: str, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _keep(folder, kept.AA_TEST)
    (folder / kept.AA_TEST).rename(folder / name)
    (folder / store.REPORT).write_text("all of it")
    if content is not None:
        (folder / kept.CALIBRATION).write_text(content)
    assert kept.first_manifest(folder) == run.manifest
    assert kept.is_part(folder / name)
    assert cli.main(folder, ["report", str(folder)]) == 1
    told = "is a calibration of an older lab, whose entries were up one at a time; its report.md stays as it is"
    assert told in capsys.readouterr().err
    assert (folder / store.REPORT).read_text() == "all of it"


def test_a_calibration_that_was_stopped_before_its_first_slice_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _keep(folder, kept.AA_TEST, count=0)
    kept.write(folder, Findings(is_full=False))
    assert cli.main(folder, ["report", str(folder)]) == 1
    assert "aa-test has no slice, so that nothing is known of the instrument; calibrate anew" in capsys.readouterr().err


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


def _ways(rates: object) -> dict[str, object]:
    return dict.fromkeys(bias.WAYS, rates)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0},
        {"schema": 3},
        {"is_full": None},
        {"rates": {"json": {}}},
        {"rates": {"json": {"slices": [1.0]}}},
        {"rates": {"json": _ways([0])}},
        {"rates": {"json": _ways(["fast"])}},
        {"rates": {"json": _ways([10**400])}},
        {"rates": {"json": _ways(5)}},
        {"rates": {"json": _ways([1.0]) | {"slices": [1.0, 1.0]}}},
        {"rates": []},
        {"used": {"lab": 0.1}},
        {"used": {"lab": "x", "engine": 1}},
        {"used": {"lab": 0.1, "engine": "x"}},
        {"used": {"lab": -0.1, "engine": None}},
        {"used": {"lab": 1e400, "engine": None}},
        {"used": [1]},
        {"burdens": None},
        {"burdens": [{}]},
        {"burdens": [{"block": 1, "entry": "x", "requests": 0, "thread_ns": 1, "clock_step_ns": 1}]},
        {"burdens": [{"block": 1, "entry": "x", "requests": 1, "thread_ns": -1, "clock_step_ns": 1}]},
        {"broken": None},
        {"broken": ["plain wrk"]},
        {"broken": {"plain wrk": 1}},
        {"broken": {"plain wrk": "\ud800"}},
        {"broken": {"\ud800": "wrk printed no rate"}},
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(folder: Path, change: dict[str, object]) -> None:
    _keep(folder, kept.AA_TEST)
    kept.write(folder, FINDINGS)
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
        kept.write(folder, FINDINGS)
    assert str(error.value) == f"{path} cannot be written (Is a directory); fix its owner or permissions, or make room"
