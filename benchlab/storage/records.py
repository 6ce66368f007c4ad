"""Records as JSON knows them, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from benchlab.core.checks import moment
from benchlab.core.counters import APP, CLIENT, DB, PROXY, Counters, HostUsage, Usage
from benchlab.core.loads import Errors, Latency, Load
from benchlab.core.measured import Decision, Failure, Record, Remark, Sample, Verdict
from benchlab.core.model import Level, Manifest, Settings, Trial

# What a line of the journal calls its record.
KINDS = {Sample: "sample", Failure: "failure", Decision: "decision", Remark: "verification"}


def plain(record: Record | Manifest) -> dict[str, Any]:
    """Return the record as JSON knows it: times as ISO 8601."""

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}

    content: dict[str, Any] = asdict(record, dict_factory=named)
    return content


def line(record: Record) -> dict[str, Any]:
    """Return the record as a line of the journal has it."""
    return {"kind": KINDS[type(record)], **plain(record)}


def record(content: dict[str, Any]) -> Record:
    """Return the record of a line. Raises ValueError, KeyError, TypeError or OverflowError where it is none."""
    kind = content["kind"]
    if kind not in KINDS.values():
        raise ValueError(f"unknown kind {kind!r}")
    told = {name: value for name, value in content.items() if name != "kind"}
    for name in ("started_at", "decided_at", "found_at"):
        if name in told:
            told[name] = moment(told[name])
    if kind == KINDS[Decision]:
        return Decision(**told)
    if kind == KINDS[Remark]:
        return Remark(**told)
    told["trial"] = Trial(**{**told["trial"], "level": Level(**told["trial"]["level"])})
    return Failure(**told) if kind == KINDS[Failure] else _sample(told)


def manifest(content: dict[str, Any]) -> Manifest:
    """Return the manifest, which takes what it needs out of `content`. Raises as `record` does."""
    settings = content["settings"]
    settings["frameworks"] = tuple(settings["frameworks"])
    settings["db_connections"] = tuple(settings["db_connections"])
    settings["warmup_s"] = tuple(settings["warmup_s"])
    settings["levels"] = {test: tuple(values) for test, values in settings["levels"].items()}
    content["settings"] = Settings(**settings)
    content["placement"] = {role: tuple(cpus) for role, cpus in content["placement"].items()}
    content["created_at"] = moment(content["created_at"])
    return Manifest(**content)


def _sample(told: dict[str, Any]) -> Sample:
    verdict = told["verdict"]
    return Sample(
        **{
            **told,
            "load": _load(told["load"]),
            "counters": _counters(told["counters"]),
            "verdict": Verdict(**{**verdict, "unknown": tuple(verdict["unknown"])}),
        }
    )


def _counters(content: dict[str, Any]) -> Counters:
    if strangers := sorted(set(content["roles"]) - {CLIENT, PROXY, APP, DB}):
        raise ValueError(f"counters: {strangers[0]!r} is no part that a container plays")
    return Counters(
        between_us=content["between_us"],
        host=HostUsage(**content["host"]),
        roles={role: Usage(**usage) for role, usage in content["roles"].items()},
        received=tuple((at_us, count) for at_us, count in content["received"]),
        speeds_us=tuple(content["speeds_us"]),
        idle_before=content["idle_before"],
    )


def _load(content: dict[str, Any]) -> Load:
    return Load(**{**content, "latency": Latency(**content["latency"]), "errors": Errors(**content["errors"])})
