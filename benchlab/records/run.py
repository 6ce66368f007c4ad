"""What came of a plan: samples, failures, findings, and the run of them. Frozen, checked when made, free of I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from benchlab.records import checks
from benchlab.records.checks import Moment, Number
from benchlab.records.counters import Counters
from benchlab.records.load import Load
from benchlab.records.plan import Manifest, Trial

Made = TypeVar("Made")

# What a verdict says of a sample: it counts; it counts where no better one could be had; it does not count.
GOOD, SUSPECT, INVALID = "good", "suspect", "invalid"
# What the reason of a failure begins with where the entry answered wrongly before any load.
WRONG_ANSWER = "wrong answer"
# What it begins with where the visit had ended before; why, stands whole with the trial at which it ended.
NOT_TRIED = "not tried"
# What stands before the place where the log of a lost container is kept.
ITS_LOG = "; its log: "


@dataclass(frozen=True)
class Verdict:
    """How valid a sample is: `broken` has, by rule, what was measured; `unknown` the rules that had no value.

    `detail` quotes the first wrong answer.
    """

    severity: str
    broken: dict[str, Number]
    unknown: tuple[str, ...] = ()
    detail: str = ""

    def __post_init__(self) -> None:
        if self.severity not in (GOOD, SUSPECT, INVALID):
            raise ValueError(f"verdict: {self.severity!r} is none of {GOOD}, {SUSPECT}, {INVALID}")
        checks.amounts("verdict", **self.broken)


@dataclass(frozen=True)
class Sample:
    """A trial that was measured, the `attempt`-th time. `started_at` is UTC."""

    trial: Trial
    attempt: int
    started_at: Moment
    load: Load
    counters: Counters
    verdict: Verdict

    def __post_init__(self) -> None:
        checks.counts("sample", 1, attempt=self.attempt)


@dataclass(frozen=True)
class Failure:
    """A trial that could not be measured, and why. A `passing` one is worth another try."""

    trial: Trial
    started_at: Moment
    reason: str
    passing: bool = False

    @property
    def is_wrong_answer(self) -> bool:
        """Return whether the entry was verified and answered wrongly."""
        return self.reason.startswith(WRONG_ANSWER)

    @property
    def was_tried(self) -> bool:
        """Return whether the trial's turn came before its visit ended."""
        return not self.reason.startswith(NOT_TRIED)

    @property
    def cause(self) -> str:
        """Return the reason without where a log is kept, which is another place in each visit."""
        return self.reason.partition(ITS_LOG)[0]


@dataclass(frozen=True)
class Decision:
    """How many blocks a run gets in all, decided once, after the `pilot` blocks.

    `needed` is how many its precision asks for, None where it has none.
    """

    decided_at: Moment
    pilot: int
    blocks: int
    needed: int | None
    reason: str

    def __post_init__(self) -> None:
        checks.counts("decision", 1, pilot=self.pilot, blocks=self.blocks)
        if self.needed is not None:
            checks.counts("decision", 1, needed=self.needed)


@dataclass(frozen=True)
class Pace:
    """How many rounds of a test type every block of a run has: decided once, from the rates of a warm-up.

    `slice_s` is how long a slice was expected to take then, with all that is beside its load.
    """

    decided_at: Moment
    test: str
    rounds: int
    slice_s: Number

    def __post_init__(self) -> None:
        checks.counts("pace", 1, rounds=self.rounds)
        checks.amounts("pace", slice_s=self.slice_s)


@dataclass(frozen=True)
class Look:
    """What the gate answered after so many blocks: its exit code, and why. `number` counts the looks from 1.

    `next_look` is after how many blocks it looks again, None where it does not: then this is the run's answer.
    """

    number: int
    looked_at: Moment
    blocks: int
    next_look: int | None
    exit_code: int
    reason: str

    def __post_init__(self) -> None:
        checks.counts("look", 1, number=self.number, blocks=self.blocks)
        checks.counts("look", 0, exit_code=self.exit_code)
        if self.next_look is not None:
            checks.counts("look", self.blocks + 1, next_look=self.next_look)


@dataclass(frozen=True)
class ContractFinding:
    """A rule of the contract that an entry broke before a load, in this block first, and how it did.

    A `warning` kept nothing from being loaded. Where the same rule is broken again, there is no other finding.
    """

    block: int
    entry: str
    test: str
    found_at: Moment
    rule: str
    message: str
    warning: bool

    def __post_init__(self) -> None:
        checks.counts("finding", 1, block=self.block)

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """Return what identifies the finding in a run: the same rule may be broken now and only warn then."""
        return self.entry, self.test, self.rule, self.warning


