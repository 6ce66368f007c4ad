"""Holds a report's tables against the samples and against each other."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .findings import Findings
from .printed import Row, Table
from .sampled import (
    BAND,
    PER_APP,
    PER_CPU,
    RATE,
    Cautious,
    Figure,
    Sampled,
    Through,
    holm,
    kept,
    least_level,
    level,
    rate,
    through,
    up_to,
)
from .tables import (
    FULL,
    TOO_FEW,
    UNCLEAR,
    UNCOMPARED,
    UNDECIDED,
    OfTest,
    Pair,
    Printed,
    Report,
    is_full,
    is_spare,
    label_of,
    levels_of,
    printed,
)
from .telling import Records

ALPHA = 0.05
# By how much levels may differ that are drawn with two seeds.
NEAR = 1.2
# How outcomes say that the first is the better one, or the worse one; of two runs at two times, that they differ.
UP, DOWN = ("faster", "higher"), ("slower", "lower")
LEAST_BLOCKS = 3
# Printed shares are rounded to whole per cents.
BUSY, FULL_IDLE = 90, 5


def check(report: Report, sampled: Sampled, records: Records) -> Findings:
    findings = Findings()
    for cell, text in _overview_cells(report):
        findings.hold("cell of the overview", f"{cell} {text}", _overview(cell, text, report, sampled, records))
    for row in report.cells:
        findings.hold("row of bottlenecks", str(dict(row)), _bottleneck(row))
    for of_test in report.tests.values():
        for row in of_test.summary:
            findings.hold("row of a summary", str(row), _summary(row, of_test, report, sampled, records))
        findings.hold("order of a summary", of_test.title, _order(of_test, report))
        for pair in of_test.pairs:
            if not (records.control and pair.outcome != "–"):
                findings.hold("row of ratios", str(pair), _pair(pair, of_test, report, sampled, records))
    together = _beside_control if records.control else _together
    for family in _families(report):
        findings.hold("outcomes together", "; ".join(map(str, family[:3])), together(family, report, sampled, records))
    for section in report.sections:
        if match := re.match(r"([\w-]+), by (requestsPerSecond|latencyAvg) (ascending|descending)", section.title):
            for table in section.tables:
                findings.hold("table of the study", section.title, _study(match, table, sampled))
    return findings


def _overview_cells(report: Report) -> Iterator[tuple[tuple[str, int, str], str]]:
    for row in report.overview.rows if report.overview else ():
        for entry, text in list(row.items())[2:]:
            yield (row["test"], int(row["level"]), entry), text


def _overview(
    cell: tuple[str, int, str], text: str, report: Report, sampled: Sampled, records: Records
) -> Iterator[str]:
    test, at, entry = cell
    own = sampled.cell(RATE, test, entry, at)
    if text in ("not measured", "–"):
        if own.blocks:
            yield f"it has samples in {own.blocks} blocks"
        if (text == "not measured") != (test in records.tests.get(entry, ())):
            yield f"the entry declares {records.tests.get(entry)}"
        return
    found = printed(text)
    if found is None:
        yield "not read"
        return
    yield from shows(found, own)
    if found.is_bound != any(
        (row["test"], row["entry"], row["level"], row["limited by"]) == (test, entry, str(at), "client")
        for row in report.cells
    ):
        yield "≥ stands where wrk was the limit, and there alone"
    most = max(sampled.cell(RATE, *key).blocks for key in {(r["test"], r["entry"], level(r)) for r in sampled.counting})
    short = re.fullmatch(r" \((\d+) of (\d+) blocks\)", found.rest)
    told = (int(short[1]), int(short[2])) if short else (most, most)
    if told != (own.blocks, most):
        yield f"it has {own.blocks} of {most} blocks"


def shows(found: Printed, own: Figure | Through | Cautious, level: float = 0.95) -> Iterator[str]:
    """Hold a printed figure and its interval against the samples' own."""
    if not own.blocks:
        return
    if not found.shows(own.middle):
        yield f"by the samples it is {own.middle:.5g}"
    bounds = own.bounds(0.90 if found.is_90 else level)
    if bounds is None:
        if found.low is not None:
            yield "one block has no interval"
        return
    if found.is_too_wide != (bounds[1] > 100 * bounds[0]):
        yield f"by the samples it is [{bounds[0]:.5g}–{bounds[1]:.5g}]"
    if found.is_too_wide:
        return
    if found.low is None or found.high is None:
        yield f"it has no interval; by the samples [{bounds[0]:.5g}–{bounds[1]:.5g}]"
    elif not found.shows_bounds(*bounds):
        yield f"by the samples [{bounds[0]:.5g}–{bounds[1]:.5g}]"


