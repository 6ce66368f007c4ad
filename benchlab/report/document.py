"""A report as a document of blocks, made once and rendered for the terminal, as Markdown and as a page.

Blocks hold plain text; each renderer escapes it for its own medium.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from benchlab.core.quantities import MEANING, TOO_WIDE

if TYPE_CHECKING:
    import pandas as pd

    from benchlab.statistics.comparison import Rank

# The column of a factor's effects: it says which way their ratios go.
EFFECT = "effect: level / reference"
# Columns of words are aligned left, those of numbers right.
WORDS = ("framework", "test", "entry", "pair", EFFECT, "outcome", "limited by", "rule", "meaning", "verdict")


@dataclass(frozen=True)
class Heading:
    """A heading. One of level 2 begins a section, which the page lists as `short` and links to by `key`."""

    text: str
    level: int = 2
    key: str = ""
    short: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Sentences that belong together; Markdown and the terminal put each on its own line."""

    sentences: tuple[str, ...]
    is_strong: bool = False
    is_quiet: bool = False


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Conclusion:
    """Who leads a test and who cannot be told apart, and what limited its rows.

    What limited all tests alike is reported once, with `test` and `text` empty.
    """

    test: str
    text: str
    limits: str

    def __str__(self) -> str:
        return " ".join(filter(None, [self.test and f"{self.test}.", self.text, self.limits]))


@dataclass(frozen=True)
class Conclusions:
    """The first thing to read: a bullet for each test."""

    items: tuple[Conclusion, ...]


@dataclass(frozen=True)
class Warnings:
    """What a reader must know before trusting any number."""

    items: tuple[str, ...]
    title: str = "Before you believe it"


@dataclass(frozen=True)
class Table:
    """Rows of cells as text; the columns named in `words` are aligned left.

    `title` stands above the table and `notes` below. Where `narrow` names groups of columns, Markdown and the terminal
    show a table for each group; the remaining columns are in other tables of the document. The page shows all columns,
    and folds away a table with `is_detail`. The page draws the cells of the column "rank" from `ranks`, one a row.
    `brief` are the rows that Markdown and the terminal show, None for all, and `brief_note` what they say below.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: Collection[str] = WORDS
    title: str = ""
    notes: tuple[str, ...] = ()
    narrow: tuple[tuple[str, ...], ...] = ()
    is_detail: bool = False
    ranks: tuple[Rank | None, ...] = ()
    brief: tuple[int, ...] | None = None
    brief_note: str = ""

    def columns(self, names: Sequence[str]) -> Table:
        """Return the table of these columns, without title and notes."""
        places = [self.headers.index(name) for name in names]
        return Table(tuple(names), tuple(tuple(row[place] for place in places) for row in self.rows), self.words)

    @property
    def ranked(self) -> int:
        """Return how many rows have a rank."""
        return sum(rank is not None for rank in self.ranks)

    @property
    def parts(self) -> tuple[Table, ...]:
        """Return the tables that Markdown and the terminal show of it."""
        shown = self if self.brief is None else replace(self, rows=tuple(self.rows[place] for place in self.brief))
        if not shown.rows and self.rows:
            return ()
        return tuple(map(shown.columns, self.narrow)) if self.narrow else (shown,)


@dataclass(frozen=True)
class Plot:
    """The place of a chart, by its name."""

    name: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class Square:
    """The entry of the row against that of the column.

    `tone` names the colour; `sign` and `word` say the same without colour; `words` says all of it.
    """

    tone: str
    sign: str
    word: str
    ratio: str
    interval: str
    words: str


@dataclass(frozen=True)
class HeatMap:
    """A row of squares for each entry, and a column for each, in the same order."""

    title: str
    entries: tuple[str, ...]
    squares: tuple[tuple[Square, ...], ...]


@dataclass(frozen=True)
class HeatMaps:
    """Who against whom, as coloured squares: first over all levels, then level by level."""

    maps: tuple[HeatMap, ...]


@dataclass(frozen=True)
class Code:
    """Commands to copy."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Names with their meanings; a row without a name continues the one before."""

    rows: tuple[tuple[str, str], ...]

    @property
    def aligned(self) -> list[tuple[str, str]]:
        """Return the rows with names as wide as the widest one and a gap behind it."""
        width = max((len(name) for name, _ in self.rows), default=0)
        return [(f"{name:<{width}}  ", words) for name, words in self.rows]


@dataclass(frozen=True)
class Lines:
    """Lines that stand by themselves, in their order."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Nested facts, shown whole, to look things up in."""

    title: str
    facts: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True)
class Files:
    """The files beside this one, by name, with what each holds."""

    title: str
    files: Mapping[str, str] = field(hash=False)


# The blocks of Markdown and the terminal.
Plain = Heading | Paragraph | Bullets | Table | Code | Terms | Lines | Files
# Only the page shows the last three: plots and squares draw the tables' values, and the facts are in the manifest.
Block = Plain | Conclusions | Warnings | Plot | HeatMaps | Facts
TABLE_LEVEL = 3


@dataclass(frozen=True)
class Document:
    """Blocks in the order in which they are read; a page shows the subtitle below the title."""

    blocks: tuple[Block, ...]
    title: str = ""
    subtitle: str = ""

    @property
    def plain(self) -> Iterator[Plain]:
        """Yield the blocks of Markdown and the terminal, without what only a page can show."""
        if self.title:
            yield Heading(self.title, level=1)
        for block in self.blocks:
            yield from _plain(block)
        if self.has_too_wide:
            yield Paragraph((MEANING,))

    @cached_property
    def has_too_wide(self) -> bool:
        """Return whether any interval is called too wide, which then needs an explanation."""
        return any(TOO_WIDE in text for text in _texts(self.blocks))


def _plain(block: Block) -> Iterator[Plain]:
    if isinstance(block, Table):
        notes = [note for note in (block.brief_note, *block.notes) if note]
        yield from [Heading(block.title, TABLE_LEVEL)] if block.title and (block.parts or notes) else []
        yield from block.parts
        yield from (Paragraph((note,)) for note in notes)
    elif isinstance(block, Conclusions):
        yield Bullets(tuple(map(str, block.items)))
    elif isinstance(block, Warnings):
        yield Paragraph((f"{block.title}:",))
        yield Bullets(block.items)
    elif not isinstance(block, Plot | HeatMaps | Facts):
        yield block


def table(
    frame: pd.DataFrame,
    title: str = "",
    *,
    words: Collection[str] = WORDS,
    notes: Sequence[str] = (),
    narrow: Sequence[Sequence[str]] = (),
    is_detail: bool = False,
    ranks: Sequence[Rank | None] = (),
) -> Table:
    """Return the frame as a table; each cell becomes text as it is."""
    rows = tuple(tuple(map(str, row)) for row in frame.itertuples(index=False, name=None))
    groups = tuple(tuple(group) for group in narrow)
    return Table(tuple(map(str, frame.columns)), rows, words, title, tuple(notes), groups, is_detail, tuple(ranks))


def _texts(value: object) -> Iterator[str]:
    """Yield every text in the blocks, except facts and files."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value) and not isinstance(value, Facts | Files | type):
        for each in fields(value):
            yield from _texts(getattr(value, each.name))
