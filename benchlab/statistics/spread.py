"""How far blocks of runs lie apart: the spread of the log-ratio of two entries over all levels of a test. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.records.run import Run
from benchlab.statistics import analysis
from benchlab.statistics.comparison import LEAST_BLOCKS
from benchlab.statistics.stats import Ratio


@dataclass(frozen=True)
class Spread:
    """A standard deviation over blocks, pooled over the ratios of so many runs; `freedom` are its degrees."""

    stdev: float
    freedom: int
    runs: int


def pooled(runs: Iterable[Run]) -> dict[str, Spread]:
    """Return the spread by test, in the metric that usually ranks; without ratios that lack a level of their test."""
    of: dict[str, list[list[Ratio]]] = defaultdict(list)
    for run in runs:
        for result in analysis.analyse(run):
            pairs = result.compared[result.measures.ranked_by].pairs
            whole = [pair.ratio for pair in pairs if result.over(pair.ratio.over).are_all]
            if ratios := [each for each in whole if each.stdev is not None and each.blocks >= LEAST_BLOCKS]:
                of[result.test].append(ratios)
    return {test: _pooled(ratios) for test, ratios in of.items()}


def _pooled(of_runs: list[list[Ratio]]) -> Spread:
    ratios = [ratio for of_run in of_runs for ratio in of_run]
    freedom = sum(ratio.blocks - 1 for ratio in ratios)
    squares = sum((ratio.blocks - 1) * (ratio.stdev or 0.0) ** 2 for ratio in ratios)
    return Spread(math.sqrt(squares / freedom), freedom, len(of_runs))
