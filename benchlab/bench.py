"""The main job: a new run or a resumed one, from its settings to its report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from benchlab import changes, connection, host, lease, profiles, provision, report, schedule, store, topology, workloads
from benchlab.engine import Engine
from benchlab.errors import ConfigError, EngineError, LabError, StoreError
from benchlab.forecast import Forecast, minutes
from benchlab.interrupts import shielded
from benchlab.lease import Lease
from benchlab.model import Entry, Failure, Level, Manifest, Sample, Settings, Verification, Visit
from benchlab.progress import Progress
from benchlab.provision import Say
from benchlab.runner import Events, Runner
from benchlab.store import Journal
from benchlab.topology import Topology

# Beside the entries, whether or not a proxy is asked for: it is part of what is built.
BESIDE = ("db", "wrk", "nginx")


@dataclass(frozen=True)
class Lab:
    """What every command that uses the engine works with: the place, its topology, its engine and the engine's CPUs."""

    root: Path
    topology: Topology
    engine: Engine
    cpus: int
    debian: str
    say: Say

    @property
    def state(self) -> Path:
        return self.root / ".lab"


def open_lab(root: Path, frameworks: Iterable[str], say: Say) -> Lab:
    """Return the lab with an engine and Compose made ready; the frameworks' names are checked first."""
    project = topology.project(root)
    provision.compose(project, say)
    topology.load(root, {}).choose(frameworks)
    engine = provision.engine(project, say)
    debian = provision.local_debian(engine) or provision.fetch_debian(engine, say)
    cpus = engine.cpus
    environment = {**topology.resources(root, cpus), **connection.address(), "LAB_DEBIAN_IMAGE": debian}
    return Lab(root, topology.load(root, environment), engine, cpus, debian, say)


def build(lab: Lab, entries: Iterable[str]) -> None:
    """Bring the images up to date, alone on the engine: builds would disturb another lab's samples."""
    with lease.held(lab.engine, lab.debian):
        provision.images(lab.topology, lab.engine, [*BESIDE, *entries], lab.state, lab.say)


@contextmanager
def stage(
    lab: Lab, entries: Iterable[str], check: Callable[[], None] = lambda: None
) -> Iterator[tuple[dict[str, str], Lease]]:
    """Build what is needed and make the containers, for the length of the with block.

    `check` is called when the engine is held, before anything is built. Yields the id of each container's image, by
    service, and the engine's lease. At the end the engine has nothing left but images; after a kill or with the engine
    gone, the next start clears up.
    """
    services = [*BESIDE, *entries]
    with lease.held(lab.engine, lab.debian) as held:
        check()
        provision.images(lab.topology, lab.engine, services, lab.state, lab.say)
        try:
            if lab.engine.remove_all():
                lab.say("cleared what an earlier run had left behind")
            lab.topology.create(services, lab.state / "create.log")
            yield lab.engine.container_images(services), held
        finally:
            _clear(lab, held)


def start(lab: Lab, settings: Settings, results: Path, console: Console) -> Path:
    """Measure a new run and return its folder. What was measured is kept, however it ends."""
    entries = lab.topology.choose(settings.frameworks)
    settings = replace(settings, frameworks=tuple(entry.name for entry in entries))
    _refuse_nothing(entries, settings)
    visits = _plan(lab, settings)
    store.check(results)
    with stage(lab, settings.frameworks) as (images, held):
        manifest = _manifest(lab, settings, images)
        journal = store.create(results, manifest)
        _measure(lab, manifest, journal, visits, held, console)
    return journal.folder


def resume(lab: Lab, folder: Path, console: Console) -> Path:
    """Measure what a run still misses. Raises StoreError where lab or images are no longer those of the run."""
    manifest = store.read_manifest(folder)
    if not _left(lab, folder):
        lab.say(f"{manifest.run_id} has all its samples: nothing to measure")
        _report(Journal(folder))
        return folder
    store.check_run(folder)
    with stage(lab, manifest.settings.frameworks, partial(_refuse_other_sources, lab, manifest)) as (images, held):
        changes.refuse(manifest, _manifest(lab, manifest.settings, images))
        journal, dropped = store.reopen(folder)
        if dropped:
            lab.say(f"the journal's last line was cut off: {dropped} bytes dropped, its trial is measured again")
        # Read anew: another lab may have gone on with this run until the engine was free.
        _measure(lab, manifest, journal, _left(lab, folder), held, console)
    return folder


def _left(lab: Lab, folder: Path) -> tuple[Visit, ...]:
    run = store.read(folder)
    return schedule.remaining(_plan(lab, run.manifest.settings), run.measured)


