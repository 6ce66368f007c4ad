"""Measures entries that are up together: makes each block, and takes its rounds of slices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from benchlab.contract import verify
from benchlab.core.errors import EngineError, EntryError, WrkError
from benchlab.experiment import pace, schedule, stack
from benchlab.experiment.pace import Rate, SliceLength
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import registry
from benchlab.quality import judge
from benchlab.quality.rules import WRONG_ANSWERS, Evidence
from benchlab.records.counters import Kills
from benchlab.records.plan import Block, Level, Rounds, Trial
from benchlab.records.run import INVALID, NOT_TRIED, WRONG_ANSWER, Failure, Pace, Sample
from benchlab.run import slices
from benchlab.run.bench import Bench
from benchlab.run.conformance import Conformance
from benchlab.run.group import Up
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.slices import SliceResult

# The warm-up of a test type: a slice of each entry at the largest level.
WARM_LENGTH = SliceLength(ramp_ms=85, window_ms=500)
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
        losses = _Losses(self, block)
        try:
            self.change_places([self.entries[name] for name in block.entries], block.number)
            with self.group(*block.entries).up(f"block{block.number}") as up:
                for name, why in up.lost.items():
                    losses.lose(name, why)
                for running in up.running.values():
                    self.refuse_other_cpus(running)
                _Block(self, block, up, losses).measure()
        except (EntryError, EngineError, WrkError) as error:
            if not self._engines_answer():
                raise EngineError(f"the engine does not answer any more: {error}") from error
            for name in block.entries:
                losses.lose(name, error)
            return None if isinstance(error, EntryError) else error
        return None

    def _engines_answer(self) -> bool:
        return all(self.roles.of(entry).engines_answer() for entry in self.entries.values())


class _Losses:
    """Who has no more slices of which tests in a block, each recorded once."""

    def __init__(self, runner: RoundRunner, block: Block):
        self._runner = runner
        self._block = block
        self._out: set[tuple[str, str]] = set()
        self._left = [rounds.test for rounds in block.rounds]
        self._slices: Counter[tuple[str, str, int]] = Counter()
        self._next: dict[tuple[str, str], int] = {}

    def taken(self, trial: Trial) -> None:
        """Note that the trial's slice was taken: what is lost later begins after the last whole round."""
        key = (trial.entry, trial.test)
        self._slices[*key, trial.repeat] += 1
        if self._slices[*key, trial.repeat] == len(self._runner.levels[trial.test]):
            self._next[key] = trial.repeat + 1

    def lose(self, name: str, error: EntryError | EngineError | WrkError) -> None:
        """Record that the entry takes no more part in the tests that are not over. The first has the whole reason."""
        tests = [test for test in self._left if self._takes_part(name, test)]
        self.leave_out(name, tests[:1], str(error))
        self.leave_out(name, tests[1:], f"{NOT_TRIED}: {_summary(error)}")

    def leave_out(self, name: str, tests: Sequence[str], why: str) -> None:
        """Record why the entry has no more slices of these tests, from the first round on that it lacks."""
        self._out |= {(name, test) for test in tests}
        levels = [
            (test, level, self._next.get((name, test), 1)) for test in tests for level in self._runner.levels[test]
        ]
        self._runner.failures([Trial(self._block.number, name, *each) for each in levels], why)

    def over(self, test: str) -> None:
        """Note that the test's rounds are over: nobody can lose them any more."""
        self._left.remove(test)

    def _takes_part(self, name: str, test: str) -> bool:
        return test in self._runner.entries[name].tests and (name, test) not in self._out


