"""Decides what is measured in which order: randomised complete blocks (docs/method.md, section 1.1)."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from benchlab.experiment.workloads import in_order
from benchlab.records.plan import Entry, Level, Trial, Visit

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
