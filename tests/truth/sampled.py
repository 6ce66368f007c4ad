"""Works figures out of samples.csv anew, in a few lines of its own: means, ratios, intervals, what was corrected."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

RATE, PER_CPU, PER_APP = "requests/s", "requests/CPU-s", "of the app alone"
ROLES = {PER_CPU: ("app", "db", "proxy"), PER_APP: ("app",)}
QUERIES = ("query", "cached-query", "update")
BAND = 0.03
SAME = 1e-12

Array = NDArray[np.float64]
Row = Mapping[str, str]
Blocks = Mapping[int, float]
# Requests, and the seconds that they took, of each round of each block.
Parts = Mapping[int, Mapping[int, tuple[float, float]]]


@dataclass(frozen=True)
class Figure:
    """A geometric mean or a ratio over blocks, from its logarithms; without bounds where one block shows no spread.

    `numbers` are those of the blocks of a ratio. Where the spread of a pilot decided how many blocks there are, `pilot`
    has the logarithms of its blocks: then the interval is the wider of that of all blocks and that by the pilot's
    spread, and p is the larger. Source: Stein (1945), Ann. Math. Statist. 16, 243-258.
    """

    logs: tuple[float, ...]
    pilot: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def blocks(self) -> int:
        return len(self.logs)

    @property
    def middle(self) -> float:
        return math.exp(self._mean)

    @property
    def _mean(self) -> float:
        mean = float(np.mean(self.logs))
        return 0.0 if abs(mean) < SAME else mean

    @property
    def _errors(self) -> Iterator[tuple[float, int]]:
        """Yield each standard error with its degrees of freedom."""
        for logs in (self.logs, self.pilot):
            if len(logs) > 1 and len(logs) <= len(self.logs):
                stdev = float(np.std(logs, ddof=1))
                yield 0.0 if stdev < SAME else stdev / math.sqrt(len(self.logs)), len(logs) - 1

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        if len(self.logs) < 2:
            return None
        half = max(float(stats.t.ppf(0.5 + level / 2, freedom)) * error for error, freedom in self._errors)
        return math.exp(self._mean - half), math.exp(self._mean + half)

    @property
    def p(self) -> float | None:
        """Return how likely such a mean is where the ratio is 1; None without a spread."""
        return max((self._p(*error) for error in self._errors), default=None)

    def _p(self, error: float, freedom: int) -> float:
        if error == 0:
            return 0.0 if self._mean else 1.0
        return float(2 * stats.t.sf(abs(self._mean) / error, freedom))

    def is_equal(self) -> bool | None:
        """Return whether the 90 % interval lies within the band; None where it ends by a hair of it, or is none."""
        return within_band(self.bounds(0.90))


def within_band(bounds: tuple[float, float] | None) -> bool | None:
    """Return whether the bounds lie within the band of what is equal; None where one does by a hair, or has none."""
    if bounds is None:
        return None
    reach = max(abs(math.log(bound)) for bound in bounds) / math.log1p(BAND)
    return None if abs(reach - 1) < 1e-6 else reach < 1


class Sampled:
    """The samples of a run."""

    def __init__(self, text: str):
        self.taken: list[Row] = list(csv.DictReader(io.StringIO(text)))

    @cached_property
    def counting(self) -> list[Row]:
        """Return of each trial its first good sample, else its last suspect one."""
        chosen: dict[tuple[str, ...], Row] = {}
        for row in sorted(self.taken, key=lambda row: (int(row["attempt"]), row["started_at"])):
            key = trial(row)
            if row["verdict"] == "good" and (key not in chosen or chosen[key]["verdict"] != "good"):
                chosen[key] = row
            if row["verdict"] == "suspect" and (key not in chosen or chosen[key]["verdict"] != "good"):
                chosen[key] = row
        return list(chosen.values())

    @cached_property
    def _parts(self) -> dict[str, dict[tuple[str, str, int], Parts]]:
        return {name: self._by_cell(name) for name in (RATE, PER_CPU, PER_APP)}

    def _by_cell(self, name: str) -> dict[tuple[str, str, int], Parts]:
        """Return requests, and seconds or those of CPU time, by cell, block and round, where both are known."""
        found: dict[tuple[str, str, int], dict[int, dict[int, tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        for row in self.counting:
            seconds = int(row["duration_us"]) / 1e6 if name == RATE else cpu_s(row, ROLES[name])
            if seconds:
                cell = row["test"], row["entry"], level(row)
                found[cell][int(row["block"])][int(row["repeat"])] = int(row["requests"]), seconds
        return {cell: dict(of) for cell, of in found.items()}

    def logs(self, name: str, test: str, entry: str, at: int) -> Blocks:
        """Return the logarithm of the figure in each block."""
        return self.in_common(name, test, [entry], at)[0]

    def in_common(self, name: str, test: str, entries: Sequence[str], at: int) -> list[Blocks]:
        """Return the logarithm of each entry's figure in each block, over the rounds that all these entries have."""
        parts = [self._parts[name].get((test, entry, at), {}) for entry in entries]
        logs: list[dict[int, float]] = [{} for _ in entries]
        for block in set.intersection(*map(set, parts)):
            rounds = set.intersection(*(set(of[block]) for of in parts))
            sums = [[sum(of[block][number][part] for number in rounds) for part in (0, 1)] for of in parts]
            if all(requests and seconds for requests, seconds in sums):
                for place, (requests, seconds) in enumerate(sums):
                    logs[place][block] = math.log(requests / seconds)
        return [dict(sorted(of.items())) for of in logs]

    def cell(self, name: str, test: str, entry: str, at: int) -> Figure:
        return Figure(tuple(self.logs(name, test, entry, at).values()))

    def over_levels(self, name: str, test: str, entry: str, levels: Iterable[int]) -> Figure:
        """Return the entry's figure over the levels, of the blocks that have them all."""
        found = [self.logs(name, test, entry, at) for at in levels]
        whole = set.intersection(*map(set, found)) if found else set()
        return Figure(tuple(float(np.mean([of[block] for of in found])) for block in sorted(whole)))

    def memory_mb(self, test: str, entry: str) -> float | None:
        """Return the largest peak of the app's memory."""
        rows = [row for row in self.counting if (row["test"], row["entry"]) == (test, entry)]
        peaks = [int(peak) for row in rows if (peak := row.get("app_memory_peak_bytes", ""))]
        return max(peaks) / 1e6 if peaks else None

    def ratio(
        self, name: str, test: str, levels: Iterable[int], first: str, second: str, pilot: int | None = None
    ) -> Figure | None:
        """Return first over second, in the blocks that have all levels; None where a level has no block of both."""
        return paired([self.in_common(name, test, [first, second], at) for at in levels], pilot)


