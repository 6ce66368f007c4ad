"""Tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchlab.core import letters
from benchlab.core.quantities import MEANING, TOO_WIDE

if TYPE_CHECKING:
    import pandas as pd

# The head of the effects of factors: which way their ratios go.
EFFECT = "effect: level / reference"
# What stands between two cells, what stands for it in one, and what cells are parted by.
BETWEEN, ESCAPED = "|", r"\|"
PARTING = re.compile(r"(?<!\\)\|")
# Words stand left, numbers right.
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


def _escaped(cell: object) -> object:
    return letters.one_line(cell).replace(BETWEEN, ESCAPED) if isinstance(cell, str) else cell
