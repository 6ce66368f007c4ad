"""The rules of a sample, as one table: what is measured of what happened around it, and limits.

Source: docs/method.md, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from benchlab.contract.answers import Problem
from benchlab.records.counters import CLIENT, Counters, Usage, share_of_host
from benchlab.records.load import Load, Ports
from benchlab.records.plan import Level
from benchlab.records.run import GOOD, INVALID, SUSPECT

# The limits of the rules; of counts any is too much. What was measured here was measured on a shared 2-core VM.
#
# wrk opens and closes its connections outside the time it was given; beside twenty busy processes of the database it
# took up to 0.36 s to begin and to end.
DURATION_ERROR_S = 0.5
# Little's law holds to some per cent where every connection takes part; half of them hanging breaks it by half.
HUNG_SHARE = 0.1
# What a connection waits for at the end is not among the latencies. With k answers on each it is the k-th part of the
# time, or less: with ten, no more than HUNG_SHARE. With fewer, a server that answers in the order of arrival breaks the
# law by itself: at 0.8 answers on each only the shorter waits have ended, and the law finds 0.4 of the connections.
LEAST_ANSWERS = 10
# A hundredth of the CPU is what the lab wants to detect; what is taken away from all alike cancels in a ratio.
STOLEN_SHARE = 0.01
# A quiet host's own daemons, the engine and kernel threads used 0.4 to 1.8 %.
BACKGROUND_CPU_SHARE = 0.03
# Entries and database work in memory: on a healthy host all of them never wait at once.
PRESSURE_SHARE = 0.01
# Repeated on an idle host, the probe alone varied by 3 % (standard deviation).
OFF_SPEED = 0.10
# A steady rate varied by 3 to 4 % from second to second (standard deviation), query's by more.
STALL_SHARE = 0.35
# With as many lines of an entry's log to carry in a second, the engine may well be what is busy. Chosen, not measured.
MANY_LINES = 1000
# With a tenth of its CPUs idle wrk still waits for answers more often than answers wait for it.
CLIENT_SHARE = 0.9
# A port may be free again by the time that they are counted.
ALL_PORTS_SHARE = 0.9
# With fewer seconds than these none of them is called a stall.
LEAST_SECONDS = 3
# The last second ends with the load: in a short one, opening and closing connections would weigh too much.
LEAST_SECOND_US = 400_000
# Of a launch of slices, and on average: with fewer answers on each connection the law is not asked. What a connection
# waits for when the launch ends is allowed for, as of any load.
LEAST_ANSWERS_OF_SLICE = 4
# wrk's start and end are in the life of its process, and no connection waits meanwhile.
LAUNCH_S = 0.15
# Two idle entries behind gunicorn use some tenths of a per cent of a CPU, by the beat of their workers.
IDLE_ENTRIES_CPUS = 0.01
# The microseconds since a load began, and the bytes that had come by then.
Received = Sequence[tuple[int, int]]
# The rules that other modules ask for by name. A rule that gets another name goes into schema.RENAMED_RULES, too.
BACKGROUND_CPU, STALL, HEAVY_LOGGING, WRONG_ANSWERS = "background CPU", "stall", "heavy logging", "wrong answers"
IDLE_ENTRIES, LATE_SLICE = "idle entries", "late slice"
# Why a rule mostly has no value.
NOT_REPORTED = "this host does not report it"


@dataclass(frozen=True)
class Evidence:
    """All that a sample is judged by.

    `wrong_answers` are those, of the answers looked at before, under and after the load, that broke the contract;
    `usual_speed_us` is how long the speed probe takes around samples near this one, None before that is known;
    `client_cpus` is how many CPUs wrk can use. `steady` is None where the warm-up was too short. `clock_set_us`
    is how far the clock was set under the load. `log_lines_per_s` is how much the entry wrote to its log, which is
    asked only where something that is not the lab's used CPU time; 0 where it was not asked. `around` is what happened
    in the slices up to this one: in one alone, the host's clock ticks too rarely for shares of some per cent.
    """

    level: Level
    duration_s: float
    load: Load
    counters: Counters
    steady: bool | None
    wrong_answers: Sequence[Problem]
    usual_speed_us: float | None
    client_cpus: int
    clock_set_us: int = 0
    log_lines_per_s: float = 0.0
    ports: Ports | None = None
    around: Counters | None = None

    @property
    def lately(self) -> Counters:
        """Return the counters that shares of the host's time are taken from: of a slice, those around it, too."""
        return self.around or self.counters

    @property
    def lacks_ports(self) -> bool:
        """Return whether connections failed because the load generator had no local port left for them."""
        if self.ports is None or not self.load.errors.connect:
            return False
        return self.ports.waiting + self.level.connections >= ALL_PORTS_SHARE * self.ports.range


