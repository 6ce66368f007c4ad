"""One answer of an entry as it came over the wire, and what can be wrong with it."""

from __future__ import annotations

import base64
import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# The numbers of the table World by id.
World = Mapping[int, int]

# The rules of the contract by name, in the order of docs/verification.md, which says what each of them wants.
RULES = (
    "serves",
    "labels",
    "answers",
    "status",
    "version",
    "keep-alive",
    "headers",
    "length",
    "content-type",
    "date",
    "body",
    "extra keys",
    "extra bytes",
    "count",
    "keys",
    "range",
    "values",
    "variety",
    "distinct",
    "written",
    "new numbers",
    "table",
    "escaped",
    "order",
    "rows",
    "queries",
    "rows read",
    "rows written",
    "cached",
)
# As many problems of a test type are listed on its line.
MOST_LISTED = 3
# As many characters of a body are quoted, and as many of a message are kept, whatever an entry answered.
MOST_QUOTED, MOST_MESSAGE = 80, 1000
# What JSON holds may be long, and nested deeper than Python's repr goes.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxstring = 2, 10, MOST_QUOTED


@dataclass(frozen=True)
class Problem:
    """One broken rule of an entry's contract. A warning does not keep the test from being loaded.

    What is wrong with the entry as a whole names no test.
    Its message is one line that every file and terminal takes: what cannot be printed is escaped, and its end cut off.
    """

    test: str
    rule: str
    message: str
    warning: bool = False

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"problem: {self.rule!r} is no rule; name it in RULES and in docs/verification.md")
        object.__setattr__(self, "message", _line(self.message))

    def __str__(self) -> str:
        return f"{': '.join(filter(None, [self.test, self.message]))} [{self.rule}]"


def faults(problems: Iterable[Problem]) -> list[Problem]:
    """Return those of the problems that are more than warnings: with one of them, a test type is not loaded."""
    return [problem for problem in problems if not problem.warning]


@dataclass(frozen=True)
class Verification:
    """What verification found of one test type of an entry; of the entry as a whole, where no test is named."""

    entry: str
    test: str
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        return not faults(self.problems)

    def __str__(self) -> str:
        return "  ".join(self.row)

    @property
    def row(self) -> tuple[str, str]:
        """Return pass, warn or fail, and of what and why; what is a warning only comes last, and is called that."""
        word = ("warn" if self.problems else "pass") if self.passed else "fail"
        problems = sorted(self.problems, key=lambda problem: problem.warning)
        only = "" if self.passed else "a warning: "
        messages = [f"{only if each.warning else ''}{each.message} [{each.rule}]" for each in problems[:MOST_LISTED]]
        more = [f"and {len(problems) - MOST_LISTED} more"] if len(problems) > MOST_LISTED else []
        why = f": {'; '.join([*messages, *more])}" if problems else ""
        return word, f"{' '.join(filter(None, [self.entry, self.test]))}{why}"


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire; `error` is set, and the rest empty, where none came.

    `version` is HTTP's, 11 for 1.1. `closing` is whether the answer ends its connection, `reopened` whether the server
    had ended the connection of the answer before without a word.
    """

    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    version: int = 11
    closing: bool = False
    reopened: bool = False


def answer(printed: Mapping[str, Any]) -> Answer:
    """Return one answer in what fetch.py, burst.py and load.py print."""
    if "error" in printed:
        return Answer(str(printed["path"]), error=str(printed["error"]))
    return Answer(
        path=str(printed["path"]),
        status=int(printed["status"]),
        headers={name.lower(): value for name, value in printed["headers"]},
        body=base64.b64decode(printed["body"]),
        version=int(printed["version"]),
        closing=bool(printed["closing"]),
        reopened=bool(printed["reopened"]),
    )


def parsed(body: bytes) -> Any:
    """Return the body's JSON, None where it is none, or nested too deep to be read."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def quoted(body: bytes, most: int = MOST_QUOTED) -> str:
    """Return the beginning of the body as it can be printed."""
    text = body[:most].decode(errors="replace")
    return repr(text) + (" …" if len(body) > most else "")


def shown(value: object) -> str:
    """Return what came as JSON as it can be printed: the beginning of what is long, without what is deep in it."""
    return _SHORT.repr(value)


def listed(keys: Iterable[str]) -> str:
    """Return keys of an object as they can be printed, as far as they are quoted."""
    text = ", ".join(map(ascii, sorted(keys)))
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]} …"


def _line(message: str) -> str:
    text = message if message.isprintable() else "".join(map(_printable, message))
    return text if len(text) <= MOST_MESSAGE else f"{text[:MOST_MESSAGE]} …"


def _printable(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
