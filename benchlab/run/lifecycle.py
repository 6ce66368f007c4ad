"""Brings entries up beside a pristine database, and down again: one lifetime of containers; asks the database."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from benchlab.contract import claims, statements
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
# How long workers are waited for after the first answer, and how often that is looked at.
WORKERS_S, LOOK_S = 10.0, 0.1
# So many connections for each worker are answered before the entry is loaded.
CONNECTIONS_EACH = 32
# Starts and stops at a time.
MOST_AT_ONCE = 32
# So often for each of its workers, the same stands in the log of an entry whose workers die over and over.
MOST_RAISED = 2
LATE_ENDS = (
    "no sample is harmed; unless the host is busy, its first process does not end at SIGTERM: use `exec`, or STOPSIGNAL"
)
Item = TypeVar("Item")
Result = TypeVar("Result")
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
    """An entry that is up; `world` is World as it was before any request.

    `unsure` says in words what is not known of its workers; nothing where all were seen to serve.
    """

    entry: Entry
    endpoints: Endpoints
    world: World
    lifetime: Lifetime
    unsure: str = ""

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


class Up:
    """The entries of a group that are up, by name: `running`; `lost` says why the others are not.

    `world` is World as it was before any request. What is not known of who answers is said once in a session.
    """

    def __init__(self, group: Group, lifetime: Lifetime, world: World):
        self.running: dict[str, RunningEntry] = {}
        self.lost: dict[str, EntryError | EngineError] = {}
        self.world = world
        self.lifetime = lifetime
        self._group = group

    @property
    def database(self) -> Database:
        return Database(self._group.roles.database)

    def check(self, doing: str) -> dict[str, EntryError]:
        """Move the entries whose containers have ended to the lost ones, and return why, by name.

        Each is looked for, loaded or idle; `doing` says meanwhile of what: "while json 32 of crax was measured". Raises
        EntryError where database or load generator have ended, which all of them share, and EngineError.
        """
        shared = (self._group.roles.database, self._group.roles.client)
        serving = {name: each.endpoints.serving for name, each in self.running.items()}
        ended = _ended([*shared, *(endpoint for endpoints in serving.values() for endpoint in endpoints)])
        for endpoint in shared:
            if casualty := ended.get((endpoint.role, endpoint.service)):
                raise self.lifetime.lost(endpoint, casualty, f"{doing}, {casualty}")
        losses: dict[str, EntryError] = {}
        for name, endpoints in serving.items():
            for endpoint in endpoints:
                casualty = ended.get((endpoint.role, endpoint.service))
                if casualty and name not in losses:
                    losses[name] = self.lifetime.lost(endpoint, casualty, f"{doing}, {casualty}")
        for name, error in losses.items():
            self.lose(name, error)
        return losses

    def lose(self, name: str, error: EntryError | EngineError) -> None:
        """Go on without the entry: its containers end, so that they take nothing from the others."""
        at = self.running.pop(name).endpoints
        self.lost[name] = error
        with suppress(EngineError):
            self._group.end([at])


class _GivenUpError(Exception):
    """An entry's start is not waited for any more: the lab is to end."""


