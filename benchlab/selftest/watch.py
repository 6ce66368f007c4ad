"""What a part of the self-test does where rounds begin and where they end, while its run is shown as any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

from benchlab.core.errors import EngineError
from benchlab.engine.endpoints import load_address
from benchlab.engine.stage import Lab
from benchlab.records.plan import Block, Trial
from benchlab.records.run import Failure, Sample
from benchlab.run import fetch
from benchlab.run.fetch import Request
from benchlab.run.progress import RoundsProgress
from benchlab.selftest import overhead, slowdown
from benchlab.selftest.check import Burden, Overhead
from benchlab.selftest.overhead import Reading


class Watch:
    """Does nothing. Whoever watches overrides what it needs."""

    def begin(self) -> None:
        """The rounds of a test are about to begin; so they are again for those that are taken anew."""

    def end(self, block: int) -> None:
        """The rounds of a test in this block are over, and all entries are still up."""


class Watched(RoundsProgress):
    """Shows a run whose rounds are watched; `shown` is what is shown, as RoundsProgress takes it."""

    def __init__(self, watch: Watch, *shown: Any):
        super().__init__(*shown)
        self._watch = watch

    def measuring(self, trial: Trial) -> None:
        super().measuring(trial)
        self._watch.begin()

    def rounds(self, block: Block, test: str, records: Sequence[Sample | Failure]) -> None:
        self._watch.end(block.number)
        super().rounds(block, test, records)


class SlowdownWatch(Watch):
    """Reads what lab.py and the engine use in the rounds, and then asks the entries what their slowdown took."""

    def __init__(self, lab: Lab, names: Sequence[str]):
        self._lab, self._names = lab, names
        self._is_here = overhead.is_here(lab.engine)
        self._began: Reading | None = None
        self._intervals: list[tuple[Reading, Reading]] = []
        self.burdens: list[Burden] = []

    @property
    def used(self) -> Overhead | None:
        return overhead.used(self._intervals)

    def begin(self) -> None:
        self._began = self._began or overhead.read(self._is_here)

    def end(self, block: int) -> None:
        if self._began is not None:
            self._intervals.append((self._began, overhead.read(self._is_here)))
        self._began = None
        # What one does not tell lacks in the check; the run goes on.
        with suppress(EngineError):
            self.burdens += [burden for name in self._names if (burden := self._asked(block, name))]

    def _asked(self, block: int, name: str) -> Burden | None:
        address = load_address(self._lab.topology.entries[name])
        request = Request(slowdown.BURDEN_PATH, "application/json")
        ((answer,),) = fetch.answers(self._lab.roles.client, address, [[request]])
        if answer.status != 200:
            return None
        answered = json.loads(answer.body)
        return Burden(block, name, **answered["paths"][slowdown.PATH], clock_step_ns=answered["clock_step_ns"])


class TroubleWatch(Watch):
    """Has the trouble begin with the rounds: verification and warm-up go undisturbed. It ends with the with block."""

    def __init__(self, trouble: AbstractContextManager[None]):
        self._trouble: AbstractContextManager[None] | None = trouble
        self._stack = ExitStack()

    def __enter__(self) -> TroubleWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self) -> None:
        if self._trouble is not None:
            self._stack.enter_context(self._trouble)
        self._trouble = None
