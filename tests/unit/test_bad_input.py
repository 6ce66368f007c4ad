"""What the command line refuses before it needs an engine: the folder it runs in holds no project."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchlab import __version__
from benchlab.cli import cli, measure
from benchlab.cli.command import Command
from benchlab.records.plan import Manifest
from benchlab.records.run import INVALID, Failure
from benchlab.storage import files, store

from ..entries import ENTRIES, ROOT
from . import refusals, screens
from .conftest import COMMIT, STARTED, make_finding, make_sample, make_trial, older, versions

pytestmark = pytest.mark.usefixtures("own_signals")
REPORT = """
import sys
from pathlib import Path
from benchlab.cli import cli
sys.exit(cli.main(Path.cwd(), ["report", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--levels", "json=16", "--levels", "json=32"], "--levels json is given twice"),
        (["--levels", "json=0"], "--levels json=0: use 1 to"),
        (["--blocks", "0"], "--blocks 0: use 1 to"),
        (["--duration", "0", "--blocks", "0"], "--blocks 0: use 1 to 1000; --duration 0: use 0.1 to"),
        (["--repeats", "101"], "--repeats 101: use 0 to"),
        (["--profile", "study", "--repeats", "0"], "--repeats 0: use 1 to"),
        (["--profile", "study", "--duration", "0.5"], "--duration 0.5: --profile study takes samples of whole seconds"),
        (["--db-connections", "16,2000"], "--db-connections 2000: use 1 to 1900"),
        (["--precision", "much"], "--precision much"),
        (["--precision", ""], "--precision"),
        (["--budget", ""], "--budget"),
        (["--fail-if-slower", "3%"], "--fail-if-slower needs something to compare with"),
        (["--dry-run", "--resume", "nowhere"], "--dry-run is of a new run; leave --resume out"),
        (["--resume", "nowhere"], "is not a run"),
        (["report", "nowhere"], "is not a run"),
        (["factors", "nowhere"], "is not a run"),
        (["factors", "nowhere", "--blocks", "3"], "--blocks: nowhere is read as it was measured; leave that flag out"),
        (["factors", "nowhere", "--dry-run"], "--dry-run: nowhere is read as it was measured; leave that flag out"),
        (["adopt", "nowhere"], "nowhere is not a folder; name one that has a benchmark_config.json"),
        (["adopt", "nowhere", "--base", "python"], "--base python: write IMAGE=IMAGE"),
        (["adopt", "nowhere", "--bases", "nowhere"], "--bases nowhere: there is no such file; name one with"),
    ],
)
def test_a_wrong_value_or_name_is_one_line_that_says_what_to_do_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert (cli.main(tmp_path, arguments), refusals.error(capsys).partition(said)[1]) == (2, said)


def test_a_draft_of_an_entry_that_there_is_not_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(ROOT, ["new", "mine", "--from", f"{ENTRIES[-1]}z"]) == 2
    assert f"--from {ENTRIES[-1]}z: did you mean {ENTRIES[-1]}? there is {ENTRIES[0]}" in refusals.error(capsys)


@pytest.mark.parametrize("arguments", [["--dry-run"], ["factors", "--dry-run"], ["verify"], ["list"]])
def test_what_is_wrong_with_the_project_itself_is_one_line_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.main(tmp_path, arguments) == 1
    assert ".env cannot be read (No such file or directory); restore the file" in refusals.error(capsys)


@pytest.mark.parametrize("arguments", [["adopt"], ["adopt", "folder", "--remove", "name"]])
def test_adopt_wants_a_folder_or_what_to_remove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.main(tmp_path, arguments) == 2
    assert "name a folder, or what to --remove" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["frameworks/crax"], "frameworks/crax has no benchmark_config.json; name a folder that has one"),
        (
            ["tests/tfb/asgi", "--test", "mysql"],
            "--test mysql: its database is MySQL, and the lab has Postgres or none",
        ),
        (
            ["tests/tfb/asgi", "--as", "my app"],
            "--as my app: that cannot be an entry's name; use letters, digits, '.', '_' and '-'",
        ),
    ],
)
def test_what_cannot_be_adopted_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    line: str,
) -> None:
    for name in ("compose.yaml", ".env"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    assert cli.main(tmp_path, ["adopt", *arguments]) == 2
    assert refusals.error(capsys) == f"error: {line}\n"
    assert not (tmp_path / "compose.adopted.yaml").exists()


def test_removing_an_entry_that_was_not_adopted_is_a_wrong_command_line_whatever_the_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "no address")
    assert cli.main(tmp_path, ["adopt", "--remove", "nope"]) == 2
    assert refusals.error(capsys) == "error: --remove nope: not an adopted entry; there is none\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--test", "jsn"], "--test: unknown 'jsn': did you mean json? there is json, plaintext, db"),
        (
            ["--test", "json,db"],
            "--test: unknown 'json,db': did you mean --test json --test db? there is json, plaintext",
        ),
        (["--test", "json,dp"], "--test: unknown 'json,dp': did you mean json? there is json, plaintext"),
        (["--profile", "stud"], "--profile: unknown 'stud': did you mean study? there is default, quick"),
        (
            ["--proxy", "zzz"],
            "--proxy: unknown 'zzz': there is none, nginx, nginx-reconnecting, none,nginx",
        ),
        (["--db-connections", "16,"], "--db-connections: '16,': use whole numbers, each once, as in 16,32; see"),
        (["--db-connections", "16,16"], "--db-connections: '16,16': use whole numbers, each once, as in 16,32; see"),
        (["--framwork", "crax"], "unknown flag --framwork crax: did you mean --framework? see `python lab.py --help`"),
        (["--framwork=crax"], "unknown flag --framwork=crax: did you mean --framework? see"),
        (["--fail-if", "3%"], "unknown flag --fail-if 3%: did you mean --fail-if-slower? see"),
        (["--zzz"], "unknown flag --zzz; see"),
        (["--blocks", "many"], "--blocks: 'many' is no whole number; see"),
        (["--blocks"], "--blocks: expected one argument; see"),
        (["report", "one", "two"], "unknown argument two; see `python lab.py report --help`"),
        (["report"], "the following arguments are required: DIR; see `python lab.py report --help`"),
        (["export", "run", "--format", "jsn"], "--format: unknown 'jsn': did you mean json? there is tfb, csv, json"),
        (["lst"], "unknown command lst: did you mean list? there is bench, factors, verify, list"),
        (["--framework", "crax", "list"], "unknown argument list; see"),
        (["compare", "old", "--fail-if-slower"], "--fail-if-slower: expected one argument; see"),
    ],
)
def test_a_name_that_there_is_not_is_one_line_with_the_one_that_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(tmp_path, arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(f"error: {said}")
    assert "--help`" in printed.err


@pytest.mark.parametrize("command", [[], ["factors"]])
def test_a_bare_interpreter_shows_help_and_says_what_is_missing_for_more(tmp_path: Path, command: list[str]) -> None:
    shutil.copytree(ROOT / "benchlab", tmp_path / "benchlab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "lab.py", tmp_path)
    # Neither the environment's packages nor the caller's.
    bare = [sys.executable, "-E", "-S", str(tmp_path / "lab.py"), *command]
    helped = subprocess.run([*bare, "--help"], capture_output=True, text=True)
    assert (helped.returncode, helped.stderr, "python lab.py --resume" in helped.stdout) == (0, "", True)
    version = subprocess.run([*bare, "--version"], capture_output=True, text=True)
    assert (version.returncode, version.stderr, version.stdout) == (0, "", f"benchlab {__version__}\n")
    other = subprocess.run(bare, capture_output=True, text=True)
    assert (other.returncode, other.stderr) == (1, "error: the lab's packages are not installed; run `make setup`\n")


def test_an_environment_that_this_user_cannot_use_is_told_in_one_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "lab.py", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch(mode=0o600)
    told = subprocess.run([sys.executable, str(tmp_path / "lab.py"), "list"], capture_output=True, text=True)
    remedy = "remove it and run `make setup`"
    said = f"error: this user cannot use the environment in .venv (Permission denied); {remedy}\n"
    assert (told.returncode, told.stdout, told.stderr) == (1, "", said)


def test_help_shows_the_commands_that_a_message_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(tmp_path, ["nonesuch"]) == 2
    named = capsys.readouterr().err.partition("there is ")[2].partition(";")[0].split(", ")
    shown = cli.parser().format_help().partition("its own --help):\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in shown.splitlines()] == named == list(cli.COMMANDS)
    assert "  bench      measure entries; what `lab.py` does where no command is named" in shown


def test_a_run_that_there_is_not_is_told_with_the_one_that_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    folder = store.create(tmp_path, manifest).folder
    assert cli.main(tmp_path, ["report", f"{folder}x"]) == 2
    assert f"did you mean {files.shown(folder)}? name a folder of results/" in capsys.readouterr().err


def test_the_newest_run_is_meant_by_nearly_its_link_s_name_and_by_that_name_without_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    latest = store.create(tmp_path / "results", manifest).folder.with_name("latest")
    for typed in (tmp_path / "results/lates", tmp_path / "latest"):
        assert cli.main(tmp_path, ["report", str(typed)]) == 2
        assert f"; did you mean {files.shown(latest)}? name a folder of results/" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "shown"), [(["help"], "usage: lab.py"), (["help", "report"], "usage: lab.py report")]
)
def test_help_is_shown_by_that_word_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: list[str], shown: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(tmp_path, typed)
    assert (ended.value.code, capsys.readouterr().out.startswith(shown)) == (0, True)


def test_a_file_that_is_named_as_a_run_is_told_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "afile").write_text("")
    assert cli.main(tmp_path, ["report", str(tmp_path / "afile")]) == 2
    assert "afile is a file, not a run's folder; name a folder of results/" in capsys.readouterr().err


