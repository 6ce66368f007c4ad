"""What happens in a run, for whoever shows it or keeps it."""

from __future__ import annotations

from typing import Protocol

from benchlab.contract.answers import Problem
from benchlab.records.plan import Trial, Visit
from benchlab.records.run import ContractFinding, Failure, Sample


class Journal(Protocol):
    """Where a run is kept."""

    def append(self, record: Sample | Failure | ContractFinding) -> None: ...
    def keep_log(self, name: str, text: str) -> str: ...


class Events:
    """What happens in a run, at the time it happens. Whoever shows it overrides what it needs."""

    def visit(self, visit: Visit) -> None:
        """An entry is about to be started."""

    def verified(self, visit: Visit, problems: list[Problem]) -> None:
        """A test type of the entry was verified."""

    def warming(self, trial: Trial) -> None:
        """The test type of the trial is being warmed up."""

    def measuring(self, trial: Trial) -> None:
        """The trial's sample is being taken."""

    def recorded(self, record: Sample | Failure) -> None:
        """The journal has a sample or failure more."""

    def lost(self, visit: Visit, untried: int, brief: str) -> None:
        """The visit has ended with so many trials whose turn had not come; `brief` is why, in a few words."""

    def notice(self, line: str) -> None:
        """A line is to be shown that belongs to no sample."""

    def again(self, visits: list[Visit]) -> None:
        """The block goes on with these visits, for trials whose samples do not count, or are suspect."""
