"""The schema of manifest and journal: its number, its history, and records as JSON, and back."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from benchlab.core import letters
from benchlab.records import shapes
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.records.run import ContractFinding, Decision, Failure, Look, Pace, Record, Sample

# 1: the first form of manifest and journal.
# 2: a sample has its attempt, its counters and its verdict; one that does not count is a sample too, not a failure. A
#    manifest has digests of what the images were built from.
# 3: a sample's memory is the anonymous memory seen while it was taken, not the most of any kind since its container's
#    start; its out-of-memory kills count from its test type's warm-up on; it says whether the servers were idle before.
#    What verification finds is in the journal, its warnings too.
# 4: the same form, judged otherwise: a stall of a second is a note, and so are a clock that was set and a long log;
#    hung is asked only where Little's law can be; client-bound and CPU shares are of wrk's own time. The host's CPU
#    time is that of the CPUs that containers may use.
# 5: a manifest says what each entry is a variant of, and at which levels of which factors; before, its name did.
# 6: a journal has the looks of a gate, and a manifest after how many blocks they are. Entries that are up together are
#    loaded in slices: a sample of these counts in a window of its load, and a line `pace` says how many rounds of a
#    test a block has; the least length of a slice is a fraction of a second.
# 7: a manifest may name the entry that each other one is compared with, and the factors whose levels were typed.
# The facts about lab and host in a manifest are free: one more, or one under another name, is no other form.
SCHEMA = 7
# What is read, too: the verdicts of such a run stay what they were.
READABLE = (3, 4, 5, 6, SCHEMA)
# What rules of a sample were called in older journals and manifests. A name is data: another one is no other form.
RENAMED_RULES = {
    "silence": "no answers",
    "late": "duration error",
    "hung": "hung connections",
    "foreign": "background CPU",
    "heat": "thermal throttling",
    "speed": "host speed",
    "uneven": "stall",
    "clock": "clock set",
    "log": "heavy logging",
}
# What a line of the journal calls its record.
KINDS: dict[str, type[Record]] = {
    "sample": Sample,
    "failure": Failure,
    "decision": Decision,
    "look": Look,
    "verification": ContractFinding,
    "pace": Pace,
}
NAMES = {kind: name for name, kind in KINDS.items()}
# What every line of the lab's own begins with: so its kind is known before the rest is parsed.
BEGIN = re.compile(rb'\{"kind": "(\w+)", ')


class OtherSchemaError(ValueError):
    """What is read is of another schema; the message names it and those that this lab reads."""


def plain(record: Record | Manifest) -> dict[str, Any]:
    """Return the record as JSON knows it: times as ISO 8601."""

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}

    content: dict[str, Any] = asdict(record, dict_factory=named)
    if isinstance(record, Manifest):
        content["facts"] = record.facts.plain()
    return content


def line(record: Record) -> dict[str, Any]:
    """Return the record as a line of the journal has it."""
    return {"kind": NAMES[type(record)], **plain(record)}


def described(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as its file has it."""
    return {"schema": SCHEMA, **plain(manifest)}


def of_line(text: bytes) -> Record:
    """Return the record of a journal's line. Raises ValueError, which says in plain words why it is none."""
    begin = BEGIN.match(text)
    kind = KINDS.get(begin[1].decode()) if begin else None
    if begin and kind:
        with suppress(ValueError):
            return _with_current_names(shapes.parsed(kind, b"{" + text[begin.end() :]))
    return record(shapes.decoded(text))


def record(content: object) -> Record:
    """Return the record of a line that is decoded. Raises ValueError, which says in plain words why it is none."""
    if not isinstance(content, dict):
        raise ValueError(f"it is {letters.quoted(content)}, and must be an object")
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind is {letters.quoted(kind)}, and must be one of {', '.join(KINDS)}")
    fields = {name: value for name, value in content.items() if name != "kind"}
    return _with_current_names(shapes.made(KINDS[kind], fields))


def _with_current_names(record: Record) -> Record:
    """Return the record with its rules called what they are called now."""
    if not isinstance(record, Sample):
        return record
    verdict, older = record.verdict, RENAMED_RULES.keys()
    if older.isdisjoint(verdict.broken) and older.isdisjoint(verdict.unknown):
        return record
    broken = {rule_name(name): value for name, value in verdict.broken.items()}
    unknown = tuple(map(rule_name, verdict.unknown))
    return replace(record, verdict=replace(verdict, broken=broken, unknown=unknown))


def rule_name(name: str) -> str:
    """Return what the rule is called now."""
    return RENAMED_RULES.get(name, name)


def manifest(text: bytes) -> tuple[int, Manifest] | None:
    """Return the schema and the manifest in a file, None where the file is not one of a run.

    Raises OtherSchemaError, and ValueError, which says in plain words what is wrong with it.
    """
    content = shapes.decoded(text)
    if not isinstance(content, dict) or "schema" not in content:
        return None
    schema = content.pop("schema")
    if schema not in READABLE or type(schema) is not int:
        older = ", ".join(map(str, READABLE[:-1]))
        raise OtherSchemaError(f"written in schema {letters.quoted(schema)}, this lab reads {older} and {SCHEMA}")
    shapes.refuse_unwritable(content)
    facts = content.pop("facts", {})
    if not isinstance(facts, dict):
        raise ValueError(f"facts is {letters.quoted(facts)}, and must be an object")
    return schema, replace(shapes.made(Manifest, content), facts=_with_current_limits(Facts.of(facts)))


def _with_current_limits(facts: Facts) -> Facts:
    """Return the facts with the limits of rules under the names of now: another name makes no run another one."""
    analysis = facts.analysis or {}
    limits = analysis.get("rules")
    if not isinstance(limits, dict):
        return facts
    return replace(facts, analysis=analysis | {"rules": {rule_name(name): limit for name, limit in limits.items()}})
