"""Records as JSON knows them, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from benchlab.core.counters import Counters, HostUsage, Usage
from benchlab.core.model import (
    Decision,
    Errors,
    Failure,
    Latency,
    Level,
    Load,
    Manifest,
    Sample,
    Settings,
    Trial,
    Verdict,
)


def plain(record: Sample | Failure | Decision | Manifest) -> dict[str, Any]:
    """Return the record as JSON knows it: times as ISO 8601."""

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}

    content: dict[str, Any] = asdict(record, dict_factory=named)
    return content


def record(content: dict[str, Any]) -> Sample | Failure | Decision:
    """Return the journal's record. Raises ValueError, KeyError or TypeError where it is none."""
    if content["kind"] == "decision":
        decided_at = datetime.fromisoformat(content["decided_at"])
        return Decision(decided_at, content["pilot"], content["blocks"], content["needed"], content["reason"])
    trial = Trial(**{**content["trial"], "level": Level(**content["trial"]["level"])})
    started_at = datetime.fromisoformat(content["started_at"])
    if content["kind"] == "failure":
        return Failure(trial, started_at, content["reason"], content["passing"])
    if content["kind"] != "sample":
        raise ValueError(f"unknown kind {content['kind']!r}")
    return Sample(
        trial,
        content["attempt"],
        started_at,
        _load(content["load"]),
        _counters(content["counters"]),
        Verdict(**content["verdict"] | {"unknown": tuple(content["verdict"]["unknown"])}),
    )


def manifest(content: dict[str, Any]) -> Manifest:
    """Return the manifest, which takes what it needs out of `content`. Raises as `record` does."""
    settings = content["settings"]
    settings["frameworks"] = tuple(settings["frameworks"])
    settings["db_connections"] = tuple(settings.get("db_connections", ()))
    settings["warmup_s"] = tuple(settings["warmup_s"])
    settings["levels"] = {test: tuple(values) for test, values in settings["levels"].items()}
    content["settings"] = Settings(**settings)
    content["placement"] = {role: tuple(cpus) for role, cpus in content["placement"].items()}
    content["created_at"] = datetime.fromisoformat(content["created_at"])
    return Manifest(**content)


def _counters(content: dict[str, Any]) -> Counters:
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
