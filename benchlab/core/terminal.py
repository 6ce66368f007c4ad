"""Tables and texts as wide as the terminal, in a pipe as Markdown; and what is shown while something takes long."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from benchlab.core.quantities import minutes

# More of a log's end than its last line has.
TAIL_BYTES = 4096
REFRESHES_PER_S = 2

# What a line begins with that its continuation stands beside: a bullet, an indent, a word or a few with a gap behind.
BESIDE = re.compile(r"\* | +|\S+(?: \S+){,2} {2,}|")

Rows = Sequence[Sequence[str]]


def redraws(console: Console) -> bool:
    """Return whether lines can be drawn over there.

    A console calls a pipe a terminal where FORCE_COLOR is set, and on a dumb terminal rich's Live shows nothing.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def is_whole(console: Console, headers: Sequence[str], rows: Rows) -> bool:
    """Return whether a table of these has room for every cell in one line."""
    return sum(most for _, most in _needs(headers, rows)) + 2 * (len(headers) - 1) <= console.width


def fitted(console: Console, headers: Sequence[str], rows: Rows, left: Sequence[str]) -> RenderableType:
    """Return a table that breaks no word; where not even the words fit, the cells of a row one below the other.

    Columns stand right but those named in `left`.
    """
    needs = _needs(headers, rows)
    for gap in (2, 1):
        room = console.width - gap * (len(headers) - 1)
        if sum(least for least, _ in needs) <= room:
            return _table(headers, rows, left, _spread(needs, room), gap)
    return Text("\n".join(line for row in rows for line in _block(headers, row, console.width)))


def _needs(headers: Sequence[str], rows: Rows) -> list[tuple[int, int]]:
    """Return of each column how wide its longest word is, and its longest cell."""
    columns = list(zip(headers, *rows, strict=True))
    return [
        (max(cell_len(word) for cell in column for word in (cell.split() or [""])), max(map(cell_len, column)))
        for column in columns
    ]


def _spread(needs: Sequence[tuple[int, int]], room: int) -> list[int]:
    """Return the columns' widths: all words have room, then whole cells of as many columns as can."""
    widths = [least for least, _ in needs]
    for index in sorted(range(len(needs)), key=lambda index: needs[index][1] - needs[index][0]):
        widths[index] += min(needs[index][1] - needs[index][0], room - sum(widths))
    return widths


def _table(headers: Sequence[str], rows: Rows, left: Sequence[str], widths: Sequence[int], gap: int) -> Table:
    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    for header, width in zip(headers, widths, strict=True):
        made.add_column(Text(header), justify="left" if header in left else "right", width=width, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _block(headers: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """Yield a row as lines of names and cells; a cell that is empty has none."""
    for header, cell in zip(headers, row, strict=True):
        if cell:
            indent = "" if header == headers[0] else "  "
            yield from _wrapped(f"{indent}{header}: {cell}", width, 4)


def _wrapped(line: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=" " * indent, break_on_hyphens=False) or [""]


def show(console: Console, headers: Sequence[str], rows: Rows) -> None:
    """Print rows of words: a table as wide as the terminal, in a pipe Markdown."""
    if redraws(console):
        console.print(fitted(console, headers, rows, left=headers))
    else:
        print(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True), file=console.file)


def tell(console: Console, text: str) -> None:
    """Print a text of Markdown: on a terminal its tables as wide as that and its words whole, in a pipe as it is."""
    if not redraws(console):
        print(text, file=console.file)
        return
    for is_table, lines in groupby(text.split("\n"), key=lambda line: line.startswith("|")):
        found = list(lines)
        if is_table and (read := _read(found)):
            console.print(fitted(console, *read))
        else:
            for line in found:
                beside = BESIDE.match(line)
                indent = min(len(beside[0]) if beside else 0, console.width // 2)
                print("\n".join(_wrapped(line, console.width, indent)), file=console.file)


def _read(lines: Sequence[str]) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return headers, rows and the headers of what stands left in a table of Markdown; None where that cannot be told.

    It cannot where a cell holds what parts cells.
    """
    raw = [line.strip("|").split("|") for line in lines]
    if len(lines) < 3 or len({len(cells) for cells in raw}) > 1:
        return None
    headers, _, *rows = [[cell.strip() for cell in cells] for cells in raw]
    columns = zip(*(cells for cells in raw), strict=True)
    left = [
        header
        for header, column in zip(headers, columns, strict=True)
        if not any(cell.startswith("  ") and cell.strip() for cell in column)
    ]
    return headers, rows, left


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
