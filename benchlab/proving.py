"""Tests the instrument itself on this host: makes entries of known truth, measures them, and keeps what came out."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab import (
    analysis,
    bench,
    calibrate,
    fetch,
    inventory,
    overhead,
    profiles,
    sequential,
    stage,
    store,
    variance,
    variants,
    workloads,
    wrk,
)
from benchlab.calibrate import Check
from benchlab.errors import LabError, WrkError
from benchlab.model import Failure, Level, Run, Sample, Settings, Trial, Visit
from benchlab.overhead import Overhead
from benchlab.runner import Events, Runner
from benchlab.serving import ENTRY_HOST, Server
from benchlab.stage import Lab
from benchlab.variants import Services
from benchlab.workloads import WORKLOADS

ENTRY = "aiohttp"
TWINS = tuple(f"twin-{number}" for number in range(1, 6))
BURDENED = "burdened"
# The smallest burden that is tried, as a share of all CPU time of a request.
LEAST_BURDEN = 0.03
# What is just visible is missed in one of five tries; this much of it, in hardly any.
PLAINLY = 1.5
FAULT_S, ROUND_S = 8, 1
# How long lab and engine are watched while a load runs, and its first and last seconds, in which they are not.
WATCHED_S, MARGIN_S = 8, 2
ONE_LEVEL: dict[str, tuple[int, ...]] = {"json": (32,), "plaintext": (256,), "query": (1,)}
# Each fault with the rules of which one must catch it.
FAULTS: Mapping[str, tuple[str, ...]] = {
    "hang": ("hung", "wrong answers"),
    "302": ("wrong answers",),
    "500": ("errors",),
    "lie": ("wrong answers",),
    "stop": ("uneven",),
    # Where the host is slow, the kernel still looks for memory when the sample ends.
    "memory": ("out of memory", "memory pressure"),
}
MEMORY_LIMIT = "300m"
SPIN = ("python3", "-c", "while True: pass")


@dataclass(frozen=True)
class Extent:
    """How much is tried: entries that are the same, blocks of each part, samples a life, rounds against plain wrk.

    Of one sample a life nothing could be said of the spread within it.
    """

    profile: str
    twins: int
    levels: dict[str, tuple[int, ...]]
    blocks: int
    burdened_blocks: int
    repeats: int
    duration_s: int
    rounds: int


SHORT = Extent("quick", 4, ONE_LEVEL, 4, 5, 2, 1, 10)
FULL = Extent("default", 5, {"json": (16, 32, 128), "plaintext": (256,), "query": (1, 20)}, 8, 12, 2, 2, 400)


@dataclass
class _Proof:
    """The parts of one calibration, made one after the other."""

    lab: Lab
    extent: Extent
    seed: int
    folder: Path
    console: Console
    checks: list[Check] = field(default_factory=list)

    def twins(self) -> Run:
        """Measure entries that are the same under several names."""
        names = TWINS[: self.extent.twins]
        services = {name: _burdened(self.lab, {}) for name in names}
        run = self._run("twins", services, self.extent.levels, self.extent.blocks)
        if not run.taken:
            raise LabError("the entries that are the same gave no sample: see report.md and logs/ in the folder twins")
        self.checks += calibrate.false_positives(run)
        self.checks.append(calibrate.calm(run))
        cost, settings = variance.cost(run), run.manifest.settings
        block_s = {test: cost.block_s(settings.repeats * len(levels)) for test, levels in settings.levels.items()}
        self.checks += calibrate.smallest_effects(run, block_s)
        self.checks += calibrate.spread(run, cost)
        return run

    def burden(self, twins: Run) -> None:
        """Measure an entry against the same with extra work that twins say is just about visible."""
        burdens = _burdens(twins, self.extent.burdened_blocks)
        burn_us = _burn_us(twins, burdens)
        services = {
            TWINS[0]: _burdened(self.lab, {}),
            BURDENED: _burdened(self.lab, {"LAB_BURN_US": json.dumps(burn_us)}),
        }
        levels = {test: ONE_LEVEL[test] for test in self.extent.levels}
        run = self._run("burden", services, levels, self.extent.burdened_blocks)
        expected = {test: 1 / (1 + burden) for test, burden in burdens.items()}
        self.checks += calibrate.sensitivity(run, expected, TWINS[0], BURDENED)

    def against_plain_wrk(self) -> None:
        """Measure in turns through the lab, without its looking at answers, and with wrk as one would type it."""
        lab = self.lab.with_services({TWINS[0]: _burdened(self.lab, {})})
        level = workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)[0]
        ways: dict[str, Callable[[Lab, Server, Level], float]] = {
            calibrate.LAB: _observed,
            calibrate.UNCHECKED: partial(_observed, checked=False),
            calibrate.PLAIN: _typed,
        }
        order = list(ways)
        rates: dict[str, dict[int, float]] = {way: {} for way in ways}
        chance = random.Random(self.seed)
        with stage.stage(lab, [TWINS[0]]), _serving(lab, TWINS[0]) as server:
            for number in range(self.extent.rounds):
                chance.shuffle(order)
                for way in order:
                    rates[way][number] = ways[way](lab, server, level)
            used = _overhead(lab, server, level)
        self.checks += calibrate.bias(rates)
        self.checks += calibrate.perturbation(used, store.read(self.folder / "twins").taken)

    def faults(self) -> None:
        """Measure entries and hosts that are at fault, one sample each."""
        services = {f"fault-{name}": _burdened(self.lab, {"LAB_FAULT": name}) for name in FAULTS}
        services["fault-memory"] |= {"mem_limit": MEMORY_LIMIT}
        services[TWINS[0]] = _burdened(self.lab, {})
        lab = self.lab.with_services(services)
        with stage.stage(lab, list(services)):
            for name, expected in FAULTS.items():
                self.checks.append(calibrate.fault(name, self._sample(lab, f"fault-{name}", nullcontext()), expected))
            starved = self._sample(lab, TWINS[0], lab.engine.limited("wrk", 0.3))
            self.checks.append(calibrate.fault("starved wrk", starved, ("throttled", "client-bound")))
            spinning = self._sample(lab, TWINS[0], _neighbours(lab))
            self.checks.append(calibrate.fault("busy neighbours", spinning, ("foreign", "steal")))

    def _sample(self, lab: Lab, entry: str, trouble: AbstractContextManager[None]) -> Sample | Failure:
        """Return what comes of one sample of the entry while the trouble lasts."""
        settings = _settings("quick", (entry,), {"json": ONE_LEVEL["json"]}, 1, 1, FAULT_S, self.seed)
        levels = {"json": workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)}
        trial = Trial(1, entry, "json", levels["json"][0])
        entries = {found.name: found for found in lab.topology.choose([entry])}
        events = _Troubled(trouble)
        runner = Runner(
            lab.engine,
            _Kept(self.folder),
            entries,
            levels,
            settings,
            events,
            lab.client_cpus,
            ask_engine=inventory.is_blind(store.read_manifest(self.folder / "twins").facts),
        )
        try:
            (record,) = runner.make([Visit(1, entry, (trial,))])
        finally:
            events.close()
        return record

    def _run(self, name: str, services: Services, levels: Mapping[str, tuple[int, ...]], blocks: int) -> Run:
        extent = self.extent
        settings = _settings(
            extent.profile, tuple(services), levels, blocks, extent.repeats, extent.duration_s, self.seed
        )
        lab = self.lab.with_services(services)
        folder = bench.start(lab, settings, self.folder, self.console, part=True)
        folder.rename(self.folder / name)
        (self.folder / "latest").unlink(missing_ok=True)
        return store.read(self.folder / name)


class _Troubled(Events):
    """Begins the trouble when the sample is about to be taken: verification and warm-up go undisturbed."""

    def __init__(self, trouble: AbstractContextManager[None]):
        self._trouble, self._stack = trouble, ExitStack()

    def measuring(self, trial: Trial) -> None:
        self._stack.enter_context(self._trouble)

    def close(self) -> None:
        self._stack.close()


@dataclass(frozen=True)
class _Kept:
    """A journal that keeps nothing but the logs of lost containers."""

    folder: Path

    def append(self, record: Sample | Failure) -> None:
        pass

    def keep_log(self, name: str, text: str) -> str:
        return bench.shown(store.keep_log(self.folder, name, text))


def prove(lab: Lab, full: bool, seed: int, results: Path, console: Console) -> tuple[Path, list[Check]]:
    """Return the folder of the calibration's report, and its checks. What was measured is kept, however it ends."""
    store.check(results)
    folder = results / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-calibration"
    folder.mkdir()
    stage.build(lab, [ENTRY])
    proof = _Proof(lab, FULL if full else SHORT, seed, folder, console)
    try:
        twins = proof.twins()
        for part in (partial(proof.burden, twins), proof.against_plain_wrk, proof.faults):
            _keep(proof, twins)
            part()
        _keep(proof, twins)
    except (LabError, KeyboardInterrupt):
        lab.say(f"what was measured is kept in {bench.shown(folder)}; a calibration does not go on: start it anew")
        raise
    return folder, proof.checks


