"""The main job: a new run or a resumed one, from its settings to its report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchlab import __version__
from benchlab.core.errors import EngineError, LabError, StoreError
from benchlab.core.quantities import counted, minutes
from benchlab.engine import building, capacity, networks, stage, topology, variants
from benchlab.engine.lease import Lease
from benchlab.engine.stage import BESIDE, Lab, Stage
from benchlab.experiment import profiles, schedule
from benchlab.experiment.forecast import BlockForecast, Forecast
from benchlab.experiment.settings import PLACEMENT
from benchlab.factors import catalog
from benchlab.host import doctor, facts, inventory
from benchlab.records.counters import CLIENT
from benchlab.records.facts import UNAVAILABLE, Facts, Host
from benchlab.records.plan import NO_PROXY, Block, Manifest, Settings, Variant, Visit
from benchlab.records.run import Decision, Look, Pace, Run
from benchlab.report import gate, outputs, runs, sentences, terminal
from benchlab.report.document import Document
from benchlab.run import conformance, pinned, planning
from benchlab.run.planning import Left
from benchlab.run.progress import Progress, RoundsProgress
from benchlab.run.rounds import RoundRunner
from benchlab.run.state import SessionState
from benchlab.run.visits import VisitRunner
from benchlab.statistics import analysis, baseline, candidate, interim, sizing
from benchlab.statistics.regression import UNDECIDED
from benchlab.storage import store
from benchlab.storage.files import shown
from benchlab.storage.store import Journal

# Makes what shows a run whose entries are up together.
ShowsRounds = Callable[[Console, BlockForecast, Run, str], RoundsProgress]


def describe(lab: Lab, settings: Settings, on: Stage) -> Manifest:
    """Return the manifest of a new run, with what describes it for its reader."""
    made = identify(lab, settings, on.images)
    of_run = replace(_facts(lab, settings, on.images), unbuilt=dict(on.unbuilt), pythons=dict(on.pythons) or None)
    return replace(made, facts=of_run)


def identify(lab: Lab, settings: Settings, images: dict[str, str]) -> Manifest:
    """Return the manifest of a run, without what only describes it: what must not change while it goes on."""
    now = datetime.now(UTC)
    proxy = "" if settings.proxy == NO_PROXY else f"-{'-'.join(settings.proxies)}"
    return Manifest(
        run_id=f"{now:%Y%m%d-%H%M%S}-{settings.profile}{proxy}",
        created_at=now,
        settings=settings,
        entries={entry.name: entry.labels for entry in lab.topology.choose(settings.frameworks)},
        images=images,
        services={service: lab.topology.definition(service) for service in images},
        sources=sources(lab, settings),
        cpus=lab.cpus,
        placement=lab.placement,
        variants={name: lab.variants.get(name, Variant(name)) for name in settings.frameworks},
        groups=planning.groups(lab, settings),
    )


def sources(lab: Lab, settings: Settings) -> dict[str, str]:
    """Return a digest of what each image that takes part would be built from now. Raises SetupError."""
    services = pinned.taking_part([*BESIDE, *settings.frameworks], settings.proxies)
    return building.sources(lab.topology, services)


def advice(manifest: Manifest) -> str:
    """Return in one line what on the host harms a measurement."""
    host = replace(manifest.facts.host, engine_os=manifest.facts.engine_os)
    return doctor.summary(doctor.examine(host))


def _facts(lab: Lab, settings: Settings, images: dict[str, str]) -> Facts:
    """Return what describes the run for its reader: lab, engine, host, and what is inside the containers."""
    base = lab.topology.services[topology.BASE]["build"]["args"]["DEBIAN_IMAGE"]
    entries = {name: images[name] for name in settings.frameworks}
    return replace(
        facts.facts(lab.root, lab.engine, str(base)),
        analysis=analysis.parameters(),
        wrk=inventory.load_generator(lab.roles.client),
        host=_host(lab),
        database=inventory.database(lab.roles.database),
        entries=inventory.entries(lab.engine, entries, lab.state / "inventory.json"),
    )


def _host(lab: Lab) -> Host:
    """Return the facts of the engine's host. Raises EngineError where the roles have other CPUs than was planned."""
    seen = inventory.machine(lab.roles.client, lab.allowed_cpus or ())
    if other := capacity.differing(lab.placement, CLIENT, seen.cpus_allowed):
        raise EngineError(f"the load generator runs on CPUs {other}; use {PLACEMENT.name} shared")
    known = lab.seen.facts if lab.seen else {}
    return Host.of(seen.plain() | {name: UNAVAILABLE if value is None else value for name, value in known.items()})


