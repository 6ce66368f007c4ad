"""The ratios of all pairs as a square of colours: how far apart two entries are, and whether that is known at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchlab.core import markdown
from benchlab.statistics.comparison import Comparison, Outcome, Pair

# From which ratio on a colour is deeper: what is known to differ, but by little, is pale.
DEPTHS = (1.1, 1.5)
SAME, NONE, UNTOLD, EQUAL = "same", "none", "untold", "equal"


@dataclass(frozen=True)
class Square:
    """The entry of the row against that of the column. `tone` names the colour; `told` has all of it in words."""

    tone: str
    figure: str
    interval: str
    told: str


@dataclass(frozen=True)
class HeatMap:
    """A row of squares for each entry, and a column for each, in the same order."""

    title: str
    entries: tuple[str, ...]
    squares: tuple[tuple[Square, ...], ...]


def heat_map(title: str, comparison: Comparison, order: Sequence[str]) -> HeatMap:
    """Return the squares of the comparison, its entries in this order."""
    pairs = {(pair.ratio.first, pair.ratio.second): pair for pair in comparison.pairs}
    entries = tuple(entry for entry in order if entry in comparison.entries)
    squares = tuple(tuple(_square(pairs, row, column) for column in entries) for row in entries)
    return HeatMap(title, entries, squares)


def _square(pairs: dict[tuple[str, str], Pair], row: str, column: str) -> Square:
    if row == column:
        return Square(SAME, "", "", "")
    pair = pairs.get((row, column)) or pairs.get((column, row))
    if pair is None:
        return Square(NONE, "–", "", "no block in common")
    ratio = pair.ratio if pair.ratio.first == row else pair.ratio.inverse
    interval = markdown.interval(ratio.low, ratio.high, "{:.3f}").strip()
    outcome = pair.outcome.value if pair.outcome in (Outcome.UNDECIDED, Outcome.EQUAL) else _who(ratio.ratio)
    told = f"{ratio.ratio:.3f} {interval}, {outcome}"
    return Square(_tone(pair.outcome, ratio.ratio), f"{ratio.ratio:.3f}", interval, told)


def _who(ratio: float) -> str:
    return Outcome.FASTER.value if ratio > 1 else Outcome.SLOWER.value


def _tone(outcome: Outcome, ratio: float) -> str:
    if outcome is Outcome.UNDECIDED:
        return UNTOLD
    if outcome is Outcome.EQUAL:
        return EQUAL
    times = math.exp(abs(math.log(ratio)))
    return f"{_who(ratio)}-{1 + sum(times >= depth for depth in DEPTHS)}"
