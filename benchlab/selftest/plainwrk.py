"""Measures the same load in turns: in slices, as a long sample, and with wrk typed by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import TypeVar

from benchlab.core.errors import WrkError
from benchlab.engine.stage import Lab
from benchlab.experiment import pace, workloads
from benchlab.experiment.pace import SliceLength
from benchlab.experiment.profiles import PROFILES
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.load import Load
from benchlab.records.plan import Trial
from benchlab.run import fetch, slices, wrk
from benchlab.run.group import Group
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.rounds import WARM_LENGTH
from benchlab.run.slices import SliceResult
from benchlab.selftest.bias import LONG, PLAIN, SLICES
from benchlab.selftest.extent import PROFILE, Turns
from benchlab.storage.store import Unkept

# So many rounds of a test are taken anew: one bad load of hundreds ends nothing.
MOST_ANEW = 5

Taken = TypeVar("Taken")


def compare(lab: Lab, name: str, turns: Mapping[str, Turns], seed: int) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return by test the requests per second of each way, one for each round: bias's ways, in an order of chance.

    The entry is on the stage. Raises WrkError where loads go on to fail.
    """
    entry, chance = lab.topology.entries[name], random.Random(seed)
    keep_log = Unkept(lab.state).keep_log
    group = Group([entry], lab.roles, [entry], keep_log, say=lab.say, patterns=lab.patterns)
    measured = {}
    with group.only_up("plain-wrk") as running:
        for test, of in turns.items():
            lab.say(f"plain wrk: {test} {of.level}, {of.rounds} rounds of slices, a long sample and wrk typed by hand")
            measured[test] = in_turns(_Ways(lab, running, test, of).every, of.rounds, chance)
    return measured


class _Ways:
    """The load of a running entry, each way that it can be made; each returns requests per second."""

    def __init__(self, lab: Lab, running: RunningEntry, test: str, turns: Turns):
        self._lab, self._running, self._test, self._turns = lab, running, test, turns
        (self._level,) = closed.levels_of(test, (turns.level,), lab.client_cpus)
        self._path = workloads.url_path(test, running.entry.tests[test], self._level)
        self._rate(1, WARM_LENGTH)

    @property
    def every(self) -> Mapping[str, Callable[[], float]]:
        return {SLICES: self.slices, LONG: self.long, PLAIN: self.typed}

    def slices(self) -> float:
        return self._rate(self._turns.slices, pace.length(PROFILES[PROFILE].duration_s))

    def long(self) -> float:
        """Return the rate of a sample as it is taken where one entry is up at a time."""
        at, front = self._running.endpoints, self._running.endpoints.front.address
        check = fetch.job(front, WORKLOADS[self._test].accept, self._path)
        job = wrk.observed(self._command(), at.containers_near_load(), None, check, self._lab.allowed_cpus)
        return wrk.parse(closed, at.client.execute(job).stdout).load.requests_per_second

    def typed(self) -> float:
        """Return the rate that wrk prints when it is typed by hand, for the same requests."""
        command = self._command()
        script = command.index("-s")
        printed = self._running.endpoints.client.execute([*command[:script], *command[script + 2 :]]).stdout
        if not (match := re.search(r"Requests/sec:\s+([\d.]+)", printed)):
            raise WrkError(f"wrk printed no rate; it ended with: {' '.join(printed[-200:].split())}")
        return float(match[1])

    def _rate(self, count: int, length: SliceLength) -> float:
        """Return the rate of so many slices together, as a block's value is made of them."""
        name, level = self._running.entry.name, self._level
        trials = [Trial(1, name, self._test, level, number) for number in range(1, count + 1)]
        taken = slices.taken(closed, {name: self._running}, trials, length, self._lab.allowed_cpus, {})
        return fmean(_load(result).requests_per_second for result in taken)

    def _command(self) -> list[str]:
        accept, front = WORKLOADS[self._test].accept, self._running.endpoints.front.address
        return closed.command(self._level, front, self._path, accept, self._turns.long_s)


def _load(result: SliceResult) -> Load:
    if result.load is None:
        raise WrkError(f"{SLICES}: {result.why}")
    return result.load


def in_turns(
    ways: Mapping[str, Callable[[], float]], rounds: int, chance: random.Random
) -> dict[str, tuple[float, ...]]:
    """Return the rates of each way, one for each round, all of them positive; a round in which a load fails is taken
    anew. Raises WrkError where that happens too often.
    """
    measured = anew(lambda: _round(ways, chance), rounds)
    return {way: tuple(rates[way] for rates in measured) for way in ways}


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
        raise WrkError(f"{silent[0]}: no request was answered; see whether the entry still runs")
    return rates
