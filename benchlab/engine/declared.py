"""What a service of compose.yaml declares of an entry by its labels, and what can be wrong with that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchlab.experiment import stack
from benchlab.experiment.stack import PREFIX
from benchlab.experiment.workloads import WORKLOADS
from benchlab.records.plan import PORT, Entry

REQUIRED_LABELS = ("framework", "orm", "driver", "server", "loop", "json", "workers", "pool", "tests")
COUNTS = ("workers", "threads", "pool")
# What a framework speaks with its server; "own" is what no standard describes.
INTERFACES = ("asgi", "wsgi", "rsgi", "own")
TAG = re.compile(r"[a-z0-9][a-z0-9.-]*")
QUOTAS = ("cpus", "cpu_quota", "cpu_count", "cpu_percent")
# Whether an entry is measured where none is named.
DEFAULT = ("yes", "no")
MOST_PORT = 65_535


def problems(name: str, service: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the entry that a service declares, a line each."""
    return [f"{name}: {problem}" for problem in (*_of_service(service), *_of_labels(labels), *_of_tests(labels))]


def entry(name: str, labels: dict[str, str]) -> Entry:
    """Return the entry that a service declares by labels that are without problems."""
    paths = {test: labels.get(f"path.{test}", WORKLOADS[test].path) for test in labels["tests"].split()}
    return Entry(name, labels, paths, int(labels.get("port", PORT)))


def _of_service(service: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key} is missing; add it" for key in ("image", "build") if key not in service)
    for key in QUOTAS:
        if service.get(key):
            yield f"{key} is a quota, and every entry gets the same: all CPUs of its placement; remove it"


def _of_labels(labels: Mapping[str, str]) -> Iterator[str]:
    yield from (f"label {PREFIX}{key} is missing; add it" for key in REQUIRED_LABELS if not labels.get(key))
    for key in COUNTS:
        is_own = stack.is_adopted(labels) and labels.get(key) == stack.OWN
        if key in labels and not _is_number(labels[key]) and not is_own:
            yield f"label {PREFIX}{key}={labels[key]} is no number from 1; mend it"
    if (interface := labels.get("interface", INTERFACES[0])) not in INTERFACES:
        yield f"label {PREFIX}interface={interface}: use {', '.join(INTERFACES)}"
    for tag in labels.get("tags", "").split():
        if not TAG.fullmatch(tag):
            yield f"label {PREFIX}tags: {tag!r} is no tag; use small letters, digits, '.' and '-'"
    if (default := labels.get("default", "yes")) not in DEFAULT:
        yield f"label {PREFIX}default={default}: use {' or '.join(DEFAULT)}"
    if "port" in labels and not (_is_number(labels["port"]) and int(labels["port"]) <= MOST_PORT):
        yield f"label {PREFIX}port={labels['port']} is no port; mend it"


def _of_tests(labels: Mapping[str, str]) -> Iterator[str]:
    for test in labels.get("tests", "").split():
        if test not in WORKLOADS:
            yield f"unknown test {test!r} in {PREFIX}tests; use {' '.join(WORKLOADS)}"
    for key, value in labels.items():
        if key.startswith("path.") and not value.startswith("/"):
            yield f"label {PREFIX}{key}={value} is no path; begin it with /"
        if key.startswith("path.") and key.removeprefix("path.") not in WORKLOADS:
            yield f"label {PREFIX}{key} is of no test type; use {PREFIX}path. with {', '.join(WORKLOADS)}"


def _is_number(text: str) -> bool:
    """Return whether the text is a whole number from 1."""
    return text.isdecimal() and int(text) > 0


def labels(stanza: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels as a map; Compose prints them as a map or as a list of name=value."""
    printed = stanza.get("labels") or {}
    return printed if isinstance(printed, dict) else dict(label.split("=", 1) for label in printed)
