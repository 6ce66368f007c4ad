"""The engine, through docker's SDK, which no other module imports: its containers and images, and its errors in words.

It starts, stops and executes in the lab's own containers, and in no others.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.context import Context, ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.utils.socket import STDERR

from benchlab.core.errors import EngineError, NoEngineError, SetupError
from benchlab.core.interrupts import shielded
from benchlab.engine import container_state, images, sandbox
from benchlab.engine.command import Executed
from benchlab.engine.images import Image
from benchlab.engine.networks import NoRangeError
from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE, SERVICE_LABEL
from benchlab.records.seen import ContainerReading

# Within these the engine must answer: anything, and an exec or an import that is silent meanwhile (a sample has 600 s).
ANSWER_S = 60
SILENCE_S = 900
# The container that is the engine's lease: see lease.py.
LEASE = "benchlab-lease"
STOP_S = 5
PERIOD_US = 100_000
LOG_LINES = 500
# What comes before each part of a command's outputs: which of them it is of, and how long it is. Source: the engine's
# API, "Stream format" of attaching to a container.
FRAME = struct.Struct(">BxxxL")
# Of what a command writes to its second output, the end says why it failed.
MOST_STDERR = 10_000
# A line of a log that is no older belongs to what was just done.
LATELY_S = 5
# An engine may note a start a moment after the container's first words.
EARLY_S = -0.5
CONFLICT = 409
# What an engine says that has no address range left: up to version 27, and after it.
NO_RANGE = re.compile("non-overlapping|fully subnetted")
DEFAULT_CONTEXT = "default"
FORBIDDEN = "Permission denied"
# The operating system's own words, or the other end's, in an exception that wraps theirs.
CAUSE = re.compile(r"\[Errno \d+\] ([^'\")]+)|\w+(?:Error|Disconnected)\((?:\d+, )?'([^']+)'\)")


class Engine:
    """A Docker engine, seen through the objects of one Compose project.

    `client` is for what is answered at once, `patient` for what takes its time.
    """

    def __init__(self, client: docker.DockerClient, patient: docker.DockerClient, project: str):
        self._client = client
        self._patient = patient
        self.project = project

    @classmethod
    def connect(cls, project: str) -> Engine:
        """Return the engine that DOCKER_HOST or the docker context names.

        Raises NoEngineError where no engine answers, SetupError where it may not be asked or is named wrongly.
        """
        environment = {**os.environ, "DOCKER_CONTEXT": _context().name}
        try:
            # The ssh program itself, which knows the caller's keys and hosts, for an ssh:// engine.
            client = docker.from_env(timeout=ANSWER_S, use_ssh_client=True, environment=environment)
            client.ping()
            patient = docker.from_env(timeout=SILENCE_S, use_ssh_client=True, environment=environment)
        except (DockerException, requests.RequestException, OSError) as error:
            why = reason(error)
            if FORBIDDEN in why:
                raise SetupError(f"no Docker engine answers ({why}); join the group docker") from error
            if asked := os.environ.get("DOCKER_HOST"):
                raise NoEngineError(
                    f"no Docker engine answers at DOCKER_HOST, {asked} ({why}); start it, or name another"
                ) from error
            raise NoEngineError(f"no Docker engine answers ({why}); start Docker, or set DOCKER_HOST") from error
        return cls(client, patient, project)

    @classmethod
    def if_any(cls, project: str) -> Engine | None:
        """Return the engine that answers, or None. Raises SetupError where it may not be asked or is named wrongly."""
        try:
            return cls.connect(project)
        except NoEngineError:
            return None

    # -- the engine itself ---------------------------------------------------------------------------

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

    @property
    def now_s(self) -> float:
        """Return the time by the engine's clock, in seconds since 1970."""
        return container_state.time_s(str(self.info()["SystemTime"]))

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (DockerException, requests.RequestException, OSError):
            return False

    # -- containers of services ----------------------------------------------------------------------

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
            asked_s = self.now_s
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
        return None if how is None else f"{service} ended ({how})"

    def casualties(self, services: Iterable[str]) -> dict[str, str]:
        """Return by service how the containers ended of those that do not run: one question for all of them."""
        with translated("looking for what ended"):
            listed = self._client.api.containers(filters=self._filter())
        running = {container["Labels"].get(SERVICE_LABEL) for container in listed if container["State"] == "running"}
        ended = {service: self.casualty(service) for service in services if service not in running}
        return {service: how for service, how in ended.items() if how}

    def addresses(self, service: str) -> frozenset[str]:
        """Return the addresses of the service's container in its networks, none where it does not run."""
        with translated(f"looking for the addresses of {service}"):
            networks = self._inspected(service).attrs["NetworkSettings"]["Networks"]
        addresses = (network.get(key) for network in networks.values() for key in ("IPAddress", "GlobalIPv6Address"))
        return frozenset(filter(None, addresses))

    def log(self, service: str) -> str:
        """Return the end of what the service's container printed since it last started; nothing without a container."""
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
            log = self._container(service).logs(since=self.now_s - LATELY_S, timestamps=True)
            return container_state.lines_per_s(log)

    def container_id(self, service: str) -> str:
        """Return the id of the service's container. Raises EngineError."""
        with translated(f"looking for the container of {service}"):
            return str(self._container(service).id)

    def container_images(self, services: Iterable[str]) -> dict[str, str]:
        """Return the id of the image that each service's container was made from."""
        with translated("inspecting the containers"):
            return {service: str(self._inspected(service).attrs["Image"]) for service in services}

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

    @contextmanager
    def converse(self, service: str, command: Sequence[str], line: str) -> Iterator[Iterator[str]]:
        """Run the command in the service's container with the line on its input, for the length of the with block.

        Yields the lines that it prints, as they come; they end with the command. Its input ends with the with block,
        and with this process, however that ends. Raises EngineError, in the lines too where the command fails.
        """
        doing = f"running {command[0]} in {service}"
        api = self._client.api
        with translated(doing):
            made = api.exec_create(self._container(service).id, list(command), stdin=True)
            stream = api.exec_start(made["Id"], socket=True)
        try:
            connection: Any = getattr(stream, "_sock", stream)
            with translated(doing):
                connection.sendall(line.encode() + b"\n")
            yield self._lines(connection, made["Id"], doing)
        finally:
            _hang_up(stream)

    def _lines(self, connection: Any, exec_id: str, doing: str) -> Iterator[str]:
        left, errors = b"", b""
        with translated(doing):
            for output, chunk in _frames(connection):
                if output == STDERR:
                    errors = (errors + chunk)[-MOST_STDERR:]
                    continue
                *lines, left = (left + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
            code = self._client.api.exec_inspect(exec_id)["ExitCode"]
        if code is None:
            raise EngineError(f"{doing} was cut off: the container or the engine ended")
        if failure := Executed(code, "", errors.decode(errors="replace")).failure:
            raise EngineError(f"{doing} failed: {failure}")

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
            return sorted(str(one.name) for one in running if one.labels.get(LAB_LABEL) != LAB_VALUE)

    def remove_all(self) -> int:
        """Remove every container and network of the lab but the lease, and return how many there were.

        One that resists does not keep the others. Raises EngineError, which names what is left.
        """
        count, left = 0, []
        with translated("removing the lab's containers"):
            containers = self._client.containers.list(all=True, filters=self._filter(), ignore_removed=True)
            for container in (container for container in containers if container.name != LEASE):
                count += 1
                left += _removed(str(container.name), partial(container.remove, force=True, v=True))
            for network in self._client.networks.list(filters=self._filter()):
                count += 1
                left += _removed(str(network.name), network.remove)
        if left:
            raise EngineError(f"the engine kept {'; '.join(left)}")
        return count

    def _filter(self, service: str | None = None) -> dict[str, Any]:
        """Return the filter for what is the lab's, or for one service's container."""
        ours = {**sandbox.labels(self.project), **({SERVICE_LABEL: service} if service else {})}
        return {"label": [f"{name}={value}" for name, value in ours.items()]}

    def _container(self, service: str, client: docker.DockerClient | None = None) -> Container:
        """Return the service's container, of which nothing is known but its id: to ask for more takes time."""
        containers = (client or self._client).containers.list(all=True, filters=self._filter(service), sparse=True)
        if not containers:
            raise _LostError(service)
        return containers[0]

    def _inspected(self, service: str) -> Container:
        """Return the service's container with all that the engine knows of it as its attrs."""
        container = self._container(service)
        try:
            container.reload()
        except NotFound as error:
            raise _LostError(service) from error
        return container

    # -- networks ------------------------------------------------------------------------------------

    def make_network(self, name: str, subnet: str | None = None) -> str:
        """Make a network of the lab's own, which nothing outside can reach, and return its id.

        It gets a range of the engine's own unless `subnet` says which. Raises NoRangeError, EngineError.
        """
        pools = [docker.types.IPAMPool(subnet=subnet)] if subnet else []
        try:
            network = self._client.networks.create(
                name,
                driver="bridge",
                internal=True,
                check_duplicate=True,
                labels=sandbox.labels(self.project),
                ipam=docker.types.IPAMConfig(pool_configs=pools) if pools else None,
            )
        except (DockerException, requests.RequestException, OSError) as error:
            if NO_RANGE.search(str(error)):
                raise NoRangeError(
                    f"the engine has no address range left for the network {name}; `docker network prune` removes "
                    "networks that nobody uses, or give the engine more in default-address-pools"
                ) from error
            raise EngineError(f"making the network {name} failed: {reason(error)}{_remedy(error)}") from error
        return str(network.id)

    def remove_network(self, network_id: str) -> None:
        with translated(f"removing the network {network_id[:12]}"), suppress(NotFound):
            self._client.api.remove_network(network_id)

    def subnet(self, network_id: str) -> str:
        """Return the address range that the network has. Raises EngineError."""
        with translated(f"inspecting the network {network_id[:12]}"):
            return str(self._client.api.inspect_network(network_id)["IPAM"]["Config"][0]["Subnet"])

    def join_network(self, network_id: str, service: str, aliases: Sequence[str]) -> None:
        """Have the service's container in the network, also under these names. Raises EngineError."""
        with translated(f"connecting {service} to its network"):
            self._client.api.connect_container_to_network(
                str(self._container(service).id), network_id, aliases=list(aliases)
            )

    def leave_network(self, network: str, service: str) -> None:
        """Take the service's container out of the network of that name, if it is in it. Raises EngineError."""
        with translated(f"taking {service} out of {network}"):
            container = self._inspected(service)
            if network in container.attrs["NetworkSettings"]["Networks"]:
                self._client.api.disconnect_container_from_network(str(container.id), network)

    def networks_of(self, service: str) -> list[str]:
        """Return the names of the networks that the service's container is in. Raises EngineError."""
        with translated(f"inspecting {service}"):
            return list(self._inspected(service).attrs["NetworkSettings"]["Networks"])

    # -- containers that Compose does not know of ----------------------------------------------------

    def run_once(
        self, image: str, command: Sequence[str], volumes: Sequence[str] = (), cpuset: str | None = None
    ) -> str:
        """Run the command in a container of its own, without rights or network, and return what it printed.

        Raises EngineError, also where the command fails.
        """
        return self._run(image, command, volumes=list(volumes), cpuset_cpus=cpuset)

    def open_files(self, image: str) -> str:
        """Return how many open files the engine lets a container ask for: a number, or unlimited."""
        return self._run(image, ["sh", "-c", "ulimit -Hn"]).strip()

    def grants(self, image: str, sysctls: Mapping[str, str]) -> bool:
        """Return whether the engine starts a container with these settings of its own kernel's."""
        with translated("asking for sysctls"):
            container = self._client.containers.create(image, ["true"], sysctls=dict(sysctls), **self._sandbox)
            try:
                container.start()
                return bool(container.wait()["StatusCode"] == 0)
            except APIError:
                return False
            finally:
                container.remove(force=True)

    @contextmanager
    def beside(self, image: str, command: Sequence[str]) -> Iterator[None]:
        """Run the command in a container of its own for the length of the with block. Raises EngineError."""
        with translated(f"starting {command[0]}"):
            container = self._client.containers.run(image, list(command), detach=True, **self._sandbox)
        try:
            yield
        finally:
            with translated(f"removing {command[0]}"), suppress(NotFound):
                container.remove(force=True)

    @contextmanager
    def attached(self, name: str, image: str, command: Sequence[str], labels: Mapping[str, str]) -> Iterator[str]:
        """Run the command, with its input on a connection of this process, for the length of the with block.

        The connection ends with the process, however that ends, and a command that reads ends with it. Yields the id of
        its container. Raises NameTakenError, and EngineError.
        """
        api, container_id = self._client.api, ""
        try:
            with shielded(), translated(f"starting {name}"):
                container_id = self._create_attachable(name, image, command, labels)
                stream = api.attach_socket(container_id, params={"stdin": 1, "stream": 1})
                api.start(container_id)
            try:
                yield container_id
            finally:
                _hang_up(stream)
        finally:
            if container_id:
                with shielded(), suppress(NotFound, APIError, OSError):
                    api.remove_container(container_id, force=True)

    def container_named(self, name: str) -> NamedContainer | None:
        """Return the container of that name, None where there is none. Raises EngineError."""
        with translated(f"looking for {name}"):
            try:
                container = self._client.containers.get(name)
            except NotFound:
                return None
        created_s = container_state.time_s(str(container.attrs["Created"]))
        return NamedContainer(str(container.id), str(container.status), dict(container.labels), created_s)

    def remove_ended(self, container_id: str) -> None:
        """Remove a container that has ended; one that runs, or is being removed, is left. Raises EngineError."""
        with translated(f"removing {container_id[:12]}"), suppress(NotFound):
            try:
                self._client.api.remove_container(container_id)
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise

    def _create_attachable(self, name: str, image: str, command: Sequence[str], labels: Mapping[str, str]) -> str:
        """Make a container that removes itself at its end, and return its id."""
        options = self._sandbox | {"labels": {**sandbox.labels(self.project), **labels}}
        try:
            container = self._client.containers.create(
                image, list(command), name=name, stdin_open=True, auto_remove=True, **options
            )
        except APIError as error:
            if error.status_code == CONFLICT:
                raise NameTakenError(f"{name} is there already") from error
            raise
        return str(container.id)

    def _run(self, image: str, command: Sequence[str], **options: Any) -> str:
        with translated(f"running {command[0]} in {image}"):
            # As entry point: an image's own would get the command as its arguments, and may serve for ever.
            output: bytes = self._client.containers.run(
                image, entrypoint=list(command), remove=True, **self._sandbox | options
            )
            return output.decode(errors="replace")

    @property
    def _sandbox(self) -> dict[str, Any]:
        return sandbox.options(self.project)

    # -- images --------------------------------------------------------------------------------------

    def image_id(self, name: str) -> str | None:
        """Return the image's id, or None where the engine does not have it."""
        with translated(f"looking for image {name}"):
            try:
                return str(self._client.images.get(name).id)
            except ImageNotFound:
                return None

    def every_image(self) -> list[Image]:
        """Return the engine's images, the newest first: none is older than what it starts from."""
        with translated("listing the images"):
            listed = sorted(self._client.api.images(), key=lambda image: image["Created"], reverse=True)
        return [
            Image(
                str(image["Id"]),
                tuple(name for name in image["RepoTags"] or () if "<none>" not in name),
                image["Labels"] or {},
            )
            for image in listed
        ]

    def named_at(self, image_id: str) -> datetime:
        """Return when the image was last given a name, by a build that found all of it ready too."""
        with translated(f"inspecting image {image_id}"):
            attrs = self._client.images.get(image_id).attrs
        times = ((attrs.get("Metadata") or {}).get("LastTagTime"), attrs["Created"])
        return max(datetime.fromisoformat(time) for time in times if time)

    def pull(self, repository: str, tag: str) -> None:
        """Fetch an image from its registry. Raises EngineError."""
        with translated(f"pulling {repository}:{tag}"):
            self._patient.images.pull(repository, tag=tag)

    def load_rootfs(self, archive: Path, repository: str, tag: str) -> None:
        """Make an image of a tar file that holds a root file system. Raises EngineError."""
        labels = images.labels(self.project, f"{repository}:{tag}")
        changes = [f"LABEL {name}={value}" for name, value in labels.items()]
        with translated(f"importing {repository}:{tag}"):
            answer = self._patient.api.import_image_from_file(
                str(archive), repository=repository, tag=tag, changes=changes
            )
        for line in answer.splitlines():
            if error := json.loads(line).get("error"):
                raise EngineError(f"importing {repository}:{tag} failed: {error}")

    def remove_unnamed_image(self, image_id: str) -> None:
        """Remove the image where a later build took its last name; one that somebody named again stays."""
        with translated(f"removing image {image_id}"), suppress(ImageNotFound):
            if not self._client.images.get(image_id).tags:
                self._client.images.remove(image_id)

    def remove_image(self, name: str) -> bool:
        """Remove the image, or only its name where others have it too; return whether it was there."""
        with translated(f"removing image {name}"):
            try:
                self._client.images.remove(name)
            except ImageNotFound:
                return False
            return True

    def remove_unused_image(self, name: str) -> str:
        """Remove the image, or only its name where others have it too.

        Returns why it stays, in words, and nothing where it is gone.
        """
        with translated(f"removing image {name}"):
            try:
                self._client.images.remove(name)
            except ImageNotFound:
                return ""
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise
                users = self._client.containers.list(all=True, filters={"ancestor": name}, ignore_removed=True)
                return ", ".join(f"container {user.name} uses it" for user in users) or reason(error)
            return ""


@dataclass(frozen=True)
class NamedContainer:
    """A container that is found by its name; it was made at `created_s`, by the engine's clock, since 1970."""

    id: str
    status: str
    labels: Mapping[str, str]
    created_s: float


class NameTakenError(EngineError):
    """Another container has the name."""


class _LostError(EngineError):
    """A container is not there any more."""

    def __init__(self, service: str):
        super().__init__(f"{service} has no container any more: it was removed from outside")


def _removed(name: str, remove: Callable[[], None]) -> list[str]:
    """Remove one object and return nothing, or its name and why it stays."""
    try:
        remove()
    except NotFound:
        return []
    except APIError as error:
        # Another removal of the same object may be under way: then it is as good as gone.
        return [] if "already in progress" in str(error) else [f"{name} ({reason(error)})"]
    return []


def _frames(connection: Any) -> Iterator[tuple[int, bytes]]:
    """Yield what comes: the number of an output, and a part of what was written to it.

    docker's SDK would wait at the socket for what TLS has read from there already. Raises TimeoutError after SILENCE_S.
    """
    connection.settimeout(SILENCE_S)
    try:
        while len(header := _received(connection, FRAME.size)) == FRAME.size:
            output, size = FRAME.unpack(header)
            yield output, _received(connection, size)
    except TimeoutError as error:
        raise TimeoutError(f"nothing came for {SILENCE_S} s") from error


def _received(connection: Any, size: int) -> bytes:
    """Return so many bytes, or what came until the connection ended."""
    received = b""
    while len(received) < size and (chunk := connection.recv(size - len(received))):
        received += chunk
    return received


def _hang_up(stream: Any) -> None:
    """Close a connection that a container is attached to, with all that has a part in it.

    docker's SDK hands out the innermost of it, and hangs the response that owns the connection on that. With the
    innermost alone closed, the connection stays open, and Python from 3.13 on complains when the response is collected.
    """
    getattr(stream, "_response", stream).close()
    stream.close()


# -- which engine is meant ---------------------------------------------------------------------------


def is_engine_named() -> bool:
    """Return whether the caller has chosen another engine than this machine's own, by DOCKER_HOST or by a context."""
    return bool(os.environ.get("DOCKER_HOST")) or _context_name() != DEFAULT_CONTEXT


def engine_address() -> dict[str, str]:
    """Return the environment that leads Compose to the same engine; empty where DOCKER_HOST does that.

    Compose v1 knows the contexts of config.json, but not DOCKER_CONTEXT. With DOCKER_HOST the engine's own builder is
    called "default" whatever the context's name. Raises SetupError.
    """
    if os.environ.get("DOCKER_HOST"):
        return {}
    context = _context()
    address = {"DOCKER_HOST": str(context.Host)}
    if (tls := context.TLSConfig) and tls.ca_cert:
        # The context's folder has the files under the names that DOCKER_CERT_PATH asks for.
        address |= {"DOCKER_CERT_PATH": str(Path(tls.ca_cert).parent), "DOCKER_TLS_VERIFY": "1"}
    return address


def _context_name() -> str:
    """Return the name of the docker context in force, as docker's own command line finds it."""
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT_CONTEXT
    return str(os.environ.get("DOCKER_CONTEXT") or get_current_context_name() or DEFAULT_CONTEXT)


def _context() -> Context:
    """Return the docker context in force. Raises SetupError where there is none of its name that names an engine."""
    name = _context_name()
    context = ContextAPI.get_context(name)
    if context is None or not context.Host:
        # Left to itself, docker's SDK would take the default engine for it.
        raise SetupError(
            f"the docker context {name} does not exist; "
            "`docker context use` one of `docker context ls`, or set DOCKER_HOST"
        )
    return context


# -- its errors, in words ----------------------------------------------------------------------------


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise EngineError, in one line, for whatever goes wrong with the engine in the with block."""
    try:
        yield
    except (DockerException, requests.RequestException, OSError) as error:
        raise EngineError(f"{doing} failed: {reason(error)}{_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    if "no space left" in str(error).lower():
        return "; free space on the engine's disk"
    return "; start the engine again" if isinstance(error, requests.ConnectionError) else ""


def reason(error: Exception) -> str:
    """Return the error in one line; of a lost or refused connection, its cause."""
    explanation = getattr(error, "explanation", None) or str(error) or type(error).__name__
    cause = CAUSE.search(str(explanation))
    return next(filter(None, cause.groups())) if cause else " ".join(str(explanation).split())[:300]
