"""The A/A test: how often equal entries are declared different, and whether one of them is favoured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import fdtrc

from benchlab.load import registry
from benchlab.load.metrics import Metric
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import LevelKey
from benchlab.records.run import GOOD, Run
from benchlab.selftest import check, permutation
from benchlab.selftest.check import Check
from benchlab.selftest.permutation import Within
from benchlab.statistics import cells, comparison, pooling
from benchlab.statistics.comparison import Comparison, Outcome
from benchlab.statistics.pooling import Array, Cells
from benchlab.statistics.stats import ALPHA

FALSE_FLAGS = 0.02
# Of one run, names are given out so often; the rate must be near the nominal one. Of 4 entries in 4 blocks it was
# further off by chance in 39 of 100 simulated runs, in 6 blocks in 4, and of 6 entries in 6 blocks in 1.
PERMUTATIONS, OFF_NOMINAL = 2_000, 0.02
LEAST_ENTRIES, LEAST_BLOCKS = 4, 6
Levels = Mapping[LevelKey, Cells]


def checks(run: Run) -> list[Check]:
    """Return what the run of equal entries says of false positives."""
    return [
        check.complete("equal entries", run),
        *false_positives(run),
        *permuted(run),
        *favoured(run),
        calm(run),
    ]


def false_positives(run: Run) -> list[Check]:
    """Return how often equal entries were declared different: single pairs at 5 %, and comparisons after Holm.

    Pairs of a comparison share entries and so are not independent; the interval takes them as if they were.
    """
    return [
        each
        for metric in registry.measures(run.manifest).compared
        for each in _false_positives_in(metric, _levels(run, metric))
    ]


def permuted(run: Run) -> Iterator[Check]:
    """Yield for each test how often pairs are declared different where names are permuted inside each block.

    With few blocks or entries there are few ways to do that, and so the rate says little.
    """
    metric = registry.measures(run.manifest).ranked_by
    for of_test in cells.measured(run).values():
        rejected = permutation.rejections(
            of_test.ranked(metric), Within.BLOCK, PERMUTATIONS, run.manifest.settings.seed
        )
        if rejected is None:
            continue
        is_judged = run.blocks >= LEAST_BLOCKS and len(run.manifest.entries) >= LEAST_ENTRIES
        yield Check(
            f"A/A, names permuted: {of_test.test}, pairs declared different at 5 %, {metric.name} over all levels",
            f"{rejected.rate:.1%} [{rejected.low:.1%}–{rejected.high:.1%}] of {rejected.trials:,}",
            f"{ALPHA:.0%} ± {OFF_NOMINAL:.0%}" if is_judged else "for information: few blocks or entries",
            abs(rejected.rate - ALPHA) <= OFF_NOMINAL if is_judged else None,
        )


def favoured(run: Run) -> Iterator[Check]:
    """Yield for each metric whether equal entries differ by more than chance over all tests: the F test of a two-way
    layout of entries and blocks.
    """
    for metric in registry.measures(run.manifest).compared:
        name = f"A/A: bias, fastest to slowest entry, {metric.name} over all tests"
        logs = _by_block(_levels(run, metric), list(run.manifest.entries))
        entries, blocks = logs.shape
        if entries < 2 or blocks < 2:
            yield Check(name, UNAVAILABLE, "", None)
            continue
        apart = logs - logs.mean(axis=0)
        means = apart.mean(axis=1)
        within = float(((apart - means[:, None]) ** 2).sum()) / (blocks - 1)
        between = float((means**2).sum()) * blocks
        p = float(fdtrc(entries - 1, (entries - 1) * (blocks - 1), between / within)) if within else float(not between)
        measured = f"{np.expm1(means.max() - means.min()):.2%}, p = {p:.2f}, {blocks} blocks"
        yield Check(name, measured, f"p above {ALPHA:.0%}: no more than chance", p > ALPHA)


def calm(run: Run) -> Check:
    """Return how many slices of a run without any fault were called suspect or invalid."""
    flagged = sum(sample.verdict.severity != GOOD for sample in run.taken)
    share = flagged / max(1, len(run.taken))
    measured = f"{flagged:,} of {len(run.taken):,} ({share:.1%})"
    return Check("slices without a fault that are flagged", measured, f"≤ {FALSE_FLAGS:.0%}", share <= FALSE_FLAGS)


def _levels(run: Run, metric: Metric) -> list[Levels]:
    """Return the values of each test by level."""
    return [of_test.ranked(metric) for of_test in cells.measured(run).values()]


def _by_block(tests: Sequence[Levels], names: Sequence[str]) -> Array:
    """Return logarithms, entry x block: means over the levels of all tests, in the blocks that have them all."""
    whole = [of for levels in tests for of in levels.values() if all(of.get(name) for name in names)]
    if not whole:
        return np.empty((len(names), 0))
    logs = pooling.logs_in_common(whole, names).mean(axis=0)
    return np.asarray(logs[:, np.isfinite(logs).all(axis=0)])


def _false_positives_in(metric: Metric, tests: Sequence[Levels]) -> Iterator[Check]:
    """Yield the false positives in one metric: over all levels, and at each of them where a test has several."""
    if not any(of for levels in tests for of in levels.values()):
        yield Check(f"A/A: {metric.name}", UNAVAILABLE, "", None)
        return
    single = [comparison.compare(of, metric.better) for levels in tests for of in levels.values()]
    overall = [comparison.across(levels, metric.better) for levels in tests]
    groups = {"at single levels": single} if len(single) > len(overall) else {}
    for where, compared in (groups | {"over all levels": overall}).items():
        yield from _counts(f"{metric.name} {where}", compared)


def _counts(what: str, compared: Sequence[Comparison]) -> Iterator[Check]:
    ps = [pair.ratio.p for each in compared for pair in each.pairs if pair.ratio.p is not None]
    yield _counted(f"A/A: pairs declared different at 5 %, {what}", [p <= ALPHA for p in ps])
    families = [
        any(pair.outcome in (Outcome.FASTER, Outcome.SLOWER) for pair in each.pairs) for each in compared if each.pairs
    ]
    yield _counted(f"A/A: comparisons with a false positive after Holm, {what}", families)


def _counted(name: str, positives: Sequence[bool]) -> Check:
    """Return whether the rate may be the nominal one, or less, by the lower end of its interval."""
    if not positives:
        return Check(name, "nothing to count", "", False)
    count, trials = sum(positives), len(positives)
    low, high = permutation.clopper_pearson(count, trials)
    measured = f"{count} of {trials}: {count / trials:.0%} [{low:.0%}–{high:.0%}]"
    return Check(name, measured, f"{ALPHA:.0%} or less lies in the interval; pairs share entries", low <= ALPHA)
