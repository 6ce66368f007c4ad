"""What the tables of a report say, read from their cells, and what makes a table contradict itself or the samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from .printed import Row, Section, Table, merged, page, sections
from .sampled import PER_CPU, RATE

MEASURES = {"requests per second": RATE, "requests per CPU-second": PER_CPU}
UNDECIDED, TOO_FEW = "cannot be told apart", "too few blocks"
UNCLEAR = re.compile(r"unclear among (\d+) comparisons")
TOO_WIDE = "[too wide]"
# What stands in place of an outcome beside a baseline that an entry has no block with.
UNCOMPARED = "no block in common"
# What limits a row of a full host; and how much of such a host's time is idle at the most, in per cent as printed.
FULL = ("host-shared", "others")
NEARLY_FULL = 7
NUMBER = r"\d[\d,]*(?:\.\d+)?"
# A figure with its interval: 1,010 [985–1,035], ≥ 519 [390–690], 0.993 [0.966–1.022] (90 %).
FIGURE = re.compile(
    rf"(?P<bound>≥ )?(?P<figure>{NUMBER})(?: (?P<interval>\[(?:{NUMBER}–{NUMBER}|too wide)\]))?(?P<level90> \(90 %\))?"
)


@dataclass(frozen=True)
class Printed:
    """A figure as it is printed, with the bounds of its interval where it has some.

    `half_unit` is by how much rounding may have moved it, `half_units` by how much its bounds.
    """

    figure: float
    low: float | None
    high: float | None
    half_unit: float
    half_units: tuple[float, float] = (0.0, 0.0)
    is_90: bool = False
    is_bound: bool = False
    is_too_wide: bool = False
    rest: str = ""

    @property
    def has_interval(self) -> bool:
        return self.low is not None or self.is_too_wide

    @property
    def bare(self) -> tuple[float, float | None, float | None]:
        """Return the figure and its bounds."""
        return self.figure, self.low, self.high

    @property
    def leaves_out_1(self) -> bool:
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def holds_1(self) -> bool:
        """Return whether 1 lies within the bounds, and not on one as it is printed."""
        return self.low is not None and self.high is not None and self.low < 1 < self.high

    def shows(self, value: float) -> bool:
        return abs(self.figure - value) <= self.half_unit

    def shows_bounds(self, low: float, high: float) -> bool:
        """Return whether the bounds are these, rounded."""
        if self.low is None or self.high is None:
            return False
        return abs(self.low - low) <= self.half_units[0] and abs(self.high - high) <= self.half_units[1]

    def reaches(self, low: float, high: float) -> bool:
        """Return whether the interval is as wide as this one, or wider."""
        if self.low is None or self.high is None:
            return False
        return self.low <= low + self.half_units[0] and self.high >= high - self.half_units[1]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def half_unit(text: str) -> float:
    """Return half of the last digit's unit, with a little more for the arithmetic."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) * 1.001 + 1e-12


def printed(text: str) -> Printed | None:
    """Return the figure that the text begins with; None where it has none."""
    match = FIGURE.match(text)
    if match is None:
        return None
    low = high = None
    half_units = (0.0, 0.0)
    interval = match["interval"] or ""
    if interval and interval != TOO_WIDE:
        bounds = interval.strip("[]").split("–")
        low, high = map(number, bounds)
        half_units = (half_unit(bounds[0]), half_unit(bounds[1]))
    return Printed(
        number(match["figure"]),
        low,
        high,
        half_unit(match["figure"]),
        half_units,
        bool(match["level90"]),
        bool(match["bound"]),
        interval == TOO_WIDE,
        text[match.end() :],
    )


