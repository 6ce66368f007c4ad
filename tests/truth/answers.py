"""The sentences that a report leads with: who leads a test, by how much, and what limited it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .claims import Claim, claim
from .findings import Findings, Sentence, read
from .printed import Row
from .sampled import BAND, PER_CPU, RATE, Sampled, through
from .tables import (
    FULL,
    MEASURES,
    TOO_FEW,
    UNCLEAR,
    OfTest,
    Pair,
    Printed,
    Report,
    is_full,
    listed,
    number,
    printed,
)

# How a sentence calls what the tables call by one word.
LIMITS = {
    "the host's CPUs, which all roles share": "host-shared",
    "other processes on the host, which took the CPUs": "others",
    "wrk, the load generator": "client",
    "the entry itself": "app",
    "the database": "db",
    "the proxy": "proxy",
    "too few connections": "concurrency",
    "waiting for something other than CPU": "waiting",
    "several things at once": "mixed",
    "waiting, or too few connections: not measured": "waiting or concurrency",
    "something that this host does not report": "unknown",
}
# So many names stand in a sentence, of more the rest are counted; and of so many pairs it says that levels disagree.
MOST_NAMES = 4
RANKED_BY_CPU = "So entries are compared by requests per CPU-second."
# Of entries, in which a dot is only that of a version.
NAMES = r"(?P<names>(?:[^:.]|\.(?=\d))+?)"
RATIO = r"\d+\.\d+(?: \[[^\]]+\])?(?: \(90 %\))?"


@dataclass
class Place:
    """Where a sentence stands: the test it is of, the tables of its report, the samples; and who was spoken of."""

    test: str
    report: Report
    sampled: Sampled
    groups: list[str] = field(default_factory=list)
    counted: int = 0
    first: str = ""
    odd: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def tables(self) -> OfTest:
        return self.report.tests[self.test]

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Return level and entry, and what limited it, of what was measured of the test; of all tests without one."""
        return [(row["entry"], row["limited by"]) for row in self.report.cells if self.test in ("", row["test"])]

    def against(self, first: str, name: str) -> Pair | None:
        """Return the row of the two over all levels in the figure that ranks."""
        return self.tables.pair(first, name, self.tables.basis)

    def others(self, first: str, is_so: Callable[[Pair], bool]) -> list[str]:
        """Return, in the order of the table, the others with a rank of whose row with the first that is so."""
        found = {name: self.against(first, name) for name in self.tables.ranked if name != first}
        return [name for name, pair in found.items() if pair is not None and is_so(pair)]


def check(bullets: Sequence[str], report: Report, sampled: Sampled, tests: Sequence[str]) -> Findings:
    """Hold what is said first, a bullet a test, against the tables below and the samples."""
    findings = Findings()
    told = []
    for bullet in bullets:
        name, _, rest = bullet.partition(". ")
        test = name if name in tests else ""
        told.append(test)
        place = Place(test, report, sampled)
        if not test:
            read(bullet, GENERAL, place, findings, "lead")
            continue
        read(rest, GRAMMAR, place, findings, "lead")
        if test in report.tests:
            findings.hold("all are spoken of", bullet, _whole(place))
            findings.hold("levels that contradict", bullet, _disagreements(place))
    counted = {row["test"] for row in sampled.counting}
    if counted:
        findings.hold("ranks by CPU are said", "; ".join(bullets), _ranked_by(bullets, told, report))
        findings.hold("a bullet a test", "; ".join(bullets), _each_once(told, tests))
    return findings


def _ranked_by(bullets: Sequence[str], told: Sequence[str], report: Report) -> Iterator[str]:
    """Find tests that are ranked by CPU-seconds, of which that is not said, of it or of all tests together."""
    said = {test for test, bullet in zip(told, bullets, strict=True) if RANKED_BY_CPU in bullet}
    for test, of_test in report.tests.items():
        if of_test.basis == PER_CPU and len(of_test.ranked) > 1 and not {"", test} & said:
            yield f"it is not said of {test}"


