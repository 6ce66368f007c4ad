"""A package of an entry as a factor: its version in the entry's lock, a checkout in its place, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.factors.factor import Service, Tools, Vary, labelled
from benchlab.records.plan import Entry

# The level of an entry without the package.
WITHOUT = "none"
VERSION = re.compile(r"\d[\w.!+-]*")
GIT = re.compile(r"git\+[a-z+]+://\S+")


@dataclass(frozen=True, kw_only=True)
class Package(Vary):
    """A level is a version, a folder that has the package's project, git+URL@REF, or none.

    The rest of the entry's lock stays, but for what must move with the package.
    """

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where a level is nothing of the kind."""
        for level in levels:
            if not (level == WITHOUT or is_source(level) or VERSION.fullmatch(level)):
                raise UsageError(
                    f"{self.flag} {self.name}={level}: write a version, the package's folder (./{self.name}), "
                    f"git+file:///folder@ref, or {WITHOUT}"
                )

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        return labelled(tools.with_package(service, self.name, level), **{self.name: level})


def is_source(level: str) -> bool:
    """Return whether the level is where the package's source is: a folder, or a repository of git's."""
    return "/" in level or level in (".", "..") or GIT.fullmatch(level) is not None