@dataclass(frozen=True)
class Rule:
    """What a sample must not show: `measure` above `limit`. None measured means that there is no value.

    `sentence` is what it means, for a user; `form` prints what was measured; `unknown` says why there may be no value.
    """

    name: str
    severity: str
    measure: Callable[[Evidence], float | None]
    limit: float
    form: str
    sentence: str
    unknown: str = NOT_REPORTED


def _errors(evidence: Evidence) -> float:
    return evidence.load.errors.broken


def _no_answers(evidence: Evidence) -> float:
    """Return 1 where nothing was answered; a slice may be shorter than a stall that belongs to what is measured."""
    return float(not evidence.load.requests and not evidence.load.is_slice)


def _silent_slice(evidence: Evidence) -> float:
    return float(not evidence.load.requests and evidence.load.is_slice)


def _late_slice(evidence: Evidence) -> float:
    """Return by how many seconds a slice ended late. Its rate is made from all of its time, a stall among it.

    It goes on until each connection has had as many answers: one more is not late.
    """
    if not evidence.load.is_slice:
        return 0.0
    in_flight = evidence.level.connections * evidence.level.pipeline
    answers = max(1.0, evidence.load.requests / in_flight)
    return max(0.0, evidence.load.seconds * (1 - 1 / answers) - evidence.duration_s)


def _idle_entries(evidence: Evidence) -> float | None:
    return evidence.lately.idle_entries_cpus


def _duration_error(evidence: Evidence) -> float:
    """Return by how many seconds wrk missed its time, by the worse of its own clock and the host's.

    Its own is already corrected for a clock that was set. Where a quota held a container back, that is why, and another
    rule says so. A slice ends itself, with an answer: what lets it end late is seen in its rate.
    """
    if _any("throttled_periods")(evidence) or evidence.load.is_slice:
        return 0.0
    took = (evidence.load.seconds, evidence.load.wall_us / 1e6)
    # Too short is as wrong as too long.
    return max(max(seconds - evidence.duration_s, evidence.duration_s - seconds + DURATION_ERROR_S) for seconds in took)


def _clock_set(evidence: Evidence) -> float:
    return abs(evidence.clock_set_us) / 1e6


def _hung(evidence: Evidence) -> float | None:
    """Return the share of connections that took no part, by Little's law: busy ones are rate times latency.

    None where the law cannot be asked. With few answers, see LEAST_ANSWERS. With pipelining wrk's mean is far too low,
    because wrk adds requests to its histogram that it takes for delayed, and then counts them without their time. Where
    the clock was set, some latencies are off by that. What a connection still waits for at the end is not among the
    latencies: allowed for is one of them, and the time that all were silent for, because a server that stands still
    just then has no connection that hangs.
    """
    load, level = evidence.load, evidence.level
    latency_s = load.latency.mean_us / 1e6
    if level.pipeline > 1 or evidence.clock_set_us:
        return None
    if load.launch_requests is not None:
        seconds = load.wall_us / 1e6
        if load.launch_requests < LEAST_ANSWERS_OF_SLICE * level.connections:
            return None
        return 1 - load.launch_requests * latency_s / (seconds * level.connections) - (latency_s + LAUNCH_S) / seconds
    if load.requests < LEAST_ANSWERS * level.connections:
        return None
    busy = load.requests_per_second * latency_s / level.connections
    return 1 - busy - (latency_s + _silent_end_s(evidence.counters.received)) / load.seconds