# What a journal is made of, a line each.
Record = Sample | Failure | Decision | Look | ContractFinding | Pace


@dataclass(frozen=True)
class Run:
    """A run as read back.

    Its `taken`, `failures` and `looks` are in the order of time, its `findings` in that of their keys.
    """

    manifest: Manifest
    taken: tuple[Sample, ...]
    failures: tuple[Failure, ...]
    decision: Decision | None = None
    findings: tuple[ContractFinding, ...] = ()
    paces: tuple[Pace, ...] = ()
    looks: tuple[Look, ...] = ()

    def once(self, make: Callable[[Run], Made]) -> Made:
        """Return what is made of the run: made when it is asked for first, and kept, because a run does not change."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def _made(self) -> dict[Callable[[Run], Any], Any]:
        return {}

    @property
    def blocks(self) -> int:
        """Return how many blocks the run has in all, as far as that is decided."""
        if self.looks:
            return self.looks[-1].next_look or self.looks[-1].blocks
        if planned := self.manifest.settings.looks:
            return planned[0]
        return self.decision.blocks if self.decision else self.manifest.settings.blocks

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Return the sample that counts of each trial: its first good one, else its last suspect one."""
        chosen: dict[str, Sample] = {}
        for sample in sorted(self.taken, key=lambda sample: (sample.attempt, sample.started_at)):
            key = sample.trial.key
            if sample.verdict.severity != INVALID and not _is_good(chosen.get(key)):
                chosen[key] = sample
        return tuple(chosen.values())

    @property
    def ended_at(self) -> datetime:
        """Return when the last sample or failure was written; the run's creation where there is none."""
        ends = [sample.started_at + timedelta(microseconds=sample.load.wall_us) for sample in self.taken]
        return max([self.manifest.created_at, *ends, *(failure.started_at for failure in self.failures)])

    @property
    def measured(self) -> frozenset[str]:
        """Return the keys of the trials that have a sample that counts."""
        return frozenset(sample.trial.key for sample in self.samples)

    @property
    def to_come(self) -> int:
        """Return how many trials have no record yet, of the blocks that are decided on so far."""
        manifest, settings = self.manifest, self.manifest.settings
        if settings.together:
            return self._slices_to_come()
        cells = sum(len(settings.levels[test]) for entry in manifest.entries for test in manifest.tests(entry))
        return self.blocks * settings.repeats * cells - len({record.trial.key for record in self.taken + self.failures})

    def has_pace(self, test: str) -> bool:
        """Return whether it is decided how many rounds of the test a block has."""
        return any(pace.test == test for pace in self.paces) or self.manifest.settings.repeats > 0

    def rounds(self, test: str) -> int:
        """Return how many rounds of a test a block has; before that is decided, the least that it can be."""
        return next((pace.rounds for pace in self.paces if pace.test == test), max(1, self.manifest.settings.repeats))

    def _slices_to_come(self) -> int:
        """Return how many slices are to come, at least; an entry that was lost in a block has no more of its test.

        One that failed, and was taken anew as often as it may be, is not to come.
        """
        manifest = self.manifest
        tried = {record.trial.key: record.trial for record in self.taken + self.failures}.values()
        counts = Counter((trial.block, trial.entry, trial.test) for trial in tried)
        return sum(
            max(0, self.rounds(test) * len(manifest.settings.levels[test]) - counts[block, entry, test])
            for block in range(1, self.blocks + 1)
            for entry in manifest.up_in(block)
            for test in manifest.tests(entry)
            if (block, entry, test) not in self.lost
        )

    @cached_property
    def lost(self) -> frozenset[tuple[int, str, str]]:
        """Return the blocks, entries and tests in which the entry was lost; a slice that only failed loses none."""
        trials = (failure.trial for failure in self.failures if not failure.passing)
        return frozenset((trial.block, trial.entry, trial.test) for trial in trials)

    @property
    def answer(self) -> Look | None:
        """Return the look at which the gate answered; None where it has not, or the run has no gate."""
        return self.looks[-1] if self.looks and self.looks[-1].next_look is None else None

    @property
    def awaits_decision(self) -> bool:
        """Return whether the number of blocks is still to be decided, and there are samples to decide by."""
        settings = self.manifest.settings
        if settings.looks:
            return self.answer is None and bool(self.samples)
        asked = settings.precision is not None or settings.budget_s is not None
        return asked and self.decision is None and bool(self.samples)


def _is_good(sample: Sample | None) -> bool:
    return sample is not None and sample.verdict.severity == GOOD
