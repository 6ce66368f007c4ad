"""Records as JSON knows them, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from benchlab.core import letters
from benchlab.experiment.profiles import RENAMED
from benchlab.experiment.settings import impossible
from benchlab.factors import naming
from benchlab.records.checks import moment
from benchlab.records.counters import APP, CLIENT, DB, PROXY, Counters, HostUsage, Usage
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Level, Manifest, Settings, Trial
from benchlab.records.run import Decision, Failure, Record, Remark, Sample, Verdict
from benchlab.storage import shapes

Made = TypeVar("Made")

# What a line of the journal calls its record.
KINDS: dict[type[Any], str] = {Sample: "sample", Failure: "failure", Decision: "decision", Remark: "verification"}
# More than any host has.
MOST_CPUS = 999_999
# Labels without which nothing can be said of an entry.
NEEDED = ("framework", "orm", "driver", "server", "workers", "tests")


def plain(record: Record | Manifest) -> dict[str, Any]:
    """Return the record as JSON knows it: times as ISO 8601."""

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}

    content: dict[str, Any] = asdict(record, dict_factory=named)
    return content


def line(record: Record) -> dict[str, Any]:
    """Return the record as a line of the journal has it."""
    return {"kind": KINDS[type(record)], **plain(record)}


def record(content: object) -> Record:
    """Return the record of a line. Raises ValueError, which says in plain words why it is none."""
    return _made(_record, content, _refuse_other_record)


def manifest(content: object) -> Manifest:
    """Return the manifest. Raises ValueError, which says in plain words why it is none."""
    # One manifest is soon looked through; what a fault in it breaks is not known before a table needs it.
    shapes.refuse_other(content, Manifest)
    made = _made(_manifest, content, lambda content: None)
    if problems := _problems(made):
        raise ValueError("; ".join(problems))
    return made


def _made(make: Callable[[Any], Made], content: object, refuse: Callable[[object], None]) -> Made:
    """Return what is made of the content; where that cannot be, what is wrong with it is looked for."""
    try:
        return make(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        refuse(content)
        # The words of a ValueError are the lab's own where the content is of the right shape.
        raise ValueError(
            str(error) if isinstance(error, ValueError) else "it is nothing that this lab knows"
        ) from error


def _refuse_other_record(content: object) -> None:
    """Raise ValueError where the content is not what its kind of record is made of."""
    shapes.refuse_other(content, dict[str, object])
    told = dict(content) if isinstance(content, dict) else {}
    kind = told.pop("kind", None)
    _refuse_other_kind(kind)
    shapes.refuse_other(told, next(of for of, name in KINDS.items() if name == kind))


def _refuse_other_kind(kind: object) -> None:
    if kind not in KINDS.values():
        raise ValueError(f"kind is {letters.quoted(kind)}, and must be one of {', '.join(KINDS.values())}")


def _record(content: dict[str, Any]) -> Record:
    kind = content["kind"]
    _refuse_other_kind(kind)
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


def _manifest(content: dict[str, Any]) -> Manifest:
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content["settings"].items()
    }
    settings["profile"] = RENAMED.get(settings["profile"], settings["profile"])
    settings["levels"] = {test: tuple(values) for test, values in settings["levels"].items()}
    return Manifest(
        **{
            **content,
            "settings": Settings(**settings),
            "placement": {role: tuple(cpus) for role, cpus in content.get("placement", {}).items()},
            "created_at": moment(content["created_at"]),
        }
    )


def _problems(made: Manifest) -> list[str]:
    """Return what no run of this lab can be, by the keys of its manifest."""
    return [
        *(
            []
            if _is_word(made.run_id)
            else [f"run_id is {letters.quoted(made.run_id)}, and must be a word in one line"]
        ),
        *(
            f"entries has {letters.quoted(name)}, which is no name of an entry"
            for name in made.entries
            if not _is_word(name)
        ),
        *(
            f"entries.{name}.{label} is missing"
            for name, labels in made.entries.items()
            for label in NEEDED
            if label not in labels
        ),
        *_workers(made),
        *(
            []
            if 1 <= made.cpus <= MOST_CPUS
            else [f"cpus is {letters.quoted(made.cpus)}, and must be from 1 to {MOST_CPUS}"]
        ),
        *impossible(made.settings),
        *_versions(made),
    ]


def _workers(made: Manifest) -> Iterator[str]:
    """Yield the entries whose number of workers is none; of what is no number the choice is their own."""
    for name, labels in made.entries.items():
        told = labels.get("workers", "")
        if told.isdecimal() and not re.fullmatch(r"0*[1-9][0-9]{,5}", told):
            yield f"entries.{name}.workers is {letters.quoted(told)}, and must be from 1 to {MOST_CPUS}"


def _versions(made: Manifest) -> Iterator[str]:
    """Yield what is missing of two versions that the settings ask for."""
    against, names = made.settings.against, made.entries.keys()
    if not against:
        return
    if not any(naming.AT in name for name in names):
        yield f"settings.against is {letters.quoted(against)}, and entries has none of another commit"
    for name in names:
        if naming.AT in name and name.partition(naming.AT)[0] not in names:
            yield f"entries.{name} has no other version beside it"


def _is_word(text: str) -> bool:
    return bool(text) and not text.isspace() and letters.one_line(text) == text


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
        idle_before=content.get("idle_before"),
    )


def _load(content: dict[str, Any]) -> Load:
    return Load(**{**content, "latency": Latency(**content["latency"]), "errors": Errors(**content["errors"])})
