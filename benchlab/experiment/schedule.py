"""Decides what is measured in which order: randomised complete blocks (docs/method.md, section 1.1)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from benchlab.experiment.workloads import in_order
from benchlab.records.plan import Block, Entry, Level, Rounds, Settings, Trial, Visit
from benchlab.records.run import Run

T = TypeVar("T")


def plan(
    entries: Iterable[Entry], levels: Mapping[str, tuple[Level, ...]], blocks: int, seed: int, repeats: int = 1
) -> tuple[Visit, ...]:
    """Return the visits of a run: every block visits every entry once, each in an order of its own.

    In a visit the test types come in shuffled order, those that write last, and in each test type its levels, `repeats`
    times over. An entry is given only the tests it declares, and one that declares none of them is not visited. Equal
    arguments give an equal plan, in any process; a plan of more blocks begins with the plan of fewer.
    """
    shuffler = random.Random(seed)
    ordered = sorted(entries, key=lambda entry: entry.name)
    visits = (
        _visit(block, entry, levels, repeats, shuffler)
        for block in range(1, blocks + 1)
        for entry in _shuffled(ordered, shuffler)
    )
    return tuple(visit for visit in visits if visit.trials)


def remaining(visits: Iterable[Visit], measured: Collection[str]) -> tuple[Visit, ...]:
    """Return the visits without the trials whose key was measured; a visit left empty goes."""
    left = (
        Visit(visit.block, visit.entry, tuple(t for t in visit.trials if t.key not in measured)) for visit in visits
    )
    return tuple(visit for visit in left if visit.trials)


def planned(
    entries: Mapping[str, Entry], groups: Sequence[tuple[str, ...]], settings: Settings, blocks: int
) -> tuple[Block, ...]:
    """Return all blocks of a run whose entries are up together; groups take turns."""
    made = []
    for number in range(1, blocks + 1):
        up = groups[(number - 1) % len(groups)]
        tests = [test for test in settings.tests if any(test in entries[name].tests for name in up)]
        made.append(
            Block(number, up, tuple(Rounds(test, settings.repeats) for test in _tests(tests, settings, number)))
        )
    return tuple(block for block in made if block.rounds)


def _tests(tests: Iterable[str], settings: Settings, block: int) -> list[str]:
    """Return the tests in the order of the block: shuffled, those that write last."""
    return in_order(_shuffled(sorted(tests), random.Random(f"{settings.seed}/{block}")))


def blocks(run: Run) -> tuple[Block, ...]:
    """Return the blocks that are still to be made of a run whose entries are up together, with what they lack.

    A round of an entry is whole where it has a slice at every level that counts. What is missing is taken in rounds
    with numbers of their own, of all entries: those that were lost are tried again. One that answered wrongly is not,
    because its sources are the same.
    """
    made = (_block(run, number) for number in range(1, run.blocks + 1))
    return tuple(block for block in made if block.rounds)


def slices(rounds: Rounds, entries: Collection[str], levels: Iterable[Level], seed: int, block: int) -> Iterator[Trial]:
    """Yield the slices of rounds in the order in which they are taken.

    Every round has its levels in shuffled order, and at each of them the entries. Equal arguments give an equal order,
    in any process, and so does the same round among others.
    """
    ordered = sorted(levels)
    for number in range(rounds.first, rounds.first + rounds.count):
        shuffler = random.Random(f"{seed}/{block}/{rounds.test}/{number}")
        for level in _shuffled(ordered, shuffler):
            for entry in _shuffled(sorted(entries), shuffler):
                yield Trial(block, entry, rounds.test, level, number)


def _block(run: Run, number: int) -> Block:
    manifest = run.manifest
    entries = manifest.up_in(number)
    tests = _tests(manifest.settings.tests, manifest.settings, number)
    return Block(number, entries, tuple(filter(None, (_rounds(run, number, test) for test in tests))))


def _rounds(run: Run, block: int, test: str) -> Rounds | None:
    """Return the rounds that the block lacks of the test; None where it lacks none."""
    manifest, planned = run.manifest, run.rounds(test)
    failures = (failure for failure in run.failures if _is_of(failure.trial, block, test))
    trials = (sample.trial for sample in run.samples if _is_of(sample.trial, block, test))
    wrong = {failure.trial.entry for failure in failures if failure.is_wrong_answer}
    right = [name for name in manifest.up_in(block) if test in manifest.tests(name) and name not in wrong]
    taken = Counter((trial.entry, trial.repeat) for trial in trials)
    if right and not taken and not run.has_pace(test):
        return Rounds(test, 0)
    levels = len(manifest.settings.levels[test])
    whole = Counter(entry for (entry, _), slices in taken.items() if slices >= levels)
    lacking = tuple(name for name in right if whole[name] < planned)
    if not lacking:
        return None
    last = max((number for _, number in taken), default=0)
    return Rounds(test, planned - min(whole[name] for name in lacking), last + 1, lacking)


def _is_of(trial: Trial, block: int, test: str) -> bool:
    return trial.block == block and trial.test == test


def _visit(
    block: int, entry: Entry, levels: Mapping[str, tuple[Level, ...]], repeats: int, shuffler: random.Random
) -> Visit:
    tests = in_order(_shuffled(sorted(test for test in levels if test in entry.tests), shuffler))
    trials = tuple(
        Trial(block, entry.name, test, level, repeat)
        for test in tests
        for repeat in range(1, repeats + 1)
        for level in _shuffled(sorted(levels[test]), shuffler)
    )
    return Visit(block, entry.name, trials)


def _shuffled(items: Iterable[T], shuffler: random.Random) -> list[T]:
    shuffled = list(items)
    shuffler.shuffle(shuffled)
    return shuffled