def start(lab: Lab, settings: Settings, results: Path, console: Console) -> tuple[Path, Run]:
    """Measure a new run and return its folder, and the run. What was measured is kept, however it ends."""
    lab, asked = planning.settled(lab, settings)
    announce = partial(_announce, lab, planning.fitted(lab, asked), console)
    store.check(results)
    # Versions are measured in pairs, and levels beside each other.
    is_of_versions = catalog.compares_versions(asked) or bool(asked.vary)
    accept = stage.refuse if is_of_versions else partial(_refuse_if_none_left, asked)
    with stage.stage(lab, asked.frameworks, announce, accept) as on:
        if asked.vary:
            conformance.refuse_unable(lab, asked)
        manifest = describe(lab, of_built(lab, asked, on.unbuilt), on)
        lab.say(advice(manifest))
        session = Session(lab, manifest, store.create(results, manifest), on.lease, console)
        store.keep_locks(session.journal.folder, variants.locks(lab))
        with _resumable(session):
            run = session.run()
    return session.journal.folder, run


def make_part(
    lab: Lab, settings: Settings, on: Stage, folder: Path, console: Console, show: ShowsRounds = RoundsProgress
) -> Run:
    """Measure a new run, in the folder, that is a part of something larger, which alone knows how to go on.

    Its entries are among those on the stage. `show` makes what shows the run, where all entries are up at once.
    """
    lab, settings = planning.settled(lab, settings)
    settings = planning.fitted(lab, settings)
    manifest = describe(lab, settings, on)
    return Session(lab, manifest, store.create_part(folder, manifest), on.lease, console, show).run()


def resume(lab: Lab, folder: Path, console: Console) -> tuple[Path, Run]:
    """Measure what a run still misses, and return its folder and the run.

    Raises StoreError where lab or images are no longer those of the run.
    """
    manifest = store.read_manifest(folder)
    lab = variants.with_variants(lab, manifest.variants, store.locks(folder))
    journal = Journal(folder)
    kept = journal.run()
    left = _left(lab, kept)
    if not left and not kept.awaits_decision:
        lab.say(f"{manifest.run_id} has all the samples that it can have: nothing to measure")
        return folder, _report(journal)
    store.check_run(folder)
    pinned.refuse_other_version(manifest, __version__, analysis.parameters())
    before = partial(_refuse_other_sources, lab, manifest, left, _paces(kept), console)
    with stage.stage(lab, manifest.settings.frameworks, before) as on:
        pinned.refuse(manifest, identify(lab, manifest.settings, on.images))
        journal, dropped = store.reopen(folder)
        if dropped:
            lab.say(f"the journal's last line was cut off: {dropped} bytes dropped, its trial is measured again")
        session = Session(lab, manifest, journal, on.lease, console)
        with _resumable(session):
            run = session.run()
    return folder, run


def of_built(lab: Lab, asked: Settings, unbuilt: Collection[str]) -> Settings:
    """Return the settings of a run without the entries that could not be built: the others may be in fewer groups."""
    built = tuple(name for name in asked.frameworks if name not in unbuilt)
    return planning.fitted(lab, replace(asked, frameworks=built))


def _refuse_if_none_left(asked: Settings, unbuilt: Mapping[str, str]) -> None:
    """Raise SetupError where no entry could be built, or not the one that all are compared with."""
    if len(unbuilt) == len(asked.frameworks) or asked.control in unbuilt:
        stage.refuse(unbuilt)


