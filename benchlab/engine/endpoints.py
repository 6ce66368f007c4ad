"""Where each role of a measurement is: on which engine, in which service's container, at which address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from benchlab.engine.command import Executed, Executor, command_output
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import NO_PROXY, Entry, Target
from benchlab.records.seen import ContainerReading

# The services of compose.yaml that serve every entry.
CLIENT_SERVICE, DATABASE_SERVICE = "wrk", "db"
# The contract's names: those of every entry, and of its database, in the entry's own network.
ENTRY_HOST, DATABASE_HOST = "tfb-server", "tfb-database"
# What name servers take as a part of a name, and as much of an entry's name as another name is made of.
DNS_LABEL, NOT_DNS, MOST_LETTERS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), re.compile(r"[^a-z0-9]+"), 40


class Host(Executor, Protocol):
    """What is needed of an engine; a test passes in one that fails on demand."""

    def converse(self, service: str, command: list[str], line: str) -> AbstractContextManager[Iterator[str]]: ...
    def start(self, service: str) -> None: ...
    def stop(self, service: str) -> str | None: ...
    def casualty(self, service: str) -> str | None: ...
    def casualties(self, services: Iterable[str]) -> dict[str, str]: ...
    def addresses(self, service: str) -> frozenset[str]: ...
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

    def addresses(self) -> frozenset[str]:
        """Return the addresses of the container while it runs."""
        return self.engine.addresses(self.service)

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

    def converse(self, command: list[str], line: str) -> AbstractContextManager[Iterator[str]]:
        """Run the command with the line on its input, and yield the lines that it prints while it runs.

        Its input stays open as long as the with block, and this process.
        """
        return self.engine.converse(self.service, command, line)

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

    def _app(self, entry: Entry) -> ServingEndpoint:
        return ServingEndpoint(APP, self.engines[APP], entry.name, app_address(entry))

    def _proxy(self, entry: Entry) -> ServingEndpoint | None:
        if entry.proxy == NO_PROXY:
            return None
        return ServingEndpoint(PROXY, self.engines[PROXY], proxy_service(entry), load_address(entry))


def app_address(entry: Entry) -> Target:
    """Return where the load generator reaches the entry itself: by a name of its own, and as the contract calls it."""
    return Target(_own_name(APP, entry), entry.port, ENTRY_HOST)


def load_address(entry: Entry) -> Target:
    """Return where the entry's load goes to: a proxy has the entry's own port."""
    return app_address(entry) if entry.proxy == NO_PROXY else Target(_own_name(PROXY, entry), entry.port, ENTRY_HOST)


def proxy_service(entry: Entry) -> str:
    """Return the service of the proxy that stands in front of this entry alone."""
    return f"{entry.proxy}-for-{entry.name}"


def _own_name(role: str, entry: Entry) -> str:
    """Return a name that name servers take, and that is no other container's: services are called otherwise."""
    name = f"{role}-{entry.name}"
    if DNS_LABEL.fullmatch(name):
        return name
    digest = hashlib.sha256(entry.name.encode()).hexdigest()[:8]
    return f"{NOT_DNS.sub('-', name.lower())[:MOST_LETTERS].strip('-')}-{digest}"
