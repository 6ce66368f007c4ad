"""What each entry is made of, from its labels, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tabulate import tabulate

COLUMNS = ("framework", "orm", "driver", "server", "loop", "json", "proxy", "cpus", "workers", "pool", "tests")


def table(labels_by_entry: Mapping[str, Mapping[str, str]]) -> str:
    """Return one row an entry; workers and pool are per container and per worker."""
    rows: Iterable[list[str]] = (
        [name, *(labels.get(column, "") for column in COLUMNS)] for name, labels in sorted(labels_by_entry.items())
    )
    return tabulate(list(rows), headers=["entry", *COLUMNS], tablefmt="github", disable_numparse=True)
