"""A variable of an entry's environment as a factor: env.PYTHONMALLOC."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.factors.factor import Service, Tools, Vary, labelled, with_environment

PREFIX = "env."


@dataclass(frozen=True, kw_only=True)
class Environment(Vary):
    """A level is the variable's value; it is not asked whether the entry, or its Python, knows the variable."""

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        return labelled(with_environment(service, **{self.name.removeprefix(PREFIX): level}), **{self.name: level})
