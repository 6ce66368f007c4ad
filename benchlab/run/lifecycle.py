"""Brings an entry up beside a pristine database, and down again: one lifetime of its containers; asks the database."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from benchlab.contract import statements
from benchlab.contract.answers import World
from benchlab.contract.statements import Counted
from benchlab.core.errors import EngineError, EntryError
from benchlab.core.log_patterns import LogPatterns
from benchlab.engine import capacity
from benchlab.engine.endpoints import Endpoint, Endpoints, Roles, ServingEndpoint
from benchlab.experiment import placement
from benchlab.experiment.workloads import in_order
from benchlab.records.plan import Entry
from benchlab.records.run import ITS_LOG
from benchlab.run import diagnosis, fetch
from benchlab.run.state import SessionState

READY_S = 30
# So often for each of its workers, the same stands in the log of an entry whose workers die over and over.
MOST_RAISED = 2
LATE_ENDS = (
    "no sample is harmed; unless the host is busy, its first process does not end at SIGTERM: use `exec`, or STOPSIGNAL"
)
# World's copy, for entries that quote identifiers.
QUOTED_COPY = '"World"'


@dataclass(frozen=True)
class Lifetime:
    """One lifetime of an entry's containers.

    `keep_log(name, text)` keeps the log of one that is lost, and says where. `patterns` are what servers log of their
    own start and end.
    """

    name: str
    keep_log: Callable[[str, str], str]
    patterns: LogPatterns = field(default_factory=LogPatterns)

    def lost(self, endpoint: Endpoint, summary: str, what: str) -> EntryError:
        """Return the error with the end of the container's log, after keeping all of it: it will be gone."""
        log = endpoint.log()
        kept = self.keep_log(f"{self.name}-{endpoint.service}", log)
        why = "; ".join(filter(None, [what, diagnosis.why_ended(log, self.patterns)]))
        return EntryError(f"{why}{ITS_LOG}{kept}", summary)


@dataclass(frozen=True)
class RunningEntry:
    """An entry that is up; `world` is World as it was before any request."""

    entry: Entry
    endpoints: Endpoints
    world: World
    lifetime: Lifetime

    @property
    def database(self) -> Database:
        return Database(self.endpoints.database)

    def check(self, doing: str) -> None:
        """Raise EntryError where a container that takes part has ended; `doing` says meanwhile of what."""
        at = self.endpoints
        for endpoint in (at.app, at.database, at.client, *at.serving[1:]):
            if casualty := endpoint.casualty():
                raise self.lifetime.lost(endpoint, casualty, f"{doing}, {casualty}")

    def other_cpus(self, planned: Mapping[str, tuple[int, ...]]) -> str | None:
        """Return in words which role's container may use other CPUs than were planned for it; None where none does.

        What the host does not report is not known. Raises EngineError.
        """
        at = self.endpoints
        job = json.dumps(at.containers_near_load())
        cpusets = json.loads(at.client.output("python3", "/wrk/cpusets.py", job))
        for endpoint in at.every:
            cpus = cpusets.get(endpoint.role)
            if cpus and (other := capacity.differing(planned, endpoint.role, sorted(placement.expanded(cpus)))):
                return f"{endpoint.service} runs on CPUs {other}"
        return None


