from __future__ import annotations

import pytest

from benchlab.core import markdown


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
    assert markdown.interval(low, high, "{:,.0f}") == told
