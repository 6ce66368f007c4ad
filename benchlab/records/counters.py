"""What host and containers did while a sample was taken, as differences of two readings; None is "unavailable"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from benchlab.core.letters import quoted
from benchlab.records.checks import MOST
from benchlab.records.seen import ContainerReading, HostReading, Reading, Seen, Slice, Window

# The parts that a container can play in a measurement, in the order of the load's way.
CLIENT, PROXY, APP, DB = "client", "proxy", "app", "db"
# By role, how many processes of its container the kernel had killed for memory; None, or no role, where unknown.
Kills = Mapping[str, int | None]
Figures = TypeVar("Figures", HostReading, ContainerReading)


@dataclass(frozen=True)
class Usage:
    """What one container used.

    `oom_kills` counts from the first load of the test type in a visit, its warm-up, and of a slice from the entry's
    slice before: what is killed there may be missing in the samples. `memory_peak_bytes` is the most anonymous memory
    that all its processes together were seen to hold: once a second, and at both ends.
    """

    cpu_us: int | None = None
    throttled_periods: int | None = None
    oom_kills: int | None = None
    memory_peak_bytes: int | None = None

    def __post_init__(self) -> None:
        _refuse_impossible(self)


@dataclass(frozen=True)
class HostUsage:
    """What all processes of the host did, summed over the CPUs that containers may use.

    Stalls are the time in which all waited at once, wherever they ran.
    """

    busy_us: int | None = None
    interrupts_us: int | None = None
    idle_us: int | None = None
    stolen_us: int | None = None
    swapped_pages: int | None = None
    memory_stalled_us: int | None = None
    io_stalled_us: int | None = None
    thermal_throttles: int | None = None

    def __post_init__(self) -> None:
        _refuse_impossible(self)


@dataclass(frozen=True)
class Counters:
    """All readings around one sample.

    `between_us` is the time between the two readings of the host. `received` has, about once a second of the load and
    at its end, the microseconds since its start and the bytes that the client had received by then. `speeds_us` is how
    long the speed probe took before and after: its fastest rounds, because what disturbs a round can only make it
    longer.
    `idle_before` is whether app, database and proxy were done with the load before. `idle_entries_cpu_us` is the CPU
    time of entries that were up and not loaded; 0 where none was.
    """

    between_us: int
    host: HostUsage
    roles: dict[str, Usage]
    received: tuple[tuple[int, int], ...]
    speeds_us: tuple[float, ...]
    idle_before: bool | None = None
    idle_entries_cpu_us: int | None = 0

    def __post_init__(self) -> None:
        if unknown := sorted(self.roles.keys() - {CLIENT, PROXY, APP, DB}):
            raise ValueError(f"counters: {quoted(unknown[0])} is no part that a container plays")
        if not 0 < self.between_us <= MOST:
            raise ValueError(f"counters: {quoted(self.between_us)} us between two readings cannot be")
        if not all(0 < speed <= MOST for speed in self.speeds_us):
            raise ValueError(f"counters: a round of the speed probe took {self.speeds_us} us")

    @property
    def containers_cpu_us(self) -> int | None:
        """Return the CPU time of all the lab's containers together."""
        times = [usage.cpu_us for usage in self.roles.values()]
        return _sum([*times, self.idle_entries_cpu_us]) if times else None

    @property
    def idle_entries_cpus(self) -> float | None:
        """Return how many CPUs the entries used that were up and not loaded."""
        return None if self.idle_entries_cpu_us is None else self.idle_entries_cpu_us / self.between_us

    @property
    def outside_cpu_us(self) -> int | None:
        """Return the CPU time of the host that no container of the lab used, the kernel's own included.

        The kernel charges an interrupt to whichever container it hits, and /proc/stat counts it apart: so it is added
        before the containers' time is taken off.
        """
        ours_us, busy_us, interrupts_us = self.containers_cpu_us, self.host.busy_us, self.host.interrupts_us
        if ours_us is None or busy_us is None or interrupts_us is None:
            return None
        return max(0, busy_us + interrupts_us - ours_us)


def share_of_host(part_us: int | None, counters: Counters) -> float | None:
    """Return the part that `part_us` is of the host's CPU time, on the CPUs that containers may use."""
    host = counters.host
    times = [host.busy_us, host.interrupts_us, host.idle_us, host.stolen_us]
    whole_us = sum(time for time in times if time is not None)
    return None if part_us is None or None in times or not whole_us else part_us / whole_us


