"""One answer of an entry as it came over the wire, and what can be wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The numbers of the table World by id.
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


def parsed(body: bytes) -> Any:
    """Return the body's JSON, None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def quoted(body: bytes, most: int = 80) -> str:
    """Return the beginning of the body as it can be printed."""
    text = body[:most].decode(errors="replace")
    return repr(text) + (" …" if len(body) > most else "")
