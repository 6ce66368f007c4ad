"""What is kept as JSON, changed piece by piece: each place takes each value that does not belong there."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Place = tuple[str | int, ...]

# What Python would say.
PYTHON = re.compile(
    r"\b[A-Z]\w+Error\b|argument|unexpected|NoneType|codec|isoformat|unpack|subscript|iterable|'\w+' object|Traceback"
)
REMOVED = object()
HOSTILE = "a\nb\x1b[2J\u202e|"
VALUES = [
    pytest.param(value, id=repr(value)[:8] if value is not REMOVED else "removed")
    for value in (
        *(None, True, -8, 0, 1.5, 10**30, 10**400, math.inf),
        *("", "text", "\ud800", HOSTILE, [], [1], {}, {"a": 1}, REMOVED),
    )
]


def nodes(content: Any, *path: str | int) -> Iterator[Place]:
    """Yield the way to each value, those that hold others too."""
    yield path
    if isinstance(content, dict):
        for key, value in content.items():
            yield from nodes(value, *path, key)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from nodes(value, *path, number)


def changed(content: Any, path: Place, value: object) -> Any:
    """Return a copy with another value there, or without it."""
    if not path:
        return value
    changed = copy.deepcopy(content)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def written(content: object) -> str:
    # JSON has no infinity, but a number that is one when it is read.
    return json.dumps(content).replace("Infinity", "1e400")


def assert_plain(said: str, named: str) -> None:
    assert not PYTHON.search(said), said
    assert "\n" not in said
    assert named in said


def assert_each_is_plain_or_told(
    content: Any,
    value: object,
    write: Callable[[Any], object],
    refused: Callable[[], str],
    tell: Callable[[], object],
    named: str,
) -> None:
    """Put the value in each place of the content, and hold that it is refused in plain words, or can be told.

    `write` keeps what was changed, `refused` returns why it cannot be read, nothing where it can; what is refused is
    `named` in that.
    """
    taken: dict[int, list[Place]] = {}
    for path in nodes(content):
        if value is REMOVED and not path:
            continue
        write(changed(content, path, value))
        if said := refused():
            assert_plain(said, named)
        else:
            taken.setdefault(len(path), []).append(path)
    # To tell of all one by one would take minutes. Those of one depth do not lie in each other.
    for paths in taken.values():
        together = content
        for path in reversed(paths):
            together = changed(together, path, value)
        write(together)
        if not refused():
            tell()
            continue
        for one in paths:
            write(changed(content, one, value))
            tell()
