"""Holds an entry's answers against the contract: answers in, problems out, no I/O.

The rules are those of the TechEmpower benchmarks' verification for these test types, but for its rule that Date
changes; and one more: values are compared with the table they were read from.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchlab.workloads import MAX_QUERIES, WORKLOADS

# What is sent as N, and how many rows must come back.
QUERY_COUNTS = {"2": 2, "1": 1, "20": 20, "0": 1, "-1": 1, "foo": 1, "": 1, "500": 500, "501": 500}

World = Mapping[int, int]


@dataclass(frozen=True)
class Problem:
    """One broken rule of an entry's contract. A warning does not keep the test from being loaded."""

    test: str
    rule: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.test}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Verification:
    """What verification found of one test type of an entry."""

    entry: str
    test: str
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        return all(problem.warning for problem in self.problems)

    def __str__(self) -> str:
        word = ("warn" if self.problems else "pass") if self.passed else "fail"
        return f"{word}  {self.entry} {self.test}" + "".join(f"\n      {problem}" for problem in self.problems)


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire; `error` is set, and the rest empty, where none came."""

    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""


def answer(found: Mapping[str, Any]) -> Answer:
    """Return one answer in what fetch.py and load.py print."""
    if "error" in found:
        return Answer(str(found["path"]), error=str(found["error"]))
    return Answer(
        path=str(found["path"]),
        status=int(found["status"]),
        headers={name.lower(): value for name, value in found["headers"]},
        body=base64.b64decode(found["body"]),
    )


def paths(test: str, path: str) -> tuple[str, ...]:
    """Return what must be requested to verify a test type that answers under `path`."""
    if WORKLOADS[test].varies != "queries":
        return (path,)
    bare = path.rpartition("?")[0] or path
    return (*(path + n for n in QUERY_COUNTS), bare)


def check(test: str, answers: tuple[Answer, ...], world: World) -> list[Problem]:
    """Return what is wrong with the answers to `paths(test, …)`, given in that order.

    The first answer that did not come is the last that was asked for.
    """
    missing = next((number for number, answer in enumerate(answers) if answer.error), len(answers))
    problems = [problem for answer in answers[: missing + 1] for problem in _envelope(test, answer)]
    if problems:
        return problems
    return list(CHECKS[test](answers, world))


def check_loaded(test: str, queries: int, answers: tuple[Answer, ...], world: World) -> list[Problem]:
    """Return what is wrong with answers to one and the same request, N=`queries`, from before, under and after a load.

    Warnings are left out: they were told before the load.
    """
    problems: list[Problem] = []
    for found in answers:
        wrong = list(_envelope(test, found))
        if not wrong:
            wrong = list(_list(f"N={queries}", found, queries, world) if queries else CHECKS[test]((found,), world))
        problems += [problem for problem in wrong if not problem.warning]
    return problems


def _envelope(test: str, answer: Answer) -> Iterator[Problem]:
    """Yield what is wrong with status and headers: the same rules for every test type."""
    if answer.error:
        yield Problem(test, "answers", f"{answer.path} got no answer: {answer.error}")
        return
    if answer.status != 200:
        yield Problem(test, "status", f"{answer.path} answered {answer.status}, not 200: {_quoted(answer.body)}")
        return
    for name in ("server", "date", "content-type"):
        if not answer.headers.get(name):
            yield Problem(test, "headers", f"{answer.path} came without the header {name}")
    if "content-length" not in answer.headers and "transfer-encoding" not in answer.headers:
        yield Problem(test, "length", f"{answer.path} came without content-length or transfer-encoding")
    expected = WORKLOADS[test].accept
    got = answer.headers.get("content-type", expected)
    if got.lower().replace(" ", "") not in (expected, f"{expected};charset=utf-8"):
        yield Problem(test, "content-type", f"{answer.path} came as {got!r}, not {expected!r}")


def _json(answers: tuple[Answer, ...], world: World) -> Iterator[Problem]:
    (answer,) = answers
    value = _parsed(answer.body)
    if not isinstance(value, dict) or str(value.get("message", "")).lower() != "hello, world!":
        yield Problem("json", "body", f'answered {_quoted(answer.body)}, not {{"message": "Hello, World!"}}')
    elif extra := sorted(set(value) - {"message"}):
        yield Problem("json", "extra keys", f"has more keys than message: {', '.join(extra)}", warning=True)


def _plaintext(answers: tuple[Answer, ...], world: World) -> Iterator[Problem]:
    (answer,) = answers
    text = answer.body.lower()
    if b"hello, world!" not in text:
        yield Problem("plaintext", "body", f"answered {_quoted(answer.body)}, not 'Hello, World!'")
    elif text != b"hello, world!":
        yield Problem("plaintext", "extra bytes", f"answered more than the text: {_quoted(answer.body)}", warning=True)


def _query(answers: tuple[Answer, ...], world: World) -> Iterator[Problem]:
    for answer, (sent, count) in zip(answers, [*QUERY_COUNTS.items(), ("nothing", 1)], strict=True):
        yield from _list(f"N={sent!r}", answer, count, world, lenient=sent == str(MAX_QUERIES + 1))


def _list(request: str, answer: Answer, count: int, world: World, lenient: bool = False) -> Iterator[Problem]:
    """Yield what is wrong with an answer that is to list `count` rows; of a lenient one a wrong count is a warning."""
    rows = _parsed(answer.body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        yield Problem("query", "body", f"{request} answered {_quoted(answer.body)}, not a list of objects")
    elif len(rows) != count:
        yield Problem("query", "count", f"{request} gave {len(rows)} rows, not {count}", warning=lenient)
    else:
        yield from _rows(request, rows, world)


def _rows(request: str, rows: list[dict[str, object]], world: World) -> Iterator[Problem]:
    """Yield what is wrong with rows of World: their keys, their values, their variety."""
    for row in rows:
        row_id, number = row.get("id"), row.get("randomNumber")
        if type(row_id) is not int or type(number) is not int:
            yield Problem("query", "keys", f"{request} gave {row}, not integers id and randomNumber")
            return
        if world.get(row_id) != number:
            yield Problem("query", "values", f"{request} gave {row}, but World has {world.get(row_id)} at id {row_id}")
            return
        if extra := sorted(set(row) - {"id", "randomNumber"}):
            yield Problem("query", "extra keys", f"{request} gave the extra keys {', '.join(extra)}", warning=True)
            return
    # Twenty draws from 10,000 are all the same once in 10,000^19.
    if len(rows) >= 20 and len({row["id"] for row in rows}) == 1:
        yield Problem("query", "variety", f"{request} gave the same id {len(rows)} times; draw each at random")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _quoted(body: bytes, most: int = 80) -> str:
    text = body[:most].decode(errors="replace")
    return repr(text) + (" …" if len(body) > most else "")


CHECKS: dict[str, Callable[[tuple[Answer, ...], World], Iterator[Problem]]] = {
    "json": _json,
    "plaintext": _plaintext,
    "query": _query,
}
