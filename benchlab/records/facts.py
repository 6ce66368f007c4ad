"""What a manifest says of lab, engine, host and tools: a record with a unit for each key; None is what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from benchlab.records import shapes
from benchlab.records.checks import Number

# What a manifest says of what cannot be known, alone or with the reason behind it.
UNAVAILABLE = "unavailable"


def is_unavailable(fact: object) -> bool:
    """Return whether the fact is that something cannot be known: "unavailable", alone or with the reason behind it."""
    return isinstance(fact, str) and fact.partition(":")[0] == UNAVAILABLE


@dataclass(frozen=True)
class Section:
    """Facts of one kind, of which a manifest may have more, or other ones, than this lab knows.

    `rest` is what is in the manifest and no value of a key: keys of other labs, values of another kind, and why
    something is unavailable. So all of it is written again as it was.
    """

    rest: Any = field(default_factory=dict, kw_only=True)

    @classmethod
    def of(cls, content: object) -> Self:
        """Return the facts in what a manifest has, whatever that is."""
        if not isinstance(content, Mapping):
            return cls(rest=content)
        own = {name: content[name] for name in _names(cls) if name in content}
        known = {name: value for name, value in own.items() if not is_unavailable(value)}
        section, unfit = shapes.fitting(cls, known)
        rest = {name: value for name, value in content.items() if name not in known or name in unfit or value is None}
        return replace(section, rest=rest)

    def fact(self, name: str) -> object:
        """Return what the manifest has of it: its value, or that it is unavailable, and why; None of nothing."""
        value = getattr(self, name)
        return self.rest.get(name) if value is None and isinstance(self.rest, Mapping) else value

    def plain(self) -> Any:
        """Return the facts as a manifest has them."""
        if not isinstance(self.rest, Mapping):
            return self.rest
        values = {name: _plain(getattr(self, name)) for name in _names(type(self))}
        return {**self.rest} | {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Host(Section):
    """What kind of host the engine runs on, as wrk/facts.py sees it, and the quota around its containers.

    `cpu_quota` is how many CPUs may be used at a time, None where there is none. Shares, `swapped_pages` and
    `load_average` are of the moment in which the host was watched; `thermal_throttles` counts from its start.
    """

    cpu_model: str | None = None
    cpu_count: int | None = None
    cpus_allowed: tuple[int, ...] | None = None
    cpu_siblings: tuple[tuple[int, ...], ...] | None = None
    cpu_cores: int | None = None
    cpu_quota: Number | None = None
    numa_nodes: int | None = None
    cpu_governors: tuple[str, ...] | None = None
    cpu_turbo: str | None = None
    cpu_microcode: str | None = None
    cpu_mitigations: dict[str, str | None] | None = None
    hypervisor: str | None = None
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_bytes: int | None = None
    swap_free_bytes: int | None = None
    transparent_hugepages: str | None = None
    kernel: str | None = None
    kernel_parameters: str | None = None
    clocksource: str | None = None
    uptime_s: Number | None = None
    cgroup_tree: str | None = None
    pressure: bool | None = None
    sysctls: dict[str, str | None] | None = None
    open_files: dict[str, int] | None = None
    busy_share: Number | None = None
    stolen_share: Number | None = None
    load_average: tuple[str, ...] | None = None
    swapped_pages: int | None = None
    thermal_throttles: int | None = None
    speed_us: Number | None = None
    engine_os: str | None = None


@dataclass(frozen=True)
class Database(Section):
    """Postgres: its version, the settings that are not its defaults, and a hash of World's rows."""

    version: str | None = None
    settings: dict[str, str] | None = None
    world_md5: str | None = None


@dataclass(frozen=True)
class LoadGenerator(Section):
    """wrk's version, and a hash of all scripts that take part in a measurement."""

    version: str | None = None
    scripts_sha256: str | None = None


@dataclass(frozen=True)
class Contents(Section):
    """What the image of an entry holds: its Python, and the packages with their versions."""

    python: str | None = None
    python_build: str | None = None
    python_compiler: str | None = None
    gil: bool | None = None
    free_threaded_build: bool | None = None
    jit: bool | None = None
    packages: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Facts(Section):
    """What describes a run for its reader. `analysis` are the limits of rules and tests, fixed before it began.

    `unbuilt` says why entries that were asked for take no part, by name: they could not be built. `pythons` says where
    those came from that were asked for, by their level.
    """

    lab_version: str | None = None
    lab_commit: str | None = None
    lab_branch: str | None = None
    lab_repository: str | None = None
    lab_changed_files: int | None = None
    argv: tuple[str, ...] | None = None
    python: str | None = None
    compose: str | None = None
    engine_id: str | None = None
    engine_version: str | None = None
    engine_containerd: str | None = None
    engine_runc: str | None = None
    engine_os: str | None = None
    engine_kernel: str | None = None
    engine_architecture: str | None = None
    engine_cpus: int | None = None
    engine_memory_bytes: int | None = None
    engine_cgroup_version: str | None = None
    engine_storage_driver: str | None = None
    base_image_from: str | None = None
    base_image_id: str | None = None
    analysis: dict[str, object] | None = None
    wrk: LoadGenerator = LoadGenerator()
    host: Host = Host()
    database: Database = Database()
    entries: dict[str, Contents] | None = None
    unbuilt: dict[str, str] | None = None
    pythons: dict[str, str] | None = None

    @classmethod
    def of(cls, content: object) -> Self:
        if not isinstance(content, Mapping):
            return cls(rest=content)
        sections: dict[str, Any] = {
            name: kind.of(content[name]) for name, kind in SECTIONS.items() if content.get(name) is not None
        }
        if isinstance(entries := content.get("entries"), Mapping):
            sections["entries"] = {name: Contents.of(value) for name, value in entries.items()}
        flat = super().of({name: value for name, value in content.items() if name not in sections})
        return replace(flat, **sections)


SECTIONS: dict[str, type[Section]] = {"wrk": LoadGenerator, "host": Host, "database": Database}


def _names(kind: type[Section]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name != "rest")


def _plain(value: object) -> object:
    """Return the value as JSON knows it; of a section without facts, None."""
    if isinstance(value, Section):
        plain = value.plain()
        return None if plain == {} else plain
    if isinstance(value, Mapping):
        return {name: each.plain() if isinstance(each, Section) else each for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
