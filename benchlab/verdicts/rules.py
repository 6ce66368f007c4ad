"""The rules of a sample, as one table (METHOD, section 4): what is measured of what happened around it, and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from benchlab.core.counters import CLIENT, Counters, Usage, share_of_host
from benchlab.core.loads import Load
from benchlab.core.measured import GOOD, INVALID, SUSPECT
from benchlab.core.model import Level
from benchlab.verdicts.answers import Problem

# The limits of the rules; of counts any is too much. What was measured here was measured on a shared 2-core VM.
#
# wrk opens and closes its connections outside the time it was told; beside twenty busy processes of the database it
# took up to 0.36 s to begin and to end.
LATE_S = 0.5
# Little's law holds to some per cent where every connection takes part; half of them hanging breaks it by half.
HUNG_SHARE = 0.1
# A hundredth of the CPU is what the lab wants to tell apart; what is taken away from all alike cancels in a ratio.
STOLEN_SHARE = 0.01
# A quiet host's own daemons, the engine and kernel threads used 0.4 to 1.8 %.
FOREIGN_SHARE = 0.03
# Entries and database work in memory: on a healthy host all of them never wait at once.
STALLED_SHARE = 0.01
# Repeated on an idle host, the probe alone varied by 3 % (standard deviation).
OFF_SPEED = 0.10
# A steady rate varied by 3 to 4 % from second to second (standard deviation), query's by more.
UNEVEN = 0.35
# With a tenth of its CPUs idle wrk still waits for answers more often than answers wait for it.
CLIENT_SHARE = 0.9
# With fewer seconds than these no one of them is called uneven.
LEAST_SLICES = 3
# The last slice ends with the load: in a short one, opening and closing connections would weigh too much.
LEAST_SLICE_US = 400_000
# Why a rule mostly has no figure.
UNTOLD = "this host does not tell"


@dataclass(frozen=True)
class Evidence:
    """All that a sample is judged by.

    `wrong_answers` are those, of the answers looked at before, under and after the load, that broke the contract;
    `usual_speed_us` is how long the speed probe usually takes in this run, None before that is known; `client_cpus` is
    how many CPUs wrk can use. `steady` is None where the warm-up was too short to tell.
    """

    level: Level
    duration_s: int
    load: Load
    counters: Counters
    steady: bool | None
    wrong_answers: Sequence[Problem]
    usual_speed_us: float | None
    client_cpus: int


@dataclass(frozen=True)
class Rule:
    """What a sample must not show: `measure` above `limit`. None measured means that there is no figure.

    `sentence` tells a user what it means; `form` prints what was measured; `unknown` says why there may be no figure.
    """

    name: str
    severity: str
    measure: Callable[[Evidence], float | None]
    limit: float
    form: str
    sentence: str
    unknown: str = UNTOLD


def _errors(evidence: Evidence) -> float:
    return evidence.load.errors.broken


def _silence(evidence: Evidence) -> float:
    return float(not evidence.load.requests)


def _late(evidence: Evidence) -> float:
    """Return by how many seconds wrk missed its time, by the worse of its own clock and the host's.

    Where a quota held a container back, that is why, and the rule of its own says so.
    """
    if _any("throttled_periods")(evidence):
        return 0.0
    took = (evidence.load.seconds, evidence.load.wall_us / 1e6)
    # Early is as wrong as late: then a clock was set.
    return max(max(seconds - evidence.duration_s, evidence.duration_s - seconds + LATE_S) for seconds in took)


def _hung(evidence: Evidence) -> float:
    """Return the share of connections that took no part, by Little's law: busy ones are rate times latency.

    What a connection still waits for at the end is not among the latencies: up to one of them. Without any answer the
    law says nothing, and nothing with pipelining: there wrk's mean is far too low, because wrk adds requests to its
    histogram that it takes for delayed, and then counts them without their time.
    """
    load, level = evidence.load, evidence.level
    if not load.requests or level.pipeline > 1:
        return 0.0
    latency_s = load.latency.mean_us / 1e6
    busy = load.requests_per_second * latency_s / level.connections
    return 1 - busy - latency_s / load.seconds


def _wrong_answers(evidence: Evidence) -> float:
    return len(evidence.wrong_answers)


def _busy_before(evidence: Evidence) -> float | None:
    idle = evidence.counters.idle_before
    return None if idle is None else float(not idle)


def _any(counter: str) -> Callable[[Evidence], float | None]:
    """Return the measure that adds a counter up over all containers: of nothing only all of them can tell."""

    def measure(evidence: Evidence) -> float | None:
        values = [getattr(usage, counter) for usage in evidence.counters.roles.values()]
        known = [value for value in values if value is not None]
        is_whole = len(known) == len(values) > 0
        return float(sum(known)) if is_whole or any(known) else None

    return measure


def _swapped(evidence: Evidence) -> float | None:
    return evidence.counters.host.swapped_pages


def _stolen(evidence: Evidence) -> float | None:
    return share_of_host(evidence.counters.host.stolen_us, evidence.counters)


def _foreign(evidence: Evidence) -> float | None:
    """Return the share of the host's CPU that was used by nothing of ours."""
    return share_of_host(evidence.counters.outside_cpu_us, evidence.counters)


