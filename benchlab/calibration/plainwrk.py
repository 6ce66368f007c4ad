"""Measures the same load in turns: as the lab does it, without its looking at answers, and with wrk typed by hand."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from benchlab.calibration import calibrate
from benchlab.core.errors import WrkError
from benchlab.core.model import Level
from benchlab.machine import overhead, stage
from benchlab.machine.overhead import Overhead
from benchlab.machine.stage import Lab
from benchlab.measuring import fetch, serving, wrk
from benchlab.measuring.bench import Unkept
from benchlab.measuring.serving import Server
from benchlab.plan import workloads
from benchlab.plan.workloads import WORKLOADS

TEST = "json"
ROUND_S = 1
# How long lab and engine are watched while a load runs, and its first and last seconds, in which they are not.
WATCHED_S, MARGIN_S = 8, 2


def compare(lab: Lab, name: str, level: int, rounds: int, seed: int) -> tuple[dict[str, dict[int, float]], Overhead]:
    """Return the requests per second of each way by round, and the CPU of lab and engine while a load runs.

    The ways are calibrate's, in an order of chance within each round; `level` is how many connections they use.
    """
    found = workloads.levels(TEST, (level,), lab.client_cpus)[0]
    ways: dict[str, Callable[[Lab, Server, str, Level], float]] = {
        calibrate.LAB: _observed,
        calibrate.UNCHECKED: partial(_observed, checked=False),
        calibrate.PLAIN: _typed,
    }
    order = list(ways)
    rates: dict[str, dict[int, float]] = {way: {} for way in ways}
    chance = random.Random(seed)
    with stage.stage(lab, [name]), _serving(lab, name, found) as server:
        for number in range(rounds):
            chance.shuffle(order)
            for way in order:
                rates[way][number] = ways[way](lab, server, name, found)
        return rates, _overhead(lab, server, name, found)


@contextmanager
def _serving(lab: Lab, name: str, level: Level) -> Iterator[Server]:
    """Run the entry, warmed up a little, for the length of the with block."""
    server = Server(lab.engine, [name], Unkept(lab.state).keep_log)
    with server.serve(lab.topology.entries[name], "bias"):
        _observed(lab, server, name, level)
        yield server


def _observed(
    lab: Lab, server: Server, name: str, level: Level, duration_s: int = ROUND_S, checked: bool = True
) -> float:
    """Return the rate that the lab measures."""
    entry, accept, path = lab.topology.entries[name], WORKLOADS[TEST].accept, WORKLOADS[TEST].path
    target = serving.target(entry)
    command = wrk.command(level, target, path, accept, duration_s)
    check = fetch.job(target, accept, path) if checked else None
    containers = server.containers(entry)
    result = lab.engine.execute("wrk", wrk.observed(command, containers, None, check))
    return wrk.parse(result.stdout).load.requests_per_second


def _typed(lab: Lab, server: Server, name: str, level: Level) -> float:
    """Return the rate that wrk prints when it is typed by hand, for the same requests."""
    target = serving.target(lab.topology.entries[name])
    command = wrk.command(level, target, WORKLOADS[TEST].path, WORKLOADS[TEST].accept, ROUND_S)
    script = command.index("-s")
    printed = lab.engine.execute("wrk", [*command[:script], *command[script + 2 :]]).stdout
    if not (match := re.search(r"Requests/sec:\s+([\d.]+)", printed)):
        raise WrkError(f"wrk printed no rate: {printed[-200:]}")
    return float(match[1])


def _overhead(lab: Lab, server: Server, name: str, level: Level) -> Overhead:
    """Return the CPU that lab and engine use while a load runs, without what starts and ends it."""
    here = overhead.is_here(lab.engine)
    with ThreadPoolExecutor(max_workers=1) as pool:
        load = pool.submit(_observed, lab, server, name, level, 2 * MARGIN_S + WATCHED_S)
        time.sleep(MARGIN_S)
        before = overhead.read(here)
        time.sleep(WATCHED_S)
        used = overhead.between(before, overhead.read(here))
        load.result()
    return used
