"""The stage of a command: an engine and Compose made ready, images up to date, containers made and cleared away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchlab.core import log_patterns
from benchlab.core.errors import EngineError, NoEngineError, SetupError, UsageError
from benchlab.core.interrupts import shielded
from benchlab.core.log_patterns import LogPatterns
from benchlab.core.quantities import counted
from benchlab.engine import building, capacity, compose, lease, networks, provision, pythons, topology
from benchlab.engine.capacity import Capacity
from benchlab.engine.compose import Services
from benchlab.engine.endpoints import Roles, proxy_service
from benchlab.engine.engine import Engine, engine_address
from benchlab.engine.lease import Lease
from benchlab.engine.provision import Say
from benchlab.engine.topology import Topology
from benchlab.experiment import placement, stack
from benchlab.experiment.placement import AUTO, SHARED, SPLIT_CPUS
from benchlab.experiment.settings import PLACEMENT
from benchlab.factors.catalog import PYTHON
from benchlab.records.counters import APP, CLIENT
from benchlab.records.plan import NO_PROXY, Entry, Variant

# Beside the entries, whether or not a proxy is asked for: it is part of what is built.
BESIDE = ("db", "wrk", "nginx")


@dataclass(frozen=True)
class Conditions:
    """What containers are made under: the mode of placement, and what the entries of compose.yaml get.

    These get the first of `proxies`. Where `db_connections` is None, .env says how many each has in all.
    """

    placed: str = SHARED
    proxies: tuple[str, ...] = (NO_PROXY,)
    db_connections: int | None = None

    @property
    def has_proxy(self) -> bool:
        return any(proxy != NO_PROXY for proxy in self.proxies)


USUAL = Conditions()
SPILLS = (
    "the engine does not keep containers to the CPUs that they are given; let it use the cgroup controller cpuset "
    "(a rootless engine: Delegate=cpuset)"
)


@dataclass(frozen=True)
class Lab:
    """What every command that uses the engine works with: the place, its topology, its engine and the engine's CPUs.

    A plan alone needs no engine, and the CPUs are then this machine's. `cpus` are those that can be in
    use at a time, which may be fewer than the engine counts; `seen` is what that follows from. `placement` are those of
    each role; empty where all share them. `added` are the services beside compose.yaml's; `variants` says by name what
    takes part in a run. `patterns` are what servers log of their own start and end.
    """

    root: Path
    topology: Topology
    engine_if_any: Engine | None
    cpus: int
    debian: str
    say: Say
    placement: dict[str, tuple[int, ...]] = field(default_factory=dict)
    added: Services = field(default_factory=dict)
    seen: Capacity | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    patterns: LogPatterns = field(default_factory=LogPatterns)

    @property
    def engine(self) -> Engine:
        """Return the engine. Raises NoEngineError where there is none."""
        if self.engine_if_any is None:
            raise NoEngineError("no Docker engine answers; start Docker")
        return self.engine_if_any

    @property
    def roles(self) -> Roles:
        """Return which engine each role is on. Raises NoEngineError where there is none."""
        return Roles.on_one(self.engine)

    @property
    def state(self) -> Path:
        return self.root / ".lab"

    @property
    def client_cpus(self) -> int:
        """Return how many CPUs the load generator can use."""
        return len(self.placement.get(CLIENT, ())) or self.cpus

    @property
    def allowed_cpus(self) -> tuple[int, ...] | None:
        """Return the host's CPUs that containers may use, None where that was not looked at."""
        return self.seen.allowed if self.seen else None

    def with_services(self, services: Services) -> Lab:
        """Return the lab with more services in its topology."""
        added = {**self.added, **services}
        path = compose.write(added, self.state / "overlay.yaml")
        return replace(self, topology=topology.load(self.root, self.topology.environment, [path]), added=added)


def open_lab(root: Path, frameworks: Iterable[str], say: Say, under: Conditions = USUAL) -> Lab:
    """Return the lab with an engine and Compose made ready; the frameworks' names are checked first."""
    project = compose.project(root)
    provision.compose(project, say)
    topology.load(root, {}).choose(frameworks)
    engine = provision.engine(project, say)
    image = provision.local(engine) or provision.fetch(engine, say)
    # What may be used is looked at with a container, which would disturb another lab's samples.
    lease.refuse_if_held(engine)
    return _lab(root, engine, image, capacity.read(engine, image), say, under)


def look(root: Path, frameworks: Iterable[str], say: Say, under: Conditions) -> Lab:
    """Return the lab as it is, be it without an engine: nothing is installed, started, fetched or built for it.

    Raises SetupError without Compose, or where the engine may not be asked.
    """
    engine = Engine.if_any(compose.project(root))
    topology.load(root, {}).choose(frameworks)
    if engine is None:
        say(f"no engine answers: planned for the {counted(capacity.own_cpus(), 'CPU')} of this machine")
        return _lab(root, None, None, capacity.own(), say, under)
    image = provision.local(engine)
    return _lab(root, engine, image, seen(engine, image), say, under)


def seen(engine: Engine, image: str | None) -> Capacity:
    """Return what is seen of the engine's CPUs.

    It is no more than their number before there is an image to look with, and while a look would disturb another lab.
    """
    if image is None or lease.is_held(engine):
        return capacity.counted(engine.cpus)
    return capacity.read(engine, image)


def _lab(root: Path, engine: Engine | None, image: str | None, host: Capacity, say: Say, under: Conditions) -> Lab:
    cpus = host.cpus
    cpus_of_roles = placed(engine, image, host, say, under)
    environment = {
        **compose.resources(root, len(cpus_of_roles.get(APP, ())) or cpus, under.db_connections),
        **placement.settings(cpus_of_roles),
        **engine_address(),
        "LAB_PROXY": under.proxies[0],
        "LAB_DEBIAN_IMAGE": image or "",
    }
    resolved, patterns = topology.load(root, environment), log_patterns.read(root / log_patterns.FOLDER)
    return Lab(root, resolved, engine, cpus, image or "", say, cpus_of_roles, seen=host, patterns=patterns)


