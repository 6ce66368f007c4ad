"""One lab at a time: the lease of an engine.

The lease is a container that runs `cat` on a connection of the lab's process. When the process ends, however it
ends, the connection closes, cat ends, and the engine removes the container. So it works for a remote engine too.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from benchlab.core.errors import EngineError
from benchlab.core.interrupts import shielded
from benchlab.engine.connection import translated
from benchlab.engine.engine import LEASE, Engine
from benchlab.engine.one_off import LAB_LABEL, LAB_VALUE, LOG, PROJECT_LABEL

HOLDER_LABEL = "benchlab.holder"
CONFLICT = 409
STARTING = timedelta(seconds=10)


@dataclass(frozen=True)
class Lease:
    """The lease as one lab holds it; `id` is that of its container."""

    engine: Engine
    id: str

    def check(self) -> None:
        """Raise EngineError where the lease is lost: another lab may be at work on the engine since."""
        if self._found() != (self.id, "running"):
            raise EngineError(
                f"this lab's lease of the engine is lost: {LEASE} was removed or ended, and another lab may be at work "
                "since; wait until none is, then --resume"
            )

    def is_another_s(self) -> bool:
        """Return whether another lab holds the engine by now: then the containers on it are not this lab's."""
        found = self._found()
        return found is not None and found[0] != self.id

    def _found(self) -> tuple[str, str] | None:
        """Return id and state of the container that is the engine's lease just now."""
        with translated("looking at the engine's lease"):
            try:
                container = self.engine.client.containers.get(LEASE)
            except NotFound:
                return None
        return str(container.id), str(container.status)


def is_held(engine: Engine) -> bool:
    """Return whether a lab is at work on this engine."""
    with translated("looking for another lab"):
        try:
            return bool(engine.client.containers.get(LEASE).status == "running")
        except NotFound:
            return False


def refuse_if_held(engine: Engine) -> None:
    """Raise EngineError where another lab is at work on this engine; clear a lease that nobody holds."""
    with translated("looking for another lab"):
        try:
            lease = engine.client.containers.get(LEASE)
            if lease.status != "running" and not _is_starting(engine, lease):
                lease.remove()
                return
        except NotFound:
            return
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            return
    holder = lease.labels.get(HOLDER_LABEL, "unknown")
    raise EngineError(
        f"another lab is at work on this engine ({holder}) and two would disturb each other: wait until it ends; "
        f"if it is long gone: docker rm -f {LEASE}"
    )


def _is_starting(engine: Engine, lease: Container) -> bool:
    """Return whether the lease was made a moment ago, by the engine's clock; a lab killed there never starts it."""
    made, now = (datetime.fromisoformat(time) for time in (lease.attrs["Created"], engine.info()["SystemTime"]))
    return lease.status == "created" and now - made < STARTING


@contextmanager
def held(engine: Engine, image: str) -> Iterator[Lease]:
    """Hold the engine for the length of the with block. Raises EngineError where another lab holds it."""
    refuse_if_held(engine)
    api, made = engine.client.api, ""
    try:
        with shielded(), translated("taking the engine's lease"):
            made = _create(engine, image)
            stream = api.attach_socket(made, params={"stdin": 1, "stream": 1})
            api.start(made)
        try:
            yield Lease(engine, made)
        finally:
            _hang_up(stream)
    finally:
        if made:
            with shielded(), suppress(NotFound, APIError, OSError):
                api.remove_container(made, force=True)


def _hang_up(stream: Any) -> None:
    """Close the lease's connection with all that has a part in it.

    docker's SDK hands out the innermost of it, and hangs the response that owns the connection on that. With the
    innermost alone closed, the connection stays open, and Python from 3.13 on complains when the response is collected.
    """
    getattr(stream, "_response", stream).close()
    stream.close()


def _create(engine: Engine, image: str) -> str:
    """Make the lease's container and return its id."""
    api = engine.client.api
    try:
        made = api.create_container(
            image,
            ["cat"],
            name=LEASE,
            stdin_open=True,
            user="10001:10001",
            labels={PROJECT_LABEL: engine.project, LAB_LABEL: LAB_VALUE, HOLDER_LABEL: _holder()},
            host_config=api.create_host_config(
                auto_remove=True,
                init=True,
                network_mode="none",
                cap_drop=["ALL"],
                read_only=True,
                security_opt=["no-new-privileges:true"],
                log_config=LOG,
            ),
        )
    except APIError as error:
        if error.status_code == CONFLICT:
            raise EngineError("another lab is starting on this engine: wait until it ends") from error
        raise
    return str(made["Id"])


def _holder() -> str:
    return f"started {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {socket.gethostname()}"