def test_a_budget_of_nothing_is_told_apart_from_one_without_a_unit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for budget, said in (("0m", "use more than nothing, as in 20m"), ("20", "use a time with its unit, as in 20m")):
        assert cli.main(tmp_path, ["--budget", budget]) == 2
        assert f"--budget {budget}: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "kept"),
    [
        ("--repeats", "9", "1"),
        ("--levels", "json=17", "16,32,128"),
        ("--seed", "1", "7"),
        ("--framework", "aiohttp", "aiohttp,crax"),
        ("--profile", "study", "quick"),
        ("--proxy", "none,nginx", "none"),
        ("--db-connections", "16", "none"),
        ("--precision", "3%", "none"),
    ],
)
def test_a_resumed_run_keeps_its_settings_and_refuses_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, flag: str, value: str, kept: str
) -> None:
    folder = store.create(tmp_path, manifest).folder
    code = cli.main(tmp_path, ["--resume", str(folder), flag, value])
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith(f"error: --resume keeps the run's own settings: {flag} ")
    assert said.endswith(f"was given, the run has {kept}; leave that out\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "main", "--fail-if-slower", "3%"], ".env cannot be read"),
        (["--against", "main", "--fail-if-slower=3%"], ".env cannot be read"),
        (["compare", "folder"], "manifest.json cannot be read"),
    ],
)
def test_an_error_is_2_where_1_is_the_gate_s_word_for_a_regression(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder", store.MANIFEST).write_text("{")
    assert cli.main(tmp_path, arguments) == 2
    assert said in refusals.error(capsys)


@pytest.mark.parametrize(("name", "code"), [("compare", 2), ("report", 1)])
def test_a_fault_of_the_lab_itself_is_no_regression(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int
) -> None:
    def broken(root: Path, given: argparse.Namespace) -> int:
        raise ZeroDivisionError("a fault")

    assert cli.main(tmp_path, [name], {name: Command(name, "a fault", broken)}) == code
    assert "ZeroDivisionError: a fault" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "code"), [("compare", 2), ("report", 1)])