def between(seen: Seen, kills_before: Kills | None = None) -> Counters:
    """Return the counters in what load.py saw. Raises ValueError where they cannot be.

    Out-of-memory kills count from `kills_before` on, by role; a role that it lacks has an unknown number of them, and
    without it they are those since the reading before the load.
    """
    before, after = seen.before, seen.after
    began = _with_kills(before.roles, kills_before)
    return Counters(
        between_us=after.at_us - before.at_us,
        host=HostUsage(**_grown(before.host, after.host)),
        roles=usages(began, after.roles, seen.memory_bytes),
        received=tuple((at_us, count) for at_us, count in seen.received_us_bytes if count is not None),
        speeds_us=tuple(float(min(rounds)) for rounds in seen.speeds_us),
        idle_before=seen.idle_before,
    )


def of_slice(seen: Slice, window: Window, kills_before: Kills | None = None) -> Counters:
    """Return the counters of a slice's window; raises, and takes `kills_before`, as `between` does."""
    before, after = window.before, window.after
    began = _with_kills(before.roles, kills_before)
    return Counters(
        between_us=after.at_us - before.at_us,
        host=HostUsage(**_grown(before.host, after.host)),
        roles=usages(began, after.roles, {}),
        received=(),
        speeds_us=tuple(float(min(rounds)) for rounds in seen.speeds_us),
        idle_before=seen.idle_before,
        idle_entries_cpu_us=window.idle_entries_cpu_us,
    )


def together(every: Sequence[Counters]) -> Counters:
    """Return what happened in all of these windows, one after another; what one of them lacks is not known."""
    hosts = [vars(each.host) for each in every]
    roles = [role for role in every[0].roles if all(role in each.roles for each in every)]
    return Counters(
        between_us=sum(each.between_us for each in every),
        host=HostUsage(**{name: _sum(host[name] for host in hosts) for name in hosts[0]}),
        roles={role: Usage(cpu_us=_sum(each.roles[role].cpu_us for each in every)) for role in roles},
        received=(),
        speeds_us=tuple(speed for each in every for speed in each.speeds_us),
        idle_entries_cpu_us=_sum(each.idle_entries_cpu_us for each in every),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(filter(None, known))


def _with_kills(roles: Mapping[str, ContainerReading], kills: Kills | None) -> dict[str, ContainerReading]:
    if kills is None:
        return dict(roles)
    return {role: replace(reading, oom_kills=kills.get(role)) for role, reading in roles.items()}


def killed(seen: Seen) -> Kills:
    """Return what had been killed before what load.py saw."""
    return kills(seen.before)


def kills(reading: Reading) -> Kills:
    """Return how many processes of each role had been killed for their memory by then."""
    return {role: container.oom_kills for role, container in reading.roles.items()}


def usages(
    before: Mapping[str, ContainerReading],
    after: Mapping[str, ContainerReading],
    most_bytes: Mapping[str, int | None],
) -> dict[str, Usage]:
    """Return what each role's container used between two readings of it. Raises as `between` does.

    `most_bytes` is the most memory that was seen of it between the two, where anyone looked. Of a role that was not
    read before, nothing is known.
    """
    nothing = ContainerReading()
    return {role: _usage(before.get(role, nothing), read, most_bytes.get(role)) for role, read in after.items()}


def without(roles: Mapping[str, Usage], role: str, cpu_us: int | None) -> dict[str, Usage]:
    """Return the usages, the role's without this much CPU time, which it used before and after the load."""
    used = roles[role].cpu_us
    left = None if used is None or cpu_us is None else max(0, used - cpu_us)
    return {**roles, role: replace(roles[role], cpu_us=left)}


def _usage(before: ContainerReading, after: ContainerReading, most_bytes: int | None) -> Usage:
    grown = _grown(before, after)
    del grown["memory_bytes"]
    sizes = (before.memory_bytes, most_bytes, after.memory_bytes)
    return Usage(**grown, memory_peak_bytes=max((size for size in sizes if size is not None), default=None))


def _grown(before: Figures, after: Figures) -> dict[str, int | None]:
    """Return by how much each counter grew."""
    began = vars(before)
    return {
        name: None if value is None or began[name] is None else value - began[name]
        for name, value in vars(after).items()
    }


def _refuse_impossible(record: Usage | HostUsage) -> None:
    for name, value in vars(record).items():
        if value is not None and value < 0:
            raise ValueError(f"counters: {name} ran backwards by {quoted(-value)}; was a container started anew?")
        if value is not None and value > MOST:
            raise ValueError(f"counters: {name} of {quoted(value)} cannot be")
