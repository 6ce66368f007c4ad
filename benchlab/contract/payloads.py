"""The rules of answers that are made of rows: of World (db, query, cached-query, update), and of the page of fortunes.

Where a `world` is asked for, None is one that changes meanwhile: then values cannot be compared with it. Of an
`adopted` entry what its format tolerates is worth a warning only (docs/verification.md has a table).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser

from benchlab.contract.answers import Answer, Problem, World, faults, listed, parsed, quoted, shown
from benchlab.core.quantities import counted
from benchlab.experiment.workloads import MAX_QUERIES, WORKLOADS

KEYS = ("id", "randomNumber")
# World has as many rows, and as many numbers are drawn from.
ROWS = 10_000
FORTUNE = "fortune"
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


@dataclass(frozen=True)
class Wanted:
    """What a request asks for: what is sent as N, None for no parameter at all, and how many rows must come back.

    Of a `lenient` one, whatever comes back is worth a warning only; of an `extra` one, which TechEmpower does not send,
    so it is of an adopted entry.
    """

    sent: str | None
    count: int
    lenient: bool = False
    extra: bool = False

    def __str__(self) -> str:
        return "no N" if self.sent is None else f"N={self.sent!r}"


# The largest answer is the last one: what it returned of an update is not overwritten before World is read.
WANTED = (
    Wanted("2", 2),
    Wanted("1", 1),
    Wanted("20", 20),
    Wanted("0", 1),
    Wanted("-1", 1, extra=True),
    Wanted("foo", 1),
    Wanted("", 1),
    Wanted(None, 1, extra=True),
    Wanted(str(MAX_QUERIES + 1), MAX_QUERIES, lenient=True),
    Wanted(str(MAX_QUERIES), MAX_QUERIES),
)
# Twenty draws from 10,000 are all the same once in 10,000^19; two are, once in 10,000, of an honest entry.
LEAST_VARIED = 20
# How many of the returned rows World must hold after an update. Chance leaves one in 10,000 with the number it had.
WRITTEN_SHARE = 0.95
# With no more than this TechEmpower fails an entry; up to the share above, it warns.
TOLERATED_SHARE = 0.9


def paths(path: str) -> tuple[str, ...]:
    """Return what must be requested to verify a test type that returns N rows under `path` with N appended."""
    bare = path.rpartition("?")[0] or path
    return tuple(bare if wanted.sent is None else path + wanted.sent for wanted in WANTED)


def check_one(test: str, answer: Answer, world: World | None, adopted: bool = False) -> Iterator[Problem]:
    """Yield what is wrong with an answer that is to be one row."""
    row = parsed(answer.body)
    if not isinstance(row, dict):
        yield Problem(test, "body", f"{answer.path} answered {quoted(answer.body)}, not one object")
    else:
        yield from _row(test, answer.path, row, world, adopted)


def check_list(
    test: str, wanted: Wanted, answer: Answer, world: World | None, adopted: bool = False
) -> Iterator[Problem]:
    """Yield what is wrong with an answer that is to list the rows asked for."""
    rows = parsed(answer.body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        yield Problem(test, "body", f"{wanted} answered {quoted(answer.body)}, not a list of objects")
    elif len(rows) != wanted.count:
        yield Problem(test, "count", f"{wanted} gave {counted(len(rows), 'row')}, not {wanted.count}")
    else:
        problems = [problem for row in rows for problem in _row(test, str(wanted), row, world, adopted)]
        wrong = faults(problems)
        # Each kind of warning once.
        yield from wrong[:1] or {problem.rule: problem for problem in reversed(problems)}.values()
        if not wrong:
            yield from _ids(test, str(wanted), [row_id for row in rows for row_id, _ in _numbers(row)])


def check_drawn(test: str, answers: Sequence[Answer]) -> Iterator[Problem]:
    """Yield what is wrong with answers of one row each, right in themselves: their rows are drawn at random."""
    ids = [row_id for answer in answers for row_id, _ in _numbers(parsed(answer.body))]
    yield from _ids(test, f"{answers[0].path}, {len(answers)} times", ids)


def check_written(test: str, answer: Answer, before: World, after: World, adopted: bool = False) -> Iterator[Problem]:
    """Yield what is wrong with World `after` an update: `answer` is its last one, and right in itself.

    `before` may be from before other updates too: their numbers are as unlikely to be drawn again.
    """
    rows = [numbers for row in parsed(answer.body) for numbers in _numbers(row)]
    least = math.ceil(WRITTEN_SHARE * len(rows))
    lost = [(row_id, number) for row_id, number in rows if after.get(row_id) != number]
    if len(rows) - len(lost) < least:
        row_id, number = lost[0]
        yield Problem(
            test,
            "written",
            f"World holds {len(rows) - len(lost)} of {len(rows)} returned rows, not {least} or more: id {row_id} was "
            f"returned with {number}, but World has {after.get(row_id)}",
            warning=adopted and len(rows) - len(lost) > TOLERATED_SHARE * len(rows),
        )
    renewed = sum(before.get(row_id) != number for row_id, number in rows)
    if renewed < least:
        yield Problem(
            test,
            "new numbers",
            f"{renewed} of {len(rows)} returned rows have another randomNumber than before, not {least} or more; draw "
            "a new one for each",
            warning=adopted and renewed > TOLERATED_SHARE * len(rows),
        )


def _row(test: str, request: str, row: dict[str, object], world: World | None, adopted: bool) -> Iterator[Problem]:
    """Yield the first rule that a row breaks; of an adopted entry's, what is worth a warning too."""
    is_exact = all(type(row.get(key)) is int for key in KEYS)
    pair = next(_numbers(row), None) if adopted or is_exact else None
    if pair is None or not is_exact:
        message = f"{request} gave {shown(row)}, not integers id and randomNumber"
        yield Problem(test, "keys", message, warning=pair is not None)
    if pair is None:
        return
    row_id, number = pair
    if not (1 <= row_id <= ROWS and 1 <= number <= ROWS):
        message = f"{request} gave {shown(row)}, not an id and a randomNumber from 1 to {ROWS}"
        yield Problem(test, "range", message, warning=adopted)
        if not adopted:
            return
    if world is not None and world.get(row_id) != number:
        yield Problem(test, "values", f"{request} gave {shown(row)}, but World has {world.get(row_id)} at id {row_id}")
    elif extra := [key for key in row if key.lower() not in map(str.lower, KEYS)]:
        yield Problem(test, "extra keys", f"{request} gave the extra keys {listed(extra)}", warning=True)


