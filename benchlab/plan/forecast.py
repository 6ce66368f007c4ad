"""How long a run takes: planned before it starts, corrected by what its trials really took."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from benchlab.core.model import Settings, Visit

# First guesses, in seconds, replaced by the pace of the run itself: measured on a 2-core VM.
VISIT_S = 5.0
TEST_S = 0.5
TRIAL_S = 0.4
# How much longer than the least a warm-up takes.
WARM_UP_S = 1.0


class Forecast:
    """The planned seconds of each trial, and the pace at which they pass."""

    def __init__(self, visits: Iterable[Visit], settings: Settings):
        self._settings = settings
        self._planned: dict[str, float] = {}
        self._done_s = self.total_s = 0.0
        self.add(visits)

    def add(self, visits: Iterable[Visit]) -> None:
        """Plan visits more; trials that had ended are still to come again."""
        costs = dict(_costs(visits, self._settings))
        self._planned |= costs
        self.total_s += sum(costs.values())

    def done(self, key: str) -> None:
        """Note that the trial with this key has ended, measured or failed."""
        self._done_s += self._planned.pop(key, 0.0)

    @property
    def fraction(self) -> float:
        return self._done_s / self.total_s if self.total_s else 1.0

    def left_s(self, elapsed_s: float) -> float:
        """Return the seconds still to come, after `elapsed_s` seconds of the run."""
        pace = elapsed_s / self._done_s if self._done_s else 1.0
        return sum(self._planned.values()) * pace


def _costs(visits: Iterable[Visit], settings: Settings) -> Iterable[tuple[str, float]]:
    """Yield each trial's key with its seconds; the first of a visit or test carries what comes before it."""
    for visit in visits:
        before = VISIT_S
        for _, trials in groupby(visit.trials, key=lambda trial: trial.test):
            before += TEST_S + settings.primer_s + settings.warmup_s[0] + WARM_UP_S
            for trial in trials:
                yield trial.key, before + settings.duration_s + TRIAL_S
                before = 0.0