@dataclass(frozen=True)
class Group:
    """Starts entries beside one database and one load generator, all at once, and ends them.

        with Group(entries, roles, others, keep_log).up("block1") as up:
            for name, running in up.running.items(): ...

    Of the `others`, none runs meanwhile. `say` gets a line on each service that does not end when it is asked to, and
    on each entry of whose workers not all are known to serve, once in a session. `patterns` are as in Lifetime.
    """

    entries: Sequence[Entry]
    roles: Roles
    others: Collection[Entry]
    keep_log: Callable[[str, str], str]
    ready_s: float = READY_S
    say: Callable[[str], None] = lambda line: None
    state: SessionState = field(default_factory=SessionState)
    patterns: LogPatterns = field(default_factory=LogPatterns)

    @contextmanager
    def up(self, name: str) -> Iterator[Up]:
        """Run the entries, and the proxies in front of them, for the length of the with block.

        One that never gets ready, or does not answer under its own name, is among the lost and costs no other.
        `name` names this lifetime of the containers, for the logs that are kept. Raises EngineError where the
        database does not get ready.
        """
        self._end_others()
        # The database takes longest to start.
        self._start_database()
        self.roles.client.start()
        up = Up(self, Lifetime(name, self.keep_log, self.patterns), Database(self.roles.database).pristine_world())
        try:
            self._bring_up(up)
            yield up
        except BaseException:
            with suppress(EngineError):
                self.end(self._not_lost(up))
            raise
        self.end(self._not_lost(up))

    def end(self, every: Sequence[Endpoints]) -> None:
        """End what serves there, all at once, a proxy before its entry; a failing stop does not keep the others.

        Raises the first EngineError when all have been asked.
        """
        failed: list[EngineError] = []
        late: list[tuple[str, str]] = []

        def stop(at: Endpoints) -> None:
            for endpoint in reversed(at.serving):
                try:
                    if how := endpoint.stop():
                        late.append((endpoint.service, how))
                except EngineError as error:
                    failed.append(error)

        _at_once(stop, every)
        for service, how in late:
            if not self.state.is_slow_to_stop(service):
                self.state.add_slow_to_stop(service)
                self.say(f"{service} {how}; {LATE_ENDS}")
        if failed:
            raise failed[0]

    def _start_database(self) -> None:
        """Start the database, and say so where it ended since the last visit."""
        database = self.roles.database
        if self.state.database_ran and (casualty := database.casualty()):
            self.say(f"{casualty}: it is started again")
        database.start()
        self.state.database_ran = True

    def _not_lost(self, up: Up) -> list[Endpoints]:
        return [self.roles.of(entry) for entry in self.entries if entry.name not in up.lost]

    def _end_others(self) -> None:
        """End what an earlier lifetime failed to end: it would take part unasked, or not be in its first lifetime."""
        known = {entry.name: self.roles.of(entry) for entry in (*self.others, *self.entries)}
        ended = _ended([each for at in known.values() for each in at.serving])
        self.end([at for at in known.values() if any((each.role, each.service) not in ended for each in at.serving)])

    def _bring_up(self, up: Up) -> None:
        """Start all, and wait until each serves or is lost."""
        over = Event()

        def start(entry: Entry) -> RunningEntry | EntryError | EngineError:
            try:
                return self._started(entry, up, over)
            except (EntryError, EngineError) as error:
                return error

        results = _at_once(start, self.entries, over)
        for entry, result in zip(self.entries, results, strict=True):
            if isinstance(result, RunningEntry):
                up.running[entry.name] = result
            else:
                up.lost[entry.name] = result
        self._refuse_other_names(up)
        self._tell_unsure(up)

    def _started(self, entry: Entry, up: Up, over: Event) -> RunningEntry:
        """Start the entry and wait until it serves. Raises EntryError, EngineError; what it started is ended then."""
        at, lifetime = self.roles.of(entry), up.lifetime
        unsure = ""
        try:
            for endpoint in at.serving:
                endpoint.start()
                self._wait(entry, endpoint, lifetime, over)
                if endpoint is at.app:
                    unsure = self._await_workers(entry, at, over)
        except (EntryError, EngineError):
            with suppress(EngineError):
                self.end([at])
            raise
        return RunningEntry(entry, at, up.world, lifetime, unsure)

    def _wait(self, entry: Entry, endpoint: ServingEndpoint, lifetime: Lifetime, over: Event) -> None:
        """Return as soon as the endpoint answers anything at all. Raises EntryError.

        Where it is known how many workers the entry has, it is not waited for while these die over and over.
        """
        # A look whether it answers is a request like any other: it must not change World.
        path, port = _harmless_path(entry), endpoint.address.port
        service, workers = endpoint.service, _workers(entry)
        client, began_s = self.roles.client, time.monotonic()
        while not fetch.knock(client, endpoint.address, path):
            if over.is_set():
                raise _GivenUpError
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

    def _await_workers(self, entry: Entry, at: Endpoints, over: Event) -> str:
        """Wait until all workers serve, as far as that can be seen; return in words what is not known of them.

        The first answer is one worker's. That a worker has started stands in the log of an entry that keeps to the
        lab's line for that; of others it shows where each worker listens on a socket of its own. An entry that showed
        too few once in a session is not waited for again. Then more connections than workers are answered at once.
        """
        workers = _workers(entry)
        if workers == 1:
            return ""
        patience_s = 0.0 if self.state.is_unsure(entry.name) else min(WORKERS_S, self.ready_s)
        over_s = time.monotonic() + patience_s
        unsure = ""
        while workers is not None:
            serving = _serving(at.app, at.client)
            if serving is None:
                unsure = f"whether all of its {workers} workers serve is not known: its log has no line of each"
                break
            if serving >= workers:
                break
            if over.is_set():
                raise _GivenUpError
            if time.monotonic() >= over_s:
                unsure = f"{serving} of its {workers} workers were seen to serve when it was loaded"
                break
            time.sleep(LOOK_S)
        fetch.burst(at.client, at.app.address, "*/*", _harmless_path(entry), CONNECTIONS_EACH * (workers or 1))
        return unsure

    def _refuse_other_names(self, up: Up) -> None:
        """Lose each entry whose address leads the load generator to another container than its own."""
        serving = {name: running.endpoints.serving for name, running in up.running.items()}
        names = [endpoint.address.host for endpoints in serving.values() for endpoint in endpoints]
        known = fetch.addresses(self.roles.client, names) if names else {}
        for name, endpoints in serving.items():
            try:
                for endpoint in endpoints:
                    self._refuse_other_name(endpoint, known.get(endpoint.address.host, []), up.lifetime)
            except (EntryError, EngineError) as error:
                up.lose(name, error)

    def _refuse_other_name(self, endpoint: ServingEndpoint, seen: Collection[str], lifetime: Lifetime) -> None:
        own = endpoint.addresses()
        if not seen or not own.issuperset(seen):
            summary = f"{endpoint.service} is not what answers under its name"
            raise lifetime.lost(
                endpoint,
                summary,
                f"{summary}: {endpoint.address.host} leads to {', '.join(seen) or 'no address'}, and its container has "
                f"{', '.join(sorted(own)) or 'none'}",
            )

    def _tell_unsure(self, up: Up) -> None:
        for name, running in up.running.items():
            if running.unsure and not self.state.is_unsure(name):
                self.state.add_unsure(name)
                self.say(f"{name}: {running.unsure}")


