"""What load.py in the wrk container saw of a load, as it prints it; its schema is wrk/schema.py.

A key that this lab does not know is ignored, and one that is missing is None: unavailable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchlab.core.errors import SetupError
from benchlab.core.letters import quoted
from benchlab.records import shapes
from benchlab.records.load import Ports

# That of wrk/schema.py.
SCHEMA = 1
Shape = TypeVar("Shape", bound="Seen | Slice")


@dataclass(frozen=True)
class HostReading:
    """What all processes of the host did so far, summed over the CPUs that containers may use."""

    busy_us: int | None = None
    interrupts_us: int | None = None
    idle_us: int | None = None
    stolen_us: int | None = None
    swapped_pages: int | None = None
    memory_stalled_us: int | None = None
    io_stalled_us: int | None = None
    thermal_throttles: int | None = None


@dataclass(frozen=True)
class ContainerReading:
    """What a container used so far; `memory_bytes` is what its processes hold just now."""

    cpu_us: int | None = None
    throttled_periods: int | None = None
    oom_kills: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Reading:
    """All counters at one time; containers by role."""

    at_us: int
    host: HostReading
    roles: dict[str, ContainerReading]


@dataclass(frozen=True)
class Seen:
    """What was seen of a load from outside of wrk: see wrk/schema.py."""

    schema: int
    wall_us: int
    before: Reading
    after: Reading
    speeds_us: tuple[tuple[int, ...], ...]
    idle_before: bool | None = None
    clock_set_us: int | None = None
    aside_us: int | None = None
    received_us_bytes: tuple[tuple[int, int | None], ...] = ()
    memory_bytes: dict[str, int | None] = field(default_factory=dict)
    ports: Ports | None = None
    answers: tuple[dict[str, Any], ...] = ()
    steady: bool | None = None


@dataclass(frozen=True)
class Window:
    """What was counted of a slice: see wrk/schema.py."""

    duration_us: int
    requests: int
    before: Reading
    after: Reading
    idle_entries_cpu_us: int | None = None
    clock_set_us: int | None = None


@dataclass(frozen=True)
class Slice:
    """A slice, as rounds.py prints it: see wrk/schema.py."""

    schema: int
    load: str
    round: int
    wall_us: int
    took_us: int
    report: dict[str, Any] | None = None
    window: Window | None = None
    speeds_us: tuple[tuple[int, ...], ...] = ()
    idle_before: bool | None = None
    ports: Ports | None = None
    answers: tuple[dict[str, Any], ...] = ()
    is_gone: bool = False


def seen(text: str) -> Seen:
    """Return what load.py printed.

    Raises SetupError where it is of another schema, and ValueError where it cannot be read, in plain words.
    """
    return _of_this_schema(Seen, text)


def slice_seen(text: str) -> Slice:
    """Return what rounds.py printed of a slice; raises as `seen` does."""
    return _of_this_schema(Slice, text)


def _of_this_schema(shape: type[Shape], text: str) -> Shape:
    content = shapes.decoded(text.encode())
    schema = content.get("schema") if isinstance(content, dict) else SCHEMA
    if type(schema) is not int or schema != SCHEMA:
        raise SetupError(
            f"the load generator's image prints schema {quoted(schema)} of its readings, and this lab reads {SCHEMA}; "
            "rebuild the images: make setup"
        )
    return shapes.made(shape, content, others="ignore")
