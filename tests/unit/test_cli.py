"""Bad input on the command line that is refused before an engine is looked for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchlab import cli, interrupts, store
from benchlab.model import Manifest

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Leave pytest its own way to be interrupted."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _refused(root: Path, arguments: list[str], capsys: Captured) -> str:
    """Return the one line that the command printed before it ended with exit code 1."""
    assert cli.main(root, arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--levels", "json=16", "--levels", "json=32"], "--levels json is given twice"),
        (["--levels", "json=0"], "json=0: use 1 to"),
        (["--blocks", "0"], "--blocks 0: use 1 to"),
        (["--resume", "."], "is not a run"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    line = _refused(tmp_path, arguments, capsys)
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    "arguments", [["--test", "jsn"], ["--profile", "fast"], ["--proxy", "haproxy"], ["verify", "--test", "jsn"]]
)
def test_an_unknown_choice_is_refused_with_the_choices(tmp_path: Path, capsys: Captured, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(tmp_path, arguments)
    assert ended.value.code == 2
    assert f"invalid choice: '{arguments[-1]}' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--duration", "9"], "--duration 9 was given, the run has 2"),
        (["--blocks", "3"], "--blocks 3 was given, the run has 2"),
        (["--levels", "json=16"], "--levels json= 16 was given, the run has 16,32,128"),
        (["--seed", "1"], "--seed 1 was given, the run has 7"),
        (["--framework", "aiohttp"], "--framework aiohttp was given, the run has aiohttp,crax"),
        (["--test", "json"], "--test json was given, the run has json,plaintext,query"),
        (["--profile", "seed"], "--profile seed was given, the run has quick"),
        (["--proxy", "nginx"], "--proxy nginx was given, the run has none"),
    ],
)
def test_resume_keeps_the_run_s_settings_and_refuses_others(
    tmp_path: Path, manifest: Manifest, capsys: Captured, flags: list[str], said: str
) -> None:
    folder = store.create(tmp_path, manifest).folder
    line = _refused(tmp_path, ["--resume", str(folder), *flags], capsys)
    assert line == f"error: --resume keeps the run's own settings: {said}; leave that flag out\n"
