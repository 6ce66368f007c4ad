"""What measuring needs, and what all designs of a run do alike: verify, judge, and keep what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from benchlab.contract.answers import Problem, faults
from benchlab.core.errors import EngineError, SetupError
from benchlab.core.log_patterns import LogPatterns
from benchlab.engine.endpoints import Roles
from benchlab.experiment.settings import PLACEMENT
from benchlab.load import registry
from benchlab.quality import judge
from benchlab.quality.rules import BACKGROUND_CPU, Evidence
from benchlab.records.plan import Block, Entry, Level, Settings, Trial, Visit
from benchlab.records.run import ContractFinding, Failure, Pace, Sample, Verdict
from benchlab.run.conformance import Conformance
from benchlab.run.group import Group
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.readiness import READY_S
from benchlab.run.state import SessionState


class Journal(Protocol):
    """Where a run is kept."""

    def append(self, record: Sample | Failure | ContractFinding | Pace) -> None: ...
    def keep_log(self, name: str, text: str) -> str: ...


class Events:
    """What happens in a run, at the time it happens. Whoever shows it overrides what it needs."""

    def visit(self, visit: Visit) -> None:
        """An entry is about to be started."""

    def verified(self, entry: str, problems: list[Problem]) -> None:
        """A test type of the entry was verified."""

    def warming(self, trial: Trial) -> None:
        """The test type of the trial is being warmed up."""

    def measuring(self, trial: Trial) -> None:
        """The trial's sample is being taken; of entries that are up together, the slices that begin with it are."""

    def recorded(self, record: Sample | Failure) -> None:
        """The journal has a sample or failure more."""

    def lost(self, visit: Visit, untried: int, summary: str) -> None:
        """The visit has ended with so many trials whose turn had not come; `summary` is why, in a few words."""

    def starting(self, block: Block) -> None:
        """The entries of a block are about to be started together."""

    def rounds(self, block: Block, test: str, records: Sequence[Sample | Failure]) -> None:
        """A test's rounds in a block have been taken."""

    def notice(self, line: str) -> None:
        """A line is to be shown that belongs to no sample."""

    def again(self, visits: list[Visit]) -> None:
        """The block goes on with these visits, for trials whose samples do not count, or are suspect."""


@dataclass(frozen=True)
class Bench:
    """Everything that loading entries needs, and what every design of a run does alike.

    `roles` are the engines that the roles are on. `state` is what the session has learnt so far. `allow` is called at
    the start of each block or visit and raises EngineError where it must not be made, which ends the run. `ask_engine`
    and `allowed_cpus` are as in Loading; `placement` are the CPUs of each role, nothing where all share them;
    `patterns` are as in Lifetime. `change_places` has entries that do not run take other places, of which there is one
    for each, at each turn.
    """

    roles: Roles
    journal: Journal
    entries: Mapping[str, Entry]
    levels: Mapping[str, tuple[Level, ...]]
    settings: Settings
    events: Events
    cpus: int
    state: SessionState = field(default_factory=SessionState)
    ready_s: int = READY_S
    allow: Callable[[], None] = lambda: None
    ask_engine: bool = False
    allowed_cpus: tuple[int, ...] | None = None
    placement: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    patterns: LogPatterns = field(default_factory=LogPatterns)
    change_places: Callable[[Sequence[Entry], int], None] = lambda entries, turn: None

    def group(self, *names: str) -> Group:
        """Return what brings these entries up, and none of the others."""
        return Group(
            entries=[self.entries[name] for name in names],
            roles=self.roles,
            others=self.entries.values(),
            keep_log=self.journal.keep_log,
            ready_s=self.ready_s,
            say=self.events.notice,
            state=self.state,
            patterns=self.patterns,
        )

    def refuse_other_cpus(self, running: RunningEntry) -> None:
        """Raise SetupError, which ends the run, where a container may use other CPUs than were planned for its role."""
        name = running.entry.name
        if not self.placement or self.state.is_on_planned_cpus(name):
            return
        if other := running.other_cpus(self.placement):
            raise SetupError(f"{other}: the engine does not keep it to them; use {PLACEMENT.name} shared")
        self.state.add_on_planned_cpus(name)

    def verify(self, block: int, test: str, conformance: Conformance) -> Problem | None:
        """Return what keeps a test type from being loaded; None where nothing does.

        Of each rule that is broken the first finding in a run is kept: most of them come again in every block.
        """
        problems = self._problems(test, conformance)
        conformance.refuse_dead(problems, f"while {test} was verified")
        entry = conformance.entry.name
        for problem in problems:
            now = datetime.now(UTC)
            finding = ContractFinding(block, entry, test, now, problem.rule, problem.message, problem.warning)
            if self.state.is_new(finding):
                self.journal.append(finding)
                self.state.add_finding(finding)
        self.events.verified(entry, problems)
        return next(iter(faults(problems)), None)

    def _problems(self, test: str, conformance: Conformance) -> list[Problem]:
        """Return what is wrong with a test type before it is loaded.

        Once it has passed all of the contract, only its answers are looked at: what is left takes seconds.
        """
        name = conformance.entry.name
        if self.state.conforms(name, test):
            return conformance.answers([test])[test]
        problems = conformance.whole([test])[test]
        if not faults(problems):
            problems += conformance.dates([test])
        if not faults(problems):
            self.state.add_conforming(name, test)
        return problems

    def verdict(self, evidence: Evidence, log_lines_per_s: Callable[[], float]) -> Verdict:
        """Return the verdict. Where it speaks of background CPU, it is asked first how much the entry logs.

        The CPU that the engine uses to carry that log is the entry's doing.
        """
        rules = registry.of(self.settings).RULES
        verdict = judge.judge(evidence, rules)
        if BACKGROUND_CPU in verdict.broken:
            # A sample is not lost with the answer.
            with suppress(EngineError):
                return judge.judge(replace(evidence, log_lines_per_s=log_lines_per_s()), rules)
        return verdict

    def failures(self, trials: Iterable[Trial], why: str) -> list[Failure]:
        """Record why the trials have no samples, and return what was recorded."""
        failures = [Failure(trial, datetime.now(UTC), why) for trial in trials]
        for failure in failures:
            self.recorded(failure)
        return failures

    def recorded(self, record: Sample | Failure) -> Sample | Failure:
        """Return the record once journal, state and whoever shows the run have it."""
        self.journal.append(record)
        if isinstance(record, Sample):
            self.state.add_sample(record)
        self.events.recorded(record)
        return record
