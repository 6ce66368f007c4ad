from __future__ import annotations

import numpy as np
import pytest

from benchlab.load.metrics import Better
from benchlab.report import heat
from benchlab.report.heat import EQUAL, SAME, UNDECIDED
from benchlab.statistics import comparison
from benchlab.statistics.comparison import Comparison
from benchlab.statistics.pooling import Cells

from . import values

CALM = np.array([0.0, 0.001, -0.001, 0.002, -0.002])


def _compared(**means: float) -> Comparison:
    """Return entries with these mean logarithms, each calm in its own way."""
    cells: Cells = {
        name: values.blocks(mean + np.roll(CALM, place)) for place, (name, mean) in enumerate(means.items())
    }
    return comparison.compare(cells, Better.HIGHER)


def test_a_square_tells_the_row_against_the_column_and_its_mirror_the_other_way_round() -> None:
    found = heat.heat_map("t", _compared(a=0.0, b=np.log(2)), ["b", "a"])
    assert found.entries == ("b", "a")
    ((same, faster), (slower, _)) = found.squares
    assert (same.tone, same.sign, same.ratio) == (SAME, "", "")
    assert (faster.tone, faster.sign, faster.word, faster.ratio) == ("faster-3", "▲", "faster", "2.000")
    assert (slower.tone, slower.sign, slower.word, slower.ratio) == ("slower-3", "▼", "slower", "0.500")
    assert faster.words.startswith("2.000 [")
    assert faster.words.endswith("], faster")
    assert slower.words.endswith("], slower")


@pytest.mark.parametrize(("ratio", "tone"), [(1.06, "faster-1"), (1.3, "faster-2"), (1.6, "faster-3")])
def test_the_further_apart_the_deeper_the_colour(ratio: float, tone: str) -> None:
    found = heat.heat_map("t", _compared(a=np.log(ratio), b=0.0), ["a", "b"])
    assert found.squares[0][1].tone == tone
    assert found.squares[1][0].tone == tone.replace("faster", "slower")


def test_what_cannot_be_told_apart_is_neutral_however_large_its_ratio() -> None:
    wild = {"a": {1: 1000.0, 2: 4000.0, 3: 500.0}, "b": {1: 400.0, 2: 500.0, 3: 900.0}}
    square = heat.heat_map("t", comparison.compare(wild, Better.HIGHER), ["a", "b"]).squares[0][1]
    assert (square.tone, square.sign) == (UNDECIDED, "?")
    assert square.words.endswith("cannot be told apart")


def test_equal_is_another_neutral() -> None:
    square = heat.heat_map("t", _compared(a=0.0, b=0.001), ["a", "b"]).squares[0][1]
    assert (square.tone, square.sign, square.word) == (EQUAL, "=", "equal")


def test_a_pair_without_a_block_in_common_is_left_blank_and_says_why() -> None:
    apart: Cells = {"a": {1: 1.0, 2: 1.1}, "b": {3: 1.0, 4: 1.1}}
    square = heat.heat_map("t", comparison.compare(apart, Better.HIGHER), ["a", "b"]).squares[0][1]
    assert (square.tone, square.ratio, square.words) == (heat.NONE, "–", "no block in common")


def test_an_entry_without_a_rank_has_no_row() -> None:
    assert heat.heat_map("t", _compared(a=0.0, b=1.0), ["b", "bound-by-wrk", "a"]).entries == ("b", "a")


def test_of_many_entries_a_square_has_two_decimals_and_its_title_all() -> None:
    names = {chr(ord("a") + place): 0.1 * place for place in range(heat.MOST_EXACT + 1)}
    many, few = (
        heat.heat_map("t", _compared(**dict(list(names.items())[:count])), list(names)).squares[0][1]
        for count in (len(names), len(names) - 1)
    )
    assert (few.ratio, many.ratio) == ("0.905", "0.90")
    assert few.words.partition(" ")[0] == many.words.partition(" ")[0] == "0.905"
