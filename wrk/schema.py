"""What load.py prints of a load: every key with its unit in its name, and the number of this schema.

benchlab/records/seen.py reads it, and a test holds the two together. Null is what the host does not tell. Times are
microseconds, sizes bytes; all but memory counts up from the start of host or container, so that the difference of two
readings is what happened between them.
"""

from dataclasses import dataclass

# Raised where a key gets another meaning, or one that must be there goes; a new key is no other schema.
# 1: the first that is numbered.
SCHEMA = 1


@dataclass(frozen=True)
class HostReading:
    """What all processes of the host did so far, summed over the CPUs that containers may use."""

    busy_us: int | None
    interrupts_us: int | None
    idle_us: int | None
    stolen_us: int | None
    swapped_pages: int | None
    memory_stalled_us: int | None
    io_stalled_us: int | None
    thermal_throttles: int | None


@dataclass(frozen=True)
class ContainerReading:
    """What a container used so far; `memory_bytes` is what its processes hold just now."""

    cpu_us: int | None
    throttled_periods: int | None
    oom_kills: int | None
    memory_bytes: int | None


@dataclass(frozen=True)
class Reading:
    """All counters at one time of the clock that nobody can set; containers by role."""

    at_us: int
    host: HostReading
    roles: dict[str, ContainerReading]


@dataclass(frozen=True)
class Ports:
    """How many local ports there are for connections to a server, and how many wait after one that has ended."""

    range: int
    waiting: int


@dataclass(frozen=True)
class Seen:
    """What was seen of a load from outside of wrk.

    `wall_us` is the life of wrk's process; `before` and `after` are the readings. `speeds_us` are the rounds of the
    speed probe before and after. `idle_before` is whether the servers were done with the load before, null where that
    cannot be told. `clock_set_us` is how far the clock that wrk times itself by was set forth meanwhile, or back
    where it is negative; `aside_us` the CPU time that load.py used outside the readings. `received_us_bytes` has,
    once a second and at the end, the time since the start and the bytes that came so far. `memory_bytes` has, by
    role, the most of the looks at the container's memory, once a second between the readings. `answers` are those
    that were asked for, as fetch.py prints them. `steady` is whether the rate was steady at the end.
    """

    schema: int
    wall_us: int
    before: Reading
    after: Reading
    speeds_us: list[list[int]]
    idle_before: bool | None
    clock_set_us: int
    aside_us: int
    received_us_bytes: list[tuple[int, int | None]]
    memory_bytes: dict[str, int | None]
    ports: Ports | None
    answers: list[dict[str, object]]
    steady: bool


@dataclass(frozen=True)
class Window:
    """What was counted of a slice, while all its connections were busy.

    `requests` are those that connections began in `duration_us`, each when the one before was answered; where that
    `is_exact`, wrk's threads counted them in their windows, else they are those that were answered in the whole launch.
    `read_requests` are those between the readings of CPU time and pressure, which wrk's first thread took at the ends
    of its window; all else in `before` and `after` is of the whole launch. `idle_entries_cpu_us` is the CPU time of the
    entries that were up and not loaded.
    """

    duration_us: int
    requests: int
    is_exact: bool
    read_requests: int
    before: Reading
    after: Reading
    idle_entries_cpu_us: int | None
    clock_set_us: int


@dataclass(frozen=True)
class Slice:
    """A slice, as rounds.py prints it: of which `load` of its job, and in which `round`.

    `report` is what wrk counted of the whole launch, null where it printed nothing; `window` is null where wrk ended
    before its end. `wall_us` is the life of wrk's process, `took_us` that of the slice with all around it. `is_gone` is
    whether the entry answers no more. The rest is as in Seen.
    """

    schema: int
    load: str
    round: int
    report: dict[str, object] | None
    window: Window | None
    wall_us: int
    took_us: int
    speeds_us: list[list[int]]
    idle_before: bool | None
    ports: Ports | None
    answers: list[dict[str, object]]
    is_gone: bool
