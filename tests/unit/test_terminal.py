from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchlab.core import terminal

HEADERS = ("run", "entries", "verdict")
ROWS = [["20261124-125536-default", "aiohttp, crax", "complete; 128 of 130 samples good"]]


class Screen(StringIO):
    """What was written to a terminal."""

    def isatty(self) -> bool:
        return True


def _console(screen: StringIO, width: int) -> Console:
    return Console(file=screen, width=width, color_system=None, _environ={"TERM": "xterm"})


def _shown(screen: StringIO, width: int) -> list[str]:
    terminal.show(_console(screen, width), HEADERS, ROWS)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_pipe_gets_markdown_however_wide() -> None:
    assert _shown(StringIO(), 10)[2] == (
        "| 20261124-125536-default | aiohttp, crax | complete; 128 of 130 samples good |"
    )


def test_a_terminal_gets_a_table() -> None:
    assert _shown(Screen(), 100) == [
        "run                      entries        verdict",
        "20261124-125536-default  aiohttp, crax  complete; 128 of 130 samples good",
    ]


def test_where_room_is_short_sentences_break_and_names_stay_whole() -> None:
    lines = _shown(Screen(), 50)
    assert lines[1].startswith("20261124-125536-default  ")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 50
    assert re.sub(r"\s+", " ", " ".join(lines)).count("samples") == 1


def test_where_not_even_the_words_fit_they_stand_one_below_the_other() -> None:
    assert _shown(Screen(), 36) == [
        "run: 20261124-125536-default",
        "  entries: aiohttp, crax",
        "  verdict: complete; 128 of 130",
        "samples good",
    ]


def test_forty_long_names_are_shown_whole_on_a_narrow_terminal() -> None:
    names = [f"{'an-entry-with-a-very-long-name-' * 2}{number:02}" for number in range(40)]
    screen = Screen()
    terminal.show(_console(screen, 40), HEADERS, [[name, ", ".join(names), "complete"] for name in names])
    shown = screen.getvalue()
    assert max(map(len, shown.splitlines())) <= 40
    pieces = re.sub(r"\s", "", shown)
    assert all(pieces.count(f"run:{name}entries:") == 1 for name in names)
    assert pieces.count(",".join(names)) == len(names)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Step 1/9 : FROM base\nStep 2/9 : RUN pip install\n\n", "Step 2/9 : RUN pip install"),
        ("\x1b[33mwarning\x1b[0m: odd\r\n", "warning: odd"),
        ("x" * 10_000, "x" * 20),
        (None, "building, 0 s:"),
    ],
)
def test_what_takes_long_shows_its_log_s_last_line_on_a_terminal(
    tmp_path: Path, written: str | None, shown: str
) -> None:
    log = tmp_path / "build.log"
    if written is not None:
        log.write_text(written)
    screen = Screen()
    with terminal.waiting("building", log, _console(screen, 60)):
        pass
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert shown in drawn
    assert max(map(len, drawn.splitlines())) <= 60


def test_a_pipe_is_not_told_what_a_terminal_draws(tmp_path: Path) -> None:
    pipe = StringIO()
    with terminal.waiting("building", tmp_path / "log", _console(pipe, 80)):
        pass
    assert pipe.getvalue() == ""
