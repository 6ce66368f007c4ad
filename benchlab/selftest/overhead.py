"""How much CPU the lab itself and the engine use: what an instrument takes from what it measures."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchlab.engine.engine import Engine
from benchlab.selftest.check import Overhead

# What an engine's processes are called; the kernel cuts names off after 15 letters.
ENGINE = ("dockerd", "containerd", "containerd-shim")
PROC = Path("/proc")


@dataclass(frozen=True)
class Reading:
    """CPU seconds since the start of lab.py and of the engine, at a time; None where the engine is elsewhere."""

    at_s: float
    lab_s: float
    engine_s: float | None


def is_here(engine: Engine) -> bool:
    """Return whether the engine runs on this very machine. To be asked beforehand: the answer costs the engine CPU."""
    return engine.info().get("Name") == platform.node()


def read(here: bool, proc: Path = PROC) -> Reading:
    """Return a reading; of the engine only where it is `here`."""
    return Reading(time.monotonic(), time.process_time(), _engine_s(proc) if here else None)


def used(intervals: Sequence[tuple[Reading, Reading]]) -> Overhead | None:
    """Return what was used in these intervals together, each from one reading to another; None without any.

    Of an engine whose threads have less than before it is unknown: one that ended took its time with it.
    """
    if not intervals:
        return None
    wall_s = sum(after.at_s - before.at_s for before, after in intervals)
    lab_s = sum(after.lab_s - before.lab_s for before, after in intervals)
    engine_s = [_grown(before.engine_s, after.engine_s) for before, after in intervals]
    known = [each for each in engine_s if each is not None]
    return Overhead(lab_s / wall_s, sum(known) / wall_s if len(known) == len(intervals) else None)


def _grown(before_s: float | None, after_s: float | None) -> float | None:
    return None if before_s is None or after_s is None or after_s < before_s else after_s - before_s


def _engine_s(proc: Path) -> float | None:
    """Return the CPU time of all threads of the engine's processes; None where there are none to be seen."""
    processes = [path.parent for path in proc.glob("[0-9]*/comm") if _text(path).strip() in ENGINE]
    # The first word: nanoseconds on a CPU.
    words = [_text(path).split() for process in processes for path in process.glob("task/*/schedstat")]
    times = [int(word[0]) for word in words if word]
    return sum(times) / 1e9 if times else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile
