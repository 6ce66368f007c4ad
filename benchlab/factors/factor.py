"""A factor: something that entries may differ in, its levels, and the words for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from benchlab.experiment.settings import VARY
from benchlab.experiment.stack import PREFIX
from benchlab.records.plan import Entry, Settings

# The level that an entry has by compose.yaml and by what the whole run is made under.
AS_IS = ""
# The level of an entry that says nothing of a factor.
UNSAID = "–"
# The levels of any factor that are nothing of its kind.
NOTHING = ("none", UNSAID)

# What Compose makes a container of, as it resolves it: labels and environment are maps.
Service = dict[str, Any]


class Kind(Enum):
    """What a factor is to an analysis."""

    # Its effect is looked for wherever entries differ in it.
    MAIN = "main"
    # It mostly goes along with another factor, as a part of that; its own effect is looked for where it is asked for.
    PART = "part"
    # Versions of an entry, which are compared in pairs and not combined with other factors.
    VERSION = "version"


@dataclass(frozen=True)
class Factor:
    """A label that entries may differ in.

    `is_usual`: where no factor is named, entries are measured that differ in it. `is_resource`: an entry is given it;
    where it changes along with another factor, it is a part of that. `implied` is the level of an entry without the
    label, `reference` the level that is usual; `words` has levels that a sentence calls by another name.
    """

    name: str
    kind: Kind = Kind.MAIN
    is_usual: bool = False
    is_resource: bool = False
    implied: str = UNSAID
    reference: str = NOTHING[0]
    words: Mapping[str, str] = field(default_factory=dict)

    def level(self, labels: Mapping[str, str]) -> str:
        """Return the level of an entry with these labels."""
        return labels.get(self.name, self.implied)

    def ordered(self, levels: Iterable[str]) -> tuple[str, ...]:
        """Return the levels, that first which the others are compared with by default.

        It is the usual one or one that is nothing; else the smallest, or first in the alphabet.
        """
        return tuple(sorted(levels, key=self._rank))

    def called(self, level: str) -> str:
        """Return what a sentence calls the level."""
        return self.words.get(level, level)

    def _rank(self, level: str) -> tuple[bool, int, str]:
        number = int(level) if level.isdecimal() else -1
        return level not in (self.reference, *NOTHING), number, level


@dataclass(frozen=True)
class Tools:
    """What a factor needs of the engine room to make a variant.

    Each returns what of an entry's service is another one then: its image and how that is built, at a commit also how
    it is started; None for what the service then lacks. `at_commit` is called with the entry and the commit,
    `with_package` with service, package and level, `on_python` with service and version.
    """

    at_commit: Callable[[str, str], Mapping[str, Any]]
    with_package: Callable[[Service, str, str], Service]
    on_python: Callable[[Service, str], Service]


@dataclass(frozen=True, kw_only=True)
class Varied(Factor):
    """A factor that a run makes variants of its entries for.

    `flag` asks for them, as in `example`; `mark` stands before a level in a variant's name, which is a label for
    readers and never parsed.
    """

    flag: str
    example: str
    mark: str

    def levels(self, settings: Settings) -> tuple[str, ...]:
        """Return the levels that a run measures each entry at, AS_IS among them where that is one."""
        raise NotImplementedError

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where an entry cannot have a level."""

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        """Return the entry's service, which has its levels of the factors before this one, at this level too.

        Where the level is one of the build, the image gets another name.
        """
        raise NotImplementedError

    def suffix(self, level: str) -> str:
        """Return what the level adds to a variant's name."""
        return f"{self.mark}{level}"


@dataclass(frozen=True, kw_only=True)
class Vary(Varied):
    """A factor whose name and levels are typed: --vary NAME=LEVEL,LEVEL. The others are compared with the first level.

    Every variant has one of the levels; none is the entry as it is.
    """

    flag: str = VARY.name

    def levels(self, settings: Settings) -> tuple[str, ...]:
        return settings.vary.get(self.name, (AS_IS,))

    def suffix(self, level: str) -> str:
        return f"{self.mark}{_word(level)}"


def _word(level: str) -> str:
    """Return what a name has of a level: of a place the last part, of what is no letter, digit or dot a dash."""
    last = level.rstrip("/").rpartition("/")[2] or level
    return re.sub(r"[^A-Za-z0-9.]+", "-", last).strip("-.") or "here"


def label_of(service: Service, name: str) -> str:
    """Return what the service's label says of the entry."""
    return str(service["labels"][f"{PREFIX}{name}"])


def labelled(service: Service, /, **labels: str) -> Service:
    """Return the service with these labels of an entry beside its own."""
    return service | {"labels": service["labels"] | {f"{PREFIX}{name}": value for name, value in labels.items()}}


def with_environment(service: Service, /, **variables: str) -> Service:
    """Return the service with these variables beside its own."""
    return service | {"environment": service.get("environment", {}) | variables}
