"""The sentences that a report leads with: who leads a test, by how much, and what limited it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .claims import Claim, claim
from .findings import Findings, Sentence, read
from .printed import Row
from .sampled import PER_CPU, RATE, Sampled
from .tables import MEASURES, TOO_FEW, UNCLEAR, OfTest, Pair, Report, listed, number, printed

# How a sentence calls what the tables call by one word.
LIMITS = {
    "the host's CPUs, which all roles share": "host-shared",
    "what else ran on the host, which took the CPUs": "others",
    "wrk, the load generator": "client",
    "the entry itself": "app",
    "the database": "db",
    "the proxy": "proxy",
    "too few connections": "concurrency",
    "waiting for something else than CPUs": "waiting",
    "several things at once": "mixed",
    "waiting, or too few connections: not measured": "waiting or concurrency",
    "what this host does not tell": "unknown",
}
FULL = ("host-shared", "others")


@dataclass
class Place:
    """Where a sentence stands: the test it is of, the tables of its report, the samples; and who was spoken of."""

    test: str
    report: Report
    sampled: Sampled
    answer: str = ""
    groups: list[str] = field(default_factory=list)
    counted: int = 0
    first: str = ""

    @property
    def tables(self) -> OfTest:
        return self.report.tests[self.test]

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Return level and entry, and what limited it, of what was measured of the test; of all tests without one."""
        return [(row["entry"], row["limited by"]) for row in self.report.cells if self.test in ("", row["test"])]


def check(bullets: Sequence[str], report: Report, sampled: Sampled, tests: Sequence[str]) -> Findings:
    """Hold what is said first, a bullet a test, against the tables below and the samples."""
    findings = Findings()
    told = []
    for bullet in bullets:
        name, _, rest = bullet.partition(". ")
        test = name if name in tests else ""
        told.append(test)
        place = Place(test, report, sampled, rest)
        if not test:
            read(bullet, GENERAL, place, findings, "lead")
            continue
        read(rest, GRAMMAR, place, findings, "lead")
        if test in report.tests:
            findings.hold("all are spoken of", bullet, _whole(place))
    counted = {row["test"] for row in sampled.counting}
    if counted:
        findings.hold("a bullet a test", "; ".join(bullets), _each_once(told, tests))
    return findings


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
    place.groups.append(match["first"])
    if list(place.tables.ranked) != [match["first"]]:
        yield f"{list(place.tables.ranked)} have a rank"


