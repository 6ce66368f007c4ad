"""Measures the same load in turns: as the lab does it, without its looking at answers, and with wrk typed by hand."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from benchlab.core.errors import WrkError
from benchlab.engine import stage
from benchlab.engine.stage import Lab
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.plan import Level, Target
from benchlab.run import fetch, wrk
from benchlab.run.group import Group
from benchlab.run.lifecycle import RunningEntry
from benchlab.selftest import calibrate, overhead
from benchlab.selftest.check import Overhead
from benchlab.storage.store import Unkept

TEST = "json"
ACCEPT, PATH = WORKLOADS[TEST].accept, WORKLOADS[TEST].path
ROUND_S = 1
# How long lab and engine are watched while a load runs, and its first and last seconds, in which they are not.
WATCHED_S, MARGIN_S = 8, 2
# So many rounds in all are taken anew, or the watching of lab and engine is: one bad load of hundreds ends nothing.
MOST_ANEW = 5

Taken = TypeVar("Taken")


def compare(lab: Lab, name: str, level: int, rounds: int, seed: int) -> tuple[dict[str, dict[int, float]], Overhead]:
    """Return the requests per second of each way by round, and the CPU of lab and engine while a load runs.

    The ways are calibrate's, in an order of chance within each round; `level` is how many connections they use. Raises
    WrkError where loads go on to fail.
    """
    with stage.stage(lab, [name]), _serving(lab, name, level) as load:
        ways: dict[str, Callable[[], float]] = {
            calibrate.LAB: load.checked,
            calibrate.UNCHECKED: load.unchecked,
            calibrate.PLAIN: load.typed,
        }
        here = overhead.is_here(lab.engine)
        # The shorter of the two first: where it cannot be had, nothing is lost.
        (used,) = anew(lambda: _overhead(load, here), 1)
        return in_turns(ways, rounds, random.Random(seed)), used


@dataclass(frozen=True)
class _Load:
    """The load of a running entry, each way that it can be made; each returns requests per second."""

    running: RunningEntry
    level: Level

    @property
    def _target(self) -> Target:
        return self.running.endpoints.front.address

    def checked(self, duration_s: int = ROUND_S) -> float:
        """Return the rate that the lab measures."""
        return self._observed(duration_s, fetch.job(self._target, ACCEPT, PATH))

    def unchecked(self) -> float:
        """Return the rate that the lab would measure if it did not look at answers meanwhile."""
        return self._observed(ROUND_S, None)

    def typed(self) -> float:
        """Return the rate that wrk prints when it is typed by hand, for the same requests."""
        command = self._command(ROUND_S)
        script = command.index("-s")
        printed = self.running.endpoints.client.execute([*command[:script], *command[script + 2 :]]).stdout
        if not (match := re.search(r"Requests/sec:\s+([\d.]+)", printed)):
            raise WrkError(f"wrk printed no rate; it ended with: {' '.join(printed[-200:].split())}")
        return float(match[1])

    def _observed(self, duration_s: int, check: Mapping[str, object] | None) -> float:
        at = self.running.endpoints
        job = wrk.observed(self._command(duration_s), at.containers_near_load(), None, check)
        return wrk.parse(closed, at.client.execute(job).stdout).load.requests_per_second

    def _command(self, duration_s: int) -> list[str]:
        return closed.command(self.level, self._target, PATH, ACCEPT, duration_s)


@contextmanager
def _serving(lab: Lab, name: str, connections: int) -> Iterator[_Load]:
    """Run the entry, warmed up a little, for the length of the with block."""
    (level,) = closed.levels_of(TEST, (connections,), lab.client_cpus)
    entry = lab.topology.entries[name]
    keep_log = Unkept(lab.state).keep_log
    group = Group([entry], lab.roles, [entry], keep_log, say=lab.say, patterns=lab.patterns)
    with group.only_up("bias") as running:
        load = _Load(running, level)
        load.checked()
        yield load


def in_turns(
    ways: Mapping[str, Callable[[], float]], rounds: int, chance: random.Random
) -> dict[str, dict[int, float]]:
    """Return the rates of each way by round, all of them positive; a round in which a load fails is taken anew.

    Raises WrkError where that happens too often.
    """
    measured = anew(lambda: _round(ways, chance), rounds)
    return {way: {number: rates[way] for number, rates in enumerate(measured)} for way in ways}


def anew(take: Callable[[], Taken], times: int) -> list[Taken]:
    """Return what was taken, so many times; what fails is taken anew. Raises the WrkError after MOST_ANEW of them."""
    taken: list[Taken] = []
    failed = 0
    while len(taken) < times:
        try:
            taken.append(take())
        except WrkError:
            failed += 1
            if failed > MOST_ANEW:
                raise
    return taken


def _round(ways: Mapping[str, Callable[[], float]], chance: random.Random) -> dict[str, float]:
    """Return the rate of each way, measured in an order of chance. Raises WrkError, also where a rate is 0."""
    rates = {way: ways[way]() for way in chance.sample(list(ways), len(ways))}
    if silent := [way for way, rate in rates.items() if not rate > 0]:
        raise WrkError(f"{silent[0]}: no request was answered in {ROUND_S} s; see whether the entry still runs")
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
