"""What each entry is made of, from its labels, as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

COLUMNS = ("framework", "orm", "driver", "server", "loop", "json", "cpus", "workers", "pool", "tests")


def rows(labels_by_entry: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """Return one row an entry, its name and COLUMNS; workers and pool are per container and per worker."""
    return [[name, *(labels.get(column, "") for column in COLUMNS)] for name, labels in sorted(labels_by_entry.items())]


def table(labels_by_entry: Mapping[str, Mapping[str, str]]) -> str:
    """Return the rows as Markdown."""
    return tabulate(rows(labels_by_entry), headers=["entry", *COLUMNS], tablefmt="github", disable_numparse=True)
