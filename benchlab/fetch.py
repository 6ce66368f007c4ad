"""Single requests, sent from inside the wrk container: where the load comes from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Protocol

from benchlab.engine import Executed
from benchlab.errors import EngineError
from benchlab.verify import Answer
from benchlab.wrk import PORT

TIMEOUT_S = 15
PATIENCE_S = 2


class Executor(Protocol):
    def execute(self, service: str, command: list[str]) -> Executed: ...


def answers(host: Executor, target: str, accept: str, paths: Iterable[str], patience_s: int = 0) -> tuple[Answer, ...]:
    """Return the target's answers to the paths, in order.

    `patience_s` seconds are spent on trying again where nothing listens yet. Raises EngineError.
    """
    job = {
        "host": target,
        "port": PORT,
        "accept": accept,
        "timeout_s": TIMEOUT_S,
        "patience_s": patience_s,
        "paths": list(paths),
    }
    result = host.execute("wrk", ["python3", "/wrk/fetch.py", json.dumps(job)])
    if result.exit_code != 0:
        raise EngineError(f"fetch.py in wrk failed: {result.stderr.strip()[-300:]}")
    return tuple(_answer(answer) for answer in json.loads(result.stdout))


def _answer(answer: dict[str, object]) -> Answer:
    if "error" in answer:
        return Answer(str(answer["path"]), error=str(answer["error"]))
    pairs: list[tuple[str, str]] = answer["headers"]  # type: ignore[assignment]
    return Answer(
        path=str(answer["path"]),
        status=int(str(answer["status"])),
        headers={name.lower(): value for name, value in pairs},
        body=base64.b64decode(str(answer["body"])),
    )
