"""Holds new against old, side against side: a ratio for each figure and level, and what nothing can be said of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, geometric_mean

import pandas as pd

from benchlab.core import markdown
from benchlab.core.errors import ConfigError
from benchlab.core.measured import Decision
from benchlab.statistics import analysis, averages, comparison, stats
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE
from benchlab.statistics.comparison import Pair
from benchlab.statistics.sides import Key, Side
from benchlab.statistics.stats import Blocks, Ratio

NEW, OLD = "new", "old"

# Entry, test, level, figure.
Cell = tuple[str, str, int | str, str]
Compare = Callable[[list[Blocks], list[Blocks]], Ratio]


@dataclass(frozen=True)
class Row:
    """The ratio of new to old in one figure, at one level of a test or over all of them, and what it tells.

    The p of all rows over all levels are corrected together, and those of all rows of single levels.
    """

    entry: str
    test: str
    level: int | str
    figure: str
    pair: Pair

    @property
    def ratio(self) -> Ratio:
        return self.pair.ratio


@dataclass(frozen=True)
class Versus:
    """New held against old: every ratio, the worst first, and what nothing can be said of, each with the reason."""

    old: Side
    new: Side
    rows: tuple[Row, ...]
    untold: tuple[str, ...]


def hold(old: Side, new: Side) -> Versus:
    """Return how new compares with old. Raises ConfigError where the sides have nothing in common."""
    found = rows(old, new)
    if not found:
        raise ConfigError(
            "the two have no entry, test and level in common that has samples; compare runs of the same ones, or see "
            "in their reports what was not measured"
        )
    return Versus(old, new, found, untold(old, new))


def rows(old: Side, new: Side) -> tuple[Row, ...]:
    """Return every ratio of new to old that both sides have samples for, with its outcome, the worst first.

    Blocks of one run are compared in pairs, those of two runs are not: they share no time.
    """
    compare: Compare = partial(_paired, old.run.decision) if old.run is new.run else _unpaired
    found = [
        ((entry, test, level, name), ratio)
        for entry, test in sorted(old.trials & new.trials)
        for name, figure in analysis.FIGURES.items()
        for level, ratio in _ratios(old.figures(entry, test, figure), new.figures(entry, test, figure), compare)
    ]
    single = [(cell, ratio) for cell, ratio in found if cell[2] != ALL_LEVELS]
    overall = [(cell, ratio) for cell, ratio in found if cell[2] == ALL_LEVELS]
    return tuple(sorted([*_decided(single), *_decided(overall)], key=lambda row: row.ratio.ratio))


def untold(old: Side, new: Side) -> tuple[str, ...]:
    """Return what nothing can be said of, each with the reason.

    It is what failed on either side, be it in some blocks only: those that are left may be the lucky ones. It is what
    one side alone has samples of, or tells the figure of; and the rates that wrk was the limit of. What only the new
    side was to have is no doubt about the rest, and left out.
    """
    both, bound = old.cells & new.cells, old.client_bound | new.client_bound
    doubts = [
        *((_named(key), f"samples that failed: {_counts(key, old, new)}") for key in sorted(_failed(old, new))),
        *((_named(key), f"only {side} has samples") for key, side in _one_sided(old, new)),
        *((f"{RATE} of {_named(key)}", "wrk was the limit") for key in sorted(bound & both)),
        *((f"{PER_CPU} of {_named(key)}", f"only {side} tells it") for key, side in _told_once(old, new, both)),
    ]
    return tuple(f"{what} ({why})" for what, why in doubts)


def table(found: Sequence[Row]) -> str:
    """Return the ratios as Markdown, in the order given."""
    return markdown.table(frame(found))


def frame(found: Sequence[Row]) -> pd.DataFrame:
    """Return the ratios as they are shown, in the order given."""
    return pd.DataFrame(
        {
            "entry": row.entry,
            "test": row.test,
            "level": row.level,
            "figure": row.figure,
            "new / old": f"{row.ratio.ratio:.3f}",
            "95 % interval": markdown.interval(row.ratio.low, row.ratio.high, "{:.3f}").strip() or "–",
            "blocks": row.ratio.blocks,
            "outcome": row.pair.outcome.value,
        }
        for row in found
    )


def _failed(old: Side, new: Side) -> set[Key]:
    """Return what failed on either side, of what both were to measure."""
    return old.planned & new.planned & (old.failed.keys() | new.failed.keys())


def _counts(key: Key, old: Side, new: Side) -> str:
    return ", ".join(f"{side.failed[key]} in {name}" for name, side in ((OLD, old), (NEW, new)) if side.failed[key])


def _one_sided(old: Side, new: Side) -> list[tuple[Key, str]]:
    """Return what one side alone has samples of, and which: but for what failed, and what the old never was to have."""
    found = [(key, OLD) for key in old.cells - new.cells]
    found += [(key, NEW) for key in (new.cells - old.cells) & old.planned]
    failed = _failed(old, new)
    return sorted((key, side) for key, side in found if key not in failed)


def _told_once(old: Side, new: Side, of: set[Key]) -> list[tuple[Key, str]]:
    """Return of what one side alone knows the CPU time, and which."""
    before, after = (side.known(analysis.FIGURES[PER_CPU]) & of for side in (old, new))
    return sorted([*((key, OLD) for key in before - after), *((key, NEW) for key in after - before)])


def _named(key: Key) -> str:
    entry, test, level = key
    return f"{entry} {test} at {level}"


def _ratios(
    old: Mapping[int, Blocks], new: Mapping[int, Blocks], compare: Compare
) -> Iterator[tuple[int | str, Ratio]]:
    """Yield the ratio at each level that both have, and over all of these."""
    levels = sorted(old.keys() & new.keys())
    groups: list[tuple[int | str, list[int]]] = [*((level, [level]) for level in levels), (ALL_LEVELS, levels)]
    for label, group in groups:
        if group:
            yield label, compare([new[level] for level in group], [old[level] for level in group])


def _decided(found: Sequence[tuple[Cell, Ratio]]) -> Iterator[Row]:
    """Yield each ratio with its outcome, the p of all of them corrected together."""
    pairs = comparison.decide([ratio for _, ratio in found])
    yield from (Row(*cell, pair) for (cell, _), pair in zip(found, pairs, strict=True))


def _paired(decision: Decision | None, new: list[Blocks], old: list[Blocks]) -> Ratio:
    levels = {place: {NEW: mine, OLD: theirs} for place, (mine, theirs) in enumerate(zip(new, old, strict=True))}
    found = analysis.concluded(stats.ratios, levels, decision)
    return found[0] if found else _apart(new, old)


def _unpaired(new: list[Blocks], old: list[Blocks]) -> Ratio:
    return stats.unpaired(NEW, OLD, averages.by_block(new), averages.by_block(old)) or _apart(new, old)


def _apart(new: Iterable[Blocks], old: Iterable[Blocks]) -> Ratio:
    """Return the mean of the levels' own ratios, of 0 blocks and without an interval: none has all that is compared."""
    logs = (
        math.log(geometric_mean(mine.values()) / geometric_mean(theirs.values()))
        for mine, theirs in zip(new, old, strict=True)
    )
    return Ratio(NEW, OLD, math.exp(fmean(logs)), None, None, None, None, 0, None)
