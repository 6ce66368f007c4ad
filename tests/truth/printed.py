"""Reads what the lab prints, Markdown and pages, into tables, bullets and paragraphs: from the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

Row = Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table's rows, each by the heads of its columns; `caption` and `within`, the heading above, are a page's."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    within: str = ""


@dataclass
class Section:
    """What stands under a heading, and which heading of the second level that is within, or is."""

    title: str
    within: str = ""
    tables: list[Table] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)
    # The lines of its paragraphs, and each paragraph as one line.
    paragraphs: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)


def sections(text: str) -> list[Section]:
    """Return a Markdown text's sections, in their order."""
    found = [Section("")]
    for block in re.split(r"\n\n+", text.strip("\n")):
        lines = block.splitlines()
        if lines[0].startswith("#"):
            title = lines[0].lstrip("# ")
            found.append(Section(title, found[-1].within if lines[0].startswith("###") else title))
            lines = lines[1:]
        if lines and lines[0].startswith("|"):
            found[-1].tables.append(_table(lines))
        elif lines and lines[0].startswith("* "):
            found[-1].bullets += [line[2:] for line in lines]
        elif lines and not lines[0].startswith("```"):
            found[-1].paragraphs += lines
            found[-1].whole.append(" ".join(lines))
    return found


def _table(lines: Sequence[str]) -> Table:
    rows = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    head, _, *body = rows
    return Table(tuple(head), tuple(dict(zip(head, row, strict=True)) for row in body))


@dataclass
class Page:
    """What a page says: paragraphs, bullets, tables; of heat maps the section, the caption and each square's title."""

    paragraphs: list[str] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    heat_maps: list[tuple[str, str, list[tuple[str, str, str]]]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the text of paragraphs, bullets, captions and cells."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._open: list[str] = []
        self._text: list[str] = []
        self._rows: list[list[tuple[str, str]]] = []
        self._caption = ""
        self._is_heat = False
        self._title = self._section = self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("id") or ""
        if tag in ("p", "li", "caption", "td", "th", "pre", "summary", "h1", "h2", "h3"):
            self._text = []
            self._title = given.get("title") or ""
        if tag == "table":
            self._rows, self._caption = [], ""
            self._is_heat = (given.get("class") or "").startswith("heat")
        if tag == "tr":
            self._rows.append([])

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        said = " ".join("".join(self._text).split())
        if tag == "p":
            self.page.paragraphs.append(said)
        elif tag == "li":
            self.page.bullets.append(said)
        elif tag == "caption":
            self._caption = said
        elif tag == "h2":
            self._heading = said
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append((said, self._title))
        elif tag == "table":
            self._end_table()

    def _end_table(self) -> None:
        head, *body = self._rows
        if self._is_heat:
            names = [text for text, _ in head[1:]]
            squares = [
                (row[0][0], name, title)
                for row in body
                for name, (_, title) in zip(names, row[1:], strict=True)
                if row[0][0] != name
            ]
            self.page.heat_maps.append((self._section, self._caption, squares))
            return
        columns = tuple(text.replace("‑", "-") for text, _ in head)
        rows = tuple(dict(zip(columns, (text for text, _ in row), strict=True)) for row in body)
        self.page.tables.append(Table(columns, rows, self._caption, self._heading))


def page(text: str) -> Page:
    """Return what the page says."""
    reader = _Reader()
    reader.feed(re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL))
    return reader.page


def merged(tables: Sequence[Table], key: str) -> Iterator[dict[str, str]]:
    """Yield the rows of tables that tell of the same things, put together."""
    for rows in zip(*(table.rows for table in tables), strict=True):
        whole: dict[str, str] = {}
        for row in rows:
            assert not whole or whole[key] == row[key]
            whole |= row
        yield whole
