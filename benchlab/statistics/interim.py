"""What the gate answers at a look: slower, within the margin, or neither yet. Rows in, an answer out.

Source: docs/method.md, section 6.10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from benchlab.load.metrics import Metric
from benchlab.statistics import looks as levels_of_looks
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.candidate import Row, Uncompared
from benchlab.statistics.comparison import LEAST_BLOCKS, holm
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED
from benchlab.statistics.stats import t_quantile, tail

# Of 5 % false alarms: what means over all levels may have, and single levels. Each is one-sided, over all looks. A
# false pass has what means have.
MEANS, LEVELS = 0.04, 0.01


@dataclass(frozen=True)
class Finding:
    """What a look tells of a row. Both p are one-sided and corrected for all looks; None without a test.

    `slower_p` tests whether it is slower at all, corrected by Holm for the others of its family; `within_p` whether the
    loss is smaller than the margin, `beyond_p` whether it is larger. `low` and `high` bound the interval that
    `within_p` and `beyond_p` agree with.
    """

    row: Row
    slower_p: float | None = None
    within_p: float | None = None
    beyond_p: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_within(self) -> bool:
        return self.within_p is not None and self.within_p <= MEANS

    @property
    def is_beyond(self) -> bool:
        return self.beyond_p is not None and self.beyond_p <= MEANS

    def is_slower(self, level: float) -> bool:
        """Return whether it is slower, at the level of its family, and not shown to be within the margin."""
        return self.slower_p is not None and self.slower_p <= level and not self.is_within


@dataclass(frozen=True)
class Answer:
    """The answer at a look: an exit code, and what it follows from.

    `slower` show a regression. Else `open` are the means that are not within the margin, `levels` those that are slower
    though their mean is not, `lacking` the means that lack a level; `uncompared` counts parts without a ratio.
    """

    exit_code: int
    margin: float
    means: tuple[Finding, ...] = ()
    slower: tuple[Finding, ...] = ()
    open: tuple[Finding, ...] = ()
    levels: tuple[Finding, ...] = ()
    lacking: tuple[Row, ...] = ()
    uncompared: int = 0


def answer(
    rows: Iterable[Row], metric: Metric, margin: float, looks: Sequence[int], uncompared: Sequence[Uncompared] = ()
) -> Answer:
    """Return what a look says of the ratios so far, in the one metric that was declared before the run.

    A regression is shown where a mean over all levels is slower and not within the margin. It is also shown at a single
    level that is slower, at a stricter level, and has lost more than the margin. It is excluded where every mean is
    within the margin, none lacks a level, nothing is uncompared, and no level is slower that may have lost as much.
    `looks` are all that were planned.
    """
    of_metric = [row for row in rows if row.metric == metric]
    means = _findings([row for row in of_metric if row.level is ALL_LEVELS], margin, looks)
    single = _findings([row for row in of_metric if row.level is not ALL_LEVELS], margin, looks)
    slower = [each for each in means if each.is_slower(MEANS)]
    shown = {(each.row.entry, each.row.test) for each in slower}
    slower += [
        each
        for each in single
        if each.is_slower(LEVELS) and each.is_beyond and (each.row.entry, each.row.test) not in shown
    ]
    if slower:
        return Answer(REGRESSION, margin, tuple(means), tuple(slower))
    not_within = tuple(each for each in means if not each.is_within)
    levels = tuple(each for each in single if each.is_slower(MEANS))
    lacking = tuple(each.row for each in means if each.row.over)
    parts = sum(part.metric in (None, metric) for part in uncompared)
    passes = means and not (not_within or levels or lacking or parts)
    return Answer(NO_REGRESSION if passes else UNDECIDED, margin, tuple(means), (), not_within, levels, lacking, parts)


def room(margin: float) -> float:
    """Return how far below that of an unchanged entry the log-ratio of one that lost the margin is."""
    return -math.log1p(-margin)


def _findings(rows: Sequence[Row], margin: float, looks: Sequence[int]) -> list[Finding]:
    """Return what is told of the rows of a family; their p of being slower are corrected together."""
    findings = [_finding(row, margin, looks) for row in rows]
    tested = [each.slower_p for each in findings if each.slower_p is not None]
    adjusted = iter(holm(tested))
    return [each if each.slower_p is None else replace(each, slower_p=next(adjusted)) for each in findings]


def _finding(row: Row, margin: float, looks: Sequence[int]) -> Finding:
    """Return what is told of the row alone."""
    ratio, better = row.ratio, row.metric.better
    if ratio.stdev is None or ratio.blocks < LEAST_BLOCKS:
        return Finding(row)
    error, freedom = ratio.stdev / math.sqrt(ratio.blocks), ratio.blocks - 1
    gain, limit = math.log(better.gain(ratio.ratio)), math.log(better.gain(better.limit(margin)))
    slower, within, beyond = (
        levels_of_looks.corrected(tail(distance, error, freedom), looks)
        for distance in (-gain, gain - limit, limit - gain)
    )
    each = levels_of_looks.nominal(MEANS, tuple(looks))
    reach = math.exp(t_quantile(freedom, 2 * each) * error)
    return Finding(row, slower, within, beyond, ratio.ratio / reach, ratio.ratio * reach)