def _keep(proof: _Proof, twins: Run) -> None:
    """Write the report as far as it has come."""
    facts = twins.manifest.facts
    host = facts.get("host")
    text = calibrate.report(proof.folder.name, proof.checks, facts | (host if isinstance(host, dict) else {}))
    store.write_report(proof.folder, text)


def _burdened(lab: Lab, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the service of the entry with a burden or a fault; see calibration/burdened.py."""
    service = variants.alias(lab.topology, ENTRY, environment)
    started_from = lab.engine.image_id(lab.topology.image(ENTRY)) or ""
    service["image"] = f"benchlab/{BURDENED}"
    service["build"] = {"context": str(lab.root / "calibration"), "args": {"STARTS_FROM": started_from}}
    return service


def _settings(
    profile: str,
    names: tuple[str, ...],
    levels: Mapping[str, tuple[int, ...]],
    blocks: int,
    repeats: int,
    duration_s: int,
    seed: int,
) -> Settings:
    return profiles.settings(profile, names, tuple(levels), levels, blocks, duration_s, "none", seed, repeats=repeats)


def _burdens(twins: Run, blocks: int) -> dict[str, float]:
    """Return for each test the burden that should be seen in so many blocks, a share of a request's CPU time."""
    burdens = {}
    for result in analysis.analyse(twins):
        level = result.levels[ONE_LEVEL[result.test][0]]
        spread = calibrate.pooled_stdev(pair.ratio for pair in level.pairs)
        visible = sequential.smallest_effect(spread, blocks) if spread else 0.0
        burdens[result.test] = max(LEAST_BURDEN, PLAINLY * visible)
    return burdens


def _burn_us(twins: Run, burdens: Mapping[str, float]) -> dict[str, float]:
    """Return the burden in microseconds of CPU time by path: a share of what the whole host spends on a request."""
    paths = {test: WORKLOADS[test].path.partition("?")[0] for test in burdens}
    found = {}
    for test, burden in burdens.items():
        samples = [sample for sample in twins.samples if sample.trial.test == test]
        spent_us = sum(_spent_us(sample) for sample in samples)
        found[paths[test]] = round(burden * spent_us / sum(sample.load.requests for sample in samples), 3)
    return found


def _spent_us(sample: Sample) -> float:
    host = sample.counters.host
    return (host.busy_us or 0) + (host.interrupts_us or 0)


@contextmanager
def _serving(lab: Lab, name: str) -> Iterator[Server]:
    """Run the entry, warmed up a little, for the length of the with block."""
    entry = lab.topology.entries[name]
    server = Server(lab.engine, [name], _Kept(lab.state).keep_log)
    with server.serve(entry, "bias"):
        level = workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)[0]
        _observed(lab, server, level)
        yield server


