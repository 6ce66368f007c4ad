"""A flag or an argument of a command, as a record: how it is typed and read, and what its help says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Self

# What the shell offers for a flag.
ENTRIES, ADOPTED_ENTRIES, RUNS, TAGS = "entries", "adopted entries", "runs", "tags"


def _as_typed(_: str, text: str) -> str:
    return text


@dataclass(frozen=True)
class Flag:
    """A flag of a command, or an argument: its name has no dashes then. `explained` is its help.

    `parse` takes the flag's name and what was typed, and returns the value. It raises ValueError, or UsageError where
    its message names the flag itself. `choices` are what it takes, `renamed` has older words for some of them.
    `default` says what holds without the flag, `unit` what its number counts. `nargs` is argparse's. `completes` names
    what the shell offers for it, `kept_as` is its key where that is not its name.
    """

    name: str
    help: str
    _: KW_ONLY
    metavar: str = ""
    parse: Callable[[str, str], Any] = _as_typed
    default: str = ""
    unit: str = ""
    choices: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = False
    is_required: bool = False
    is_switch: bool = False
    nargs: str = ""
    short: str = ""
    kept_as: str = ""
    completes: str = ""

    @property
    def is_argument(self) -> bool:
        return not self.name.startswith("-")

    @property
    def key(self) -> str:
        """Return the name that its value has among those of the command: db_connections of --db-connections."""
        return self.kept_as or self.name.lstrip("-").replace("-", "_")

    @property
    def explained(self) -> str:
        """Return its help with the unit and the default."""
        notes = [
            *([f"in {self.unit}"] if self.unit else []),
            *([f"default: {self.default}"] if self.default else []),
            *(["repeatable"] if self.is_repeatable else []),
        ]
        return f"{self.help} ({'; '.join(notes)})" if notes else self.help

    def by_default(self, default: str) -> Self:
        """Return the flag as a command has it that does something else without it."""
        return replace(self, default=default)
