"""How far blocks of runs lie apart: the spread of the log-ratio of two entries over all levels of a test. Pure.

Where entries are up together, rounds explain how blocks differ (docs/method.md, section 1.5), so blocks of twice as
many rounds have half the variance.
"""

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
    """A standard deviation over blocks of one round, pooled over the ratios of so many runs; `freedom` its degrees."""

    one_round: float
    freedom: int = 0
    runs: int = 0

    def of_blocks(self, rounds: int) -> float:
        """Return the standard deviation over blocks of so many rounds."""
        return self.one_round / math.sqrt(rounds)


def pooled(runs: Iterable[Run]) -> dict[str, Spread]:
    """Return the spread by test, in the metric that usually ranks; without ratios that lack a level of their test."""
    of: dict[str, list[_Ratios]] = defaultdict(list)
    for run in runs:
        for result in analysis.analyse(run):
            pairs = result.compared[result.measures.ranked_by].pairs
            whole = [pair.ratio for pair in pairs if result.over(pair.ratio.over).are_all]
            if ratios := [each for each in whole if each.stdev is not None and each.blocks >= LEAST_BLOCKS]:
                of[result.test].append(_Ratios(run.rounds(result.test), ratios))
    return {test: _pooled(of_runs) for test, of_runs in of.items()}


@dataclass(frozen=True)
class _Ratios:
    """Those of one run, whose blocks have so many rounds."""

    rounds: int
    ratios: list[Ratio]

    @property
    def freedom(self) -> int:
        return sum(ratio.blocks - 1 for ratio in self.ratios)

    @property
    def squares(self) -> float:
        """Return the sum of squares as blocks of one round would have it."""
        return self.rounds * sum((ratio.blocks - 1) * (ratio.stdev or 0.0) ** 2 for ratio in self.ratios)


def _pooled(of_runs: list[_Ratios]) -> Spread:
    freedom = sum(of_run.freedom for of_run in of_runs)
    return Spread(math.sqrt(sum(of_run.squares for of_run in of_runs) / freedom), freedom, len(of_runs))
