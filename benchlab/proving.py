"""Tests the instrument itself on this host: makes entries of known truth, measures them, and keeps what came out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab import (
    analysis,
    bench,
    calibrate,
    fetch,
    profiles,
    sequential,
    stage,
    store,
    variants,
    workloads,
    wrk,
)
from benchlab.calibrate import Check
from benchlab.errors import WrkError
from benchlab.model import Failure, Level, Run, Sample, Settings, Trial, Visit
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
FAULT_S, ROUND_S = 5, 3
ONE_LEVEL: dict[str, tuple[int, ...]] = {"json": (32,), "plaintext": (256,), "query": (1,)}
# Each fault with the rules of which one must catch it.
FAULTS: Mapping[str, tuple[str, ...]] = {
    "hang": ("hung", "wrong answers"),
    "302": ("wrong answers",),
    "500": ("errors",),
    "lie": ("wrong answers",),
    "stop": ("uneven",),
    "memory": ("out of memory",),
}
MEMORY_LIMIT = "300m"
SPIN = ("python3", "-c", "while True: pass")


@dataclass(frozen=True)
class Extent:
    """How much is tried: entries that are the same, blocks of each part, rounds against plain wrk."""

    profile: str
    twins: int
    levels: dict[str, tuple[int, ...]]
    blocks: int
    burdened_blocks: int
    rounds: int


SHORT = Extent("quick", 4, ONE_LEVEL, 4, 5, 8)
FULL = Extent("default", 5, {"json": (16, 32, 128), "plaintext": (256,), "query": (1, 20)}, 8, 12, 30)


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
        self.checks += calibrate.false_positives(run)
        self.checks.append(calibrate.calm(run))
        self.checks += calibrate.smallest_effects(run, _pair_block_s(run))
        return run

    def burden(self, twins: Run) -> None:
        """Measure an entry against the same with extra work that twins say is just about visible."""
        burdens = _burdens(twins, self.extent.burdened_blocks)
        burn_us = _burn_us(twins, burdens)
        services = {
            TWINS[0]: _burdened(self.lab, {}),
            BURDENED: _burdened(self.lab, {"LAB_BURN_US": json.dumps(burn_us)}),
        }
        run = self._run("burden", services, ONE_LEVEL, self.extent.burdened_blocks)
        expected = {test: 1 / (1 + burden) for test, burden in burdens.items()}
        self.checks += calibrate.sensitivity(run, expected, TWINS[0], BURDENED)

    def against_plain_wrk(self) -> None:
        """Measure in turns through the lab and with wrk as one would type it."""
        lab = self.lab.with_services({TWINS[0]: _burdened(self.lab, {})})
        level = workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)[0]
        ours: dict[int, float] = {}
        theirs: dict[int, float] = {}
        cpu_s = wall_s = 0.0
        with stage.stage(lab, [TWINS[0]]), _serving(lab, TWINS[0]) as server:
            for number in range(self.extent.rounds):
                started = time.process_time(), time.monotonic()
                # Which goes first changes from round to round.
                for measure, kept in ((_observed, ours), (_typed, theirs))[:: 1 if number % 2 else -1]:
                    kept[number] = measure(lab, server, level)
                cpu_s += time.process_time() - started[0]
                wall_s += time.monotonic() - started[1]
        self.checks.append(calibrate.bias(ours, theirs))
        samples = store.read(self.folder / "twins").taken
        self.checks += calibrate.perturbation(cpu_s / wall_s, samples)

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
        settings = _settings("quick", (entry,), {"json": ONE_LEVEL["json"]}, 1, FAULT_S, self.seed)
        levels = {"json": workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)}
        trial = Trial(1, entry, "json", levels["json"][0])
        entries = {found.name: found for found in lab.topology.choose([entry])}
        events = _Troubled(trouble)
        runner = Runner(lab.engine, _Kept(self.folder), entries, levels, settings, events, lab.client_cpus)
        try:
            (record,) = runner.make([Visit(1, entry, (trial,))])
        finally:
            events.close()
        return record

    def _run(self, name: str, services: Services, levels: Mapping[str, tuple[int, ...]], blocks: int) -> Run:
        settings = _settings(self.extent.profile, tuple(services), levels, blocks, 2, self.seed)
        lab = self.lab.with_services(services)
        folder = bench.start(lab, settings, self.folder, self.console)
        folder.rename(self.folder / name)
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
    twins = proof.twins()
    proof.burden(twins)
    proof.against_plain_wrk()
    proof.faults()
    facts = twins.manifest.facts.get("host")
    text = calibrate.report(folder.name, proof.checks, facts if isinstance(facts, dict) else {})
    (folder / store.REPORT).write_text(text, encoding="utf-8")
    return folder, proof.checks


def _burdened(lab: Lab, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the service of the entry with a burden or a fault; see calibration/burdened.py."""
    service = variants.alias(lab.topology, ENTRY, environment)
    started_from = lab.engine.image_id(lab.topology.image(ENTRY)) or ""
    service["image"] = f"benchlab/{BURDENED}"
    service["build"] = {"context": str(lab.root / "calibration"), "args": {"STARTS_FROM": started_from}}
    return service