def test_a_file_of_the_lab_that_cannot_be_used_is_one_line_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int
) -> None:
    (tmp_path / ".lab").write_text("no folder")

    def use(root: Path, given: argparse.Namespace) -> int:
        (root / ".lab" / "at").mkdir()
        return 0

    assert cli.main(tmp_path, [name], {name: Command(name, "use a file", use)}) == code
    said = f"error: {tmp_path}/.lab/at cannot be used (Not a directory); fix its owner or permissions, or make room\n"
    assert capsys.readouterr().err == said


def _run(results: Path, manifest: Manifest, run_id: str, duration_s: int, hours: float = 0) -> str:
    """Keep a run of two blocks, which began so many hours after all others, and return its folder."""
    settings, began = replace(manifest.settings, duration_s=duration_s), manifest.created_at + timedelta(hours=hours)
    journal = store.create(results, replace(manifest, run_id=run_id, settings=settings, created_at=began))
    for block in (1, 2):
        journal.append(make_sample(make_trial(block)))
    return str(journal.folder)


def test_runs_of_other_settings_are_compared_only_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    old, new = (_run(tmp_path, manifest, f"run-{seconds}", seconds) for seconds in (2, 3))
    assert cli.main(tmp_path, ["compare", old, new]) == 2
    assert "the runs are not comparable: duration in s was 2, is 3; --anyway compares" in capsys.readouterr().err
    assert cli.main(tmp_path, ["compare", old, new, "--anyway"]) == 0
    printed = capsys.readouterr().out
    assert "* Compared although duration in s was 2, is 3.\n" in printed
    assert "| crax" in printed


