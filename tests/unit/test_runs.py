"""The runs on disk, as `lab.py results` lists them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchlab.cli import cli
from benchlab.experiment import schedule
from benchlab.load import closed
from benchlab.records.plan import Entry, Manifest, Trial
from benchlab.records.run import INVALID, SUSPECT, Failure, Run, Sample
from benchlab.report import runs
from benchlab.report.runs import Listing
from benchlab.selftest import kept
from benchlab.storage import files, store

from .conftest import STARTED, make_load, make_sample

ROOT = Path(__file__).parents[2]
MEASURING = """
import sys
from pathlib import Path
from benchlab.storage import store
with store.Journal(Path(sys.argv[1])).being_measured():
    print("at work", flush=True)
    sys.stdin.read()
"""


def _trials(manifest: Manifest, entries: list[Entry]) -> list[Trial]:
    settings = manifest.settings
    visits = schedule.plan(entries, closed.levels(settings, 2), settings.blocks, settings.seed)
    return [trial for visit in visits for trial in visit.trials]


def _keep(results: Path, manifest: Manifest, records: Iterable[Sample | Failure]) -> None:
    journal = store.create(results, manifest)
    for record in records:
        journal.append(record)


def _sample(trial: Trial) -> Sample:
    """Return a sample of a host on which aiohttp is the faster one in json, and neither in the other tests."""
    faster = trial.test == "json" and trial.entry == "aiohttp"
    return make_sample(trial, make_load((2000 if faster else 1000) + trial.block))


def test_a_run_is_told_by_when_what_how_far_and_who_is_ahead(
    tmp_path: Path, manifest: Manifest, entries: list[Entry]
) -> None:
    three = replace(manifest, settings=replace(manifest.settings, blocks=3))
    _keep(tmp_path, three, map(_sample, _trials(three, entries)))
    row = [
        "20261123-120000-quick",
        "2026-11-23 12:00",
        "quick",
        "aiohttp, crax",
        "3 of 3",
        "complete; 48 of 48 samples good",
        "json aiohttp, plaintext undecided, query undecided",
    ]
    assert runs.listing(tmp_path) == Listing([row], [], [])


def test_the_newest_run_comes_first(tmp_path: Path, manifest: Manifest, entries: list[Entry]) -> None:
    for days, run_id in enumerate(("a", "c", "b")):
        own = replace(manifest, run_id=run_id, created_at=STARTED + timedelta(days=days))
        _keep(tmp_path, own, map(_sample, _trials(own, entries)))
    rows = runs.listing(tmp_path).rows
    assert [row[0] for row in rows] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, "stopped, 32 slices to go; 0 of 0 samples good"),
        (1, "stopped, 31 slices to go; 1 of 1 sample good"),
        (30, "stopped, 2 slices to go; 30 of 30 samples good"),
    ],
)
def test_a_run_that_was_stopped_says_what_is_left(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], kept: int, said: str
) -> None:
    _keep(tmp_path, manifest, map(_sample, _trials(manifest, entries)[:kept]))
    ((*_, verdict, _),) = runs.listing(tmp_path).rows
    assert verdict == said


def test_a_run_that_a_lab_is_at_work_on_is_running_until_that_ends_however_it_does(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    _keep(tmp_path, manifest, map(_sample, _trials(manifest, entries)[:30]))
    folder = tmp_path / manifest.run_id
    lab = [sys.executable, "-c", MEASURING, str(folder)]
    with subprocess.Popen(lab, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"at work\n"
        assert _verdict(tmp_path) == "running, 2 slices to go; 30 of 30 samples good"
        assert cli.main(tmp_path, ["report", str(folder)]) == 0
        assert capsys.readouterr().err == "the run is still being measured: this is what there is of it so far\n"
        process.kill()
    assert _verdict(tmp_path) == "stopped, 2 slices to go; 30 of 30 samples good"


def test_a_run_whose_report_is_being_made_is_running_too(
    tmp_path: Path, manifest: Manifest, entries: list[Entry]
) -> None:
    _keep(tmp_path, manifest, map(_sample, _trials(manifest, entries)))
    with store.Journal(tmp_path / manifest.run_id).being_measured():
        assert _verdict(tmp_path) == "running; 32 of 32 samples good"
    assert _verdict(tmp_path) == "complete; 32 of 32 samples good"


def _verdict(results: Path) -> str:
    ((*_, verdict, _),) = runs.listing(results).rows
    return verdict


def test_a_run_that_could_not_measure_all_says_so(tmp_path: Path, manifest: Manifest, entries: list[Entry]) -> None:
    first, second, *others = _trials(manifest, entries)
    died, invalid = Failure(first, STARTED, "it died"), make_sample(second, severity=INVALID)
    _keep(tmp_path, manifest, [died, invalid, *map(_sample, others)])
    ((*_, verdict, _),) = runs.listing(tmp_path).rows
    assert verdict == "2 slices not measured; 30 of 31 samples count, 30 good"


def test_a_complete_run_says_how_many_samples_count_as_its_report_does(
    tmp_path: Path, manifest: Manifest, entries: list[Entry]
) -> None:
    trials = _trials(manifest, entries)
    again = [make_sample(trial, severity=INVALID, attempt=2) for trial in trials[:12]]
    suspect = [make_sample(trial, severity=SUSPECT) for trial in trials[:2]]
    _keep(tmp_path, manifest, [*again, *suspect, *map(_sample, trials[2:])])
    ((*_, verdict, _),) = runs.listing(tmp_path).rows
    assert verdict == "complete; 32 of 44 samples count, 30 good"


def test_a_run_whose_blocks_are_undecided_can_go_on(tmp_path: Path, manifest: Manifest, entries: list[Entry]) -> None:
    precise = replace(manifest, settings=replace(manifest.settings, precision=0.03))
    _keep(tmp_path, precise, map(_sample, _trials(precise, entries)))
    ((*_, verdict, _),) = runs.listing(tmp_path).rows
    assert verdict.startswith("stopped before its blocks were decided; ")


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, "what was measured is kept; go on with: python lab.py --resume {run}\n"),
        (31, "what was measured is kept; go on with: python lab.py --resume {run}\n"),
        (32, ""),
    ],
)
def test_the_report_of_a_run_that_was_stopped_ends_with_how_it_goes_on(
    tmp_path: Path,
    manifest: Manifest,
    entries: list[Entry],
    capsys: pytest.CaptureFixture[str],
    kept: int,
    said: str,
) -> None:
    _keep(tmp_path, manifest, map(_sample, _trials(manifest, entries)[:kept]))
    run = tmp_path / manifest.run_id
    assert cli.main(tmp_path, ["report", str(tmp_path / "latest")]) == 0
    assert capsys.readouterr().err == said.format(run=files.shown(run))


def test_the_report_of_a_run_that_could_not_measure_all_ends_with_how_to_try_again(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = _trials(manifest, entries)
    _keep(tmp_path, manifest, [Failure(first, STARTED, "it died"), *map(_sample, others)])
    run = tmp_path / manifest.run_id
    assert cli.main(tmp_path, ["report", str(run)]) == 0
    again = f"python lab.py --resume {files.shown(run)}"
    assert capsys.readouterr().err == f"1 slice not measured; to try again: {again}\n"


def test_after_wrong_answers_a_new_run_is_asked_for_because_mended_sources_end_the_old_one(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = _trials(manifest, entries)
    _keep(tmp_path, manifest, [Failure(first, STARTED, "wrong answer: no json"), *map(_sample, others)])
    assert cli.main(tmp_path, ["report", str(tmp_path / manifest.run_id)]) == 0
    assert capsys.readouterr().err == (
        "1 slice not measured, for wrong answers: mend these and start a new run; "
        "--resume takes unchanged sources only\n"
    )


def test_a_run_whose_blocks_are_undecided_goes_on_and_a_part_of_a_calibration_does_not(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    precise = replace(manifest, settings=replace(manifest.settings, precision=0.03))
    run = Run(precise, tuple(map(_sample, _trials(precise, entries))), ())
    assert runs.left(run, tmp_path / "run") == runs.go_on(tmp_path / "run")
    part = tmp_path / "results/calibration" / kept.AA_TEST
    journal = store.create_part(part, precise)
    for sample in run.taken:
        journal.append(sample)
    assert (cli.main(tmp_path, ["report", str(part)]), capsys.readouterr().err) == (0, "")


def test_a_journal_whose_last_line_was_cut_off_is_told_by_report_and_results(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    _keep(tmp_path / "results", manifest, map(_sample, _trials(manifest, entries)))
    run = tmp_path / "results" / manifest.run_id
    journal = run / store.JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20])
    told = f"the last line of {files.shown(journal)} was cut off and is left out"
    told += "; --resume measures what is missing for it\n"
    assert cli.main(tmp_path, ["report", str(run)]) == 0
    assert capsys.readouterr().err == f"{told}{runs.go_on(run)}\n"
    assert cli.main(tmp_path, ["results"]) == 0
    assert capsys.readouterr().err == told


def test_a_calibration_is_listed_and_points_to_its_report(tmp_path: Path, manifest: Manifest) -> None:
    _keep(tmp_path, replace(manifest, run_id="20261123-120000-calibration/aa-test"), [])
    (tmp_path / "latest").unlink()
    ((name, _, profile, _, _, verdict, _),) = runs.listing(tmp_path, kept.first_manifest).rows
    assert (name, profile, verdict) == ("20261123-120000-calibration", "calibration", "see its report.md")


def test_results_lists_what_it_can_and_names_what_it_cannot_read(
    tmp_path: Path, manifest: Manifest, entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    _keep(tmp_path / "results", manifest, map(_sample, _trials(manifest, entries)))
    (tmp_path / "results/broken").mkdir()
    (tmp_path / "results/broken/manifest.json").write_text("{")
    (tmp_path / "results/.gitkeep").write_text("")
    assert cli.main(tmp_path, ["results"]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^\| 20261123-120000-quick \| 2026-11-23 12:00 \| quick +\|", printed.out, re.MULTILINE)
    assert printed.out.count("\n") == 3
    assert printed.err.count("\n") == 1
    assert re.match(r"left out: .*broken/manifest.json cannot be read", printed.err)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_runs_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    if there:
        (tmp_path / "results").mkdir()
    assert cli.main(tmp_path, ["results"]) == 0
    assert capsys.readouterr() == ("", "no run on disk yet; `python lab.py` makes one\n")
