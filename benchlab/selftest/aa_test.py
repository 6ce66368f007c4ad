"""The A/A test: how often entries that are the same are declared different, and how far apart they lie. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean

from scipy.stats import binom

from benchlab.core.quantities import counted
from benchlab.load import registry
from benchlab.load.metrics import Metric
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import LevelKey
from benchlab.records.run import GOOD, Run
from benchlab.selftest import check, permutation
from benchlab.selftest.check import NO_SAMPLE, Check
from benchlab.selftest.permutation import Within
from benchlab.statistics import analysis, cells, comparison, sequential, variance
from benchlab.statistics.analysis import Result
from benchlab.statistics.comparison import Comparison, Outcome
from benchlab.statistics.pooling import Cells
from benchlab.statistics.stats import ALPHA, Ratio
from benchlab.statistics.variance import Components, Cost

# How long a pair of entries is measured for the smallest effect (docs/method.md, section 9.1).
PAIR_S = 600
FALSE_FLAGS = 0.02
# Of one run, names are given out so often; the rate must be near the nominal one, where there are ways enough to do so.
PERMUTATIONS, OFF_NOMINAL, LEAST_PERMUTED = 2_000, 0.02, 4
SMALLEST = 0.03


def checks(run: Run) -> list[Check]:
    """Return what the run of equal entries says of the instrument. Raises ValueError where it has no sample."""
    cost, settings = variance.cost(run), run.manifest.settings
    block_s = {test: cost.block_s(settings.repeats * len(levels)) for test, levels in settings.levels.items()}
    return [
        check.complete("equal entries", run),
        *false_positives(run),
        *permuted(run),
        calm(run),
        *smallest_effects(run, block_s),
        *spread(run, cost),
    ]


def false_positives(run: Run) -> list[Check]:
    """Return how often equal entries were declared different: single pairs at 5 %, and comparisons after Holm.

    Pairs of a comparison share entries and so are not independent; the binomial limit takes them as if they were.
    """
    tests = cells.measured(run).values()
    return [
        each
        for metric in registry.measures(run.manifest).compared
        for each in _false_positives_in(metric, [measured.ranked(metric) for measured in tests])
    ]


def permuted(run: Run) -> Iterator[Check]:
    """Yield for each test how often pairs are declared different where names are permuted inside each block.

    With few blocks or entries there are few ways to do that, and so the rate says little.
    """
    metric = registry.measures(run.manifest).ranked_by
    for of_test in cells.measured(run).values():
        found = permutation.rejections(of_test.ranked(metric), Within.BLOCK, PERMUTATIONS, run.manifest.settings.seed)
        if found is None:
            continue
        is_judged = run.blocks >= LEAST_PERMUTED and len(run.manifest.entries) >= LEAST_PERMUTED
        yield Check(
            f"A/A, names permuted: {of_test.test}, pairs declared different at 5 %, {metric.name} over all levels",
            f"{found.rate:.1%} of {found.trials:,}",
            f"{ALPHA:.0%} ± {OFF_NOMINAL:.0%}" if is_judged else "for information: few blocks or entries",
            abs(found.rate - ALPHA) <= OFF_NOMINAL if is_judged else None,
        )


def calm(run: Run) -> Check:
    """Return how many samples of a run without any fault were called suspect or invalid."""
    flagged = sum(sample.verdict.severity != GOOD for sample in run.taken)
    share = flagged / len(run.taken) if run.taken else math.nan
    measured = f"{flagged} of {len(run.taken)} ({share:.1%})"
    return Check("clean samples that are flagged", measured, f"≤ {FALSE_FLAGS:.0%}", share <= FALSE_FLAGS)


def smallest_effects(run: Run, block_s: Mapping[str, float]) -> list[Check]:
    """Return, for each test and metric, the smallest difference shown with 80 % power in ten minutes a pair.

    `block_s` is how long a block of two entries takes with that test alone. The spread is that of all pairs of equal
    entries at all levels together.
    """
    settings = run.manifest.settings
    results = {result.test: result for result in analysis.analyse(run)}
    return [
        _effect(
            f"smallest effect: {test}, {metric.name} of {settings.duration_s}-s samples",
            _pairs(run, results.get(test), metric),
            int(PAIR_S / block_s[test]),
        )
        for test in settings.tests
        for metric in registry.measures(run.manifest).compared
    ]


def spread(run: Run, cost: Cost) -> list[Check]:
    """Return for each test and metric where the spread of equal entries comes from, and the best number of samples.

    That is how many samples of a container lifetime show the smallest effect in ten minutes a pair, with one level.
    """
    return [
        _spread(f"{test}, {metric.name}", variance.components(run, test, metric), cost)
        for test in run.manifest.settings.tests
        for metric in registry.measures(run.manifest).compared
    ]


def pooled_stdev(ratios: Iterable[Ratio]) -> float | None:
    """Return the standard deviation of the log-ratio over all the pairs together; None where none has one."""
    variances = [ratio.stdev**2 for ratio in ratios if ratio.stdev is not None]
    return math.sqrt(mean(variances)) if variances else None


def _false_positives_in(metric: Metric, tests: Sequence[Mapping[LevelKey, Cells]]) -> Iterator[Check]:
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
    if not positives:
        return Check(name, "nothing to count", "", False)
    limit = int(binom.ppf(1 - ALPHA, len(positives), ALPHA))
    return Check(
        name, f"{sum(positives)} of {len(positives)}", f"≤ {limit}, the binomial limit", sum(positives) <= limit
    )


def _pairs(run: Run, result: Result | None, metric: Metric) -> list[Ratio] | None:
    """Return the ratio of each pair at each level; None where the test has no sample that counts."""
    if result is None:
        return None
    levels = cells.measured(run)[result.test].ranked(metric).values()
    return [pair.ratio for of in levels for pair in comparison.compare(of, metric.better).pairs]


def _effect(name: str, ratios: Sequence[Ratio] | None, blocks: int) -> Check:
    goal = f"≤ {SMALLEST:.0%}"
    if ratios is None:
        return Check(name, NO_SAMPLE, goal, False)
    stdev = pooled_stdev(ratios)
    if stdev is None:
        return Check(name, UNAVAILABLE, goal, None)
    if blocks < 2:
        return Check(name, f"{counted(blocks, 'block')} (10 min) can show no difference", goal, False)
    effect = sequential.smallest_effect(stdev, blocks)
    measured = f"{effect:.1%} in {blocks} blocks (10 min), spread {stdev:.1%}"
    return Check(name, measured, goal, effect <= SMALLEST)


def _spread(what: str, components: Components, cost: Cost) -> Check:
    parts = {
        "blocks": components.block,
        "container lifetimes": components.lifetime,
        "samples of a lifetime": components.within,
    }
    measured = ", ".join(f"{name} {UNAVAILABLE if sd is None else f'{sd:.1%}'}" for name, sd in parts.items())
    best = variance.best_repeats(components, cost, PAIR_S)
    goal = ""
    if best is not None and (effect := variance.effect(components, cost, best, PAIR_S)) is not None:
        goal = f"for information: {counted(best, 'sample')} a lifetime would show {effect:.1%}"
    return Check(f"standard deviation between: {what}", measured, goal, None)
