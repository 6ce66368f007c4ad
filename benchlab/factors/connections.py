"""The factor connections: how many database connections an entry has in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted
from benchlab.experiment.settings import DB_CONNECTIONS, FRAMEWORK
from benchlab.experiment.stack import PREFIX
from benchlab.factors.factor import AS_IS, Service, Tools, Varied, label_of, labelled, with_environment
from benchlab.records.plan import Entry, Settings


def pool_size(db_connections: int, workers: int) -> int:
    """Return how many database connections each worker has: an equal share of its entry's total, at least one."""
    return max(1, db_connections // workers)


@dataclass(frozen=True, kw_only=True)
class Connections(Varied):
    """Every entry has the first number of the settings, or else .env's; there are variants for the others."""

    def levels(self, settings: Settings) -> tuple[str, ...]:
        return (AS_IS, *map(str, settings.db_connections[1:]))

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where the number of workers, which share the connections, is the entry's own."""
        for entry in entries:
            if not entry.labels["workers"].isdecimal():
                raise UsageError(
                    f"{self.flag}: {entry.name} opens as many as it likes; leave it out with {FRAMEWORK.name}"
                )

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        size = str(pool_size(int(level), int(label_of(service, "workers"))))
        # A server with threads has one for each of a worker's connections.
        threads = {"threads": size} if f"{PREFIX}threads" in service["labels"] else {}
        return labelled(with_environment(service, DB_POOL_SIZE=size), pool=size, connections=level, **threads)

    def called(self, level: str) -> str:
        return counted(int(level), "connection") if level.isdecimal() else f"{level} connections"


CONNECTIONS = Connections(
    name="connections",
    is_resource=True,
    flag=DB_CONNECTIONS.name,
    example=f"{DB_CONNECTIONS.name} 16,32",
    mark="-pool-",
)
