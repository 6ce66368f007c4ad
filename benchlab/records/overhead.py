"""What an instrument takes from what it measures, as a record."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.records import checks


@dataclass(frozen=True)
class Overhead:
    """Shares of one core that lab.py and the engine used; `engine` is None where it cannot be seen from here."""

    lab: float
    engine: float | None

    def __post_init__(self) -> None:
        checks.amounts("CPU used", lab=self.lab)
        if self.engine is not None:
            checks.amounts("CPU used", engine=self.engine)