@pytest.mark.parametrize("more", [[], ["--html"], ["--fail-if-slower", "3%"]])
def test_a_run_is_not_compared_with_itself_by_whatever_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, more: list[str]
) -> None:
    folder = Path(_run(tmp_path, manifest, "only", 2))
    copy = shutil.copytree(folder, tmp_path / "copy")
    for other in (folder, tmp_path / "latest", copy):
        assert cli.main(tmp_path, ["compare", str(folder), str(other), *more]) == 2
        assert f"{folder} and {other} are the same run, only; name each run once" in refusals.error(capsys)
    assert not list(tmp_path.glob("*/compare-*"))


def test_a_comparison_is_written_as_a_page_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    old, new = (_run(tmp_path, manifest, run_id, 2) for run_id in ("old", "new"))
    assert cli.main(tmp_path, ["compare", old, new, "--html"]) == 0
    page = Path(new, "compare-old.html")
    assert "These are two runs at two times" in page.read_text(encoding="utf-8")
    assert "compare-old.html" in capsys.readouterr().err
    assert not list(Path(old).glob("*.html"))


def test_two_runs_at_two_times_decide_nothing_and_that_is_said_before_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    old, new = (_run(tmp_path, manifest, run_id, 2) for run_id in ("old", "new"))
    assert cli.main(tmp_path, ["compare", old, new, "--fail-if-slower", "3%"]) == 3
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(
        "two runs at two times cannot pass or fail a gate, because runs of an unchanged entry differ"
    )
    assert last.startswith("a regression of 3% is neither shown nor excluded: two runs at two times")


def test_what_two_runs_cannot_tell_is_said_without_a_gate_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    old, new = (_run(tmp_path, manifest, run_id, 2) for run_id in ("old", "new"))
    assert cli.main(tmp_path, ["compare", old, new]) == 0
    assert capsys.readouterr().err.startswith("two runs at two times differ by what changed in the entry and by")