def _observed(lab: Lab, server: Server, level: Level, duration_s: int = ROUND_S, checked: bool = True) -> float:
    """Return the rate that the lab measures."""
    accept, path = WORKLOADS["json"].accept, WORKLOADS["json"].path
    command = wrk.command(level, ENTRY_HOST, path, accept, duration_s)
    check = fetch.job(ENTRY_HOST, accept, path) if checked else None
    containers = server.containers(lab.topology.entries[TWINS[0]])
    result = lab.engine.execute("wrk", wrk.observed(command, containers, None, check))
    return wrk.parse(result.stdout).load.requests_per_second


def _overhead(lab: Lab, server: Server, level: Level) -> Overhead:
    """Return the CPU that lab and engine use while a load runs, without what starts and ends it."""
    here = overhead.is_here(lab.engine)
    with ThreadPoolExecutor(max_workers=1) as pool:
        load = pool.submit(_observed, lab, server, level, 2 * MARGIN_S + WATCHED_S)
        time.sleep(MARGIN_S)
        before = overhead.read(here)
        time.sleep(WATCHED_S)
        used = overhead.between(before, overhead.read(here))
        load.result()
    return used


def _typed(lab: Lab, server: Server, level: Level) -> float:
    """Return the rate that wrk prints when it is typed by hand, for the same requests."""
    workload = WORKLOADS["json"]
    command = wrk.command(level, ENTRY_HOST, workload.path, workload.accept, ROUND_S)
    script = command.index("-s")
    printed = lab.engine.execute("wrk", [*command[:script], *command[script + 2 :]]).stdout
    if not (match := re.search(r"Requests/sec:\s+([\d.]+)", printed)):
        raise WrkError(f"wrk printed no rate: {printed[-200:]}")
    return float(match[1])


@contextmanager
def _neighbours(lab: Lab) -> Iterator[None]:
    """Keep every CPU of the host busy with something that is none of the measurement."""
    with ExitStack() as neighbours:
        for _ in range(lab.cpus):
            neighbours.enter_context(lab.engine.beside(lab.topology.image("wrk"), SPIN))
        yield
