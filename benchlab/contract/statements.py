"""Queries really run: what the database counted around a number of requests, held against what they must cause."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchlab.contract.answers import Problem
from benchlab.contract.payloads import WRITTEN_SHARE
from benchlab.core import quantities

# More than this, times what is needed, is a problem: the entry asks its database for what it does not answer.
MOST_SHARE = 1.05
N = 20
STORED_FORTUNES = 12


@dataclass(frozen=True)
class Counted:
    """The statements on one table that the database counted, and the rows that these returned or wrote."""

    reads: int = 0
    rows_read: int = 0
    writes: int = 0
    rows_written: int = 0


@dataclass(frozen=True)
class Probe:
    """A known number of requests, and what each must cause on `table`: reads, and rows that are read and written.

    `queries` is their N, 0 where the test type has none.
    """

    table: str
    requests: int
    queries: int
    reads: int
    rows_read: int
    rows_written: int = 0

    def __str__(self) -> str:
        return f"{self.requests} requests" + (f" of N={self.queries}" if self.queries else "")


# Each row is read by a statement of its own; how an update writes them is left to the entry: one by one, or all in one
# statement. Its requests are fewer, because they leave dead rows behind that the load after them has to skip: these
# are as many as the answers before them leave.
PROBES = {
    "db": Probe("world", 512, 0, reads=1, rows_read=1),
    "query": Probe("world", 512, N, reads=N, rows_read=N),
    "cached-query": Probe("world", 512, N, reads=0, rows_read=0),
    "fortune": Probe("fortune", 512, 0, reads=1, rows_read=STORED_FORTUNES),
    "update": Probe("world", 64, N, reads=N, rows_read=N, rows_written=N),
}


def parse(printed: str) -> dict[str, Counted]:
    """Return by table what count-statements printed: a line for each, table,reads,rows,writes,rows."""
    lines = (line.split(",") for line in printed.split())
    return {table: Counted(*map(int, counts)) for table, *counts in lines}


def check(test: str, counted: Counted) -> Iterator[Problem]:
    """Yield what is wrong with the statements that the test type's probe caused."""
    probe = PROBES[test]
    table, times = probe.table.capitalize(), probe.requests
    if not probe.reads:
        if total := counted.reads + counted.writes:
            caused = f"{probe} caused {quantities.counted(total, 'statement')} on {table}"
            yield Problem(test, "cached", f"{caused}, not 0: its cache is filled")
        return
    reads, rows_read, written = probe.reads * times, probe.rows_read * times, probe.rows_written * times
    # An update of a row that is drawn twice in a request, or to the number that it has, may write nothing.
    least_written = math.ceil(WRITTEN_SHARE * written)
    for rule, one, several, got, least, most in (
        ("queries", "statement that reads", "statements that read", counted.reads, reads, reads),
        ("queries", "statement that writes", "statements that write", counted.writes, 0, written),
        ("rows read", "row to be read from", "rows to be read from", counted.rows_read, rows_read, rows_read),
        ("rows written", "row to be written to", "rows to be written to", counted.rows_written, least_written, written),
    ):
        caused = f"{probe} caused {quantities.counted(got, one, several)} {table}"
        if got < least:
            yield Problem(test, rule, f"{caused}, not {least:,} or more")
        elif got > MOST_SHARE * most:
            yield Problem(test, rule, f"{caused}; {quantities.counted(most, 'is', 'are')} enough", warning=True)