def verify(lab: Lab, settings: Settings) -> list[Verification]:
    """Return what verification finds of each test type of the entries; nothing is loaded or kept."""
    entries = {entry.name: entry for entry in lab.topology.choose(settings.frameworks)}
    _refuse_nothing(entries.values(), settings)
    with stage(lab, entries):
        runner = Runner(lab.engine, _Nowhere(lab.state), entries, _levels(lab, settings), settings, Events(), lab.cpus)
        return [verdict for name in entries for verdict in runner.verify(name)]


@dataclass(frozen=True)
class _Nowhere:
    """The journal of a command that measures nothing; logs of lost containers go into `folder`."""

    folder: Path

    def append(self, record: Sample | Failure) -> None:
        raise AssertionError("verification records nothing")

    def keep_log(self, name: str, text: str) -> str:
        return shown(store.keep_log(self.folder, name, text))


def _measure(
    lab: Lab, manifest: Manifest, journal: Journal, visits: tuple[Visit, ...], held: Lease, console: Console
) -> None:
    """Make the visits; the report is renewed after each block, and however it ends."""
    forecast = Forecast(visits, manifest.settings)
    count, names = sum(len(visit.trials) for visit in visits), ", ".join(manifest.settings.frameworks)
    lab.say(f"{count} samples of {manifest.settings.duration_s} s in {len(visits)} visits of {names}")
    lab.say(f"about {minutes(forecast.total_s)}; journal: {shown(journal.folder)}")
    entries = {entry.name: entry for entry in lab.topology.choose(manifest.settings.frameworks)}
    caution = profiles.caution(manifest.settings)
    run = store.read(journal.folder)
    progress = Progress(console, forecast, run, caution)
    levels = _levels(lab, manifest.settings)
    taken = list(run.taken)
    runner = Runner(
        lab.engine, journal, entries, levels, manifest.settings, progress, manifest.cpus, taken, allow=held.check
    )
    try:
        with progress.running():
            for block in runner.run(visits):
                _report(journal)
                progress.block(block)
    except (LabError, KeyboardInterrupt):
        lab.say(f"what was measured is kept; go on with: python lab.py --resume {shown(journal.folder)}")
        try:
            _report(journal)
        except StoreError as error:
            lab.say(f"its report is not renewed: {error}")
        raise


def shown(folder: Path) -> str:
    """Return the path as short as it can be typed here."""
    return min(os.path.relpath(folder), str(folder), key=len)


def _report(journal: Journal) -> None:
    run = store.read(journal.folder)
    journal.derive(run, report.report(run))


def _levels(lab: Lab, settings: Settings) -> dict[str, tuple[Level, ...]]:
    return {test: workloads.levels(test, values, lab.cpus) for test, values in settings.levels.items()}


def _plan(lab: Lab, settings: Settings) -> tuple[Visit, ...]:
    entries = lab.topology.choose(settings.frameworks)
    return schedule.plan(entries, _levels(lab, settings), settings.blocks, settings.seed)


def _refuse_nothing(entries: Iterable[Entry], settings: Settings) -> None:
    """Raise ConfigError where no entry has any of the tests."""
    if not any(test in entry.tests for entry in entries for test in settings.tests):
        raise ConfigError(f"no chosen entry has the test {', '.join(settings.tests)}; see `python lab.py list`")


def _manifest(lab: Lab, settings: Settings, images: dict[str, str]) -> Manifest:
    now = datetime.now(UTC)
    proxy = "" if settings.proxy == "none" else f"-{settings.proxy}"
    base = lab.topology.services[topology.BASE]["build"]["args"]["DEBIAN_IMAGE"]
    return Manifest(
        run_id=f"{now:%Y%m%d-%H%M%S}-{settings.profile}{proxy}",
        created_at=now,
        settings=settings,
        entries={entry.name: entry.labels for entry in lab.topology.choose(settings.frameworks)},
        images=images,
        services={service: lab.topology.definition(service) for service in images},
        sources=_sources(lab, settings),
        cpus=lab.cpus,
        facts=host.facts(lab.root, lab.engine, str(base)),
    )


def _sources(lab: Lab, settings: Settings) -> dict[str, str]:
    services = changes.taking_part([*BESIDE, *settings.frameworks], settings.proxy)
    return provision.sources(lab.topology, services)


def _refuse_other_sources(lab: Lab, manifest: Manifest) -> None:
    changes.refuse_other_sources(manifest, _sources(lab, manifest.settings))


def _clear(lab: Lab, held: Lease) -> None:
    with shielded():
        try:
            if held.is_another_s():
                lab.say("another lab is at work on the engine: nothing is removed, and it clears what this one left")
                return
            lab.engine.remove_all()
        except EngineError as error:
            lab.say(f"containers may be left behind ({error}); the next start of the lab clears them")
