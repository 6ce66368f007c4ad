"""A factor that an entry declares: what it can be started with, such as another event loop or another server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.experiment import stack
from benchlab.factors.factor import Service, Tools, Vary, labelled, with_environment
from benchlab.factors.labels import HTTP, SERVER
from benchlab.records.plan import Entry

# What servers parse with that bring a parser of their own; uvicorn, also behind gunicorn, can have one or another.
PARSERS = {"granian": "hyper", "hypercorn": "h11"}


@dataclass(frozen=True, kw_only=True)
class Choice(Vary):
    """A level is one of those of the entry's label `varies`; the container is told by a variable of the factor's name.

    So loop=asyncio is LOOP=asyncio in the environment of the entry.
    """

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where an entry has no such factor, or not all of the levels."""
        levels = list(levels)
        for entry in entries:
            choices = stack.choices(entry.labels)
            if self.name not in choices:
                raise UsageError(f"{self.flag} {self.name}: {entry.name} declares no {self.name}; {_has(choices)}")
            has = choices[self.name]
            if other := [level for level in levels if level not in has]:
                raise UsageError(f"{self.flag} {self.name}={other[0]}: {entry.name} can have {' or '.join(has)}")

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        variable = self.name.upper().replace("-", "_")
        labels = {self.name: level}
        if self.name == SERVER.name and level in PARSERS:
            labels[HTTP.name] = PARSERS[level]
        return labelled(with_environment(service, **{variable: level}), **labels)


def _has(choices: Mapping[str, object]) -> str:
    return f"it has {', '.join(choices)}" if choices else "it declares nothing that can be chosen"
