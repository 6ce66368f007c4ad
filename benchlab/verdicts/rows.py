"""The rules of answers that are made of rows of World: those of db, query, cached-query and update.

Where a `world` is asked for, None is one that changes meanwhile: then values cannot be compared with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchlab.core.quantities import counted
from benchlab.plan.workloads import MAX_QUERIES, WORKLOADS
from benchlab.verdicts.answers import Answer, Problem, World, faults, listed, parsed, quoted, shown

# World has as many rows, and as many numbers are drawn from.
ROWS = 10_000


@dataclass(frozen=True)
class Wanted:
    """What a request asks for: what is sent as N, None for no parameter at all, and how many rows must come back.

    Of a `lenient` one, whatever comes back is worth a warning only.
    """

    sent: str | None
    count: int
    lenient: bool = False

    def __str__(self) -> str:
        return "no N" if self.sent is None else f"N={self.sent!r}"


# The largest answer is the last one: what it returned of an update is not overwritten before World is read.
WANTED = (
    Wanted("2", 2),
    Wanted("1", 1),
    Wanted("20", 20),
    Wanted("0", 1),
    Wanted("-1", 1),
    Wanted("foo", 1),
    Wanted("", 1),
    Wanted(None, 1),
    Wanted(str(MAX_QUERIES + 1), MAX_QUERIES, lenient=True),
    Wanted(str(MAX_QUERIES), MAX_QUERIES),
)
# Twenty draws from 10,000 are all the same once in 10,000^19; two are, once in 10,000, of an honest entry.
LEAST_VARIED = 20
# How many of the returned rows World must hold after an update. Chance leaves one in 10,000 with the number it had.
WRITTEN_SHARE = 0.95


def paths(path: str) -> tuple[str, ...]:
    """Return what must be requested to verify a test type that returns N rows under `path` with N appended."""
    bare = path.rpartition("?")[0] or path
    return tuple(bare if wanted.sent is None else path + wanted.sent for wanted in WANTED)


def check_one(test: str, answer: Answer, world: World | None) -> Iterator[Problem]:
    """Yield what is wrong with an answer that is to be one row."""
    row = parsed(answer.body)
    if not isinstance(row, dict):
        yield Problem(test, "body", f"{answer.path} answered {quoted(answer.body)}, not one object")
    else:
        yield from _row(test, answer.path, row, world)


def check_list(test: str, wanted: Wanted, answer: Answer, world: World | None) -> Iterator[Problem]:
    """Yield what is wrong with an answer that is to list the rows asked for."""
    rows = parsed(answer.body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        yield Problem(test, "body", f"{wanted} answered {quoted(answer.body)}, not a list of objects")
    elif len(rows) != wanted.count:
        yield Problem(test, "count", f"{wanted} gave {counted(len(rows), 'row')}, not {wanted.count}")
    else:
        problems = [problem for row in rows for problem in _row(test, str(wanted), row, world)]
        wrong = faults(problems)
        yield from (wrong or problems)[:1]
        if not wrong:
            yield from _ids(test, str(wanted), [row["id"] for row in rows])


def check_drawn(test: str, answers: Sequence[Answer]) -> Iterator[Problem]:
    """Yield what is wrong with answers of one row each, right in themselves: their rows are drawn at random."""
    yield from _ids(test, f"{answers[0].path}, {len(answers)} times", [parsed(answer.body)["id"] for answer in answers])


def check_written(test: str, answer: Answer, before: World, after: World) -> Iterator[Problem]:
    """Yield what is wrong with World `after` an update: `answer` is its last one, and right in itself.

    `before` may be from before other updates too: their numbers are as unlikely to be drawn again.
    """
    rows = [(row["id"], row["randomNumber"]) for row in parsed(answer.body)]
    least = math.ceil(WRITTEN_SHARE * len(rows))
    lost = [(row_id, number) for row_id, number in rows if after.get(row_id) != number]
    if len(rows) - len(lost) < least:
        row_id, number = lost[0]
        yield Problem(
            test,
            "written",
            f"World holds {len(rows) - len(lost)} of {len(rows)} returned rows, not {least} or more: id {row_id} was "
            f"returned with {number}, but World has {after.get(row_id)}",
        )
    renewed = sum(before.get(row_id) != number for row_id, number in rows)
    if renewed < least:
        yield Problem(
            test,
            "new numbers",
            f"{renewed} of {len(rows)} returned rows have another randomNumber than before, not {least} or more; draw "
            "a new one for each",
        )


def _row(test: str, request: str, row: dict[str, object], world: World | None) -> Iterator[Problem]:
    """Yield the first rule that a row breaks."""
    row_id, number = row.get("id"), row.get("randomNumber")
    if type(row_id) is not int or type(number) is not int:
        yield Problem(test, "keys", f"{request} gave {shown(row)}, not integers id and randomNumber")
    elif not (1 <= row_id <= ROWS and 1 <= number <= ROWS):
        yield Problem(test, "range", f"{request} gave {shown(row)}, not an id and a randomNumber from 1 to {ROWS}")
    elif world is not None and world.get(row_id) != number:
        yield Problem(test, "values", f"{request} gave {shown(row)}, but World has {world.get(row_id)} at id {row_id}")
    elif extra := set(row) - {"id", "randomNumber"}:
        yield Problem(test, "extra keys", f"{request} gave the extra keys {listed(extra)}", warning=True)


def _ids(test: str, request: str, ids: Iterable[int]) -> Iterator[Problem]:
    """Yield what is wrong with the ids of one answer, which are drawn at random; an update had best draw each once."""
    counts = Counter(ids)
    ((row_id, times),) = counts.most_common(1)
    if times == counts.total() >= LEAST_VARIED:
        yield Problem(test, "variety", f"{request} gave id {row_id} {times} times; draw each at random")
    elif WORKLOADS[test].writes and times > 1:
        message = f"{request} gave id {row_id} {times} times: fewer rows to write than asked for; draw each row once"
        yield Problem(test, "distinct", message, warning=True)