def _bottleneck(row: Row) -> Iterator[str]:
    shares = {name: float(row[name][:-1]) for name in ("client", "app", "db", "proxy") if row.get(name, "")[-1:] == "%"}
    idle = float(row["host idle"][:-1]) if row["host idle"][-1:] == "%" else None
    limit = row["limited by"]
    if limit in shares and shares[limit] < BUSY:
        yield f"{limit} had {100 - shares[limit]:.0f} % left"
    if limit != "client" and shares.get("client", 0) > BUSY:
        yield "wrk was full"
    if limit in FULL and (idle is None or idle > FULL_IDLE):
        yield "the host was not full"
    if limit in ("waiting", "concurrency", "waiting or concurrency") and max(shares.values(), default=0) > 70:
        yield "a role had much to do"


def _summary(row: dict[str, str], of_test: OfTest, report: Report, sampled: Sampled, records: Records) -> Iterator[str]:
    entry, test = row["entry"], of_test.test
    asked = sorted({int(r["level"]) for r in report.overview.rows if r["test"] == test}) if report.overview else []
    if of_test.control:
        yield from _beside(row, of_test)
    elif entry in of_test.ranked:
        won = sum(pair.winner == entry for pair in of_test.over_levels(of_test.basis))
        lost = sum(pair.loser == entry for pair in of_test.over_levels(of_test.basis))
        places = (1 + lost, len(of_test.ranked) - won)
        if of_test.ranked[entry] != places:
            yield f"by its pairs it has the ranks {places}"
    for name in (PER_CPU, PER_APP):
        if found := printed(row[name]):
            levels = levels_of(label_of(found.rest), asked)
            yield from (
                f"{name}: no samples at {at}" for at in levels if not sampled.cell(name, test, entry, at).blocks
            )
            yield from shows(found, sampled.over_levels(name, test, entry, levels))
    memory_mb = sampled.memory_mb(test, entry)
    if (peak := printed(row["peak memory, MB"])) and (memory_mb is None or not peak.shows(memory_mb)):
        yield f"by the samples {memory_mb} MB"
    limits = {r["level"]: r["limited by"] for r in report.cells if (r["test"], r["entry"]) == (test, entry)}
    by_limit: dict[str, list[str]] = defaultdict(list)
    for at, limit in sorted(limits.items(), key=lambda item: int(item[0])):
        by_limit[limit].append(at)
    told_limits = dict(re.findall(r"(?:^|, )([a-z][\w -]*) \(([\d, ]+)\)", row["limited by"])) or {
        row["limited by"]: ""
    }
    expected = {limit: ", ".join(at) if len(by_limit) > 1 else "" for limit, at in by_limit.items()} or {"–": ""}
    if told_limits != expected:
        yield f"by the table of bottlenecks it was limited by {expected}"


def _beside(row: dict[str, str], of_test: OfTest) -> Iterator[str]:
    """Hold an entry's outcome beside the baseline against its row of ratios."""
    entry = row["entry"]
    pair = of_test.pair(entry, of_test.control, of_test.basis) if entry != of_test.control else None
    if pair is not None and pair.outcome != row["outcome"]:
        yield f"the row of ratios: {pair}"
    if pair is None and row["outcome"] not in ("–", UNCOMPARED):
        yield "there is no such row of ratios"


