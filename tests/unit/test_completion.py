"""Completion in the shell, asked for as the shell asks for it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchlab.cli import cli, completion
from benchlab.cli.command import MAIN
from benchlab.records.plan import Manifest
from benchlab.storage import store

from ..entries import ENTRIES, ROOT

# The beginning of a name, and the entries whose names begin so.
BEGUN = ENTRIES[0][:3]
BEGIN_SO = {entry for entry in ENTRIES if entry.startswith(BEGUN)}


def _completed(line: str, tmp_path: Path, start: int = 1) -> set[str]:
    """Return what lab.py offers for the line; `start` is 2 where the line begins with `python`."""
    answer = tmp_path / "answer"
    asked = {
        "_ARGCOMPLETE": str(start),
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    ended = subprocess.run(
        [sys.executable, "lab.py"], cwd=ROOT, env={**os.environ, **asked}, capture_output=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, b"")
    return {word.strip() for word in answer.read_text().split("\n")}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("./lab.py rep", {"report"}),
        ("./lab.py --ver", {"--version"}),
        (f"./lab.py --framework {BEGUN}", BEGIN_SO),
        (f"./lab.py --framework {ENTRIES[0]} --test pl", {"plaintext"}),
        ("./lab.py export results/latest --format t", {"tfb"}),
        ("./lab.py compare old new --fail", {"--fail-if-slower"}),
        ("./lab.py --tag asyn", {"asyncpg"}),
        ("./lab.py verify --tag orm,asyn", {"orm,asyncpg"}),
        ("./lab.py setup --set pop", {"popular"}),
    ],
)
def test_commands_flags_choices_and_entries_are_completed(tmp_path: Path, line: str, offered: set[str]) -> None:
    assert _completed(line, tmp_path) == offered


def test_a_line_that_begins_with_python_is_completed_too(tmp_path: Path) -> None:
    assert _completed(f"python lab.py verify --framework {BEGUN}", tmp_path, start=2) == BEGIN_SO


def test_every_command_but_the_main_one_is_offered(tmp_path: Path) -> None:
    assert set(cli.COMMANDS) - {MAIN} <= _completed("./lab.py ", tmp_path)


def _completer(root: Path, command: str, dest: str) -> Any:
    """Return what completes an argument of a command, of the main job where none is named."""
    parser: Any = completion.parser(root)
    if command:
        (commands,) = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = commands[command]
    (action,) = (action for action in parser._actions if action.dest == dest)
    return action.completer


def test_runs_are_completed_as_they_are_typed_here(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(tmp_path / "results", manifest)
    monkeypatch.chdir(tmp_path)
    names = {f"results/{manifest.run_id}", "results/latest"}
    for command, dest in (("", "resume"), ("report", "run"), ("compare", "new"), ("compare", "old_runs")):
        assert set(_completer(tmp_path, command, dest)(prefix="")) == names


def test_calibrations_are_offered_too_and_what_was_adopted_to_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results/1-calibration/aa-test").mkdir(parents=True)
    (tmp_path / "results/1-calibration/aa-test" / store.MANIFEST).write_text("{}")
    stanza = "services: {%s: {profiles: [entry]}}"
    (tmp_path / "compose.yaml").write_text(stanza % "own")
    (tmp_path / "compose.adopted.yaml").write_text(stanza % "adopted")
    monkeypatch.chdir(tmp_path)
    assert _completer(tmp_path, "report", "run")(prefix="") == ["results/1-calibration"]
    assert _completer(tmp_path, "adopt", "remove")(prefix="") == ["adopted"]
    assert set(_completer(tmp_path, "verify", "framework")(prefix="")) == {"own", "adopted"}


def test_a_compose_file_that_cannot_be_read_offers_no_entry(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: [")
    assert _completer(tmp_path, "", "framework")(prefix="") == []
