"""Tests the instrument itself on this host: makes entries of known truth, measures them, and keeps what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab.core.errors import LabError, WrkError
from benchlab.engine import stage, variants
from benchlab.engine.compose import Services
from benchlab.engine.stage import Lab
from benchlab.experiment import profiles
from benchlab.experiment.settings import choose
from benchlab.host import inventory
from benchlab.records.plan import Settings
from benchlab.records.run import Run
from benchlab.report import markdown
from benchlab.run import session
from benchlab.selftest import calibrate, faults, kept, plainwrk, slowdown
from benchlab.selftest.check import Check
from benchlab.selftest.kept import Calibration
from benchlab.selftest.slowdown import SLOWED_ENTRY
from benchlab.storage import files, store
from benchlab.storage.store import Unkept

ENTRY = "aiohttp"
EQUAL = tuple(f"equal-{number}" for number in range(1, 6))
# The image of the entry that a slowdown or a fault is injected into.
IMAGE = "benchlab/injected"


@dataclass(frozen=True)
class Extent:
    """How much is tried: entries that are the same, blocks of each part, samples a container
    lifetime, rounds against plain wrk.

    Of one sample a lifetime nothing could be said of the spread within it.
    """

    profile: str
    equal: int
    levels: Mapping[str, tuple[int, ...]]
    blocks: int
    slowdown_blocks: int
    repeats: int
    duration_s: int
    rounds: int


SHORT = Extent(kept.SHORT, 4, slowdown.LEVELS, 4, 5, 2, 1, 10)
FULL = Extent(kept.FULL, 5, {"json": (16, 32, 128), "plaintext": (256,), "query": (1, 20)}, 8, 12, 2, 2, 400)


@dataclass(frozen=True)
class _SelfTest:
    """The parts of one calibration: each returns it with what came of the part."""

    lab: Lab
    extent: Extent
    seed: int
    folder: Path
    console: Console

    def aa_test(self) -> Calibration:
        """Measure entries that are the same under several names."""
        services = {name: _injected(self.lab, {}) for name in EQUAL[: self.extent.equal]}
        run = self._run(kept.AA_TEST, services, self.extent.levels, self.extent.blocks)
        if not run.samples:
            raise LabError(
                f"equal entries gave no sample that counts: see report.md and logs/ in the folder {kept.AA_TEST}"
            )
        return Calibration(self.folder.name, run)

    def slowdown(self, so_far: Calibration) -> Calibration:
        """Measure an entry against the same with a slowdown that equal entries say is just about visible."""
        blocks = self.extent.slowdown_blocks
        burn_us = slowdown.burn_us(so_far.aa_test, slowdown.shares(so_far.aa_test, blocks))
        services = {
            EQUAL[0]: _injected(self.lab, {}),
            SLOWED_ENTRY: _injected(self.lab, {slowdown.VARIABLE: json.dumps(burn_us)}),
        }
        levels = {test: slowdown.LEVELS[test] for test in self.extent.levels}
        return replace(so_far, slowdown=self._run(kept.SLOWDOWN, services, levels, blocks))

    def against_plain_wrk(self, so_far: Calibration) -> Calibration:
        """Measure in turns through the lab, without its looking at answers, and with wrk as one would type it."""
        lab = self.lab.with_services({EQUAL[0]: _injected(self.lab, {})})
        level = slowdown.LEVELS[plainwrk.TEST][0]
        rates, used = plainwrk.compare(lab, EQUAL[0], level, self.extent.rounds, self.seed)
        return replace(so_far, rates=rates, used=used)

    def faults(self, so_far: Calibration) -> Calibration:
        """Measure entries and hosts that are at fault, one sample each."""
        services = {faults.entry(name): _injected(self.lab, {"LAB_FAULT": name}) for name in faults.INJECTED}
        services[faults.entry("memory")] |= {"mem_limit": faults.MEMORY_LIMIT}
        services[EQUAL[0]] = _injected(self.lab, {})
        levels = {"json": slowdown.LEVELS["json"]}
        settings = _one_at_a_time(
            kept.SHORT, tests=levels, levels=levels, blocks=1, repeats=1, duration_s=faults.SAMPLE_S, seed=self.seed
        )
        blind = inventory.is_blind(so_far.aa_test.manifest.facts)
        lab = self.lab.with_services(services)
        with stage.stage(lab, list(services)):
            return replace(so_far, faults=tuple(faults.inject(lab, settings, EQUAL[0], Unkept(self.folder), blind)))

    def _run(self, name: str, services: Services, levels: Mapping[str, tuple[int, ...]], blocks: int) -> Run:
        extent = self.extent
        settings = _one_at_a_time(
            extent.profile,
            frameworks=services,
            tests=levels,
            levels=levels,
            blocks=blocks,
            repeats=extent.repeats,
            duration_s=extent.duration_s,
            seed=self.seed,
        )
        session.start_part(self.lab.with_services(services), settings, self.folder / name, self.console)
        return store.read(self.folder / name)


def run(lab: Lab, extent: Extent, seed: int, results: Path, console: Console) -> tuple[Path, list[Check]]:
    """Return the folder of the calibration's report, and its checks. What was measured is kept, however it ends."""
    store.check(results)
    folder = results / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-calibration"
    with files.writing(folder, files.BEFORE):
        folder.mkdir()
    stage.build(lab, [ENTRY])
    test = _SelfTest(lab, extent, seed, folder, console)
    try:
        done = test.aa_test()
        _keep(folder, done)
        parts = {
            "injected slowdown": test.slowdown,
            "plain wrk": test.against_plain_wrk,
            "injected faults": test.faults,
        }
        for so_far in go_through(parts, done, lab.say):
            done = so_far
            _keep(folder, done)
    except (LabError, KeyboardInterrupt):
        lab.say(f"what was measured is kept in {files.shown(folder)}; a calibration does not go on: start it anew")
        raise
    return folder, calibrate.checks(done)


def _one_at_a_time(profile: str, **given: Any) -> Settings:
    """Return the settings of a run of long samples, as a profile of this name had them."""
    usual = profiles.FORMER[profile]
    return replace(choose("study", **given), profile=profile, primer_s=usual.primer_s, warmup_s=usual.warmup_s)


def go_through(
    parts: Mapping[str, Callable[[Calibration], Calibration]], done: Calibration, say: Callable[[str], None]
) -> Iterator[Calibration]:
    """Yield what there is after each part. One in which wrk fails is said to be given up, and the next one is made."""
    for name, part in parts.items():
        try:
            done = part(done)
        except WrkError as error:
            say(f"the part {name} is given up, and those after it are made: {error}")
            done = replace(done, broken={**done.broken, name: str(error)})
        yield done


def _keep(folder: Path, calibration: Calibration) -> None:
    """Write what there is, and the report as far as it has come."""
    kept.write(folder, calibration)
    store.write_report(folder, markdown.text(calibrate.report(calibration)))


def _injected(lab: Lab, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the service of the entry with a slowdown or a fault; see calibration/injected.py."""
    service = variants.alias(lab.topology, ENTRY, environment)
    started_from = lab.engine.image_id(lab.topology.image(ENTRY)) or ""
    service["image"] = IMAGE
    service["build"] = {"context": str(lab.root / "calibration"), "args": {"STARTS_FROM": started_from}}
    return service
