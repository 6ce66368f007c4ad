"""Tables and texts as wide as the terminal, in a pipe as Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from benchlab.core import letters
from benchlab.core.terminal import redraws
from benchlab.report import markdown

# What a line begins with that its continuation stands beside: a bullet, an indent, a word or a few with a gap behind.
BESIDE = re.compile(r"\* | +|\S+(?: \S+){,2} {2,}")

Rows = Sequence[Sequence[str]]


def is_whole(console: Console, headers: Sequence[str], rows: Rows) -> bool:
    """Return whether a table of these has room for every cell in one line."""
    return sum(most for _, most in _needs(headers, rows)) + 2 * (len(headers) - 1) <= console.width


def fitted(console: Console, headers: Sequence[str], rows: Rows, left: Collection[str]) -> RenderableType:
    """Return a table that breaks no word; where the words do not fit, the cells of a row one below the other.

    There no word that fits in a line is broken. Columns stand right but those named in `left`.
    """
    return _fitted(console, headers, rows, [header in left for header in headers])


def _fitted(console: Console, headers: Sequence[str], rows: Rows, left: Sequence[bool]) -> RenderableType:
    needs = _needs(headers, rows)
    for gap in (2, 1):
        room = console.width - gap * (len(headers) - 1)
        if sum(least for least, _ in needs) <= room:
            return _table(headers, rows, left, _spread(needs, room), gap)
    return Text("\n".join(line for row in rows for line in _block(console, headers, row)))


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


def _table(headers: Sequence[str], rows: Rows, left: Sequence[bool], widths: Sequence[int], gap: int) -> Table:
    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    for header, is_left, width in zip(headers, left, widths, strict=True):
        made.add_column(Text(header), justify="left" if is_left else "right", width=width, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _block(console: Console, headers: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    """Yield a row as lines of names and cells; a cell that is empty has none."""
    for number, (header, cell) in enumerate(zip(headers, row, strict=True)):
        if cell:
            indent = "  " if number else ""
            yield from _wrapped(console, f"{indent}{header}: {cell}", 4)


def _wrapped(console: Console, line: str, indent: int) -> Iterator[str]:
    """Yield the line in parts as wide as the terminal at most, all but the first behind so many spaces."""
    whole = Text(line)
    first, *more = whole.wrap(console, console.width)
    yield first.plain.rstrip()
    if more:
        spaces = " " * min(indent, console.width // 2)
        rest = Text(whole.plain[len(first) :].lstrip())
        for part in rest.wrap(console, console.width - len(spaces)):
            yield f"{spaces}{part.plain.rstrip()}"


def show(console: Console, headers: Sequence[str], rows: Rows) -> None:
    """Print rows of words: a table as wide as the terminal, in a pipe Markdown."""
    rows = [[letters.one_line(cell) for cell in row] for row in rows]
    if redraws(console):
        console.print(fitted(console, headers, rows, left=headers))
    else:
        print(markdown.rows(headers, rows, left=headers), file=console.file)


def tell(console: Console, text: str) -> None:
    """Print a text of Markdown: on a terminal as wide as that, no word broken that fits; in a pipe as it is."""
    text = letters.visible(text)
    if not redraws(console):
        print(text, file=console.file)
        return
    for is_table, lines in groupby(text.split("\n"), key=lambda line: line.startswith("|")):
        found = list(lines)
        if is_table and (read := _read(found)):
            console.print(_fitted(console, *read))
        else:
            for line in found:
                beside = BESIDE.match(line)
                print("\n".join(_wrapped(console, line, cell_len(beside[0]) if beside else 0)), file=console.file)


def _read(lines: Sequence[str]) -> tuple[list[str], list[list[str]], list[bool]] | None:
    """Return headers, rows and which columns stand left in a table of Markdown; None where that cannot be told.

    It cannot where lines differ in their number of cells.
    """
    raw = [markdown.cells(line) for line in lines]
    if len(lines) < 3 or len({len(cells) for cells in raw}) > 1:
        return None
    headers, _, *rows = [[cell.strip() for cell in cells] for cells in raw]
    left = [not any(cell.startswith("  ") and cell.strip() for cell in column) for column in zip(*raw, strict=True)]
    return headers, rows, left