def _each_once(told: Sequence[str], tests: Sequence[str]) -> Iterator[str]:
    for test in tests:
        if told.count(test) != 1:
            yield f"{test} is told {told.count(test)} times"


def _whole(place: Place) -> Iterator[str]:
    """Find entries with a rank that no sentence of the answer speaks of, or more than one places."""
    ranked = place.tables.ranked
    if not place.groups:
        return
    twice = [name for name, count in Counter(place.groups).items() if count > 1]
    if twice:
        yield f"{twice} stand in two groups"
    if strangers := set(place.groups) - set(ranked):
        yield f"{sorted(strangers)} have no rank"
    if len(place.groups) + place.counted != len(ranked):
        yield f"{len(place.groups) + place.counted} are spoken of, {len(ranked)} have a rank"


def _no_answer(_: re.Match[str], place: Place) -> Iterator[str]:
    if place.sampled.counting:
        yield "there are samples that count"


def _not_measured(_: re.Match[str], place: Place) -> Iterator[str]:
    if any(row["test"] == place.test for row in place.sampled.counting):
        yield "the test has samples that count"


def _absent(match: re.Match[str], place: Place) -> Iterator[str]:
    names, _ = listed(match["names"])
    for name in names:
        if any((row["test"], row["entry"]) == (place.test, name) for row in place.sampled.counting):
            yield f"{name} has samples that count"


def _all_bound(_: re.Match[str], place: Place) -> Iterator[str]:
    if place.tables.ranked:
        yield f"{sorted(place.tables.ranked)} have a rank"
    if others := {limit for _, limit in place.cells} - {"client"}:
        yield f"rows are limited by {sorted(others)}"


def _only(match: re.Match[str], place: Place) -> Iterator[str]:
    """Find another one with a rank; and any with one where nothing ranks."""
    if place.tables.basis:
        place.groups.append(match["first"])
    if list(place.tables.ranked) != ([match["first"]] if place.tables.basis else []):
        yield f"{list(place.tables.ranked)} have a rank"