class _Block:
    """One block while it is made."""

    def __init__(self, runner: RoundRunner, block: Block, up: Up, losses: _Losses):
        self._runner = runner
        self._block = block
        self._up = up
        self._losses = losses
        self._model = registry.of(runner.settings)
        self._length = pace.length(runner.settings.duration_s)
        self._conformance = {name: Conformance(running) for name, running in up.running.items()}
        self._ready: dict[str, list[str]] = {}
        self._kills: dict[str, Kills] = {}
        self._chatter: dict[str, float] = {}

    def measure(self) -> None:
        """Verify, warm up and take the rounds of each test; before the first, those without a pace get one."""
        unpaced = [rounds.test for rounds in self._block.rounds if rounds.test not in self._runner.paces]
        reading = [test for test in unpaced if not WORKLOADS[test].writes]
        self._decide({test: self._rates(test, self._ends(test)) for test in reading})
        for rounds in self._block.rounds:
            if _are_for(rounds, self._up.running):
                self._measure_test(rounds)
            self._losses.over(rounds.test)

    def _measure_test(self, rounds: Rounds) -> None:
        test = rounds.test
        if test not in self._runner.paces and test not in self._ready:
            self._decide({test: self._rates(test, self._ends(test))})
        elif test not in self._ready:
            self._rates(test, self._ends(test)[-1:])
        if test not in self._runner.paces:
            self._not_warmed_up(test)
        else:
            records = self._taken(replace(rounds, count=rounds.count or self._runner.paces[test].rounds))
            self._runner.events.rounds(self._block, test, records)

    def _ends(self, test: str) -> list[Level]:
        """Return the smallest level of the test and the largest: they are one where it has one."""
        levels = sorted(self._runner.levels[test])
        return list(dict.fromkeys((levels[0], levels[-1])))

    def _rates(self, test: str, levels: Sequence[Level]) -> dict[str, list[Rate]]:
        """Verify the test of each entry and warm it up at the levels; return what rates came of that, by entry."""
        self._ready[test] = [name for name in list(self._up.running) if self._is_right(test, name)]
        ready = self._ready[test]
        trials = [Trial(self._block.number, name, test, level, WARM_UP) for level in levels for name in ready]
        if trials:
            self._runner.events.warming(trials[0])
        with closing(self._slices(trials, WARM_LENGTH)) as taken:
            results = list(taken)
        doing = f"while {test} was warmed up"
        self._check(doing)
        for name in {result.trial.entry for result in results if result.is_gone} & self._up.running.keys():
            self._lose(name, self._silent(name, doing))
        rates: dict[str, list[Rate]] = defaultdict(list)
        for result in results:
            if result.load is not None and result.trial.entry in self._up.running:
                rates[result.trial.entry].append(Rate(result.trial.level, result.load.requests_per_second))
        # No slice of the others need be as long as one that is lost, or hangs, would wait.
        return {name: of for name, of in rates.items() if not self._hangs(test, name, of)}

    def _hangs(self, test: str, name: str, rates: Iterable[Rate]) -> bool:
        """Return whether the entry answered nothing under load in a warm-up; then it takes no part in the test."""
        hung = [rate.level.key.name for rate in rates if not rate.per_s]
        if hung:
            self._ready[test].remove(name)
            why = f"{name} answered nothing under load while {test} was warmed up at {hung[0]}"
            self._losses.leave_out(name, [test], f"{why}, though it answers single requests")
        return bool(hung)

    def _not_warmed_up(self, test: str) -> None:
        """Record the entries that nothing is known of although they are up: no warm-up of theirs was counted."""
        for name in self._ready[test]:
            if name in self._up.running:
                self._losses.leave_out(name, [test], "wrk ended before the warm-up was over")

    def _is_right(self, test: str, name: str) -> bool:
        """Return whether the entry declares the test and answers it rightly; why it does not is recorded."""
        runner = self._runner
        if test not in runner.entries[name].tests:
            return False
        try:
            wrong = runner.verify(self._block.number, test, self._conformance[name])
        except EntryError as error:
            # Where database or load generator have ended, that is everyone's loss, and this raises.
            self._check(f"while {test} was verified")
            if name in self._up.running:
                self._lose(name, error)
            return False
        if wrong:
            self._losses.leave_out(name, [test], f"{WRONG_ANSWER}: {wrong}")
        return wrong is None

    def _decide(self, rates: Mapping[str, Mapping[str, Sequence[Rate]]]) -> None:
        """Decide the pace of these tests, and write it into the journal; one that nobody was loaded in gets none."""
        runner, settings = self._runner, self._runner.settings
        slices_s = {
            test: pace.slice_s(sorted(runner.levels[test]), of, self._length) for test, of in rates.items() if of
        }
        # Not those of this block: where it is resumed, it has those only that it lacks.
        tests = [test for test in settings.tests if any(test in entry.tests for entry in runner.entries.values())]
        levels = {test: len(runner.levels[test]) for test in slices_s}
        counts = pace.rounds(slices_s, levels, settings.block_s * len(slices_s) / len(tests))
        for test, slice_s in slices_s.items():
            made = Pace(datetime.now(UTC), test, settings.repeats or counts[test], round(slice_s, 3))
            runner.journal.append(made)
            runner.paces[test] = made

    def _taken(self, rounds: Rounds) -> list[Sample | Failure]:
        """Take the rounds, and then others in place of those in which a slice does not count.

        They end at an answer that is wrong under load, for not every slice has its answers looked at. An entry that
        gives one each time is left out, and they go on without it.
        """
        records: list[Sample | Failure] = []
        wrong: Counter[str] = Counter()
        attempts = 0
        while rounds.count and attempts < MOST_ATTEMPTS:
            entries = [name for name in self._ready[rounds.test] if name in self._up.running]
            if not _are_for(rounds, entries):
                break
            made = self._once(rounds, entries)
            records += made
            left = len({record.trial.repeat for record in made if _is_torn(record)})
            after = rounds.first + rounds.count
            if made and _is_wrong(made[-1]):
                left += after - 1 - made[-1].trial.repeat
                wrong[made[-1].trial.entry] += 1
                if wrong[made[-1].trial.entry] == MOST_ATTEMPTS:
                    self._ready[rounds.test].remove(made[-1].trial.entry)
                    why = f"{WRONG_ANSWER}: {judge.reason(made[-1])}"
                    self._losses.leave_out(made[-1].trial.entry, [rounds.test], why)
            else:
                attempts += 1
            rounds = replace(rounds, count=left, first=after)
        return records

    def _once(self, rounds: Rounds, entries: Sequence[str]) -> list[Sample | Failure]:
        runner, test = self._runner, rounds.test
        levels = runner.levels[test]
        trials = list(schedule.slices(rounds, entries, levels, runner.settings.seed, self._block.number))
        made: list[Sample | Failure] = []
        gone: set[str] = set()
        runner.events.measuring(trials[0])
        with closing(self._slices(trials, self._length)) as results:
            for result in results:
                if result.is_gone:
                    gone.add(result.trial.entry)
                else:
                    made.append(runner.recorded(self._record(result)))
                    self._losses.taken(result.trial)
                    if _is_wrong(made[-1]):
                        break
        doing = f"while {test} was measured"
        self._check(doing)
        for name in gone & self._up.running.keys():
            self._lose(name, self._silent(name, doing))
        return made

    def _slices(self, trials: Sequence[Trial], length: SliceLength) -> Generator[SliceResult, None, None]:
        if trials:
            running = self._up.running
            yield from slices.taken(self._model, running, trials, length, self._runner.allowed_cpus, self._kills)

    def _record(self, result: SliceResult) -> Sample | Failure:
        runner, trial, now = self._runner, result.trial, datetime.now(UTC)
        if result.load is None or result.counters is None:
            return Failure(trial, now, result.why, passing=True)
        running = self._up.running[trial.entry]
        adopted = stack.is_adopted(running.entry.labels)
        evidence = Evidence(
            level=trial.level,
            duration_s=self._length.window_ms / 1000,
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

    def _check(self, doing: str) -> None:
        """Record the entries whose containers have ended. Raises EntryError where database or load generator have."""
        for name, error in self._up.check(doing).items():
            self._record_loss(name, error)

    def _lose(self, name: str, error: EntryError) -> None:
        self._up.lose(name, error)
        self._record_loss(name, error)

    def _record_loss(self, name: str, error: EntryError) -> None:
        self._losses.lose(name, error)
        self._runner.events.notice(f"block {self._block.number}: {name} is lost: {error.summary}")

    def _silent(self, name: str, doing: str) -> EntryError:
        running: RunningEntry = self._up.running[name]
        summary = f"{name} answered nothing any more {doing}, although it runs"
        return running.lifetime.lost(running.endpoints.app, summary, summary)


def _summary(error: EntryError | EngineError | WrkError) -> str:
    """Return in a few words what the error costs a block for."""
    if isinstance(error, EntryError):
        return error.summary
    return f"{'the load generator' if isinstance(error, WrkError) else 'the engine'} failed in this block"


def _are_for(rounds: Rounds, entries: Collection[str]) -> bool:
    """Return whether any of the entries lacks the rounds."""
    return any(name in entries for name in rounds.lacking) if rounds.lacking else bool(entries)


def _is_wrong(record: Sample | Failure) -> TypeGuard[Sample]:
    return isinstance(record, Sample) and WRONG_ANSWERS in record.verdict.broken


def _is_torn(record: Sample | Failure) -> bool:
    return isinstance(record, Failure) or record.verdict.severity == INVALID
