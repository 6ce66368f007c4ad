"""Measures entries that are up together: makes each block, and takes its rounds of slices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from benchlab.contract import verify
from benchlab.core.errors import EngineError, EntryError, WrkError
from benchlab.experiment import pace, schedule, stack
from benchlab.experiment.pace import Rate
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import registry
from benchlab.quality.rules import Evidence
from benchlab.records.counters import Kills
from benchlab.records.plan import Block, Level, Rounds, Trial
from benchlab.records.run import INVALID, NOT_TRIED, WRONG_ANSWER, Failure, Pace, Sample, SliceLength
from benchlab.run import slices
from benchlab.run.conformance import Conformance
from benchlab.run.lifecycle import Group, RunningEntry, Up
from benchlab.run.runner import Bench
from benchlab.run.slices import SliceResult

# The warm-up of a test type: a slice of each entry at the largest level, in milliseconds.
WARM_RAMP_MS, WARM_WINDOW_MS = 300, 1000
# The number of a round that is not counted.
WARM_UP = 0
# Rounds that lack a slice are taken anew twice at most.
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class RoundRunner(Bench):
    """Makes blocks in which all entries are up and one is loaded at a time. `paces` are those of the run so far."""

    paces: dict[str, Pace] = field(default_factory=dict)

    def run(self, blocks: Iterable[Block]) -> Iterator[int]:
        """Make the blocks and yield the number of each when it is over.

        Raises EngineError where the engine is gone; and EngineError or WrkError where it, or the load generator's
        programs, fail two blocks in a row: they would fail the others too.
        """
        failed_before = False
        for block in blocks:
            error = self.make(block)
            if error and failed_before:
                raise error
            failed_before = error is not None
            yield block.number

    def make(self, block: Block) -> EngineError | WrkError | None:
        """Make the block, and return the error where it was no entry's. Raises EngineError where the engine is gone."""
        self.allow()
        self.events.starting(block)
        self.state.forget_lately()
        left = {rounds.test: rounds for rounds in block.rounds}
        try:
            with self._group(block).up(f"block{block.number}") as up:
                self._lose(block, left.values(), up.lost)
                for running in up.running.values():
                    self.refuse_other_cpus(running)
                _Block(self, block, up, left).measure()
        except (EntryError, EngineError, WrkError) as error:
            if not self._engines_answer():
                raise EngineError(f"the engine does not answer any more: {error}") from error
            failed = "the load generator" if isinstance(error, WrkError) else "the engine"
            why = error.summary if isinstance(error, EntryError) else f"{failed} failed in this block"
            tests = list(left)
            for name in block.entries:
                list(self.failures(self.trials(block, name, tests[:1]), str(error)))
                list(self.failures(self.trials(block, name, tests[1:]), f"{NOT_TRIED}: {why}"))
            return None if isinstance(error, EntryError) else error
        return None

    def _group(self, block: Block) -> Group:
        return Group(
            entries=[self.entries[name] for name in block.entries],
            roles=self.roles,
            others=self.entries.values(),
            keep_log=self.journal.keep_log,
            ready_s=self.ready_s,
            say=self.events.notice,
            state=self.state,
            patterns=self.patterns,
        )

    def _engines_answer(self) -> bool:
        return all(self.roles.of(entry).engines_answer() for entry in self.entries.values())

    def _lose(self, block: Block, rounds: Iterable[Rounds], lost: Mapping[str, EntryError | EngineError]) -> None:
        """Record that entries take no part in these rounds: the first test has the reason."""
        tests = [each.test for each in rounds]
        for name, error in lost.items():
            summary = error.summary if isinstance(error, EntryError) else "the engine failed"
            mine = [test for test in tests if test in self.entries[name].tests]
            list(self.failures(self.trials(block, name, mine[:1]), str(error)))
            list(self.failures(self.trials(block, name, mine[1:]), f"{NOT_TRIED}: {summary}"))

    def trials(self, block: Block, entry: str, tests: Iterable[str], number: int = 1) -> list[Trial]:
        return [
            Trial(block.number, entry, test, level, number)
            for test in tests
            if test in self.entries[entry].tests
            for level in self.levels[test]
        ]


