"""What the gate answers, simulated through the lab's own code: how often 0, 1 and 3, and how often it is wrong.

    python -m tests.benchmarks.gate [RUNS]

Prints two tables as Markdown, from a fixed seed: of versions in one run, by spread, blocks, margin and true change; and
of an entry whose runs differ by 5 % from day to day. Only logarithms and times are made up here: which runs are of one
day, ratios, corrections and answers are those of `days`, `versus` and `regression`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchlab.load.metrics import PER_CPU, RATE, Metric
from benchlab.records.plan import CONNECTIONS, LevelKey
from benchlab.report import markdown
from benchlab.report.document import Table
from benchlab.statistics import baseline, candidate, regression
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.baseline import Design
from benchlab.statistics.pooling import Blocks
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED
from benchlab.statistics.stats import Ratio

Array = NDArray[np.float64]

SEED, RUNS = 14, 2000
LEVELS = tuple(LevelKey(connections, CONNECTIONS) for connections in (16, 32, 128))
SPREADS, BLOCKS, CHANGES, MARGINS = (0.02, 0.04, 0.08), (8, 10, 20, 40), (0.0, -0.03, -0.05), (0.03, 0.05)
# Of the variance of a block's log-ratio over all levels, the share that the levels have in common; the rest is each
# level's own. And the correlation of the two metrics, which come from the same samples.
COMMON, CORRELATION = 0.5, 0.5
# Of runs at different times: how far two lie apart (the standard deviation of their log-ratio), and how far blocks do.
DAYS, WITHIN, BLOCKS_OF_RUN = 0.05, 0.04, 8
LOSSES = (0.0, -0.1)
FIRST_RUN = datetime(2026, 11, 23, 20, tzinfo=UTC)
# By what the runs of a version, or its one run, were and are taken apart into what counts as one observation.
BLOCK, RUN, DAY = "block", "run", "day"


@dataclass(frozen=True)
class Plan:
    """When a version was measured: on so many days so many runs each, an hour apart; and what counts once."""

    days: int
    runs: int = 1
    unit: str = DAY
    # Up to 0.2.0 the gate looked at means over levels alone.
    overall: bool = False
    # Whether both versions were measured on the same days, in turns.
    in_turns: bool = False

    @property
    def design(self) -> Design:
        if self.unit == BLOCK:
            return Design.VERSIONS
        return Design.RUNS if self.days * self.runs > 1 else Design.TWO_RUNS


PLANS = {
    "one run each, by blocks (before)": Plan(1, unit=BLOCK, overall=True),
    "one run each": Plan(1),
    **{f"{runs} runs of one day each, by runs (before)": Plan(1, runs, RUN) for runs in (3, 5)},
    **{f"{runs} runs of one day each": Plan(1, runs) for runs in (3, 5)},
    **{f"{count} days each, one run a day": Plan(count) for count in (2, 3, 5, 8)},
    **{f"{count} days each, 3 runs a day": Plan(count, 3) for count in (3, 5)},
    **{f"{count} days, one run of each on every day": Plan(count, in_turns=True) for count in (3, 5)},
}


def main(runs: int) -> None:
    chance = np.random.default_rng(SEED)
    print(f"{runs:,} simulated runs a row, seed {SEED}; shares of exit codes 0 / 1 / 3 in per cent\n")
    print(_table(versions(chance, runs)), "\n")
    print(_table(at_times(chance, runs)))


def _table(made: tuple[list[str], list[list[str]]]) -> str:
    heads, rows = made
    return markdown.table(Table(tuple(heads), tuple(map(tuple, rows)), words=("compared",)))


def versions(chance: np.random.Generator, runs: int) -> tuple[list[str], list[list[str]]]:
    """Return how the gate answers of two versions in one run: one test of three levels, two metrics."""
    heads = [f"{change:+.0%}, margin {margin:.0%}" for margin in MARGINS for change in CHANGES]
    rows = []
    for spread in SPREADS:
        for blocks in BLOCKS:
            counts: dict[tuple[float, float], Counter[int]] = {}
            for change in CHANGES:
                for _ in range(runs):
                    found = candidate.judged(in_turns(chance, spread, blocks, change), Design.VERSIONS)
                    for margin in MARGINS:
                        answer = regression.gate(found, margin).exit_code
                        counts.setdefault((margin, change), Counter())[answer] += 1
            told = [_shares(counts[margin, change], runs) for margin in MARGINS for change in CHANGES]
            rows.append([f"{spread:.0%}", str(blocks), *told])
    return ["spread", "blocks", *heads], rows


def at_times(chance: np.random.Generator, runs: int) -> tuple[list[str], list[list[str]]]:
    """Return how the gate answers of runs of an unchanged entry at different times, and of one that lost a tenth."""
    rows = []
    for name, plan in PLANS.items():
        counts: dict[tuple[float, float], Counter[int]] = {}
        for change in LOSSES:
            for _ in range(runs):
                found = candidate.judged(apart(chance, plan, change), plan.design)
                looked_at = [row for row in found if row.level is ALL_LEVELS] if plan.overall else found
                for margin in MARGINS:
                    counts.setdefault((change, margin), Counter())[regression.gate(looked_at, margin).exit_code] += 1
        rows.append([name, *(_shares(counts[change, margin], runs) for change in LOSSES for margin in MARGINS)])
    return ["compared", *(f"{change:+.0%}, margin {margin:.0%}" for change in LOSSES for margin in MARGINS)], rows


def in_turns(
    chance: np.random.Generator, spread: float, blocks: int, change: float
) -> Iterator[tuple[candidate.RowKey, Ratio]]:
    """Yield the ratios of a run of two versions, the newer of which is changed by so much at every level."""
    for metric, noise in _noise(chance, spread, blocks):
        new = {level: _blocks(np.log1p(change) + logs) for level, logs in zip(LEVELS, noise, strict=True)}
        old = {level: dict.fromkeys(of, 1.0) for level, of in new.items()}
        for level, ratio in candidate.ratios(old, new, partial(candidate.paired, None)):
            yield candidate.RowKey("entry", "test", level, metric), ratio


def apart(chance: np.random.Generator, plan: Plan, change: float) -> Iterator[tuple[candidate.RowKey, Ratio]]:
    """Yield the ratios of runs measured to this plan; what a day does, both metrics and all levels share."""
    before = chance.normal(0.0, DAYS / np.sqrt(2), plan.days)
    after = before if plan.in_turns else chance.normal(0.0, DAYS / np.sqrt(2), plan.days)
    old, new = _measured(chance, plan, before), _measured(chance, plan, after + float(np.log1p(change)))
    for metric in (RATE, PER_CPU):
        for level, ratio in candidate.ratios(old[metric], new[metric], candidate.unpaired):
            yield candidate.RowKey("entry", "test", level, metric), ratio


def _measured(chance: np.random.Generator, plan: Plan, states: Array) -> dict[Metric, dict[LevelKey, Blocks]]:
    """Return by metric and level a mean for each day or run, else the blocks of the only run, from each day's state."""
    runs: dict[Metric, list[Array]] = {RATE: [], PER_CPU: []}
    began = []
    for day, state in enumerate(states):
        for hour in range(plan.runs):
            began.append(FIRST_RUN + timedelta(days=day, hours=hour))
            for metric, noise in _noise(chance, WITHIN / np.sqrt(2), BLOCKS_OF_RUN):
                runs[metric].append(state + noise)
    if plan.design is not Design.RUNS:
        return {metric: dict(zip(LEVELS, map(_blocks, of[0]), strict=True)) for metric, of in runs.items()}
    units = range(len(began)) if plan.unit == RUN else baseline.numbers(began)
    return {
        metric: dict(zip(LEVELS, map(_blocks, _means(units, [run.mean(axis=1) for run in of])), strict=True))
        for metric, of in runs.items()
    }


