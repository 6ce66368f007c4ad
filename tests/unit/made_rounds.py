"""Rounds made up from known components: what a round and a life of a container add to a pair's logarithm."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchlab.load.metrics import Parts
from benchlab.records.plan import LevelKey
from benchlab.statistics.pooling import Cells, PooledBlocks

from .values import Array, numbered

SLICE_S = 0.3
RATE = 10_000.0


def log_rates(
    chance: np.random.Generator, entries: int, levels: int, blocks: int, rounds: int, noise: float, life: float
) -> Array:
    """Return logarithms, level x entry x block x round: `noise` is a pair's in a round, `life` a pair's in a block."""
    shape = (levels, entries, blocks, rounds)
    # Half of a pair's variance is either entry's. What a round has in common cancels in a pair.
    common = chance.normal(0, 0.1, (levels, 1, blocks, rounds))
    lives = chance.normal(0, life / np.sqrt(2), (1, entries, blocks, 1))
    return np.asarray(common + lives + chance.normal(0, noise / np.sqrt(2), shape))


def cells(logs: Array) -> Cells:
    """Return entries a, b, ... at one level, from logarithms: entry x block x round, NaN where there is none."""
    return {
        chr(ord("a") + row): PooledBlocks(
            {
                block: {
                    number: Parts(RATE * SLICE_S * float(np.exp(log)), SLICE_S)
                    for number, log in enumerate(of_rounds, start=1)
                    if not np.isnan(log)
                }
                for block, of_rounds in enumerate(of_blocks, start=1)
                if not np.isnan(of_rounds).all()
            }
        )
        for row, of_blocks in enumerate(logs)
        if not np.isnan(of_blocks).all()
    }


def levels(logs: Array) -> Mapping[LevelKey, Cells]:
    return numbered(map(cells, logs))
