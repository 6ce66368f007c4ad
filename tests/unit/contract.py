"""Right answers of every test type, to be made wrong one rule at a time."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from benchlab.contract import payloads, verify
from benchlab.contract.answers import Answer
from benchlab.contract.payloads import FORTUNES
from benchlab.experiment.workloads import WORKLOADS

WORLD = {row_id: row_id % 10_000 + 1 for row_id in range(1, 10_001)}
HEADERS = {"server": "x", "date": "now", "content-type": "application/json", "content-length": "27"}


def world_rows(count: int) -> list[dict[str, int]]:
    """Return the first rows of World, as an entry answers them."""
    return [{"id": row_id, "randomNumber": WORLD[row_id]} for row_id in range(1, count + 1)]


def listed(value: Any, path: str = "/queries?queries=") -> Answer:
    return Answer(path, 200, HEADERS, json.dumps(value).encode())


def lists(test: str, **bodies: Any) -> tuple[Answer, ...]:
    """Return right answers to all requests of the test type but those given as n2=…, nfoo=…, nNone=…"""
    paths = verify.paths(test, WORKLOADS[test].path)
    return tuple(
        listed(bodies.get(f"n{wanted.sent}", world_rows(wanted.count)), path)
        for path, wanted in zip(paths, payloads.WANTED, strict=True)
    )


def page(fortunes: Iterable[tuple[str, str]], kind: str = "text/html; charset=utf-8") -> Answer:
    """Return a page that has these fortunes, escaped."""
    lines = (f"<tr><td>{row_id}</td><td>{html.escape(text)}</td></tr>" for row_id, text in fortunes)
    return raw_page("".join(lines), kind)


def raw_page(lines: str, kind: str = "text/html; charset=utf-8") -> Answer:
    body = f"<!doctype html><html><body><table><tr><th>id</th><th>message</th></tr>{lines}</table></body></html>"
    return Answer("/fortunes", 200, HEADERS | {"content-type": kind}, body.encode())


def right(test: str) -> tuple[Answer, ...]:
    """Return right answers to all that the test type is asked."""
    if WORKLOADS[test].varies == "queries":
        return lists(test)
    once = {
        "json": listed({"message": "Hello, World!"}, "/json"),
        "plaintext": Answer("/plaintext", 200, HEADERS | {"content-type": "text/plain"}, b"Hello, World!"),
        "db": listed(world_rows(1)[0], "/db"),
        "fortune": page(FORTUNES),
    }[test]
    return (once, once)
