"""One lifetime of an entry's containers: what runs of it, and what is left of one that is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchlab.contract.answers import World
from benchlab.core.errors import EntryError
from benchlab.core.log_patterns import LogPatterns
from benchlab.engine import capacity
from benchlab.engine.endpoints import Endpoint, Endpoints
from benchlab.experiment import placement
from benchlab.records.plan import Entry
from benchlab.records.run import ITS_LOG
from benchlab.run import diagnosis
from benchlab.run.database import Database


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
