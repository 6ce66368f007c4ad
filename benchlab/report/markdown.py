"""Renders a document as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from benchlab.core import letters
from benchlab.core.letters import one_line
from benchlab.report.document import Bullets, Code, Document, Files, Heading, Lines, Paragraph, Plain, Table, Terms

# The separator of cells, and how it is written inside one.
BETWEEN, ESCAPED = "|", r"\|"


def text(document: Document) -> str:
    """Return the document as Markdown, without what only a page can show."""
    blocks = "\n\n".join(map(_block, document.plain))
    return f"{letters.visible(blocks)}\n"


def table(shown: Table) -> str:
    """Return the rows of the table as they are, without its title and notes."""
    alignment = ["left" if header in shown.words else "right" for header in shown.headers]
    lines = [[one_line(cell).replace(BETWEEN, ESCAPED) for cell in row] for row in (shown.headers, *shown.rows)]
    return tabulate(lines, headers="firstrow", tablefmt="github", disable_numparse=True, colalign=alignment)


def _block(block: Plain) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {one_line(block.text)}"
        case Paragraph():
            return _lines(block.sentences)
        case Bullets():
            return _lines(f"* {item}" for item in block.items)
        case Table():
            return table(block)
        case Code():
            return "\n".join(["```sh", *block.lines, "```"])
        case Terms():
            return _lines(f"{name}{words}" for name, words in block.aligned)
        case Lines():
            return _lines(block.lines)
        case Files():
            named = (f"[{name}]({name}){f' ({about})' if about else ''}" for name, about in block.files.items())
            return f"{block.title}: {', '.join(named)}."


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(map(one_line, lines))
