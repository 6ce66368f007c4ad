"""Wrong uses of the command line on runs that are kept: each gives one line, the right exit code, and hides nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchlab.cli import cli
from benchlab.core import letters
from benchlab.records.plan import Manifest
from benchlab.report import changes, export, factors, outputs, runs, sentences, terminal
from benchlab.statistics import baseline, candidate, effects
from benchlab.storage import files, store

from . import refusals
from .conftest import make_manifest, make_sample, make_trial

pytestmark = pytest.mark.usefixtures("own_signals")
# What commands import when they run is imported here: a test's other user may not read the project's files.
LOADED = (outputs, changes, effects, baseline, candidate, export, runs, factors, sentences, terminal)
# What a terminal obeys, what turns letters around, what ends a line, and what a shell obeys.
HOSTILE = "a b\n\x1b[31m\u202e$(x)'\"|"
READING = (
    ["report", "{}"],
    ["export", "{}", "--format", "csv"],
    ["factors", "{}"],
    ["compare", "{}"],
    ["compare", "{}", "{}x"],
    ["--resume", "{}"],
)


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder that other users may enter, with runs in results/."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        for name in ("first", "second"):
            _run(Path(made) / "results", replace(make_manifest(), run_id=name))
        yield Path(made)


def _run(results: Path, manifest: Manifest) -> Path:
    journal = store.create(results, manifest)
    for block in (1, 2):
        journal.append(make_sample(make_trial(block)))
    return journal.folder


def _link(path: Path) -> None:
    path.symlink_to(path.name)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _deep(path: Path) -> None:
    path.write_bytes(b"[" * 200_000 + b"\n")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "Is a directory"),
    "a pipe": (os.mkfifo, "Not a file"),
    "a socket": (_socket, "No such device or address"),
    "a link to itself": (_link, "Too many levels of symbolic links"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "a link to nothing, cannot be read (No such file"),
    "deep": (_deep, "nested too deeply"),
}


@pytest.mark.parametrize("name", [store.MANIFEST, store.JOURNAL])
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_file_of_a_run_is_one_line_and_hides_no_other_run(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    make, why = BROKEN[kind]
    path = root / "results/first" / name
    path.unlink()
    make(path)
    assert cli.main(root, ["report", str(path.parent)]) == 1
    said = refusals.error(capsys)
    assert (str(path) in said, why in said) == (True, True), said
    assert cli.main(root, ["results"]) == 0
    printed = capsys.readouterr()
    assert "| second" in printed.out
    assert f"left out: {path}" in printed.err


@pytest.mark.parametrize("where", [".", store.MANIFEST, store.JOURNAL])
def test_a_run_that_may_not_be_read_is_one_line_and_hides_no_other_run(
    root: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    folder = root / "results/first"
    with refusals.without_rights(folder / where):
        codes = [cli.main(root, ["report", str(folder)]), cli.main(root, ["results"])]
    printed = capsys.readouterr()
    error, left_out = printed.err.splitlines()
    assert (codes, "| second" in printed.out) == ([1, 0], True)
    assert error.endswith("cannot be read (Permission denied); fix its owner or permissions")
    assert left_out == f"left out: {error.removeprefix('error: ')}"


def test_results_that_may_not_be_looked_into_are_not_told_to_be_none(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with refusals.without_rights(root / "results"):
        assert cli.main(root, ["results"]) == 1
    assert "results cannot be read (Permission denied)" in refusals.error(capsys)
    shutil.rmtree(root / "results")
    (root / "results").write_text("")
    assert cli.main(root, ["results"]) == 1
    assert "results cannot be read (Not a directory)" in refusals.error(capsys)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", '"" is no name of a run\'s folder; name a folder of results/'),
        ("loop", "loop is a link that leads back to itself; name a folder of results/"),
        ("dangling", "dangling leads to {root}/gone, which is not there; name a folder of results/"),
        ("within/run", "within/run leads to {root}/gone/run, which is not there; name a folder of results/"),
        ("x" * 300, "… is too long for a folder's name; name a folder of results/"),
        ("pipe", "{root}/pipe is not a run: manifest.json cannot be read (Not a directory)"),
        ("empty", "{root}/empty is not a run: manifest.json cannot be read (No such file or directory)"),
        (HOSTILE, " is not a run: manifest.json cannot be read (No such file or directory)"),
    ],
    ids=["nothing", "loop", "dangling", "below dangling", "long", "pipe", "empty", "hostile"],
)
def test_a_name_that_leads_to_no_run_is_a_wrong_command_line_and_told_as_it_was_named(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
    said: str,
) -> None:
    monkeypatch.chdir(root)
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("gone")
    Path("within").symlink_to("gone")
    os.mkfifo("pipe")
    Path("empty").mkdir()
    assert cli.main(root, [word.format(name) for word in arguments]) == 2
    assert said.format(root=root.resolve()) in refusals.error(capsys)


@pytest.mark.parametrize("arguments", READING[:3], ids=" ".join)
def test_a_run_whose_folder_has_an_odd_name_is_read_and_nothing_of_the_name_is_obeyed(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    folder = (root / "results/first").rename(root / "results" / HOSTILE)
    cli.main(root, [word.format(folder) for word in arguments])
    assert cli.main(root, ["results"]) == 0
    printed = capsys.readouterr()
    assert letters.visible(printed.out + printed.err) == printed.out + printed.err
    assert r"| a b\n\x1b[31m\u202e$(x)'\"\|".replace('\\"', '"') in printed.out


@pytest.mark.parametrize("name", ["plain", HOSTILE, "-dash", "a'b", "\udcff"])
def test_a_command_that_is_suggested_can_be_pasted_into_a_shell(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = (root / "results/first").rename(root / "results" / name)
    monkeypatch.chdir(root / "results")
    suggested = runs.go_on(folder).partition("python lab.py --resume ")[2]
    assert letters.one_line(suggested) == suggested
    # What bash makes of it, as one argument and no flag.
    typed = subprocess.run(["bash", "-c", f"printf '%s|' {suggested}"], capture_output=True, check=True).stdout
    assert os.fsdecode(typed).removeprefix("./") == f"{name}|"
    assert not typed.startswith(b"-")


def test_a_name_without_anything_odd_is_suggested_as_it_is() -> None:
    assert letters.typed("results/20261129-1") == "results/20261129-1"
    assert shlex.split(letters.typed("a b")) == ["a b"]


@pytest.mark.parametrize("name", [store.CSV, store.REPORT, store.PAGE])
def test_a_report_whose_files_cannot_be_written_is_printed_and_fails(
    root: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = root / "results/first"
    (folder / name).mkdir()
    assert cli.main(root, ["report", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("# first\n")
    assert f"the files of the run stay as they were: {folder / name} cannot be written (" in printed.err


def test_a_draft_that_was_left_behind_is_neither_waited_for_nor_followed(root: Path) -> None:
    folder = root / "results/first"
    (root / "mine").write_text("mine")
    os.mkfifo(folder / f".{store.CSV}.draft")
    (folder / f".{store.REPORT}.draft").symlink_to(root / "mine")
    assert cli.main(root, ["report", str(folder)]) == 0
    assert (root / "mine").read_text() == "mine"
    assert (folder / store.REPORT).read_text().startswith("# first\n")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "--output: the file has no name"),
        ("loop", "loop is there already"),
        ("dangling", "dangling is there already"),
        ("results", "results is there already"),
        ("pipe/file", "pipe is no folder; name a file in one that there is"),
        ("loop/file", "loop is no folder; name a file in one that there is"),
    ],
)
def test_an_export_goes_into_a_new_file_and_nowhere_else(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str, said: str
) -> None:
    monkeypatch.chdir(root)
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("gone")
    os.mkfifo("pipe")
    assert cli.main(root, ["export", "results/first", "--format", "json", "--output", output]) == 2
    assert said in refusals.error(capsys)
    assert not Path("gone").exists()


def test_a_run_that_is_gone_since_the_list_was_begun_hides_no_other(root: Path) -> None:
    # As a folder looks that another process removes file by file.
    (root / "results/first" / store.JOURNAL).unlink()
    found = runs.listing(root / "results")
    assert ([row[0] for row in found.rows], len(found.unreadable)) == (["second"], 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "-5m"], "--budget -5m: use a time with its unit, as in 20m"),
        (["--budget=-5m"], "--budget -5m: use a time with its unit, as in 20m"),
        (["--budget", "99999999999h"], "--budget 99999999999h: nobody waits so long"),
        (["--budget", "9" * 5000 + "s"], "nobody waits so long"),
        (["--budget", "٥m"], "--budget ٥m: use a time with its unit"),
        (["--blocks", "-8"], "--blocks -8: use 1 to 1000"),
        (["--blocks", "1_0"], "--blocks: '1_0' is no whole number"),
        (["--blocks", "١"], "--blocks: '١' is no whole number"),
        (["--blocks", " 3"], "--blocks: ' 3' is no whole number"),
        (["--blocks", "9" * 5000], f"--blocks: '{'9' * 40}…' is no whole number"),
        (["--blocks", "3", "--blocks", "5"], "--blocks: it is given twice; name one value"),
        (["--budget", "3m", "--budget", "5m"], "--budget: it is given twice; name one value"),
        (["--framework", "crax", "--framework", "crax"], "--framework: the same is given twice; name each value once"),
        (["--framework", ""], "--framework names nothing; name an entry, as `python lab.py list` shows them"),
        (["--seed", "-1"], "--seed -1: use 0 to 9007199254740991"),
        (["--levels", "json="], "--levels json=: levels are whole numbers"),
        (["--levels", "json=1_6"], "--levels json=1_6: levels are whole numbers"),
        (["--levels", "json=٣٢"], "--levels json=٣٢: levels are whole numbers"),
        (["--levels", "json=-16"], "--levels json=-16: use 1 to 20000 connections"),
        (["--db-connections", "1_6"], "--db-connections: '1_6': use whole numbers"),
        (["--db-connections", "-5"], "--db-connections -5: use 1 to 1900"),
        (["--precision", "-3%"], "--precision -3%: use a percentage above 0"),
        (["--precision", "٣%"], "--precision ٣%: use a percentage above 0"),
        (["--against", ""], "--against names nothing; name a commit, a branch or a tag"),
        (["--fail-if-slower", "-3%", "--against", "main"], "--fail-if-slower -3%: use a percentage above 0"),
        (["factors", "--factor", "orm=", "--dry-run"], "--factor orm=: name the level to compare with behind the ="),
        (["adopt", ""], '"" is not a folder; name one that has a benchmark_config.json'),
        (["adopt", "{root}/loop"], "loop is a link that leads back to itself; name a folder"),
        (["li\x1bst"], r"unknown command li\x1bst: did you mean list?"),
        (["--test", "js\u202eon"], "--test: unknown 'js\\u202eon': did you mean json?"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_a_value_that_cannot_be_is_one_line_that_names_it_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert cli.main(tmp_path, [word.replace("{root}", str(tmp_path)) for word in arguments]) == 2
    assert said in refusals.error(capsys)


def test_a_file_that_the_lab_cannot_use_is_one_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_bytes(b"COMPOSE_PROJECT_NAME=\xff\n")
    assert cli.main(tmp_path, ["list"]) == 1
    assert ".env cannot be read (it is no UTF-8); restore the file" in refusals.error(capsys)


def test_a_folder_that_is_gone_under_the_caller_is_told_where_it_is_needed_and_else_no_matter(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "gone").mkdir()
    monkeypatch.chdir(root / "gone")
    (root / "gone").rmdir()
    assert cli.main(root, ["report", "run"]) == 2
    assert "run: the folder that this was called in is not there any more; name a whole path" in refusals.error(capsys)
    assert cli.main(root, ["report", str(root / "results/first")]) == 0
    assert f"python lab.py --resume {root / 'results/first'}" in capsys.readouterr().err


def test_a_path_is_read_without_waiting_and_only_where_it_leads_to_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not files.is_in_use(tmp_path / "pipe")
    assert not store.is_being_measured(tmp_path)
