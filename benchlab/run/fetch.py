"""Single requests, sent from inside the client's container: where the load comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchlab.contract.answers import Answer, answer
from benchlab.engine.endpoints import Endpoint
from benchlab.records.plan import Target

# An entry may take up to 20 s to report an outage of its database.
TIMEOUT_S = 30
# How long one look for a server that is starting waits for it: to connect, and to answer.
KNOCK_S = 2
LOADED_TIMEOUT_S = 10
# Several workers of an entry are at work then, each on several requests.
BURST_CONNECTIONS = 32
BURST_SHOWN = 32


@dataclass(frozen=True)
class Request:
    """A request to send; one with a `date` is sent again while its answer comes with that Date."""

    path: str
    accept: str
    date: str | None = None


@dataclass(frozen=True)
class Burst:
    """What came of requests over several connections at once: how many got 200, and some answers, others first."""

    right: int
    answers: tuple[Answer, ...]


def job(target: Target, accept: str, path: str) -> dict[str, object]:
    """Return what load.py needs to ask for answers under load: a slow one must not hold up the run for long."""
    return {**asdict(target), "accept": accept, "path": path, "timeout_s": LOADED_TIMEOUT_S}


def answers(client: Endpoint, target: Target, groups: Sequence[Sequence[Request]]) -> list[tuple[Answer, ...]]:
    """Return the target's answers to each group of requests, in order. Raises EngineError.

    After a request that gets no answer, the others of its group are not sent.
    """
    return _fetch(client, target, groups, TIMEOUT_S, patience_s=0)


def later(client: Endpoint, target: Target, requests: Sequence[Request], patience_s: float) -> tuple[Answer, ...]:
    """Return the target's answers once each has another Date than its request, or the patience is at its end.

    Raises EngineError.
    """
    return _fetch(client, target, [requests], TIMEOUT_S, patience_s)[0]


def knock(client: Endpoint, target: Target, path: str) -> bool:
    """Return whether the target answers anything at all, after looking for 2 s. Raises EngineError."""
    return _fetch(client, target, [[Request(path, "*/*")]], KNOCK_S, KNOCK_S)[0][0].status != 0


def addresses(client: Endpoint, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the addresses that the client finds under each name, none where nobody has it. Raises EngineError."""
    found: dict[str, list[str]] = json.loads(client.output("python3", "/wrk/resolve.py", json.dumps(list(names))))
    return found


def burst(client: Endpoint, target: Target, accept: str, path: str, times: int) -> Burst:
    """Send the request so many times, over 32 connections. Raises EngineError."""
    job = {
        "path": path,
        "accept": accept,
        "requests": times,
        "connections": BURST_CONNECTIONS,
        "shown": BURST_SHOWN,
        "timeout_s": TIMEOUT_S,
    }
    printed = _run(client, "burst.py", target, job)
    return Burst(int(printed["right"]), tuple(map(answer, printed["answers"])))


def _fetch(
    client: Endpoint, target: Target, groups: Sequence[Sequence[Request]], timeout_s: float, patience_s: float
) -> list[tuple[Answer, ...]]:
    job = {
        "groups": [list(map(asdict, requests)) for requests in groups],
        "timeout_s": timeout_s,
        "patience_s": patience_s,
    }
    return [tuple(map(answer, answers)) for answers in _run(client, "fetch.py", target, job)]


def _run(client: Endpoint, script: str, target: Target, job: dict[str, object]) -> Any:
    """Return what the script in the client's container printed of its job."""
    job = {**asdict(target), **job}
    return json.loads(client.output("python3", f"/wrk/{script}", json.dumps(job)))
