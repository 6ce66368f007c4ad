"""An entry over all of its levels."""

from __future__ import annotations

import pytest

from benchlab.statistics import averages, stats


def test_a_figure_over_all_levels_is_the_mean_over_blocks_of_the_geometric_mean_over_levels() -> None:
    levels = [{"a": {1: 1.0, 2: 3.0}}, {"a": {1: 4.0, 2: 12.0}}]
    assert averages.over_levels(levels) == {"a": stats.estimate({1: 2.0, 2: 6.0})}


def test_a_block_that_lacks_one_of_the_entry_s_levels_does_not_count() -> None:
    levels = [{"a": {1: 1.0, 2: 3.0}}, {"a": {1: 4.0, 3: 8.0}}]
    assert averages.over_levels(levels) == {"a": stats.estimate({1: 2.0})}


def test_each_entry_has_the_mean_of_its_own_levels() -> None:
    levels = [{"a": {1: 1.0}, "b": {1: 9.0}}, {"a": {1: 4.0}}]
    assert {name: found.mean for name, found in averages.over_levels(levels).items()} == pytest.approx(
        {"a": 2.0, "b": 9.0}
    )


def test_an_entry_without_a_block_that_has_all_its_levels_is_left_out() -> None:
    assert averages.over_levels([{"a": {1: 1.0}}, {"a": {2: 4.0}}]) == {}
