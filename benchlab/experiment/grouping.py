"""Which entries are up at the same time: as many as the engine's memory and Postgres' connections allow. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted
from benchlab.experiment.settings import FRAMEWORK, MAX_DB_CONNECTIONS
from benchlab.records.counters import APP
from benchlab.records.plan import NO_PROXY, Entry
from benchlab.records.run import Sample

MB = 1_000_000
# What is assumed of an entry that has never been measured here: so much for each worker, and for what starts them.
WORKER_BYTES, ENTRY_BYTES = 100 * MB, 100 * MB
# A peak is that of some samples; the next may be higher.
PEAK_MARGIN = 1.25
PROXY_BYTES = 50 * MB
# 2,000 busy connections were measured at 4.3 GiB.
CONNECTION_BYTES = 2.5 * MB
# Database and load generator, without what is counted by connection.
SHARED_BYTES = 1000 * MB
# An adopted entry opens as many as its authors chose, which no label says.
UNKNOWN_CONNECTIONS = 512
# Postgres keeps some for itself, and the lab asks it too.
KEPT_CONNECTIONS = 20

Groups = tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class Need:
    """What an entry takes while it is up; its connections cost the database memory too."""

    memory_bytes: float
    connections: int


def fit(
    entries: Sequence[Entry],
    memory_bytes: int | None,
    peaks: Mapping[str, int] | None = None,
    cpus: int = 1,
    connections: int = MAX_DB_CONNECTIONS,
) -> Groups:
    """Return the groups of entries that are up together; all of them in one, where they fit.

    Where there is more than one group, each begins with the first of the entries, through which all can be compared.
    `memory_bytes` are available in all, None where that is not known; `peaks` are the most that each entry was seen to
    have, by name. One whose workers no label says is taken to have one for each of the `cpus`. Raises UsageError with
    each entry that does not fit even beside the first alone.
    """
    if not entries:
        return ()
    needs = {entry.name: need(entry, (peaks or {}).get(entry.name), cpus) for entry in entries}
    memory = float("inf") if memory_bytes is None else max(0.0, memory_bytes - SHARED_BYTES)
    room = Need(memory, connections - KEPT_CONNECTIONS)
    anchor, *others = entries
    _refuse_too_large(anchor, others, needs, room)
    groups = [[anchor]]
    for entry in others:
        if not _has_room(needs, [*groups[-1], entry], room):
            groups.append([anchor])
        groups[-1].append(entry)
    return tuple(map(tuple, groups))


def need(entry: Entry, peak_bytes: int | None, cpus: int) -> Need:
    """Return what the entry takes, by its peak so far or by what is assumed, and by its labels."""
    workers = _number(entry, "workers") or cpus
    pool = _number(entry, "pool")
    opened = _number(entry, "connections") or (pool * workers if pool else UNKNOWN_CONNECTIONS)
    own = ENTRY_BYTES + workers * WORKER_BYTES if peak_bytes is None else peak_bytes * PEAK_MARGIN
    proxy = 0 if entry.proxy == NO_PROXY else PROXY_BYTES
    return Need(own + proxy + opened * CONNECTION_BYTES, opened)


def peaks(samples: Iterable[Sample]) -> dict[str, int]:
    """Return by entry the most memory that was seen of it in the samples."""
    most: dict[str, int] = {}
    for sample in samples:
        usage = sample.counters.roles.get(APP)
        if usage and usage.memory_peak_bytes is not None:
            name = sample.trial.entry
            most[name] = max(most.get(name, 0), usage.memory_peak_bytes)
    return most


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


def _refuse_too_large(anchor: Entry, others: Sequence[Entry], needs: Mapping[str, Need], room: Need) -> None:
    alone = [[anchor], *([anchor, entry] for entry in others)]
    for group in alone:
        if not _has_room(needs, group, room):
            memory = sum(needs[entry.name].memory_bytes for entry in group)
            opened = sum(needs[entry.name].connections for entry in group)
            beside = f" beside {anchor.name}" if len(group) > 1 else ""
            raise UsageError(
                f"{group[-1].name} does not fit{beside}: together with the database they take about "
                f"{(memory + SHARED_BYTES) / MB:,.0f} MB and {opened:,} connections, and there are "
                f"{_available(room)} and {room.connections:,}; leave it out with {FRAMEWORK.name}"
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
