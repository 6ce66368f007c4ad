"""What a load model provides: its levels and command, how what that prints is read, its metrics and its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchlab.experiment.pace import SliceLength
from benchlab.load.metrics import Measures
from benchlab.quality.rules import Rule
from benchlab.records.load import Load
from benchlab.records.plan import Level, LevelKey, Settings, Target
from benchlab.records.seen import Window


@dataclass(frozen=True)
class Step:
    """A load before the samples of a test type.

    With `steady_after_s` it ends as soon as the rate is steady, not before so many seconds and not after `duration_s`.
    """

    name: str
    level: Level
    duration_s: int
    steady_after_s: int | None = None


class LoadModel(Protocol):
    """A module of this room is one.

    `NAME` is what reports call it, `CAUTION` a sentence on what its numbers say and what they do not. `MEASURES` are
    the metrics of its samples, `RULES` those that decide whether a sample counts.
    """

    NAME: str
    CAUTION: str
    MEASURES: Measures
    RULES: tuple[Rule, ...]

    def keys(self, test: str, values: Iterable[int]) -> tuple[LevelKey, ...]:
        """Return what the levels of a test type are known by, for the values that vary in it."""

    def levels(self, settings: Settings, cpus: int) -> dict[str, tuple[Level, ...]]:
        """Return the levels of each test type, with a load generator of so many CPUs. Raises UsageError."""

    def spelled(self, levels: Sequence[Level]) -> str:
        """Return the levels of a test type as a plan lists them."""

    def before(self, settings: Settings, test: str, levels: Iterable[Level]) -> Iterator[Step]:
        """Yield the loads that come before the samples of a test type at these levels."""

    def command(self, level: Level, target: Target, path: str, accept: str, duration_s: float) -> list[str]:
        """Return the command of one load, as it could be typed."""

    def command_of_slice(
        self, level: Level, target: Target, path: str, accept: str, counts: str, files: str, length: SliceLength
    ) -> list[str]:
        """Return the command of a slice: it counts its requests in the file `counts`, and ends after its window.

        `files` is a list of what it reads at both ends of that.
        """

    def read_slice(self, report: object, window: Window, wall_us: int) -> Load:
        """Return the load of a slice, of which the window was counted; raises as `read` does."""

    def read(self, report: object, wall_us: int, clock_set_us: int) -> Load:
        """Return the load of what the command reported, which took `wall_us`.

        `clock_set_us` is how far the clock was set meanwhile. Raises ValueError where the report is none.
        """