def _settings(
    profile: str, names: tuple[str, ...], levels: Mapping[str, tuple[int, ...]], blocks: int, duration_s: int, seed: int
) -> Settings:
    return profiles.settings(profile, names, tuple(levels), levels, blocks, duration_s, "none", seed)


def _pair_block_s(run: Run) -> dict[str, float]:
    """Return how long a block of two entries takes with one test alone, by test, from how long this run took."""
    tests = run.manifest.settings.levels
    began = min(sample.started_at for sample in run.taken)
    ended = max(sample.started_at for sample in run.taken)
    visits = len(run.manifest.entries) * run.manifest.settings.blocks
    visit_s = (ended - began).total_seconds() / visits
    samples = sum(map(len, tests.values()))
    return {test: 2 * visit_s * len(levels) / samples for test, levels in tests.items()}


def _burdens(twins: Run, blocks: int) -> dict[str, float]:
    """Return for each test the burden that should be seen in so many blocks, a share of a request's CPU time."""
    burdens = {}
    for result in analysis.analyse(twins):
        level = result.levels[ONE_LEVEL[result.test][0]]
        spreads = [pair.ratio.stdev for pair in level.pairs if pair.ratio.stdev is not None]
        spread = (sum(spread**2 for spread in spreads) / len(spreads)) ** 0.5 if spreads else 0.0
        burdens[result.test] = max(LEAST_BURDEN, sequential.smallest_effect(spread, blocks) if spread else 0.0)
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
    server = Server(lab.engine, [name], "none", _Kept(lab.state).keep_log)
    with server.serve(entry, "bias"):
        level = workloads.levels("json", ONE_LEVEL["json"], lab.client_cpus)[0]
        _observed(lab, server, level)
        yield server


def _observed(lab: Lab, server: Server, level: Level) -> float:
    """Return the rate that the lab measures."""
    accept, path = WORKLOADS["json"].accept, WORKLOADS["json"].path
    command = wrk.command(level, server.target, path, accept, ROUND_S)
    check = fetch.job(server.target, accept, path)
    containers = server.containers(lab.topology.entries[TWINS[0]])
    result = lab.engine.execute("wrk", wrk.observed(command, containers, None, check))
    return wrk.parse(result.stdout).load.requests_per_second


def _typed(lab: Lab, server: Server, level: Level) -> float:
    """Return the rate that wrk prints when it is typed by hand."""
    url = f"http://{ENTRY_HOST}:{wrk.PORT}/json"
    command = ["wrk", f"-t{level.threads}", f"-c{level.connections}", f"-d{ROUND_S}s", url]
    printed = lab.engine.execute("wrk", command).stdout
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
