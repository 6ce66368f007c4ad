"""Measures the same load in turns: as the lab does it, without its looking at answers, and with wrk typed by hand."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from benchlab.calibration import calibrate
from benchlab.core.errors import WrkError
from benchlab.core.model import Entry, Level
from benchlab.machine import overhead, stage
from benchlab.machine.overhead import Overhead
from benchlab.machine.stage import Lab
from benchlab.measuring import fetch, serving, wrk
from benchlab.measuring.serving import Server
from benchlab.plan import workloads
from benchlab.plan.workloads import WORKLOADS
from benchlab.storage.store import Unkept

TEST = "json"
ACCEPT, PATH = WORKLOADS[TEST].accept, WORKLOADS[TEST].path
ROUND_S = 1
# How long lab and engine are watched while a load runs, and its first and last seconds, in which they are not.
WATCHED_S, MARGIN_S = 8, 2


def compare(lab: Lab, name: str, level: int, rounds: int, seed: int) -> tuple[dict[str, dict[int, float]], Overhead]:
    """Return the requests per second of each way by round, and the CPU of lab and engine while a load runs.

    The ways are calibrate's, in an order of chance within each round; `level` is how many connections they use.
    """
    with stage.stage(lab, [name]), _serving(lab, name, level) as load:
        ways: dict[str, Callable[[], float]] = {
            calibrate.LAB: load.checked,
            calibrate.UNCHECKED: load.unchecked,
            calibrate.PLAIN: load.typed,
        }
        return _in_turns(ways, rounds, random.Random(seed)), _overhead(load, overhead.is_here(lab.engine))


@dataclass(frozen=True)
class _Load:
    """The load of a running entry, each way that it can be made; each returns requests per second."""

    server: Server
    entry: Entry
    level: Level

    def checked(self, duration_s: int = ROUND_S) -> float:
        """Return the rate that the lab measures."""
        return self._observed(duration_s, fetch.job(serving.target(self.entry), ACCEPT, PATH))

    def unchecked(self) -> float:
        """Return the rate that the lab would measure if it did not look at answers meanwhile."""
        return self._observed(ROUND_S, None)

    def typed(self) -> float:
        """Return the rate that wrk prints when it is typed by hand, for the same requests."""
        command = self._command(ROUND_S)
        script = command.index("-s")
        printed = self.server.host.execute("wrk", [*command[:script], *command[script + 2 :]]).stdout
        if not (match := re.search(r"Requests/sec:\s+([\d.]+)", printed)):
            raise WrkError(f"wrk printed no rate: {printed[-200:]}")
        return float(match[1])

    def _observed(self, duration_s: int, check: Mapping[str, object] | None) -> float:
        containers = self.server.containers(self.entry)
        job = wrk.observed(self._command(duration_s), containers, None, check)
        return wrk.parse(self.server.host.execute("wrk", job).stdout).load.requests_per_second

    def _command(self, duration_s: int) -> list[str]:
        return wrk.command(self.level, serving.target(self.entry), PATH, ACCEPT, duration_s)


@contextmanager
def _serving(lab: Lab, name: str, connections: int) -> Iterator[_Load]:
    """Run the entry, warmed up a little, for the length of the with block."""
    (level,) = workloads.levels(TEST, (connections,), lab.client_cpus)
    entry = lab.topology.entries[name]
    server = Server(lab.engine, [name], Unkept(lab.state).keep_log)
    with server.serve(entry, "bias"):
        load = _Load(server, entry, level)
        load.checked()
        yield load


def _in_turns(
    ways: Mapping[str, Callable[[], float]], rounds: int, chance: random.Random
) -> dict[str, dict[int, float]]:
    order = list(ways)
    rates: dict[str, dict[int, float]] = {way: {} for way in ways}
    for number in range(rounds):
        chance.shuffle(order)
        for way in order:
            rates[way][number] = ways[way]()
    return rates


def _overhead(load: _Load, here: bool) -> Overhead:
    """Return the CPU that lab and, where it is `here`, the engine use while a load runs, without its start and end."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(load.checked, 2 * MARGIN_S + WATCHED_S)
        time.sleep(MARGIN_S)
        before = overhead.read(here)
        time.sleep(WATCHED_S)
        used = overhead.between(before, overhead.read(here))
        running.result()
    return used
