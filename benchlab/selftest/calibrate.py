"""The result of the self-test: measurements of known truth in, a row for each check out. Pure.

Source: docs/method.md, section 9.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import mean

from benchlab import __version__
from benchlab.core.quantities import counted
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Manifest
from benchlab.records.run import Failure, Sample
from benchlab.report.document import Bullets, Document, Heading, Paragraph, Table
from benchlab.selftest import aa_test, slowdown
from benchlab.selftest.check import Check, Overhead
from benchlab.selftest.kept import Calibration, FaultResult
from benchlab.statistics import stats

# Ways of measuring the same: the lab's, the lab's without looking at answers, and wrk as it is typed.
LAB, UNCHECKED, PLAIN = "lab", "lab, unchecked", "plain wrk"
BIAS_LIMIT, CHECKING_LIMIT, BIAS_CONFIDENCE = 0.01, 0.005, 0.90
LAB_CPU = 0.01
HEADERS = ("check", "measured", "goal", "result")
# What of the manifest's facts stands in the report: of the host first, then of lab and engine.
OF_THE_HOST = (
    *("cpu_model", "cpu_count", "cpu_cores", "hypervisor", "kernel", "memory_bytes", "swap_bytes", "clocksource"),
)
OF_THE_LAB = ("lab_version", "compose", "engine_version", "engine_cgroup_version", "engine_storage_driver")


def checks(calibration: Calibration) -> list[Check]:
    """Return what each part says, as far as there is anything of it."""
    return [
        *aa_test.checks(calibration.aa_test),
        *(slowdown.checks(calibration.slowdown) if calibration.slowdown else ()),
        *(bias(calibration.rates) if calibration.rates else ()),
        *(perturbation(calibration.used, calibration.aa_test.taken) if calibration.used else ()),
        *map(fault, calibration.faults),
        *(Check(f"part: {part}", f"given up: {reason}", "made", False) for part, reason in calibration.broken.items()),
    ]


def report(calibration: Calibration) -> Document:
    """Return the checks, how much was tried, and facts of the host, lab and engine that they hold for."""
    words = {True: "pass", False: "FAIL", None: "–"}
    rows = tuple((check.name, check.measured, check.goal, words[check.passed]) for check in checks(calibration))
    facts = _facts(calibration.aa_test.manifest)
    blocks = (
        Paragraph((_about(calibration),)),
        Table(HEADERS, rows, words=HEADERS),
        Heading("The host", key="host"),
        Paragraph(("All of it is in the manifest.json of the A/A test.",)),
        Bullets(tuple(f"{name}: {fact}" for name, fact in facts.items() if fact is not None)),
    )
    return Document(blocks, calibration.name)


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


def fault(result: FaultResult) -> Check:
    """Return whether an injected fault broke one of the rules that must catch it, or ended its entry for it."""
    name, goal = f"fault: {result.name}", " or ".join(result.expected)
    if isinstance(result.record, Failure):
        caught = any(rule in result.record.reason for rule in result.expected)
        return Check(name, f"not measured: {result.record.reason}", goal, caught)
    broken = result.record.verdict.broken
    return Check(
        name, ", ".join(broken) or "nothing was flagged", goal, any(rule in broken for rule in result.expected)
    )


def _about(calibration: Calibration) -> str:
    """Return how much was tried, by which lab, when; and which parts there is nothing of."""
    manifest = calibration.aa_test.manifest
    settings = manifest.settings
    tried = "The full version (`--full`)" if calibration.is_full else "The short version"
    by = manifest.facts.lab_version or UNAVAILABLE
    analysed = "" if by == __version__ else f", analysed by {__version__}"
    lines = [
        f"{tried}, seed {settings.seed}, begun {manifest.created_at:%Y-%m-%d %H:%M} UTC by benchlab {by}{analysed}.",
        f"{len(manifest.entries)} equal entries in {counted(settings.blocks, 'block')}, "
        f"{counted(settings.repeats, 'sample')} of {settings.duration_s} s at each level in a container lifetime.",
    ]
    lacking = [f"Not made, or not kept here: {', '.join(calibration.lacking)}."] if calibration.lacking else []
    return " ".join([*lines, *lacking])


def _facts(manifest: Manifest) -> dict[str, object]:
    """Return what the manifest has of the host, and of lab and engine, by name."""
    facts = manifest.facts
    return {name: facts.host.fact(name) for name in OF_THE_HOST} | {name: facts.fact(name) for name in OF_THE_LAB}


def _equal(name: str, rates: Mapping[str, Mapping[int, float]], other: str, limit: float) -> Check:
    """Return whether the lab's rate equals the other way's: whether the interval lies within the limit."""
    ratio = stats.ratio(rates, LAB, other)
    if ratio is None or ratio.stdev is None:
        return Check(name, "too few rounds", "", False)
    half = stats.t_quantile(ratio.blocks - 1, 1 - BIAS_CONFIDENCE) * ratio.stdev / math.sqrt(ratio.blocks)
    low, high = ratio.ratio * math.exp(-half), ratio.ratio * math.exp(half)
    measured = f"{ratio.ratio:.4f} [{low:.4f}–{high:.4f}], {ratio.blocks} rounds"
    inside = low >= 1 - limit and high <= 1 + limit
    return Check(f"{name}, {BIAS_CONFIDENCE:.0%} interval", measured, f"within ± {limit:.1%}", inside)


def _outside(sample: Sample) -> float | None:
    """Return the CPU used outside the lab's containers, as a share of one core."""
    outside_us = sample.counters.outside_cpu_us
    return None if outside_us is None else outside_us / sample.counters.between_us
