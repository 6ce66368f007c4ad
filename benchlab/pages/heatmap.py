"""The ratios of all pairs as a square of colours: how far apart two entries are, and whether that is known at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchlab.core import quantities
from benchlab.statistics.comparison import Comparison, Outcome, Pair

# From which ratio on a colour is deeper: what is known to differ, but by little, is pale.
DEPTHS = (1.1, 1.5)
SAME, NONE, UNTOLD, EQUAL = "same", "none", "untold", "equal"
# What a colour means, for eyes, screens and paper that do not show it.
SIGNS = {Outcome.FASTER: "▲", Outcome.SLOWER: "▼", Outcome.EQUAL: "=", Outcome.UNDECIDED: "?"}


@dataclass(frozen=True)
class Square:
    """The entry of the row against that of the column.

    `tone` names the colour; `sign` and `word` say the same without one; `told` has all of it in words.
    """

    tone: str
    sign: str
    word: str
    figure: str
    interval: str
    told: str


# An entry against itself.
SELF = Square(SAME, "", "", "", "", "")


@dataclass(frozen=True)
class HeatMap:
    """A row of squares for each entry, and a column for each, in the same order."""

    title: str
    entries: tuple[str, ...]
    squares: tuple[tuple[Square, ...], ...]


def heat_map(title: str, comparison: Comparison, order: Sequence[str], decides: bool = True) -> HeatMap:
    """Return the squares of the comparison, its entries in this order; without outcomes where it does not decide."""
    entries = tuple(entry for entry in order if entry in comparison.entries)
    pairs = {(pair.ratio.first, pair.ratio.second): pair for pair in comparison.pairs}
    pairs |= {(second, first): pair.inverse for (first, second), pair in pairs.items()}
    squares = tuple(
        tuple(SELF if row == column else _square(pairs.get((row, column)), decides) for column in entries)
        for row in entries
    )
    return HeatMap(title, entries, squares)


def _square(pair: Pair | None, decides: bool) -> Square:
    if pair is None:
        return Square(NONE, "", "", "–", "", "no block in common")
    ratio, figure = pair.ratio, quantities.ratio(pair.ratio.ratio)
    if not decides:
        interval = quantities.bounds(ratio.low, ratio.high).strip()
        return Square(NONE, "", "", figure, interval, f"{figure} {interval}, no outcome")
    low, high, confidence = pair.bounds
    interval, outcome = quantities.bounds(low, high, confidence=confidence).strip(), pair.outcome
    told = f"{figure} {interval}, {pair.word}"
    return Square(_tone(outcome, ratio.ratio), SIGNS[outcome], pair.word, figure, interval, told)


def _tone(outcome: Outcome, ratio: float) -> str:
    if outcome is Outcome.UNDECIDED:
        return UNTOLD
    if outcome is Outcome.EQUAL:
        return EQUAL
    times = math.exp(abs(math.log(ratio)))
    return f"{outcome.value}-{1 + sum(times >= depth for depth in DEPTHS)}"
