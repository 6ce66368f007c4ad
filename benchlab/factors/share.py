"""What an entry is given of the host and of the database: its workers, and the connections of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core import quantities
from benchlab.core.errors import UsageError
from benchlab.experiment.settings import MAX_DB_CONNECTIONS
from benchlab.factors.connections import pool_size
from benchlab.factors.factor import Service, Tools, Vary, label_of, labelled, with_environment
from benchlab.records.plan import Entry

# More processes than this on one host serve nobody.
MAX_WORKERS = 512


@dataclass(frozen=True, kw_only=True)
class Share(Vary):
    """A level is a whole number, up to `most`. An entry that is adopted chooses for itself."""

    most: int

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where a level is no such number, or the entry's share is its own."""
        for level in levels:
            if not 1 <= _number(level) <= self.most:
                raise UsageError(f"{self.flag} {self.name}={level}: use whole numbers from 1 to {self.most}")
        for entry in entries:
            if not entry.labels["workers"].isdecimal():
                raise UsageError(f"{self.flag} {self.name}: {entry.name} chooses its own {self.name}")


@dataclass(frozen=True, kw_only=True)
class Workers(Share):
    """How many processes serve; the entry's database connections are shared out among them anew."""

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        total = int(label_of(service, "workers")) * int(label_of(service, "pool"))
        pool = str(pool_size(total, int(level)))
        return _given(service, workers=level, pool=pool)


@dataclass(frozen=True, kw_only=True)
class Pool(Share):
    """How many database connections each worker has, and each WSGI server's worker threads."""

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        workers = label_of(service, "workers")
        total = int(level) * int(workers)
        if total > MAX_DB_CONNECTIONS:
            raise UsageError(
                f"{self.flag} {self.name}={level}: {entry} with {workers} workers would open {total:,} connections, "
                f"and Postgres has {MAX_DB_CONNECTIONS:,} for an entry"
            )
        return labelled(_given(service, workers=workers, pool=level), connections=str(total))


def _given(service: Service, workers: str, pool: str) -> Service:
    threads = {"threads": pool} if "benchlab.threads" in service["labels"] else {}
    changed = with_environment(service, WEB_CONCURRENCY=workers, DB_POOL_SIZE=pool)
    return labelled(changed, workers=workers, pool=pool, **threads)


def _number(text: str) -> int:
    try:
        return quantities.whole(text)
    except ValueError:
        return 0