def _undecided(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a group against the table: no two of it are told apart there, and the gap that is told is that of the last.

    Of those that cannot be told apart from one, only their pairs with that one are spoken of.
    """
    first = match["of"] or listed(match["names"])[0][0]
    group = place.others(first, lambda pair: pair.is_undecided)
    yield from _grouped(first, match["names"], bool(match["of"]), group, place)
    rows = _with(place, first, group) if match["of"] else _within(place, [first, *group])
    wrong = [pair for pair in rows if not (pair.is_undecided or (pair.is_equal and not _is_of(pair, first)))]
    yield from (f"the table tells them apart: {pair}" for pair in wrong)
    if match["first"] != first:
        yield f"{match['first']} is told to have more, {first} stands first"
    if bool(match["last"]) != (len(group) > 1):
        yield f"the group is {group}"
    if match["all_few"] and (enough := [row for row in _with(place, first, group) if row.outcome != TOO_FEW]):
        yield f"not all have too few blocks: {enough}"
    yield from _claimed(match["lead"], first, place, group[-1:])
    made = claim(match["lead"])
    pair = place.tables.pair(first, made.other, made.figure) if made else None
    if pair is not None:
        yield from _why(match, pair, place)


def _why(match: re.Match[str], pair: Pair, place: Place) -> Iterator[str]:
    """Hold why a gap is not told, where its interval does not show that, against its row."""
    few = match["all_few"] or match["few"]
    if (few is not None) != (pair.outcome == TOO_FEW and pair.ratio.has_interval):
        yield f"the row says {pair.outcome}"
    if (match["among"] is not None) != (UNCLEAR.fullmatch(pair.outcome) is not None):
        yield f"the row says {pair.outcome}"
    if (match["bare"] is not None) == pair.ratio.has_interval:
        yield f"the row: {pair}"
    if match["among"] and f"unclear among {match['among']} comparisons" != pair.outcome:
        yield f"the row says {pair.outcome}"
    if pair.ratio.leaves_out_1 and not (few or match["among"]):
        yield f"the interval leaves out 1, and it is not said why they cannot be told apart: {pair}"


def _equal(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a group against the table: each two of it are called equal there; or each is equal to one."""
    first = match["of"] or listed(match["names"])[0][0]
    group = place.others(first, lambda pair: pair.is_equal)
    yield from _grouped(first, match["names"], bool(match["of"]), group, place)
    rows = _with(place, first, group) if match["of"] else _within(place, [first, *group])
    yield from (f"the table does not call them equal: {pair}" for pair in rows if not pair.is_equal)
    if (match["whose"] == "its own") != bool(match["of"]):
        yield "it is said of each other where it is of one, or the other way round"
    yield from _by(match["measure"], place)


def _grouped(first: str, told: str, is_apart: bool, group: Sequence[str], place: Place) -> Iterator[str]:
    """Hold who is told against the group that the table has, in its order; the first of each group is the same.

    Note who is spoken of. The first stands among the names, but where it is told apart from them.
    """
    names, more = listed(told)
    others = names if is_apart else names[1:]
    if list(group[: len(others)]) != others or len(others) + more != len(group):
        yield f"by the table they are {list(group)}"
    if place.first and place.first != first:
        yield f"{place.first} was told first before"
    place.groups += others if place.first else [first, *others]
    place.counted += more
    place.first = first
    yield from _may_lead(first, place)


def _ahead(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold who is ahead against the table: it is faster than each of those; what is told is of the next and the last.

    One is called the last only where its worst rank is worse than those of all others that are behind.
    """
    first, ranks = match["first"], place.tables.ranked
    losers = place.others(first, lambda pair: pair.winner == first)
    if match["names"] is None:
        place.groups += [name for name in losers if name not in place.groups]
        place.groups += [first] if not place.first else []
        place.first = first
        yield from _may_lead(first, place)
        if ranks.get(first) != (1, 1) or len(losers) + 1 != len(ranks):
            yield f"{first} leads with the rank {ranks.get(first)}, and {losers} are behind it"
    else:
        yield from _grouped(first, match["names"], True, losers, place)
    if (match["last"] is not None) != (len(losers) > 1):
        yield f"by the table {losers} are behind"
    worst = {name: ranks[name][1] for name in losers}
    is_last = len(losers) > 1 and all(worst[name] < worst[losers[-1]] for name in losers[:-1])
    if (match["is_last"] is not None) != is_last:
        yield f"the worst ranks of those behind are {worst}"
    for text, of in ((match["lead"], losers[:1]), (match["last"], losers[-1:])):
        if text is not None:
            yield from _claimed(text, first, place, of)
            made = claim(text)
            if made and made.is_fewer:
                yield "it is ahead with fewer"


def _beside(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold who is faster than the baseline, or slower, against the table; what is told is of the first and the last."""
    control, word = match["control"], match["word"]
    wins = (lambda pair: pair.loser == control) if word == "faster" else (lambda pair: pair.winner == control)
    group = place.others(control, wins)
    yield from _grouped(control, match["names"], True, group, place)
    if [match["first"], *([match["end"]] if match["end"] else [])] != list(dict.fromkeys((group[0], group[-1]))):
        yield f"told of {match['first']} and {match['end']}, by the order of the table {group}"
    for name, text in ((match["first"], match["lead"]), (match["end"], match["last"])):
        if text is not None:
            yield from _claimed(text, name, place, [control])
            made = claim(text)
            if made and made.is_fewer == (word == "faster"):
                yield f"{word} with {text}"


def _lacks(match: re.Match[str], place: Place) -> Iterator[str]:
    """Find a value of the baseline that is said to have none."""
    if place.tables.control and match["control"] in place.tables.ranked:
        yield f"the table compares {list(place.tables.ranked)} with it"


def _tiers(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold groups of ranks against the table: all of one are faster than all after it, and no group has such a cut."""
    order = list(place.tables.ranked)
    told = [re.fullmatch(r"(\d+)(?:–(\d+))?: (.+)", part) for part in match["groups"].split("; ")]
    groups = [found[3].split(", ") for found in told if found]
    if [name for group in groups for name in group] != order:
        yield f"by the table the order is {order}"
        return
    ends, place_of = [], 0
    for found, group in zip(told, groups, strict=True):
        if found and (int(found[1]), int(found[2] or found[1])) != (place_of + 1, place_of + len(group)):
            yield f"{found[0]} are the places from {place_of + 1} on"
        place_of += len(group)
        ends.append(place_of)
    won = {(pair.winner, pair.loser) for pair in place.tables.over_levels(place.tables.basis) if pair.is_decided}
    cuts = [
        end
        for end in range(1, len(order) + 1)
        if all((ahead, behind) in won for ahead in order[:end] for behind in order[end:])
    ]
    if cuts != ends:
        yield f"by the rows they end at {cuts}"


def _disagreements(place: Place) -> Iterator[str]:
    """Find levels that contradict how two compare over all levels and are not told; and told ones that do not."""
    at_levels = [pair for pair in place.tables.pairs if not pair.is_over_levels and pair.outcome != "–"]
    if not place.first or not at_levels:
        return
    for name in [name for name in place.tables.ranked if name != place.first]:
        told = place.odd.get((place.first, name), set())
        pair = place.against(place.first, name)
        if pair is None or (pair.winner == name and not place.tables.control):
            continue
        rows = [row for row in at_levels if {row.first, row.second} == {place.first, name}]
        found = [_odd(rows, place.first, pair.winner, BAND + hair) for hair in (-2e-3, 0.0, 2e-3)]
        if told - found[0].union(*found):
            yield f"{sorted(told - found[0].union(*found))} do not contradict it: {pair}"
        if (silent := found[0].intersection(*found) - told) and (told or not place.is_cut):
            yield f"{sorted(silent)} contradict it, and are not told: {pair}"
    if strangers := {name for pair in place.odd for name in pair} - {place.first, *place.tables.ranked}:
        yield f"levels are told of {strangers}"


def _odd(rows: Sequence[Pair], first: str, winner: str, band: float) -> set[str]:
    """Return the levels that contradict that one of the two is ahead, or that they cannot be told apart."""
    ratios = {row.level: row.ratio.figure if row.first == first else 1 / max(row.ratio.figure, 1e-9) for row in rows}
    below = {level for level, ratio in ratios.items() if ratio * (1 + band) < 1}
    above = {level for level, ratio in ratios.items() if ratio > 1 + band}
    if winner == first:
        return below | {row.level for row in rows if row.loser == first}
    if winner:
        return above | {row.level for row in rows if row.winner == first}
    return {row.level for row in rows if row.is_decided} or (below | above if below and above else set())


def _no_common(match: re.Match[str], place: Place) -> Iterator[str]:
    """Find rows of entries that are said to have no block in common with the first."""
    others = [name for name in place.tables.ranked if name != match["first"]]
    group = [name for name in others if place.against(match["first"], name) is None]
    yield from _grouped(match["first"], match["names"], True, group, place)


def _nobody(_: re.Match[str], place: Place) -> Iterator[str]:
    """Find one that is behind nobody by the table."""
    first = [name for name, rank in place.tables.ranked.items() if rank[0] == 1]
    if first or not place.tables.basis:
        yield f"by the ranks it may be {first}"


def _not_comparable(_: re.Match[str], place: Place) -> Iterator[str]:
    """Find ranks or outcomes over all levels where nothing is to be compared, and rows that are all alike."""
    if place.tables.basis or place.tables.ranked:
        yield f"the table ranks by {place.tables.basis}: {place.tables.ranked}"


def _in_both(match: re.Match[str], place: Place) -> Iterator[str]:
    for figure, told in ((RATE, match["rate"]), (PER_CPU, match["cost"])):
        pair, found = place.tables.pair(match["first"], match["second"], figure), printed(told or "")
        if (pair.ratio.bare if pair else None) != (found.bare if found else None):
            yield f"the row: {pair}"


def _levels_disagree(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold what single levels say against their rows, if the report has them, else against the samples.

    Whether they contradict, and whether others do, is held when the whole answer was read.
    """
    told_pairs = match["pairs"].split("; ")
    if is_cut := bool(re.fullmatch(r"and \d+ more", told_pairs[-1])):
        place.is_cut = True
        del told_pairs[-1]
    if len(told_pairs) > MOST_NAMES or (is_cut and len(told_pairs) < MOST_NAMES):
        yield f"{len(told_pairs)} pairs are told"
    for told_pair in told_pairs:
        found = re.fullmatch(r"(?P<first>\S+) / (?P<second>\S+) is (?P<levels>.+)", told_pair)
        levels = re.findall(rf"({RATIO}) at (\d+)(?: through (\S+?))?(?:, | and |$)", found["levels"]) if found else []
        if found is None or not levels:
            yield f"not read: {told_pair}"
            continue
        first, second = found["first"], found["second"]
        if first != place.first:
            yield f"told of {first}, {place.first} stands first"
        place.odd[first, second] = {level for _, level, _ in levels}
        for told, level, anchor in levels:
            yield from _at_level(first, second, told, level, anchor, place)


def _at_level(first: str, second: str, told: str, level: str, anchor: str, place: Place) -> Iterator[str]:
    rows = [p for p in place.tables.pairs if p.level == level and {p.first, p.second} == {first, second}]
    decided = [pair for pair in rows if pair.outcome != "–"]
    ratio = printed(told)
    if ratio is None or len(decided) != (1 if rows else 0):
        yield f"{told} at {level}: the table has {rows}"
        return
    for pair in decided:
        yield from agrees(_of_printed(second, pair, ratio), first, pair)
    steps = [(first, anchor), (anchor, second)] if anchor else [(first, second)]
    legs = [place.sampled.ratio(place.tables.basis, place.test, [int(level)], *two) for two in steps]
    own = through(*legs) if anchor else legs[0]
    if own is None or not ratio.shows(own.middle):
        yield f"at {level} it is by the samples {own.middle if own else None}"


def _of_printed(other: str, pair: Pair, ratio: Printed) -> Claim:
    """Return the ratio that a sentence tells as tables do, over what the row is over."""
    half_units = (ratio.half_unit, *ratio.half_units)
    return Claim(other, pair.figure, ratio.figure, ratio.low, ratio.high, half_units, False, pair.level, ratio.is_90)


def _may_lead(first: str, place: Place) -> Iterator[str]:
    """Find that one cannot be first that is told first: another is faster, or its best rank is above 1."""
    rank = place.tables.ranked.get(first)
    if place.tables.control:
        if first != place.tables.control:
            yield f"{first} is told first, compared with {place.tables.control}"
    elif rank is None or rank[0] != 1:
        yield f"{first} is told first with the rank {rank}"
    if next(iter(place.tables.ranked), None) != first:
        yield f"{next(iter(place.tables.ranked), None)} stands first in the table"


def _claimed(text: str, first: str, place: Place, of: Sequence[str]) -> Iterator[str]:
    """Hold how much more one has against the table's row of the two; and that it is told of this other."""
    made = claim(text)
    if made is None:
        yield f"not read: {text}"
        return
    if made.figure != place.tables.basis:
        yield f"told in {made.figure}, ranked by {place.tables.basis}"
    yield from agrees(made, first, place.tables.pair(first, made.other, made.figure))
    if [made.other] != list(of):
        yield f"told of {made.other}, by the order of the table it is {list(of)}"


def agrees(made: Claim, first: str, pair: Pair | None) -> Iterator[str]:
    """Hold a claim against the table's row of the same two: all three figures, of the same interval."""
    if pair is None:
        yield f"the table has no row of {first} and {made.other}"
        return
    if made.over != pair.level:
        yield f"told over {made.over}, the row is over {pair.level}"
    ratio = pair.ratio
    figures = list(zip((ratio.figure, ratio.low, ratio.high), (ratio.half_unit, *ratio.half_units), strict=True))
    if pair.first != first:
        figures = [_inverse(*figures[place]) for place in (0, 2, 1)]
    told = zip((made.ratio, made.low, made.high), made.half_units, strict=True)
    for name, (mine, own), (theirs, other) in zip(("ratio", "low", "high"), told, figures, strict=True):
        if mine is None or theirs is None:
            if (mine is None) != (theirs is None) and not ratio.is_too_wide:
                yield f"{name}: {mine} here, {theirs} in the table"
        elif abs(mine - theirs) > own + other:
            yield f"{name}: {mine:.4f} here, {theirs:.4f} in the table"
        if theirs is not None and mine is not None and (mine - 1) * (theirs - 1) < 0:
            yield f"{name}: on the other side of 1 than {theirs:.6f} in the table"
    # A bound of the 90 % interval in one place and of the 95 % one in the other tell of different things.
    if made.is_90 != ratio.is_90:
        yield f"another interval is told than {pair}"
    if made.low is not None and made.high is not None and not made.low - 1e-9 <= made.ratio <= made.high + 1e-9:
        yield "the ratio lies outside its interval"


def _inverse(figure: float | None, half_unit: float) -> tuple[float | None, float]:
    if not figure:
        return None, half_unit
    return 1 / figure, half_unit / figure**2 if half_unit < figure / 10 else math.inf


def _within(place: Place, names: Sequence[str]) -> list[Pair]:
    return [p for p in place.tables.over_levels(place.tables.basis) if p.first in names and p.second in names]


def _with(place: Place, first: str, names: Sequence[str]) -> list[Pair]:
    """Return the rows of the first and each of the others."""
    found = (place.tables.pair(first, name, place.tables.basis) for name in names if name != first)
    return [pair for pair in found if pair is not None]


def _is_of(pair: Pair, name: str) -> bool:
    return name in (pair.first, pair.second)


def _by(measure: str, place: Place) -> Iterator[str]:
    if MEASURES[measure] != place.tables.basis:
        yield f"told in {measure}, ranked by {place.tables.basis}"


def _in_rates(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a ratio of rates against its row; it is of the first two of a test that something else ranks."""
    pair, found = place.tables.pair(match["first"], match["second"], RATE), printed(match["ratio"])
    if place.tables.basis != PER_CPU or [match["first"], match["second"]] != list(place.tables.ranked)[:2]:
        yield f"ranked by {place.tables.basis}: {list(place.tables.ranked)}"
    if pair is None or found is None:
        yield "the table has no such row"
        return
    yield from agrees(_of_printed(match["second"], pair, found), match["first"], pair)


def _limits(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold the counts against the table of bottlenecks; and what limited several things at once, against its shares."""
    found = re.findall(r"(.+?) \((all rows|[\d,]+ rows?)\)(?:; |$)", match["limits"])
    told = {LIMITS.get(name, name): count for name, count in found}
    counts = Counter(limit for _, limit in place.cells)
    all_alike = "all rows" in told.values()
    if list(counts) != list(told) if all_alike else {n: number(c.split()[0]) for n, c in told.items()} != dict(counts):
        yield f"the table has {dict(counts)}"
    rows = [row for row in place.report.cells if place.test in ("", row["test"])]
    yield from list(filter(None, map(_calm, rows)))[:1]


def _calm(row: Row) -> str:
    """Return what is wrong with a row said to have been limited by several things, where nothing had much to do."""
    shares = [
        float(row[name].rstrip("%")) for name in ("client", "app", "db", "proxy") if row.get(name, "")[-1:] == "%"
    ]
    return f"no role had much to do: {dict(row)}" if row["limited by"] == "mixed" and max(shares) < 69.5 else ""


def _ranked_by_cost(_: re.Match[str], place: Place) -> Iterator[str]:
    """Find cells of a test ranked by CPU-seconds that did not fill the host: their CPU-seconds do not compare."""
    tests = [place.test] if place.test else sorted(place.report.tests)
    for test in tests:
        if place.report.tests[test].basis != PER_CPU:
            yield f"{test} is ranked by {place.report.tests[test].basis}"
        rows = [row for row in place.report.cells if row["test"] == test and row["limited by"] != "client"]
        for row in rows:
            if not is_full(row):
                yield f"{row['entry']} at {row['level']} has a host that is {row['host idle']} idle"
        if not any(row["limited by"] in FULL for row in rows):
            yield f"no row of {test} was limited by the host"


LAST = r"(?:, and (?P<last>.+?)(?P<is_last>, the last)?)?"
GRAMMAR: Sequence[Sentence[Place]] = (
    Sentence("not measured", r"Not measured\.", _not_measured),
    Sentence("wrk limited all", r"wrk was the limit of every row: .+? none has a rank\.", _all_bound),
    Sentence("the only one", r"There is nothing to compare (?P<first>\S+) with\.", _only),
    Sentence(
        "nobody leads", r"Nobody leads: each entry is slower than another one at the levels that both have\.", _nobody
    ),
    Sentence(
        "nothing compares",
        r"Nobody leads: some rows filled the host and others did not, so neither requests per second nor requests per "
        r"CPU-second are comparable over all levels\.",
        _not_comparable,
    ),
    Sentence(
        "in both figures",
        r"(?P<first>\S+) / (?P<second>\S+) is (?P<rate>" + RATIO + r") in requests per second"
        r"(?: and (?P<cost>" + RATIO + r") in requests per CPU-second)?\.",
        _in_both,
    ),
    Sentence(
        "cannot be told apart",
        r"(?:(?P<all_few>\d+ blocks) are too few to tell )?" + NAMES + r"(?(all_few) apart| cannot be told apart)"
        r"(?: from (?P<of>\S+))?: (?P<first>\S+) has (?P<lead>.+?)"
        r"(?P<last>, the last of them)?(?:; among (?P<among>\d+) pairs chance alone can produce such a gap|"
        r"(?P<bare>; only one block has both, so the spread is unknown)|"
        r"; (?P<few>\d+ blocks?) are too few to tell)?\.",
        _undecided,
    ),
    Sentence(
        "equal",
        NAMES + r" are equal(?: to (?P<of>\S+))?: their (?P<measure>requests per (?:CPU-)?second) lie within "
        r"3% of (?P<whose>each other|its own)\.",
        _equal,
    ),
    Sentence("levels disagree", r"Levels disagree: (?P<pairs>.+?)\.", _levels_disagree),
    Sentence("no block in common", r"(?P<first>\S+) has no block in common with " + NAMES + r"\.", _no_common),
    Sentence(
        "ahead",
        r"(?P<first>\S+) (?:leads|is ahead of (?P<names>[^:]+?)): it has (?P<lead>.+?)" + LAST + r"\.",
        _ahead,
    ),
    Sentence(
        "in rates",
        r"In requests per second, for information, (?P<first>\S+) / (?P<second>\S+) is (?P<ratio>" + RATIO + r")\.",
        _in_rates,
    ),
    Sentence("absent", NAMES + r" (?:was|were) not measured\.", _absent),
    Sentence(
        "beside a baseline",
        NAMES + r" (?:is|are) (?P<word>faster|slower) than (?P<control>\S+): (?P<first>\S+) has (?P<lead>.+?)"
        r"(?:, and (?P<end>\S+) has (?P<last>.+?))?\.",
        _beside,
    ),
    Sentence(
        "no baseline",
        r"Nothing is compared with (?P<control>\S+), the baseline: none of its levels has a value that counts\.",
        _lacks,
    ),
    Sentence(
        "nothing compares with a baseline",
        r"Nothing is compared with \S+ over all levels: some rows filled the host and others did not, so neither "
        r"requests per second nor requests per CPU-second are comparable\.",
        _not_comparable,
    ),
    Sentence("groups of ranks", r"Groups of ranks, each ahead of all after it: (?P<groups>.+?)\.", _tiers),
    Sentence("limits", r"Limited by (?P<limits>.+?\))\.", _limits),
    Sentence("ranks by CPU", re.escape(RANKED_BY_CPU), _ranked_by_cost),
)
# What is said of all tests together.
GENERAL: Sequence[Sentence[Place]] = (
    Sentence("no answer", r"No sample counts, so there is no answer\.", _no_answer),
    *(sentence for sentence in GRAMMAR if sentence.kind in ("limits", "ranks by CPU")),
)
