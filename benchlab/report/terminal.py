"""Renders a document as wide as the terminal; in a pipe as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from benchlab.core import letters
from benchlab.core.terminal import redraws
from benchlab.report import markdown
from benchlab.report.document import Bullets, Code, Document, Files, Heading, Lines, Paragraph, Table, Terms

Rows = Sequence[Sequence[str]]
BULLET = "* "


def show(console: Console, document: Document) -> None:
    """Print the document, without breaking words that fit in a line."""
    if not redraws(console):
        print(markdown.text(document), end="", file=console.file)
        return
    for number, block in enumerate(document.plain):
        if number:
            print(file=console.file)
        if isinstance(block, Table):
            console.print(fitted(console, block))
        elif isinstance(block, Code):
            # In one line each, however long, so that they can be copied.
            print("\n".join(map(letters.one_line, block.lines)), file=console.file)
        else:
            for first, words in _lines(block):
                line = f"{first}{letters.one_line(words)}"
                print("\n".join(_wrapped(console, line, cell_len(first))), file=console.file)


def is_whole(console: Console, table: Table) -> bool:
    """Return whether the table has room for every cell in one line."""
    return sum(most for _, most in _needs(table.headers, table.rows)) + 2 * (len(table.headers) - 1) <= console.width


def fitted(console: Console, table: Table) -> RenderableType:
    """Return a table that breaks no word; if its words do not fit, the cells of each row one below the other."""
    headers = table.headers
    rows = [[letters.one_line(cell) for cell in row] for row in table.rows]
    needs = _needs(headers, rows)
    for gap in (2, 1):
        room = console.width - gap * (len(headers) - 1)
        if sum(least for least, _ in needs) <= room:
            left = [header in table.words for header in headers]
            return _grid(headers, rows, left, _spread(needs, room), gap)
    return Text("\n".join(line for row in rows for line in _cells_below(console, headers, row)))


def _lines(block: Heading | Paragraph | Bullets | Lines | Terms | Files) -> Iterator[tuple[str, str]]:
    """Yield the block's lines, each with what its continuation stands beside and with the rest."""
    match block:
        case Heading():
            yield "", f"{'#' * block.level} {block.text}"
        case Paragraph():
            yield from (("", sentence) for sentence in block.sentences)
        case Bullets():
            yield from ((BULLET, item) for item in block.items)
        case Lines():
            yield from (("", line) for line in block.lines)
        case Terms():
            yield from block.aligned
        case Files():
            named = ", ".join(f"{name} ({about})" if about else name for name, about in block.files.items())
            yield "", f"{block.title}: {named}."


def _needs(headers: Sequence[str], rows: Rows) -> list[tuple[int, int]]:
    """Return the widths of each column's longest word and longest cell."""
    columns = list(zip(headers, *rows, strict=True))
    return [
        (max(cell_len(word) for cell in column for word in (cell.split() or [""])), max(map(cell_len, column)))
        for column in columns
    ]


def _spread(needs: Sequence[tuple[int, int]], room: int) -> list[int]:
    """Return the columns' widths: room for every word first, then for whole cells in as many columns as possible."""
    widths = [least for least, _ in needs]
    for index in sorted(range(len(needs)), key=lambda index: needs[index][1] - needs[index][0]):
        widths[index] += min(needs[index][1] - needs[index][0], room - sum(widths))
    return widths


def _grid(headers: Sequence[str], rows: Rows, left: Sequence[bool], widths: Sequence[int], gap: int) -> Grid:
    made = Grid(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    for header, is_left, width in zip(headers, left, widths, strict=True):
        made.add_column(Text(header), justify="left" if is_left else "right", width=width, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _cells_below(console: Console, headers: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    """Yield a row as lines of header and cell, without empty cells."""
    for number, (header, cell) in enumerate(zip(headers, row, strict=True)):
        if cell:
            indent = "  " if number else ""
            yield from _wrapped(console, f"{indent}{header}: {cell}", 4)


def _wrapped(console: Console, line: str, indent: int) -> Iterator[str]:
    """Yield the line wrapped to the terminal's width, all parts but the first indented."""
    whole = Text(line)
    first, *more = whole.wrap(console, console.width)
    yield first.plain.rstrip()
    if more:
        spaces = " " * min(indent, console.width // 2)
        rest = Text(whole.plain[len(first) :].lstrip())
        for part in rest.wrap(console, console.width - len(spaces)):
            yield f"{spaces}{part.plain.rstrip()}"
