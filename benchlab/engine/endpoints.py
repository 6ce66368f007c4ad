"""Where each role of a measurement is: on which engine, in which service's container, at which address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from benchlab.engine.command import Executed, Executor, command_output
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import NO_PROXY, Entry, Target
from benchlab.records.seen import ContainerReading

# The services of compose.yaml that serve every entry.
CLIENT_SERVICE, DATABASE_SERVICE = "wrk", "db"
# The name under which every entry is reached; a proxy is reached by its service's own name.
ENTRY_HOST = "tfb-server"


class Host(Executor, Protocol):
    """What is needed of an engine; a test passes in one that fails on demand."""

    def start(self, service: str) -> None: ...
    def stop(self, service: str) -> str | None: ...
    def casualty(self, service: str) -> str | None: ...
    def log(self, service: str) -> str: ...
    def log_lines_per_s(self, service: str) -> float: ...
    def container_id(self, service: str) -> str: ...
    def usage(self, service: str) -> ContainerReading: ...
    def sockets(self, service: str, beside: str) -> str: ...
    def answers(self) -> bool: ...


@dataclass(frozen=True)
class Endpoint:
    """The place of a role: a service's container on an engine.

    All that is asked of its engine raises EngineError where that fails.
    """

    role: str
    engine: Host
    service: str

    def start(self) -> None:
        self.engine.start(self.service)

    def stop(self) -> str | None:
        """End the container, and return in words how it ended late."""
        return self.engine.stop(self.service)

    def casualty(self) -> str | None:
        """Return how the container ended; None while it runs."""
        return self.engine.casualty(self.service)

    def log(self) -> str:
        return self.engine.log(self.service)

    def log_lines_per_s(self) -> float:
        return self.engine.log_lines_per_s(self.service)

    def container_id(self) -> str:
        return self.engine.container_id(self.service)

    def usage(self) -> ContainerReading:
        """Return what the container has used so far, as the engine counts."""
        return self.engine.usage(self.service)

    def sockets(self, beside: Endpoint) -> str:
        """Return the kernel's table of TCP sockets in the container's network, read with the image of another."""
        return self.engine.sockets(self.service, beside.service)

    def execute(self, command: list[str]) -> Executed:
        return self.engine.execute(self.service, command)

    def output(self, *command: str) -> str:
        """Return what the command prints in the container. Raises EngineError, also where it fails."""
        return command_output(self.engine, self.service, list(command))


@dataclass(frozen=True)
class ServingEndpoint(Endpoint):
    """An endpoint that requests can be sent to, at its address."""

    address: Target


@dataclass(frozen=True)
class Endpoints:
    """The endpoints that take part where one entry is loaded; a proxy only where one is in front of it."""

    client: Endpoint
    app: ServingEndpoint
    database: Endpoint
    proxy: ServingEndpoint | None = None

    @property
    def every(self) -> tuple[Endpoint, ...]:
        return (self.client, self.app, self.database, *([self.proxy] if self.proxy else []))

    @property
    def serving(self) -> tuple[ServingEndpoint, ...]:
        """Return those that requests go through, in the order in which they can be started."""
        return (self.app, self.proxy) if self.proxy else (self.app,)

    @property
    def front(self) -> ServingEndpoint:
        """Return the one that the load goes to."""
        return self.serving[-1]

    def engines_answer(self) -> bool:
        """Return whether every engine that takes part answers."""
        return all(endpoint.engine.answers() for endpoint in self.every)

    def containers_near_load(self) -> dict[str, str]:
        """Return by role the ids of the containers whose counters can be read where the load runs."""
        near = (endpoint for endpoint in self.every if endpoint.engine is self.client.engine)
        return {endpoint.role: endpoint.container_id() for endpoint in near}

    def usage(self) -> dict[str, ContainerReading]:
        """Return by role what the containers have used so far, as their engines count."""
        return {endpoint.role: endpoint.usage() for endpoint in self.every}


@dataclass(frozen=True)
class Roles:
    """Which engine each role is on."""

    engines: Mapping[str, Host]

    @classmethod
    def on_one(cls, engine: Host) -> Roles:
        """Return the roles where one engine has them all."""
        return cls(dict.fromkeys((CLIENT, APP, DB, PROXY), engine))

    @property
    def client(self) -> Endpoint:
        return Endpoint(CLIENT, self.engines[CLIENT], CLIENT_SERVICE)

    @property
    def database(self) -> Endpoint:
        return Endpoint(DB, self.engines[DB], DATABASE_SERVICE)

    def of(self, entry: Entry) -> Endpoints:
        """Return the endpoints that take part where the entry is loaded."""
        return Endpoints(self.client, self._app(entry), self.database, self._proxy(entry))

    def rivals(self, entry: Entry, others: Iterable[Entry]) -> list[Endpoint]:
        """Return the endpoints of other entries that are reached under the same name: one of them can run at a time."""
        host = app_address(entry).host
        return [self._app(each) for each in others if each.name != entry.name and app_address(each).host == host]

    def _app(self, entry: Entry) -> ServingEndpoint:
        return ServingEndpoint(APP, self.engines[APP], entry.name, app_address(entry))

    def _proxy(self, entry: Entry) -> ServingEndpoint | None:
        if entry.proxy == NO_PROXY:
            return None
        return ServingEndpoint(PROXY, self.engines[PROXY], entry.proxy, load_address(entry))


def app_address(entry: Entry) -> Target:
    """Return where the entry itself is reached."""
    return Target(ENTRY_HOST, entry.port)


def load_address(entry: Entry) -> Target:
    """Return where the entry's load goes to: a proxy has the entry's own port."""
    return app_address(entry) if entry.proxy == NO_PROXY else Target(entry.proxy, entry.port)