def _silent_end_s(received: Received) -> float:
    """Return how long nothing came at the end, as far as the last looks show: 0 where none is before them.

    Connections that hung all the time make the last second no slower than those before it.
    """
    whole = [(since, at) for since, at in pairwise(received) if at[0] - since[0] >= LEAST_SECOND_US]
    if len(whole) < 2:
        return 0.0
    usual = median(_rate(since, at) for since, at in whole[:-1])
    since, at = whole[-1][0], received[-1]
    return max(0.0, 1 - _rate(since, at) / usual) * (at[0] - since[0]) / 1e6 if usual else 0.0


def _rate(since: tuple[int, int], at: tuple[int, int]) -> float:
    return (at[1] - since[1]) / (at[0] - since[0])


def _wrong_answers(evidence: Evidence) -> float:
    return len(evidence.wrong_answers)


def _busy_before(evidence: Evidence) -> float | None:
    idle = evidence.counters.idle_before
    return None if idle is None else float(not idle)


def _any(counter: str) -> Callable[[Evidence], float | None]:
    """Return the measure that adds a counter up over all containers: 0 is only known where all of them report it."""

    def measure(evidence: Evidence) -> float | None:
        values = [getattr(usage, counter) for usage in evidence.counters.roles.values()]
        known = [value for value in values if value is not None]
        is_whole = len(known) == len(values) > 0
        return float(sum(known)) if is_whole or any(known) else None

    return measure


def _swapped(evidence: Evidence) -> float | None:
    return evidence.counters.host.swapped_pages


def _stolen(evidence: Evidence) -> float | None:
    return share_of_host(evidence.lately.host.stolen_us, evidence.lately)


def _background_cpu(evidence: Evidence) -> float | None:
    """Return the share of the host's CPU that was used by nothing of ours.

    None where the engine had much of the entry's log to carry: its CPU time cannot be separated from background CPU.
    """
    if evidence.log_lines_per_s > MANY_LINES:
        return None
    return share_of_host(evidence.lately.outside_cpu_us, evidence.lately)


def _log_lines(evidence: Evidence) -> float:
    return evidence.log_lines_per_s


def _pressure(resource: str) -> Callable[[Evidence], float | None]:
    def measure(evidence: Evidence) -> float | None:
        # Unlike the host's CPU time it is counted exactly: what others' slices waited for is none of this one.
        stalled_us = getattr(evidence.counters.host, f"{resource}_stalled_us")
        return None if stalled_us is None else stalled_us / evidence.counters.between_us

    return measure


def _stall(evidence: Evidence) -> float | None:
    """Return how far the rate of one second fell below or rose above that of the median second."""
    rates = [
        _rate(since, at) for since, at in pairwise(evidence.counters.received) if at[0] - since[0] >= LEAST_SECOND_US
    ]
    usual = median(rates) if len(rates) >= LEAST_SECONDS else 0.0
    return max(abs(rate / usual - 1) for rate in rates) if usual else None


def _throttles(evidence: Evidence) -> float | None:
    return evidence.counters.host.thermal_throttles


def _off_speed(evidence: Evidence) -> float | None:
    """Return how far the host was from its usual speed, by the better of the two probes.

    Right after a load the server may still be at work on what wrk left open, and slow that probe alone. A slice has one
    probe, and one alone varies by nearly the limit: the median of those around the slices up to this one tells.
    """
    speeds_us, usual_us = evidence.lately.speeds_us, evidence.usual_speed_us
    if usual_us is None or not speeds_us:
        return None
    if evidence.load.is_slice:
        return abs(median(speeds_us) / usual_us - 1)
    return min(abs(speed_us / usual_us - 1) for speed_us in speeds_us)


def _client_share(evidence: Evidence) -> float | None:
    """Return wrk's CPU time of what it could use in its own time; what surrounds that, its start among it, is no more.

    So it may come to a little more than all.
    """
    cpu_us = evidence.counters.roles.get(CLIENT, Usage()).cpu_us
    counted_us = evidence.counters.between_us if evidence.load.is_slice else evidence.load.duration_us
    return None if cpu_us is None else min(1.0, cpu_us / (counted_us * evidence.client_cpus))


def _unsteady(evidence: Evidence) -> float | None:
    return None if evidence.steady is None else float(not evidence.steady)