class _Block:
    """One block while it is made. `left` are the rounds of the tests that are not over yet."""

    def __init__(self, runner: RoundRunner, block: Block, up: Up, left: dict[str, Rounds]):
        self._runner = runner
        self._block = block
        self._up = up
        self._left = left
        self._model = registry.of(runner.settings)
        self._conformance = {name: Conformance(running) for name, running in up.running.items()}
        self._ready: dict[str, list[str]] = {}
        self._kills: dict[str, Kills] = {}
        self._chatter: dict[str, float] = {}

    def measure(self) -> None:
        """Verify, warm up and take the rounds of each test; before the first, those without a pace get one."""
        unpaced = [rounds.test for rounds in self._block.rounds if rounds.test not in self._runner.paces]
        reading = [test for test in unpaced if not WORKLOADS[test].writes]
        self._decide({test: self._rates(test, both_ends=True) for test in reading})
        for rounds in self._block.rounds:
            test = rounds.test
            if test not in self._runner.paces:
                self._decide({test: self._rates(test, both_ends=True)})
            elif test not in self._ready:
                self._rates(test)
            if test not in self._runner.paces:
                self._not_warmed_up(test)
            else:
                records = self._taken(replace(rounds, count=rounds.count or self._runner.paces[test].rounds))
                self._runner.events.rounds(self._block, test, records)
            del self._left[test]

    def _rates(self, test: str, both_ends: bool = False) -> dict[str, list[Rate]]:
        """Verify the test of each entry and warm it up; return what rates came of that, by entry.

        The warm-up is at the largest level, and at the smallest before, where a pace is to be decided.
        """
        runner = self._runner
        self._ready[test] = [name for name in list(self._up.running) if self._is_right(test, name)]
        levels = sorted(runner.levels[test])
        ends = [levels[0], levels[-1]] if both_ends and len(levels) > 1 else levels[-1:]
        trials = [Trial(self._block.number, name, test, level, WARM_UP) for level in ends for name in self._ready[test]]
        rates: dict[str, list[Rate]] = defaultdict(list)
        if trials:
            runner.events.warming(trials[0])
        gone: set[str] = set()
        with closing(self._slices(trials, {(test, level): _warm_up(level) for level in ends})) as results:
            for result in results:
                if result.is_gone:
                    gone.add(result.trial.entry)
                elif result.load is not None:
                    rates[result.trial.entry].append(Rate(result.trial.level, result.load.requests_per_second))
        doing = f"while {test} was warmed up"
        self._check(test, doing)
        for name in gone & self._up.running.keys():
            self._lose(name, test, self._silent(name, doing))
        # No slice of the others need be as long as one that is lost would wait.
        return {name: of for name, of in rates.items() if name in self._up.running}

    def _not_warmed_up(self, test: str) -> None:
        """Record the entries that nothing is known of although they are up: no warm-up of theirs was counted."""
        for name in self._ready[test]:
            if name in self._up.running:
                trials = self._runner.trials(self._block, name, [test])
                list(self._runner.failures(trials, "wrk ended before the warm-up was over"))

    def _is_right(self, test: str, name: str) -> bool:
        """Return whether the entry declares the test and answers it rightly; why it does not is recorded."""
        runner = self._runner
        if test not in runner.entries[name].tests:
            return False
        try:
            wrong = runner.verify(self._block.number, test, self._conformance[name])
        except EntryError as error:
            self._lose(name, test, error)
            return False
        if wrong:
            list(runner.failures(runner.trials(self._block, name, [test]), f"{WRONG_ANSWER}: {wrong}"))
        return wrong is None

    def _decide(self, rates: Mapping[str, Mapping[str, Sequence[Rate]]]) -> None:
        """Decide the pace of these tests, and write it into the journal; one that nobody was loaded in gets none."""
        runner, settings = self._runner, self._runner.settings
        lengths = {
            test: pace.lengths(sorted(runner.levels[test]), of, settings.duration_s) for test, of in rates.items() if of
        }
        # Not those of this block: where it is resumed, it has those only that it lacks.
        tests = [test for test in settings.tests if any(test in entry.tests for entry in runner.entries.values())]
        share = len(lengths) / len(tests)
        counts = pace.rounds(lengths, settings.block_s * share)
        for test, of_test in lengths.items():
            made = Pace(datetime.now(UTC), test, settings.repeats or counts[test], of_test)
            runner.journal.append(made)
            runner.paces[test] = made

    def _taken(self, rounds: Rounds) -> list[Sample | Failure]:
        """Take the rounds, and then others in place of those in which a slice does not count."""
        records: list[Sample | Failure] = []
        for _ in range(MOST_ATTEMPTS):
            entries = [name for name in self._ready[rounds.test] if name in self._up.running]
            if not entries:
                break
            made = self._once(rounds, entries)
            records += made
            torn = {record.trial.repeat for record in made if _is_torn(record)}
            if not torn:
                break
            rounds = Rounds(rounds.test, len(torn), rounds.first + rounds.count)
        return records

    def _once(self, rounds: Rounds, entries: Sequence[str]) -> list[Sample | Failure]:
        runner, test = self._runner, rounds.test
        levels = runner.levels[test]
        lengths = {(test, level): runner.paces[test].at(level.key) for level in levels}
        trials = list(schedule.slices(rounds, entries, levels, runner.settings.seed, self._block.number))
        made: list[Sample | Failure] = []
        gone: set[str] = set()
        runner.events.measuring(trials[0])
        with closing(self._slices(trials, lengths)) as results:
            for result in results:
                if result.is_gone:
                    gone.add(result.trial.entry)
                else:
                    made.append(runner.recorded(self._record(result, lengths)))
        doing, last = f"while {test} was measured", rounds.first + rounds.count - 1
        self._check(test, doing, last)
        for name in gone & self._up.running.keys():
            self._lose(name, test, self._silent(name, doing), last)
        return made

    def _slices(
        self, trials: Sequence[Trial], lengths: Mapping[tuple[str, Level], SliceLength]
    ) -> Generator[SliceResult, None, None]:
        if trials:
            running = self._up.running
            yield from slices.taken(self._model, running, trials, lengths, self._runner.allowed_cpus, self._kills)

    def _record(self, result: SliceResult, lengths: Mapping[tuple[str, Level], SliceLength]) -> Sample | Failure:
        runner, trial, now = self._runner, result.trial, datetime.now(UTC)
        if result.load is None or result.counters is None:
            return Failure(trial, now, result.why, passing=True)
        running = self._up.running[trial.entry]
        adopted = stack.is_adopted(running.entry.labels)
        evidence = Evidence(
            level=trial.level,
            duration_s=lengths[trial.test, trial.level].window_ms / 1000,
            load=result.load,
            counters=result.counters,
            steady=None,
            wrong_answers=verify.check_loaded(trial.test, trial.level.queries, result.answers, running.world, adopted),
            usual_speed_us=runner.state.recent_speed_us(result.counters.speeds_us),
            client_cpus=min(trial.level.threads, runner.cpus),
            clock_set_us=result.clock_set_us,
            ports=result.ports,
            around=runner.state.around(result.counters),
        )
        verdict = runner.verdict(evidence, lambda: self._lines_per_s(running))
        started_at = now - timedelta(microseconds=result.load.wall_us)
        return Sample(trial, runner.state.next_attempt(trial), started_at, result.load, result.counters, verdict)

    def _lines_per_s(self, running: RunningEntry) -> float:
        """Return how much the entry writes to its log, as it was seen once: to ask disturbs the slices that follow."""
        name = running.entry.name
        if name not in self._chatter:
            self._chatter[name] = running.endpoints.app.log_lines_per_s()
        return self._chatter[name]

    def _check(self, test: str, doing: str, number: int = 1) -> None:
        """Record the entries whose containers have ended. Raises EntryError where database or load generator have."""
        for name, error in self._up.check(doing).items():
            self._record_loss(name, test, error, number)

    def _lose(self, name: str, test: str, error: EntryError, number: int = 1) -> None:
        self._up.lose(name, error)
        self._record_loss(name, test, error, number)

    def _record_loss(self, name: str, test: str, error: EntryError, number: int) -> None:
        """Record that the entry is lost: in this test, and in those after it."""
        runner = self._runner
        others = [each for each in self._left if each != test]
        list(runner.failures(runner.trials(self._block, name, [test], max(1, number)), str(error)))
        untried = runner.trials(self._block, name, others)
        list(runner.failures(untried, f"{NOT_TRIED}: {error.summary}"))
        runner.events.notice(f"block {self._block.number}: {name} is lost: {error.summary}")

    def _silent(self, name: str, doing: str) -> EntryError:
        running: RunningEntry = self._up.running[name]
        summary = f"{name} answered nothing any more {doing}, although it runs"
        return running.lifetime.lost(running.endpoints.app, summary, summary)


def _warm_up(level: Level) -> SliceLength:
    return SliceLength(level.key, WARM_RAMP_MS, WARM_WINDOW_MS)


def _is_torn(record: Sample | Failure) -> bool:
    return isinstance(record, Failure) or record.verdict.severity == INVALID