@dataclass(frozen=True)
class EntryLifecycle:
    """Starts one entry alone with what takes part beside it, and ends it: a group of one. Fields are as in Group."""

    entry: Entry
    roles: Roles
    others: Collection[Entry]
    keep_log: Callable[[str, str], str]
    ready_s: float = READY_S
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
        group = Group(
            (self.entry,), self.roles, self.others, self.keep_log, self.ready_s, self.say, self.state, self.patterns
        )
        with group.up(name) as up:
            if error := up.lost.get(self.entry.name):
                raise error
            yield up.running[self.entry.name]


def _at_once(do: Callable[[Item], Result], items: Sequence[Item], over: Event | None = None) -> list[Result]:
    """Return what came of each item, in order, all done at the same time; `over` is set where that is interrupted."""
    if not items:
        return []
    with ThreadPoolExecutor(max_workers=min(len(items), MOST_AT_ONCE)) as pool:
        futures = [pool.submit(do, item) for item in items]
        try:
            wait(futures)
        except BaseException:
            if over:
                over.set()
            raise
    return [future.result() for future in futures]


def _ended(endpoints: Sequence[Endpoint]) -> dict[tuple[str, str], str]:
    """Return by role and service how containers ended: each engine is asked once for all that it has."""
    found: dict[tuple[str, str], str] = {}
    for engine in {id(endpoint.engine): endpoint.engine for endpoint in endpoints}.values():
        here = [endpoint for endpoint in endpoints if endpoint.engine is engine]
        ended = engine.casualties([endpoint.service for endpoint in here])
        found |= {(at.role, at.service): ended[at.service] for at in here if at.service in ended}
    return found


def _serving(app: ServingEndpoint, beside: Endpoint) -> int | None:
    """Return how many workers are seen to serve, by their lines in the log or else their sockets; None is unknown."""
    if told := app.log().count(claims.STARTED):
        return told
    try:
        listening = diagnosis.listeners(app.sockets(beside), app.address.port)
    except EngineError:
        return None
    # One socket may be all workers', who have it of the process that started them.
    return listening if listening > 1 else None


def _harmless_path(entry: Entry) -> str:
    """Return the path of the entry's that writes nothing, as far as it has one."""
    return entry.tests[in_order(entry.tests)[0]]


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
