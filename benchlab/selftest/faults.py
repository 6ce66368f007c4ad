"""Faults of entries and of the host, and the rules that must catch them: none may be taken for good. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from benchlab.core.quantities import counted
from benchlab.quality.rules import BACKGROUND_CPU, IDLE_ENTRIES, LATE_SLICE
from benchlab.records.run import Run
from benchlab.selftest.check import Check

# The faults that an entry can have (calibration/injected.py), with the rules of which one must catch it.
INJECTED: Mapping[str, tuple[str, ...]] = {
    "hang": ("hung connections", "wrong answers"),
    "302": ("wrong answers",),
    "500": ("errors",),
    "lie": ("wrong answers",),
    "stop": (LATE_SLICE, "silent slice"),
    # Where the host is slow, the kernel still looks for memory when the slice ends.
    "memory": ("out of memory", "memory pressure"),
}
# The troubles of a host, by the name of their run.
STARVED, NEIGHBOURS = "starved wrk", "busy neighbours"
TROUBLES: Mapping[str, tuple[str, ...]] = {
    STARVED: ("throttled", "client-bound"),
    NEIGHBOURS: (BACKGROUND_CPU, "steal"),
}
# What is seen of an entry's fault in the slices of others, because it takes their CPU.
OF_OTHERS = (BACKGROUND_CPU, IDLE_ENTRIES)


def entry(fault: str) -> str:
    """Return the name of the entry with the fault."""
    return f"fault-{fault}"


def injected(run: Run, sound: str) -> Iterator[Check]:
    """Yield for each entry with a fault whether that was caught, and what was flagged of the sound one beside them."""
    for name, expected in INJECTED.items():
        yield _caught(name, run, entry(name), expected)
    yield _sound(run, sound)


def trouble(name: str, run: Run, sound: str) -> Check:
    """Return whether the trouble of the host was caught in the slices of the sound entry."""
    return _caught(name, run, sound, TROUBLES[name])


def _caught(name: str, run: Run, entry: str, expected: tuple[str, ...]) -> Check:
    """Return whether slices of the entry broke one of the rules that must catch its fault, or it was lost for it."""
    slices, flags = _flags(run, entry)
    lost = [
        failure.cause.partition(";")[0]
        for failure in run.failures
        if failure.trial.entry == entry and failure.was_tried
    ]
    flagged = [f"{rule} ({count})" for rule, count in flags.most_common()] or ["nothing was flagged"]
    measured = f"{', '.join(flagged)} of {counted(slices, 'slice')}" + (f"; {lost[0]}" if lost else "")
    caught = any(rule in flags or any(rule in cause for cause in lost) for rule in expected)
    return Check(f"fault: {name}", measured, " or ".join(expected), caught)


def _sound(run: Run, sound: str) -> Check:
    slices, flags = _flags(run, sound)
    other = [rule for rule in flags if rule not in OF_OTHERS]
    flagged = [f"{rule} ({count})" for rule, count in flags.most_common()] or ["nothing"]
    return Check(
        "flagged of the sound entry beside them",
        f"{', '.join(flagged)} of {counted(slices, 'slice')}",
        f"nothing but {' and '.join(OF_OTHERS)}",
        bool(slices) and not other,
    )


def _flags(run: Run, entry: str) -> tuple[int, Counter[str]]:
    """Return how many slices of the entry there are, and how many of them broke each rule."""
    verdicts = [sample.verdict for sample in run.taken if sample.trial.entry == entry]
    return len(verdicts), Counter(rule for verdict in verdicts for rule in verdict.broken)
