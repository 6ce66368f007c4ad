"""Holds a running entry against the contract: asks it, has the database count, waits for its Date to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from benchlab.contract import claims, envelope, payloads, statements, verify
from benchlab.contract.answers import Answer, Problem, Verification, World, faults
from benchlab.contract.statements import PROBES, Counted
from benchlab.core.errors import EngineError, EntryError, SetupError
from benchlab.core.quantities import counted, minutes
from benchlab.engine import stage, variants
from benchlab.engine.endpoints import Endpoint
from benchlab.engine.stage import Lab
from benchlab.experiment import forecast, stack, workloads
from benchlab.experiment.workloads import MAX_QUERIES, WORKLOADS
from benchlab.records.plan import Entry, Settings, Target
from benchlab.run import fetch
from benchlab.run.database import QUOTED_COPY
from benchlab.run.fetch import Burst
from benchlab.run.group import Group
from benchlab.run.lifecycle import RunningEntry
from benchlab.run.state import SessionState
from benchlab.storage.store import Unkept

# A cache may be filled row by row, as these are asked for, and in each worker. It is being filled while a round of
# requests reads fewer rows than the one before, or next to none; that takes some rounds with many workers.
FILL_REQUESTS, MOST_ROUNDS = 64, 20
FALLING, FEW_SHARE = 0.9, 0.1
LOOK_S = 0.2


def verify_entry(group: Group, tests: Iterable[str]) -> list[Verification]:
    """Start the only entry of the group and return how those of the test types that it has keep the contract.

    Nothing is loaded. What is wrong with the entry as a whole comes last. Where it does not serve, that is all.
    Raises EngineError where the engine is gone.
    """
    (entry,) = group.entries
    try:
        with group.only_up("verify") as running:
            return verify_running(running, tests)
    except (EntryError, EngineError) as error:
        if not group.roles.of(entry).engines_answer():
            raise
        return [unserved(entry, str(error))]


def verify_running(running: RunningEntry, tests: Iterable[str]) -> list[Verification]:
    """Return how those of the test types that the entry has keep the contract, as `verify_entry` does.

    Raises EntryError where it ends meanwhile, EngineError.
    """
    entry, conformance = running.entry, Conformance(running)
    own = workloads.in_order(test for test in tests if test in entry.tests)
    problems = conformance.whole(own)
    conformance.refuse_dead(chain.from_iterable(problems.values()), "while it was verified")
    # Last of all: by then most of the time in which Dates must change has passed, and is waited for once for
    # all types; and the workers have had time to start, so that the log has a line of each.
    dates, labels = conformance.dates(own), conformance.labels()
    by_test = [
        Verification(entry.name, test, (*of_test, *(problem for problem in dates if problem.test == test)))
        for test, of_test in problems.items()
    ]
    return [*by_test, *([Verification(entry.name, "", tuple(labels))] if labels else [])]


def unserved(entry: Entry, why: str) -> Verification:
    """Return the verification of an entry that does not serve at all."""
    return Verification(entry.name, "", (Problem("", "serves", why),))


@dataclass(frozen=True)
class _Seen:
    """The first answers of a test type, and when they had come."""

    at_s: float
    answers: tuple[Answer, ...]

    @property
    def date(self) -> str | None:
        """Return the Date that all of them came with; None where it is no longer the same, or there is none."""
        dates = {answer.headers.get("date") for answer in self.answers if not answer.error}
        return dates.pop() if len(dates) == 1 else None


class Conformance:
    """A running entry, and what it has been asked.

    `workers_s` is how long it waits, at the most, for workers that have not started yet.
    """

    def __init__(self, running: RunningEntry, workers_s: float = 5) -> None:
        self.running = running
        self.workers_s = workers_s
        self._seen: dict[str, _Seen] = {}

    @property
    def entry(self) -> Entry:
        return self.running.entry

    @property
    def _client(self) -> Endpoint:
        return self.running.endpoints.client

    @property
    def _target(self) -> Target:
        return self.running.endpoints.front.address

    @property
    def _is_adopted(self) -> bool:
        return stack.is_adopted(self.entry.labels)

    def answers(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with answers to one request after the other, and with World after an update.

        All are asked by one program: to start it in the container takes longer than most answers.
        """
        asked = fetch.answers(self._client, self._target, list(map(self._requests, tests)))
        return {test: self._wrong(test, answers) for test, answers in zip(tests, asked, strict=True)}

    def refuse_dead(self, problems: Iterable[Problem], doing: str) -> None:
        """Raise EntryError where answers are wrong because a container has ended: no rule is broken by that."""
        if faults(problems):
            self.running.check(doing)

    def whole(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with test types but for their Date; the statements, where the answers are right.

        Those that write come after all that is asked of the others: World is no longer what it was.
        """
        problems: dict[str, list[Problem]] = {}
        for writing in (False, True):
            if alike := [test for test in tests if WORKLOADS[test].writes == writing]:
                problems |= self.answers(alike)
                right = [test for test in alike if not faults(problems[test])]
                for test, of_statements in self._statements([test for test in right if test in PROBES]).items():
                    problems[test] += of_statements
        return {test: problems[test] for test in tests}

    def _requests(self, test: str) -> list[fetch.Request]:
        return [fetch.Request(path, WORKLOADS[test].accept) for path in verify.paths(test, self.entry.tests[test])]

    def _wrong(self, test: str, answers: tuple[Answer, ...]) -> list[Problem]:
        self._seen[test] = _Seen(time.monotonic(), answers)
        problems = verify.check(test, answers, self.running.world, self._is_adopted)
        if WORKLOADS[test].writes and not faults(problems):
            problems += self._unwritten(test, answers[-1])
        return problems

    def _statements(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with answers to many requests at once, and with the statements that these cause."""
        if not tests:
            return {}
        with self.running.database.counting() as take:
            return {test: self._probed(test, take) for test in tests}

    def _probed(self, test: str, take: Callable[[], dict[str, Counted]]) -> list[Problem]:
        probe = PROBES[test]
        burst = self._burst(test, probe.queries, probe.requests)
        counted = take()[probe.table]
        if problems := verify.check_burst(test, probe.queries, burst.answers, self.running.world, self._is_adopted):
            return problems
        if not probe.reads:
            counted = self._once_filled(test, counted, take)
        return list(statements.check(test, counted))

    def dates(self, tests: Iterable[str]) -> list[Problem]:
        """Return what is wrong with the Date of test types asked before; waits for it to change, up to 3 s."""
        fixed = {test: seen for test in tests if (seen := self._seen[test]).date}
        if not fixed:
            return []
        requests = [
            fetch.Request(seen.answers[0].path, WORKLOADS[test].accept, seen.date) for test, seen in fixed.items()
        ]
        waited_s = time.monotonic() - max(seen.at_s for seen in fixed.values())
        patience_s = max(0.0, envelope.DATE_S - waited_s)
        later = fetch.later(self._client, self._target, requests, patience_s)
        now_s = time.monotonic()
        return [
            problem
            for (test, seen), answer in zip(fixed.items(), later, strict=True)
            for problem in envelope.check_date(test, seen.answers[0], answer, now_s - seen.at_s)
        ]

    def labels(self) -> list[Problem]:
        """Return what is wrong with the labels of the entry; those of an adopted one do not say."""
        labels = self.entry.labels
        if self._is_adopted:
            return []
        over = time.monotonic() + self.workers_s
        while claims.is_early(labels, log := self.running.endpoints.app.log()) and time.monotonic() < over:
            time.sleep(LOOK_S)
        return list(claims.check(labels, log, self.running.lifetime.patterns))

    def _unwritten(self, test: str, last: Answer) -> list[Problem]:
        """Return what is wrong with World after an update: with the one of the two tables that it has written."""
        problems = self._written(test, last, self.running.database.world())
        if problems and not self._written(test, last, self.running.database.world(QUOTED_COPY)):
            return []
        return problems

    def _written(self, test: str, last: Answer, after: World) -> list[Problem]:
        return list(payloads.check_written(test, last, self.running.world, after, self._is_adopted))

    def _once_filled(self, test: str, counted: Counted, take: Callable[[], dict[str, Counted]]) -> Counted:
        """Return what the probe's requests cause once the cache is filled, if ever it is."""
        probe = PROBES[test]
        for _ in range(MOST_ROUNDS):
            if not counted.reads:
                break
            self._burst(test, MAX_QUERIES, FILL_REQUESTS)
            take()
            self._burst(test, probe.queries, probe.requests)
            before, counted = counted, take()[probe.table]
            if counted.reads > max(FEW_SHARE * probe.requests, FALLING * before.reads):
                break
        return counted

    def _burst(self, test: str, queries: int, times: int) -> Burst:
        path = f"{self.entry.tests[test]}{queries or ''}"
        return fetch.burst(self._client, self._target, WORKLOADS[test].accept, path, times)


def refuse_unable(lab: Lab, settings: Settings) -> None:
    """Raise SetupError where an entry does not start, or answers the first of its tests wrongly.

    So a level that fails at import ends a run before anything is measured.
    """
    entries = lab.topology.choose(settings.frameworks)
    state, keep_log = SessionState(), Unkept(lab.state).keep_log
    lab.say(f"trying {', '.join(entry.name for entry in entries)} …")
    for entry in entries:
        group = Group([entry], lab.roles, entries, keep_log, say=lab.say, state=state, patterns=lab.patterns)
        first = [test for test in settings.tests if test in entry.tests][:1]
        for each in verify_entry(group, tuple(first)):
            if problems := faults(each.problems):
                raise SetupError(f"{entry.name} cannot be measured: {problems[0].message}")


def verify_entries(lab: Lab, settings: Settings) -> list[Verification]:
    """Return how the entries and each of their test types keep the contract; nothing is loaded or kept."""
    everyone = [entry.name for entry in lab.topology.choose(settings.frameworks)]
    lab, entries = variants.taking_part(lab, replace(settings, frameworks=tuple(everyone)))
    variants.refuse_nothing(entries, settings)
    took_s = forecast.verification_s(len(set(settings.tests) & set(entry.tests)) for entry in entries)
    lab.say(f"{counted(len(entries), 'entry', 'entries')} to verify, about {minutes(took_s)}; builds not counted")
    state, keep_log = SessionState(), Unkept(lab.state).keep_log
    with stage.stage(lab, [entry.name for entry in entries], accept=lambda unbuilt: None) as on:
        verifications: list[Verification] = []
        for entry in entries:
            if entry.name in on.unbuilt:
                verifications.append(unserved(entry, on.unbuilt[entry.name]))
            else:
                group = Group([entry], lab.roles, entries, keep_log, say=lab.say, state=state, patterns=lab.patterns)
                verifications += verify_entry(group, settings.tests)
        return verifications
