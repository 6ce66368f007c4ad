"""What the parts of the self-test hand to its report: checks, and what no run of theirs holds. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from benchlab.load import registry
from benchlab.records import checks
from benchlab.records.run import Run

NO_SAMPLE = "no slice that counts"


@dataclass(frozen=True)
class Check:
    """One row of the report.

    `passed` is None where the host does not tell, where nothing is asked for, and where so few rounds cannot tell.
    """

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


@dataclass(frozen=True)
class Burden:
    """What an entry says of its slowdown in a block: the CPU time of its loop in all workers, in so many requests.

    `clock_step_ns` is the least that the clock of this time can tell from none.
    """

    block: int
    entry: str
    requests: int
    thread_ns: int
    clock_step_ns: int

    def __post_init__(self) -> None:
        checks.counts("burden", 1, block=self.block, requests=self.requests)
        checks.counts("burden", 0, thread_ns=self.thread_ns, clock_step_ns=self.clock_step_ns)

    @property
    def us(self) -> float:
        """Return the microseconds of CPU time of a request."""
        return self.thread_ns / self.requests / 1000


def complete(part: str, run: Run) -> Check:
    """Return whether each entry has its rounds in every block: what was not measured was not tested."""
    manifest = run.manifest
    counts = Counter(
        (sample.trial.block, sample.trial.entry, sample.trial.test, sample.trial.level.key) for sample in run.samples
    )
    keys = {test: registry.of(manifest.settings).keys(test, of) for test, of in manifest.settings.levels.items()}
    planned = {
        (block, entry, test, key): run.rounds(test)
        for block in range(1, run.blocks + 1)
        for entry in manifest.up_in(block)
        for test in manifest.tests(entry)
        for key in keys[test]
    }
    counting, asked = sum(min(counts[cell], rounds) for cell, rounds in planned.items()), sum(planned.values())
    return Check(f"slices of {part} that count", f"{counting:,} of {asked:,}", "all", counting == asked)