@dataclass(frozen=True)
class EntryLifecycle:
    """Starts an entry with what takes part beside it, and ends it.

    Of the `others`, those that would answer under the entry's name do not run meanwhile. `say` gets a line on each
    service that does not end when it is asked to, once in a session. `patterns` are as in Lifetime.
    """

    entry: Entry
    roles: Roles
    others: Collection[Entry]
    keep_log: Callable[[str, str], str]
    ready_s: int = READY_S
    say: Callable[[str], None] = lambda line: None
    state: SessionState = field(default_factory=SessionState)
    patterns: LogPatterns = field(default_factory=LogPatterns)

    @property
    def endpoints(self) -> Endpoints:
        return self.roles.of(self.entry)

    @contextmanager
    def up(self, name: str) -> Iterator[RunningEntry]:
        """Run the entry, and the proxy in front of it, for the length of the with block.

        `name` names this lifetime of the containers, for the logs that are kept.
        Raises EntryError where one of them never gets ready, EngineError where the database does not.
        """
        self._stop_rivals()
        at, lifetime = self.endpoints, Lifetime(name, self.keep_log, self.patterns)
        # The database takes longest to start.
        self._start_database()
        at.client.start()
        world = Database(at.database).pristine_world()
        with ExitStack() as stack:
            for endpoint in at.serving:
                stack.enter_context(self._running(endpoint))
                self._wait(endpoint, lifetime)
            yield RunningEntry(self.entry, at, world, lifetime)

    def _start_database(self) -> None:
        """Start the database, and say so where it ended since the last visit."""
        database = self.endpoints.database
        if self.state.database_ran and (casualty := database.casualty()):
            self.say(f"{casualty}: it is started again")
        database.start()
        self.state.database_ran = True

    def _stop_rivals(self) -> None:
        """Stop entries that an earlier lifetime failed to stop, and that would answer under the same name."""
        for rival in self.roles.rivals(self.entry, self.others):
            if rival.casualty() is None:
                self._stop(rival)

    @contextmanager
    def _running(self, endpoint: Endpoint) -> Iterator[None]:
        """Run the container; a failing stop never hides what ended the with block."""
        try:
            endpoint.start()
            yield
        except BaseException:
            with suppress(EngineError):
                self._stop(endpoint)
            raise
        self._stop(endpoint)

    def _stop(self, endpoint: Endpoint) -> None:
        how = endpoint.stop()
        if how and not self.state.is_slow_to_stop(endpoint.service):
            self.state.add_slow_to_stop(endpoint.service)
            self.say(f"{endpoint.service} {how}; {LATE_ENDS}")

    def _wait(self, endpoint: ServingEndpoint, lifetime: Lifetime) -> None:
        """Return as soon as the endpoint answers anything at all. Raises EntryError.

        Where it is known how many workers the entry has, it is not waited for while these die over and over.
        """
        # A look whether it answers is a request like any other: it must not change World.
        path, port = self.entry.tests[in_order(self.entry.tests)[0]], endpoint.address.port
        service, workers = endpoint.service, _workers(self.entry)
        client, began_s = self.endpoints.client, time.monotonic()
        while not fetch.knock(client, endpoint.address, path):
            if casualty := endpoint.casualty():
                raise lifetime.lost(endpoint, casualty, f"in start-up, {casualty}")
            if time.monotonic() - began_s > self.ready_s:
                summary = f"{service} did not answer {path} on port {port} within {self.ready_s} s of its start"
                raise lifetime.lost(endpoint, summary, summary + _why_silent(endpoint, port, client))
            raised = Counter(diagnosis.exceptions(endpoint.log()))
            most = max(raised.values(), default=0)
            if workers and most >= MOST_RAISED * workers and _listens_nowhere(endpoint, client):
                summary = f"{service} raised the same again and again, and nothing listens in its container"
                raise lifetime.lost(endpoint, summary, f"in start-up, {summary}")


def _listens_nowhere(endpoint: Endpoint, beside: Endpoint) -> bool:
    """Return whether nothing listens in the container; what cannot be seen is not known."""
    try:
        return not diagnosis.sockets(endpoint.sockets(beside))
    except EngineError:
        return False


def _why_silent(endpoint: Endpoint, port: int, beside: Endpoint) -> str:
    """Return why there was no answer, nothing where that cannot be seen."""
    try:
        table = endpoint.sockets(beside)
    except EngineError:
        return ""
    return f": {diagnosis.why_silent(table, port, fetch.KNOCK_S)}"


def _workers(entry: Entry) -> int | None:
    """Return how many workers its label gives the entry; None without one."""
    label = entry.labels.get("workers", "")
    return int(label) if label.isdecimal() else None


@dataclass(frozen=True)
class Database:
    """The database at an endpoint, which runs or is starting. What is asked of it raises EngineError where it fails."""

    endpoint: Endpoint

    def pristine_world(self) -> World:
        """Return World as it is before any request, after restoring it."""
        return _world(self.endpoint.output("pristine-world"))

    def world(self, table: str = "world") -> World:
        """Return World, or its quoted copy, as it is now."""
        return _world(self.endpoint.output("print-world", table))

    @contextmanager
    def counting(self) -> Iterator[Callable[[], dict[str, Counted]]]:
        """Have statements counted for the length of the with block.

        Yields what returns them by table, those since it was last called. Counting costs throughput, so it is switched
        off again whatever happens.
        """
        self.endpoint.output("count-statements", "on")
        try:
            yield lambda: statements.parse(self.endpoint.output("count-statements", "take"))
        finally:
            self.endpoint.output("count-statements", "off")


def _world(lines: str) -> World:
    return {int(row_id): int(number) for row_id, number in (line.split(",") for line in lines.split())}
