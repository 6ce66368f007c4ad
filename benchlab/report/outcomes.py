"""What statistics found, in the words of tables and sentences: outcomes, intervals, levels, shares of the CPU."""

from __future__ import annotations

from benchlab.core import quantities
from benchlab.statistics.analysis import ALL_LEVELS, Over, Scope
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.candidate import Row
from benchlab.statistics.comparison import Outcome, Pair

# What a pair is called that has no outcome for want of blocks.
TOO_FEW = "too few blocks"


def outcome(pair: Pair) -> str:
    """Return the outcome as a table shows it, beside the interval that it follows from."""
    if pair.adjusted_p is None:
        return TOO_FEW
    return f"unclear among {pair.among} comparisons" if pair.is_unclear else pair.outcome.value


def interval(pair: Pair, decimals: int = quantities.DECIMALS) -> str:
    """Return the interval that the outcome follows from, with its confidence where that is not 95 %."""
    confidence = " (90 %)" if pair.outcome is Outcome.EQUAL else ""
    return quantities.bounds(*pair.bounds, decimals=decimals, confidence=confidence)


def ratio(pair: Pair, decimals: int = quantities.DECIMALS) -> str:
    """Return the ratio with the interval that its outcome follows from."""
    return f"{quantities.ratio(pair.ratio.ratio, decimals=decimals)}{interval(pair, decimals)}"


def levels(over: Over | Scope) -> str:
    """Return the levels that something is of: "16", "all", "all but 128", or "16 alone"."""
    if not isinstance(over, Over):
        return str(over)
    if over.are_all:
        return str(ALL_LEVELS)
    some = quantities.listed([str(level) for level in (over.lacking if over.are_most else over.levels)])
    return f"{ALL_LEVELS} but {some}" if over.are_most else f"{some} alone"


def where(row: Row) -> str:
    """Return the level of the row, or those that one over all of them is made of."""
    return levels(row.over or row.level)


def cpu_used(shares: Shares) -> str:
    parts = [f"{role} {share:.0%}" for role, share in shares.roles.items()]
    return ", ".join(parts + ([] if shares.idle is None else [f"host idle {shares.idle:.0%}"]))
