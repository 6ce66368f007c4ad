"""An entry over all of its levels."""

from __future__ import annotations

import pytest

from benchlab.statistics import stats
from benchlab.statistics.stats import Average

from .values import at, known


def test_a_value_over_all_levels_is_the_mean_over_blocks_of_the_geometric_mean_over_levels() -> None:
    levels = {at(16): {"a": {1: 1.0, 2: 3.0}}, at(32): {"a": {1: 4.0, 2: 12.0}}}
    assert stats.over_levels(levels) == {"a": Average(known(stats.estimate({1: 2.0, 2: 6.0})), (at(16), at(32)))}


def test_a_block_that_lacks_one_of_the_entry_s_levels_does_not_count() -> None:
    levels = {at(16): {"a": {1: 1.0, 2: 3.0}}, at(32): {"a": {1: 4.0, 3: 8.0}}}
    assert stats.over_levels(levels) == {"a": Average(known(stats.estimate({1: 2.0})), (at(16), at(32)))}


def test_each_entry_has_the_mean_of_its_own_levels() -> None:
    levels = {at(16): {"a": {1: 1.0}, "b": {1: 9.0}}, at(32): {"a": {1: 4.0}}}
    found = stats.over_levels(levels)
    assert {name: of.estimate.mean for name, of in found.items()} == pytest.approx({"a": 2.0, "b": 9.0})
    assert {name: of.over for name, of in found.items()} == {"a": (at(16), at(32)), "b": (at(16),)}


def test_a_level_that_most_blocks_lack_is_left_out_of_the_mean() -> None:
    levels = {at(16): {"a": {1: 1.0, 2: 1.0, 3: 1.0}}, at(32): {"a": {3: 4.0}}, at(128): {"b": {1: 5.0}}}
    found = stats.over_levels(levels)
    assert {name: (of.estimate.blocks, of.over) for name, of in found.items()} == {
        "a": (3, (at(16),)),
        "b": (1, (at(128),)),
    }


def test_an_entry_without_a_block_has_no_mean() -> None:
    assert stats.over_levels({at(16): {"a": {}}}) == {}