@dataclass(frozen=True)
class Session:
    """One sitting of a run: from its start, or from where it is resumed, to its end."""

    lab: Lab
    manifest: Manifest
    journal: Journal
    held: Lease
    console: Console
    show: ShowsRounds = RoundsProgress

    def run(self) -> Run:
        """Make the blocks or visits that are left, and return the run, which is known as being measured meanwhile.

        The report is renewed after each block, and however it ends.
        """
        with self.journal.being_measured():
            return self._reported()

    def _reported(self) -> Run:
        try:
            self._measure()
            return _report(self.journal)
        except (LabError, KeyboardInterrupt):
            try:
                _report(self.journal)
            except StoreError as error:
                self.lab.say(f"its report is not renewed: {error}")
            raise

    def _measure(self) -> None:
        """Make what is left; where the settings ask for it, decide on more blocks and make these too.

        What failed before that is not tried again in this sitting.
        """
        self._make(self._left())
        if self.manifest.settings.looks:
            self._look_on()
            return
        if self.journal.run().awaits_decision:
            self._decide()
            self._make(_after(self.manifest.settings.blocks, self._left()))

    def _look_on(self) -> None:
        """Let the gate look, and measure on to its next look, until it has its answer."""
        while self.journal.run().awaits_decision:
            blocks = self.journal.run().blocks
            self._look()
            self._make(_after(blocks, self._left()))

    def _left(self) -> Left:
        return _left(self.lab, self.journal.run())

    def _make(self, left: Left) -> None:
        """Make the blocks, or visits, that are left."""
        if not left:
            return
        run, caution = self.journal.run(), profiles.caution(self.manifest)
        blocks, visits = _blocks(left), _visits(left)
        where = f"journal: {shown(self.journal.folder)}"
        if blocks:
            paces = _paces(run)
            by_block = BlockForecast(blocks, self.manifest.settings, paces)
            self.lab.say(f"{counted(len(blocks), 'block')} to make, about {minutes(by_block.total_s)}; {where}")
            progress: Progress = self.show(self.console, by_block, run, caution)
            made = RoundRunner(**self._bench(run, progress), paces=paces).run(blocks)
        else:
            forecast = Forecast(visits, self.manifest.settings)
            samples = counted(sum(len(visit.trials) for visit in visits), "sample")
            self.lab.say(f"{samples} to take, {planning.duration(forecast.total_s)}; {where}")
            progress = Progress(self.console, forecast, run, caution)
            made = VisitRunner(**self._bench(run, progress)).run(visits)
        with progress.running():
            for block in made:
                _report(self.journal)
                progress.block(block)

    def _bench(self, run: Run, progress: Progress) -> dict[str, Any]:
        """Return what loading entries needs: the fields of a Bench."""
        manifest, lab = self.manifest, self.lab
        return {
            "roles": lab.roles,
            "journal": self.journal,
            "entries": {entry.name: entry for entry in lab.topology.choose(manifest.settings.frameworks)},
            "levels": planning.levels(lab, manifest.settings),
            "settings": manifest.settings,
            "events": progress,
            "cpus": lab.client_cpus,
            "state": SessionState(run.taken, run.findings),
            "allow": self.allow,
            "ask_engine": inventory.is_blind(manifest.facts),
            "allowed_cpus": lab.allowed_cpus,
            "placement": lab.placement,
            "patterns": lab.patterns,
            "change_places": partial(networks.change_places, lab.engine, lab.roles),
        }

    def allow(self) -> None:
        """Raise EngineError where another block or visit would not belong to this run."""
        self.held.check()
        # Not what the run may use of them, which takes a container to see.
        began = self.manifest.facts.engine_cpus or self.manifest.cpus
        if (cpus := self.lab.engine.cpus) != began:
            raise EngineError(
                f"the engine had {began} CPUs when the run began, and has {cpus} now; bring them back, "
                "or start a new run"
            )

    def _decide(self) -> None:
        """Decide how many blocks the run gets in all, and write that into the journal."""
        settings, run, turns = self.manifest.settings, self.journal.run(), max(1, len(self.manifest.groups))
        block_s = sizing.block_s(run)
        left_s = None if settings.budget_s is None else settings.budget_s - settings.blocks * block_s
        size = sizing.decide(sizing.decisive(run), settings.blocks, settings.precision, block_s, left_s, turns)
        reason = sentences.why_so_many(size, settings.precision, block_s)
        decision = Decision(datetime.now(UTC), settings.blocks, size.blocks, size.needed, reason)
        self.journal.append(decision)
        self.lab.say(f"{counted(decision.blocks, 'block')} in all: {decision.reason}")

    def _look(self) -> None:
        """Let the gate look at all that is measured; write into the journal what it said, and how the run goes on."""
        settings, run = self.manifest.settings, self.journal.run()
        answer = _answer(run)
        is_open = answer.exit_code == UNDECIDED and run.blocks < settings.looks[-1]
        next_look = _next_look(run) if is_open else None
        ends_early = is_open and next_look is None
        reason = gate.at_look(answer, run.blocks, settings.looks, ends_early=ends_early)
        number = len(run.looks) + 1
        self.journal.append(Look(number, datetime.now(UTC), run.blocks, next_look, answer.exit_code, reason))
        after = "" if next_look is None else f"; next look after {next_look} blocks"
        self.lab.say(f"look {number}: {reason}{after}")


