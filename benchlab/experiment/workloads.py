"""The test types as one table, and the levels of load made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.records.plan import CONNECTIONS, QUERIES, Level, LevelKey

# The study keeps the query test at its largest concurrency and varies N instead.
QUERY_CONNECTIONS = 128
# N of the primer and the warm-up where N varies.
QUERY_WARMUP_N = 2
MAX_QUERIES = 500
# wrk counts what is answered later as timed out.
TIMEOUT_S = 8
# The study's primer is the same for every test type, whatever the host's CPUs.
PRIMER = Level(connections=8, threads=8)
JSON, HTML, TEXT = "application/json", "text/html", "text/plain"


@dataclass(frozen=True)
class Workload:
    """A test type. `path` is the default one; N is appended to it where what `varies` are QUERIES.

    `levels` are the study's; where it has none, three that span the range. `tfb_levels` are those of the TechEmpower
    benchmarks. `column` is the name of the level's column in the study's tables. A type that `writes` changes World.
    """

    name: str
    path: str
    accept: str
    varies: str
    levels: tuple[int, ...]
    tfb_levels: tuple[int, ...]
    column: str
    pipeline: int = 1
    writes: bool = False


TFB_CONNECTIONS = (16, 32, 64, 128, 256, 512)
TFB_PIPELINED = (256, 1024, 4096, 16384)
TFB_QUERIES = (1, 5, 10, 15, 20)
TFB_CACHED = (1, 10, 20, 50, 100)

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("json", "/json", JSON, CONNECTIONS, (16, 32, 128), TFB_CONNECTIONS, "jsonConcurrencyLevels"),
        Workload(
            "plaintext", "/plaintext", TEXT, CONNECTIONS, (256, 1024), TFB_PIPELINED, "plaintextConcurrencyLevels", 16
        ),
        Workload("db", "/db", JSON, CONNECTIONS, (16, 32, 128), TFB_CONNECTIONS, "dbConcurrencyLevels"),
        Workload("query", "/queries?queries=", JSON, QUERIES, (1, 10, 20), TFB_QUERIES, "queryLevels"),
        Workload(
            "cached-query", "/cached-queries?count=", JSON, QUERIES, (1, 20, 100), TFB_CACHED, "cachedQueryLevels"
        ),
        Workload("fortune", "/fortunes", HTML, CONNECTIONS, (16, 32, 128), TFB_CONNECTIONS, "fortuneConcurrencyLevels"),
        Workload("update", "/updates?queries=", JSON, QUERIES, (1, 10, 20), TFB_QUERIES, "updateLevels", writes=True),
    )
}

# The types that ask the database, first the one that asks as much of it as one likes.
DATABASE = ("query", "db", "fortune", "update")


def in_order(tests: Iterable[str]) -> list[str]:
    """Return the test types in the order given, but those that write last.

    What they return is new, so the others are compared with World as it was when the database was reset; and none is
    measured on a table that updates have swollen, whichever order chance gave.
    """
    return sorted(tests, key=lambda test: WORKLOADS[test].writes)


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


def levels(
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


def warmup_level(test: str, test_levels: Iterable[Level]) -> Level:
    """Return the largest level as the study warms up with it: unpipelined, and N=2 where N varies."""
    largest = max(test_levels)
    queries = QUERY_WARMUP_N if WORKLOADS[test].varies == QUERIES else 0
    return Level(largest.connections, largest.threads, queries)


def primer_level(test: str) -> Level:
    queries = QUERY_WARMUP_N if WORKLOADS[test].varies == QUERIES else 0
    return Level(PRIMER.connections, PRIMER.threads, queries)


def keys(test: str, values: Iterable[int]) -> tuple[LevelKey, ...]:
    """Return what the levels of a test type are known by, for the values that vary in it."""
    return tuple(LevelKey(value, WORKLOADS[test].varies) for value in values)


def url_path(test: str, path: str, level: Level) -> str:
    return f"{path}{level.queries}" if WORKLOADS[test].varies == QUERIES else path
