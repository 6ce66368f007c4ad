"""Tests the instrument itself on this host: makes entries of known truth, measures them, and keeps what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab.core.errors import LabError, WrkError
from benchlab.engine import stage, variants
from benchlab.engine.stage import Lab
from benchlab.records.run import Run
from benchlab.report import markdown, terminal
from benchlab.report.document import Document
from benchlab.run import session
from benchlab.selftest import calibrate, faults, kept, known_rate, plainwrk, slowdown
from benchlab.selftest.check import Check
from benchlab.selftest.extent import KNOWN_RATE, PLAIN, Amount, Extent
from benchlab.selftest.kept import Findings
from benchlab.selftest.watch import SlowdownWatch, TroubleWatch, Watch, Watched
from benchlab.storage import files, store

ENTRY = "aiohttp"
# The image of the entry that a slowdown or a fault is injected into.
IMAGE = "benchlab/injected"
FAULT = "LAB_FAULT"
# With less memory than this the entry's fault of it takes a second or two.
MEMORY_LIMIT = "300m"
# The share of a CPU that a starved load generator gets.
STARVED_CPUS = 0.3
SPIN = ("python3", "-c", "while True: pass")


@dataclass(frozen=True)
class _SelfTest:
    """The parts of one calibration: each returns what is found so far, with what came of the part."""

    lab: Lab
    extent: Extent
    seed: int
    folder: Path
    console: Console

    def aa_test(self, so_far: Findings) -> Findings:
        """Measure entries that are the same under several names."""
        run = self._run(kept.AA_TEST, self.extent.aa_test, {})
        if not run.samples:
            raise LabError(
                f"equal entries gave no slice that counts: see report.md and logs/ in the folder {kept.AA_TEST}"
            )
        return so_far

    def slowdown(self, so_far: Findings) -> Findings:
        """Measure an entry beside three doses of a slowdown, which say of themselves how large they are."""
        amount = self.extent.slowdown
        burn_us = slowdown.burn_us(store.read(self.folder / kept.AA_TEST), self.extent.least_dose)
        environments = {name: {slowdown.VARIABLE: json.dumps({slowdown.PATH: us})} for name, us in burn_us.items()}
        watch = SlowdownWatch(self._with(amount, environments), amount.entries)
        self._run(kept.SLOWDOWN, amount, environments, watch)
        return replace(so_far, burdens=tuple(watch.burdens), used=watch.used)

    def known_rate(self, so_far: Findings) -> Findings:
        """Measure a server whose rate is known."""
        environment = {known_rate.VARIABLE: str(known_rate.PERIOD_MS)}
        self._run(kept.KNOWN_RATE, self.extent.known_rate, {KNOWN_RATE: environment})
        return so_far

    def against_plain_wrk(self, so_far: Findings) -> Findings:
        """Measure in turns in slices, as one long sample, and with wrk as one would type it."""
        lab = self.lab.with_services({PLAIN: injected(self.lab, {})})
        with stage.stage(lab, [PLAIN]):
            return replace(so_far, rates=plainwrk.compare(lab, PLAIN, self.extent.turns, self.seed))

    def faults(self, so_far: Findings) -> Findings:
        """Measure entries that are at fault, beside a sound one."""
        environments = {faults.entry(name): {FAULT: name} for name in faults.INJECTED}
        self._run(kept.FAULTS, self.extent.faults, environments)
        return so_far

    def troubles(self, so_far: Findings) -> Findings:
        """Measure the sound entry on a host that is in trouble."""
        troubles = {
            faults.STARVED: self.lab.engine.limited("wrk", STARVED_CPUS),
            faults.NEIGHBOURS: _neighbours(self.lab),
        }
        for name, trouble in troubles.items():
            with TroubleWatch(trouble) as watch:
                self._run(kept.TROUBLES[name], self.extent.troubled, {}, watch)
        return so_far

    def _run(
        self, part: str, amount: Amount, environments: Mapping[str, Mapping[str, str]], watch: Watch | None = None
    ) -> Run:
        """Measure a run of the entries, each with what is in its environment, and return it."""
        lab = self._with(amount, environments)
        with stage.stage(lab, amount.entries) as on:
            shown = partial(Watched, watch or Watch())
            return session.make_part(lab, amount.settings(self.seed), on, self.folder / part, self.console, shown)

    def _with(self, amount: Amount, environments: Mapping[str, Mapping[str, str]]) -> Lab:
        """Return the lab with the entries, of which each has what is in its environment."""
        services: dict[str, Any] = {name: injected(self.lab, environments.get(name, {})) for name in amount.entries}
        if (hoarder := faults.entry("memory")) in services:
            services[hoarder] |= {"mem_limit": MEMORY_LIMIT}
        return self.lab.with_services(services)


def run(lab: Lab, extent: Extent, seed: int, results: Path, console: Console) -> tuple[Path, list[Check]]:
    """Return the folder of the calibration's report, and its checks. What was measured is kept, however it ends."""
    store.check(results)
    terminal.show(console, Document((extent.plan,)))
    folder = results / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-calibration"
    with files.writing(folder, files.BEFORE):
        folder.mkdir()
    findings = Findings(extent.is_full)
    kept.write(folder, findings)
    stage.build(lab, [ENTRY])
    test = _SelfTest(lab, extent, seed, folder, console)
    try:
        findings = test.aa_test(findings)
        _keep(folder, findings)
        parts = {
            "injected slowdown": test.slowdown,
            "known rate": test.known_rate,
            "plain wrk": test.against_plain_wrk,
            "injected faults": test.faults,
            "troubled host": test.troubles,
        }
        for so_far in go_through(parts, findings, lab.say):
            _keep(folder, so_far)
    except (LabError, KeyboardInterrupt):
        lab.say(f"what was measured is kept in {files.shown(folder)}; a calibration does not go on: start it anew")
        raise
    return folder, calibrate.checks(kept.read(folder))


def go_through(
    parts: Mapping[str, Callable[[Findings], Findings]], findings: Findings, say: Callable[[str], None]
) -> Iterator[Findings]:
    """Yield what is found after each part. One in which wrk fails is said to be given up, and the next one is made."""
    for name, part in parts.items():
        try:
            findings = part(findings)
        except WrkError as error:
            say(f"the part {name} is given up, and those after it are made: {error}")
            findings = replace(findings, broken={**findings.broken, name: str(error)})
        yield findings


def _keep(folder: Path, findings: Findings) -> None:
    """Write what is found, and the report as far as it has come."""
    kept.write(folder, findings)
    store.write_report(folder, markdown.text(calibrate.report(kept.read(folder))))


@contextmanager
def _neighbours(lab: Lab) -> Iterator[None]:
    """Keep every CPU of the host busy with something that is none of the measurement."""
    with ExitStack() as neighbours:
        for _ in range(lab.cpus):
            neighbours.enter_context(lab.engine.beside(lab.topology.image("wrk"), SPIN))
        yield


def injected(lab: Lab, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the service of the entry with a slowdown, a known rate or a fault; see calibration/injected.py."""
    service = variants.alias(lab.topology, ENTRY, environment)
    started_from = lab.engine.image_id(lab.topology.image(ENTRY)) or ""
    service["image"] = IMAGE
    service["build"] = {"context": str(lab.root / "calibration"), "args": {"STARTS_FROM": started_from}}
    return service