@dataclass(frozen=True)
class Pair:
    """A row of ratios: first over second, and what it says of them."""

    level: str
    figure: str
    first: str
    second: str
    ratio: Printed
    outcome: str
    through: str = ""

    @property
    def is_decided(self) -> bool:
        return self.outcome in ("faster", "slower")

    @property
    def winner(self) -> str:
        return {"faster": self.first, "slower": self.second}.get(self.outcome, "")

    @property
    def loser(self) -> str:
        return {"faster": self.second, "slower": self.first}.get(self.outcome, "")

    @property
    def is_equal(self) -> bool:
        return self.outcome == "equal"

    @property
    def is_undecided(self) -> bool:
        return self.outcome in (UNDECIDED, TOO_FEW) or UNCLEAR.fullmatch(self.outcome) is not None

    @property
    def is_over_levels(self) -> bool:
        return not self.level.isdecimal()

    def __str__(self) -> str:
        low, high = self.ratio.low, self.ratio.high
        bounds = "" if low is None else f" [{low}–{high}]"
        return f"{self.level} {self.figure} {self.first} / {self.second} {self.ratio.figure}{bounds} {self.outcome}"


@dataclass(frozen=True)
class OfTest:
    """The tables of one test."""

    test: str
    title: str
    summary: tuple[dict[str, str], ...]
    pairs: tuple[Pair, ...]

    @property
    def basis(self) -> str:
        """Return the figure that ranks the test's entries; nothing where none does."""
        return self._relative.removeprefix("relative").strip()

    @cached_property
    def _relative(self) -> str:
        return next(column for row in self.summary for column in row if column.startswith("relative"))

    @property
    def control(self) -> str:
        """Return the baseline that each other entry is compared with; nothing where every two are."""
        match = re.search(r"compared with (\S+) by ", self.title)
        return match[1] if match else ""

    @cached_property
    def ranked(self) -> dict[str, tuple[int, int]]:
        """Return the places that each entry may have, in the order of the table.

        Beside a baseline there are none: then it has those that are compared, each without a place.
        """
        if self.control:
            compared = [row for row in self.summary if row["entry"] in self.relative or row["outcome"] == UNCOMPARED]
            return {row["entry"]: (0, 0) for row in compared}
        found = {}
        for row in self.summary:
            if match := re.fullmatch(r"(\d+)(?:–(\d+))?", row.get("rank", "")):
                found[row["entry"]] = (int(match[1]), int(match[2] or match[1]))
        return found

    @cached_property
    def relative(self) -> dict[str, Printed]:
        """Return each entry's figure in terms of the leader's, where it has one."""
        found = {row["entry"]: printed(row[self._relative]) for row in self.summary}
        return {entry: figure for entry, figure in found.items() if figure is not None}

    def over_levels(self, figure: str) -> list[Pair]:
        return [pair for pair in self.pairs if pair.is_over_levels and pair.figure == figure]

    def pair(self, first: str, second: str, figure: str) -> Pair | None:
        """Return the row of the two over all levels, whichever comes first in it."""
        for pair in self.over_levels(figure):
            if {pair.first, pair.second} == {first, second}:
                return pair
        return None


