"""Values to test the statistics with: made from logarithms, so that the truth behind them is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from benchlab.records.plan import CONNECTIONS, LevelKey
from benchlab.statistics.pooling import Blocks, Cells

Array = NDArray[np.float64]
T = TypeVar("T")


def blocks(logs: Array) -> Blocks:
    """Return the values with these logarithms, in blocks 1, 2, ..."""
    return {number: float(value) for number, value in enumerate(np.exp(logs), start=1)}


def cells(logs: Array) -> Cells:
    """Return the values of entries a, b, ... with these logarithms, entry x block."""
    return {chr(ord("a") + row): blocks(of_entry) for row, of_entry in enumerate(logs)}


def at(connections: int) -> LevelKey:
    return LevelKey(connections, CONNECTIONS)


def numbered(levels: Iterable[T]) -> dict[LevelKey, T]:
    """Return what is at each of several levels, of 1, 2, ... connections."""
    return {at(number): level for number, level in enumerate(levels, start=1)}


def first_blocks(whole: Cells, count: int) -> Cells:
    return {name: {block: value for block, value in each.items() if block <= count} for name, each in whole.items()}


def plausible(runs: int, probability: float) -> range:
    """Return how often something of this probability happens in so many runs, but for one case in a thousand."""
    low, high = binom.interval(0.999, runs, probability)
    return range(int(low), int(high) + 1)


def known(value: T | None) -> T:
    assert value is not None
    return value
