"""How long a run takes: planned before it starts, corrected by what its trials really took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from benchlab.records.plan import Block, Rounds, Settings, Trial, Visit
from benchlab.records.run import Pace

# First guesses, in seconds, replaced by the pace of the run itself: measured on a 2-core VM.
VISIT_S = 5.0
TEST_S = 0.5
TRIAL_S = 0.4
# Of a block whose entries are up together: its start and end, what each entry adds to that, its warm-up in a test, and
# what a slice takes beside its window.
BLOCK_S, ENTRY_S, WARM_SLICE_S, SLICE_S = 5.0, 0.5, 1.0, 0.6
# What verification takes of a test longer where an entry is verified whole, in its first block; and of an entry that is
# verified and not loaded: its start and end, and each test.
WHOLE_S, VERIFY_S, VERIFY_TEST_S = 1.0, 4.0, 0.8
# How much longer than the least a warm-up takes.
WARM_UP_S = 1.0
# Before the first block nothing is known of how a run's slices are taken.
NO_PACES: Mapping[str, Pace] = MappingProxyType({})


@dataclass(frozen=True)
class _Cost:
    """Seconds of what comes before samples, starts and warm-ups, and of the samples themselves."""

    before_s: float = 0.0
    own_s: float = 0.0

    @property
    def total_s(self) -> float:
        return self.before_s + self.own_s

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(self.before_s + other.before_s, self.own_s + other.own_s)

    def __sub__(self, other: _Cost) -> _Cost:
        return _Cost(self.before_s - other.before_s, self.own_s - other.own_s)


@dataclass(frozen=True)
class _Spent:
    """What trials that have ended were planned to cost, and the seconds that they took."""

    planned: _Cost = _Cost()
    took_s: float = 0.0

    @property
    def pace(self) -> float:
        return self.took_s / self.planned.total_s if self.planned.total_s else 1.0

    def __add__(self, other: _Spent) -> _Spent:
        return _Spent(self.planned + other.planned, self.took_s + other.took_s)


class Forecast:
    """The planned seconds of what is to come, and the pace at which they pass.

    As much of a block's time as went into samples taken anew in those before it is expected of those that follow.
    """

    def __init__(self, visits: Iterable[Visit], settings: Settings):
        self._settings = settings
        self._planned: dict[str, _Cost] = {}
        self._to_come = _Cost()
        # What was planned of blocks at first: of those that may still have samples taken anew, and of the others; and
        # what was planned to be taken anew.
        self._unsettled: dict[int, _Cost] = defaultdict(_Cost)
        self._settled = self._retaken = _Cost()
        self._doubted: dict[int, dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
        # A trial that begins a visit or a test type carries what comes before it; the others follow.
        self._beginning = self._following = _Spent()
        self._last_s = self.total_s = 0.0
        for visit in visits:
            self._unsettled[visit.block] += self._plan(visit)

    def again(self, visits: Iterable[Visit]) -> None:
        """Plan visits that are made once more: all of their block that is."""
        for visit in visits:
            self.over(visit.block)
            self._retaken += self._plan(visit)

    def over(self, block: int) -> None:
        """Note that nothing more of the block will be planned to be taken anew."""
        self._settled += self._unsettled.pop(block, _Cost())
        self._doubted.pop(block, None)

    def doubted(self, trial: Trial) -> None:
        """Note that the trial will be taken anew, if its block has not come to that yet."""
        if trial.block in self._unsettled:
            self._doubted[trial.block][trial.entry].append(trial)

    def done(self, trial: Trial, elapsed_s: float) -> None:
        """Note that the trial has ended, after so many seconds of the run."""
        cost = self._take(trial)
        spent = _Spent(cost, elapsed_s - self._last_s)
        self._last_s = elapsed_s
        if cost.before_s:
            self._beginning += spent
        else:
            self._following += spent

    def dropped(self, trial: Trial, elapsed_s: float) -> None:
        """Note that the trial is not loaded, which is known after so many seconds of the run.

        It says nothing about the pace, and will not be taken anew.
        """
        cost = self._take(trial)
        self._last_s = elapsed_s
        if trial.block in self._unsettled:
            self._unsettled[trial.block] -= cost

    @property
    def fraction(self) -> float:
        return 1 - self._to_come.total_s / self.total_s if self.total_s else 1.0

    def left_s(self, elapsed_s: float) -> float:
        """Return the seconds still to come, after `elapsed_s` seconds of the run."""
        settled_s = self._paced_s(self._settled)
        share = self._paced_s(self._retaken) / settled_s if settled_s else 0.0
        anew_s = sum(
            max(self._paced_s(cost) * share, self._paced_s(self._doubts(block)))
            for block, cost in self._unsettled.items()
        )
        return max(0.0, self._paced_s(self._to_come) + anew_s - (elapsed_s - self._last_s))

    def _plan(self, visit: Visit) -> _Cost:
        costs = dict(_costs(visit, self._settings))
        self._planned |= costs
        cost = sum(costs.values(), _Cost())
        self._to_come += cost
        self.total_s += cost.total_s
        return cost

    def _take(self, trial: Trial) -> _Cost:
        """Return what the trial was planned to cost, which is no longer to come."""
        cost = self._planned.pop(trial.key, _Cost())
        self._to_come -= cost
        return cost

    def _doubts(self, block: int) -> _Cost:
        """Return what it costs to take the block's doubted trials once more."""
        doubted = self._doubted.get(block, {})
        visits = (Visit(block, entry, tuple(trials)) for entry, trials in doubted.items())
        return sum((cost for visit in visits for _, cost in _costs(visit, self._settings)), _Cost())

    def _paced_s(self, cost: _Cost) -> float:
        """Return the seconds that the cost takes at the pace so far, of which what comes before samples has its own."""
        whole = (self._beginning + self._following).pace
        own = self._following.pace if self._following.took_s else whole
        begun, before = self._beginning, whole
        if begun.took_s:
            before = max(0.0, begun.took_s - own * begun.planned.own_s) / begun.planned.before_s
        return cost.before_s * before + cost.own_s * own


