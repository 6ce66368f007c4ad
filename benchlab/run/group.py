"""Brings entries up together beside a pristine database, and down again; one that is lost costs no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from benchlab.contract.answers import World
from benchlab.core.errors import EngineError, EntryError
from benchlab.core.log_patterns import LogPatterns
from benchlab.engine.endpoints import Endpoint, Endpoints, Roles, ServingEndpoint
from benchlab.experiment import grouping
from benchlab.records.plan import Entry
from benchlab.run import fetch
from benchlab.run.database import Database
from benchlab.run.lifecycle import Lifetime, RunningEntry
from benchlab.run.readiness import READY_S, WORKERS_S, Readiness
from benchlab.run.state import SessionState

# Starts and stops at a time.
MOST_AT_ONCE = 32
LATE_ENDS = (
    "no sample is harmed; unless the host is busy, its first process does not end at SIGTERM: use `exec`, or STOPSIGNAL"
)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Up:
    """The entries of a group that are up, by name: `running`; `lost` says why the others are not.

    `world` is World as it was before any request.
    """

    def __init__(self, group: Group, lifetime: Lifetime, world: World):
        self.running: dict[str, RunningEntry] = {}
        self.lost: dict[str, EntryError | EngineError] = {}
        self.world = world
        self.lifetime = lifetime
        self._group = group

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

    @contextmanager
    def only_up(self, name: str) -> Iterator[RunningEntry]:
        """Run the only entry of the group, as `up` does. Raises EntryError where it never gets ready."""
        (entry,) = self.entries
        with self.up(name) as up:
            if error := up.lost.get(entry.name):
                raise error
            yield up.running[entry.name]

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

        batches = grouping.batches(self.entries)
        results = [result for batch in batches for result in _at_once(start, batch, over)]
        for entry, result in zip(self.entries, results, strict=True):
            if isinstance(result, RunningEntry):
                up.running[entry.name] = result
            else:
                up.lost[entry.name] = result
        self._refuse_other_names(up)
        self._tell_unsure(up)

    def _started(self, entry: Entry, up: Up, over: Event) -> RunningEntry:
        """Start the entry and wait until it serves. Raises EntryError, EngineError; what it started is ended then."""
        at, unsure = self.roles.of(entry), ""
        readiness = Readiness(entry, self.roles.client, up.lifetime, self.ready_s, over)
        try:
            for endpoint in at.serving:
                endpoint.start()
                readiness.await_answer(endpoint)
                if endpoint is at.app:
                    # One that showed too few once in a session is not waited for again.
                    unsure = readiness.await_workers(endpoint, 0.0 if self.state.is_unsure(entry.name) else WORKERS_S)
        except (EntryError, EngineError):
            with suppress(EngineError):
                self.end([at])
            raise
        return RunningEntry(entry, at, up.world, up.lifetime, unsure)

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
        if not own and (casualty := endpoint.casualty()):
            raise lifetime.lost(endpoint, casualty, f"in start-up, {casualty}")
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
