"""Tables as wide as the terminal, in a pipe as Markdown; and what is shown there while something takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from benchlab.core.quantities import minutes

# More of a log's end than its last line has.
TAIL_BYTES = 4096
REFRESHES_PER_S = 2
# No terminal is as wide.
ANY_WIDTH = 10_000

Rows = Sequence[Sequence[str]]


def redraws(console: Console) -> bool:
    """Return whether lines can be drawn over there.

    A console calls a pipe a terminal where FORCE_COLOR is set, and on a dumb terminal rich's Live shows nothing.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def table(headers: Sequence[str], rows: Rows, left: Sequence[str], gap: int = 2) -> Table:
    """Return a table for a terminal; columns stand right but those named in `left`."""
    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    for header, *cells in zip(headers, *rows, strict=True):
        # Where room is short, cells of several words give way, and names stay whole.
        names = all(len(cell.split()) < 2 for cell in cells)
        made.add_column(Text(header), justify="left" if header in left else "right", no_wrap=names, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def widths(console: Console, made: Table) -> Measurement:
    """Return the least width that breaks no word of the table, and the width that breaks no cell."""
    return Measurement.get(console, console.options.update_width(ANY_WIDTH), made)


def fitted(console: Console, headers: Sequence[str], rows: Rows, left: Sequence[str]) -> RenderableType:
    """Return a table that breaks no word; where not even the words fit, the cells of a row one below the other."""
    for made in (table(headers, rows, left, gap) for gap in (2, 1)):
        if widths(console, made).minimum <= console.width:
            return made
    cells = (cell for row in rows for cell in zip(headers, row, strict=True))
    return Group(*(Text(f"{'' if header == headers[0] else '  '}{header}: {cell}") for header, cell in cells))


def show(console: Console, headers: Sequence[str], rows: Rows) -> None:
    """Print rows of words: a table as wide as the terminal, in a pipe Markdown."""
    if redraws(console):
        console.print(fitted(console, headers, rows, left=headers))
    else:
        print(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True), file=console.file)


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
    words = (Text.from_ansi(line.strip()).plain.strip() for line in reversed(lines))
    return next((line for line in words if line), "")