class Report:
    """A report's text, by what it tells of; of many entries the page alone has all pairs."""

    def __init__(self, text: str, html: str = ""):
        self.sections: list[Section] = sections(text)
        self._html = html

    @property
    def top(self) -> Section:
        return next(section for section in self.sections if section.title.startswith("The answer"))

    @cached_property
    def tests(self) -> dict[str, OfTest]:
        found = {}
        for section in self.sections:
            if section.title.startswith("Summary over all levels"):
                test = section.within.partition(" (")[0]
                ratios = [
                    s for s in self.sections if s.within == section.within and re.match(r"Ratios(?: |$)", s.title)
                ]
                table = self._ratios(section.within, ratios[0]) if ratios else None
                rows = tuple(_pairs(table)) if table else ()
                found[test] = OfTest(test, section.title, tuple(merged(section.tables, "entry")), rows)
        return found

    def _ratios(self, within: str, section: Section) -> Table | None:
        """Return the table of ratios, whole: that of the page where the text has some of its rows, or none."""
        if not self._html or not any(map(is_brief, section.paragraphs)):
            return section.tables[0] if section.tables else None
        found = (each for each in self._page if (each.within, each.caption) == (within, section.title))
        return next(found, None)

    @cached_property
    def _page(self) -> list[Table]:
        return page(self._html).tables

    @cached_property
    def cells(self) -> list[Row]:
        """Return the rows of the table of bottlenecks."""
        section = self._section("Bottlenecks: ")
        return list(section.tables[0].rows) if section else []

    @cached_property
    def overview(self) -> Table | None:
        section = self._section("Overview: ")
        if section is None or section.tables:
            return section.tables[0] if section else None
        by_test = {each.title: each.tables[0] for each in self.sections if each.within == section.title and each.tables}
        cells = {
            (test, level, row["entry"]): row[level]
            for test, table in by_test.items()
            for row in table.rows
            for level in table.columns[1:]
        }
        entries = sorted({entry for *_, entry in cells})
        rows = [
            {"test": test, "level": level, **{entry: cells.get((test, level, entry), "–") for entry in entries}}
            for test, table in by_test.items()
            for level in table.columns[1:]
        ]
        return Table(("test", "level", *entries), tuple(rows))

    @cached_property
    def rules(self) -> list[Row]:
        section = self._section("Verdicts")
        return list(section.tables[0].rows) if section and section.tables else []

    def _section(self, start: str) -> Section | None:
        return next((section for section in self.sections if section.title.startswith(start)), None)


# What text says in place of rows that the page has.
BRIEF = (
    re.compile(r"Neighbours in the order of the summary: (?P<shown>\d+) of (?P<all>\d+) rows?\. All of them, .+\."),
    re.compile(r"(?P<all>\d+) ratios? to (?P<control>\S+), with their intervals, stand on the page .+\."),
    re.compile(r"Of so many entries the study's tables stand on the page\."),
)


def is_brief(paragraph: str) -> bool:
    return any(known.fullmatch(paragraph) for known in BRIEF)


def _pairs(table: Table) -> Iterator[Pair]:
    for row in table.rows:
        names, _, through = row["pair"].removesuffix(")").partition(" (through ")
        first, _, second = names.partition(" / ")
        interval = next(row[column] for column in row if "interval" in column)
        found = printed(f"{row['ratio']} {interval}" if interval != "–" else row["ratio"])
        assert found is not None, row
        yield Pair(row["level"], row["metric"], first, second, found, row["outcome"], through)


def listed(names: str) -> tuple[list[str], int]:
    """Return the names that a sentence lists, and how many it counts beside them."""
    parts = re.split(r", | and ", names)
    others = re.fullmatch(r"(\d+) others", parts[-1])
    return (parts[:-1], int(others[1])) if others else (parts, 0)


def levels_of(label: str, every: Sequence[int]) -> list[int]:
    """Return the levels that a row is over: all, all but 16 and 32, 16 and 32 alone, or the one."""
    named = [int(found) for found in re.findall(r"\d+", label)]
    return [level for level in every if level not in named] if label.startswith("all") else named


def label_of(rest: str) -> str:
    """Return which levels a figure is said to be over behind it: "all" where nothing is said."""
    match = re.search(r"\((all but [\d, and]+|[\d, and]+ alone)\)", rest)
    return match[1] if match else "all"


def is_full(row: Row) -> bool:
    """Return whether the row of bottlenecks may be of a host with hardly any time to spare, as far as it is shown."""
    return row["host idle"].endswith("%") and float(row["host idle"].rstrip("%")) <= NEARLY_FULL


def is_spare(row: Row) -> bool:
    """Return whether the row's host may have had time to spare: at the limit, as it is shown, it may be either."""
    return row["host idle"].endswith("%") and float(row["host idle"].rstrip("%")) >= NEARLY_FULL