RULES = (
    Rule("errors", INVALID, _errors, 0, "{:.0f}", "answers above 399, or connections that failed"),
    Rule("no answers", INVALID, _no_answers, 0, "", "no request was answered"),
    Rule(
        "duration error",
        INVALID,
        _duration_error,
        DURATION_ERROR_S,
        "{:.2f} s off",
        "wrk ran longer or shorter than asked: the host stalled",
    ),
    Rule(WRONG_ANSWERS, INVALID, _wrong_answers, 0, "{:.0f}", "wrong answers under load"),
    Rule(
        "hung connections",
        INVALID,
        _hung,
        HUNG_SHARE,
        "{:.0%}",
        "connections that nothing came back on (Little's law)",
        f"the law says nothing with fewer than {LEAST_ANSWERS} answers on each connection (of a slice "
        f"{LEAST_ANSWERS_OF_SLICE}), or pipelined ones",
    ),
    Rule("throttled", INVALID, _any("throttled_periods"), 0, "periods: {:.0f}", "a container was held back by a quota"),
    Rule("out of memory", INVALID, _any("oom_kills"), 0, "{:.0f}", "the kernel killed a process for its memory"),
    Rule("swap", INVALID, _swapped, 0, "pages: {:.0f}", "the host swapped"),
    Rule("busy before", SUSPECT, _busy_before, 0, "", "the servers were still working on the load before"),
    Rule("steal", SUSPECT, _stolen, STOLEN_SHARE, "{:.1%}", "the hypervisor took CPU time away"),
    Rule(
        BACKGROUND_CPU,
        SUSPECT,
        _background_cpu,
        BACKGROUND_CPU_SHARE,
        "{:.1%} of the CPU",
        "something else on this host was busy",
        f"{NOT_REPORTED}, or the engine had much of the entry's log to carry",
    ),
    Rule(
        "memory pressure", SUSPECT, _pressure("memory"), PRESSURE_SHARE, "{:.1%} of the time", "all waited for memory"
    ),
    Rule("io pressure", SUSPECT, _pressure("io"), PRESSURE_SHARE, "{:.1%} of the time", "all waited for a disk"),
    Rule("thermal throttling", SUSPECT, _throttles, 0, "times: {:.0f}", "the CPU slowed down for its temperature"),
    Rule(
        "host speed",
        SUSPECT,
        _off_speed,
        OFF_SPEED,
        "{:.0%} off",
        "the host was faster or slower than usual",
        "a run's first samples come before it is known what is usual",
    ),
    Rule(
        IDLE_ENTRIES,
        SUSPECT,
        _idle_entries,
        IDLE_ENTRIES_CPUS,
        "{:.1%} of a CPU",
        "entries that were up and not loaded were busy",
    ),
    Rule("silent slice", GOOD, _silent_slice, 0, "", "nothing came back in a slice"),
    Rule(
        LATE_SLICE,
        GOOD,
        _late_slice,
        DURATION_ERROR_S,
        "{:.2f} s",
        "a slice ended late: the server answered nothing for a while, or the host stalled",
    ),
    Rule(
        STALL,
        GOOD,
        _stall,
        STALL_SHARE,
        "{:.0%}",
        "in one second the rate was far from the sample's median",
        f"it takes {LEAST_SECONDS} whole seconds of a sample",
    ),
    Rule(
        "clock set",
        GOOD,
        _clock_set,
        0,
        "{:.2f} s",
        "the clock was set: the time that wrk took is corrected for that, its latencies are not",
    ),
    Rule(
        HEAVY_LOGGING,
        GOOD,
        _log_lines,
        MANY_LINES,
        "{:,.0f} lines a second",
        "the entry printed so much that the engine's work on its log cannot be separated from what else ran",
    ),
    Rule("client-bound", GOOD, _client_share, CLIENT_SHARE, "{:.0%}", "wrk used up its CPUs: the entry could do more"),
    Rule(
        "unsteady",
        GOOD,
        _unsteady,
        0,
        "",
        "the warm-up ended before the rate was steady",
        "the warm-up was too short",
    ),
)
BY_NAME = {rule.name: rule for rule in RULES}
