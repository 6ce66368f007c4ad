"""A run's samples as CSV, those that do not count among them: a row each, for programs that read no JSON. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from benchlab.core.counters import HostUsage, Usage
from benchlab.core.loads import Errors, Latency, Load
from benchlab.core.measured import Run, Sample
from benchlab.core.model import Level

# Of a role without a container.
NO_USAGE = Usage()
# The columns that are fields of a record, which may keep more beside these; and how they are read of one.
COLUMNS: dict[type[Any], tuple[str, ...]] = {
    of: tuple(field.name for field in fields(of) if field.name not in ("latency", "errors"))
    for of in (Level, Load, Latency, Errors, HostUsage, Usage)
}
READ = {of: attrgetter(*names) for of, names in COLUMNS.items()}


def samples_csv(run: Run) -> str:
    """Return the table; nothing where there is no sample."""
    if not run.taken:
        return ""
    roles = sorted({role for sample in run.taken for role in sample.counters.roles})
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_sample_header(roles))
    writer.writerows(_sample_row(sample, roles) for sample in run.taken)
    return lines.getvalue()


def _sample_header(roles: Sequence[str]) -> list[str]:
    parts = {"latency": Latency, "errors": Errors, "host": HostUsage, **dict.fromkeys(roles, Usage)}
    return [
        *("block", "entry", "test", "repeat", *COLUMNS[Level], "attempt", "started_at", "verdict", "broken"),
        *COLUMNS[Load],
        *(f"{part}_{name}" for part, of in parts.items() for name in COLUMNS[of]),
    ]


def _sample_row(sample: Sample, roles: Sequence[str]) -> list[object]:
    """Return what stands below the header."""
    trial, load, counters, verdict = sample.trial, sample.load, sample.counters, sample.verdict
    row = [trial.block, trial.entry, trial.test, trial.repeat, *READ[Level](trial.level)]
    row += [sample.attempt, sample.started_at.isoformat(), verdict.severity, " ".join(verdict.broken)]
    row += [
        *READ[Load](load),
        *READ[Latency](load.latency),
        *READ[Errors](load.errors),
        *READ[HostUsage](counters.host),
    ]
    for role in roles:
        row += READ[Usage](counters.roles.get(role, NO_USAGE))
    return row