def _numbers(row: dict[str, object]) -> Iterator[tuple[int, int]]:
    """Yield id and number of a row as TechEmpower reads them, if it has them.

    Its keys may be written in any case, and what they map to may be anything that Python's int() takes; where a row has
    a key in several cases, the contract's own counts.
    """
    columns = {key.lower(): value for key, value in row.items()} | {key.lower(): row[key] for key in KEYS if key in row}
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        yield _integer(columns["id"]), _integer(columns["randomnumber"])


def _integer(value: object) -> int:
    """Return the number that a value of JSON says. Raises TypeError or ValueError where it says none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return int(value)


def _ids(test: str, request: str, ids: Iterable[int]) -> Iterator[Problem]:
    """Yield what is wrong with the ids of one answer, which are drawn at random; an update had best draw each once."""
    counts = Counter(ids)
    ((row_id, times),) = counts.most_common(1)
    if times == counts.total() >= LEAST_VARIED:
        yield Problem(test, "variety", f"{request} gave id {row_id} {times} times; draw each at random")
    elif WORKLOADS[test].writes and times > 1:
        message = f"{request} gave id {row_id} {times} times: fewer rows to write than asked for; draw each row once"
        yield Problem(test, "distinct", message, warning=True)


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
        yield Problem(FORTUNE, "table", f"answered {quoted(answer.body)}, not an HTML table")
    elif page.elements:
        yield Problem(FORTUNE, "escaped", f"a message came as the element <{page.elements[0]}>, not as escaped text")
    elif len(rows) != len(FORTUNES):
        missing = next((f"; {row} is missing" for row in FORTUNES if row not in rows), "")
        yield Problem(FORTUNE, "count", f"gave {counted(len(rows), 'row')}, not {len(FORTUNES)}{missing}")
    elif different := [pair for pair in zip(rows, FORTUNES, strict=True) if pair[0] != pair[1]]:
        rule = "order" if sorted(rows) == sorted(FORTUNES) else "rows"
        got, wanted = different[0]
        yield Problem(FORTUNE, rule, f"gave the row {got} where {wanted} is expected")
