"""A baseline on the command line: it takes part, it is kept, and a run is read against another one."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchlab.cli import cli
from benchlab.core.errors import SetupError, StoreError
from benchlab.engine.variants import taking_part
from benchlab.experiment.settings import choose
from benchlab.records.plan import Manifest
from benchlab.records.run import Run
from benchlab.report import outputs, runs
from benchlab.run import planning, session
from benchlab.statistics import analysis
from benchlab.storage import store

from ..entries import ROOT
from . import made_entries, refusals
from .made_runs import make_run
from .test_taking_part import _lab, _service

pytestmark = pytest.mark.usefixtures("own_signals")
KEPT = ROOT / "tests/kept"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made_entries.project(tmp_path)


def test_the_baseline_takes_part_and_stands_in_the_plan(root: Path) -> None:
    ended = made_entries.ended(root, "--tag", "wsgi,granian", "--baseline", "crax", "--test", "json", "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^entries +crax, made-20$", ended.stdout, re.MULTILINE)
    assert re.search(r"^baseline +crax: each other entry is compared with it$", ended.stdout, re.MULTILINE)
    beside_the_usual = made_entries.ended(root, "--baseline", "made-01", "--test", "json", "--dry-run").stdout
    assert re.search(r"^entries +aiohttp, crax, made-01$", beside_the_usual, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--baseline", "crx"], "--baseline crx: did you mean crax? there is aiohttp, crax"),
        (["--baseline", "crax", "--framework", "crax"], "--baseline crax: there is no other entry to compare with it"),
        (["--baseline", ""], "--baseline names nothing; name one of the entries that are measured"),
        (
            ["--baseline", "crax", "--against", "main"],
            "--baseline compares entries, and --against two versions of each",
        ),
    ],
)
def test_a_baseline_that_cannot_be_is_one_line_and_a_wrong_command_line(
    root: Path, arguments: list[str], said: str
) -> None:
    ended = made_entries.ended(root, *arguments, "--dry-run")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1].startswith(f"error: {said}")


def test_entries_that_take_turns_share_the_baseline() -> None:
    lab = _lab(**{name: _service(connections="900") for name in "abcd"})
    settings = choose(frameworks=list("abcd"), seed=7, control="c")
    lab, _ = taking_part(lab, settings)
    assert planning.groups(lab, settings) == (("c", "a"), ("c", "b"), ("c", "d"))


def test_a_run_without_its_baseline_is_not_begun() -> None:
    asked = choose(frameworks=["a", "b", "c"], seed=7, control="b")
    session._refuse_if_none_left(asked, {"a": "no way"})
    with pytest.raises(SetupError, match=r"^no way$"):
        session._refuse_if_none_left(asked, {"b": "no way"})


def test_a_manifest_whose_baseline_is_no_entry_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    odd = replace(manifest, settings=replace(manifest.settings, control="gone"))
    folder = store.create(tmp_path, odd).folder
    with pytest.raises(StoreError, match=r'settings\.control is "gone", which is no entry of the run'):
        store.read(folder)


def _against(run: Run, control: str) -> Run:
    settings = replace(run.manifest.settings, control=control)
    return replace(run, manifest=replace(run.manifest, settings=settings))


def test_the_list_of_runs_says_how_many_are_told_from_the_baseline() -> None:
    run = make_run({"a": [1000, 1010, 990], "b": [2000, 2010, 1990], "c": [500, 505, 495], "d": [3000, 3020, 2980]})
    (result,) = analysis.analyse(_against(run, "a"))
    assert runs.ahead(result) == "json 2 faster and 1 slower of 3 than a"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run of four entries, with its own report."""
    shutil.copytree(KEPT / "factors", tmp_path / "results/run")
    assert cli.main(tmp_path, ["report", str(tmp_path / "results/run")]) == 0
    return tmp_path / "results/run"


def test_a_run_is_read_against_a_baseline_and_its_own_files_stay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    capsys.readouterr()
    assert cli.main(folder, ["report", str(folder), "--baseline", "crax"]) == 0
    printed = capsys.readouterr()
    assert "### Summary over all levels, compared with crax by " in printed.out
    assert "crax was named as the baseline once the run was measured: " in printed.out
    assert f"python lab.py report results/{store.read(folder).manifest.run_id} --baseline crax" in printed.out
    assert "baseline-crax.html; the run's own files stay as they are" in printed.err
    page = (folder / "baseline-crax.html").read_text()
    assert "compared with crax" in page
    assert "relative to crax&#39;s" in page
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("factors", "crx", "--baseline crx: did you mean crax? there is aiohttp, aiohttp-raw, crax, crax-orm"),
        ("against", "starlette", "compares versions of its entries, each with its own"),
    ],
)
def test_a_run_that_cannot_be_read_against_a_baseline_is_one_line(
    kind: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(ROOT, ["report", str(KEPT / kind), "--baseline", name]) == 2
    assert said in refusals.error(capsys)


def test_the_own_baseline_of_a_run_was_named_before_it() -> None:
    run = make_run({"a": [1000, 1010, 990], "b": [2000, 2010, 1990]})
    assert "once the run was measured" not in outputs.text(_against(run, "a"))