def paired(levels: Sequence[Sequence[Blocks]], pilot: int | None = None) -> Figure | None:
    """Return the ratio over the levels, of the blocks that have both in all of them; None where a level has no such.

    The blocks up to `pilot` are those by whose spread it was decided how many there are.
    """
    shared = [set(a) & set(b) for a, b in levels]
    if not shared or not all(shared):
        return None
    whole = sorted(set.intersection(*shared))
    logs = {block: float(np.mean([a[block] - b[block] for a, b in levels])) for block in whole}
    return Figure(tuple(logs.values()), tuple(log for block, log in logs.items() if block <= (pilot or 0)), tuple(logs))


def kept(shared: Mapping[int, set[int]]) -> list[int]:
    """Return the levels that a mean over levels is taken of, from the blocks that each has.

    Levels are left out, each time the one that costs the most blocks, until half as many are whole as the fullest has.
    """
    left = {level: blocks for level, blocks in shared.items() if blocks}
    fullest = max(map(len, left.values()), default=0)
    while len(left) > 1 and 2 * _whole(left) < fullest:
        costs = {level: _whole({at: of for at, of in left.items() if at != level}) for level in left}
        del left[max(left, key=lambda level: (costs[level], -len(left[level]), level))]
    return sorted(left)


def _whole(levels: Mapping[int, set[int]]) -> int:
    return len(set.intersection(*levels.values()))


def up_to(shared: Mapping[int, set[int]], block: int | None) -> dict[int, set[int]]:
    """Return the blocks of each level up to this one; none without it."""
    return {level: {number for number in of if number <= (block or 0)} for level, of in shared.items()}


