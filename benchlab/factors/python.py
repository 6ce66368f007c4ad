"""The factor python: which interpreter an entry runs on."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.factors.factor import Service, Tools, Vary, labelled


@dataclass(frozen=True, kw_only=True)
class Python(Vary):
    """A level is a version such as 3.14, 3.14t without the global lock, or pypy."""

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        return labelled(tools.on_python(service, level), python=level)
