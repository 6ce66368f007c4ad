"""Rounds made up from known components: what a round and a life of a container add to a pair's logarithm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from benchlab.experiment.settings import choose
from benchlab.load import closed
from benchlab.load.metrics import Parts
from benchlab.records.plan import LevelKey, Trial
from benchlab.records.run import Pace, Run, Sample
from benchlab.selftest.extent import PROFILE
from benchlab.statistics.pooling import Cells, PooledBlocks

from .conftest import LABELS, STARTED, make_load, make_manifest, make_sample
from .values import Array, numbered

SLICE_S = 0.3
RATE = 10_000.0
# So many a second that rounding to whole requests changes nothing.
MANY = 10_000_000
# Of a slice: how long it is loaded before it is counted, and what it takes beside its load.
RAMP_MS, BESIDE_S = 85, 0.05


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


def run(logs: Array, test: str = "json", names: Sequence[str] = "abcdef", rate: float = MANY) -> Run:
    """Return a run whose slices have these logarithms above that of the rate: level x entry x block x round.

    There is no slice where they are NaN. Levels are 16, 32, … connections. Slices follow each other; each takes
    BESIDE_S more than its load.
    """
    count, entries, blocks, rounds = logs.shape
    names = names[:entries]
    connections = tuple(16 * number for number in range(1, count + 1))
    settings = choose(PROFILE, frameworks=names, tests=[test], levels={test: connections}, blocks=blocks, seed=7)
    manifest = replace(make_manifest(), settings=settings, entries=dict.fromkeys(names, LABELS), groups=(tuple(names),))
    levels = closed.levels_of(test, connections, 2)
    order = ((block, number, level, row) for block, number, level, row in np.ndindex(blocks, rounds, count, entries))
    samples = [
        _slice(
            Trial(block + 1, names[row], test, levels[level], number + 1),
            place,
            rate * math.exp(logs[level, row, block, number]),
        )
        for place, (block, number, level, row) in enumerate(order)
        if not np.isnan(logs[level, row, block, number])
    ]
    return Run(manifest, tuple(samples), (), paces=(Pace(STARTED, test, rounds, RAMP_MS / 1000 + SLICE_S + BESIDE_S),))


def _slice(trial: Trial, place: int, rate: float) -> Sample:
    loaded_us, requests = round(1000 * (RAMP_MS + 1000 * SLICE_S)), round(rate * SLICE_S)
    load = replace(
        make_load(requests, round(1e6 * SLICE_S)),
        wall_us=loaded_us,
        launch_requests=requests,
        read_requests=requests,
    )
    started_at = STARTED + place * timedelta(microseconds=loaded_us + 1e6 * BESIDE_S)
    return replace(make_sample(trial, load), started_at=started_at)
