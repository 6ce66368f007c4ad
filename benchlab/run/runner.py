"""Measures: makes each visit, takes each sample, and appends what came of it to the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol

from benchlab.contract import verify
from benchlab.contract.answers import Problem, faults
from benchlab.core.errors import EngineError, EntryError, SetupError, WrkError
from benchlab.experiment import profiles, stack, workloads
from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge
from benchlab.quality.rules import FOREIGN, Evidence
from benchlab.records import counters
from benchlab.records.counters import CLIENT, Kills
from benchlab.records.plan import Entry, Level, Settings, Trial, Visit
from benchlab.records.run import INVALID, NOT_TRIED, SUSPECT, WRONG_ANSWER, Failure, Remark, Sample, Verdict
from benchlab.run import fetch, lifecycle, wrk
from benchlab.run.conformance import Vetting
from benchlab.run.lifecycle import READY_S, Host, Server
from benchlab.run.wrk import Outcome

# An invalid sample is repeated at most twice, a suspect one once (docs/method.md, section 1.2).
MOST_ATTEMPTS, MOST_SUSPECT_ATTEMPTS = 3, 2


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


# load.py calls three seconds in a row steady, or not.
STEADY_S = 3


@dataclass(frozen=True)
class WarmUp:
    """What the primer and the warm-up of a test type left for its samples.

    `steady` is whether the rate became so, None where they were too short to tell. `kills_before` is how many processes
    of each role had been killed for their memory before them: empty where that is not known, None where nothing was
    sent.
    """

    steady: bool | None
    kills_before: Kills | None


@dataclass(frozen=True)
class Loading:
    """An entry that is up, and what it is loaded with; `ask_engine` and `allowed_cpus` are as in Runner."""

    server: Server
    entry: Entry
    settings: Settings
    ask_engine: bool
    allowed_cpus: tuple[int, ...] | None = None

    def warm_up(self, first: Trial, levels: tuple[Level, ...]) -> WarmUp:
        """Send primer and warm-up before the first trial of a test type, as far as the settings have them.

        The samples tell of failures. Raises EntryError where a container ended meanwhile.
        """
        test, primer_s, (least_s, most_s) = first.test, self.settings.primer_s, self.settings.warmup_s
        kills_before: Kills | None = None
        try:
            warming = f"while {test} was warmed up"
            if primer_s:
                kills_before = self._load(first, workloads.primer_level(test), primer_s, warming).kills_before
            if not most_s:
                return WarmUp(None, kills_before)
            largest = profiles.warmup_level(self.settings, test, levels)
            warmed = self._load(first, largest, most_s, warming, warm_up_s=(least_s, most_s), kills_before=kills_before)
            return WarmUp(warmed.steady if most_s > STEADY_S else None, warmed.kills_before)
        except WrkError:
            return WarmUp(None, kills_before or {})

    def sample(self, trial: Trial, check: Mapping[str, object], kills_before: Kills | None) -> Outcome:
        """Return what wrk and the counters say of the trial's load; `check` is what is asked for before and under it.

        Raises WrkError, or EntryError where a container ended meanwhile.
        """
        doing = f"while {trial.test} {workloads.varied(trial.test, trial.level)} was measured"
        return self._load(trial, trial.level, self.settings.duration_s, doing, check=check, kills_before=kills_before)

    def _load(
        self,
        trial: Trial,
        level: Level,
        duration_s: int,
        doing: str,
        warm_up_s: tuple[int, int] | None = None,
        check: Mapping[str, object] | None = None,
        kills_before: Kills | None = None,
    ) -> Outcome:
        entry, server = self.entry, self.server
        path = workloads.url_path(trial.test, entry.tests[trial.test], level)
        command = wrk.command(level, lifecycle.target(entry), path, WORKLOADS[trial.test].accept, duration_s)
        containers = server.containers(entry)
        before = server.usage(entry) if self.ask_engine else {}
        job = wrk.observed(command, containers, warm_up_s, check, self.allowed_cpus)
        result = server.host.execute("wrk", job)
        server.check(entry, f"block{trial.block}", doing)
        if result.failure:
            raise WrkError(f"wrk ended with {result.failure}")
        outcome = wrk.parse(result.stdout, kills_before)
        if not self.ask_engine:
            return outcome
        roles = counters.without(counters.usages(before, server.usage(entry), {}), CLIENT, outcome.aside_us)
        return replace(outcome, counters=replace(outcome.counters, roles=roles))


class Journal(Protocol):
    def append(self, record: Sample | Failure | Remark) -> None: ...
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
        """The journal has a sample or failure more."""

    def lost(self, visit: Visit, untried: int, brief: str) -> None:
        """The visit has ended with so many trials whose turn had not come; `brief` is why, in a few words."""

    def notice(self, line: str) -> None:
        """Something is to be said, in a line, that is no sample's."""

    def again(self, visits: list[Visit]) -> None:
        """The block goes on with these visits, for trials whose samples do not count, or are suspect."""