def _stalled(resource: str) -> Callable[[Evidence], float | None]:
    def measure(evidence: Evidence) -> float | None:
        stalled_us = getattr(evidence.counters.host, f"{resource}_stalled_us")
        return None if stalled_us is None else stalled_us / evidence.counters.between_us

    return measure


def _uneven(evidence: Evidence) -> float | None:
    """Return how far the rate of one second fell below or rose above that of the median second."""
    received = evidence.counters.received
    rates = [
        (count - before) / (at - since)
        for (since, before), (at, count) in pairwise(received)
        if at - since >= LEAST_SLICE_US
    ]
    usual = median(rates) if len(rates) >= LEAST_SLICES else 0.0
    return max(abs(rate / usual - 1) for rate in rates) if usual else None


def _throttles(evidence: Evidence) -> float | None:
    return evidence.counters.host.thermal_throttles


def _off_speed(evidence: Evidence) -> float | None:
    """Return how far the host was from its usual speed, by the better of the two probes.

    Right after a load the server may still be at work on what wrk left open, and slow that probe alone.
    """
    if evidence.usual_speed_us is None:
        return None
    return min(abs(speed / evidence.usual_speed_us - 1) for speed in evidence.counters.speeds_us)


def _client_share(evidence: Evidence) -> float | None:
    cpu_us = evidence.counters.roles.get(CLIENT, Usage()).cpu_us
    return None if cpu_us is None else cpu_us / (evidence.counters.between_us * evidence.client_cpus)


def _unsteady(evidence: Evidence) -> float | None:
    return None if evidence.steady is None else float(not evidence.steady)


RULES = (
    Rule("errors", INVALID, _errors, 0, "{:.0f}", "answers above 399, or connections that failed"),
    Rule("silence", INVALID, _silence, 0, "", "no request was answered"),
    Rule("late", INVALID, _late, LATE_S, "{:.2f} s off", "wrk did not run as long as it was told: the host stalled"),
    Rule("wrong answers", INVALID, _wrong_answers, 0, "{:.0f}", "wrong answers under load"),
    Rule("hung", INVALID, _hung, HUNG_SHARE, "{:.0%}", "connections that nothing came back on (Little's law)"),
    Rule("throttled", INVALID, _any("throttled_periods"), 0, "periods: {:.0f}", "a container was held back by a quota"),
    Rule("out of memory", INVALID, _any("oom_kills"), 0, "{:.0f}", "the kernel killed a process for its memory"),
    Rule("swap", INVALID, _swapped, 0, "pages: {:.0f}", "the host swapped"),
    Rule("busy before", SUSPECT, _busy_before, 0, "", "the servers were not done with the load before"),
    Rule("steal", SUSPECT, _stolen, STOLEN_SHARE, "{:.1%}", "the hypervisor took CPU time away"),
    Rule("foreign", SUSPECT, _foreign, FOREIGN_SHARE, "{:.1%} of the CPU", "something else on this host was busy"),
    Rule("memory pressure", SUSPECT, _stalled("memory"), STALLED_SHARE, "{:.1%} of the time", "all waited for memory"),
    Rule("io pressure", SUSPECT, _stalled("io"), STALLED_SHARE, "{:.1%} of the time", "all waited for a disk"),
    Rule("heat", SUSPECT, _throttles, 0, "times: {:.0f}", "the CPU slowed down for its temperature"),
    Rule(
        "speed",
        SUSPECT,
        _off_speed,
        OFF_SPEED,
        "{:.0%} off",
        "the host was faster or slower than usual",
        "a run's first samples come before it is known what is usual",
    ),
    Rule(
        "uneven",
        SUSPECT,
        _uneven,
        UNEVEN,
        "{:.0%}",
        "for a second the rate was far from the sample's own",
        f"it takes {LEAST_SLICES} whole seconds of a sample",
    ),
    Rule("client-bound", GOOD, _client_share, CLIENT_SHARE, "{:.0%}", "wrk used up its CPUs: the entry could do more"),
    Rule(
        "unsteady",
        GOOD,
        _unsteady,
        0,
        "",
        "the warm-up ended before the rate was steady",
        "the warm-up was too short to tell",
    ),
)
BY_NAME = {rule.name: rule for rule in RULES}
