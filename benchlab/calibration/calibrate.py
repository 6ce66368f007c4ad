"""What the instrument's own test says: runs of known truth in, a row per check out (METHOD, section 8). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from scipy.stats import binom
from tabulate import tabulate

from benchlab.core.measured import GOOD, Failure, Run, Sample
from benchlab.core.model import UNAVAILABLE
from benchlab.machine.overhead import Overhead
from benchlab.statistics import analysis, sequential, stats, variance
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.stats import ALPHA, Ratio
from benchlab.statistics.variance import Components, Cost

# How long a pair of entries is measured for the effect that is called the smallest: the goal of METHOD, section 8.
PAIR_S = 600
# Ways of measuring the same: the lab's, the lab's without looking at answers, and wrk as it is typed.
LAB, UNCHECKED, PLAIN = "lab", "lab, unchecked", "plain wrk"
BIAS_LIMIT, CHECKING_LIMIT, BIAS_CONFIDENCE = 0.01, 0.005, 0.90
FALSE_FLAGS = 0.02
LAB_CPU, SMALLEST = 0.01, 0.03


# What of the manifest's facts stands in the report: of the host first, then of lab and engine.
FACTS = (
    *("cpu_model", "cpu_count", "cpu_cores", "hypervisor", "kernel", "memory_bytes", "swap_bytes", "clocksource"),
    *("lab_version", "compose", "engine_version", "engine_cgroup_version", "engine_storage_driver"),
)


@dataclass(frozen=True)
class Check:
    """One row of the report. `passed` is None where the host does not tell."""

    name: str
    measured: str
    goal: str
    passed: bool | None


def false_positives(run: Run) -> list[Check]:
    """Return how often entries that are the same were told apart: single pairs at 5 %, and levels after Holm.

    Pairs of a level share entries and so are not independent; the binomial limit takes them as if they were.
    """
    compared = [level for result in analysis.analyse(run) for level in result.levels.values()]
    ps = [pair.ratio.p for level in compared for pair in level.pairs if pair.ratio.p is not None]
    found = sum(p <= ALPHA for p in ps)
    families = sum(any(pair.outcome in (Outcome.FASTER, Outcome.SLOWER) for pair in level.pairs) for level in compared)
    return [
        _counted("A/A: pairs told apart at 5 %", found, len(ps)),
        _counted("A/A: levels with a false positive after Holm", families, len(compared)),
    ]


def calm(run: Run) -> Check:
    """Return how many samples of a run without any fault were called suspect or invalid."""
    flagged = sum(sample.verdict.severity != GOOD for sample in run.taken)
    share = flagged / len(run.taken) if run.taken else math.nan
    measured = f"{flagged} of {len(run.taken)} ({share:.1%})"
    return Check("clean samples that are flagged", measured, f"≤ {FALSE_FLAGS:.0%}", share <= FALSE_FLAGS)


def smallest_effects(run: Run, block_s: Mapping[str, float]) -> list[Check]:
    """Return, for each test, the smallest difference that is told apart with 80 % power in ten minutes a pair.

    `block_s` is how long a block of two entries takes with that test alone. The spread is that of all pairs of equal
    entries at all levels together, in requests per second.
    """
    return [
        _effect(
            f"{result.test}, requests/s of {run.manifest.settings.duration_s}-s samples",
            [pair.ratio for compared in result.levels.values() for pair in compared.pairs],
            int(PAIR_S / block_s[result.test]),
        )
        for result in analysis.analyse(run)
    ]


def pooled_stdev(ratios: Iterable[Ratio]) -> float | None:
    """Return the standard deviation of the log-ratio over all the pairs together; None where none has one."""
    variances = [ratio.stdev**2 for ratio in ratios if ratio.stdev is not None]
    return math.sqrt(mean(variances)) if variances else None


def spread(run: Run, cost: Cost) -> list[Check]:
    """Return for each test where the spread of equal entries comes from, and how many samples a life is worth.

    The best number is that of the smallest effect in ten minutes a pair, with one level.
    """
    return [_spread(test, variance.components(run, test, analysis.rate), cost) for test in run.manifest.settings.tests]


def sensitivity(run: Run, expected: Mapping[str, float], plain: str, burdened: str) -> list[Check]:
    """Return for each test whether an entry with a known burden was told from the one without.

    `expected` is the ratio that the burden must cause by test.
    """
    checks = []
    for result in (result for result in analysis.analyse(run) if result.test in expected):
        # One level a test; compared by rate, which the burden is made for.
        (compared,) = result.levels.values()
        found = [pair.ratio for pair in compared.pairs if {pair.ratio.first, pair.ratio.second} == {plain, burdened}]
        if not found:
            checks.append(Check(f"sensitivity: {result.test}", "no pair to compare", "", None))
            continue
        ratio = found[0] if found[0].first == burdened else found[0].inverse
        shown = ratio.p is not None and ratio.p <= ALPHA and ratio.ratio < 1
        measured = f"{ratio.ratio:.3f}{_bounds(ratio)}, {ratio.blocks} blocks"
        # The loop is timed on an idle host, and takes longer under load.
        goal = f"below 1; the burden makes it {expected[result.test]:.3f} or less"
        checks.append(Check(f"sensitivity: {result.test}", measured, goal, shown))
    return checks


def bias(rates: Mapping[str, Mapping[int, float]]) -> list[Check]:
    """Return how the lab's rates compare with those of wrk typed by hand, and with its own without looking at answers.

    `rates` are those of each way of measuring, LAB, UNCHECKED and PLAIN, by round.
    """
    return [
        _equal("bias against plain wrk", rates, PLAIN, BIAS_LIMIT),
        _equal("cost of looking at answers", rates, UNCHECKED, CHECKING_LIMIT),
    ]


def perturbation(used: Overhead, samples: Iterable[Sample]) -> list[Check]:
    """Return the CPU of lab.py and engine while samples ran, a share of one core, and of all outside the containers."""
    outside = [share for share in map(_outside, samples) if share is not None]
    both = used.lab + (used.engine or 0.0)
    # Of an engine that cannot be seen nothing is passed; lab.py alone can be too much.
    passed = None if used.engine is None and both <= LAB_CPU else both <= LAB_CPU
    engine = f"engine {UNAVAILABLE}" if used.engine is None else f"engine {used.engine:.2%}"
    measured = f"{both:.2%} of a core: lab.py {used.lab:.2%}, {engine}"
    return [
        Check("CPU of lab.py and engine while sampling", measured, f"≤ {LAB_CPU:.0%}", passed),
        Check(
            "CPU outside the containers while sampling",
            f"{mean(outside):.2%} of a core" if outside else UNAVAILABLE,
            "for information: engine, kernel, lab.py, neighbours",
            None,
        ),
    ]


def fault(name: str, record: Sample | Failure, expected: Sequence[str]) -> Check:
    """Return whether a planted fault broke one of the rules that must catch it, or ended its entry for that reason."""
    if isinstance(record, Failure):
        caught = any(rule in record.reason for rule in expected)
        return Check(f"fault: {name}", f"not measured: {record.reason}", " or ".join(expected), caught)
    broken = record.verdict.broken
    found = ", ".join(broken) or "nothing was flagged"
    return Check(f"fault: {name}", found, " or ".join(expected), any(rule in broken for rule in expected))


def report(title: str, checks: Sequence[Check], facts: Mapping[str, object]) -> str:
    """Return the checks as Markdown, with the facts of host, lab and engine that they hold for."""
    words = {True: "pass", False: "FAIL", None: "–"}
    rows = [[check.name, check.measured, check.goal, words[check.passed]] for check in checks]
    table = tabulate(rows, headers=["check", "measured", "goal", ""], tablefmt="github", disable_numparse=True)
    host = "\n".join(f"* {name}: {facts[name]}" for name in FACTS if facts.get(name) is not None)
    manifest = "All of it is in twins/manifest.json."
    return f"# {title}\n\n{table}\n\n## The host\n\n{manifest}\n\n{host}\n"


def _equal(name: str, rates: Mapping[str, Mapping[int, float]], other: str, limit: float) -> Check:
    """Return whether the lab's rate equals the other way's: whether the interval lies within the limit."""
    ratio = stats.ratio(rates, LAB, other)
    if ratio is None or ratio.stdev is None:
        return Check(name, "too few rounds", "", None)
    half = stats.t_quantile(ratio.blocks - 1, 1 - BIAS_CONFIDENCE) * ratio.stdev / math.sqrt(ratio.blocks)
    low, high = ratio.ratio * math.exp(-half), ratio.ratio * math.exp(half)
    measured = f"{ratio.ratio:.4f} [{low:.4f}–{high:.4f}], {ratio.blocks} rounds"
    inside = low >= 1 - limit and high <= 1 + limit
    return Check(f"{name}, {BIAS_CONFIDENCE:.0%} interval", measured, f"within ± {limit:.1%}", inside)


def _counted(name: str, found: int, tried: int) -> Check:
    if not tried:
        return Check(name, "nothing to count", "", None)
    limit = int(binom.ppf(1 - ALPHA, tried, ALPHA))
    return Check(name, f"{found} of {tried}", f"≤ {limit}, the binomial limit", found <= limit)


def _effect(test: str, ratios: Sequence[Ratio], blocks: int) -> Check:
    spread = pooled_stdev(ratios)
    if spread is None or blocks < 2:
        return Check(f"smallest effect: {test}", UNAVAILABLE, f"≤ {SMALLEST:.0%}", None)
    effect = sequential.smallest_effect(spread, blocks)
    measured = f"{effect:.1%} in {blocks} blocks (10 min), spread {spread:.1%}"
    return Check(f"smallest effect: {test}", measured, f"≤ {SMALLEST:.0%}", effect <= SMALLEST)


def _spread(test: str, found: Components, cost: Cost) -> Check:
    parts = {"blocks": found.block, "lives": found.life, "samples of a life": found.within}
    measured = ", ".join(f"{name} {UNAVAILABLE if sd is None else f'{sd:.1%}'}" for name, sd in parts.items())
    best = variance.best_repeats(found, cost, PAIR_S)
    effect = None if best is None else variance.effect(found, cost, best, PAIR_S)
    goal = "" if effect is None else f"for information: {best} samples a life would show {effect:.1%}"
    return Check(f"standard deviation between: {test}", measured, goal, None)


def _bounds(ratio: Ratio) -> str:
    return "" if ratio.low is None else f" [{ratio.low:.3f}–{ratio.high:.3f}]"


def _outside(sample: Sample) -> float | None:
    """Return the CPU used outside the lab's containers, as a share of one core."""
    outside_us = sample.counters.outside_cpu_us
    return None if outside_us is None else outside_us / sample.counters.between_us