def trial(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("block", "entry", "test", "repeat", "connections", "queries", "pipeline"))


def missing(sampled: Sampled, failed: Iterable[str], rounds: int) -> set[str]:
    """Return the trials that were tried, and have no sample that counts.

    Where a block has rounds, a slice is missing if fewer than half of those at its level count, or its entry was lost.
    """
    counting = {key(row) for row in sampled.counting}
    lost = set(failed) - counting
    lacking = {key(row) for row in sampled.taken} - counting
    counts = Counter(part(each, 4) for each in counting)
    return lost | {each for each in lacking if not rounds or counts[part(each, 4)] < rounds / 2}


def part(trial: str, words: int) -> tuple[str, ...]:
    """Return the first words of a trial's key: its block, entry, test and level."""
    return tuple(trial.split("/")[:words])


def key(row: Row) -> str:
    """Return the trial as the journal calls it."""
    again = f"/{row['repeat']}" if row["repeat"] != "1" else ""
    return (
        f"{row['block']}/{row['entry']}/{row['test']}/c{row['connections']}-q{row['queries']}-p{row['pipeline']}{again}"
    )


def level(row: Row) -> int:
    return int(row["queries"] if row["test"] in QUERIES else row["connections"])


def rate(row: Row) -> float:
    return int(row["requests"]) / (int(row["duration_us"]) / 1e6)


def cpu_s(row: Row, roles: Iterable[str]) -> float | None:
    """Return the seconds of CPU time of these roles together, None where none is known."""
    used = [row.get(f"{role}_cpu_us", "") for role in roles]
    return sum(int(cpu_us) for cpu_us in used if cpu_us) / 1e6 or None


def holm(p_values: Sequence[float]) -> list[float]:
    """Return each p corrected for all of them. Source: Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, worst = [0.0] * len(p_values), 0.0
    for done, index in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - done) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def unpaired(levels: Sequence[tuple[Blocks, Blocks]]) -> tuple[Figure, Figure] | None:
    """Return the means of new and old, which share no time; None where one has no block with all levels."""
    means = []
    for place in (0, 1):
        found = [pair[place] for pair in levels]
        whole = sorted(set.intersection(*map(set, found))) if found else []
        means.append(Figure(tuple(float(np.mean([of[block] for of in found])) for block in whole)))
    return (means[0], means[1]) if means[0].blocks and means[1].blocks else None


@dataclass(frozen=True)
class Versus:
    """A ratio as worked out anew: its figure, its bounds at a level, the p of no difference, how many observations.

    `error` is the standard error of the logarithm, where it is that of a sum.
    """

    middle: float
    bounds: Mapping[float, tuple[float, float] | None]
    p: float | None
    count: int
    error: float = 0.0

    @property
    def is_equal(self) -> bool | None:
        return within_band(self.bounds[0.90])


def in_pairs(figure: Figure) -> Versus:
    bounds = {level: figure.bounds(level) for level in (0.90, 0.95)}
    return Versus(figure.middle, bounds, figure.p, figure.blocks)


def apart(new: Figure, old: Figure) -> Versus:
    """Return the ratio of new to old, which share no time, with Welch's intervals. Source: Welch (1947)."""
    count, shift = min(new.blocks, old.blocks), float(np.mean(new.logs) - np.mean(old.logs))
    if count < 2:
        return Versus(math.exp(shift), {0.90: None, 0.95: None}, None, count)
    parts = [float(np.var(each.logs, ddof=1)) / each.blocks for each in (new, old)]
    error = math.sqrt(sum(parts))
    if error < SAME:
        same = (math.exp(shift), math.exp(shift))
        return Versus(math.exp(shift), {0.90: same, 0.95: same}, float(abs(shift) < SAME), count)
    freedom = error**4 / sum(part**2 / (each.blocks - 1) for part, each in zip(parts, (new, old), strict=True))
    halves = {level: float(stats.t.ppf(0.5 + level / 2, freedom)) * error for level in (0.90, 0.95)}
    bounds = {level: (math.exp(shift - half), math.exp(shift + half)) for level, half in halves.items()}
    return Versus(math.exp(shift), bounds, float(2 * stats.t.sf(abs(shift) / error, freedom)), count, error)


