"""What the command line refuses before it needs an engine: the folder it runs in holds no project."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchlab import cli, interrupts, store
from benchlab.model import Manifest


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Give the tests that follow the signal handlers back, which the command line replaces."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--levels", "json=16", "--levels", "json=32"], "--levels json is given twice"),
        (["--levels", "json=0"], "--levels json=0: use 1 to"),
        (["--blocks", "0"], "--blocks 0: use 1 to"),
        (["--duration", "0", "--blocks", "0"], "--blocks 0: use 1 to 1000; --duration 0: use 1 to"),
        (["--precision", "much"], "--precision much"),
        (["--fail-if-slower", "3%"], "--fail-if-slower needs an older version"),
        (["--resume", "nowhere"], "is not a run"),
        (["report", "nowhere"], "is not a run"),
        (["verify"], ".env cannot be read"),
        (["list"], ".env cannot be read"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code = cli.main(tmp_path, arguments)
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (1, "", 1)
    assert printed.err.startswith("error: ")
    assert said in printed.err


@pytest.mark.parametrize("arguments", [["--test", "jsn"], ["--profile", "fast"], ["--proxy", "haproxy"]])
def test_an_unknown_choice_is_refused_with_the_choices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(tmp_path, arguments)
    assert refused.value.code == 2
    assert f"invalid choice: '{arguments[1]}' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "kept"),
    [
        ("--duration", "9", "2"),
        ("--levels", "json=17", "16,32,128"),
        ("--seed", "1", "7"),
        ("--framework", "aiohttp", "aiohttp,crax"),
        ("--profile", "seed", "quick"),
        ("--precision", "3%", "None"),
    ],
)
def test_a_resumed_run_keeps_its_settings_and_refuses_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: Manifest, flag: str, value: str, kept: str
) -> None:
    folder = store.create(tmp_path, manifest).folder
    code = cli.main(tmp_path, ["--resume", str(folder), flag, value])
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"error: --resume keeps the run's own settings: {flag} ")
    assert said.endswith(f"was given, the run has {kept}; leave that flag out\n")
