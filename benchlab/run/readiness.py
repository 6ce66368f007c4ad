"""Waits until what was started serves: until it answers, and until all of its workers do, as far as that shows."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from threading import Event

from benchlab.contract import claims
from benchlab.core.errors import EngineError
from benchlab.engine.endpoints import Endpoint, ServingEndpoint
from benchlab.experiment.workloads import in_order
from benchlab.records.plan import Entry
from benchlab.run import diagnosis, fetch
from benchlab.run.lifecycle import Lifetime

READY_S = 30
# How long workers are waited for after the first answer, and how often that is looked at.
WORKERS_S, LOOK_S = 10.0, 0.1
# So many requests for each worker are answered before the entry is loaded.
REQUESTS_EACH = 32
# So often for each of its workers, the same stands in the log of an entry whose workers die over and over.
MOST_RAISED = 2


class GivenUpError(Exception):
    """An entry's start is not waited for any more: the lab is to end."""


@dataclass(frozen=True)
class Readiness:
    """What of an entry is waited for, by `client`, which asks it, for `ready_s` at the most.

    What is waited for raises GivenUpError once `over` is set.
    """

    entry: Entry
    client: Endpoint
    lifetime: Lifetime
    ready_s: float
    over: Event

    def await_answer(self, endpoint: ServingEndpoint) -> None:
        """Return as soon as the endpoint answers anything at all. Raises EntryError.

        Where it is known how many workers the entry has, it is not waited for while these die over and over.
        """
        port, service, began_s = endpoint.address.port, endpoint.service, time.monotonic()
        while not fetch.knock(self.client, endpoint.address, self._path):
            if self.over.is_set():
                raise GivenUpError
            if casualty := endpoint.casualty():
                raise self.lifetime.lost(endpoint, casualty, f"in start-up, {casualty}")
            if time.monotonic() - began_s > self.ready_s:
                summary = f"{service} did not answer {self._path} on port {port} within {self.ready_s} s of its start"
                raise self.lifetime.lost(endpoint, summary, summary + _why_silent(endpoint, port, self.client))
            raised = Counter(diagnosis.exceptions(endpoint.log()))
            most = max(raised.values(), default=0)
            if self._workers and most >= MOST_RAISED * self._workers and _listens_nowhere(endpoint, self.client):
                summary = f"{service} raised the same again and again, and nothing listens in its container"
                raise self.lifetime.lost(endpoint, summary, f"in start-up, {summary}")

    def await_workers(self, app: ServingEndpoint, patience_s: float = WORKERS_S) -> str:
        """Wait until all workers serve, as far as that can be seen; return in words what is not known of them.

        The first answer is one worker's. That a worker has started stands in the log of an entry that keeps to the
        lab's line for that; of others it shows where each worker listens on a socket of its own. Then requests over
        many connections are answered at once.
        """
        workers = self._workers
        if workers == 1:
            return ""
        over_s = time.monotonic() + min(patience_s, self.ready_s)
        unsure = "" if workers else "how many workers it has is not known: it has no label that says so"
        while workers is not None:
            serving = _serving(app, self.client)
            if serving is None:
                unsure = f"whether all of its {workers} workers serve is not known: its log has no line of each"
                break
            if serving >= workers:
                break
            if self.over.is_set():
                raise GivenUpError
            if time.monotonic() >= over_s:
                unsure = f"{serving} of its {workers} workers were seen to serve when it was loaded"
                break
            time.sleep(LOOK_S)
        requests = REQUESTS_EACH * (workers or 1)
        answered = fetch.burst(self.client, app.address, "*/*", self._path, requests).right
        if not unsure and answered < requests:
            return f"of {requests} requests at once, {answered} were answered with 200 before it was loaded"
        return unsure

    @property
    def _path(self) -> str:
        """Return the path of the entry's that writes nothing, as far as it has one.

        A look whether it answers is a request like any other: it must not change World.
        """
        return self.entry.tests[in_order(self.entry.tests)[0]]

    @property
    def _workers(self) -> int | None:
        """Return how many workers its label gives the entry; None without one."""
        label = self.entry.labels.get("workers", "")
        return int(label) if label.isdecimal() else None


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
