"""A run's samples as CSV, those that do not count among them: a row each, for programs that read no JSON. Pure."""

from __future__ import annotations

import csv
import io

from benchlab.core.counters import Usage
from benchlab.core.measured import Run, Sample

# Of a role without a container.
UNTOLD = Usage()


def text(run: Run) -> str:
    """Return the table; nothing where there is no sample."""
    roles = sorted({role for sample in run.taken for role in sample.counters.roles})
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerows(_row(sample, roles).keys() for sample in run.taken[:1])
    writer.writerows(_row(sample, roles).values() for sample in run.taken)
    return lines.getvalue()


def _row(sample: Sample, roles: list[str]) -> dict[str, object]:
    trial, load, counters = sample.trial, sample.load, sample.counters
    flat: dict[str, object] = {"block": trial.block, "entry": trial.entry, "test": trial.test, "repeat": trial.repeat}
    flat |= vars(trial.level)
    flat |= {"attempt": sample.attempt, "started_at": sample.started_at.isoformat()}
    flat |= {"verdict": sample.verdict.severity, "broken": " ".join(sample.verdict.broken)}
    flat |= {name: value for name, value in vars(load).items() if name not in ("latency", "errors")}
    parts = {"latency": load.latency, "errors": load.errors, "host": counters.host}
    parts |= {role: counters.roles.get(role, UNTOLD) for role in roles}
    return flat | {f"{part}_{name}": value for part, of in parts.items() for name, value in vars(of).items()}
