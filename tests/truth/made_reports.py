"""Runs made up by chance from a fixed seed: of every kind that a report, a comparison or a gate may be asked about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from typing import TypeVar

import numpy as np

from benchlab.experiment.profiles import PROFILES
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.counters import APP, CLIENT, DB, Counters, HostUsage, Usage
from benchlab.records.facts import Facts
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Manifest, Settings, Trial, Variant
from benchlab.records.run import GOOD, INVALID, SUSPECT, ContractFinding, Decision, Failure, Run, Sample, Verdict
from tests.unit.conftest import LABELS, STARTED

T = TypeVar("T")

NAMES = (
    "aiohttp",
    "crax",
    "crax-raw",
    "django",
    "falcon",
    "granian",
    "hug",
    "muffin",
    "quart",
    "robyn",
    "sanic",
    "starlette",
    "tornado",
    "x-at-y",
)
COMMIT = "abc1234"
# What the names of these versions end in.
AT = f"-at-{COMMIT}"
CPUS = 2
BETWEEN_US = 1_050_000
# What each role uses of two CPUs in a second, and what the host has left: of cells in every state that a name fits.
STATES: Mapping[str, tuple[int, int, int, int]] = {
    "idle": (250_000, 500_000, 200_000, 1_060_000),
    "full": (500_000, 1_200_000, 300_000, 20_000),
    "crowded": (300_000, 500_000, 200_000, 20_000),
    "client": (2_060_000, 20_000, 5_000, 10_000),
    "app": (60_000, 1_980_000, 10_000, 40_000),
    "db": (60_000, 80_000, 1_900_000, 50_000),
    "busy": (300_000, 1_600_000, 100_000, 200_000),
}
UNKNOWN = "unknown"
# What breaks a rule of each severity, and what is no more than noted.
BROKEN = {
    INVALID: ({"duration error": 2.0}, {"errors": 3.0}, {"duration error": 1.0, "background CPU": 0.2}),
    SUSPECT: ({"background CPU": 0.2}, {"steal": 0.05}, {"steal": 0.02, "background CPU": 0.1}),
    GOOD: ({}, {}, {}, {"unsteady": 1.0}, {"heavy logging": 2.0}),
}
# What is made up: "bound" are entries that lack their best levels, "odd level" versions that differ at one level alone,
# "varied" entries at levels that were typed, "staged" runs whose number of blocks was decided by a pilot's spread.
KINDS = (
    "plain",
    "plain",
    "plain",
    "versions",
    "versions",
    "factors",
    "two runs",
    "bound",
    "odd level",
    "staged",
    "varied",
)
# The factors of "varied" runs, with their levels.
VARIED: dict[str, tuple[str, ...]] = {"uvicorn": ("0.50.0", "0.49.0"), "loop": ("uvloop", "asyncio")}
# What rules may have no figure for, and the rule by which a server that ends its connections is told of.
FIGURELESS = ("steal", "memory pressure", "host speed")
KEEP_ALIVE = "keep-alive"
REASONS = ("it died", "wrong answer to json: answered 'Bye'", "did not listen within 30 s")


@dataclass(frozen=True)
class Case:
    """A made-up run, with what its number in the series is; `newer` are runs to hold against it and `older` ones."""

    seed: int
    number: int
    kind: str
    run: Run
    older: tuple[Run, ...]
    newer: tuple[Run, ...]
    margin: float

    def __str__(self) -> str:
        return f"seed {self.seed}, run {self.number} ({self.kind})"


def made(seed: int, number: int) -> Case:
    """Return the run of this number; the same each time."""
    chance = Chance(np.random.default_rng([seed, number]))
    kind = chance.one(KINDS)
    margin = chance.one((0.01, 0.03, 0.05, 0.1))
    maker = _Maker(chance, kind, margin)
    run = maker.run("old")
    newer = [maker.later().run("new", 24)] if kind == "two runs" else []
    older = [run]
    if newer and chance.hits(0.5):
        kind = "several runs"
        # Nightly runs, two or three of one evening, or any hours.
        hours = chance.one(((24,), (24,), (1, 2, 24), (1, 11, 12, 13, 40)))
        newer += _more(chance, maker, "new", 24, chance.one((1, 2, 2, 3, 5)), hours)
        older += _more(chance, maker, "old", 0, chance.one((0, 1, 2, 2, 3, 5)), hours)
    return Case(seed, number, kind, run, tuple(older), tuple(newer), margin)


def _more(chance: Chance, maker: _Maker, version: str, first: int, count: int, hours: Sequence[int]) -> Iterator[Run]:
    """Yield so many runs of a version, each some hours after the one before; the first began after so many."""
    for _ in range(count):
        first += chance.one(hours)
        yield maker.later().run(version, first)


class Chance:
    """Draws from a seeded generator."""

    def __init__(self, numbers: np.random.Generator):
        self._numbers = numbers

    def one(self, of: Sequence[T]) -> T:
        return of[int(self._numbers.integers(len(of)))]

    def some(self, of: Sequence[T], count: int) -> list[T]:
        """Return so many of these, in their order."""
        return [of[index] for index in sorted(self._numbers.permutation(len(of))[:count])]

    def hits(self, probability: float) -> bool:
        return bool(self._numbers.random() < probability)

    def normal(self, stdev: float) -> float:
        return float(self._numbers.normal(0.0, stdev)) if stdev else 0.0

    def between(self, low: float, high: float) -> float:
        return float(self._numbers.uniform(low, high))


class _Maker:
    """What all samples of a run have in common, drawn once; and the run that comes of it."""

    def __init__(self, chance: Chance, kind: str, margin: float):
        self._chance, self._kind, self._margin = chance, kind, margin
        self._blocks = chance.one((1, 2, 3, 3, 4, 5, 6, 8, 8, 12))
        self._repeats = chance.one((1, 1, 1, 2))
        self._labels = dict(_entries(chance, kind))
        self._levels = dict(_levels(chance, 1 + chance.one((0, 0, 1, 2))))
        self._noise = chance.one((0.0, 0.002, 0.01, 0.02, 0.04, 0.1, 0.5))
        self._invalid, self._suspect = chance.one((0.0, 0.0, 0.05, 0.3)), chance.one((0.0, 0.0, 0.05, 0.3))
        self._states = _states(chance)
        self._idle_entries_us = chance.one((0.0, 0.0, 3_000.0, 9_000.0, 30_000.0))
        self._logs = self._expected()
        self._lost = self._losses()
        self._unknown = set(chance.some(FIGURELESS, chance.one((0, 0, 0, 1, 2))))
        self._pilot, self._pilot_noise = 0, 0.0
        if kind in ("versions", "two runs") and chance.hits(0.4):
            self._calm_down()
        {"bound": self._bind, "odd level": self._single_out, "staged": self._stage}.get(kind, lambda: None)()
        # Some runs have a baseline, which may lack blocks or levels as any other entry.
        has_control = kind in ("plain", "bound", "staged") and chance.hits(0.4)
        self._control = chance.one(sorted(self._labels)) if has_control else ""

    def _bind(self) -> None:
        """Make wrk the limit of an entry at its best levels; or of three, each at another level, so that nobody leads.

        The one that lacks its best levels is faster in the one that is left than another, which has the higher mean.
        """
        chance, test = self._chance, _of_connections(self._chance)
        self._levels = {test: (16, 32, 64)}
        names = chance.some(NAMES, 3)
        self._labels = {name: LABELS | {"tests": " ".join(WORKLOADS)} for name in names}
        self._blocks, self._noise, self._lost = chance.one((4, 6, 8)), chance.one((0.002, 0.01)), set()
        one, other, third = chance.some(names, 3)
        if chance.hits(0.3):
            ahead = {16: (one, other, third), 32: (other, third, one), 64: (third, one, other)}
            logs = {(name, at): 8 - 0.1 * of.index(name) for at, of in ahead.items() for name in of}
            bound = {(of[2], at) for at, of in ahead.items()}
        else:
            logs = {(one, 16): 8.0, (one, 32): 8.5, (one, 64): 9.0}
            logs |= {(other, 16): 8 + chance.one((0.05, 0.1)), (other, 32): 9.0, (other, 64): 9.5}
            logs |= {(third, 16): 8 + chance.one((0.0, 0.03)), (third, 32): 7.5, (third, 64): 8.0}
            bound = {(other, 32), (other, 64)}
        self._logs = {(name, test, at): log for (name, at), log in logs.items()}
        usual = chance.one(("idle", "app"))
        self._states = lambda entry, _, level: "client" if (entry, level) in bound else usual

    def _single_out(self) -> None:
        """Make of it two versions that differ at one level by about the gate's margin, or far more, and gain elsewhere.

        It is quiet and whole: over all levels the gate has nothing to say.
        """
        chance, test = self._chance, _of_connections(self._chance)
        self._kind = "versions"
        self._levels = {test: (16, 32, 64)}
        name = chance.one(NAMES)
        self._labels = {one: LABELS | {"tests": " ".join(WORKLOADS)} for one in (name, f"{name}{AT}")}
        self._blocks, self._noise, self._lost = chance.one((6, 8, 12)), chance.one((0.002, 0.004)), set()
        self._invalid = self._suspect = 0.0
        self._states = _states(chance, ("idle", "app"), ("idle",))
        odd = chance.one((16, 32, 64))
        change = chance.one((math.log1p(-self._margin), math.log1p(-self._margin), -0.1))
        self._logs = {
            (entry, test, at): 9.0 if entry != name else 9.0 + (change if at == odd else 0.6 * abs(change))
            for entry in self._labels
            for at in self._levels[test]
        }
        if chance.hits(0.3):
            self._pilot, self._pilot_noise = 4, 0.012

    def _stage(self) -> None:
        """Make of it a run whose pilot was noisier than the rest, or calmer, and decided how many blocks there are."""
        chance = self._chance
        names = chance.some(NAMES, chance.one((2, 3, 4)))
        self._labels = {name: LABELS | {"tests": " ".join(WORKLOADS)} for name in names}
        self._blocks, self._pilot = chance.one((8, 12)), chance.one((3, 4, 5))
        self._noise, self._pilot_noise = chance.one(((0.002, 0.007), (0.003, 0.012), (0.02, 0.05), (0.02, 0.005)))
        self._lost = self._losses() if chance.hits(0.3) else set()
        self._states = _states(chance, ("idle", "app", "full"), ("idle",))
        spread = chance.one((0.0, 0.005, 0.02))
        own = {name: chance.normal(spread) for name in names}
        self._logs = {
            (name, test, level): 8.0 + own[name] + chance.normal(chance.one((0.0, 0.005)))
            for name in names
            for test, levels in self._levels.items()
            for level in levels
        }

    def _calm_down(self) -> None:
        """Make of it a run that can pass a gate: quiet, whole, of enough blocks, with no change or a small one."""
        chance = self._chance
        self._blocks, self._noise = chance.one((5, 6, 8, 12)), chance.one((0.0, 0.002, 0.005, 0.01))
        self._lost, self._invalid = set(), chance.one((0.0, 0.05))
        self._states = _states(chance, ("idle", "idle", "full", "app"), ("idle",))
        change, odd = chance.one((0.0, 0.0, 0.01, -0.01)), chance.one((0.0, 0.0, 0.01, 0.04))
        self._logs = {
            (entry, test, level): self._logs.get((_origin(entry), test, level), 0.0)
            + (0.0 if entry == _origin(entry) else change + chance.normal(odd))
            for entry, test, level in self._logs
        }

    def later(self) -> _Maker:
        """Return the maker of another run of the same plan on another day: what is there, is there with a change."""
        chance = self._chance
        change = chance.one((0.0, 0.0, -0.06, 0.02))
        self._logs = {cell: log + change + chance.normal(chance.one((0.0, 0.01))) for cell, log in self._logs.items()}
        self._blocks = chance.one((1, 2, 3, 5, 8, 8))
        self._noise = chance.one((0.0, 0.01, 0.04))
        self._lost = self._losses()
        if chance.hits(0.2) and len(self._labels) > 1:
            self._labels.pop(chance.one(sorted(self._labels)))
        return self

    def run(self, version: str, hours: int = 0) -> Run:
        chance = self._chance
        manifest = self._manifest(version, STARTED + timedelta(hours=hours))
        records = list(self._records())
        if chance.hits(0.1):
            # It was stopped.
            records = records[: 1 + int(chance.between(0, len(records)))]
        taken = tuple(record for record in records if isinstance(record, Sample))
        failures = tuple(record for record in records if isinstance(record, Failure))
        return Run(manifest, taken, failures, self._decision(), tuple(self._findings()))

    def _manifest(self, version: str, began: datetime) -> Manifest:
        chance = self._chance
        profile = chance.one(("default", "default", "default", "quick", "study"))
        settings = Settings(
            profile=profile,
            frameworks=tuple(self._labels),
            levels=self._levels,
            blocks=self._blocks,
            duration_s=1,
            primer_s=0,
            warmup_s=(1, 1),
            proxy="none",
            seed=7,
            repeats=self._repeats,
            together=PROFILES[profile].together,
            against=COMMIT if self._kind == "versions" else "",
            vary={**VARIED} if self._kind == "varied" else {},
            control=self._control,
        )
        unbuilt = {"unbuilt": {"broken-entry": "pip failed"}} if chance.hits(0.05) else {}
        return Manifest(
            f"{began:%Y%m%d-%H%M%S}-{version}",
            began,
            settings,
            dict(self._labels),
            {},
            {},
            {},
            CPUS,
            {},
            Facts.of({"lab_version": "1", **unbuilt}),
            {name: _variant(name, labels) for name, labels in self._labels.items()},
        )

    def _expected(self) -> dict[tuple[str, str, int], float]:
        """Return the logarithm of the rate of each entry at each level: equal ones, near ones, far ones."""
        chance = self._chance
        spread, unlike = chance.one((0.0, 0.0, 0.01, 0.03, 0.1, 0.7)), chance.one((0.0, 0.0, 0.005, 0.03, 0.3))
        change, odd = chance.one((0.0, 0.0, -0.02, -0.05, 0.03)), chance.one((0.0, 0.0, 0.05))
        own = {name: chance.normal(spread) for name in sorted({_origin(entry) for entry in self._labels})}
        usual = {(test, level): chance.between(6.5, 10.5) for test, levels in self._levels.items() for level in levels}
        return {
            (entry, test, level): at
            + own[_origin(entry)]
            + chance.normal(unlike)
            + (chance.normal(odd) + change if entry != _origin(entry) else 0.0)
            for entry in self._labels
            for (test, level), at in usual.items()
        }

    def _losses(self) -> set[tuple[int, str, str, int]]:
        """Return block, entry, test and level of what cannot be measured."""
        chance = self._chance
        cells = [
            (entry, test, level) for entry in self._labels for test, levels in self._levels.items() for level in levels
        ]
        how = chance.one(("", "", "", "visits", "cells", "level", "trials", "entry"))
        blocks = range(1, self._blocks + 1)
        if how == "visits":
            visits = {(block, entry) for block in blocks for entry in self._labels if chance.hits(0.25)}
            return {(block, *cell) for block in blocks for cell in cells if (block, cell[0]) in visits}
        if how == "cells":
            gone = {cell for cell in cells if chance.hits(0.25)}
            return {(block, *cell) for block in blocks for cell in gone}
        if how == "level":
            cell = chance.one(cells)
            return {(block, *cell) for block in blocks if chance.hits(0.75)}
        if how == "trials":
            return {(block, *cell) for block in blocks for cell in cells if chance.hits(0.2)}
        if how == "entry":
            gone_entry, test = chance.one(sorted(self._labels)), chance.one(sorted(self._levels))
            return {(block, *cell) for block in blocks for cell in cells if cell[:2] == (gone_entry, test)}
        return set()

    def _records(self) -> Iterator[Sample | Failure]:
        """Yield what was made in the order of time: of each trial its samples, or why there are none."""
        chance, number = self._chance, 0
        for block in range(1, self._blocks + 1):
            common = chance.normal(0.1)
            for entry, test in product(self._labels, self._levels):
                if test not in self._labels[entry]["tests"].split():
                    continue
                for level in closed.levels_of(test, self._levels[test], CPUS):
                    for repeat in range(1, self._repeats + 1):
                        trial = Trial(block, entry, test, level, repeat)
                        for record in self._tries(trial, common):
                            number += 1
                            yield replace(record, started_at=STARTED + timedelta(seconds=5 * number))

    def _tries(self, trial: Trial, common: float) -> Iterator[Sample | Failure]:
        chance = self._chance
        level = trial.level.key.value
        if (trial.block, trial.entry, trial.test, level) in self._lost:
            yield Failure(trial, STARTED, chance.one(REASONS))
            return
        for attempt in (1, 2, 3):
            severity = INVALID if chance.hits(self._invalid) else SUSPECT if chance.hits(self._suspect) else GOOD
            log = (
                self._logs[trial.entry, trial.test, level]
                + common
                + chance.normal(self._pilot_noise if trial.block <= self._pilot else self._noise)
            )
            broken = dict(chance.one(BROKEN[severity]))
            state = self._states(trial.entry, trial.test, level)
            yield Sample(
                trial,
                attempt,
                STARTED,
                _load(math.exp(log), chance),
                _counters(state, chance, self._idle_entries_us),
                Verdict(severity, broken, tuple(sorted(self._unknown - broken.keys()))),
            )
            if severity == GOOD:
                return

    def _decision(self) -> Decision | None:
        chance = self._chance
        if self._pilot:
            return Decision(STARTED, self._pilot, self._blocks, self._blocks, "as the pilot's spread asks for")
        if not chance.hits(0.2):
            return None
        pilot = max(1, self._blocks // 2)
        needed = chance.one((None, self._blocks, self._blocks + 3))
        return Decision(STARTED, pilot, self._blocks, needed, "as the pilot's spread asks for")

    def _findings(self) -> Iterator[ContractFinding]:
        if self._chance.hits(0.1):
            entry, test = self._chance.one(sorted(self._labels)), self._chance.one(sorted(self._levels))
            yield ContractFinding(1, entry, test, STARTED, "extra keys", "has more keys", self._chance.hits(0.5))
        for entry in self._labels if self._chance.hits(0.05) else ():
            for test in self._levels:
                yield ContractFinding(1, entry, test, STARTED, KEEP_ALIVE, "closes its connection", warning=True)


def _of_connections(chance: Chance) -> str:
    """Return a test whose levels are connections."""
    return chance.one(sorted(test for test, workload in WORKLOADS.items() if workload.varies == "connections"))


def _origin(entry: str) -> str:
    return entry.removesuffix(AT)


def _variant(entry: str, labels: Mapping[str, str]) -> Variant:
    if labels.keys() >= VARIED.keys():
        return Variant(entry.partition("-at-")[0], {factor: labels[factor] for factor in VARIED})
    return Variant(_origin(entry), {} if entry == _origin(entry) else {"commit": COMMIT})


def _entries(chance: Chance, kind: str) -> Iterable[tuple[str, dict[str, str]]]:
    """Return the entries with their labels; where factors are asked for, crossed, maybe with some cells empty."""
    if kind == "factors":
        return _crossed(chance)
    if kind == "varied":
        return _varied(chance)
    tests = {"tests": " ".join(WORKLOADS)}
    names = chance.some(
        NAMES, chance.one((1, 2, 3) if kind in ("versions", "odd level") else (2, 2, 3, 3, 4, 5, 6, 7, 9, 14))
    )
    if chance.hits(0.03):
        names = names[:1]
    if kind == "versions":
        names = [name for origin in names for name in (origin, f"{origin}{AT}")]
    # One entry may declare fewer tests than the others.
    shy = chance.one(names) if chance.hits(0.1) else ""
    return [(name, LABELS | ({"tests": "json query"} if name == shy else tests)) for name in sorted(names)]


def _crossed(chance: Chance) -> Iterator[tuple[str, dict[str, str]]]:
    factors = {"orm": ("full", "raw"), "framework": chance.one((("x",), ("x", "y"), ("x", "y"), ("x", "y", "z")))}
    factors["server"] = chance.one((("gunicorn",), ("gunicorn", "uvicorn")))
    cells = list(product(*factors.values()))
    gone = set(chance.some(cells, chance.one((0, 0, 1, 1, 2)))) if len(cells) > 2 else set()
    left = [cell for cell in cells if cell not in gone]
    if len({cell[0] for cell in left}) < 2 and len({cell[1] for cell in left}) < 2:
        left = cells
    loops = chance.one((("uvloop", "uvloop"), ("uvloop", "asyncio")))
    for cell in left:
        labels = dict(zip(factors, cell, strict=True))
        along = {"loop": loops[labels["framework"] != "x"]}
        yield "-".join([*cell[1:], cell[0]]), LABELS | labels | along | {"tests": " ".join(WORKLOADS)}


def _varied(chance: Chance) -> Iterator[tuple[str, dict[str, str]]]:
    for origin, levels in product(chance.some(NAMES, chance.one((1, 1, 2))), product(*VARIED.values())):
        labels = dict(zip(VARIED, levels, strict=True))
        yield f"{origin}-at-{'-'.join(levels)}", LABELS | labels | {"framework": origin, "tests": " ".join(WORKLOADS)}


def _levels(chance: Chance, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    usual = {"connections": (16, 32, 64, 128), "queries": (1, 5, 10, 20)}
    for test in chance.some(sorted(WORKLOADS), count):
        values = usual[WORKLOADS[test].varies]
        yield test, tuple(chance.some(values, chance.one((1, 2, 3, 3, 4))))


USUAL = ("idle", "idle", "full", "crowded", "app", "client", "busy", UNKNOWN)
OTHER = ("idle", "full", "client", "client", "crowded", "db", UNKNOWN)


def _states(
    chance: Chance, usual_ones: Sequence[str] = USUAL, other_ones: Sequence[str] = OTHER
) -> Callable[[str, str, int], str]:
    """Return what gives each cell its state: one for all, or another for some entries, levels or cells."""
    usual, other = chance.one(usual_ones), chance.one(other_ones)
    share = chance.one((0.0, 0.0, 0.0, 0.15, 0.5))
    kept: dict[tuple[str, str, int], str] = {}

    def state(entry: str, test: str, level: int) -> str:
        return kept.setdefault((entry, test, level), other if chance.hits(share) else usual)

    return state


def _load(rate: float, chance: Chance) -> Load:
    requests = max(1, round(rate))
    mean_us = 2000.0 * math.exp(chance.normal(0.1))
    latency = Latency(mean_us, 100.0, 9000.0 + mean_us, 1900.0, 2100.0, 2500.0, 4000.0, 8000.0)
    errors = Errors(timeout=3) if chance.hits(0.01) else Errors()
    return Load(1_000_000, 1_020_000, requests, 150 * requests, latency, errors)


def _counters(state: str, chance: Chance, idle_entries_us: float) -> Counters:
    if state == UNKNOWN:
        return Counters(BETWEEN_US, HostUsage(), {}, (), (5000.0,), idle_before=None)
    client_us, app_us, db_us, idle_us = (round(used * math.exp(chance.normal(0.005))) for used in STATES[state])
    busy_us = 2 * BETWEEN_US - idle_us - 40_000
    host = HostUsage(busy_us, 40_000, idle_us, 0, 0, 0, 0, None)
    roles = {
        CLIENT: Usage(client_us, 0, 0, 10_000_000),
        APP: Usage(app_us, 0, 0, round(90_000_000 * math.exp(chance.normal(0.1)))),
        DB: Usage(db_us, 0, 0, 300_000_000),
    }
    idle_us = round(chance.between(0.5, 1.5) * idle_entries_us)
    received = ((0, 0), (1_000_000, 150_000))
    return Counters(BETWEEN_US, host, roles, received, (5000.0, 5000.0), True, idle_us)
