"""Says whether anything got slower: the gate of new held against old."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchlab.core import markdown
from benchlab.core.quantities import counted
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.stats import Ratio
from benchlab.statistics.versus import Row

# The gate's answers, which are its exit codes; 2 is an error everywhere.
NO_REGRESSION, REGRESSION, UNDECIDED = 0, 1, 3


@dataclass(frozen=True)
class Gate:
    """The answer to "did anything get slower by a margin?": an exit code, and why in one line."""

    exit_code: int
    reason: str


def gate(found: Iterable[Row], margin: float, untold: Sequence[str] = ()) -> Gate:
    """Return whether anything got slower by `margin`, a share such as 0.03, as the ratios over all levels tell.

    A regression is shown where a row says slower, after Holm over all tests and figures, and one of the margin's size
    cannot be excluded. It is excluded where the 95 % interval lies above 1 - margin. Of what is `untold`,
    it never is.
    """
    overall = [row for row in found if row.level == ALL_LEVELS]
    open_rows = [row for row in overall if row.ratio.low is None or row.ratio.low <= 1 - margin]
    shown = [row for row in open_rows if row.pair.outcome is Outcome.SLOWER]
    if shown:
        return Gate(REGRESSION, f"slower: {'; '.join(map(_told, shown))}")
    doubts = [*_noise(open_rows, margin), *_silence(untold), *([] if overall else ["nothing was compared"])]
    if doubts:
        return Gate(UNDECIDED, f"a regression of {margin:.1%} is neither shown nor excluded: {'; and '.join(doubts)}")
    return Gate(NO_REGRESSION, f"no regression: everything is above {1 - margin:.3f} of what it was")


def _noise(rows: Sequence[Row], margin: float) -> Iterator[str]:
    if rows:
        yield f"too noisy ({_needed(rows, margin)}): {'; '.join(map(_told, rows))}"


def _silence(untold: Sequence[str]) -> Iterator[str]:
    """Yield that something is untold; what, and why, is told beside every answer."""
    if untold:
        yield f"nothing can be said of {counted(len(untold), 'part')} of the comparison"


def _needed(rows: Sequence[Row], margin: float) -> str:
    """Return how many blocks would exclude the margin, if the ratios stayed where they are."""
    ratios = [row.ratio for row in rows]
    if not all(ratio.blocks for ratio in ratios):
        return "no block has all levels"
    if any(ratio.low is None for ratio in ratios):
        return "it takes at least 2 blocks"
    if any(ratio.ratio <= 1 - margin for ratio in ratios):
        return "as far as it is known, no number of blocks will do"
    return f"it would take about {counted(max(_blocks(ratio, margin) for ratio in ratios), 'block')}"


def _blocks(ratio: Ratio, margin: float) -> int:
    """Return how many blocks would lift the interval above 1 - margin: more than there are.

    An interval narrows with the root of the blocks. It is the one shown that counts: after a pilot it can be wider than
    the spread of all blocks makes it.
    """
    reach, room = math.log1p(ratio.half_width or 0.0), math.log(ratio.ratio / (1 - margin))
    return max(ratio.blocks + 1, math.ceil(ratio.blocks * (reach / room) ** 2))


def _told(row: Row) -> str:
    bounds = markdown.interval(row.ratio.low, row.ratio.high, "{:.3f}")
    return f"{row.entry} {row.test} {row.figure} {row.ratio.ratio:.3f}{bounds}"
