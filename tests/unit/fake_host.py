"""The one fake of the tests: an engine whose containers answer, lie or die on demand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from benchlab.engine import Executed
from benchlab.errors import EngineError
from benchlab.wrk import MARK, WALL_MARK

WORLD = {row_id: row_id for row_id in range(1, 10_001)}
REPORT = {
    "duration_us": 2_010_000,
    "requests": 1000,
    "bytes": 150_000,
    "latency": {
        "mean_us": 2000.0,
        "stdev_us": 100.0,
        "max_us": 9000.0,
        "p50_us": 1900.0,
        "p75_us": 2100.0,
        "p90_us": 2500.0,
        "p99_us": 4000.0,
        "p99_9_us": 8000.0,
    },
    "errors": {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0},
}


def printed(wall_us: int = 2_050_000, **changes: object) -> str:
    """Return what load.py prints, with some of wrk's counts changed."""
    return f"Running 2s test\n{MARK}{json.dumps(REPORT | changes)}\n{WALL_MARK}{wall_us}\n"


class FakeHost:
    """Runs nothing. `done` lists what was asked of it, in order.

    `lies` names entries whose json is wrong; `on_load` is called with the running entry and the number
    of the load (from 1), and may change the host or return what wrk prints. `commands` are those of wrk.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: set[str] = set()
        self.lies: set[str] = set()
        self.mute: set[str] = set()
        self.stillborn: set[str] = set()
        self.dead: dict[str, str] = {}
        self.gone = False
        self.on_load: Callable[[str, int], str | None] = lambda entry, number: None
        self.loads: list[tuple[str, str]] = []
        self.commands: list[str] = []

    @property
    def entry(self) -> str:
        return next(iter(self.running - {"db", "wrk", "nginx"}), "")

    def start(self, service: str) -> None:
        self._refuse_if_gone()
        self.done.append(f"start {service}")
        self.running.add(service)
        self.dead.pop(service, None)
        if service in self.stillborn:
            self.dead[service] = f"{service} is not running (exit code 3)"

    def stop(self, service: str) -> None:
        self.done.append(f"stop {service}")
        self.running.discard(service)

    def casualty(self, service: str) -> str | None:
        self._refuse_if_gone()
        return self.dead.get(service, None if service in self.running else f"{service} is not running (exit code 0)")

    def log(self, service: str) -> str:
        return f"{service} is tired"

    def answers(self) -> bool:
        return not self.gone

    def execute(self, service: str, command: list[str]) -> Executed:
        self._refuse_if_gone()
        if command == ["print-world"]:
            return Executed(0, "".join(f"{row_id},{number}\n" for row_id, number in WORLD.items()), "")
        if "/wrk/fetch.py" in command:
            return Executed(0, self._fetch(json.loads(command[-1])), "")
        if "wrk" in command:
            return self._wrk(command)
        return Executed(0, "", "")

    def _wrk(self, command: list[str]) -> Executed:
        url = next(word for word in command if word.startswith("http://"))
        self.loads.append((self.entry, url))
        self.commands.append(" ".join(command))
        output = self.on_load(self.entry, len(self.loads))
        self._refuse_if_gone()
        return Executed(0, printed() if output is None else output, "")

    def _fetch(self, job: dict[str, object]) -> str:
        paths: list[str] = job["paths"]  # type: ignore[assignment]
        if self.entry in self.mute or self.entry in self.dead:
            return json.dumps([{"path": path, "error": "refused"} for path in paths])
        return json.dumps([self._answer(path) for path in paths])

    def _answer(self, path: str) -> dict[str, object]:
        body, kind = self._body(path)
        headers = [("Server", "fake"), ("Date", "now"), ("Content-Type", kind), ("Content-Length", str(len(body)))]
        return {"path": path, "status": 200, "headers": headers, "body": base64.b64encode(body).decode()}

    def _body(self, path: str) -> tuple[bytes, str]:
        if path == "/plaintext":
            return b"Hello, World!", "text/plain"
        if path == "/json":
            return json.dumps(
                {"message": "No" if self.entry in self.lies else "Hello, World!"}
            ).encode(), "application/json"
        sent = path.partition("=")[2]
        count = min(max(int(sent), 1), 500) if sent.lstrip("-").isdecimal() else 1
        return json.dumps([{"id": n, "randomNumber": n} for n in range(1, count + 1)]).encode(), "application/json"

    def _refuse_if_gone(self) -> None:
        if self.gone:
            raise EngineError("the engine is gone")
