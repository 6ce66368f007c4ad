"""Measures entries one at a time: makes each visit of each block, and takes its long samples."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from benchlab.contract import verify
from benchlab.core.errors import EngineError, EntryError, WrkError
from benchlab.experiment import stack, workloads
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import registry
from benchlab.load.model import LoadModel
from benchlab.quality.rules import Evidence
from benchlab.records import counters
from benchlab.records.counters import CLIENT, Kills
from benchlab.records.plan import Level, Settings, Trial, Visit
from benchlab.records.run import INVALID, NOT_TRIED, SUSPECT, WRONG_ANSWER, Failure, Sample
from benchlab.run import fetch, wrk
from benchlab.run.bench import Bench
from benchlab.run.conformance import Conformance
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.wrk import LoadResult

# load.py calls three seconds in a row steady, or not.
STEADY_S = 3
# An invalid sample is repeated at most twice, a suspect one once.
MOST_ATTEMPTS, MOST_SUSPECT_ATTEMPTS = 3, 2


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
        duration_s: float,
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


@dataclass(frozen=True)
class VisitRunner(Bench):
    """Makes visits: one entry is up at a time, and has long samples taken of it."""

    def run(self, visits: Iterable[Visit]) -> Iterator[int]:
        """Make the visits, then those again that gave samples which do not count, and yield the block's number.

        Raises EngineError where the engine is gone, or fails two visits in a row: it would fail the others too.
        """
        for block, visits_of_block in groupby(visits, key=lambda visit: visit.block):
            pending = list(visits_of_block)
            for attempt in range(1, MOST_ATTEMPTS + 1):
                records = list(self.make(pending))
                pending = again(pending, records, attempt)
                if pending and attempt < MOST_ATTEMPTS:
                    self.events.again(pending)
            yield block

    def make(self, visits: Iterable[Visit]) -> Iterator[Sample | Failure]:
        """Make the visits once, and yield what came of each trial when the journal has it."""
        failed_before = False
        for visit in visits:
            error = yield from self._visit(visit)
            if error and failed_before:
                raise error
            failed_before = error is not None

    def _visit(self, visit: Visit) -> Generator[Sample | Failure, None, EngineError | None]:
        """Make the visit, yield what came of each of its trials, and return the error where it was the engine's.

        What breaks the visit is the failure of the trial whose turn it was; those after it are not tried. Raises
        EngineError where the engine is gone.
        """
        self.allow()
        self.events.visit(visit)
        left = list(visit.trials)
        try:
            with self.group(visit.entry).only_up(f"block{visit.block}") as running:
                for record in self._measured(visit, running):
                    left.remove(record.trial)
                    yield record
        except (EntryError, EngineError) as error:
            if not self.roles.of(self.entries[visit.entry]).engines_answer():
                raise EngineError(f"the engine does not answer any more: {error}") from error
            summary = error.summary if isinstance(error, EntryError) else "the engine failed in this visit"
            yield from self.failures(left[:1], str(error))
            yield from self.failures(left[1:], f"{NOT_TRIED}: {summary}")
            if left[1:]:
                self.events.lost(visit, len(left) - 1, summary)
            return error if isinstance(error, EngineError) else None
        return None

    def _measured(self, visit: Visit, running: RunningEntry) -> Iterator[Sample | Failure]:
        """Verify each test type of the visit, warm it up, and yield what came of its trials."""
        self.refuse_other_cpus(running)
        conformance = Conformance(running)
        loading = Loading(running, self.settings, self.ask_engine, self.allowed_cpus)
        for test, trials_of_test in groupby(visit.trials, key=lambda trial: trial.test):
            trials = list(trials_of_test)
            if wrong := self.verify(visit.block, test, conformance):
                yield from self.failures(trials, f"{WRONG_ANSWER}: {wrong}")
                continue
            self.events.warming(trials[0])
            warm_up = loading.warm_up(trials[0], self.levels[test])
            for trial in trials:
                self.events.measuring(trial)
                yield self.recorded(self._sample(trial, loading, warm_up))

    def _sample(self, trial: Trial, loading: Loading, warm_up: WarmUp) -> Sample | Failure:
        started_at = datetime.now(UTC)
        try:
            result = loading.sample(trial, warm_up.kills_before)
        except WrkError as error:
            return Failure(trial, started_at, str(error), passing=True)
        running = loading.running
        verdict = self.verdict(self._evidence(trial, result, warm_up, running), running.endpoints.app.log_lines_per_s)
        return Sample(trial, self.state.next_attempt(trial), started_at, result.load, result.counters, verdict)

    def _evidence(self, trial: Trial, result: LoadResult, warm_up: WarmUp, running: RunningEntry) -> Evidence:
        adopted, queries = stack.is_adopted(running.entry.labels), trial.level.queries
        return Evidence(
            level=trial.level,
            duration_s=self.settings.duration_s,
            load=result.load,
            counters=result.counters,
            steady=warm_up.steady,
            wrong_answers=verify.check_loaded(trial.test, queries, result.answers, running.world, adopted),
            usual_speed_us=self.state.usual_speed_us(trial.block),
            client_cpus=min(trial.level.threads, self.cpus),
            clock_set_us=result.clock_set_us,
            ports=result.ports,
        )


def again(visits: Iterable[Visit], records: Iterable[Sample | Failure], attempt: int) -> list[Visit]:
    """Return the visits to make once more, with those trials only that are worth it after this attempt."""
    worth = {record.trial.key for record in records if _is_worth_another(record, attempt)}
    cut = (Visit(visit.block, visit.entry, tuple(t for t in visit.trials if t.key in worth)) for visit in visits)
    return [visit for visit in cut if visit.trials]


def _is_worth_another(record: Sample | Failure, attempt: int) -> bool:
    if isinstance(record, Failure):
        return record.passing
    if record.verdict.severity == SUSPECT:
        return attempt < MOST_SUSPECT_ATTEMPTS
    return record.verdict.severity == INVALID