def placed(
    engine: Engine | None, image: str | None, host: Capacity, say: Say, under: Conditions
) -> dict[str, tuple[int, ...]]:
    """Return the CPUs of each role; whether the engine keeps to them is tried only where that decides anything."""
    if under.placed == SHARED or (under.placed == AUTO and host.cpus < SPLIT_CPUS):
        return {}
    if not host.cores:
        raise SetupError(
            "the host's cores cannot be seen before there is an image, or while another lab is at work; "
            "run `make setup`, or wait"
        )
    try:
        chosen = placement.choose(under.placed, host.usable_cores, under.has_proxy)
    except UsageError as error:
        raise UsageError(f"{PLACEMENT.name} {error}") from error
    if not chosen or engine is None or image is None or capacity.keeps_apart(engine, image, host):
        return chosen
    if under.placed != AUTO:
        raise SetupError(f"{PLACEMENT.name} {under.placed}: {SPILLS}, or use shared")
    say(f"{SPILLS}; until then all roles share the {counted(host.cpus, 'CPU')}")
    return {}


def refuse(unbuilt: Mapping[str, str]) -> None:
    """Raise SetupError where an entry could not be built."""
    if unbuilt:
        raise SetupError("; ".join(unbuilt.values()))


def build(lab: Lab, entries: Iterable[str]) -> None:
    """Bring the images up to date, alone on the engine: builds would disturb another lab's samples.

    Raises SetupError for entries that cannot be built, after the others.
    """
    with lease.held(lab.engine, lab.debian):
        refuse(building.update(lab.topology, lab.engine, [*BESIDE, *entries], lab.state, lab.say))


@dataclass(frozen=True)
class Stage:
    """What a command has to work with: the id of each container's image by service, and the engine's lease.

    `unbuilt` is why entries have no image or no container, by name; `pythons` is where those came from that were asked
    for, by their level.
    """

    images: dict[str, str]
    lease: Lease
    unbuilt: Mapping[str, str]
    pythons: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def stage(
    lab: Lab,
    entries: Iterable[str],
    check: Callable[[], None] = lambda: None,
    accept: Callable[[Mapping[str, str]], None] = refuse,
) -> Iterator[Stage]:
    """Build what is needed and make the containers, for the length of the with block.

    `check` is called when the engine is held, before anything is built. `accept` is called with the entries that could
    not be built, and why, before the others' containers are made, and again with those of which no container could be
    made; it raises where that ends the command. At the end the engine has nothing left but images; after a kill or with
    the engine gone, the next start clears up.
    """
    services = [*BESIDE, *entries]
    with lease.held(lab.engine, lab.debian) as held:
        check()
        origins = _pythons(lab, services)
        unbuilt = building.update(lab.topology, lab.engine, services, lab.state, lab.say)
        accept(unbuilt)
        services = [service for service in services if service not in unbuilt]
        try:
            if lab.engine.remove_all():
                lab.say("cleared what an earlier run had left behind")
            if unmade := _create(lab, [*services, *_proxies(lab, services)]):
                unbuilt = {**unbuilt, **unmade}
                accept(unbuilt)
                services = [service for service in services if service not in unmade]
            networks.join(lab.engine, lab.roles, _entries(lab, services), lab.topology.default_network)
            yield Stage(lab.engine.container_images(services), held, unbuilt, origins)
        finally:
            _clear(lab, held)


def _pythons(lab: Lab, services: Iterable[str]) -> dict[str, str]:
    """Make the base images of all Pythons that services ask for; return where each came from, by its level."""
    asked = sorted({level for service in services if (level := lab.topology.labels(service).get(PYTHON.name))})
    return {level: pythons.ensure(level, lab.engine, lab.root, lab.say).origin for level in asked}


def _entries(lab: Lab, services: Iterable[str]) -> list[Entry]:
    return [lab.topology.entries[service] for service in services if lab.topology.is_entry(service)]


def _proxies(lab: Lab, services: Iterable[str]) -> list[str]:
    """Return the services of the proxies in front of these of the services that are entries with one."""
    return [proxy_service(entry) for entry in _entries(lab, services) if entry.proxy != NO_PROXY]


def _create(lab: Lab, services: Sequence[str]) -> dict[str, str]:
    """Make the services' containers, and return why entries have none, by name. Raises SetupError for what is no entry.

    One that the engine refuses would keep Compose from the others: then each entry's is made by itself.
    """
    log = lab.state / "create.log"
    try:
        lab.topology.create(services, log)
        return {}
    except SetupError as error:
        entries = [service for service in services if lab.topology.is_entry(service)]
        if not any(stack.is_adopted(lab.topology.labels(entry)) for entry in entries):
            raise
        lab.say(str(error))
    lab.topology.create([service for service in services if service not in entries], log)
    unmade = {}
    for entry in entries:
        try:
            lab.topology.create([entry], log)
        except SetupError as error:
            unmade[entry] = str(error)
    return unmade


def _clear(lab: Lab, held: Lease) -> None:
    with shielded():
        try:
            if held.is_another_s():
                lab.say("another lab is at work on the engine: nothing is removed, and it clears what this one left")
                return
            lab.engine.remove_all()
        except EngineError as error:
            lab.say(f"containers may be left behind ({error}); the next start of the lab clears them")
            return
        with suppress(EngineError):  # it is done again after the next run
            building.prune(lab.engine, lab.state, [service["image"] for service in lab.topology.services.values()])