@dataclass(frozen=True)
class Runner:
    """Everything that a visit needs.

    `taken` are the samples of earlier sessions of the same run: a resumed run counts on. `vetted` are the entries and
    test types that passed all of the contract: in later visits they are only asked for their answers. `remarked` are
    the keys of what verification has told in this run, which it does not tell again. `allow` is called at the start of
    each visit and raises EngineError where it must not be made, which ends the run. `ask_engine` is for hosts whose
    cgroup tree cannot be read: then the engine is asked what the containers used. `allowed_cpus` are the host's CPUs
    that containers may use, None for all; `placement` are those of each role, nothing where all share them. `placed`
    are the entries that were seen to keep to it, `slow_to_stop` the services that were told of for that.
    """

    host: Host
    journal: Journal
    entries: Mapping[str, Entry]
    levels: Mapping[str, tuple[Level, ...]]
    settings: Settings
    events: Events
    cpus: int
    taken: list[Sample] = field(default_factory=list)
    vetted: set[tuple[str, str]] = field(default_factory=set)
    remarked: set[tuple[str, str, str, bool]] = field(default_factory=set)
    ready_s: int = READY_S
    allow: Callable[[], None] = lambda: None
    ask_engine: bool = False
    allowed_cpus: tuple[int, ...] | None = None
    placement: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)
    slow_to_stop: set[str] = field(default_factory=set)

    @property
    def _server(self) -> Server:
        keep_log, say = self.journal.keep_log, self.events.notice
        return Server(self.host, self.entries, keep_log, self.ready_s, say, self.slow_to_stop)

    def _loading(self, entry: Entry) -> Loading:
        return Loading(self._server, entry, self.settings, self.ask_engine, self.allowed_cpus)

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
        """Make the visits once and yield what came of their trials."""
        failed_before = False
        for visit in visits:
            records: dict[Trial, Sample | Failure] = {}
            error = self._visit(visit, records)
            yield from records.values()
            if error and failed_before:
                raise error
            failed_before = error is not None

    def _visit(self, visit: Visit, records: dict[Trial, Sample | Failure]) -> EngineError | None:
        """Make the visit and note what came of it.

        Returns the error where it was the engine's. Raises EngineError where the engine is gone.
        """
        self.allow()
        self.events.visit(visit)
        try:
            with self._server.serve(self.entries[visit.entry], f"block{visit.block}") as world:
                self._refuse_other_cpus(self.entries[visit.entry])
                vetting = Vetting(self._server, self.entries[visit.entry], world)
                for test, trials in groupby(visit.trials, key=lambda trial: trial.test):
                    self._test(visit, test, list(trials), vetting, records)
        except (EntryError, EngineError) as error:
            if not self.host.answers():
                raise EngineError(f"the engine does not answer any more: {error}") from error
            self._lose(visit, error, records)
            return error if isinstance(error, EngineError) else None
        return None

    def _refuse_other_cpus(self, entry: Entry) -> None:
        """Raise SetupError, which ends the run, where a container may use other CPUs than were planned for its role.

        Of each entry it is looked at once: its container is the same in all visits.
        """
        if not self.placement or entry.name in self.placed:
            return
        if other := self._server.other_cpus(entry, self.placement):
            raise SetupError(f"{other}: the engine does not keep it to them; use --placement shared")
        self.placed.add(entry.name)

    def _lose(self, visit: Visit, error: EntryError | EngineError, records: dict[Trial, Sample | Failure]) -> None:
        """Note what broke the visit with the trial whose turn it was, and with those after it that none came."""
        left = [trial for trial in visit.trials if trial not in records]
        brief = error.brief if isinstance(error, EntryError) else "the engine failed in this visit"
        self._fail(left[:1], str(error), records)
        self._fail(left[1:], f"{NOT_TRIED}: {brief}", records)
        if left[1:]:
            self.events.lost(visit, len(left) - 1, brief)

    def _test(
        self, visit: Visit, test: str, trials: list[Trial], vetting: Vetting, records: dict[Trial, Sample | Failure]
    ) -> None:
        """Verify a test type of the visit's entry, warm it up, and measure its trials."""
        entry = vetting.entry
        problems = self._vet(vetting, test)
        vetting.refuse_dead(problems, f"block{visit.block}", f"while {test} was verified")
        self._remark(visit, problems)
        self.events.verified(visit, problems)
        if wrong := faults(problems):
            self._fail(trials, f"{WRONG_ANSWER}: {wrong[0]}", records)
            return
        self.events.warming(trials[0])
        warmth = self._loading(entry).warm_up(trials[0], self.levels[test])
        for trial in trials:
            self._record(self._measure(vetting, trial, warmth), records)

    def _remark(self, visit: Visit, problems: Iterable[Problem]) -> None:
        """Keep what verification found, of each rule the first in a run: most of it comes again in every visit."""
        for found in problems:
            now = datetime.now(UTC)
            remark = Remark(visit.block, visit.entry, found.test, now, found.rule, found.message, found.warning)
            if remark.key not in self.remarked:
                self.journal.append(remark)
                self.remarked.add(remark.key)

    def _measure(self, vetting: Vetting, trial: Trial, warmth: WarmUp) -> Sample | Failure:
        self.events.measuring(trial)
        entry = vetting.entry
        started_at = datetime.now(UTC)
        path = workloads.url_path(trial.test, entry.tests[trial.test], trial.level)
        check = fetch.job(lifecycle.target(entry), WORKLOADS[trial.test].accept, path)
        try:
            outcome = self._loading(entry).sample(trial, check, warmth.kills_before)
        except WrkError as error:
            return Failure(trial, started_at, str(error), passing=True)
        adopted = stack.is_adopted(entry.labels)
        wrong = verify.check_loaded(trial.test, trial.level.queries, outcome.answers, vetting.world, adopted)
        verdict = self._judged(self._evidence(trial, outcome, warmth.steady, wrong), entry)
        return Sample(trial, self._attempt(trial), started_at, outcome.load, outcome.counters, verdict)

    def _judged(self, evidence: Evidence, entry: Entry) -> Verdict:
        """Return the verdict. Where a stranger seems to have been busy, the engine is asked for the entry's log first.

        What the engine does to carry it is the entry's doing.
        """
        verdict = judge.judge(evidence)
        if FOREIGN in verdict.broken:
            # A sample is not lost with the answer.
            with suppress(EngineError):
                return judge.judge(replace(evidence, log_lines_per_s=self.host.log_lines_per_s(entry.name)))
        return verdict

    def _evidence(self, trial: Trial, outcome: Outcome, steady: bool | None, wrong: list[Problem]) -> Evidence:
        return Evidence(
            level=trial.level,
            duration_s=self.settings.duration_s,
            load=outcome.load,
            counters=outcome.counters,
            steady=steady,
            wrong_answers=wrong,
            usual_speed_us=judge.usual_speed_us(self.taken, trial.block),
            client_cpus=min(trial.level.threads, self.cpus),
            clock_set_us=outcome.clock_set_us,
            ports=outcome.ports,
        )

    def _attempt(self, trial: Trial) -> int:
        return 1 + sum(sample.trial == trial for sample in self.taken)

    def _vet(self, vetting: Vetting, test: str) -> list[Problem]:
        """Return what is wrong with a test type before it is loaded.

        Once it has passed all of the contract, only its answers are looked at: what is left takes seconds.
        """
        key = (vetting.entry.name, test)
        if key in self.vetted:
            return vetting.answers([test])[test]
        problems = vetting.whole([test])[test]
        if not faults(problems):
            problems += vetting.dates([test])
        if not faults(problems):
            self.vetted.add(key)
        return problems

    def _fail(self, trials: Iterable[Trial], reason: str, records: dict[Trial, Sample | Failure]) -> None:
        for trial in trials:
            self._record(Failure(trial, datetime.now(UTC), reason), records)

    def _record(self, record: Sample | Failure, records: dict[Trial, Sample | Failure]) -> None:
        self.journal.append(record)
        if isinstance(record, Sample):
            self.taken.append(record)
        records[record.trial] = record
        self.events.recorded(record)
