"""The engine, through docker's SDK: starts, stops and executes in the lab's own containers, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from benchlab.core.errors import EngineError, NoEngineError
from benchlab.engine import connection, container_state
from benchlab.engine.connection import reason, translated
from benchlab.engine.images import Images
from benchlab.engine.one_off import LAB_LABEL, LAB_VALUE, PROJECT_LABEL
from benchlab.records.seen import ContainerReading

SERVICE_LABEL = "com.docker.compose.service"
LEASE = "benchlab-lease"
STOP_S = 5
PERIOD_US = 100_000
LOG_LINES = 500
# A line of a log that is no older belongs to what was just done.
LATELY_S = 5
# An engine may note a start a moment after the container's first words.
EARLY_S = -0.5


@dataclass(frozen=True)
class Executed:
    """What a command in a container left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


class Engine(Images):
    """A Docker engine, seen through the objects of one Compose project."""

    @classmethod
    def connect(cls, project: str) -> Engine:
        """Return the engine that DOCKER_HOST or the docker context names. Raises SetupError and NoEngineError."""
        return cls(*connection.clients(), project)

    @classmethod
    def if_any(cls, project: str) -> Engine | None:
        """Return the engine that answers, or None. Raises SetupError where it may not be asked or is named wrongly."""
        try:
            return cls.connect(project)
        except NoEngineError:
            return None

    @property
    def client(self) -> docker.DockerClient:
        return self._client

    # -- facts ---------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself and its host: the keys of `docker info`."""
        with translated("reading docker info"):
            return self._client.info()

    def version(self) -> dict[str, Any]:
        with translated("reading docker version"):
            return self._client.version()

    @property
    def cpus(self) -> int:
        """Return the engine's CPUs, which need not be the caller's."""
        return int(self.info()["NCPU"])

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (DockerException, requests.RequestException, OSError):
            return False

    # -- containers ----------------------------------------------------------------------------------

    def start(self, service: str) -> None:
        """Start the service's container, or let it go on where it was paused; one that runs is left as it is.

        Raises EngineError.
        """
        with translated(f"starting {service}"):
            container = self._container(service)
            if container.status == "paused":
                container.unpause()
            else:
                container.start()

    def stop(self, service: str) -> str | None:
        """Ask the service's container to end, and end it after 5 s; a lost one is no error.

        Returns in words how it ended late, None where it ended within a second.
        """
        with translated(f"stopping {service}"), suppress(NotFound, _LostError):
            container = self._container(service)
            asked_s = container_state.moment_s(self.info()["SystemTime"])
            container.stop(timeout=STOP_S)
            container.reload()
            return container_state.resisted(container.attrs["State"], asked_s, STOP_S)
        return None

    def casualty(self, service: str) -> str | None:
        """Return how the service's container ended; None while it runs."""
        with translated(f"inspecting {service}"):
            try:
                how = container_state.ended(self._inspected(service).attrs["State"])
            except _LostError as error:
                return str(error)
        return None if how is None else f"{service} is not running ({how})"

    def log(self, service: str) -> str:
        """Return the end of what the service's container printed in its last life; nothing without a container."""
        with translated(f"reading the log of {service}"):
            try:
                container = self._inspected(service)
            except _LostError:
                return ""
            began_s = container_state.began_s(container.attrs["State"])
            # docker's SDK takes no time before 1970, and a container that has never run began in the year 1.
            return container.logs(tail=LOG_LINES, since=max(1.0, began_s + EARLY_S)).decode(errors="replace")

    def log_lines_per_s(self, service: str) -> float:
        """Return how many lines a second the service's container printed in the last seconds. Raises EngineError."""
        with translated(f"reading the log of {service}"):
            since_s = container_state.moment_s(self.info()["SystemTime"]) - LATELY_S
            return container_state.lines_per_s(self._container(service).logs(since=since_s, timestamps=True))

    def container_id(self, service: str) -> str:
        """Return the id of the service's container. Raises EngineError."""
        with translated(f"looking for the container of {service}"):
            return str(self._container(service).id)

    def usage(self, service: str) -> ContainerReading:
        """Return what the service's container has used so far, and its memory just now. Raises EngineError.

        This is read when the engine comes to it, some time around a load; the cgroup tree is read right at it.
        """
        with translated(f"reading the counters of {service}"):
            return container_state.used(
                cast(dict[str, Any], self._container(service).stats(stream=False, one_shot=True))
            )

    def execute(self, service: str, command: Sequence[str]) -> Executed:
        """Run the command in the service's container and return what it left. Raises EngineError."""
        with translated(f"running {command[0]} in {service}"):
            code, output = self._container(service, self._patient).exec_run(list(command), demux=True)
        if code is None:
            raise EngineError(f"running {command[0]} in {service} was cut off: the container or the engine ended")
        out, err = cast(tuple[bytes | None, bytes | None], output)
        return Executed(code, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"))

    def sockets(self, service: str, beside: str) -> str:
        """Return the kernel's table of TCP sockets in the network of the service's container. Raises EngineError.

        It is read with the image of `beside`'s container: the service's own may have no program for that.
        """
        with translated(f"looking for {service} and {beside}"):
            network = f"container:{self._container(service).id}"
            image = str(self._inspected(beside).attrs["Image"])
        return self._run(image, ["cat", "/proc/net/tcp", "/proc/net/tcp6"], network_mode=network)

    @contextmanager
    def limited(self, service: str, cpus: float) -> Iterator[None]:
        """Let the service's container have no more than so many CPUs for the length of the with block."""
        with translated(f"limiting {service}"):
            self._container(service).update(cpu_period=PERIOD_US, cpu_quota=int(cpus * PERIOD_US))
        try:
            yield
        finally:
            with translated(f"freeing {service}"), suppress(NotFound, _LostError):
                self._container(service).update(cpu_period=PERIOD_US, cpu_quota=-1)

    def neighbours(self) -> list[str]:
        """Return the names of the running containers that are not the lab's."""
        with translated("listing the containers"):
            running = self._client.containers.list(ignore_removed=True)
            return sorted(str(found.name) for found in running if found.labels.get(LAB_LABEL) != LAB_VALUE)

    def container_images(self, services: Iterable[str]) -> dict[str, str]:
        """Return the id of the image that each service's container was made from."""
        with translated("inspecting the containers"):
            return {service: str(self._inspected(service).attrs["Image"]) for service in services}

    def remove_all(self) -> int:
        """Remove every container and network of the lab but the lease, and return how many there were.

        One that resists does not keep the others. Raises EngineError, which names what is left.
        """
        found, left = 0, []
        with translated("removing the lab's containers"):
            containers = self._client.containers.list(all=True, filters=self.labelled(), ignore_removed=True)
            for container in (container for container in containers if container.name != LEASE):
                found += 1
                left += self._remove(str(container.name), partial(container.remove, force=True, v=True))
            for network in self._client.networks.list(filters=self.labelled()):
                found += 1
                left += self._remove(str(network.name), network.remove)
        if left:
            raise EngineError(f"the engine kept {'; '.join(left)}")
        return found

    def _remove(self, name: str, remove: Callable[[], None]) -> list[str]:
        """Remove one object and return nothing, or its name and why it stays."""
        try:
            remove()
        except NotFound:
            return []
        except APIError as error:
            # Another removal of the same object may be under way: then it is as good as gone.
            return [] if "already in progress" in str(error) else [f"{name} ({reason(error)})"]
        return []

    def labelled(self, service: str | None = None) -> dict[str, Any]:
        """Return the filter for what is the lab's, or for one service's container."""
        labels = [f"{PROJECT_LABEL}={self.project}", f"{LAB_LABEL}={LAB_VALUE}"]
        return {"label": labels + ([f"{SERVICE_LABEL}={service}"] if service else [])}

    def _container(self, service: str, client: docker.DockerClient | None = None) -> Container:
        """Return the service's container, of which nothing is known but its id: to ask for more takes time."""
        found = (client or self._client).containers.list(all=True, filters=self.labelled(service), sparse=True)
        if not found:
            raise _LostError(service)
        return found[0]

    def _inspected(self, service: str) -> Container:
        """Return the service's container with all that the engine knows of it as its attrs."""
        container = self._container(service)
        try:
            container.reload()
        except NotFound as error:
            raise _LostError(service) from error
        return container


class _LostError(EngineError):
    """A container is not there any more."""

    def __init__(self, service: str):
        super().__init__(f"{service} has no container any more: it was removed from outside")
