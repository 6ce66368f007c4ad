"""The test types as one table, and the levels of load made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from benchlab.errors import ConfigError
from benchlab.model import Level

# The study keeps the query test at its largest concurrency and varies N instead.
QUERY_CONNECTIONS = 128
# N of the query test's primer and warm-up in the study.
QUERY_WARMUP_N = 2
MAX_QUERIES = 500
# wrk counts what is answered later as timed out.
TIMEOUT_S = 8
# The study's primer is the same for every test type, whatever the host's CPUs.
PRIMER = Level(connections=8, threads=8)


@dataclass(frozen=True)
class Workload:
    """A test type. `path` is the default one; N is appended to it where `varies` is queries.

    `column` is the name of the level's column in the study's tables.
    """

    name: str
    path: str
    accept: str
    varies: Literal["connections", "queries"]
    pipeline: int
    column: str


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("json", "/json", "application/json", "connections", 1, "jsonConcurrencyLevels"),
        Workload("plaintext", "/plaintext", "text/plain", "connections", 16, "plaintextConcurrencyLevels"),
        Workload("query", "/queries?queries=", "application/json", "queries", 1, "queryLevels"),
    )
}


def threads(connections: int, cpus: int) -> int:
    """Return wrk's threads: one per CPU, lowered to a divisor of the connections.

    wrk gives each thread connections // threads and drops the remainder. Raises ConfigError where
    only a single thread would be left although the engine has more CPUs.
    """
    wanted = min(connections, cpus)
    chosen = next(n for n in range(wanted, 0, -1) if connections % n == 0)
    if chosen == 1 and wanted > 1:
        raise ConfigError(
            f"level {connections}: no thread count from 2 to {wanted} divides it, so wrk would drop "
            f"connections or load from one thread; use a multiple of {wanted}"
        )
    return chosen


def levels(test: str, values: Iterable[int], cpus: int) -> tuple[Level, ...]:
    """Return the levels of a test type for the values that vary in it, on an engine of `cpus`."""
    workload = WORKLOADS[test]
    if workload.varies == "queries":
        wrk_threads = threads(QUERY_CONNECTIONS, cpus)
        return tuple(Level(QUERY_CONNECTIONS, wrk_threads, queries=n) for n in values)
    return tuple(Level(n, threads(n, cpus), pipeline=workload.pipeline) for n in values)


def warmup_level(test: str, test_levels: Iterable[Level]) -> Level:
    """Return the largest level as the study warms up with it: unpipelined, and N=2 for queries."""
    largest = max(test_levels)
    queries = QUERY_WARMUP_N if WORKLOADS[test].varies == "queries" else 0
    return Level(largest.connections, largest.threads, queries)


def primer_level(test: str) -> Level:
    queries = QUERY_WARMUP_N if WORKLOADS[test].varies == "queries" else 0
    return Level(PRIMER.connections, PRIMER.threads, queries)


def varied(test: str, level: Level) -> int:
    """Return the value that varies in the test: the level as the tables print it."""
    return level.queries if WORKLOADS[test].varies == "queries" else level.connections


def url_path(test: str, path: str, level: Level) -> str:
    return f"{path}{level.queries}" if WORKLOADS[test].varies == "queries" else path
