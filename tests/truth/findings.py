"""What a checker found: how many sentences of each kind it understood, what contradicts what, what it cannot read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Scope = TypeVar("Scope")


@dataclass
class Findings:
    """`contradictions` and `unread` have the kind, or the place, and the words."""

    read: Counter[str] = field(default_factory=Counter)
    contradictions: list[tuple[str, str]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def hold(self, kind: str, told: str, found: Iterator[str]) -> None:
        """Note that a sentence or row was read, and what contradicts it."""
        self.read[kind] += 1
        self.contradictions += [(kind, f"{why} | {told}") for why in found]

    def add(self, other: Findings) -> None:
        self.read += other.read
        self.contradictions += other.contradictions
        self.unread += other.unread


@dataclass(frozen=True)
class Sentence(Generic[Scope]):
    """A kind of sentence: what it looks like, and what is wrong with one, given where it stands."""

    kind: str
    pattern: str
    check: Callable[[re.Match[str], Scope], Iterator[str]]

    def match(self, text: str) -> re.Match[str] | None:
        return re.match(rf"(?:{self.pattern})(?= |$)", text)


def read(text: str, grammar: Sequence[Sentence[Scope]], scope: Scope, findings: Findings, place: str) -> None:
    """Take the text apart, sentence by sentence, and hold each against what it speaks of.

    From what no kind of sentence fits, the rest is unread.
    """
    rest = text.strip()
    while rest:
        for sentence in grammar:
            if match := sentence.match(rest):
                findings.hold(sentence.kind, match[0], sentence.check(match, scope))
                rest = rest[match.end() :].lstrip()
                break
        else:
            findings.unread.append((place, rest))
            return


def fine(_: re.Match[str], __: object) -> Iterator[str]:
    """Find nothing wrong: of a sentence that tells nothing of figures."""
    return iter(())