def _undecided(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a group against the table: no two of it are told apart there, and the gap that is told is the widest.

    Of those that cannot be told apart from one, only their pairs with that one are spoken of.
    """
    names, more = listed(match["names"])
    first = match["of"] or names[0]
    yield from _grouped(first, names if match["of"] is None else [first, *names], more, place)
    rows = _within(place, [*names, first]) if match["of"] is None else _with(place, first, names)
    wrong = [pair for pair in rows if not (pair.is_undecided or (pair.is_equal and not _is_of(pair, first)))]
    yield from (f"the table tells them apart: {pair}" for pair in wrong)
    if match["first"] != first:
        yield f"{match['first']} is told to have more, {first} stands first"
    of = [first, *names] if match["last"] else []
    yield from _claimed(match["lead"], first, place, of, more)
    made = claim(match["lead"])
    pair = place.tables.pair(first, made.other, made.figure) if made else None
    if pair is not None:
        yield from _why(match, pair, place)


def _why(match: re.Match[str], pair: Pair, place: Place) -> Iterator[str]:
    """Hold why a gap is not told, where its interval does not show that, against its row."""
    if (match["few"] is not None) != (pair.outcome == TOO_FEW and pair.ratio.has_interval):
        yield f"the row says {pair.outcome}"
    if (match["among"] is not None) != (UNCLEAR.fullmatch(pair.outcome) is not None):
        yield f"the row says {pair.outcome}"
    if (match["bare"] is not None) == pair.ratio.has_interval:
        yield f"the row: {pair}"
    if match["among"] and f"unclear among {match['among']} comparisons" != pair.outcome:
        yield f"the row says {pair.outcome}"
    if pair.ratio.leaves_out_1 and not (match["few"] or match["among"]):
        yield f"the interval leaves out 1, and it is not said why they cannot be told apart: {pair}"


def _equal(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a group against the table: each two of it are called equal there; or each is equal to one."""
    names, more = listed(match["names"])
    first = match["of"] or names[0]
    yield from _grouped(first, names if match["of"] is None else [first, *names], more, place)
    rows = _within(place, names) if match["of"] is None else _with(place, first, names)
    yield from (f"the table does not call them equal: {pair}" for pair in rows if not pair.is_equal)
    yield from _by(match["measure"], place)


def _grouped(first: str, names: Sequence[str], more: int, place: Place) -> Iterator[str]:
    """Note who is spoken of; the first of a group is the first of the test's other groups too."""
    if place.first and place.first != first:
        yield f"{place.first} was told first before"
    place.groups += [name for name in names if name != first or not place.first]
    place.counted += more
    place.first = first
    yield from _may_lead(first, place)


def _ahead(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold who is ahead against the table: it is faster than each of those, and the one told last is the slowest."""
    first = match["first"]
    losers = [pair.loser for pair in place.tables.over_levels(place.tables.basis) if pair.winner == first]
    names, more = listed(match["names"]) if match["names"] else (losers, 0)
    if not match["names"] and place.tables.ranked.get(first) != (1, 1):
        yield f"{first} leads with the rank {place.tables.ranked.get(first)}"
    yield from _grouped(first, [first, *names], more, place)
    strangers = set(names) - set(losers)
    if strangers:
        yield f"the table does not say that {first} is faster than {sorted(strangers)}"
    elif len(names) + more != len(losers):
        yield f"{len(names) + more} are said to be behind, by the table {len(losers)} are"
    for name in [name for name in losers if name in names or more]:
        yield from _agreed(first, name, place)
    for text in filter(None, (match["lead"], match["last"])):
        yield from _claimed(text, first, place, [first, *losers] if text == match["last"] else [], 0)
        made = claim(text)
        if made and made.is_fewer:
            yield "it is ahead with fewer"


def _agreed(first: str, other: str, place: Place) -> Iterator[str]:
    """Find levels at which one that is behind over all levels is the faster, and nothing is said of that."""
    at_levels = re.search(rf"At single levels ([^:.]+) (?:is|are) faster than {re.escape(first)}\.", place.answer)
    names = at_levels[1] if at_levels else ""
    said = f"{first} / {other} " in place.answer or f"{other} (" in names or names.endswith(" others")
    for pair in place.tables.pairs:
        if (
            {pair.first, pair.second} == {first, other}
            and not pair.is_over_levels
            and pair.winner == other
            and not said
        ):
            yield f"at a level {other} is faster, and it is not said that levels disagree: {pair}"


def _faster_at_levels(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold each level at which one is said to be faster against its row, if the report has it."""
    at_levels = [pair for pair in place.tables.pairs if not pair.is_over_levels]
    for name, levels in re.findall(r"(\S+) \(([\d, ]+)\)", match["names"]):
        for level in levels.split(", "):
            rows = [p for p in at_levels if p.level == level and {p.first, p.second} == {name, match["first"]}]
            if at_levels and not any(pair.winner == name for pair in rows):
                yield f"the table has {rows} at {level}"


def _no_common(match: re.Match[str], place: Place) -> Iterator[str]:
    """Find rows of entries that are said to have no block in common with the first."""
    names, more = listed(match["names"])
    yield from _grouped(match["first"], [match["first"], *names], more, place)
    yield from (f"the table has {pair}" for pair in _with(place, match["first"], names))


def _nobody(_: re.Match[str], place: Place) -> Iterator[str]:
    """Find one that is behind nobody by the table."""
    first = [name for name, rank in place.tables.ranked.items() if rank[0] == 1]
    if first or not place.tables.basis:
        yield f"by the ranks it may be {first}"


def _not_comparable(_: re.Match[str], place: Place) -> Iterator[str]:
    """Find ranks or outcomes over all levels where nothing is to be compared, and rows that are all alike."""
    if place.tables.basis or place.tables.ranked:
        yield f"the table ranks by {place.tables.basis}: {place.tables.ranked}"
    rows = [r for r in place.report.cells if r["test"] == place.test and r["limited by"] != "client"]
    if all(map(_is_full, rows)) or not any(row["limited by"] in FULL for row in rows):
        yield "some rows filled the host and others did not; by the table of bottlenecks that is not so"


def _alone(_: re.Match[str], place: Place) -> Iterator[str]:
    if place.tables.ranked or place.tables.basis:
        yield f"the table ranks by {place.tables.basis}: {place.tables.ranked}"


def _in_both(match: re.Match[str], place: Place) -> Iterator[str]:
    for figure, told in ((RATE, match["rate"]), (PER_CPU, match["cost"])):
        pair, found = place.tables.pair(match["first"], match["second"], figure), printed(told or "")
        if (pair.ratio.bare if pair else None) != (found.bare if found else None):
            yield f"the row: {pair}"


def _levels_disagree(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold what single levels say against their rows, if the report has them."""
    first, second = match["first"], match["second"]
    for told, level in re.findall(r"(\d+\.\d+(?: \[[^\]]+\])?(?: \(90 %\))?) at (\d+)", match["levels"]):
        rows = [p for p in place.tables.pairs if p.level == level and {p.first, p.second} == {first, second}]
        rows = [pair for pair in rows if pair.outcome != "–"]
        found = printed(told)
        if found is None:
            yield f"not read: {told}"
        for pair in rows:
            yield from agrees(
                Claim(second, pair.figure, found.figure, found.low, found.high, found.half_unit, False, level)
                if found
                else None,
                first,
                pair,
            )


def _may_lead(first: str, place: Place) -> Iterator[str]:
    """Find that one cannot be first that is told first: another is faster, or its best rank is above 1."""
    rank = place.tables.ranked.get(first)
    if rank is None or rank[0] != 1:
        yield f"{first} is told first with the rank {rank}"
    if next(iter(place.tables.ranked), None) != first:
        yield f"{next(iter(place.tables.ranked), None)} stands first in the table"


def _claimed(text: str, first: str, place: Place, of: Sequence[str], more: int) -> Iterator[str]:
    """Hold how much more one has against the table's row of the two; and that the other is the last, of these."""
    made = claim(text)
    if made is None:
        yield f"not read: {text}"
        return
    if made.figure != place.tables.basis:
        yield f"told in {made.figure}, ranked by {place.tables.basis}"
    yield from agrees(made, first, place.tables.pair(first, made.other, made.figure))
    relative = {name: figure.figure for name, figure in place.tables.relative.items()}
    gaps = {name: relative[name] for name in of if name != first and name in relative}
    if gaps and not more and (made.other not in gaps or gaps[made.other] > min(gaps.values())):
        yield f"the last is {min(gaps, key=lambda name: gaps[name])}"


def agrees(made: Claim | None, first: str, pair: Pair | None) -> Iterator[str]:
    """Hold a claim against the table's row of the same two."""
    if made is None:
        return
    if pair is not None and made.over != pair.level:
        yield f"told over {made.over}, the row is over {pair.level}"
    if pair is None:
        yield f"the table has no row of {first} and {made.other}"
        return
    low, high = pair.ratio.low, pair.ratio.high
    figures = [pair.ratio.figure, low, high]
    if pair.first != first:
        figures = [
            None if figure is None else 1 / figure if figure else None for figure in (pair.ratio.figure, high, low)
        ]
    told = [made.ratio, made.low, made.high]
    for name, mine, theirs in zip(("ratio", "low", "high"), told, figures, strict=True):
        # A bound of the 90 % interval in one place and of the 95 % one in the other tell of different things.
        if mine is None or theirs is None:
            if (mine is None) != (theirs is None) and not pair.ratio.is_too_wide and not pair.ratio.is_90:
                yield f"{name}: {mine} here, {theirs} in the table"
            continue
        slack = made.half_unit + pair.ratio.half_unit * max(1.0, theirs**2)
        if abs(mine - theirs) > slack and not (pair.ratio.is_90 and name != "ratio"):
            yield f"{name}: {mine:.3f} here, {theirs:.3f} in the table"
    if made.low is not None and made.high is not None and not made.low - 1e-9 <= made.ratio <= made.high + 1e-9:
        yield "the ratio lies outside its interval"


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
    """Hold a ratio of rates against its row, and what is said of it against its interval."""
    pair, found = place.tables.pair(match["first"], match["second"], RATE), printed(match["ratio"])
    if pair is None or found is None:
        yield "the table has no such row"
        return
    made = Claim(match["second"], RATE, found.figure, found.low, found.high, found.half_unit, False, pair.level)
    yield from agrees(made, match["first"], pair)
    if match["untold"] and found.leaves_out_1:
        yield "an interval without 1 is said not to be told from 1"
    if not match["untold"] and found.holds_1:
        yield "it is not said that it cannot be told from 1"


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
        for row in place.report.cells:
            if row["test"] == test and row["limited by"] != "client" and not _is_full(row):
                yield f"{row['entry']} at {row['level']} has a host that is {row['host idle']} idle"


def _is_full(row: Row) -> bool:
    return row["host idle"].endswith("%") and float(row["host idle"].rstrip("%")) <= 10


RATIO = r"\d+\.\d+(?: \[[^\]]+\])?(?: \(90 %\))?"
LAST = r"(?:, and (?P<last>.+?), the last)?"
GRAMMAR: Sequence[Sentence[Place]] = (
    Sentence("not measured", r"Not measured\.", _not_measured),
    Sentence("wrk limited all", r"wrk was the limit of every row: .+? none has a rank\.", _all_bound),
    Sentence(
        "the only one", r"(?P<first>\S+) is the only entry with a rank, so there is nothing to compare it with\.", _only
    ),
    Sentence("nobody leads", r"Nobody leads: each entry is behind another in the levels that both have\.", _nobody),
    Sentence(
        "nothing compares",
        r"Nobody leads: some rows filled the host and others did not, so neither requests per second nor requests per "
        r"CPU-second are comparable over all levels\.",
        _not_comparable,
    ),
    Sentence("nothing to compare", r"There is nothing to compare (?P<first>\S+) with\.", _alone),
    Sentence(
        "in both figures",
        r"(?P<first>\S+) / (?P<second>\S+) is (?P<rate>" + RATIO + r") in requests per second"
        r"(?: and (?P<cost>" + RATIO + r") in requests per CPU-second)?\.",
        _in_both,
    ),
    Sentence(
        "cannot be told apart",
        r"(?P<names>[^:.]+?) cannot be told apart(?: from (?P<of>\S+))?: (?P<first>\S+) has (?P<lead>.+?)"
        r"(?P<last>, the last of them)?(?:; among (?P<among>\d+) pairs chance alone can make such a gap|"
        r"(?P<bare>; one block alone has both, so nobody knows by how much that would vary)|"
        r"; (?P<few>\d+ blocks?) are too few to tell)?\.",
        _undecided,
    ),
    Sentence(
        "equal",
        r"(?P<names>[^:.]+?) are equal(?: to (?P<of>\S+))?: their (?P<measure>requests per (?:CPU-)?second) lie within "
        r"3% of (?:each other|its own)\.",
        _equal,
    ),
    Sentence(
        "levels disagree", r"Levels disagree: (?P<first>\S+) / (?P<second>\S+) is (?P<levels>.+?)\.", _levels_disagree
    ),
    Sentence(
        "faster at levels",
        r"At single levels (?P<names>[^:.]+) (?:is|are) faster than (?P<first>\S+)\.",
        _faster_at_levels,
    ),
    Sentence("no block in common", r"(?P<first>\S+) has no block in common with (?P<names>[^:.]+?)\.", _no_common),
    Sentence(
        "ahead",
        r"(?P<first>\S+) (?:leads|is ahead of (?P<names>[^:]+?)): it has (?P<lead>.+?)" + LAST + r"\.",
        _ahead,
    ),
    Sentence(
        "in rates",
        r"In requests per second, (?P<first>\S+) / (?P<second>\S+) is (?P<ratio>" + RATIO + r")"
        r"(?P<untold> and cannot be told from 1)?\.",
        _in_rates,
    ),
    Sentence("absent", r"(?P<names>[^:.]+?) (?:was|were) not measured\.", _absent),
    Sentence("limits", r"Limited by (?P<limits>.+?\))\.", _limits),
    Sentence("ranks by CPU", r"So the ranks are made of requests per CPU-second\.", _ranked_by_cost),
)
# What is said of all tests together.
GENERAL: Sequence[Sentence[Place]] = (
    Sentence("no answer", r"No sample counts, so there is no answer\.", _no_answer),
    *(sentence for sentence in GRAMMAR if sentence.kind in ("limits", "ranks by CPU")),
)
