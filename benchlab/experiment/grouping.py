"""Which entries are up at the same time: as many as the engine's memory and Postgres' connections allow. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted
from benchlab.experiment.settings import DB_CONNECTIONS, FRAMEWORK, MAX_DB_CONNECTIONS
from benchlab.records.plan import NO_PROXY, Entry

MB = 1_000_000
# What is assumed of an entry: so much for each worker, and for what starts them.
WORKER_BYTES, ENTRY_BYTES = 100 * MB, 100 * MB
PROXY_BYTES = 50 * MB
# 2,000 busy connections were measured at 4.3 GiB.
CONNECTION_BYTES = 2.5 * MB
# Database and load generator, without what is counted by connection.
SHARED_BYTES = 1000 * MB
# An adopted entry opens as many as its authors chose, which no label says.
UNKNOWN_CONNECTIONS = 512
# Postgres keeps some for itself, and the lab asks it too.
KEPT_CONNECTIONS = 20
# Entries that open more connections than these together start one after another. On a busy 2-core VM 1,280 at once were
# opened within the 5 s that the lab's own entries wait for one, and 1,800 were not (2026-11-30).
OPENED_AT_ONCE = 1_000

Groups = tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class Need:
    """What an entry takes while it is up; its connections cost the database memory too."""

    memory_bytes: float
    connections: int


def fit(
    entries: Sequence[Entry],
    memory_bytes: int | None,
    cpus: int = 1,
    connections: int = MAX_DB_CONNECTIONS,
    versions: Mapping[str, str] = MappingProxyType({}),
) -> Groups:
    """Return the groups of entries that are up together; all of them in one, where they fit.

    Where there is more than one group, each begins with the first of the entries, through which all can be compared. A
    version of an entry is in the group of the older one that it is compared with: `versions` leads from name to name.
    `memory_bytes` are available in all, None where that is not known. An entry whose workers no label says is taken to
    have one for each of the `cpus`. Raises UsageError with what does not fit even beside the first entry alone.
    """
    if not entries:
        return ()
    needs = {entry.name: need(entry, cpus) for entry in entries}
    memory = float("inf") if memory_bytes is None else max(0.0, memory_bytes - SHARED_BYTES)
    room = Need(memory, connections - KEPT_CONNECTIONS)
    anchor, *others = entries
    pairs: dict[str, list[Entry]] = defaultdict(list)
    for entry in others:
        pairs[versions.get(entry.name, entry.name)].append(entry)
    _refuse_too_large(anchor, pairs.values(), needs, room)
    groups = [[anchor]]
    for pair in pairs.values():
        if not _has_room(needs, [*groups[-1], *pair], room):
            groups.append([anchor])
        groups[-1] += pair
    return tuple(map(tuple, groups))


def need(entry: Entry, cpus: int) -> Need:
    """Return what the entry is assumed to take, by its labels."""
    workers = _number(entry, "workers") or cpus
    pool = _number(entry, "pool")
    opened = _number(entry, "connections") or (pool * workers if pool else UNKNOWN_CONNECTIONS)
    proxy = 0 if entry.proxy == NO_PROXY else PROXY_BYTES
    return Need(ENTRY_BYTES + workers * WORKER_BYTES + proxy + opened * CONNECTION_BYTES, opened)


def batches(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Return the entries in the order in which they start: those of a batch at the same time."""
    made: list[list[Entry]] = [[]]
    opened = 0
    for entry in entries:
        opens = need(entry, cpus=1).connections
        if made[-1] and opened + opens > OPENED_AT_ONCE:
            made.append([])
            opened = 0
        made[-1].append(entry)
        opened += opens
    return made


def summary(groups: Collection[Sequence[str]]) -> str:
    """Return in words how many entries are up at a time, of groups of their names."""
    most = max(map(len, groups), default=0)
    up = counted(most, "entry", "entries")
    if most <= 1:
        return up
    if len(groups) <= 1:
        return f"{up} up at once, one loaded at a time"
    shared = ", ".join(sorted(set.intersection(*map(set, groups))))
    return f"{len(groups)} groups of up to {up} that share {shared}; in each, one loaded at a time"


def _refuse_too_large(anchor: Entry, pairs: Iterable[Sequence[Entry]], needs: Mapping[str, Need], room: Need) -> None:
    for pair in ((), *pairs):
        group = [anchor, *pair]
        if not _has_room(needs, group, room):
            memory = sum(needs[entry.name].memory_bytes for entry in group)
            opened = sum(needs[entry.name].connections for entry in group)
            names = " and ".join(entry.name for entry in pair or group)
            verb = "do" if len(pair) > 1 else "does"
            beside = f" beside {anchor.name}" if pair else ""
            raise UsageError(
                f"{names} {verb} not fit{beside}: together with the database they take about "
                f"{(memory + SHARED_BYTES) / MB:,.0f} MB and {opened:,} connections, and there are "
                f"{_available(room)} and {room.connections:,}; leave it out with {FRAMEWORK.name}, or give "
                f"each fewer connections with {DB_CONNECTIONS.name}"
            )


def _available(room: Need) -> str:
    return "unknown MB" if room.memory_bytes == float("inf") else f"{(room.memory_bytes + SHARED_BYTES) / MB:,.0f} MB"


def _has_room(needs: Mapping[str, Need], group: Iterable[Entry], room: Need) -> bool:
    taken = [needs[entry.name] for entry in group]
    return (
        sum(need.memory_bytes for need in taken) <= room.memory_bytes
        and sum(need.connections for need in taken) <= room.connections
    )


def _number(entry: Entry, label: str) -> int | None:
    text = entry.labels.get(label, "")
    return int(text) if text.isdecimal() else None
