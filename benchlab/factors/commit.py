"""The factor commit: an entry's image as it was at a commit, beside the one of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchlab.core.errors import UsageError
from benchlab.experiment import stack
from benchlab.experiment.settings import AGAINST, FRAMEWORK
from benchlab.factors.factor import AS_IS, Kind, Service, Tools, Varied, labelled
from benchlab.records.plan import Entry, Settings

# So much of a commit's number stands in a name, and so much in a label and in the settings.
SHORT, LABELLED = 7, 12


@dataclass(frozen=True, kw_only=True)
class Commit(Varied):
    """A level is the whole number of a commit."""

    def levels(self, settings: Settings) -> tuple[str, ...]:
        beside = (AS_IS, settings.against) if settings.against else (AS_IS,)
        return settings.vary.get(self.name, beside)

    def refuse(self, entries: Iterable[Entry], levels: Iterable[str]) -> None:
        """Raise UsageError where entries were adopted: git ignores their folders."""
        if adopted := [entry.name for entry in entries if stack.is_adopted(entry.labels)]:
            raise UsageError(
                f"{self.flag}: {', '.join(adopted)} was adopted, and has no versions here; name the others with "
                f"{FRAMEWORK.name}"
            )

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        changed = {**service, **tools.at_commit(entry, level)}
        return labelled({key: value for key, value in changed.items() if value is not None}, commit=level[:LABELLED])

    def suffix(self, level: str) -> str:
        return f"{self.mark}{level[:SHORT]}"


COMMIT = Commit(name="commit", kind=Kind.VERSION, flag=AGAINST.name, example=f"{AGAINST.name} REF", mark="-at-")
