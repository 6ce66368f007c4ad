"""Holds a running entry against the contract: asks it, has the database count, waits for its Date to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from benchlab.contract import claims, envelope, payloads, statements, verify
from benchlab.contract.answers import Answer, Problem, Verification, World, faults
from benchlab.contract.statements import PROBES, Counted
from benchlab.core.errors import EngineError, EntryError
from benchlab.engine import stage, variants
from benchlab.engine.stage import Lab
from benchlab.experiment import stack, workloads
from benchlab.experiment.workloads import MAX_QUERIES, WORKLOADS
from benchlab.records.plan import Entry, Settings
from benchlab.run import fetch, lifecycle
from benchlab.run.fetch import Burst
from benchlab.run.lifecycle import TWIN, Server
from benchlab.storage.store import Unkept

# A cache may be filled row by row, as these are asked for, and in each worker. It is being filled while a round of
# requests reads fewer rows than the one before, or next to none; that takes some rounds with many workers.
FILL_REQUESTS, MOST_ROUNDS = 64, 20
FALLING, FEW_SHARE = 0.9, 0.1
LOOK_S = 0.2


def vet(server: Server, entry: Entry, tests: Iterable[str]) -> list[Verification]:
    """Start the entry and return what is found of those of the test types that it has; nothing is loaded.

    What is found of the entry as a whole comes last. Where it does not serve, that is all.
    Raises EngineError where the engine is gone.
    """
    own = workloads.in_order(test for test in tests if test in entry.tests)
    try:
        with server.serve(entry, "verify") as world:
            vetting = Vetting(server, entry, world)
            found = vetting.whole(own)
            vetting.refuse_dead(chain.from_iterable(found.values()), "verify", "while it was verified")
            # Last of all: by then most of the time in which Dates must change has passed, and is waited for once for
            # all types; and the workers have had time to start, so that the log tells of each.
            dates, labels = vetting.dates(own), vetting.labels()
    except (EntryError, EngineError) as error:
        if not server.host.answers():
            raise
        return [unserved(entry, str(error))]
    by_test = [
        Verification(entry.name, test, (*problems, *(problem for problem in dates if problem.test == test)))
        for test, problems in found.items()
    ]
    return [*by_test, *([Verification(entry.name, "", tuple(labels))] if labels else [])]


def unserved(entry: Entry, why: str) -> Verification:
    """Return what is found of an entry that does not serve at all."""
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


@dataclass(frozen=True)
class Vetting:
    """One life of an entry, and what it has been asked. `world` is World from before any request.

    `workers_s` is how long it waits, at the most, for workers that have not started yet.
    """

    server: Server
    entry: Entry
    world: World
    workers_s: float = 5
    _seen: dict[str, _Seen] = field(default_factory=dict)

    @property
    def _is_adopted(self) -> bool:
        return stack.is_adopted(self.entry.labels)

    def answers(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with answers to one request after the other, and with World after an update.

        All are asked by one program: to start it in the container takes longer than most answers.
        """
        asked = fetch.answers(self.server.host, lifecycle.target(self.entry), list(map(self._requests, tests)))
        return {test: self._wrong(test, answers) for test, answers in zip(tests, asked, strict=True)}

    def refuse_dead(self, problems: Iterable[Problem], life: str, doing: str) -> None:
        """Raise EntryError where answers are wrong because a container has ended: no rule is broken by that."""
        if faults(problems):
            self.server.check(self.entry, life, doing)

    def whole(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with test types but for their Date; the statements, where the answers are right.

        Those that write come after all that is asked of the others: World is no longer what it was.
        """
        found: dict[str, list[Problem]] = {}
        for writing in (False, True):
            if alike := [test for test in tests if WORKLOADS[test].writes == writing]:
                found |= self.answers(alike)
                right = [test for test in alike if not faults(found[test])]
                for test, problems in self._statements([test for test in right if test in PROBES]).items():
                    found[test] += problems
        return {test: found[test] for test in tests}

    def _requests(self, test: str) -> list[fetch.Request]:
        return [fetch.Request(path, WORKLOADS[test].accept) for path in verify.paths(test, self.entry.tests[test])]

    def _wrong(self, test: str, answers: tuple[Answer, ...]) -> list[Problem]:
        self._seen[test] = _Seen(time.monotonic(), answers)
        problems = verify.check(test, answers, self.world, self._is_adopted)
        if WORKLOADS[test].writes and not faults(problems):
            problems += self._unwritten(test, answers[-1])
        return problems

    def _statements(self, tests: Sequence[str]) -> dict[str, list[Problem]]:
        """Return what is wrong with answers to many requests at once, and with the statements that these cause."""
        if not tests:
            return {}
        with self.server.counting() as take:
            return {test: self._probed(test, take) for test in tests}

    def _probed(self, test: str, take: Callable[[], dict[str, Counted]]) -> list[Problem]:
        probe = PROBES[test]
        burst = self._burst(test, probe.queries, probe.requests)
        found = take()[probe.table]
        if problems := verify.check_burst(test, probe.queries, burst.answers, self.world, self._is_adopted):
            return problems
        if not probe.reads:
            found = self._once_filled(test, found, take)
        return list(statements.check(test, found))

    def dates(self, tests: Iterable[str]) -> list[Problem]:
        """Return what is wrong with the Date of test types asked before; waits for it to change, up to 3 s."""
        fixed = {test: seen for test in tests if (seen := self._seen[test]).date}
        if not fixed:
            return []
        requests = [
            fetch.Request(seen.answers[0].path, WORKLOADS[test].accept, seen.date) for test, seen in fixed.items()
        ]
        waited_s = time.monotonic() - max(seen.at_s for seen in fixed.values())
        later = fetch.later(
            self.server.host, lifecycle.target(self.entry), requests, patience_s=max(0.0, envelope.DATE_S - waited_s)
        )
        now_s = time.monotonic()
        return [
            problem
            for (test, seen), answer in zip(fixed.items(), later, strict=True)
            for problem in envelope.check_date(test, seen.answers[0], answer, now_s - seen.at_s)
        ]

    def labels(self) -> list[Problem]:
        """Return what is wrong with the labels of the entry; those of an adopted one do not tell."""
        labels = self.entry.labels
        if self._is_adopted:
            return []
        over = time.monotonic() + self.workers_s
        while claims.is_early(labels, log := self.server.host.log(self.entry.name)) and time.monotonic() < over:
            time.sleep(LOOK_S)
        return list(claims.check(labels, log))

    def _unwritten(self, test: str, last: Answer) -> list[Problem]:
        """Return what is wrong with World after an update: with the one of the two tables that it has written."""
        problems = self._written(test, last, self.server.world())
        if problems and not self._written(test, last, self.server.world(TWIN)):
            return []
        return problems

    def _written(self, test: str, last: Answer, after: World) -> list[Problem]:
        return list(payloads.check_written(test, last, self.world, after, self._is_adopted))

    def _once_filled(self, test: str, found: Counted, take: Callable[[], dict[str, Counted]]) -> Counted:
        """Return what the probe's requests cause once the cache is filled, if ever it is."""
        probe = PROBES[test]
        for _ in range(MOST_ROUNDS):
            if not found.reads:
                break
            self._burst(test, MAX_QUERIES, FILL_REQUESTS)
            take()
            self._burst(test, probe.queries, probe.requests)
            before, found = found, take()[probe.table]
            if found.reads > max(FEW_SHARE * probe.requests, FALLING * before.reads):
                break
        return found

    def _burst(self, test: str, queries: int, times: int) -> Burst:
        path = f"{self.entry.tests[test]}{queries or ''}"
        return fetch.burst(self.server.host, lifecycle.target(self.entry), WORKLOADS[test].accept, path, times)


def verify_entries(lab: Lab, settings: Settings) -> list[Verification]:
    """Return what verification finds of the entries and of each of their test types; nothing is loaded or kept."""
    everyone = [entry.name for entry in lab.topology.choose(settings.frameworks)]
    lab, found = variants.taking_part(lab, replace(settings, frameworks=tuple(everyone)))
    entries = {entry.name: entry for entry in found}
    variants.refuse_nothing(found, settings)
    unbuilt: dict[str, str] = {}
    with stage.stage(lab, entries, without=unbuilt.update):
        server = Server(lab.engine, entries, Unkept(lab.state).keep_log, say=lab.say)
        return [
            verdict
            for name, entry in entries.items()
            for verdict in ([unserved(entry, unbuilt[name])] if name in unbuilt else vet(server, entry, settings.tests))
        ]
