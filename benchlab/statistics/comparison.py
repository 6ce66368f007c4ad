"""Decides which entries differ, corrected for the number of pairs, and ranks them by intervals.

Source: docs/method.md, sections 6.3 and 6.4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import accumulate, pairwise
from statistics import fmean

from benchlab.load.metrics import Better
from benchlab.records.plan import LevelKey
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import ALPHA, Ratio, ratios, ratios_at

# On fewer blocks nobody is called faster, slower or equal: a spread of two is hardly known, and one has none.
LEAST_BLOCKS = 3


class Outcome(Enum):
    """What is known of the first entry of a pair against the second: FASTER is the better one, whatever the metric."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUAL = "equal"
    UNDECIDED = "cannot be told apart"


INVERSE = {Outcome.FASTER: Outcome.SLOWER, Outcome.SLOWER: Outcome.FASTER}


@dataclass(frozen=True)
class Pair:
    """A ratio and what it tells. `adjusted_p` is corrected for all `among` that are compared; None without a test."""

    ratio: Ratio
    adjusted_p: float | None
    outcome: Outcome
    among: int = 1

    @property
    def names(self) -> tuple[str, str]:
        return self.ratio.names

    @property
    def inverse(self) -> Pair:
        """Return what is known of the second entry against the first."""
        return replace(self, ratio=self.ratio.inverse, outcome=INVERSE.get(self.outcome, self.outcome))

    @property
    def is_unclear(self) -> bool:
        """Return whether it cannot be told apart only because of how many are compared: its interval leaves out 1."""
        low, high = self.ratio.low, self.ratio.high
        excludes_1 = low is not None and high is not None and not low <= 1 <= high
        return self.outcome is Outcome.UNDECIDED and self.adjusted_p is not None and excludes_1

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Return the bounds of the interval that the outcome follows from: of EQUAL that of 90 %, else that of 95 %."""
        if self.outcome is Outcome.EQUAL:
            return self.ratio.low_90, self.ratio.high_90
        return self.ratio.low, self.ratio.high


@dataclass(frozen=True, order=True)
class Rank:
    """The ranks an entry may have; 1 is the best."""

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass(frozen=True)
class Comparison:
    """The entries that have a value, and each pair of them that can be compared: both in alphabetical order.

    Those are the pairs that have a block in common, or each with the same third entry.
    """

    entries: tuple[str, ...]
    pairs: tuple[Pair, ...]
    better: Better

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
        """Return, of the entries that none is known to be faster than, the one with the best mean log-ratio.

        None where there is no such entry. Where no value is missing, it is the one with the best mean. Where some
        are, an entry that lacks the level it is slowest in does not lead by that: each pair is compared in what both
        have. So it can happen that of three each is slower than one of the others.
        """
        ranks = self.ranks
        leads: dict[str, list[float]] = {entry: [0.0] for entry in self.entries}
        for pair in self.pairs:
            lead = math.log(self.better.gain(pair.ratio.ratio))
            leads[pair.ratio.first].append(lead)
            leads[pair.ratio.second].append(-lead)
        # Of two that are equal but for rounding, the first in the alphabet leads.
        unbeaten = [entry for entry in self.entries if ranks[entry].best == 1]
        return max(unbeaten, key=lambda entry: round(fmean(leads[entry]), 9), default=None)

    def between(self, first: str, second: str) -> Pair | None:
        """Return the pair of the two, first to second; None where they cannot be compared."""
        for pair in self.pairs:
            if {pair.ratio.first, pair.ratio.second} == {first, second}:
                return pair if pair.ratio.first == first else pair.inverse
        return None


@dataclass(frozen=True)
class Standing:
    """An entry's line in a summary: how it compares with the leader, and its rank.

    `pair` is the entry against the leader: None for the leader itself, and for one that cannot be compared with it.
    Where all are compared with a control, that is in the leader's place, and nobody has a rank.
    """

    entry: str
    is_leader: bool
    pair: Pair | None
    rank: Rank | None

    @property
    def relative(self) -> float | None:
        """Return how many times the leader's value the entry's is; None where that is not known."""
        if self.is_leader:
            return 1.0
        return self.pair.ratio.ratio if self.pair else None


def compare(cells: Cells, better: Better) -> Comparison:
    """Return how the entries compare at one level.

    Raises ValueError if a value is not a positive number.
    """
    return Comparison(entries([cells]), decide(ratios_at(cells), better), better)


def across(levels: Mapping[LevelKey, Cells], better: Better) -> Comparison:
    """Return how the entries compare over several levels together, averaged as `stats.ratios` tells.

    Raises ValueError if a value is not a positive number.
    """
    return Comparison(entries(levels.values()), decide(ratios(levels), better), better)


def entries(levels: Iterable[Cells]) -> tuple[str, ...]:
    """Return the entries that have a value at any of the levels, in alphabetical order."""
    return tuple(sorted({entry for cells in levels for entry, blocks in cells.items() if blocks}))


def standings(comparison: Comparison) -> tuple[Standing, ...]:
    """Return the leader, then the others by rank, of equal ranks the best first.

    Where values are missing, a ratio can be better than 1: the leader leads over all, not over each. And of two
    whose ratios to it are over other levels, the one with the better rank comes first, whatever these ratios are.
    """
    leader, ranks = comparison.leader, comparison.ranks
    unordered = [
        Standing(entry, entry == leader, comparison.between(entry, leader) if leader else None, ranks[entry])
        for entry in comparison.entries
    ]

    def place(standing: Standing) -> tuple[bool, Rank, float]:
        gain = comparison.better.gain(standing.relative) if standing.relative else 0.0
        return not standing.is_leader, ranks[standing.entry], -gain

    return tuple(sorted(unordered, key=place))


def beside(comparison: Comparison, control: str) -> tuple[Standing, ...]:
    """Return the control, then the others, the best first; last those that cannot be compared with it."""
    others = (entry for entry in comparison.entries if entry != control)
    unordered = [Standing(entry, False, comparison.between(entry, control), None) for entry in others]

    def place(standing: Standing) -> float:
        return -comparison.better.gain(standing.relative) if standing.relative else 0.0

    return Standing(control, True, None, None), *sorted(unordered, key=place)


def of_one(comparison: Comparison, entry: str) -> Comparison:
    """Return the comparison with the pairs of this entry alone, each the other one to it."""
    pairs = (pair if pair.ratio.second == entry else pair.inverse for pair in comparison.pairs if entry in pair.names)
    return replace(comparison, pairs=tuple(sorted(pairs, key=lambda pair: pair.ratio.first)))


def tiers(order: Sequence[str], comparison: Comparison) -> tuple[tuple[str, ...], ...]:
    """Return the entries in groups, in this order: every one is known to be faster than every one of those after it."""
    won = set(_decided(comparison.pairs))
    cuts = [
        place
        for place in range(1, len(order))
        if all((ahead, behind) in won for ahead in order[:place] for behind in order[place:])
    ]
    return tuple(tuple(order[start:end]) for start, end in pairwise([0, *cuts, len(order)]))


def decide(estimates: Sequence[Ratio], better: Better) -> tuple[Pair, ...]:
    """Return each ratio of a metric with its outcome, as `decide_together` does."""
    return decide_together([(ratio, better) for ratio in estimates])


def decide_together(estimates: Sequence[tuple[Ratio, Better]]) -> tuple[Pair, ...]:
    """Return each ratio with its outcome; the p of all that have one are corrected together.

    Beside each ratio stands which of two values of its metric is the better one.

    A ratio of fewer than LEAST_BLOCKS is undecided, and costs the others nothing. FASTER and SLOWER: 5 % is the chance
    that any of them is wrong. EQUAL is not corrected: 5 % is the chance for each pair that differs by just the margin.
    """
    tested = [ratio.p if ratio.blocks >= LEAST_BLOCKS else None for ratio, _ in estimates]
    known = [p for p in tested if p is not None]
    adjusted = iter(holm(known))
    corrected = [None if p is None else next(adjusted) for p in tested]
    return tuple(
        Pair(ratio, p, _outcome(ratio, better, p), len(known))
        for (ratio, better), p in zip(estimates, corrected, strict=True)
    )


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


def _outcome(ratio: Ratio, better: Better, adjusted_p: float | None) -> Outcome:
    if adjusted_p is None or ratio.equivalence_p is None:
        return Outcome.UNDECIDED
    # Many blocks can show a difference that lies within the margin. It is reported: EQUAL would hide who is ahead,
    # while the ratio beside FASTER shows how little it is.
    if adjusted_p <= ALPHA:
        return Outcome.FASTER if better.gain(ratio.ratio) > 1 else Outcome.SLOWER
    return Outcome.EQUAL if ratio.equivalence_p <= ALPHA else Outcome.UNDECIDED


def _decided(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """Yield winner and loser of each pair with a significant difference."""
    for pair in pairs:
        if pair.outcome is Outcome.FASTER:
            yield pair.ratio.first, pair.ratio.second
        elif pair.outcome is Outcome.SLOWER:
            yield pair.ratio.second, pair.ratio.first