def _answer(run: Run) -> interim.Answer:
    """Return what the gate says of the run so far."""
    pair = baseline.of_versions(run)
    settings, ranked_by = run.manifest.settings, candidate.measures(pair[0]).ranked_by
    margin = settings.margin or 0.0
    return interim.answer(candidate.rows(*pair), ranked_by, margin, settings.looks, candidate.uncompared(*pair))


def _next_look(run: Run) -> int | None:
    """Return after how many blocks to look next: those planned, or as many as the budget has time for.

    None where it has no time for more, and after a look that was not planned: the budget made that one the last.
    """
    settings = run.manifest.settings
    planned = min(blocks for blocks in settings.looks if blocks > run.blocks)
    if run.blocks not in settings.looks:
        return None
    if settings.budget_s is None:
        return planned
    fitting = sizing.fitting_blocks(settings.budget_s, sizing.block_s(run), len(run.manifest.groups))
    return min(planned, fitting) if fitting > run.blocks else None


@contextmanager
def _resumable(session: Session) -> Iterator[None]:
    """Say how the run goes on, where the with block ends it early."""
    try:
        yield
    except (LabError, KeyboardInterrupt):
        session.lab.say(runs.go_on(session.journal.folder))
        raise


def _report(journal: Journal) -> Run:
    """Return the run as it stands; its report is renewed where it is not of that."""
    run = journal.run()
    if journal.derived is not run:
        journal.derive(run, outputs.outputs(run))
    return run


def _blocks(left: Left) -> tuple[Block, ...]:
    return tuple(each for each in left if isinstance(each, Block))


def _visits(left: Left) -> tuple[Visit, ...]:
    return tuple(each for each in left if isinstance(each, Visit))


def _after(block: int, left: Left) -> Left:
    """Return what is left of the blocks after this one."""
    return tuple(each for each in _blocks(left) if each.number > block) or tuple(
        each for each in _visits(left) if each.block > block
    )


def _left(lab: Lab, run: Run) -> Left:
    """Return what of the run is still to be made, of the blocks that it has so far: blocks, or visits."""
    if run.manifest.settings.together:
        return schedule.blocks(run)
    return schedule.remaining(planning.visits(lab, run.manifest.settings, run.blocks), run.measured)


def _announce(lab: Lab, settings: Settings, console: Console) -> None:
    """Say what will be measured, before anything is built or started for it."""
    planned = planning.planned(lab, settings, settings.blocks)
    terminal.show(console, Document((planning.outline(lab, settings, planned),)))


def _paces(run: Run) -> dict[str, Pace]:
    return {pace.test: pace for pace in run.paces}


def _refuse_other_sources(
    lab: Lab, manifest: Manifest, left: Left, paces: Mapping[str, Pace], console: Console
) -> None:
    pinned.refuse_other_sources(manifest, sources(lab, manifest.settings))
    outline = planning.outline(lab, manifest.settings, left, paces, manifest.groups)
    terminal.show(console, Document((outline,)))
