"""Brings an entry up beside a pristine database, for one life of its container, and down again."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from benchlab.contract import statements
from benchlab.contract.answers import World
from benchlab.contract.statements import Counted
from benchlab.core.errors import EngineError, EntryError
from benchlab.engine import capacity
from benchlab.engine.engine import Executed
from benchlab.experiment import placement
from benchlab.experiment.workloads import in_order
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import NO_PROXY, Entry, Target
from benchlab.records.run import ITS_LOG
from benchlab.records.seen import ContainerReading
from benchlab.run import diagnosis, fetch

READY_S = 30
# So often for each of its workers, the same stands in the log of an entry whose workers die over and over.
MOST_RAISED = 2
LATE_ENDS = (
    "no sample is harmed, but each visit takes so much longer; if the host is not just busy, have the container's "
    "first process end at SIGTERM (start the server with `exec`, or set the STOPSIGNAL that it ends at)"
)
# The name under which every entry is reached; a proxy is reached by its service's own name.
ENTRY_HOST = "tfb-server"
# World's twin, for entries that quote identifiers.
TWIN = '"World"'


class Host(Protocol):
    """What is needed of an engine; a test passes in one that fails on demand."""

    def start(self, service: str) -> None: ...
    def stop(self, service: str) -> str | None: ...
    def casualty(self, service: str) -> str | None: ...
    def log(self, service: str) -> str: ...
    def log_lines_per_s(self, service: str) -> float: ...
    def container_id(self, service: str) -> str: ...
    def usage(self, service: str) -> ContainerReading: ...
    def execute(self, service: str, command: list[str]) -> Executed: ...
    def sockets(self, service: str, beside: str) -> str: ...
    def answers(self) -> bool: ...


@dataclass(frozen=True)
class Server:
    """Serves one of `entries` at a time, with what the entry says in front of it.

    `keep_log(name, text)` keeps the log of a container that is lost, and returns where. `say` is told in a line of each
    service that does not end when it is asked to, once; `slow_to_stop` are those that it has been told of.
    """

    host: Host
    entries: Collection[str]
    keep_log: Callable[[str, str], str]
    ready_s: int = READY_S
    say: Callable[[str], None] = lambda line: None
    slow_to_stop: set[str] = field(default_factory=set)

    @contextmanager
    def serve(self, entry: Entry, life: str) -> Iterator[World]:
        """Run the entry, and the proxy in front of it, for the length of the with block; yield World.

        World is as it was before any request.
        `life` names this life of the containers, for the logs that are kept.
        Raises EntryError where one of them never gets ready, EngineError where the database does not.
        """
        self._stop_others(entry.name)
        # The database takes longest to start.
        self.host.start("db")
        self.host.start("wrk")
        world = _world(self._execute("db", "pristine-world"))
        # A look whether it answers is a request like any other: it must not change World.
        path = entry.tests[in_order(entry.tests)[0]]
        with ExitStack() as stack:
            for service, name in ((entry.name, ENTRY_HOST), *((proxy, proxy) for proxy in _proxies(entry))):
                stack.enter_context(self._running(service))
                self._wait(service, Target(name, entry.port), path, life, _workers(entry))
            yield world

    def world(self, table: str = "world") -> World:
        """Return World, or its twin, as it is now. Raises EngineError."""
        return _world(self._execute("db", "print-world", table))

    @contextmanager
    def counting(self) -> Iterator[Callable[[], dict[str, Counted]]]:
        """Have the entry's statements counted for the length of the with block.

        Yields what returns them by table, those since it was last called. Counting costs throughput, so it is switched
        off again whatever happens. Raises EngineError.
        """
        self._execute("db", "count-statements", "on")
        try:
            yield lambda: statements.parse(self._execute("db", "count-statements", "take"))
        finally:
            self._execute("db", "count-statements", "off")

    def check(self, entry: Entry, life: str, doing: str) -> None:
        """Raise EntryError where a container that takes part has ended; `doing` says meanwhile of what."""
        for service in (entry.name, "db", "wrk", *_proxies(entry)):
            if casualty := self.host.casualty(service):
                raise self._lost(service, life, casualty, f"{doing}, {casualty}")

    def containers(self, entry: Entry) -> dict[str, str]:
        """Return the id of the container in each role."""
        return {role: self.host.container_id(service) for role, service in _services(entry).items()}

    def other_cpus(self, entry: Entry, planned: Mapping[str, tuple[int, ...]]) -> str | None:
        """Return in words which role's container may use other CPUs than were planned for it; None where none does.

        What the host does not tell is not known. Raises EngineError.
        """
        job = json.dumps(self.containers(entry))
        found = json.loads(self._execute("wrk", "python3", "/wrk/cpusets.py", job))
        services = _services(entry)
        for role, cpus in found.items():
            if cpus and (other := capacity.differing(planned, role, sorted(placement.expanded(cpus)))):
                return f"{services[role]} runs on CPUs {other}"
        return None

    def usage(self, entry: Entry) -> dict[str, ContainerReading]:
        """Return what each role's container has used so far, as the engine tells. Raises EngineError."""
        return {role: self.host.usage(service) for role, service in _services(entry).items()}

    def _stop_others(self, name: str) -> None:
        """Stop entries that an earlier life failed to stop: they would answer under the same name."""
        for other in self.entries:
            if other != name and self.host.casualty(other) is None:
                self._stop(other)

    @contextmanager
    def _running(self, service: str) -> Iterator[None]:
        """Run the service; a failing stop never hides what ended the with block."""
        try:
            self.host.start(service)
            yield
        except BaseException:
            with suppress(EngineError):
                self._stop(service)
            raise
        self._stop(service)

    def _stop(self, service: str) -> None:
        how = self.host.stop(service)
        if how and service not in self.slow_to_stop:
            self.slow_to_stop.add(service)
            self.say(f"{service} {how}; {LATE_ENDS}")

    def _wait(self, service: str, target: Target, path: str, life: str, workers: int | None) -> None:
        """Return as soon as the service answers anything at all. Raises EntryError.

        Where it is known how many `workers` it has, it is not waited for while these die over and over.
        """
        began_s = time.monotonic()
        while not fetch.knock(self.host, target, path):
            if casualty := self.host.casualty(service):
                raise self._lost(service, life, casualty, f"in start-up, {casualty}")
            if time.monotonic() - began_s > self.ready_s:
                brief = f"{service} did not answer {path} on port {target.port} within {self.ready_s} s of its start"
                raise self._lost(service, life, brief, brief + self._why_silent(service, target.port))
            raised = Counter(diagnosis.raised(self.host.log(service)))
            if workers and max(raised.values(), default=0) >= MOST_RAISED * workers and self._listens_nowhere(service):
                brief = f"{service} raised the same again and again, and nothing listens in its container"
                raise self._lost(service, life, brief, f"in start-up, {brief}")

    def _listens_nowhere(self, service: str) -> bool:
        """Return whether nothing listens in the service's container; what cannot be seen is not known."""
        try:
            return not diagnosis.sockets(self.host.sockets(service, "wrk"))
        except EngineError:
            return False

    def _why_silent(self, service: str, port: int) -> str:
        """Return why the service gave no answer, nothing where that cannot be seen."""
        try:
            table = self.host.sockets(service, "wrk")
        except EngineError:
            return ""
        return f": {diagnosis.why_silent(table, port, fetch.KNOCK_S)}"

    def _lost(self, service: str, life: str, brief: str, what: str) -> EntryError:
        """Return the error with the end of the service's log, after keeping all of it: its container will be gone."""
        log = self.host.log(service)
        kept = self.keep_log(f"{life}-{service}", log)
        return EntryError(f"{'; '.join(filter(None, [what, diagnosis.told(log)]))}{ITS_LOG}{kept}", brief)

    def _execute(self, service: str, *command: str) -> str:
        result = self.host.execute(service, list(command))
        if result.exit_code != 0:
            raise EngineError(f"{command[0]} in {service} failed: {(result.stderr or result.stdout).strip()[-300:]}")
        return result.stdout


def target(entry: Entry) -> Target:
    """Return where the entry's load goes to: a proxy has the entry's own port."""
    return Target(ENTRY_HOST if entry.proxy == NO_PROXY else entry.proxy, entry.port)


def _workers(entry: Entry) -> int | None:
    """Return how many workers the entry is said to have; None where that is not said."""
    told = entry.labels.get("workers", "")
    return int(told) if told.isdecimal() else None


def _proxies(entry: Entry) -> tuple[str, ...]:
    return () if entry.proxy == NO_PROXY else (entry.proxy,)


def _services(entry: Entry) -> dict[str, str]:
    services = {CLIENT: "wrk", APP: entry.name, DB: "db"}
    return services if entry.proxy == NO_PROXY else services | {PROXY: entry.proxy}


def _world(lines: str) -> dict[int, int]:
    return {int(row_id): int(number) for row_id, number in (line.split(",") for line in lines.split())}
