from __future__ import annotations

import pandas as pd
import pytest

from benchlab.core import quantities
from benchlab.report import markdown


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (1234.4, 5678.6, " [1,234–5,679]"),
        (1.0, 100.0, " [1–100]"),
        (1.0, 100.1, " [too wide]"),
        (161.0, 2_803_212.0, " [too wide]"),
        (0.0, 1.0, " [too wide]"),
        (None, None, ""),
    ],
)
def test_an_interval_is_told_by_its_bounds_unless_it_reaches_beyond_ten_times_its_figure(
    low: float | None, high: float | None, told: str
) -> None:
    assert quantities.interval(low, high, "{:,.0f}") == told


def test_what_parts_cells_parts_none_where_it_stands_in_one() -> None:
    made = markdown.table(pd.DataFrame([{"entry": "a|b", "not|measured": "died: a | b"}]))
    headers, _, row = made.splitlines()
    assert row == r"| a\|b    |    died: a \| b |"
    assert [[cell.strip() for cell in markdown.cells(line)] for line in (headers, row)] == [
        ["entry", "not|measured"],
        ["a|b", "died: a | b"],
    ]