@pytest.mark.parametrize(
    "spelled",
    [
        ["--old", "a", "b", "c", "--new", "d", "e", "f"],
        ["--old", "a", "--old", "b", "--old", "c", "--new", "d", "--new", "e", "--new", "f"],
        ["a", "d", "--old", "b", "c", "--new", "e", "f"],
    ],
)
def test_runs_of_three_days_a_side_go_through_the_gate_however_they_are_spelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, spelled: list[str]
) -> None:
    folders = {name: _run(tmp_path, manifest, name, 2, hours=24 * day) for day, name in enumerate("abcdef")}
    arguments = [folders.get(word, word) for word in spelled]
    assert cli.main(tmp_path, ["compare", *arguments, "--fail-if-slower", "3%", "--html"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("no regression: ")
    assert "| days |" in re.sub(" +", " ", printed.out)
    page = Path(folders["f"], "compare-a-and-2-more.html").read_text(encoding="utf-8")
    assert "3 old runs of 3 days and 3 new runs of 3 days are compared by day" in page
    assert all(f'data-label="run" class="left">{name}<' in page for name in "abcdef")


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ((0, 24, 48, 72), "1 old run of 1 day and 3 new runs of 3 days cannot pass or fail a gate"),
        ((0, 1, 2, 24, 25, 26), "3 old runs of 1 day and 3 new runs of 1 day cannot pass or fail a gate"),
    ],
)
def test_runs_of_too_few_days_of_a_side_are_told_first_and_decide_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, hours: tuple[int, ...], said: str
) -> None:
    folders = [_run(tmp_path, manifest, f"run-{number}", 2, at) for number, at in enumerate(hours)]
    runs = ["--old", *folders[:-3], "--new", *folders[-3:]]
    assert cli.main(tmp_path, ["compare", *runs, "--fail-if-slower", "3%"]) == 3
    assert capsys.readouterr().err.startswith(said)


def test_that_runs_of_one_day_count_once_is_said_without_a_gate_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    a, b, c, d = (_run(tmp_path, manifest, name, 2, hours) for name, hours in zip("abcd", (0, 1, 24, 48), strict=True))
    assert cli.main(tmp_path, ["compare", "--old", a, b, "--new", c, d]) == 0
    assert capsys.readouterr().err.startswith("2 old runs of 1 day and 2 new runs of 2 days are compared by day: old")


def test_runs_of_one_side_that_were_built_from_different_files_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    sources = {"d": {**manifest.sources, "crax": "new"}, "e": {**manifest.sources, "crax": "newer"}}
    a, b, c, d, e, f = (
        _run(tmp_path, replace(manifest, sources=sources.get(name, manifest.sources)), name, 2, hours=24 * day)
        for day, name in enumerate("abcdef")
    )
    assert cli.main(tmp_path, ["compare", "--old", a, b, c, "--new", d, e, f]) == 0
    told = "the new runs are of different files of crax: their effects count as spread\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "compare names no old run; give OLD and NEW"),
        (["--new", "a"], "compare names no old run; give OLD and NEW"),
        (["--old", "a", "b"], "compare names no new run; give OLD and NEW"),
        (["--old", "a", "b", "--new", "a"], "are the same run, a; name each run once"),
        (["a", "c"], "the runs are not comparable: duration in s was 2, is 3;"),
        (["--old", "a", "b", "--new", "c"], "duration in s was 2 in a, is 3 in c; --anyway"),
    ],
)
def test_sides_that_cannot_be_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, arguments: list[str], said: str
) -> None:
    folders = {name: _run(tmp_path, manifest, name, seconds) for name, seconds in (("a", 2), ("b", 2), ("c", 3))}
    assert cli.main(tmp_path, ["compare", *(folders.get(word, word) for word in arguments)]) == 2
    assert said in refusals.error(capsys)


