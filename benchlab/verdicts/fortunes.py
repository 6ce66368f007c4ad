"""The page of fortunes: what the contract asks it to hold, and the rules of an answer that is one."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from benchlab.core.quantities import counted
from benchlab.verdicts.answers import Answer, Problem, quoted

TEST = "fortune"
# The rows of images/postgres/seed.sql with the one that is added at request time, sorted by message: by code points.
FORTUNES = (
    ("11", '<script>alert("This should not be displayed in a browser alert box.");</script>'),
    ("4", "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1"),
    ("5", "A computer program does what you tell it to do, not what you want it to do."),
    ("2", "A computer scientist is someone who fixes things that aren't broken."),
    ("8", "A list is only as strong as its weakest link. — Donald Knuth"),
    ("0", "Additional fortune added at request time."),
    ("3", "After enough decimal places, nobody gives a damn."),
    ("7", "Any program that runs right is obsolete."),
    ("10", "Computers make very fast, very accurate mistakes."),
    ("6", "Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen"),
    ("9", "Feature: A bug with seniority."),
    ("1", "fortune: No such file or directory"),
    ("12", "フレームワークのベンチマーク"),
)


class _Page(HTMLParser):
    """Collects the rows of a table's td cells as text, and the elements inside them: of right ones there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[list[str]] = []
        self._in_cell = False
        self.elements: list[str] = []

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return [tuple(cell.strip() for cell in cells) for cells in self._rows if cells]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._rows.append([])
        elif tag == "td" and self._rows:
            self._rows[-1].append("")
        elif self._in_cell and tag != "th":
            self.elements.append(tag)
            return
        self._in_cell = tag == "td" and bool(self._rows)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "tr", "table"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self._rows[-1][-1] += data


def check(answer: Answer) -> Iterator[Problem]:
    """Yield the first rule that a page of fortunes breaks."""
    page = _Page()
    page.feed(answer.body.decode(errors="replace"))
    page.close()
    rows = page.rows
    if not rows:
        yield Problem(TEST, "table", f"answered {quoted(answer.body)}, not an HTML table")
    elif page.elements:
        yield Problem(TEST, "escaped", f"a message came as the element <{page.elements[0]}>, not as escaped text")
    elif len(rows) != len(FORTUNES):
        missing = next((f"; {row} is missing" for row in FORTUNES if row not in rows), "")
        yield Problem(TEST, "count", f"gave {counted(len(rows), 'row')}, not {len(FORTUNES)}{missing}")
    elif different := [pair for pair in zip(rows, FORTUNES, strict=True) if pair[0] != pair[1]]:
        rule = "order" if sorted(rows) == sorted(FORTUNES) else "rows"
        got, wanted = different[0]
        yield Problem(TEST, rule, f"gave the row {got} where {wanted} is expected")
