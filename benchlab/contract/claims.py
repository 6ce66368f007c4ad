"""What an entry's labels say of it, held against what its log says: which server starts, and of what each worker is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchlab.contract.answers import Problem
from benchlab.core.log_patterns import LogPatterns
from benchlab.experiment.stack import Labels

# A worker's line in the log, as docs/add-an-entry.md has it: names, and the modules that it really holds.
STARTED = "started: framework="
NAMED = re.compile(r"(\w+)=(\w+)")
COMPARED = ("framework", "driver", "loop", "json", "pool")
# What lies over a driver and makes objects of rows, by the module of what a worker calls.
MAPPERS = frozenset({"django", "peewee", "piccolo", "pony", "sqlalchemy", "tortoise"})


def is_early(labels: Labels, log: str) -> bool:
    """Return whether some workers speak of themselves in the log, and not yet as many as the labels state."""
    return 0 < log.count(STARTED) < int(labels["workers"])


def check(labels: Labels, log: str, patterns: LogPatterns) -> Iterator[Problem]:
    """Yield what the log says otherwise than the labels; nothing where no worker speaks of itself."""
    shown = _shown(log, patterns)
    # More than the labels state were not there at once: a server lets a worker end, and starts another.
    if int(shown.get("workers", 0)) > int(labels["workers"]):
        del shown["workers"]
    if wrong := [name for name, value in shown.items() if value not in ("", _plain(labels.get(name, "")))]:
        claimed = ", ".join(f"{name}={labels.get(name, '')}" for name in wrong)
        logged = ", ".join(f"{name}={shown[name]}" for name in wrong)
        yield Problem("", "labels", f"its labels say {claimed}; its log says {logged}", warning=True)


def _shown(log: str, patterns: LogPatterns) -> dict[str, str]:
    """Return what the log says of the entry, by the names of labels; where workers differ, what each of them says."""
    workers = [dict(NAMED.findall(line)) for line in log.splitlines() if STARTED in line]
    if not workers:
        return {}
    for worker in workers:
        if {"data", "driver"} <= worker.keys():
            worker["orm"] = _orm(_plain(worker["data"]), _plain(worker["driver"]))
    return {
        **{name: " ".join(sorted({_plain(of[name]) for of in workers if of.get(name)})) for name in (*COMPARED, "orm")},
        "server": patterns.server(log),
        "workers": str(len(workers)),
    }


def _orm(data: str, driver: str) -> str:
    """Return what the label is to say where workers call this module for rows; nothing where it is not known."""
    if data in MAPPERS:
        return "full"
    # A driver may have its pool in a module of its own: psycopg's is psycopg_pool.
    return "raw" if data.startswith(driver) else ""


def _plain(name: str) -> str:
    """Return the name as a module would have it."""
    return name.replace("-", "_").lower()
