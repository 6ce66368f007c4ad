"""Decides which entries differ, corrected for the number of pairs, and ranks them by intervals (METHOD, section 2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from statistics import fmean

from benchlab.statistics.stats import ALPHA, Cells, Ratio, ratios


class Outcome(Enum):
    """What is known of the first entry of a pair against the second."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUAL = "equal"
    UNDECIDED = "cannot be told apart"


@dataclass(frozen=True)
class Pair:
    """A ratio and what it tells. `adjusted_p` is corrected for all pairs compared; None without a test."""

    ratio: Ratio
    adjusted_p: float | None
    outcome: Outcome


@dataclass(frozen=True, order=True)
class Rank:
    """The ranks an entry may have; 1 is the fastest."""

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass(frozen=True)
class Comparison:
    """The entries that have a figure, and each pair of them that has a block in common: both in alphabetical order."""

    entries: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def ranks(self) -> dict[str, Rank]:
        """Return each entry's rank: behind all that are significantly faster, before all significantly slower."""
        won, lost = Counter[str](), Counter[str]()
        for winner, loser in _decided(self.pairs):
            won[winner] += 1
            lost[loser] += 1
        return {entry: Rank(1 + lost[entry], len(self.entries) - won[entry]) for entry in self.entries}

    @property
    def leader(self) -> str | None:
        """Return the entry with the highest mean log-ratio to the others; None without entries.

        Where no figure is missing, that is the one with the highest mean. Where some are, an entry that lacks the
        level it is slowest in does not lead by that: each pair is compared in what both have.
        """
        leads: dict[str, list[float]] = {entry: [0.0] for entry in self.entries}
        for pair in self.pairs:
            leads[pair.ratio.first].append(math.log(pair.ratio.ratio))
            leads[pair.ratio.second].append(-math.log(pair.ratio.ratio))
        # Of two that are equal but for rounding, the first in the alphabet leads.
        return max(self.entries, key=lambda entry: round(fmean(leads[entry]), 9), default=None)


@dataclass(frozen=True)
class Standing:
    """An entry's line in a summary: its ratio to the leader, with the bounds of the 95 % interval, and its rank.

    The leader's own ratio is 1, without bounds. An entry without a block in common with the leader has none.
    """

    entry: str
    relative: float | None
    low: float | None
    high: float | None
    rank: Rank


def compare(cells: Cells) -> Comparison:
    """Return how the entries compare at one level.

    Raises ValueError if a value is not a positive number.
    """
    return across([cells])


def across(levels: Iterable[Cells]) -> Comparison:
    """Return how the entries compare over several levels together, averaged as `stats.ratios` tells.

    Raises ValueError if a value is not a positive number.
    """
    levels = list(levels)
    return Comparison(entries(levels), decide(ratios(levels)))


def entries(levels: Iterable[Cells]) -> tuple[str, ...]:
    """Return the entries that have a figure at any of the levels, in alphabetical order."""
    return tuple(sorted({entry for cells in levels for entry, blocks in cells.items() if blocks}))


def standings(comparison: Comparison) -> tuple[Standing, ...]:
    """Return the leader, then the others, fastest first; last are those without a ratio to it.

    Where figures are missing, a ratio can be above 1: the leader leads over all, not over each.
    """
    leader, ranks = comparison.leader, comparison.ranks
    found = [pair.ratio for pair in comparison.pairs]
    to_leader = {ratio.first: ratio for ratio in found if ratio.second == leader}
    to_leader |= {ratio.second: ratio.inverse for ratio in found if ratio.first == leader}
    followers = [
        _standing(entry, to_leader.get(entry), ranks[entry]) for entry in comparison.entries if entry != leader
    ]
    first = [Standing(leader, 1.0, None, None, ranks[leader])] if leader else []
    return (*first, *sorted(followers, key=lambda standing: -(standing.relative or 0.0)))


def decide(found: Sequence[Ratio]) -> tuple[Pair, ...]:
    """Return each ratio with its outcome; the p of all that have one are corrected together.

    A ratio without a test is undecided, and costs the others nothing. FASTER and SLOWER: 5 % is the chance that any
    of them is wrong. EQUAL is not corrected: 5 % is the chance for each pair that differs by just the margin.
    """
    adjusted = iter(holm([ratio.p for ratio in found if ratio.p is not None]))
    corrected = [None if ratio.p is None else next(adjusted) for ratio in found]
    return tuple(Pair(ratio, p, _outcome(ratio, p)) for ratio, p in zip(found, corrected, strict=True))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p of each test, in the order given: what is at most 0.05 is significant at 5 %.

    Raises ValueError if a p is not a probability. Source: Holm (1979), Scand. J. Statist. 6, 65-70.
    """
    if wrong := [p for p in p_values if not 0 <= p <= 1]:
        raise ValueError(f"p = {wrong[0]} is not a probability; leave out a pair that has no test")
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__)
    steps = (min(1.0, (count - done) * p_values[index]) for done, index in enumerate(order))
    adjusted = dict(zip(order, accumulate(steps, max), strict=True))
    return [adjusted[index] for index in range(count)]


def _standing(entry: str, ratio: Ratio | None, rank: Rank) -> Standing:
    if ratio is None:
        return Standing(entry, None, None, None, rank)
    return Standing(entry, ratio.ratio, ratio.low, ratio.high, rank)


def _outcome(ratio: Ratio, adjusted_p: float | None) -> Outcome:
    if adjusted_p is None or ratio.equivalence_p is None:
        return Outcome.UNDECIDED
    # Many blocks can show a difference that lies within the margin. It is told: EQUAL would hide who is ahead, while
    # the ratio beside FASTER shows how little it is.
    if adjusted_p <= ALPHA:
        return Outcome.FASTER if ratio.ratio > 1 else Outcome.SLOWER
    return Outcome.EQUAL if ratio.equivalence_p <= ALPHA else Outcome.UNDECIDED


def _decided(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """Yield winner and loser of each pair with a significant difference."""
    for pair in pairs:
        if pair.outcome is Outcome.FASTER:
            yield pair.ratio.first, pair.ratio.second
        elif pair.outcome is Outcome.SLOWER:
            yield pair.ratio.second, pair.ratio.first