def _order(of_test: OfTest, report: Report) -> Iterator[str]:
    """Hold the figure that ranks against the rows of bottlenecks, the order against the ranks, ratios against pairs.

    The leader comes first, which has a best rank of 1 where anybody has; the others by rank, then the fastest first.
    """
    rows = [r for r in report.cells if r["test"] == of_test.test and r["limited by"] != "client"]
    may_be = {RATE}
    if any(row["limited by"] in FULL for row in rows):
        may_be = {PER_CPU, ""} if all(map(is_full, rows)) else {""}
        may_be = may_be if len(may_be) == 1 or any(map(is_spare, rows)) else {PER_CPU}
    if rows and of_test.basis not in may_be:
        yield f"by the table of bottlenecks it may be ranked by {sorted(may_be)}"
    leader, *others = of_test.ranked or [""]
    ranks, relative = of_test.ranked, of_test.relative
    if of_test.control and leader not in ("", of_test.control):
        yield f"{leader} stands first, compared with {of_test.control}"
    if any(rank[0] == 1 for rank in ranks.values()) and ranks[leader][0] != 1:
        yield f"{leader} stands first with the rank {ranks[leader]}"
    has_leader = leader in relative
    behind = others if has_leader else list(ranks)
    keys = [(*ranks[entry], -relative[entry].figure if entry in relative else 0.0) for entry in behind]
    if any(one > (*other[:2], other[2] + 1e-9) for one, other in pairwise(keys)):
        yield f"not by rank, of equal ones the fastest first: {keys}"
    if has_leader and relative[leader].bare != (1.0, None, None):
        yield f"the first has {relative[leader]}"
    for entry in others:
        pair, found = of_test.pair(leader, entry, of_test.basis), relative.get(entry)
        if pair is None or found is None:
            if has_leader and (pair is None) != (found is None):
                yield f"{entry} has {found}, in its pair {pair}"
            continue
        yield from (f"{entry}: {why}" for why in _inverted(found, pair, entry))
        if pair.winner == entry and not of_test.control:
            yield f"{entry} is faster than the first: {pair}"


def _inverted(found: Printed, pair: Pair, entry: str) -> Iterator[str]:
    """Hold the cell of a summary against the row of ratios: figure, bounds, levels, and that it is unclear."""
    ratio, label = pair.ratio, label_of(found.rest)
    if label != pair.level:
        yield f"over {label}, in its pair over {pair.level}"
    if found.is_90 != ratio.is_90 or found.is_too_wide != ratio.is_too_wide:
        yield f"another interval than {pair}"
    unclear = match[0] if (match := UNCLEAR.search(found.rest)) else ""
    if unclear != (pair.outcome if UNCLEAR.fullmatch(pair.outcome) else ""):
        yield f"it says {found.rest}, its pair {pair.outcome}"
    theirs = list(zip((ratio.figure, ratio.low, ratio.high), (ratio.half_unit, *ratio.half_units), strict=True))
    if pair.first != entry:
        theirs = [theirs[place] for place in (0, 2, 1)]
    mine = zip((found.figure, found.low, found.high), (found.half_unit, *found.half_units), strict=True)
    for (own, half_unit), (other, other_half_unit) in zip(mine, theirs, strict=True):
        if own is None or other is None:
            if own is not other:
                yield f"{own} here, {other} in {pair}"
            continue
        # What is printed may be any figure that is rounded to it.
        lowest, highest = other - other_half_unit, other + other_half_unit
        if pair.first != entry:
            lowest, highest = 1 / highest, 1 / lowest if lowest > 0 else math.inf
        if not lowest - half_unit <= own <= highest + half_unit:
            yield f"{own} here, in its pair {lowest:.4f} to {highest:.4f}"


def _asked(test: str, report: Report) -> list[int]:
    """Return the levels that the test was asked for."""
    return sorted({int(r["level"]) for r in report.overview.rows if r["test"] == test}) if report.overview else []


def _bound(test: str, report: Report) -> set[tuple[str, int]]:
    """Return entry and level of the rows that wrk was the limit of: they are in no ratio."""
    return {(r["entry"], int(r["level"])) for r in report.cells if (r["test"], r["limited by"]) == (test, "client")}


def _shared(pair: Pair, of_test: OfTest, report: Report, sampled: Sampled) -> dict[int, set[int]]:
    """Return the blocks that both have at each level: at the row's own, or at all where it is over levels."""
    asked, bound = _asked(of_test.test, report), _bound(of_test.test, report)
    levels = asked if pair.is_over_levels else [int(pair.level)]
    logs = {at: sampled.in_common(pair.figure, of_test.test, (pair.first, pair.second), at) for at in levels}
    return {
        at: set(one) & set(other)
        for at, (one, other) in logs.items()
        if not {(pair.first, at), (pair.second, at)} & bound
    }


