"""What the parts of the self-test hand to its report: checks, and the CPU that the lab itself used. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.records import checks
from benchlab.records.run import Run

NO_SAMPLE = "no sample that counts"


@dataclass(frozen=True)
class Check:
    """One row of the report. `passed` is None where the host does not tell, and where nothing is asked for."""

    name: str
    measured: str
    goal: str
    passed: bool | None


@dataclass(frozen=True)
class Overhead:
    """Shares of one core that lab.py and the engine used; `engine` is None where it cannot be seen from here."""

    lab: float
    engine: float | None

    def __post_init__(self) -> None:
        checks.amounts("CPU used", lab=self.lab)
        if self.engine is not None:
            checks.amounts("CPU used", engine=self.engine)


def complete(part: str, run: Run) -> Check:
    """Return whether each trial of the run has a sample that counts: what was not measured was not tested."""
    planned = run.to_come + len({record.trial.key for record in run.taken + run.failures})
    counting = len(run.measured)
    return Check(f"samples of {part} that count", f"{counting} of {planned}", "all", counting == planned)
