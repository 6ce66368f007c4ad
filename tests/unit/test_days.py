"""Which runs are of one day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from itertools import permutations

import pytest

from benchlab.statistics import baseline

from .conftest import STARTED


@pytest.mark.parametrize(
    ("hours", "numbers"),
    [
        pytest.param([0], [1], id="one run"),
        pytest.param([0, 1, 2], [1, 1, 1], id="one evening"),
        pytest.param([0, 11.99], [1, 1], id="less than 12 hours apart"),
        pytest.param([0, 12], [1, 2], id="12 hours apart"),
        pytest.param([0, 11, 22, 33], [1, 1, 1, 1], id="each less than 12 hours after the one before"),
        pytest.param([0, 1, 24, 25, 48], [1, 1, 2, 2, 3], id="three evenings"),
        pytest.param([0, 0], [1, 1], id="at once"),
    ],
)
def test_runs_that_begin_less_than_12_hours_after_another_are_of_its_day(
    hours: Sequence[float], numbers: Sequence[int]
) -> None:
    assert baseline.numbers([STARTED + timedelta(hours=each) for each in hours]) == tuple(numbers)


def test_a_day_is_numbered_by_the_clock_whatever_the_order_and_the_zone() -> None:
    began = [STARTED + timedelta(hours=hours) for hours in (0, 2, 30)]
    began[1] = began[1].astimezone(timezone(timedelta(hours=-11)))
    for order in permutations(zip(began, (1, 1, 2), strict=True)):
        assert baseline.numbers([moment for moment, _ in order]) == tuple(number for _, number in order)