def ratio_of(
    pair: Pair, of_test: OfTest, report: Report, sampled: Sampled, records: Records
) -> Figure | Through | None:
    """Return the pair's ratio, from the samples of the levels that it is over; None where one has no block of both."""
    shared = _shared(pair, of_test, report, sampled)
    levels = levels_of(pair.level, _asked(of_test.test, report))
    if pair.through:
        names = ((pair.first, pair.through), (pair.through, pair.second))
        legs = [sampled.ratio(pair.figure, of_test.test, levels, *two) for two in names]
        return through(*legs) if not any(shared.values()) else None
    if not set(levels) <= shared.keys():
        return None
    pilot = records.deciding_pilot if kept(up_to(shared, records.deciding_pilot)) == levels else None
    return sampled.ratio(pair.figure, of_test.test, levels, pair.first, pair.second, pilot)


def _pair(pair: Pair, of_test: OfTest, report: Report, sampled: Sampled, records: Records) -> Iterator[str]:
    own = ratio_of(pair, of_test, report, sampled, records)
    if own is None:
        yield "one of its levels has no block of both" if not pair.through else "it has blocks of its own, or no path"
        return
    yield from shows(pair.ratio, own)
    yield from beside_1(pair.ratio, own.middle, own.bounds(0.90 if pair.ratio.is_90 else 0.95))
    if pair.outcome != "–" and (pair.outcome == TOO_FEW) != (own.blocks < LEAST_BLOCKS):
        yield f"it has {own.blocks} blocks"
    yield from outcome(pair.outcome, pair.ratio)
    if not pair.through and (left := kept(_shared(pair, of_test, report, sampled))) != levels_of(
        pair.level, _asked(of_test.test, report)
    ):
        yield f"by the blocks that there are it is over {left}"


def beside_1(found: Printed, middle: float, bounds: tuple[float, float] | None) -> Iterator[str]:
    """Find a ratio or a bound whose printed figure does not show on which side of 1 it lies."""
    for told, own in zip(found.bare, (middle, *(bounds or (None, None))), strict=True):
        if told is not None and own is not None and abs(own - 1) > 1e-9 and (told > 1, told < 1) != (own > 1, own < 1):
            yield f"{told} is by the samples {own:.10f}"


def outcome(word: str, ratio: Printed) -> Iterator[str]:
    """Hold an outcome against the interval printed beside it."""
    low, high = ratio.low, ratio.high
    if low is None or high is None:
        if word in (*UP, *DOWN, "equal") and not ratio.is_too_wide:
            yield f"{word} without an interval"
        return
    if word in UP and low < 1:
        yield f"{word}, with an interval that reaches below 1"
    if word in DOWN and high > 1:
        yield f"{word}, with an interval that reaches above 1"
    if word == "equal" and (low < 1 / (1 + BAND) - ratio.half_units[0] or high > 1 + BAND + ratio.half_units[1]):
        yield f"equal, with an interval that leaves the {BAND:.0%}"
    if word == "equal" and not ratio.is_90:
        yield "equal, beside another interval than the 90 % one"
    if word == UNDECIDED and not low <= 1 <= high:
        yield "cannot be told apart, with an interval that leaves out 1"
    if UNCLEAR.fullmatch(word) and low < 1 < high:
        yield "unclear for the number of comparisons, with an interval that holds 1"


def _families(report: Report) -> Iterator[list[tuple[Pair, OfTest]]]:
    """Yield the rows whose outcomes are corrected together: all over all levels, and those of each single one."""
    found: dict[tuple[str, str], list[tuple[Pair, OfTest]]] = defaultdict(list)
    for of_test in report.tests.values():
        for pair in of_test.pairs:
            if pair.outcome != "–":
                found[("", "") if pair.is_over_levels else (of_test.test, pair.level)].append((pair, of_test))
    yield from found.values()


def _together(
    family: Sequence[tuple[Pair, OfTest]], report: Report, sampled: Sampled, records: Records
) -> Iterator[str]:
    """Hold the outcomes of all rows together against Holm's correction of the samples' own tests."""
    owns = [ratio_of(pair, of_test, report, sampled, records) for pair, of_test in family]
    known = [
        (pair, own, own.p)
        for (pair, _), own in zip(family, owns, strict=True)
        if own is not None and own.blocks >= LEAST_BLOCKS and own.p is not None
    ]
    for (pair, own, _), adjusted in zip(known, holm([p for _, _, p in known]), strict=True):
        if abs(adjusted - ALPHA) > 1e-6 and pair.is_decided != (adjusted <= ALPHA):
            yield f"corrected for {len(known)}, p is {adjusted:.4f}: {pair}"
        if not pair.is_decided and own.is_equal() not in (None, pair.is_equal):
            yield f"by the samples' 90 % interval {own.bounds(0.90)}: {pair}"
        if (match := UNCLEAR.fullmatch(pair.outcome)) and int(match[1]) != len(known):
            yield f"corrected for {len(known)}: {pair}"


