"""Single requests, sent from inside the wrk container: where the load comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Protocol

from benchlab.answers import Answer, answer
from benchlab.engine import Executed
from benchlab.errors import EngineError
from benchlab.model import PORT

# An entry may take up to 20 s to tell of an outage of its database.
TIMEOUT_S = 30
# How long one look for a server that is starting waits for it: to connect, and to answer.
KNOCK_S = 2
LOADED_TIMEOUT_S = 10


class Executor(Protocol):
    def execute(self, service: str, command: list[str]) -> Executed: ...


def job(target: str, accept: str, path: str, port: int = PORT) -> dict[str, object]:
    """Return what load.py needs to ask for answers under load: a slow one must not hold up the run for long."""
    return {"host": target, "port": port, "accept": accept, "path": path, "timeout_s": LOADED_TIMEOUT_S}


def answers(host: Executor, target: str, accept: str, paths: Iterable[str], port: int = PORT) -> tuple[Answer, ...]:
    """Return the target's answers to the paths, in order. Raises EngineError."""
    job = {"host": target, "port": port, "accept": accept, "timeout_s": TIMEOUT_S, "patience_s": 0}
    return _fetch(host, {**job, "paths": list(paths)})


def knock(host: Executor, target: str, path: str, port: int = PORT) -> bool:
    """Return whether the target answers anything at all, after looking for 2 s. Raises EngineError."""
    job = {"host": target, "port": port, "accept": "*/*", "timeout_s": KNOCK_S, "patience_s": KNOCK_S}
    return _fetch(host, {**job, "paths": [path]})[0].status != 0


def _fetch(host: Executor, job: dict[str, object]) -> tuple[Answer, ...]:
    result = host.execute("wrk", ["python3", "/wrk/fetch.py", json.dumps(job)])
    if result.exit_code != 0:
        said = result.stderr.strip()[-300:] or f"exit code {result.exit_code}: the container may have ended"
        raise EngineError(f"fetch.py in wrk failed: {said}")
    return tuple(map(answer, json.loads(result.stdout)))
