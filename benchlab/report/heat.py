"""Heat maps of all pairs of entries: the deeper a square's colour, the further apart the two."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchlab.core import quantities
from benchlab.report import outcomes, tables
from benchlab.report.document import HeatMap, Square
from benchlab.statistics.analysis import Result
from benchlab.statistics.comparison import Comparison, Outcome, Pair

# The ratios from which a colour is deeper; a small known difference is pale.
DEPTHS = (1.1, 1.5)
# With more entries a square has two decimals, so that as many fit beside each other; its title has all.
MOST_EXACT = 15
SAME, NONE, UNDECIDED, EQUAL = "same", "none", "undecided", "equal"
# Each outcome as a sign, for readers, screens and paper without colour.
SIGNS = {Outcome.FASTER: "▲", Outcome.SLOWER: "▼", Outcome.EQUAL: "=", Outcome.UNDECIDED: "?"}
# An entry against itself.
SELF = Square(SAME, "", "", "", "", "")


def maps(result: Result) -> Iterator[HeatMap]:
    """Yield a map over all levels for each metric, and one for each level if there are not too many pairs.

    A metric that does not rank has squares without outcomes.
    """
    usual, order = result.compared[result.measures.ranked_by], tables.order(result)
    # With a control the pairs of others are not compared.
    if len(usual.entries) < 2 or result.control:
        return
    for metric in (*reversed(result.measures.ranking), *result.measures.beside):
        if metric in result.compared:
            is_basis = metric == result.basis
            compared = result.overall if is_basis else result.compared[metric]
            yield heat_map(f"{metric.name}, over all levels", compared, order, is_basis)
    if len(result.level_basis) > 1 and len(usual.pairs) <= tables.MOST_PAIRS:
        for level, compared in result.decided_levels.items():
            basis = result.level_basis[level]
            yield heat_map(f"{basis.name if basis else ''}, {level.name}", compared, order)


def heat_map(title: str, comparison: Comparison, order: Sequence[str], decides: bool = True) -> HeatMap:
    """Return the squares of the comparison, its entries in this order; without outcomes where it does not decide."""
    entries = tuple(entry for entry in order if entry in comparison.entries)
    pairs = {(pair.ratio.first, pair.ratio.second): pair for pair in comparison.pairs}
    pairs |= {(second, first): pair.inverse for (first, second), pair in pairs.items()}
    decimals = quantities.DECIMALS if len(entries) <= MOST_EXACT else 2
    squares = tuple(
        tuple(SELF if row == column else _square(pairs.get((row, column)), decides, decimals) for column in entries)
        for row in entries
    )
    return HeatMap(title, entries, squares)


def _square(pair: Pair | None, decides: bool, decimals: int) -> Square:
    if pair is None:
        return Square(NONE, "", "", "–", "", "no block in common")
    ratio, whole = pair.ratio, quantities.ratio(pair.ratio.ratio)
    shown = quantities.ratio(ratio.ratio, decimals=decimals)
    if not decides:
        interval = quantities.bounds(ratio.low, ratio.high).strip()
        return Square(NONE, "", "", shown, interval, f"{whole} {interval}, no outcome")
    interval, word = outcomes.interval(pair).strip(), outcomes.outcome(pair)
    through = f", compared through {ratio.through}" if ratio.through else ""
    words = f"{whole} {interval}, {word}{through}"
    return Square(_tone(pair.outcome, ratio.ratio), SIGNS[pair.outcome], word, shown, interval, words)


def _tone(outcome: Outcome, ratio: float) -> str:
    if outcome is Outcome.UNDECIDED:
        return UNDECIDED
    if outcome is Outcome.EQUAL:
        return EQUAL
    times = math.exp(abs(math.log(ratio)))
    return f"{outcome.value}-{1 + sum(times >= depth for depth in DEPTHS)}"