def _beside_control(
    family: Sequence[tuple[Pair, OfTest]], report: Report, sampled: Sampled, records: Records
) -> Iterator[str]:
    """Hold the outcomes and intervals of all rows together against what is simulated of the samples' own spreads."""
    found = [(pair, of_test, ratio_of(pair, of_test, report, sampled, records)) for pair, of_test in family]
    owns: list[tuple[Pair, OfTest, Figure | Cautious | None]] = [
        (pair, of_test, own.cautious if isinstance(own, Through) else own) for pair, of_test, own in found
    ]
    tested = [(of_test.test, own) for _, of_test, own in owns if own is not None and own.blocks >= LEAST_BLOCKS]
    parts: dict[str, list[Figure]] = defaultdict(list)
    for test, own in tested:
        if isinstance(own, Figure):
            parts[test].append(own)
    alone = len(tested) - sum(map(len, parts.values()))
    level = least_level(list(parts.values()), alone) if tested else ALPHA / max(1, len(owns))
    for pair, _, by_samples in owns:
        if by_samples is None:
            yield f"one of its levels has no block of both: {pair}"
            continue
        if pair.second != records.control:
            yield f"not compared with {records.control}: {pair}"
        yield from (f"{why}: {pair}" for why in _at_once(pair, by_samples, level))


def _at_once(pair: Pair, own: Figure | Cautious, level: float) -> Iterator[str]:
    """Hold a row against its own samples, at the level that holds for all rows at once."""
    # What is drawn with another seed is some per cent off.
    found = [list(shows(pair.ratio, own, 1 - level * near)) for near in (NEAR, 1 / NEAR)]
    bounds = [own.bounds(1 - level * near) for near in (NEAR, 1 / NEAR)]
    if pair.ratio.is_90 or None in bounds:
        yield from found[0]
    elif not pair.ratio.is_too_wide and not _between(pair.ratio, bounds):
        yield f"by the samples between {bounds[1]} and {bounds[0]}"
    yield from outcome(pair.outcome, pair.ratio)
    if (pair.outcome == TOO_FEW) != (own.blocks < LEAST_BLOCKS):
        yield f"it has {own.blocks} blocks"
    if own.blocks < LEAST_BLOCKS or own.p is None:
        return
    if own.p < level / NEAR and not pair.is_decided:
        yield f"at {level:.5f}, p is {own.p:.5f}"
    if own.p > level * NEAR and pair.is_decided:
        yield f"at {level:.5f}, p is {own.p:.5f}"
    if not pair.is_decided and own.is_equal() not in (None, pair.is_equal):
        yield f"by the samples' 90 % interval {own.bounds(0.90)}"


def _between(found: Printed, bounds: Sequence[tuple[float, float] | None]) -> bool:
    """Return whether the interval reaches as far as the first of these at the most, and as the second at the least."""
    narrow, wide = bounds
    if found.low is None or found.high is None or wide is None or narrow is None:
        return False
    low, high = found.half_units
    is_within = wide[0] - low <= found.low and found.high <= wide[1] + high
    return is_within and found.low <= narrow[0] + low and found.high >= narrow[1] - high


def _study(match: re.Match[str], table: Table, sampled: Sampled) -> Iterator[str]:
    test, by, direction = match.groups()
    figures = [float(row[by]) for row in table.rows]
    if figures != sorted(figures, reverse=direction == "descending"):
        yield f"not {direction}: {figures}"
    column = table.columns[1]
    told = {(row["framework"], int(row[column])): row for row in table.rows}
    own: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in sampled.counting:
        if row["test"] == test:
            own[row["entry"], level(row)].append(row)
    if told.keys() != own.keys():
        yield f"rows of {sorted(told)}, samples of {sorted(own)}"
    for key in told.keys() & own.keys():
        mean = sum(map(rate, own[key])) / len(own[key])
        if abs(mean - float(told[key]["requestsPerSecond"])) > 0.0051:
            yield f"{key}: by the samples {mean:.2f}"
