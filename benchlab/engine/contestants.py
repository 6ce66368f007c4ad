"""Who takes part in a run: the entries named, or the usual ones, and the variants of each that the settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import variants
from benchlab.engine.stage import Lab
from benchlab.experiment import stack
from benchlab.factors import naming
from benchlab.records.plan import Entry, Settings

Made = Iterator[tuple[str, dict[str, Any]]]


def contestants(lab: Lab, settings: Settings) -> tuple[Lab, list[Entry]]:
    """Return the lab with all that take part in its topology, and these in alphabetical order.

    Each entry takes part with every proxy and every number of database connections of the settings, and with
    --against at that commit too. Raises UsageError where an entry cannot take part so, ConfigError where no entry is
    measured unless it is named, or git is missing.
    """
    named = naming.originals(settings)
    names = [entry.name for entry in lab.topology.choose(named)] if named else lab.topology.usual
    if not names:
        raise ConfigError("no entry is measured where none is named: each has the label benchlab.default: no; name one")
    for make in (_behind_proxies, _with_pools, _at_commit):
        if made := dict(make(lab, names, settings)):
            lab = lab.with_services(made)
            names = [*names, *made]
    return lab, lab.topology.choose(names)


def refuse_nothing(entries: Iterable[Entry], settings: Settings) -> None:
    """Raise UsageError where no entry has any of the tests."""
    if not any(test in entry.tests for entry in entries for test in settings.tests):
        raise UsageError(f"no chosen entry has the test {', '.join(settings.tests)}; see `python lab.py list`")


def _behind_proxies(lab: Lab, names: Iterable[str], settings: Settings) -> Made:
    for name in names:
        for proxy in settings.proxies[1:]:
            yield naming.behind(name, proxy), variants.behind(lab.topology, name, proxy)


def _with_pools(lab: Lab, names: Iterable[str], settings: Settings) -> Made:
    for name in names:
        for total in settings.db_connections[1:]:
            yield naming.with_connections(name, total), variants.with_connections(lab.topology, name, total)


def _at_commit(lab: Lab, names: Iterable[str], settings: Settings) -> Made:
    if not settings.against:
        return
    if adopted := [name for name in names if stack.is_adopted(lab.topology.entries[name].labels)]:
        raise UsageError(
            f"--against: {', '.join(adopted)} was adopted, and has no versions here; name the others with --framework"
        )
    for name in names:
        yield variants.at_commit(lab.topology, name, settings.against, lab.state)
