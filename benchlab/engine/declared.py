"""What a service of compose.yaml declares of an entry by its labels, and what can be wrong with that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchlab.experiment import stack
from benchlab.experiment.stack import PREFIX
from benchlab.experiment.workloads import WORKLOADS
from benchlab.records.plan import PORT, Entry

REQUIRED_LABELS = ("framework", "orm", "driver", "server", "loop", "json", "workers", "pool", "tests")
COUNTS = ("workers", "pool")
QUOTAS = ("cpus", "cpu_quota", "cpu_count", "cpu_percent")
# Whether an entry is measured where none is named.
DEFAULT = ("yes", "no")
MOST_PORT = 65_535


def entry(name: str, service: Mapping[str, Any], labels: dict[str, str], problems: list[str]) -> Entry:
    """Return the entry that a service declares; what is wrong with it is added to the problems, a line each."""
    problems += [f"{name}: {key} is missing; add it" for key in ("image", "build") if key not in service]
    problems += [f"{name}: label {PREFIX}{key} is missing; add it" for key in REQUIRED_LABELS if not labels.get(key)]
    problems += [
        f"{name}: label {PREFIX}{key}={labels[key]} is no number from 1; mend it"
        for key in COUNTS
        if key in labels
        and not (labels[key].isdecimal() and int(labels[key]) > 0)
        and not (stack.is_adopted(labels) and labels[key] == stack.OWN)
    ]
    if (default := labels.get("default", "yes")) not in DEFAULT:
        problems.append(f"{name}: label {PREFIX}default={default}: use {' or '.join(DEFAULT)}")
    problems += [
        f"{name}: {key} is a quota, and every entry gets the same: all CPUs of its placement; remove it"
        for key in QUOTAS
        if service.get(key)
    ]
    tests = labels.get("tests", "").split()
    problems += [
        f"{name}: unknown test {test!r} in {PREFIX}tests; use {' '.join(WORKLOADS)}"
        for test in tests
        if test not in WORKLOADS
    ]
    problems += [
        f"{name}: label {PREFIX}{key}={value} is no path; begin it with /"
        for key, value in labels.items()
        if key.startswith("path.") and not value.startswith("/")
    ]
    problems += [
        f"{name}: label {PREFIX}{key} is of no test type; use {PREFIX}path. with {', '.join(WORKLOADS)}"
        for key in labels
        if key.startswith("path.") and key.removeprefix("path.") not in WORKLOADS
    ]
    paths = {test: labels.get(f"path.{test}", WORKLOADS[test].path) for test in tests if test in WORKLOADS}
    return Entry(name, labels, paths, _port(name, labels.get("port", str(PORT)), problems))


def _port(name: str, text: str, problems: list[str]) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_PORT:
        return int(text)
    problems.append(f"{name}: label {PREFIX}port={text} is no port; mend it")
    return PORT


def labels(stanza: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels as a map; Compose prints them as a map or as a list of name=value."""
    found = stanza.get("labels") or {}
    return found if isinstance(found, dict) else dict(label.split("=", 1) for label in found)
