"""Loads a running entry: the warm-up of a test type, and its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchlab.core.errors import WrkError
from benchlab.experiment import workloads
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import registry
from benchlab.load.model import LoadModel
from benchlab.records import counters
from benchlab.records.counters import CLIENT, Kills
from benchlab.records.plan import Level, Settings, Trial
from benchlab.run import fetch, wrk
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.wrk import LoadResult

# load.py calls three seconds in a row steady, or not.
STEADY_S = 3


@dataclass(frozen=True)
class WarmUp:
    """What the primer and the warm-up of a test type left for its samples.

    `steady` is whether the rate became so, None where they were too short. `kills_before` is how many processes
    of each role had been killed for their memory before them: empty where that is not known, None where nothing was
    sent.
    """

    steady: bool | None
    kills_before: Kills | None


@dataclass(frozen=True)
class Loading:
    """A running entry, and how it is loaded.

    `ask_engine` is for hosts whose cgroup tree cannot be read: then the engine is asked what the containers used.
    `allowed_cpus` are the host's CPUs that containers may use, None for all.
    """

    running: RunningEntry
    settings: Settings
    ask_engine: bool
    allowed_cpus: tuple[int, ...] | None = None

    def warm_up(self, first: Trial, levels: tuple[Level, ...]) -> WarmUp:
        """Send what the load model has before the first trial of a test type, such as primer and warm-up.

        Where they fail, the samples will say so. Raises EntryError where a container ended meanwhile.
        """
        test, warming = first.test, f"while {first.test} was warmed up"
        kills_before: Kills | None = None
        steady: bool | None = None
        try:
            for step in self._model.before(self.settings, test, levels):
                window_s = None if step.steady_after_s is None else (step.steady_after_s, step.duration_s)
                result = self._load(test, step.level, step.duration_s, warming, window_s, kills_before=kills_before)
                kills_before = result.kills_before
                if window_s is not None and step.duration_s > STEADY_S:
                    steady = result.steady
        except WrkError:
            return WarmUp(None, kills_before or {})
        return WarmUp(steady, kills_before)

    def sample(self, trial: Trial, kills_before: Kills | None) -> LoadResult:
        """Return what wrk and the counters say of the trial's load, and some answers from before and under it.

        Raises WrkError, or EntryError where a container ended meanwhile.
        """
        test, level = trial.test, trial.level
        doing = f"while {test} {level.key} was measured"
        check = fetch.job(self.running.endpoints.front.address, WORKLOADS[test].accept, self._path(test, level))
        return self._load(test, level, self.settings.duration_s, doing, check=check, kills_before=kills_before)

    def _load(
        self,
        test: str,
        level: Level,
        duration_s: int,
        doing: str,
        warm_up_s: tuple[int, int] | None = None,
        check: Mapping[str, object] | None = None,
        kills_before: Kills | None = None,
    ) -> LoadResult:
        at, accept = self.running.endpoints, WORKLOADS[test].accept
        command = self._model.command(level, at.front.address, self._path(test, level), accept, duration_s)
        job = wrk.observed(command, at.containers_near_load(), warm_up_s, check, self.allowed_cpus)
        before = at.usage() if self.ask_engine else {}
        execution = at.client.execute(job)
        self.running.check(doing)
        if execution.failure:
            raise WrkError(f"wrk ended with {execution.failure}")
        result = wrk.parse(self._model, execution.stdout, kills_before)
        if not self.ask_engine:
            return result
        roles = counters.without(counters.usages(before, at.usage(), {}), CLIENT, result.aside_us)
        return replace(result, counters=replace(result.counters, roles=roles))

    @property
    def _model(self) -> LoadModel:
        return registry.of(self.settings)

    def _path(self, test: str, level: Level) -> str:
        return workloads.url_path(test, self.running.entry.tests[test], level)