class BlockForecast:
    """The planned seconds of blocks whose entries are up together, and the pace at which they pass."""

    def __init__(self, blocks: Iterable[Block], settings: Settings, paces: Mapping[str, Pace] = NO_PACES):
        self._planned: dict[int, float] = {}
        known: set[str] = set()
        for block in blocks:
            new = len({*block.entries} - known)
            self._planned[block.number] = block_s(block, settings, paces) + new * len(block.rounds) * WHOLE_S
            known |= {*block.entries}
        self.total_s = sum(self._planned.values())
        self._took: dict[int, float] = {}
        self._began_s: dict[int, float] = {}
        self._last_s = 0.0

    def done(self, trial: Trial, elapsed_s: float) -> None:
        """Note that a slice of the block is over, after so many seconds of the run."""
        self._began_s.setdefault(trial.block, self._last_s)
        self._last_s = elapsed_s

    dropped = done

    def doubted(self, trial: Trial) -> None:
        """Note that the slice does not count; its round is taken anew, which the pace has in it."""

    def over(self, block: int) -> None:
        """Note that the block is over."""
        self._took[block] = self._last_s - self._began_s.get(block, self._last_s)

    @property
    def fraction(self) -> float:
        return min(1.0, self._last_s / (self._last_s + self.left_s(self._last_s))) if self._last_s else 0.0

    def left_s(self, elapsed_s: float) -> float:
        """Return the seconds still to come, after `elapsed_s` seconds of the run."""
        planned_s = sum(self._planned[block] for block in self._took)
        pace = sum(self._took.values()) / planned_s if planned_s else 1.0
        left = {block: seconds * pace for block, seconds in self._planned.items() if block not in self._took}
        begun = {block: elapsed_s - began_s for block, began_s in self._began_s.items() if block in left}
        return sum(max(0.0, seconds - begun.get(block, 0.0)) for block, seconds in left.items())


def verification_s(tests: Iterable[int]) -> float:
    """Return how long it takes to verify entries that have so many tests each, one after the other."""
    return sum(VERIFY_S + count * VERIFY_TEST_S for count in tests)


def block_s(block: Block, settings: Settings, paces: Mapping[str, Pace] = NO_PACES) -> float:
    """Return how long a block takes: its start, verification, warm-ups and rounds, by the run's paces so far."""
    entries = len(block.entries)
    before_s = BLOCK_S + entries * ENTRY_S + len(block.rounds) * entries * (TEST_S + WARM_SLICE_S)
    return before_s + sum(_rounds_s(rounds, entries, settings, paces.get(rounds.test)) for rounds in block.rounds)


def _rounds_s(rounds: Rounds, entries: int, settings: Settings, paced: Pace | None) -> float:
    if paced:
        slices = (rounds.count or paced.rounds) * len(settings.levels[rounds.test]) * entries
        return slices * paced.slice_s
    if rounds.count:
        return rounds.count * len(settings.levels[rounds.test]) * entries * (settings.duration_s + SLICE_S)
    return settings.block_s / len(settings.tests) * entries / 2


def _costs(visit: Visit, settings: Settings) -> Iterator[tuple[str, _Cost]]:
    """Yield each trial's key with its cost; the first of a visit or test carries what comes before it."""
    before_s = VISIT_S
    for _, trials in groupby(visit.trials, key=lambda trial: trial.test):
        before_s += TEST_S + settings.primer_s + settings.warmup_s[0] + WARM_UP_S
        for trial in trials:
            yield trial.key, _Cost(before_s, settings.duration_s + TRIAL_S)
            before_s = 0.0
