"""The table of lies in docs/verification.md, which the tests hold the lab to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs/verification.md"
BEFORE, UNDER_LOAD = "before", "under load"


@dataclass(frozen=True)
class Lie:
    """A lie of tests/docker/liar about one test type, the rules that it breaks, and when and as what that is told."""

    name: str
    test: str
    rules: tuple[str, ...]
    outcome: str
    when: str


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the table below the heading."""
    section = DOCS.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def table() -> list[Lie]:
    return [
        Lie(name, test, tuple(rules.split(", ")), outcome, when)
        for name, test, _, rules, outcome, when in rows("Lies, and the rules that catch them")
    ]


def liars(lies: Iterable[Lie]) -> list[dict[str, Lie]]:
    """Return the lies as few entries tell them, by test type: one of each in an entry."""
    told: list[dict[str, Lie]] = []
    for lie in lies:
        liar = next((liar for liar in told if lie.test not in liar), None)
        if liar is None:
            told.append(liar := {})
        liar[lie.test] = lie
    return told
