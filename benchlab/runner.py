"""Measures: makes each visit, takes each sample, and appends what came of it to the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol

from benchlab import fetch, verify, workloads, wrk
from benchlab.errors import EngineError, EntryError, WrkError
from benchlab.model import Entry, Failure, Level, Load, Problem, Sample, Settings, Trial, Verdict, Visit
from benchlab.serving import READY_S, Host, Server
from benchlab.verify import World
from benchlab.workloads import WORKLOADS

# wrk opens and closes its connections outside the time it was told; more than this is no measurement.
LATE_S = 0.3


class Journal(Protocol):
    def append(self, record: Sample | Failure) -> None: ...
    def keep_log(self, name: str, text: str) -> str: ...


class Events:
    """What happens in a run, told as it happens. Whoever shows it overrides what it needs."""

    def visit(self, visit: Visit) -> None:
        """An entry is about to be started."""

    def verified(self, visit: Visit, problems: list[Problem]) -> None:
        """A test type of the entry was verified."""

    def warming(self, trial: Trial) -> None:
        """The test type of the trial is being warmed up."""

    def measuring(self, trial: Trial) -> None:
        """The trial's sample is being taken."""

    def recorded(self, record: Sample | Failure) -> None:
        """The journal has a new line."""


@dataclass(frozen=True)
class Runner:
    """Everything that a visit needs."""

    host: Host
    journal: Journal
    entries: Mapping[str, Entry]
    levels: Mapping[str, tuple[Level, ...]]
    settings: Settings
    events: Events
    ready_s: int = READY_S

    @property
    def _server(self) -> Server:
        return Server(self.host, self.entries, self.settings.proxy, self.journal.keep_log, self.ready_s)

    def run(self, visits: Iterable[Visit]) -> Iterator[int]:
        """Make the visits, and yield each block's number when the block is complete.

        Raises EngineError where the engine is gone, or fails two visits in a row: it would fail the others too.
        """
        failed_before = False
        for block, visits_of_block in groupby(visits, key=lambda visit: visit.block):
            for visit in visits_of_block:
                error = self._visit(visit)
                if error and failed_before:
                    raise error
                failed_before = error is not None
            yield block

    def verify(self, name: str) -> list[Verdict]:
        """Start the entry and return what is found of each test type; nothing is loaded."""
        entry = self.entries[name]
        tests = [test for test in self.settings.tests if test in entry.tests]
        try:
            with self._server.serve(entry, "verify") as world:
                return [Verdict(name, test, tuple(self._problems(entry, test, world))) for test in tests]
        except (EntryError, EngineError) as error:
            if not self.host.answers():
                raise
            return [Verdict(name, test, (Problem(test, "serves", str(error)),)) for test in tests]

    def _visit(self, visit: Visit) -> EngineError | None:
        """Make the visit; what breaks it is recorded for every trial that has no record yet.

        Returns the error where it was the engine's. Raises EngineError where the engine is gone.
        """
        self.events.visit(visit)
        settled: set[Trial] = set()
        try:
            with self._server.serve(self.entries[visit.entry], f"block{visit.block}") as world:
                for test, trials in groupby(visit.trials, key=lambda trial: trial.test):
                    self._test(visit, test, list(trials), world, settled)
        except (EntryError, EngineError) as error:
            if not self.host.answers():
                raise EngineError(f"the engine does not answer any more: {error}") from error
            self._fail((trial for trial in visit.trials if trial not in settled), str(error), settled)
            return error if isinstance(error, EngineError) else None
        return None

    def _test(self, visit: Visit, test: str, trials: list[Trial], world: World, settled: set[Trial]) -> None:
        """Verify a test type of the visit's entry, warm it up, and measure its trials; what failed, once more."""
        entry = self.entries[visit.entry]
        problems = self._problems(entry, test, world)
        self.events.verified(visit, problems)
        if wrong := [problem for problem in problems if not problem.warning]:
            self._fail(trials, f"wrong answer: {wrong[0]}", settled)
            return
        self._warm_up(entry, trials[0])
        again = [trial for trial in trials if not self._measure(entry, trial, settled)]
        for trial in again:
            self._measure(entry, trial, settled)

    def _warm_up(self, entry: Entry, first: Trial) -> None:
        """Send the study's primer and warm-up, as far as the settings have them; the samples tell of failures."""
        self.events.warming(first)
        largest = workloads.warmup_level(first.test, self.levels[first.test])
        steps = (
            (workloads.primer_level(first.test), self.settings.primer_s),
            (largest, self.settings.warmup_s),
        )
        for level, duration_s in steps:
            if duration_s:
                with suppress(WrkError):
                    self._load(entry, first.test, level, duration_s, f"block{first.block}")

    def _measure(self, entry: Entry, trial: Trial, settled: set[Trial]) -> bool:
        """Take the trial's sample; return whether it is one."""
        self.events.measuring(trial)
        started_at = datetime.now(UTC)
        try:
            load = self._load(entry, trial.test, trial.level, self.settings.duration_s, f"block{trial.block}")
        except WrkError as error:
            self._record(Failure(trial, started_at, str(error)), settled)
            return False
        if reason := unusable(load, self.settings.duration_s):
            self._record(Failure(trial, started_at, reason, load), settled)
            return False
        self._record(Sample(trial, started_at, load), settled)
        return True

    def _load(self, entry: Entry, test: str, level: Level, duration_s: int, life: str) -> Load:
        """Return what wrk counted. Raises WrkError, or EntryError where a container ended meanwhile."""
        path = workloads.url_path(test, entry.tests[test], level)
        command = wrk.command(level, self._server.target, path, WORKLOADS[test].accept, duration_s)
        result = self.host.execute("wrk", command)
        self._server.check(entry, life)
        if result.exit_code != 0:
            said = (result.stderr or result.stdout).strip().splitlines()[-1:]
            raise WrkError(f"wrk ended with exit code {result.exit_code}: {' '.join(said)}")
        return wrk.parse(result.stdout)

    def _problems(self, entry: Entry, test: str, world: World) -> list[Problem]:
        paths = verify.paths(test, entry.tests[test])
        answers = fetch.answers(self.host, self._server.target, WORKLOADS[test].accept, paths)
        return verify.check(test, answers, world)

    def _fail(self, trials: Iterable[Trial], reason: str, settled: set[Trial]) -> None:
        for trial in trials:
            self._record(Failure(trial, datetime.now(UTC), reason), settled)

    def _record(self, record: Sample | Failure, settled: set[Trial]) -> None:
        self.journal.append(record)
        settled.add(record.trial)
        self.events.recorded(record)


def unusable(load: Load, duration_s: int) -> str | None:
    """Return why a load is no sample: errors, no answer at all, or a clock that cannot be right (METHOD, section 4).

    Requests answered after more than 8 s, wrk's time-outs, are no reason: uvloop accepts one connection in each turn
    of its loop, so under a burst of 1,024 it may take that long (docs/method.md). They are counted and shown.
    """
    if load.errors.broken:
        return f"of {load.requests} answers and their connections: {load.errors}"
    if not load.requests:
        return "no request was answered"
    for clock, took_s in (("by its own clock", load.seconds), ("by the host's", load.wall_us / 1e6)):
        if not duration_s <= took_s <= duration_s + LATE_S:
            return f"wrk ran for {took_s:.2f} s {clock} instead of {duration_s} s: the host stalled, or a clock was set"
    return None
