"""Tests the instrument itself on this host: makes entries of known truth, measures them, and keeps what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab.calibration import calibrate, faults, plainwrk
from benchlab.calibration.calibrate import Check
from benchlab.core.errors import LabError
from benchlab.core.measured import Run, Sample
from benchlab.core.model import Settings
from benchlab.machine import inventory, stage, variants
from benchlab.machine.stage import Lab
from benchlab.machine.variants import Services
from benchlab.measuring import bench
from benchlab.measuring.bench import Unkept
from benchlab.plan import profiles
from benchlab.plan.workloads import WORKLOADS
from benchlab.statistics import analysis, sequential, variance
from benchlab.storage import store

ENTRY = "aiohttp"
TWINS = tuple(f"twin-{number}" for number in range(1, 6))
BURDENED = "burdened"
# The smallest burden that is tried, as a share of all CPU time of a request.
LEAST_BURDEN = 0.03
# What is just visible is missed in one of five tries; this much of it, in hardly any.
PLAINLY = 1.5
ONE_LEVEL: dict[str, tuple[int, ...]] = {"json": (32,), "plaintext": (256,), "query": (1,)}


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
        rates, used = plainwrk.compare(lab, TWINS[0], ONE_LEVEL["json"][0], self.extent.rounds, self.seed)
        self.checks += calibrate.bias(rates)
        self.checks += calibrate.perturbation(used, store.read(self.folder / "twins").taken)

    def faults(self) -> None:
        """Measure entries and hosts that are at fault, one sample each."""
        services = {faults.entry(name): _burdened(self.lab, {"LAB_FAULT": name}) for name in faults.PLANTED}
        services[faults.entry("memory")] |= {"mem_limit": faults.MEMORY_LIMIT}
        services[TWINS[0]] = _burdened(self.lab, {})
        settings = _settings("quick", (), {"json": ONE_LEVEL["json"]}, 1, 1, faults.SAMPLE_S, self.seed)
        blind = inventory.is_blind(store.read_manifest(self.folder / "twins").facts)
        lab = self.lab.with_services(services)
        with stage.stage(lab, list(services)):
            for found in faults.find(lab, settings, TWINS[0], Unkept(self.folder), blind):
                self.checks.append(calibrate.fault(found.name, found.record, found.expected))

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
