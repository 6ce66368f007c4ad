"""Decides what is measured in which order: randomised complete blocks (docs/method.md, section 1.1)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from benchlab.experiment.workloads import in_order
from benchlab.records.plan import Block, Entry, Level, LevelKey, Rounds, Settings, Trial, Visit
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

    A round is whole where each of the block's entries has a slice at every level that counts; one that was lost in the
    test is not waited for. What is missing is taken in rounds with numbers of their own.
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
    lost = {entry for number, entry, of_test in run.lost if (number, of_test) == (block, test)}
    taken: dict[int, set[tuple[str, LevelKey]]] = defaultdict(set)
    for sample in run.samples:
        if _is_of(sample.trial, block, test):
            taken[sample.trial.repeat].add((sample.trial.entry, sample.trial.level.key))
    declaring = [name for name in run.manifest.up_in(block) if test in run.manifest.tests(name) and name not in lost]
    if not declaring:
        # Nothing went on without them, so that all of it is taken.
        declaring = [name for name in run.manifest.up_in(block) if test in run.manifest.tests(name)]
    if not taken and not run.has_pace(test):
        return Rounds(test, 0)
    levels = len(run.manifest.settings.levels[test])
    whole = sum(sum(entry in declaring for entry, _ in of) >= len(declaring) * levels for of in taken.values())
    count = run.rounds(test) - whole
    return Rounds(test, count, max(taken, default=0) + 1) if count > 0 else None


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