def _means(units: Sequence[int], of_runs: Sequence[Array]) -> Array:
    """Return, level x unit, the means of what the runs of each unit have at each level."""
    of_units = [
        [run for number, run in zip(units, of_runs, strict=True) if number == unit] for unit in sorted({*units})
    ]
    return np.array([np.mean(of, axis=0) for of in of_units]).T


def _noise(chance: np.random.Generator, spread: float, blocks: int) -> Iterator[tuple[Metric, Array]]:
    """Yield for each metric the logarithms, level x block, whose mean over the levels has this spread."""
    both = chance.normal(size=(3, len(LEVELS), blocks))
    common = chance.normal(size=(3, 1, blocks))
    shared = np.sqrt(COMMON) * common + np.sqrt((1 - COMMON) * len(LEVELS)) * both
    for metric, own in ((RATE, shared[1]), (PER_CPU, shared[2])):
        yield metric, spread * (np.sqrt(CORRELATION) * shared[0] + np.sqrt(1 - CORRELATION) * own)


def _blocks(logs: Array) -> Blocks:
    return dict(enumerate(np.exp(logs).tolist(), start=1))


def _shares(counts: Counter[int], runs: int) -> str:
    return " / ".join(f"{100 * counts[code] / runs:.0f}" for code in (NO_REGRESSION, REGRESSION, UNDECIDED))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
