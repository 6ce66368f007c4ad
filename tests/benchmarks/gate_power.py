"""How often the gate that looks passes and fails, and after how many blocks, simulated.

    python -m tests.benchmarks.gate_power [RUNS]

Prints a table as Markdown, from a fixed seed. Only logarithms are made up: one test of three levels, whose mean over
the levels has the spread named between blocks, half of its variance common to the levels. Every level changes alike.
All runs of a row are judged at once, with the levels and corrections of `looks` and `interim`;
tests/unit/test_interim.py holds these answers against those of `interim.answer` itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from benchlab.report import markdown
from benchlab.report.document import Table
from benchlab.statistics import interim, looks
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED

Array = NDArray[np.float64]
Answers = NDArray[np.int64]

SEED, RUNS = 16, 20_000
LEVELS, COMMON = 3, 0.5
SPREADS, MOST, CHANGES = (0.01, 0.015, 0.02, 0.04, 0.06), (8, 20, 40), (0.0, -0.03, -0.06)
MARGIN = 0.03


@dataclass(frozen=True)
class Ended:
    """The exit code of each run, and after how many blocks it ended."""

    codes: Answers
    blocks: Answers

    def share(self, code: int) -> float:
        return float((self.codes == code).mean())


def main(runs: int) -> None:
    chance = np.random.default_rng(SEED)
    print(f"{runs:,} simulated runs a row and change, seed {SEED}, margin {MARGIN:.0%}; per cent, and mean blocks\n")
    print(markdown.table(table(chance, runs)))


def table(chance: np.random.Generator, runs: int) -> Table:
    heads = (
        "spread",
        "looks after",
        "unchanged: passes",
        "unchanged: false alarms",
        "unchanged: blocks",
        "-3 %: caught",
        "-3 %: passes",
        "-3 %: blocks",
        "-6 %: caught",
        "-6 %: blocks",
    )
    rows = []
    for spread in SPREADS:
        for most in MOST:
            planned = looks.planned(most)
            same, less, much = (ended(logs(chance, runs, spread, most, change), planned) for change in CHANGES)
            rows.append(
                (
                    f"{spread:.1%}",
                    ", ".join(map(str, planned)),
                    *(f"{100 * same.share(code):.1f}" for code in (NO_REGRESSION, REGRESSION)),
                    f"{same.blocks.mean():.1f}",
                    *(f"{100 * less.share(code):.1f}" for code in (REGRESSION, NO_REGRESSION)),
                    f"{less.blocks.mean():.1f}",
                    f"{100 * much.share(REGRESSION):.1f}",
                    f"{much.blocks.mean():.1f}",
                )
            )
    return Table(heads, tuple(rows))


def logs(chance: np.random.Generator, runs: int, spread: float, blocks: int, change: float) -> Array:
    """Return log-ratios of new to old, run x level x block, whose mean over the levels has the spread."""
    own = chance.normal(size=(runs, LEVELS, blocks)) * np.sqrt((1 - COMMON) * LEVELS)
    common = chance.normal(size=(runs, 1, blocks)) * np.sqrt(COMMON)
    return np.asarray(np.log1p(change) + spread * (own + common))


def ended(made: Array, planned: Sequence[int], margin: float = MARGIN) -> Ended:
    """Return how each run ends whose log-ratios these are: at its first look that has an answer."""
    runs = len(made)
    codes, blocks = np.full(runs, UNDECIDED), np.full(runs, planned[-1])
    is_open = np.ones(runs, dtype=bool)
    for count in planned:
        failed, passed = _look(made[is_open, :, :count], planned, margin)
        at = np.flatnonzero(is_open)
        codes[at[passed]], codes[at[failed]] = NO_REGRESSION, REGRESSION
        blocks[at[failed | passed]] = count
        is_open[at[failed | passed]] = False
    return Ended(codes, blocks)


def _look(made: Array, planned: Sequence[int], margin: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of each run whether a look at all its blocks shows a regression, and whether it excludes one."""
    limit = np.log1p(-margin)
    mean, single = made.mean(axis=1), made
    slower, within = (
        _is_shown(-mean, 0.0, interim.MEANS, planned),
        _is_shown(mean, limit, interim.MEANS, planned),
    )
    below, at_limit = (
        _is_shown(-single, -limit, interim.MEANS, planned),
        ~_is_shown(single, limit, interim.MEANS, planned),
    )
    failed = (slower & ~within) | (_holm(-single, interim.LEVELS, planned) & at_limit & below).any(axis=1)
    doubted = (_holm(-single, interim.MEANS, planned) & at_limit).any(axis=1)
    return failed, ~failed & within & ~doubted


def _is_shown(values: Array, above: float, level: float, planned: Sequence[int]) -> NDArray[np.bool_]:
    """Return whether the values' mean over blocks, the last axis, is above the number, at the level over all looks."""
    blocks = values.shape[-1]
    bound = t.isf(looks.nominal(level, tuple(planned)), blocks - 1)
    error = values.std(axis=-1, ddof=1) / np.sqrt(blocks)
    return np.asarray(values.mean(axis=-1) - above >= bound * error)


def _holm(values: Array, level: float, planned: Sequence[int]) -> NDArray[np.bool_]:
    """Return of each run and level whether its mean is above 0, by Holm over the levels."""
    by_step = [_is_shown(values, 0.0, level / (LEVELS - done), planned) for done in range(LEVELS)]
    blocks = values.shape[-1]
    order = np.argsort(-values.mean(axis=-1) / (values.std(axis=-1, ddof=1) / np.sqrt(blocks)), axis=1)
    shown = np.zeros(values.shape[:2], dtype=bool)
    going = np.ones(len(values), dtype=bool)
    for step in range(LEVELS):
        level_at = order[:, step]
        going &= by_step[step][np.arange(len(values)), level_at]
        shown[np.arange(len(values)), level_at] = going
    return shown


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
