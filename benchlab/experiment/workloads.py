"""The test types as one table: what each asks for, and its levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.records.plan import CONNECTIONS, QUERIES, Level

# The study keeps the query test at its largest concurrency and varies N instead.
QUERY_CONNECTIONS = 128
MAX_QUERIES = 500
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


def url_path(test: str, path: str, level: Level) -> str:
    return f"{path}{level.queries}" if WORKLOADS[test].varies == QUERIES else path
