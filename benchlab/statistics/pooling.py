"""One value of a block's rounds: the sum of the numerators over that of the denominators, never a mean of logarithms.

A slice that stalled would weigh in a mean of logarithms without bound; in a sum it weighs as much as any other.
Source: docs/method.md, section 6.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchlab.load.metrics import Parts

Array = NDArray[np.float64]
# One entry's value in each block that has one; the values of all entries at one level.
Blocks = Mapping[int, float]
Cells = Mapping[str, Blocks]
# The only round of a block that has no other.
ONLY_ROUND = 1
# The parts of each round of a block, by the round's number.
Rounds = Mapping[int, Parts]


def pooled(rounds: Rounds) -> Parts:
    """Return the sums of the rounds' parts."""
    numerators, denominators = zip(*rounds.values(), strict=True)
    return Parts(math.fsum(numerators), math.fsum(denominators))


class PooledBlocks(Mapping[int, float]):
    """A metric of one cell by block, each the value of its rounds together; a block without a value is left out."""

    def __init__(self, rounds: Mapping[int, Rounds]):
        values = {block: pooled(of).value for block, of in rounds.items()}
        self._values = {block: value for block, value in values.items() if value is not None}
        self._rounds = {block: rounds[block] for block in self._values}

    def __getitem__(self, block: int) -> float:
        return self._values[block]

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"PooledBlocks({self._values})"

    @property
    def rounds(self) -> Mapping[int, Rounds]:
        """Return the parts by block and round."""
        return self._rounds

    @cached_property
    def numbers(self) -> Mapping[int, frozenset[int]]:
        """Return the numbers of each block's rounds."""
        return {block: frozenset(of) for block, of in self._rounds.items()}

    def until(self, last: int) -> PooledBlocks:
        """Return the blocks up to that one."""
        return PooledBlocks({block: of for block, of in self._rounds.items() if block <= last})


def rounds_of(blocks: Blocks, block: int) -> Rounds:
    """Return the block's rounds, none where it has no value; of values that are given without any, the only one."""
    if block not in blocks:
        return {}
    return blocks.rounds[block] if isinstance(blocks, PooledBlocks) else {ONLY_ROUND: Parts(blocks[block], 1.0)}


def until(blocks: Blocks, last: int) -> Blocks:
    """Return the values of the blocks up to that one."""
    if isinstance(blocks, PooledBlocks):
        return blocks.until(last)
    return {block: value for block, value in blocks.items() if block <= last}


def log_ratios(levels: Sequence[Cells], names: Sequence[str]) -> Array:
    """Return the log-ratio of every two of these entries, level x pair x block; NaN where there is none.

    In each block it is taken over the rounds that both have.
    """
    logs, numbers = _logs(levels, names)
    first, second = np.triu_indices(len(names), k=1)
    ratios = np.asarray(logs[:, first] - logs[:, second])
    for level, cells in enumerate(levels):
        for block in _uneven(cells, names):
            numerators, denominators, present = parts(cells, names, block)
            # Of each entry, in the row, over the rounds that it shares with the one in the column.
            shared = _logs_of(numerators @ present.T, denominators @ present.T)
            ratios[level, :, numbers.index(block)] = (shared - shared.T)[first, second]
    return ratios


def logs_in_common(levels: Sequence[Cells], names: Sequence[str]) -> Array:
    """Return the logarithm of each value over the rounds that all these entries have, level x entry x block, or NaN."""
    logs, numbers = _logs(levels, names)
    for level, cells in enumerate(levels):
        for block in _uneven(cells, names):
            numerators, denominators, present = parts(cells, names, block)
            shared = present.all(axis=0)
            logs[level, :, numbers.index(block)] = _logs_of(
                numerators[:, shared].sum(axis=1), denominators[:, shared].sum(axis=1)
            )
    return logs


def _logs(levels: Sequence[Cells], names: Sequence[str]) -> tuple[Array, list[int]]:
    """Return the logarithm of every value, level x entry x block, NaN where there is none; and the blocks' numbers."""
    numbers = sorted({block for cells in levels for blocks in cells.values() for block in blocks})
    column = {block: index for index, block in enumerate(numbers)}
    logs = np.full((len(levels), len(names), len(numbers)), np.nan)
    for level, cells in enumerate(levels):
        for row, name in enumerate(names):
            for block, value in cells.get(name, {}).items():
                logs[level, row, column[block]] = log(value, f"{name}, block {block}")
    return logs, numbers


def log(value: float, subject: str) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{subject}: {value} is not a positive number; leave out a block that has no value")
    return math.log(value)


def _uneven(cells: Cells, names: Sequence[str]) -> list[int]:
    """Return the blocks in which not all of the entries that have values have them of the same rounds."""
    of_names = [cells[name] for name in names if name in cells]
    if not any(isinstance(blocks, PooledBlocks) for blocks in of_names):
        return []
    first: dict[int, frozenset[int]] = {}
    only = frozenset((ONLY_ROUND,))
    differing: set[int] = set()
    for blocks in of_names:
        numbers = blocks.numbers if isinstance(blocks, PooledBlocks) else dict.fromkeys(blocks, only)
        differing |= {block for block, of in numbers.items() if first.setdefault(block, of) != of}
    return sorted(differing)


def parts(cells: Cells, names: Sequence[str], block: int) -> tuple[Array, Array, Array]:
    """Return numerators, denominators, and 1 where there is a round, else 0: each entry x round, of one block."""
    of_entries = [rounds_of(cells.get(name, {}), block) for name in names]
    column = {number: place for place, number in enumerate(sorted(set().union(*of_entries)))}
    made = np.zeros((3, len(names), len(column)))
    for row, rounds in enumerate(of_entries):
        for number, part in rounds.items():
            made[:, row, column[number]] = part.numerator, part.denominator, 1.0
    return made[0], made[1], made[2]


def _logs_of(numerators: Array, denominators: Array) -> Array:
    known = (numerators > 0) & (denominators > 0)
    quotients = np.divide(numerators, denominators, out=np.ones_like(numerators), where=known)
    return np.asarray(np.where(known, np.log(quotients), np.nan))
