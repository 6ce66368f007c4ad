"""The one fake of the tests: an engine whose containers answer, lie or die on demand."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchlab.contract.payloads import FORTUNES
from benchlab.core.errors import EngineError
from benchlab.engine.command import Executed
from benchlab.records.seen import SCHEMA, ContainerReading
from benchlab.run.slices import MARK as SLICE_MARK
from benchlab.run.wrk import MARK, SEEN_MARK

WORLD = {row_id: row_id for row_id in range(1, 10_001)}
REPORT = {
    "duration_us": 2_010_000,
    "requests": 1000,
    "bytes": 150_000,
    "latency": {
        "mean_us": 10_000_000.0,  # so slow that by Little's law every connection of any level was busy
        "stdev_us": 100.0,
        "max_us": 12_000_000.0,
        "p50_us": 10_000_000.0,
        "p75_us": 10_000_000.0,
        "p90_us": 10_000_000.0,
        "p99_us": 11_000_000.0,
        "p99_9_us": 12_000_000.0,
    },
    "errors": {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0},
}


READING: dict[str, Any] = {
    "host": {
        "busy_us": 0,
        "interrupts_us": 0,
        "idle_us": 0,
        "stolen_us": 0,
        "swapped_pages": 0,
        "memory_stalled_us": 0,
        "io_stalled_us": 0,
        "thermal_throttles": None,
    },
    "roles": {
        role: {"cpu_us": 0, "throttled_periods": 0, "oom_kills": 0, "memory_bytes": 80_000_000}
        for role in ("client", "app", "db")
    },
}


def seen(
    wall_us: int = 2_050_000,
    stolen_us: int = 0,
    answers: list[dict[str, object]] | None = None,
    kills: tuple[int, int] = (0, 0),
    clock_set_us: int = 0,
    busy_us: int = 3_000_000,
    received: Sequence[tuple[int, int]] = ((0, 0), (1_000_000, 75_000), (2_000_000, 150_000)),
) -> str:
    """Return what load.py tells of a calm run on two CPUs, in which the hypervisor took `stolen_us`.

    `kills` are how often the kernel had killed a process of the app for its memory, before the load and after it.
    """
    host = READING["host"] | {"busy_us": busy_us, "idle_us": 1_100_000, "stolen_us": stolen_us}
    roles = {role: usage | {"cpu_us": 1_000_000} for role, usage in READING["roles"].items()}
    found = {
        "schema": SCHEMA,
        "wall_us": wall_us,
        "idle_before": True,
        "clock_set_us": clock_set_us,
        "aside_us": 100_000,
        "before": {"at_us": 0, "host": READING["host"], "roles": _with_kills(READING["roles"], kills[0])},
        "after": {"at_us": wall_us + 2000, "host": host, "roles": _with_kills(roles, kills[1])},
        "speeds_us": [[5000], [5000]],
        "received_us_bytes": received,
        "memory_bytes": dict.fromkeys(roles, 90_000_000),
        "ports": {"range": 28_232, "waiting": 0},
        "answers": answers or [],
        "steady": True,
    }
    return f"{SEEN_MARK}{json.dumps(found)}\n"


def printed(wall_us: int = 2_050_000, stolen_us: int = 0, kills: tuple[int, int] = (0, 0), **changes: object) -> str:
    """Return what load.py prints, with some of wrk's counts changed."""
    return f"Running 2s test\n{MARK}{json.dumps(REPORT | changes)}\n{seen(wall_us, stolen_us, kills=kills)}"