def _versions(results: Path, manifest: Manifest) -> Path:
    """Keep a run of two versions, of which the newer one fails in the last of three blocks; return its folder."""
    labels = manifest.entries["crax"]
    variants = versions("crax")
    both = replace(
        manifest,
        entries=dict.fromkeys(variants, labels),
        variants=variants,
        settings=replace(manifest.settings, against=COMMIT, blocks=3),
    )
    journal = store.create(results, both)
    for block in (1, 2, 3):
        journal.append(make_sample(make_trial(block, older("crax"))))
    for block in (1, 2):
        journal.append(make_sample(make_trial(block, "crax")))
    journal.append(Failure(make_trial(3, "crax"), STARTED, "it died"))
    return journal.folder


UNCOMPARED = "could not be compared: crax json at 16 (samples that failed: 1 in new)\n"


@pytest.mark.parametrize(("margin", "code"), [(0.03, 3), (None, 1)])
def test_a_version_that_failed_in_a_block_passes_no_gate_and_fails_the_run_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, margin: float | None, code: int
) -> None:
    folder = _versions(tmp_path, manifest)
    run = store.read(folder)
    gated = replace(run.manifest, settings=replace(run.manifest.settings, margin=margin))
    assert measure.finish(folder, replace(run, manifest=gated)) == code
    assert UNCOMPARED in capsys.readouterr().err


def test_what_is_untold_of_versions_is_said_once_on_screen_and_once_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    folder = _versions(tmp_path, manifest)
    assert cli.main(tmp_path, ["compare", str(folder), "--html", "--fail-if-slower", "3%"]) == 3
    page = Path(folder, "compare-versions.html").read_text(encoding="utf-8")
    assert (capsys.readouterr().err.count(UNCOMPARED), page.count("samples that failed: 1 in new")) == (1, 1)
    assert "A regression of 3% is neither shown nor excluded" in page


def test_on_a_terminal_the_gate_s_reason_and_what_is_untold_stand_once(tmp_path: Path, manifest: Manifest) -> None:
    folder = _versions(tmp_path, manifest)
    code, screen = screens.exit_and_screen(["compare", str(folder), "--fail-if-slower", "3%"], 2000)
    said = ("a regression of 3% is neither shown nor excluded", "could not be compared: crax json at 16")
    assert (code, [screen.lower().count(each) for each in said]) == (3, [1, 1])


def test_a_report_of_a_folder_that_cannot_be_written_is_printed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    folder = _run(tmp_path, manifest, "run", 2)
    # The tests may run as root, whom no mode keeps from writing.
    Path(folder, f".{store.CSV}.draft").mkdir()
    assert cli.main(tmp_path, ["report", folder]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("# run\n")
    told = "samples.csv cannot be written (Is a directory); fix its owner or permissions, or make room"
    assert printed.err.endswith(f"{told}\n")


def test_the_factors_of_a_run_are_read_without_an_engine_and_what_does_not_cross_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    labels = manifest.entries["crax"]
    crossed = replace(manifest, entries={"aiohttp": labels | {"orm": "full"}, "crax": labels})
    journal = store.create(tmp_path, crossed)
    for block in (1, 2):
        for entry in crossed.entries:
            journal.append(make_sample(make_trial(block, entry)))
    assert cli.main(tmp_path, ["factors", str(journal.folder), "--factor", "orm=raw"]) == 0
    assert "| orm: full / raw " in capsys.readouterr().out
    assert cli.main(tmp_path, ["factors", _run(tmp_path, manifest, "alike", 2)]) == 2
    assert "error: aiohttp and crax are equal in all factors" in capsys.readouterr().err


def test_what_is_derived_from_a_run_is_made_anew_byte_for_byte_the_same(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, manifest)
    for block in (1, 2):
        for entry in manifest.entries:
            journal.append(make_sample(make_trial(block, entry)))
            journal.append(make_sample(make_trial(block, entry, "plaintext", 256), severity=INVALID))
            journal.append(make_finding(entry, warning=block == 1, block=block))
    made = []
    for seed in ("1", "2"):
        # What has no order of its own has another one with each seed.
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", REPORT, str(journal.folder)]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        made.append([(journal.folder / name).read_bytes() for name in (store.CSV, store.REPORT, store.PAGE)])
    assert made[0] == made[1]
