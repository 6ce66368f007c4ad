"""The closed loop: wrk keeps so many connections busy, and sends the next request when an answer has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchlab.core.errors import UsageError
from benchlab.experiment import profiles
from benchlab.experiment.pace import SliceLength
from benchlab.experiment.profiles import MAX_CONNECTIONS
from benchlab.experiment.workloads import QUERY_CONNECTIONS, WORKLOADS
from benchlab.load.metrics import PER_APP_CPU, PER_CPU, RATE, Measures
from benchlab.load.model import Step
from benchlab.quality import rules
from benchlab.quality.rules import Rule
from benchlab.records import shapes
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import QUERIES, Level, LevelKey, Settings, Target
from benchlab.records.seen import Window

NAME = "closed loop"
CAUTION = "The load is a closed loop: it tells what a server can do, not how long a user waits."
MEASURES = Measures(ranked_by=RATE, on_full_host=PER_CPU, shown=(PER_APP_CPU,))
RULES: tuple[Rule, ...] = rules.RULES
# wrk counts what is answered later as timed out.
TIMEOUT_S = 8
# wrk would go on for so long with a slice that nobody ends.
MOST_LAUNCH_S = 120
# N of the primer and the warm-up where N varies.
QUERY_WARMUP_N = 2
# The study's primer is the same for every test type, whatever the host's CPUs.
PRIMER = Level(connections=8, threads=8)


def keys(test: str, values: Iterable[int]) -> tuple[LevelKey, ...]:
    return tuple(LevelKey(value, WORKLOADS[test].varies) for value in values)


def levels(settings: Settings, cpus: int) -> dict[str, tuple[Level, ...]]:
    connections = profiles.of(settings).query_connections
    return {test: levels_of(test, values, cpus, connections) for test, values in settings.levels.items()}


def levels_of(
    test: str, values: Iterable[int], cpus: int, query_connections: int = QUERY_CONNECTIONS
) -> tuple[Level, ...]:
    """Return the levels of a test type for the values that vary in it, on an engine of `cpus`.

    Where N varies, all of them are at `query_connections`.
    """
    workload = WORKLOADS[test]
    if workload.varies == QUERIES:
        wrk_threads = threads(query_connections, cpus)
        return tuple(Level(query_connections, wrk_threads, queries=n) for n in values)
    return tuple(Level(n, threads(n, cpus), pipeline=workload.pipeline) for n in values)


def threads(connections: int, cpus: int) -> int:
    """Return wrk's threads: one per CPU, lowered to a divisor of the connections.

    wrk gives each thread connections // threads and drops the remainder. Raises UsageError where
    only a single thread would be left although the engine has more CPUs.
    """
    wanted = min(connections, cpus)
    chosen = next(n for n in range(wanted, 0, -1) if connections % n == 0)
    if chosen == 1 and wanted > 1:
        raise UsageError(
            f"level {connections}: no thread count from 2 to {wanted} divides it, so wrk would drop "
            f"connections or load from one thread; use a multiple of {wanted}"
        )
    return chosen


def spelled(levels: Sequence[Level]) -> str:
    values, first = ", ".join(str(level.key) for level in levels), levels[0]
    if first.key.unit == QUERIES:
        return f"{values} queries a request, at {first.connections} connections"
    return f"{values} connections" + (f", {first.pipeline} requests deep" if first.pipeline > 1 else "")


def before(settings: Settings, test: str, levels: Iterable[Level]) -> Iterator[Step]:
    """Yield the study's primer and warm-up, as far as the settings have them."""
    least_s, most_s = settings.warmup_s
    if settings.primer_s:
        yield Step("primer", primer_level(test), settings.primer_s)
    if most_s:
        most_connections = profiles.of(settings).warmup_connections
        yield Step("warm-up", warmup_level(test, levels, most_connections), most_s, least_s)


def primer_level(test: str) -> Level:
    return Level(PRIMER.connections, PRIMER.threads, _warmup_queries(test))


def warmup_level(test: str, levels: Iterable[Level], most_connections: int = MAX_CONNECTIONS) -> Level:
    """Return the largest level as the study warms up with it: unpipelined, and N=2 where N varies.

    It has no more connections than `most_connections`.
    """
    largest = max(levels)
    connections = min(largest.connections, most_connections)
    return Level(connections, threads(connections, largest.threads), _warmup_queries(test))


def command(level: Level, target: Target, path: str, accept: str, duration_s: float) -> list[str]:
    """Return the wrk command of one load, as it could be typed, with the study's headers."""
    if level.pipeline > 1:
        return _wrk(level, target, path, accept, duration_s, "/wrk/pipeline.lua", str(level.pipeline))
    return _wrk(level, target, path, accept, duration_s, "/wrk/report.lua")


def command_of_slice(
    level: Level, target: Target, path: str, accept: str, counts: str, files: str, length: SliceLength
) -> list[str]:
    times_us = (str(1000 * length.ramp_ms), str(1000 * length.window_ms))
    shape = (str(level.pipeline), str(level.connections), str(level.threads))
    return _wrk(level, target, path, accept, MOST_LAUNCH_S, "/wrk/slice.lua", counts, *shape, *times_us, files)


def _wrk(
    level: Level, target: Target, path: str, accept: str, duration_s: float, script: str, *arguments: str
) -> list[str]:
    return [
        "wrk",
        *("-H", f"Host: {target.host_header}"),
        *("-H", f"Accept: {accept}"),
        *("-H", "Connection: keep-alive"),
        "--latency",
        *("-d", f"{duration_s:.0f}"),
        *("-c", str(level.connections)),
        *("--timeout", str(TIMEOUT_S)),
        *("-t", str(level.threads)),
        *("-s", script),
        f"http://{target.host}:{target.port}{path}",
        *(["--", *arguments] if arguments else []),
    ]


@dataclass(frozen=True)
class Counts:
    """What wrk counts of a launch, as report.lua prints it; latencies and errors have its units and names."""

    duration_us: int
    requests: int
    bytes: int
    latency: Latency
    errors: Errors


def read_slice(report: object, window: Window, wall_us: int) -> Load:
    """Return the load of a slice: rates are those of its window, the rest is of the whole launch."""
    launch = read(report, wall_us, 0)
    return replace(
        launch,
        duration_us=window.duration_us,
        requests=window.requests,
        launch_requests=launch.requests,
        read_requests=window.read_requests,
    )


def read(report: object, wall_us: int, clock_set_us: int) -> Load:
    counts = shapes.made(Counts, report)
    return Load(
        # wrk waits for as long as it was asked to, whatever is done to the clock, and then takes the difference of two
        # times of day for what that took.
        duration_us=counts.duration_us - clock_set_us,
        wall_us=wall_us,
        requests=counts.requests,
        bytes=counts.bytes,
        latency=counts.latency,
        errors=counts.errors,
    )


def _warmup_queries(test: str) -> int:
    return QUERY_WARMUP_N if WORKLOADS[test].varies == QUERIES else 0
