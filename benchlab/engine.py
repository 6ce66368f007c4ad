"""The only importer of docker: starts, stops and executes in this project's containers, and no others."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from benchlab.errors import EngineError, SetupError

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
LEASE = "benchlab-lease"
CONNECT_S = 10
# A silent exec (a sample of 600 s) must not look like a dead engine.
TIMEOUT_S = 900
STOP_S = 5
LOG_LINES = 500


@dataclass(frozen=True)
class Executed:
    """What a command in a container left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


class Engine:
    """A Docker engine, seen through the objects of one Compose project."""

    def __init__(self, client: docker.DockerClient, project: str):
        self._client = client
        self._project = project

    @classmethod
    def connect(cls, project: str) -> Engine:
        """Return the engine that DOCKER_HOST or the current docker context names. Raises SetupError."""
        try:
            client = docker.from_env(timeout=CONNECT_S)
            client.ping()
        except (DockerException, requests.RequestException, OSError) as error:
            reason = _reason(error)
            remedy = "join the group docker" if "Permission denied" in reason else "start Docker, or set DOCKER_HOST"
            raise SetupError(f"no Docker engine answers ({reason}); {remedy}") from error
        client.api.timeout = TIMEOUT_S
        return cls(client, project)

    @classmethod
    def if_any(cls, project: str) -> Engine | None:
        """Return the engine that answers, or None."""
        try:
            return cls.connect(project)
        except SetupError:
            return None

    # -- facts ---------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself and its host: the keys of `docker info`."""
        with _translated("reading docker info"):
            return self._client.info()

    def version(self) -> dict[str, Any]:
        with _translated("reading docker version"):
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

    # -- images --------------------------------------------------------------------------------------

    def image_id(self, name: str) -> str | None:
        """Return the image's id, or None where the engine does not have it."""
        with _translated(f"looking for image {name}"):
            try:
                return str(self._client.images.get(name).id)
            except ImageNotFound:
                return None

    def pull(self, repository: str, tag: str) -> None:
        """Fetch an image from its registry. Raises EngineError."""
        with _translated(f"pulling {repository}:{tag}"):
            self._client.images.pull(repository, tag=tag)

    def load_rootfs(self, archive: Path, repository: str, tag: str) -> None:
        """Make an image of a tar file that holds a root file system. Raises EngineError."""
        with _translated(f"importing {repository}:{tag}"):
            answer = self._client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
        for line in answer.splitlines():
            if error := json.loads(line).get("error"):
                raise EngineError(f"importing {repository}:{tag} failed: {error}")

    def remove_images(self, names: Iterable[str]) -> list[str]:
        """Remove the images that exist, and return their names."""
        removed = []
        for name in names:
            with _translated(f"removing image {name}"), suppress(ImageNotFound):
                self._client.images.remove(name, force=True)
                removed.append(name)
        return removed

    # -- containers ----------------------------------------------------------------------------------

    def start(self, service: str) -> None:
        """Start the service's container; one that runs is left as it is. Raises EngineError."""
        with _translated(f"starting {service}"):
            self._container(service).start()

    def stop(self, service: str) -> None:
        """Ask the service's container to end, and end it after 5 s; a lost one is no error."""
        with _translated(f"stopping {service}"), suppress(NotFound):
            self._container(service).stop(timeout=STOP_S)

    def casualty(self, service: str) -> str | None:
        """Return how the service's container ended; None while it runs."""
        with _translated(f"inspecting {service}"):
            try:
                state = self._container(service).attrs["State"]
            except EngineError as error:
                return str(error)
        if state["Running"] and not state.get("Restarting"):
            return None
        why = "out of memory" if state.get("OOMKilled") else f"exit code {state['ExitCode']}"
        return f"{service} is not running ({why})"

    def log(self, service: str) -> str:
        """Return the end of what the service's container printed; nothing where there is no container."""
        with _translated(f"reading the log of {service}"):
            try:
                return self._container(service).logs(tail=LOG_LINES).decode(errors="replace")
            except EngineError:
                return ""

    def execute(self, service: str, command: Sequence[str]) -> Executed:
        """Run the command in the service's container and return what it left. Raises EngineError."""
        with _translated(f"running {command[0]} in {service}"):
            code, output = self._container(service).exec_run(list(command), demux=True)
        if code is None:
            raise EngineError(f"running {command[0]} in {service} was cut off: the container or the engine ended")
        out, err = cast(tuple[bytes | None, bytes | None], output)
        return Executed(code, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"))

    def remove_all(self) -> int:
        """Remove every container, network and volume of the project but the lease; return how many."""
        labelled: Any = {"label": f"{PROJECT_LABEL}={self._project}"}
        removed = 0
        with _translated("removing the lab's containers"):
            for container in self._client.containers.list(all=True, filters=labelled, ignore_removed=True):
                if container.name == LEASE:
                    continue
                with suppress(NotFound):
                    container.remove(force=True, v=True)
                    removed += 1
            for network in self._client.networks.list(filters=labelled):
                with suppress(NotFound):
                    network.remove()
                    removed += 1
            for volume in self._client.volumes.list(filters=labelled):
                with suppress(NotFound):
                    volume.remove(force=True)
                    removed += 1
        return removed

    def _container(self, service: str) -> Container:
        labels = [f"{PROJECT_LABEL}={self._project}", f"{SERVICE_LABEL}={service}"]
        found = self._client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        if not found:
            raise EngineError(f"{service} has no container any more: it was removed from outside; --resume continues")
        return found[0]

    # -- one lab at a time ---------------------------------------------------------------------------

    def refuse_if_leased(self) -> None:
        """Raise EngineError where another lab is at work on this engine."""
        with _translated("looking for another lab"):
            try:
                holder = self._client.containers.get(LEASE)
            except NotFound:
                return
            if holder.status == "running":
                raise EngineError(
                    f"another lab is at work on this engine: {holder.labels.get('benchlab.holder', 'unknown')}; "
                    "two would disturb each other: wait until it ends"
                )
            with suppress(NotFound):
                holder.remove(force=True)

    @contextmanager
    def lease(self, image: str) -> Iterator[None]:
        """Hold the engine for one lab. Raises EngineError where another lab holds it.

        The lease is a container that runs `cat` on a connection of this process: when the process
        ends, however it ends, the connection closes, cat ends, and the engine removes the container.
        So it works for a remote engine too, and never outlives its holder.
        """
        self.refuse_if_leased()
        with _translated("taking the engine's lease"):
            try:
                made = self._client.api.create_container(
                    image,
                    ["cat"],
                    name=LEASE,
                    stdin_open=True,
                    user="10001:10001",
                    labels={PROJECT_LABEL: self._project, "benchlab.holder": _holder()},
                    host_config=self._client.api.create_host_config(
                        auto_remove=True,
                        network_mode="none",
                        cap_drop=["ALL"],
                        read_only=True,
                        security_opt=["no-new-privileges:true"],
                    ),
                )
            except APIError as error:
                if error.status_code == 409:
                    raise EngineError("another lab is starting on this engine: wait until it ends") from error
                raise
            stream = self._client.api.attach_socket(made["Id"], params={"stdin": 1, "stream": 1})
            self._client.api.start(made["Id"])
        try:
            yield
        finally:
            stream.close()
            with suppress(EngineError), _translated("giving up the lease"), suppress(NotFound, APIError):
                self._client.api.remove_container(made["Id"], force=True)


def _holder() -> str:
    return f"started {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {socket.gethostname()}"


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, requests.RequestException, OSError) as error:
        remedy = "; free space on the engine's disk" if "no space left" in str(error).lower() else ""
        raise EngineError(f"{doing} failed: {_reason(error)}{remedy}") from error


def _reason(error: Exception) -> str:
    """Return the error in one line; of a refused connection, what the operating system said."""
    explanation = getattr(error, "explanation", None) or str(error) or type(error).__name__
    system = re.search(r"\[Errno \d+\] ([^'\")]+)", str(explanation))
    return system[1] if system else " ".join(str(explanation).split())[:300]