def sliced(load: str, number: int, window_us: int, **changes: object) -> str:
    """Return what rounds.py prints of a slice on two calm CPUs, with some of its keys changed."""
    host = READING["host"] | {"busy_us": window_us, "idle_us": window_us}
    roles = {role: usage | {"cpu_us": window_us // 3} for role, usage in READING["roles"].items()}
    found = {
        "schema": SCHEMA,
        "load": load,
        "round": number,
        "wall_us": window_us + 150_000,
        "took_us": window_us + 200_000,
        "report": REPORT,
        "window": {
            "duration_us": window_us,
            "requests": window_us // 1000,
            "is_exact": True,
            "read_requests": window_us // 1000,
            "before": READING | {"at_us": 0},
            "after": {"at_us": window_us, "host": host, "roles": roles},
            "idle_entries_cpu_us": 0,
            "clock_set_us": 0,
        },
        "speeds_us": [[5000]],
        "idle_before": True,
        "ports": {"range": 28_232, "waiting": 0},
        "answers": [],
        "is_gone": False,
    }
    return SLICE_MARK + json.dumps(found | changes)


def _table(rows: Mapping[int, int]) -> str:
    return "".join(f"{row_id},{number}\n" for row_id, number in rows.items())


def _with_kills(roles: dict[str, dict[str, int]], kills: int) -> dict[str, dict[str, int]]:
    return roles | {"app": roles["app"] | {"oom_kills": kills}}


class FakeHost:
    """Runs nothing. `done` lists what was asked of it, in order.

    `lies` names entries whose json is wrong, `forgets` those that never write an update, `quotes` those that write it
    to `twin` instead of `world`, `remembers` those that answer every query from memory, `still` those whose Date stands
    still; `on_load` is called
    with the running entry and the number of the load (from 1), and may change the host or return what load.py prints.
    `commands` are those of wrk, `jobs` those of load.py; `ports` are those that single requests went to; `table` is
    what the kernel tells of an entry's sockets; `chatter` is how many lines a second entries write to their logs;
    `late` is how services end that do so late; `cpusets` are the CPUs that services may use, as the kernel writes them;
    `on_slice` is called with the entry and the number of the slice (from 1), and may change the host or return keys of
    the slice that are other ones; `slices` are those that were taken, by load and round.
    `impostors` are the services that answer under the names of entries.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: set[str] = set()
        self.lies: set[str] = set()
        self.forgets: set[str] = set()
        self.remembers: set[str] = set()
        self.still: set[str] = set()
        self.second = self.fetched = 0
        self.drawn = 0
        self.counted: dict[str, list[int]] = {}
        self.quotes: set[str] = set()
        self.world, self.twin = dict(WORLD), dict(WORLD)
        self.mute: set[str] = set()
        self.stillborn: set[str] = set()
        self.dead: dict[str, str] = {}
        self.gone = False
        self.on_load: Callable[[str, int], str | None] = lambda entry, number: None
        self.loads: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self.jobs: list[dict[str, Any]] = []
        self.ports: set[int] = set()
        self.table = ""
        self.chatter = 0.0
        self.late: dict[str, str] = {}
        self.cpusets: dict[str, str | None] = {}
        self.impostors: dict[str, str] = {}
        self.on_slice: Callable[[str, int], dict[str, object] | None] = lambda entry, number: None
        self.slices: list[tuple[str, int]] = []
        self.asked = ""
        self.networks: dict[str, list[str]] = {}

    @property
    def entry(self) -> str:
        """Return the entry that is asked: the one that runs, of several the one that was asked last."""
        up = sorted(each for each in self.running - {"db", "wrk"} if not each.startswith("nginx"))
        return self.asked if self.asked in up else next(iter(up), "")

    def start(self, service: str) -> None:
        self._refuse_if_gone()
        self.done.append(f"start {service}")
        self.running.add(service)
        self.dead.pop(service, None)
        if service in self.stillborn:
            self.dead[service] = f"{service} ended (exit code 3)"

    def networks_of(self, service: str) -> list[str]:
        return list(self.networks.setdefault(service, [f"made for {service}"]))

    def join_network(self, network_id: str, service: str, aliases: Sequence[str]) -> None:
        self.networks[service].append(network_id)

    def leave_network(self, network: str, service: str) -> None:
        self.networks[service].remove(network)

    def stop(self, service: str) -> str | None:
        self.done.append(f"stop {service}")
        self.running.discard(service)
        return self.late.get(service)

    def casualty(self, service: str) -> str | None:
        self._refuse_if_gone()
        return self.dead.get(service, None if service in self.running else f"{service} ended (exit code 0)")

    def casualties(self, services: Iterable[str]) -> dict[str, str]:
        return {service: how for service in services if (how := self.casualty(service))}

    def addresses(self, service: str) -> frozenset[str]:
        return frozenset([f"address of {service}"])

    def container_id(self, service: str) -> str:
        return f"id-of-{service}"

    def usage(self, service: str) -> ContainerReading:
        """Return a second of CPU time and a megabyte more each time it is asked."""
        self.done.append(f"usage {service}")
        asked = self.done.count(f"usage {service}")
        return ContainerReading(asked * 1_000_000, 0, None, asked * 1_000_000)

    def log(self, service: str) -> str:
        return f"{service} is tired"

    def log_lines_per_s(self, service: str) -> float:
        self.done.append(f"log {service}")
        return self.chatter

    def sockets(self, service: str, beside: str) -> str:
        return self.table

    def answers(self) -> bool:
        return not self.gone

    @contextmanager
    def converse(self, service: str, command: list[str], line: str) -> Iterator[Iterator[str]]:
        self._refuse_if_gone()
        yield self._slices(json.loads(line))

    def _slices(self, job: dict[str, Any]) -> Iterator[str]:
        gone: set[str] = set()
        for each in job["slices"]:
            load = job["loads"][each["load"]]
            if load["entry"] in gone:
                continue
            self.slices.append((each["load"], each["round"]))
            changes = self.on_slice(load["entry"], len(self.slices)) or {}
            self._refuse_if_gone()
            # Without the database no entry is loaded any more.
            if self.dead.keys() & {load["entry"], "db"}:
                gone.add(load["entry"])
                changes = {"window": None, "report": None, "is_gone": True}
            yield sliced(each["load"], each["round"], int(load["window_s"] * 1e6), **changes)

    def execute(self, service: str, command: list[str]) -> Executed:
        self._refuse_if_gone()
        if command == ["pristine-world"]:
            self.done.append("pristine-world")
            self.world, self.twin = dict(WORLD), dict(WORLD)
            return Executed(0, _table(self.world), "")
        if command[0] == "print-world":
            return Executed(0, _table(self.world if command[1] == "world" else self.twin), "")
        if command[0] == "count-statements":
            return Executed(0, self._count(command[1]), "")
        if "/wrk/fetch.py" in command:
            return Executed(0, self._fetch(json.loads(command[-1])), "")
        if "/wrk/burst.py" in command:
            job = json.loads(command[-1])
            # Only a start asks for any kind of answer: many connections, of which nothing is held against the contract.
            return Executed(0, self._connected(job) if job["accept"] == "*/*" else self._burst(job), "")
        if "/wrk/resolve.py" in command:
            return Executed(0, json.dumps({name: self._found_under(name) for name in json.loads(command[-1])}), "")
        if "/wrk/cpusets.py" in command:
            roles = json.loads(command[-1]).items()
            return Executed(
                0, json.dumps({role: self.cpusets.get(of.removeprefix("id-of-")) for role, of in roles}), ""
            )
        if "/wrk/load.py" in command:
            return self._wrk(json.loads(command[-1]))
        return Executed(0, "", "")

    def _found_under(self, name: str) -> list[str]:
        role, _, entry = name.partition("-")
        service = self.impostors.get(entry, entry if role == "app" else f"nginx-for-{entry}")
        return [f"address of {service}"]

    def _wrk(self, job: dict[str, Any]) -> Executed:
        command = job["command"]
        url = next(word for word in command if word.startswith("http://"))
        self.jobs.append(job)
        entry = url.partition("//")[2].partition(":")[0].partition("-")[2]
        self.loads.append((entry, url))
        self.commands.append(" ".join(command))
        output = self.on_load(entry, len(self.loads))
        self._refuse_if_gone()
        return Executed(0, printed() if output is None else output, "")

    def _count(self, switch: str) -> str:
        """Count from now on, after printing what the statements on each table came to."""
        self.done.append(f"count-statements {switch}")
        lines = [",".join(map(str, [table, *counts])) for table, counts in self.counted.items()]
        self.counted = {"world": [0] * 4, "fortune": [0] * 4}
        return "\n".join(lines) if switch == "take" else ""

    def _fetch(self, job: dict[str, Any]) -> str:
        """Answer a second later than the time before."""
        self.fetched += 1
        self.ports.add(job["port"])
        self.second += 1
        return json.dumps([[self._fetched(request["path"], job) for request in requests] for requests in job["groups"]])

    def _fetched(self, path: str, job: dict[str, Any]) -> dict[str, object]:
        self.asked = entry = job["host"].partition("-")[2]
        if entry in self.mute or entry in self.dead:
            return {"path": path, "error": "refused"}
        return self.answer(path)

    def _connected(self, job: dict[str, Any]) -> str:
        self.done.append(f"connections {job['path']}")
        return json.dumps({"right": job["requests"], "answers": []})

    def _burst(self, job: dict[str, Any]) -> str:
        self.asked = job["host"].partition("-")[2]
        self.done.append(f"burst {job['path']}")
        answers = [self.answer(job["path"]) for _ in range(job["requests"])]
        return json.dumps({"right": len(answers), "answers": answers[: job["shown"]]})

    def answer(self, path: str) -> dict[str, object]:
        """Return the entry's answer as fetch.py prints it."""
        body, kind = self._body(path)
        date = "now" if self.entry in self.still else f"second {self.second}"
        headers = [("Server", "fake"), ("Date", date), ("Content-Type", kind), ("Content-Length", str(len(body)))]
        return {
            "path": path,
            "status": 200,
            "version": 11,
            "closing": False,
            "reopened": False,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
        }

    def _body(self, path: str) -> tuple[bytes, str]:
        if path == "/plaintext":
            return b"Hello, World!", "text/plain"
        if path == "/fortunes":
            return self._fortunes(), "text/html; charset=utf-8"
        return json.dumps(self._value(path)).encode(), "application/json"

    def _fortunes(self) -> bytes:
        self._caused("fortune", 1, 12)
        lines = (f"<tr><td>{row_id}</td><td>{html.escape(message)}</td></tr>" for row_id, message in FORTUNES)
        return f"<table>{''.join(lines)}</table>".encode()

    def _value(self, path: str) -> object:
        if path == "/json":
            return {"message": "No" if self.entry in self.lies else "Hello, World!"}
        if path == "/db":
            self.drawn = self.drawn % len(WORLD) + 1
            return self._read(self.drawn)
        sent = path.partition("=")[2]
        count = min(max(int(sent), 1), 500) if sent.lstrip("-").isdecimal() else 1
        if path.startswith("/updates"):
            return [self._updated(row_id) for row_id in range(1, count + 1)]
        if path.startswith("/cached"):
            return [{"id": row_id, "randomNumber": self.world[row_id]} for row_id in range(1, count + 1)]
        return [self._read(row_id) for row_id in range(1, count + 1)]

    def _read(self, row_id: int) -> dict[str, int]:
        self._caused("world", 1, 1)
        return {"id": row_id, "randomNumber": self.world[row_id]}

    def _updated(self, row_id: int) -> dict[str, int]:
        table = self.twin if self.entry in self.quotes else self.world
        number = table[row_id] % len(WORLD) + 1
        self._caused("world", 1, 1, writes=1)
        if self.entry not in self.forgets:
            table[row_id] = number
        return {"id": row_id, "randomNumber": number}

    def _caused(self, table: str, reads: int, rows: int, writes: int = 0) -> None:
        """Count statements, where they are counted."""
        if self.counted and self.entry not in self.remembers:
            for place, number in enumerate((reads, rows, writes, writes)):
                self.counted[table][place] += number

    def _refuse_if_gone(self) -> None:
        if self.gone:
            raise EngineError("the engine is gone")
