"""A terminal: whether it can be drawn over, what it shows while something takes long, a log's lines in plain text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from benchlab.core.quantities import minutes

# More of a log's end than its last line has.
TAIL_BYTES = 4096
REFRESHES_PER_S = 2


def redraws(console: Console) -> bool:
    """Return whether lines can be drawn over there.

    A console calls a pipe a terminal where FORCE_COLOR is set, and on a dumb terminal rich's Live shows nothing.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


@contextmanager
def waiting(what: str, log: Path, console: Console) -> Iterator[None]:
    """Show what goes on, for how long, and the last line of its log, for the length of the with block."""
    if not redraws(console):
        yield
        return
    wait = _Wait(what, log)
    with Live(
        wait,
        console=console,
        refresh_per_second=REFRESHES_PER_S,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


class _Wait:
    """A line that is made anew whenever it is drawn."""

    def __init__(self, what: str, log: Path):
        self._what, self._log = what, log
        self._began = time.monotonic()

    def __rich__(self) -> Text:
        elapsed = minutes(time.monotonic() - self._began)
        return Text(f"{self._what}, {elapsed}: {_last_line(self._log)}", no_wrap=True, overflow="ellipsis")


def _last_line(log: Path) -> str:
    """Return the last line of the file that is not empty, without what would move the cursor."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    words = (line.strip() for text in reversed(lines) for line in reversed(plain(text)))
    return next((line for line in words if line), "")


def plain(text: str) -> list[str]:
    """Return the text's lines without colours, and without what would move a cursor.

    Of a line that was written over, as progress bars are, its last state.
    """
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return ["".join(filter(str.isprintable, Text.from_ansi(line).plain)) for line in lines]