@dataclass(frozen=True)
class Through:
    """A ratio of two that share no block: the sum of the logarithms of two legs, each in blocks of its own."""

    sum: Versus

    @property
    def blocks(self) -> int:
        return self.sum.count

    @property
    def middle(self) -> float:
        return self.sum.middle

    @property
    def p(self) -> float | None:
        return self.sum.p

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        return self.sum.bounds[level]

    def is_equal(self) -> bool | None:
        return self.sum.is_equal

    @property
    def cautious(self) -> Cautious:
        """Return it by the degrees of freedom of the leg with fewer blocks, as beside a baseline."""
        return Cautious(self.sum)


@dataclass(frozen=True)
class Cautious:
    """A ratio through another entry with the degrees of freedom of its shorter leg."""

    sum: Versus

    @property
    def blocks(self) -> int:
        return self.sum.count

    @property
    def middle(self) -> float:
        return self.sum.middle

    @property
    def p(self) -> float | None:
        if self.sum.count < 2 or not self.sum.error:
            return self.sum.p
        return float(2 * stats.t.sf(abs(math.log(self.middle)) / self.sum.error, self.sum.count - 1))

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        if self.sum.count < 2:
            return None
        if level == 0.90:
            return self.sum.bounds[level]
        half = float(stats.t.ppf(0.5 + level / 2, self.sum.count - 1)) * self.sum.error
        return self.middle * math.exp(-half), self.middle * math.exp(half)

    def is_equal(self) -> bool | None:
        return self.sum.is_equal


# Draws of a family in which nothing differs, and their seed, which is not the lab's.
DRAWS, SEED = 20_000, 4


def least_level(parts: Sequence[Sequence[Figure]], alone: int = 0) -> float:
    """Return the level of one comparison with a baseline at which 5 % of such families have a false outcome.

    A part are the comparisons of a test or level, which share the baseline's blocks. So many more are independent of
    all. The noise that a part shares is the mean covariance of its log-ratios. Sources: Dunnett (1955), J. Amer.
    Statist. Assoc. 50, 1096-1121; Westfall & Young (1993), Resampling-Based Multiple Testing.
    """
    count = sum(map(len, parts)) + alone
    if count < 2:
        return 0.05
    chance = np.random.default_rng(SEED)
    least = chance.uniform(size=(DRAWS, alone)).min(axis=1) if alone else np.ones(DRAWS)
    for part in parts:
        blocks = sorted({number for figure in part for number in figure.numbers})
        if not part:
            continue
        logs = np.array([[dict(zip(f.numbers, f.logs, strict=True)).get(b, np.nan) for b in blocks] for f in part])
        common = math.sqrt(max(0.0, _covariance(logs)))
        noise = chance.normal(size=(DRAWS, len(blocks)))
        for row in logs:
            has = np.isfinite(row)
            stdev = float(np.std(row[has], ddof=1))
            share = min(common / stdev, 0.999) if stdev else 0.0
            drawn = share * noise[:, has] + math.sqrt(1 - share**2) * chance.normal(size=(DRAWS, int(has.sum())))
            t = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * math.sqrt(has.sum())
            least = np.minimum(least, 2 * special.stdtr(has.sum() - 1, -np.abs(t)))
    return float(np.clip(np.quantile(least, 0.05), 0.05 / count, 0.05))


def _covariance(logs: Array) -> float:
    """Return the mean covariance of two rows, over the blocks that both have, each about its own mean."""
    centered = logs - np.nanmean(logs, axis=1, keepdims=True)
    found = [
        np.nansum(one * other) / (both - 1)
        for one, other in combinations(centered, 2)
        if (both := int(np.isfinite(one * other).sum())) > 1
    ]
    return float(np.mean(found)) if found else 0.0


def through(first: Figure | None, second: Figure | None) -> Through | None:
    """Return the product of the two ratios; None where one of them has no block."""
    if first is None or second is None or not first.blocks or not second.blocks:
        return None
    return Through(apart(first, Figure(tuple(-log for log in second.logs))))
