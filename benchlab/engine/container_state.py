"""How a container began and ended, and what it used, read from what the engine says of its state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from benchlab.records.seen import ContainerReading

# A shell, and the init process of the containers, end so where a signal has ended what they ran: this plus its number.
SIGNALLED = 128
SIGKILL = 9
# What ends at SIGTERM at all mostly does so in some hundredths of a second; gunicorn on a busy host takes a second.
PROMPT_S = 2.0
# As Linux numbers them, which the engine runs on; the lab's own system may number them otherwise.
SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}


def began_s(state: Mapping[str, Any]) -> float:
    """Return when it began, by the engine's clock, in seconds since 1970."""
    return time_s(str(state["StartedAt"]))


def time_s(text: str) -> float:
    """Return a time as the engine writes it, in seconds since 1970. Raises ValueError where it is none."""
    return datetime.fromisoformat(text).timestamp()


def lines_per_s(log: bytes) -> float:
    """Return how many lines a second were printed from the first to the last of the log, each with its time.

    Of less than a second, they count as if it had been one.
    """
    times = [line.split(b" ", 1)[0].decode() for line in log.splitlines() if line]
    return len(times) / max(1.0, time_s(times[-1]) - time_s(times[0])) if times else 0.0


def ended(state: Mapping[str, Any]) -> str | None:
    """Return how it ended; None while it lasts."""
    if state["Running"] and not state.get("Restarting"):
        return None
    if state.get("OOMKilled"):
        return "out of memory"
    code = int(state["ExitCode"])
    name = SIGNALS.get(code - SIGNALLED)
    return f"killed by {name}, exit code {code}" if name else f"exit code {code}"


def resisted(state: Mapping[str, Any], asked_s: float, most_s: float) -> str | None:
    """Return in words how it ended late, in a `state` after it was asked to at that time; None where it did in time.

    The engine kills what has not ended in `most_s`. What had ended before it was asked is not late, however it ended.
    """
    took_s = time_s(str(state["FinishedAt"])) - asked_s
    if state["Running"] or took_s < 0:
        return None
    if int(state["ExitCode"]) == SIGNALLED + SIGKILL and not state.get("OOMKilled"):
        return f"did not end when asked to and was killed after {most_s:.0f} s"
    return f"took {took_s:.1f} s to end" if took_s > PROMPT_S else None


def used(stats: Mapping[str, Any]) -> ContainerReading:
    """Return what a container used so far, by the engine's statistics."""
    cpu, memory = stats.get("cpu_stats") or {}, (stats.get("memory_stats") or {}).get("stats") or {}
    nanoseconds = (cpu.get("cpu_usage") or {}).get("total_usage")
    return ContainerReading(
        cpu_us=None if nanoseconds is None else nanoseconds // 1000,
        throttled_periods=(cpu.get("throttling_data") or {}).get("throttled_periods"),
        # Of version 2, or of version 1. No process is without any: 0 is memory that nobody counted.
        memory_bytes=memory.get("anon", memory.get("total_rss")) or None,
    )
