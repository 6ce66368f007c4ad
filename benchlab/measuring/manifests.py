"""Makes the manifest of a run: what takes part, what it was made from, and what describes it for its reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from benchlab.core.counters import CLIENT
from benchlab.core.errors import EngineError
from benchlab.core.model import NO_PROXY, UNAVAILABLE, UNBUILT, Manifest, Settings
from benchlab.machine import building, capacity, doctor, host, inventory, topology
from benchlab.machine.stage import BESIDE, Lab
from benchlab.statistics import analysis
from benchlab.storage import changes


def described(lab: Lab, settings: Settings, images: dict[str, str], unbuilt: dict[str, str]) -> Manifest:
    """Return the manifest of a new run, with what describes it for its reader."""
    made = manifest(lab, settings, images)
    return replace(made, facts={**_facts(lab, settings, images), UNBUILT: unbuilt})


def manifest(lab: Lab, settings: Settings, images: dict[str, str]) -> Manifest:
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
    )


def sources(lab: Lab, settings: Settings) -> dict[str, str]:
    """Return a digest of what each image that takes part would be built from now. Raises SetupError."""
    services = changes.taking_part([*BESIDE, *settings.frameworks], settings.proxies)
    return building.sources(lab.topology, services)


def advice(manifest: Manifest) -> str:
    """Return in one line what on the host harms a measurement."""
    seen = manifest.facts["host"]
    known = {"engine_os": manifest.facts["engine_os"], **(seen if isinstance(seen, dict) else {})}
    known_facts = {name: None if value == UNAVAILABLE else value for name, value in known.items()}
    return doctor.brief(doctor.examine(known_facts))


def _facts(lab: Lab, settings: Settings, images: dict[str, str]) -> dict[str, object]:
    """Return what describes the run for its reader: lab, engine, host, and what is inside the containers."""
    base = lab.topology.services[topology.BASE]["build"]["args"]["DEBIAN_IMAGE"]
    entries = {name: images[name] for name in settings.frameworks}
    return {
        **host.facts(lab.root, lab.engine, str(base)),
        "analysis": analysis.parameters(),
        "wrk": inventory.load_generator(lab.engine),
        "host": _host(lab),
        "database": inventory.database(lab.engine),
        "entries": inventory.entries(lab.engine, entries, lab.state / "inventory.json"),
    }


def _host(lab: Lab) -> dict[str, object]:
    """Return the facts of the engine's host. Raises EngineError where the roles have other CPUs than was planned."""
    found = inventory.machine(lab.engine, lab.allowed_cpus or ())
    if other := capacity.differing(lab.placement, CLIENT, found.get("cpus_allowed")):
        raise EngineError(f"the load generator runs on CPUs {other}; use --placement shared")
    known = lab.seen.facts if lab.seen else {}
    return {**found, **{name: UNAVAILABLE if value is None else value for name, value in known.items()}}
