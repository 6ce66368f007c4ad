"""A run's samples as CSV, those that do not count among them: a row each, for programs that read no JSON. Pure."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict

from benchlab.core.counters import Usage
from benchlab.core.measured import Run, Sample
from benchlab.storage import records


def text(run: Run) -> str:
    """Return the table; nothing where there is no sample."""
    roles = sorted({role for sample in run.taken for role in sample.counters.roles})
    rows = [_row(sample, roles) for sample in run.taken]
    lines = io.StringIO()
    if rows:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return lines.getvalue()


def _row(sample: Sample, roles: list[str]) -> dict[str, object]:
    plain = records.plain(sample)
    trial, load, verdict = plain["trial"], plain["load"], plain["verdict"]
    flat: dict[str, object] = {name: value for name, value in trial.items() if name != "level"} | trial["level"]
    flat |= {"attempt": sample.attempt, "started_at": plain["started_at"]}
    flat |= {"verdict": verdict["severity"], "broken": " ".join(verdict["broken"])}
    flat |= {name: value for name, value in load.items() if name not in ("latency", "errors")}
    flat |= {f"latency_{name}": value for name, value in load["latency"].items()}
    flat |= {f"errors_{name}": value for name, value in load["errors"].items()}
    flat |= {f"host_{name}": value for name, value in plain["counters"]["host"].items()}
    for role in roles:
        usage = asdict(sample.counters.roles.get(role, Usage()))
        flat |= {f"{role}_{name}": value for name, value in usage.items()}
    return flat
