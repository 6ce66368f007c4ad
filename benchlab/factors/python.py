"""The factor python: which interpreter an entry runs on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.experiment import interpreters
from benchlab.factors.factor import Service, Tools, Vary, labelled
from benchlab.records.plan import Entry


@dataclass(frozen=True, kw_only=True)
class Python(Vary):
    """A level is a version such as 3.14, 3.14t without the global lock, 3.14-jit with its compiler on, or pypy."""

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where a level is no such version."""
        for level in levels:
            try:
                interpreters.of_level(level)
            except UsageError as error:
                raise UsageError(f"{self.flag} {error}") from None

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        return labelled(tools.on_python(service, level), python=level)
