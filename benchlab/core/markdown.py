"""Tables as Markdown, and how figures are written in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchlab.core import letters

if TYPE_CHECKING:
    import pandas as pd

# An interval that reaches beyond so many times its figure tells not even the order of magnitude, and its bounds would
# be read for figures. Two blocks make one, by a t of 12.7, where one of them gave half as much again as the other.
WIDEST = 10
TOO_WIDE = "[too wide]"
MEANING = (
    f"An interval that is {TOO_WIDE} reaches beyond {WIDEST} times its figure, and so says nothing of its size; more "
    "blocks make it narrower."
)
# A ratio's decimals, and how many may show what fewer hide: logarithms of figures are exact to twelve.
DECIMALS, MOST_DECIMALS = 3, 13
# The head of the effects of factors: which way their ratios go.
EFFECT = "effect: level / reference"
# What stands between two cells, what stands for it in one, and what cells are parted by.
BETWEEN, ESCAPED = "|", r"\|"
PARTING = re.compile(r"(?<!\\)\|")
# Words stand left, figures right.
LEFT = ("framework", "test", "entry", "pair", EFFECT, "outcome", "limited by", "rule", "meaning")


def table(frame: pd.DataFrame) -> str:
    return rows(list(frame.columns), frame.itertuples(index=False, name=None), LEFT)


def rows(headers: Sequence[str], cells: Iterable[Sequence[object]], left: Collection[str]) -> str:
    """Return the rows of cells as a table, whose columns stand right but those named in `left`."""
    alignment = ["left" if header in left else "right" for header in headers]
    lines = [[_escaped(cell) for cell in row] for row in [headers, *cells]]
    return tabulate(lines, headers="firstrow", tablefmt="github", disable_numparse=True, colalign=alignment)


def cells(line: str) -> list[str]:
    """Return the cells of a table's line, with the spaces around them."""
    return [cell.replace(ESCAPED, BETWEEN) for cell in PARTING.split(line.strip(BETWEEN))]


def explained(text: str) -> str:
    """Return the text, with what TOO_WIDE means at its end where that stands in it."""
    return f"{text}\n\n{MEANING}" if TOO_WIDE in text else text


def interval(low: float | None, high: float | None, form: str) -> str:
    """Return the bounds in brackets, each in the form; TOO_WIDE where they are, and nothing where there are none."""
    if low is None or high is None:
        return ""
    # They lie more than WIDEST times above and below the middle that they have on logarithms.
    too_wide = high > WIDEST**2 * low
    return f" {TOO_WIDE}" if too_wide else f" [{form.format(low)}–{form.format(high)}]"


def ratio(value: float, *limits: float, decimals: int = DECIMALS) -> str:
    """Return the ratio with so many decimals: with more where these would not show on which side of 1 it lies.

    So they do of each of the limits, such as a gate's.
    """
    for digits in range(decimals, MOST_DECIMALS):
        text = f"{value:.{digits}f}"
        if all((float(text) > limit, float(text) < limit) == (value > limit, value < limit) for limit in (1, *limits)):
            return text
    return f"{value:.{decimals}f}"


def bounds(
    low: float | None, high: float | None, *limits: float, decimals: int = DECIMALS, confidence: str = ""
) -> str:
    """Return the bounds of a ratio as `interval` does, each written as `ratio` writes it; behind them the confidence.

    That is said where it is not 95 %.
    """
    told = interval(low, high, "{:.3f}")
    if low is not None and high is not None and TOO_WIDE not in told:
        told = f" [{ratio(low, *limits, decimals=decimals)}–{ratio(high, *limits, decimals=decimals)}]"
    return f"{told}{confidence}" if told else ""


def _escaped(cell: object) -> object:
    return letters.one_line(cell).replace(BETWEEN, ESCAPED) if isinstance(cell, str) else cell
