"""Says whether two runs may be compared: the host, the lab, the load and the resources that must be the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from benchlab.experiment import profiles
from benchlab.experiment.settings import compared
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Manifest

# What of an entry's labels decides which resources it has.
RESOURCES = ("workers", "pool", "base")


@dataclass(frozen=True)
class Difference:
    """What makes two runs incomparable, with the value of each; `runs` are their ids where there are more than two."""

    name: str
    before: object
    after: object
    runs: tuple[str, str] | None = None


def differences(baseline: Manifest, candidate: Manifest) -> list[Difference]:
    """Return what makes two runs incomparable: other host, other load, other resources."""
    before, after = _both_conditions(baseline, candidate)
    return [
        Difference(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def among(manifests: Sequence[Manifest]) -> list[Difference]:
    """Return what makes any two of the runs incomparable; of more than two, each difference once, with both runs."""
    if len(manifests) == 2:
        return differences(*manifests)
    by_name: dict[str, Difference] = {}
    for one, other in combinations(manifests, 2):
        for difference in differences(one, other):
            by_name.setdefault(difference.name, replace(difference, runs=(one.run_id, other.run_id)))
    return list(by_name.values())


def changed_sources(manifests: Sequence[Manifest]) -> list[str]:
    """Return what runs of one version were built from different files of: entries that they share, the base image."""
    shared = set.intersection(*(set(manifest.sources) for manifest in manifests))
    return sorted(name for name in shared if len({manifest.sources[name] for manifest in manifests}) > 1)


def _both_conditions(one: Manifest, other: Manifest) -> tuple[dict[str, object], dict[str, object]]:
    common = one.entries.keys() & other.entries.keys()
    return _conditions(one, common), _conditions(other, common)


def _conditions(manifest: Manifest, entries: Iterable[str]) -> dict[str, object]:
    """Return, by name, what must be equal for two runs to be comparable."""
    return {
        "lab version": manifest.facts.lab_version,
        "digest of the rules' and tests' limits": _digest(manifest.facts.analysis),
        **dict(_machine(manifest)),
        **dict(_load(manifest)),
        **{f"{name}'s {label}": manifest.entries[name].get(label) for name in entries for label in RESOURCES},
    }


def _machine(manifest: Manifest) -> Iterator[tuple[str, object]]:
    """Yield what the samples were taken on: the engine and its host, and the database."""
    facts = manifest.facts
    host, database = facts.host, facts.database
    # Two machines of one type are alike in all the rest.
    yield "id of the engine", facts.engine_id or UNAVAILABLE
    yield "engine", facts.engine_version or UNAVAILABLE
    yield "number of CPUs", manifest.cpus
    yield "CPU model", host.cpu_model or UNAVAILABLE
    yield "CPU governor", ", ".join(host.cpu_governors or ()) or UNAVAILABLE
    yield "CPU turbo", host.cpu_turbo or UNAVAILABLE
    yield "kernel", host.kernel or UNAVAILABLE
    yield "Postgres", database.version or UNAVAILABLE
    for name, value in (database.settings or {}).items():
        yield f"Postgres' {name}", value


def _load(manifest: Manifest) -> Iterator[tuple[str, object]]:
    """Yield what decides the load, apart from the levels: those that only one run has are not compared."""
    settings, wrk = manifest.settings, manifest.facts.wrk
    yield "wrk", wrk.version or UNAVAILABLE
    yield "wrk's scripts", wrk.scripts_sha256 or UNAVAILABLE
    yield from compared(settings)
    yield "primer in s", settings.primer_s
    yield "warm-up in s", settings.warmup_s
    yield "placement", manifest.placement or "shared"
    yield "connections where N varies", profiles.of(settings).query_connections


def _digest(content: object) -> str | None:
    return None if content is None else hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
