"""One lab at a time: the lease of an engine.

The lease is a container that runs `cat` on a connection of the lab's process. When the process ends, however it
ends, the connection closes, cat ends, and the engine removes the container. So it works for a remote engine too.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from benchlab.core.errors import EngineError
from benchlab.engine.engine import LEASE, Engine, NamedContainer, NameTakenError

HOLDER_LABEL = "benchlab.holder"
# So long after it was made, a lease that was never started is nobody's: its lab was killed in between.
STARTING_S = 10


@dataclass(frozen=True)
class Lease:
    """The lease as one lab holds it; `id` is that of its container."""

    engine: Engine
    id: str

    def check(self) -> None:
        """Raise EngineError where the lease is lost: another lab may be at work on the engine since."""
        lease = self.engine.container_named(LEASE)
        if lease is None or (lease.id, lease.status) != (self.id, "running"):
            raise EngineError(
                f"this lab's lease of the engine is lost: {LEASE} was removed or ended, and another lab may be at work "
                "since; wait until none is, then --resume"
            )

    def is_another_s(self) -> bool:
        """Return whether another lab holds the engine by now: then the containers on it are not this lab's."""
        lease = self.engine.container_named(LEASE)
        return lease is not None and lease.id != self.id


def is_held(engine: Engine) -> bool:
    """Return whether a lab is at work on this engine."""
    lease = engine.container_named(LEASE)
    return lease is not None and lease.status == "running"


def refuse_if_held(engine: Engine) -> None:
    """Raise EngineError where another lab is at work on this engine; clear a lease that nobody holds."""
    lease = engine.container_named(LEASE)
    if lease is None:
        return
    if lease.status != "running" and not _is_starting(engine, lease):
        engine.remove_ended(lease.id)
        return
    raise EngineError(
        f"another lab is at work on this engine ({lease.labels.get(HOLDER_LABEL, 'unknown')}) and two would disturb "
        f"each other: wait until it ends; if it is long gone: docker rm -f {LEASE}"
    )


def _is_starting(engine: Engine, lease: NamedContainer) -> bool:
    return lease.status == "created" and engine.now_s - lease.created_s < STARTING_S


@contextmanager
def held(engine: Engine, image: str) -> Iterator[Lease]:
    """Hold the engine for the length of the with block. Raises EngineError where another lab holds it."""
    refuse_if_held(engine)
    try:
        with engine.attached(LEASE, image, ["cat"], {HOLDER_LABEL: _holder()}) as container_id:
            yield Lease(engine, container_id)
    except NameTakenError as error:
        raise EngineError("another lab is starting on this engine: wait until it ends") from error


def _holder() -> str:
    return f"started {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {socket.gethostname()}"
