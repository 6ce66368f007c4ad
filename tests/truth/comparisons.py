"""The sentences of new held against old, and the gate's: against the table's rows, and these against the samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np

from . import pages, sampled, untold
from .cautions import WIDEST
from .findings import Findings, Sentence, fine, read
from .printed import Row, Section, page, sections
from .sampled import PER_CPU, RATE, Sampled, Versus, holm
from .table_checker import ALPHA, DOWN, LEAST_BLOCKS, UP, beside_1, outcome
from .tables import FULL, MEASURES, UNCLEAR, Printed, Report, is_full, is_spare, levels_of, number, printed
from .telling import Compared, Records

# What a sentence calls each outcome of a row; of two runs at two times, the last four.
WORDS = {
    "went up": "faster",
    "went down": "slower",
    "are within 3% of what they were": "equal",
    "cannot be told apart from what they were": "cannot be told apart",
    "were higher in the new run": "higher",
    "were lower in the new run": "lower",
    "of the two runs are within 3% of each other": "equal",
    "of the two runs cannot be told apart": "cannot be told apart",
}
# What stands among the warnings.
WARNED = r"These are two runs at two times: |Compared although |Could not be compared: "
# Runs of a version that begin nearer to each other than this are one observation.
BREAK = timedelta(hours=12)


@dataclass(frozen=True)
class Change:
    """A row of the table: new over old; and what the samples say of it, where they can be asked."""

    entry: str
    test: str
    level: str
    figure: str
    ratio: Printed
    count: int
    outcome: str
    own: Versus | None = field(default=None, compare=False)

    @property
    def is_over_levels(self) -> bool:
        return not self.level.isdecimal()

    @property
    def is_known(self) -> bool:
        """Return whether there is an outcome, be it that nothing can be told."""
        return not self.outcome.startswith("too few")

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return the 95 % interval, which the gate decides by: as it is printed, or by the samples."""
        if self.ratio.low is not None and self.ratio.high is not None and not self.ratio.is_90:
            return self.ratio.low, self.ratio.high
        return self.own.bounds[0.95] if self.own else None

    def __str__(self) -> str:
        interval = f"[{self.ratio.low}–{self.ratio.high}]"
        return f"{self.entry} {self.test} {self.level} {self.figure} {self.ratio.figure} {interval} {self.outcome}"


@dataclass
class Place:
    """The rows, the margin of the gate, its exit code, and the lines on what could not be compared."""

    rows: Sequence[Change]
    margin: float
    exit_code: int
    untold: Sequence[str]
    is_two_runs: bool
    # Of baseline and candidate, how many runs and of how many days.
    old: tuple[int, int] = (1, 1)
    new: tuple[int, int] = (1, 1)

    @property
    def limit(self) -> float:
        return 1 - self.margin

    @property
    def over_levels(self) -> list[Change]:
        return [row for row in self.rows if row.is_over_levels]

    def is_open(self, row: Change) -> bool:
        """Return whether a regression of the margin's size is not excluded by the row, as far as it can be seen."""
        return not row.is_known or row.bounds is None or row.bounds[0] <= self.limit + 6e-4

    def is_excluded(self, row: Change) -> bool:
        return row.is_known and row.bounds is not None and row.bounds[0] >= self.limit - 6e-4


def check(compared: Compared) -> Findings:
    findings, versions = Findings(), _Versions(compared)
    parts = {section.title: section for section in sections(compared.text)}
    table = parts["New / old, the worst first"].tables[0]
    rows = [_change(row, versions) for row in table.rows]
    silent = [line for line in compared.said if line.startswith("could not be compared: ")]
    is_two_runs = not compared.is_one_run and len(compared.old) == len(compared.new) == 1
    old, new = ((len(runs), len(set(_days(runs)))) for runs in (compared.old, compared.new))
    place = Place(rows, compared.margin, compared.exit_code, silent, is_two_runs, old, new)
    answer = parts["The answer"]
    warnings = [bullet for bullet in answer.bullets if re.match(WARNED, bullet)]
    bullets = [bullet for bullet in answer.bullets if bullet not in warnings]
    for bullet in bullets:
        read(bullet, CHANGES, place, findings, "comparison")
    findings.hold("a bullet a row", compared.text[:200], _each_once(bullets, place))
    findings.hold("warnings of a comparison", "; ".join(warnings), _warned(warnings, place))
    findings.hold("gate of a comparison", compared.said[-1], _gate(answer.paragraphs, compared))
    findings.hold("the runs", str(parts["What was compared"]), _runs(parts["What was compared"], place))
    for line in compared.said:
        read(line, SAID, place, findings, "gate")
    findings.hold("what is untold", "; ".join(silent), untold.check(silent, compared))
    ratios = [row.ratio.figure for row in rows]
    ordered = all(one <= other + 1e-3 for one, other in pairwise(ratios))
    findings.hold("the worst first", str(ratios), iter(() if ordered else ("not in order",)))
    for row in rows:
        findings.hold("row of a comparison", str(row), _row(row, compared))
        if row.figure == PER_CPU:
            unlike = versions.unlike(row)
            findings.hold(
                "CPU-seconds compare", str(row), iter([f"one version alone filled the host at {unlike}"] * bool(unlike))
            )
    for family in (place.over_levels, [row for row in rows if not row.is_over_levels]):
        findings.hold("outcomes of a comparison", "; ".join(map(str, family[:3])), _together(family))
    if compared.is_one_run and (match := re.search(WIDEST, compared.old[0][1])):
        findings.hold("widest of versions", match[0], _widest(match, place))
    pages.same(list(parts.values()), page(compared.page), findings)
    return findings


def _warned(warnings: Sequence[str], place: Place) -> Iterator[str]:
    """Hold what stands above the rows against what is said of them beside: two runs, and what is untold."""
    silent = [f"C{line[1:]}." for line in place.untold]
    if [line for line in warnings if line.startswith("Could not be compared")] != silent:
        yield f"beside it is said {silent}"
    if any(line.startswith("These are two runs") for line in warnings) != place.is_two_runs:
        yield f"of two runs: {place.is_two_runs}"


def _gate(paragraphs: Sequence[str], compared: Compared) -> Iterator[str]:
    last = compared.said[-1]
    if f"{last[0].upper()}{last[1:]}." not in paragraphs:
        yield f"the document says {paragraphs}"


def _runs(section: Section, place: Place) -> Iterator[str]:
    """Hold how many runs are listed, and what is said of how they are compared."""
    counts = Counter(row["version"] for row in section.tables[0].rows)
    if (counts["old"], counts["new"]) != (place.old[0], place.new[0]):
        yield f"listed are {counts}"
    method, corrected = section.bullets
    if not corrected.startswith("The outcomes over all levels are corrected together (Holm)"):
        yield f"not read: {corrected}"
    if match := re.match(
        r"(.+) are compared by day: old runs that began .+ count once, and so do new ones\. Each day .+", method
    ):
        yield from _counted(match[1], place)
    elif method.startswith("The two runs share no time") != place.is_two_runs:
        yield f"of two runs: {place.is_two_runs}"
    elif not method.startswith(("The two runs share no time", "Old and new were measured in turns in one run")):
        yield f"not read: {method}"


def _days(runs: Sequence[tuple[Records, str]]) -> list[int]:
    """Return of each run the day that it is of: how many breaks there were before it."""
    began = [records.began for records, _ in runs]
    breaks = [after for before, after in pairwise(sorted(began)) if after - before >= BREAK]
    return [sum(after <= moment for after in breaks) for moment in began]


def _widest(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold how well the ratios of new to old are known by the report of the run against the samples of the rows."""
    bounds = [(row.own.middle, row.own.bounds[0.95]) for row in place.over_levels if row.own]
    reached = [both[1] / middle - 1 for middle, both in bounds if both]
    if bool(match["bare"]) != (len(reached) < len(place.over_levels)):
        yield "that some have no interval is said where that is so, and there alone"
    if abs(number(match["widest"]) - 100 * max(reached, default=0.0)) > 0.0501:
        yield f"by the rows {max(reached, default=0.0):.2%}"


class _Versions:
    """The samples of both versions, under the names that they are compared by, without the rates that wrk limited."""

    def __init__(self, compared: Compared):
        self._compared = compared
        self._runs = {"old": list(map(self._run, compared.old)), "new": list(map(self._run, compared.new))}
        self._full, self._spare = (
            {which: _cells(of, full) for which, of in (("old", compared.old), ("new", compared.new))}
            for full in (True, False)
        )
        self._names = {origin: entry for entry, origin in compared.old[0][0].versions.items()}

    def _run(self, of: object) -> tuple[Sampled, set[tuple[str, str, int]]]:
        assert isinstance(of, tuple)
        records, text = of
        cells = Report(text).cells
        bound = {(r["entry"], r["test"], int(r["level"])) for r in cells if r["limited by"] == "client"}
        return Sampled(records.samples_csv), bound

    def unlike(self, row: Change) -> list[int]:
        """Return the levels of the row at which one version filled the host and the other had time to spare."""
        names = {"old": self._old_name(row), "new": row.entry}
        found = []
        for level in levels_of(row.level, self._known(row)):
            full, spare = (
                {which for which in names if (names[which], row.test, level) in cells[which]}
                for cells in (self._full, self._spare)
            )
            found += [level] if full and spare - full else []
        return found

    def own(self, row: Change) -> Versus | None:
        """Return the row from the samples, over the levels that it says; None where one of them has nothing of both."""
        levels = self._levels(row)
        chosen = levels_of(row.level, self._known(row))
        if not chosen or not set(chosen) <= levels.keys():
            return None
        found = [levels[level] for level in chosen]
        if self._compared.is_one_run:
            whole = sampled.paired(found, self._pilot(row, levels, chosen))
            return sampled.in_pairs(whole) if whole is not None and whole.blocks else None
        both = sampled.unpaired(found)
        return sampled.apart(*both) if both else None

    def _pilot(
        self, row: Change, levels: Mapping[int, tuple[Mapping[int, float], Mapping[int, float]]], chosen: Sequence[int]
    ) -> int | None:
        """Return the pilot's blocks, where their spread decided the number of blocks and they are over these levels."""
        pilot = self._compared.old[0][0].deciding_pilot
        left = [] if row.figure != PER_CPU else self.unlike(replace(row, level="all"))
        every = levels.keys() - left if row.is_over_levels else set(chosen)
        shared = {at: set(new) & set(old) for at, (new, old) in levels.items() if at in every}
        return pilot if sampled.kept(sampled.up_to(shared, pilot)) == list(chosen) else None

    def _known(self, row: Change) -> list[int]:
        """Return the levels that both versions were to measure, and one has samples of."""
        planned, measured = [], set()
        for which, of in (("old", self._compared.old), ("new", self._compared.new)):
            name = self._old_name(row) if which == "old" else row.entry
            planned.append({at for r, _ in of if row.test in r.tests.get(name, ()) for at in r.levels[row.test]})
            for run, _ in self._runs[which]:
                measured |= {at for at in planned[-1] if run.logs(RATE, row.test, name, at)}
        return sorted(planned[0] & planned[1] & measured)

    def _old_name(self, row: Change) -> str:
        return self._names.get(row.entry, row.entry) if self._compared.is_one_run else row.entry

    def _levels(self, row: Change) -> dict[int, tuple[Mapping[int, float], Mapping[int, float]]]:
        """Return new and old, by block or day, in each level that both have."""
        every = {
            level for records, _ in (*self._compared.old, *self._compared.new) for level in records.levels[row.test]
        }
        found = {}
        for level in every:
            new, old = (
                self._logs(which, row, name, level)
                for which, name in (("new", row.entry), ("old", self._old_name(row)))
            )
            if self._compared.is_one_run and new and old:
                run, _ = self._runs["new"][0]
                new, old = run.in_common(row.figure, row.test, [row.entry, self._old_name(row)], level)
            if new and old:
                found[level] = new, old
        return found

    def _logs(self, which: str, row: Change, name: str, level: int) -> Mapping[int, float]:
        """Return the logarithm of the figure by block; of several runs by day: the mean over its runs' means."""
        runs = self._runs[which]
        if row.figure == RATE and any((name, row.test, level) in bound for _, bound in runs):
            return {}
        logs = [of.logs(row.figure, row.test, name, level) for of, _ in runs]
        if len(self._compared.old) == len(self._compared.new) == 1:
            return logs[0]
        means: dict[int, list[float]] = {}
        for day, of in zip(_days(self._compared.old if which == "old" else self._compared.new), logs, strict=True):
            if of:
                means.setdefault(day, []).append(float(np.mean(list(of.values()))))
        return {day: float(np.mean(of)) for day, of in means.items()}


def _cells(runs: Sequence[object], full: bool) -> set[tuple[str, str, int]]:
    """Return the rows of bottlenecks that were limited by the full host; or that left it time to spare."""
    found = set()
    for of in runs:
        assert isinstance(of, tuple)
        for row in Report(of[1]).cells:
            if row["limited by"] in FULL if full else is_spare(row) and not is_full(row):
                found.add((row["entry"], row["test"], int(row["level"])))
    return found


def _change(row: Row, versions: _Versions) -> Change:
    interval = next(row[column] for column in row if "interval" in column)
    found = printed(row["new / old"] if interval == "–" else f"{row['new / old']} {interval}")
    assert found is not None
    count = int(row["blocks"] if "blocks" in row else row["days"])
    made = Change(row["entry"], row["test"], row["level"], row["metric"], found, count, row["outcome"])
    return Change(**{**vars(made), "own": versions.own(made)})


def _row(row: Change, compared: Compared) -> Iterator[str]:
    """Hold a row against the samples, and its outcome against the interval beside it."""
    yield from outcome(row.outcome, row.ratio)
    own = row.own
    if own is None:
        if row.count:
            yield "by the samples no block has both in all of its levels"
        return
    if own.count != row.count:
        yield f"by the samples it has {own.count} {'blocks' if compared.is_one_run else 'of each'}"
    if not row.ratio.shows(own.middle):
        yield f"by the samples it is {own.middle:.5f}"
    if row.is_known == (row.count < LEAST_BLOCKS):
        yield f"it has {row.count}"
    bounds = own.bounds[0.90 if row.ratio.is_90 else 0.95]
    if bounds is None or row.ratio.is_too_wide:
        return
    yield from beside_1(row.ratio, own.middle, bounds)
    if not row.ratio.shows_bounds(*bounds):
        yield f"by the samples [{bounds[0]:.5f}–{bounds[1]:.5f}]"


def _together(family: Sequence[Change]) -> Iterator[str]:
    """Hold outcomes that are corrected together against Holm's correction of the samples' own tests."""
    known = [(row, row.own.p) for row in family if row.own and row.own.p is not None and row.count >= LEAST_BLOCKS]
    for (row, _), adjusted in zip(known, holm([p for _, p in known]), strict=True):
        if row.own and row.outcome not in (*UP, *DOWN) and row.own.is_equal not in (None, row.outcome == "equal"):
            yield f"by the samples' 90 % interval {row.own.bounds[0.90]}: {row}"
        if abs(adjusted - ALPHA) > 1e-6 and (row.outcome in (*UP, *DOWN)) != (adjusted <= ALPHA):
            yield f"corrected for {len(known)}, p is {adjusted:.4f}: {row}"
        if (match := UNCLEAR.fullmatch(row.outcome)) and int(match[1]) != len(known):
            yield f"corrected for {len(known)}: {row}"


def _each_once(bullets: Sequence[str], place: Place) -> Iterator[str]:
    if len(bullets) != len(place.over_levels):
        yield f"{len(bullets)} sentences, {len(place.over_levels)} rows over all levels"


def _found(match: re.Match[str], place: Place) -> Change | None:
    level = (match["but"] or match["alone"] or "all").replace("all levels", "all")
    named = (match["entry"], match["test"], level, MEASURES[match["measure"]])
    rows = [row for row in place.rows if (row.entry, row.test, row.level, row.figure) == named]
    return rows[0] if len(rows) == 1 else None


def _told(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold a sentence against its row: the ratio and the interval to the last digit, the word by its outcome."""
    row, told = _found(match, place), printed(match["figure"])
    if row is None or told is None:
        yield "the table has no such row"
        return
    if (told.bare, told.is_90) != (row.ratio.bare, row.ratio.is_90):
        yield f"the row: {row}"
    if (WORDS[match["word"]] if match["word"] else match["unclear"]) != row.outcome:
        yield f"the row says {row.outcome}"
    if ("two runs" in match[0] or "new run" in match[0]) and not place.is_two_runs:
        yield "there are not two runs"


def _bare(match: re.Match[str], place: Place) -> Iterator[str]:
    row, told = _found(match, place), printed(match["figure"])
    if row is None or told is None:
        yield "the table has no such row"
        return
    if told.bare != row.ratio.bare or row.is_known:
        yield f"the row: {row}"
    if match["why"].startswith(("no ", "one ")) and row.count != {"n": 0, "o": 1}[match["why"][0]]:
        yield f"the row has {row.count}"
    if (count := re.match(r"(\d+) ", match["why"])) and int(count[1]) != row.count:
        yield f"the row has {row.count}"


def _passed(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold that nothing got slower against every row: over all levels, and of single ones those that are slower."""
    if place.exit_code != 0:
        yield f"exit code {place.exit_code}"
    yield from _margin(match["margin"], place)
    if abs(float(match["limit"]) - place.limit) > 1e-9:
        yield f"the margin is {place.margin}"
    if float(match["lowest"]) <= float(match["limit"]):
        yield "the lowest is not above"
    lowest = min((row.bounds[0] for row in place.over_levels if row.bounds), default=0.0)
    if abs(float(match["lowest"]) - lowest) > 6e-4:
        yield f"the lowest is {lowest}"
    yield from (f"not above: {row}" for row in place.over_levels if not place.is_excluded(row))
    yield from (f"it lacks levels: {row}" for row in place.over_levels if row.level != "all")
    for row in place.rows:
        if not row.is_over_levels and row.outcome == "slower" and not place.is_excluded(row):
            yield f"a level got slower, maybe by the margin: {row}"
    if place.untold or place.is_two_runs:
        yield f"it says too that {place.untold}, of two runs: {place.is_two_runs}"


def _shown(place: Place) -> list[Change]:
    """Return the rows that show a regression beyond doubt."""
    if place.is_two_runs:
        return []
    return [
        row
        for row in place.rows
        if row.outcome == "slower" and row.bounds and row.bounds[0 if row.is_over_levels else 1] < place.limit - 6e-4
    ]


def _failed(match: re.Match[str], place: Place) -> Iterator[str]:
    if place.exit_code != 1 or place.is_two_runs:
        yield f"exit code {place.exit_code}, of two runs: {place.is_two_runs}"
    told = [_named(text, place) for text in match["rows"].split("; ")]
    for row, text in zip(told, match["rows"].split("; "), strict=True):
        if row is None:
            yield f"the table has no such row: {text}"
        elif row.outcome != "slower" or not place.is_open(row):
            yield f"it is not slower, maybe by the margin: {row}"
        elif not row.is_over_levels and row.bounds and row.bounds[1] > place.limit + 6e-4:
            yield f"its interval does not lie below the margin: {row}"


def _undecided(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold each doubt against the rows; and find a regression that is shown, and no doubt at all."""
    if place.exit_code != 3:
        yield f"exit code {place.exit_code}"
    yield from _margin(match["margin"], place)
    yield from (f"a regression is shown: {row}" for row in _shown(place))
    yield from _silent(match["doubts"], place)
    for doubt in match["doubts"].split("; and "):
        for pattern, held in DOUBTS:
            if found := re.fullmatch(pattern, doubt):
                yield from held(found, place)
                break
        else:
            yield f"not read: {doubt}"
    if bool(place.untold) != ("could not be compared" in match["doubts"]):
        yield "what could not be compared stands in one place only"


def _silent(doubts: str, place: Place) -> Iterator[str]:
    """Find a doubt that the rows ask for and that is not told; of two runs at two times none of a row is."""
    for row in [] if place.is_two_runs else place.rows:
        is_open = not row.is_known or row.bounds is None or row.bounds[0] < place.limit - 6e-4
        at = "" if row.level == "all" else f" at {row.level}"
        if row.is_over_levels and row.level != "all" and f"{row.figure} is a mean over {row.level}" not in doubts:
            yield f"it is not told that this lacks levels: {row}"
        is_asked = is_open and (row.is_over_levels or row.outcome == "slower")
        if is_asked and f"{row.entry} {row.test}{at} {row.figure} " not in doubts:
            yield f"it is not told: {row}"


def _two_runs(_: re.Match[str], place: Place) -> Iterator[str]:
    if not place.is_two_runs:
        yield "there are not two runs at two times"


def _noise(match: re.Match[str], place: Place) -> Iterator[str]:
    rows = [row for text in match["rows"].split("; ") if (row := _named(text, place))]
    if len(rows) != match["rows"].count("; ") + 1:
        yield f"the table does not have them all: {match['rows']}"
    yield from (f"the margin is excluded: {row}" for row in rows if not place.is_open(row))
    is_below = "lies below" in match["needed"]
    for row in rows:
        if row.is_known and (
            row.ratio.figure > place.limit + 6e-4 if is_below else row.ratio.figure < place.limit - 6e-4
        ):
            yield f"said of a ratio beyond the margin: {row}"
    count = re.search(r"about ([\d,]+) (?:block|day)", match["needed"])
    if count and number(count[1]) <= max(row.count for row in rows):
        yield "there are as many already"
    if "at least" in match["needed"] and any(row.is_known for row in rows):
        yield "some have as many already"


def _levels(match: re.Match[str], place: Place) -> Iterator[str]:
    rows = [_named(text, place) for text in match["rows"].split("; ")]
    if int(match["count"]) != len(rows):
        yield f"{len(rows)} are told"
    for row in rows:
        if row is None or row.is_over_levels or row.outcome != "slower" or not place.is_open(row):
            yield f"no level that is slower, maybe by the margin: {row}"
    yield from _margin(match["margin"], place)


def _lacking(match: re.Match[str], place: Place) -> Iterator[str]:
    named = (match["entry"], match["test"], match["figure"], match["over"])
    if not any((row.entry, row.test, row.figure, row.level) == named for row in place.rows):
        yield "the table has no such row"


def _silence(match: re.Match[str], place: Place) -> Iterator[str]:
    if number(match["parts"]) != sum(1 for _ in untold.parts(place.untold)):
        yield f"not as many: {place.untold}"


def _margin(told: str, place: Place) -> Iterator[str]:
    if abs(float(told) / 100 - place.margin) > 1e-9:
        yield f"the margin is {place.margin}"


def _too_few(match: re.Match[str], place: Place) -> Iterator[str]:
    """Find a gate that was passed or failed by runs that are said to be of too few days for that; and hold the days."""
    if place.exit_code != 3:
        yield f"exit code {place.exit_code}"
    if min(place.old[1], place.new[1]) >= LEAST_BLOCKS:
        yield f"there are days enough: {place.old}, {place.new}"
    if (match["runs"] == "two runs at two times") != place.is_two_runs:
        yield f"of two runs: {place.is_two_runs}"
    elif not place.is_two_runs:
        yield from _counted(match["runs"], place)


def _once(match: re.Match[str], place: Place) -> Iterator[str]:
    yield from _counted(match["runs"], place)
    if place.old[0] == place.old[1] and place.new[0] == place.new[1]:
        yield "each run has a day of its own"


def _counted(told: str, place: Place) -> Iterator[str]:
    found = re.fullmatch(r"(\d+) old runs? of (\d+) days? and (\d+) new runs? of (\d+) days?", told)
    if found is None or tuple(map(int, found.groups())) != (*place.old, *place.new):
        yield f"they are {place.old} and {place.new}"


def _named(text: str, place: Place) -> Change | None:
    """Return the row that the gate tells as a text such as crax json at 16 requests/s 0.950 [0.940–0.960]."""
    match = re.fullmatch(r"(\S+) (\S+)(?: at ([^r]+?))? (requests/\S+) (\d.*)", text)
    found = printed(match[5]) if match else None
    if match is None or found is None:
        return None
    named = (match[1], match[2], match[3] or "all", match[4])
    for row in place.rows:
        if (row.entry, row.test, row.level, row.figure) == named and abs(row.ratio.figure - found.figure) < 1e-3:
            if row.bounds is None or found.low is None or found.high is None:
                return row
            if np.allclose(row.bounds, (found.low, found.high), atol=2e-3, rtol=2e-3):
                return row
    return None


WHAT = (
    r"(?P<entry>\S+), (?P<test>[\w-]+?)(?: over (?P<but>all levels but [\d, and]+)| at (?P<alone>[\d, and]+ alone))?: "
    r"(?P<measure>requests per (?:CPU-)?second) "
)
FIGURE = r"(?P<figure>\d+\.\d+(?: \[[^\]]+\](?: \(90 %\))?)?)"
CHANGES: Sequence[Sentence[Place]] = (
    Sentence(
        "change", WHAT + rf"(?:(?P<word>{'|'.join(WORDS)})|are (?P<unclear>unclear [^:]+)): " + FIGURE + r"\.", _told
    ),
    Sentence(
        "change of too few",
        WHAT
        + FIGURE
        + r" of (?:the old run|what they were); (?P<why>one (?:block|day) shows no spread|no (?:block|day) "
        r"has all levels|\d+ (?:block|day)s are too few)\.",
        _bare,
    ),
)
SAID: Sequence[Sentence[Place]] = (
    Sentence("not compared", r"could not be compared: .+", fine),
    Sentence(
        "too few days",
        r"(?P<runs>.+) cannot pass or fail a gate, because runs of an unchanged entry differ .+",
        _too_few,
    ),
    Sentence(
        "counted once",
        r"(?P<runs>.+) are compared by day: old runs that began .+ count once, and so do new ones",
        _once,
    ),
    Sentence(
        "gate: passed",
        r"no regression: each test's mean over its levels is above (?P<limit>\d\.\d+) of what it was \(the lowest 95 % "
        r"interval begins at (?P<lowest>\d+\.\d+)\), and no level is shown to be slower by as much as "
        r"(?P<margin>[\d.]+)%$",
        _passed,
    ),
    Sentence("gate: failed", r"slower: (?P<rows>.+)$", _failed),
    Sentence(
        "gate: undecided",
        r"a regression of (?P<margin>[\d.]+)% is neither shown nor excluded: (?P<doubts>.+)$",
        _undecided,
    ),
)
DOUBTS = (
    (r"two runs at two times show how they differ, not whether the entry does", _two_runs),
    (r"not known well enough \((?P<needed>[^)]+)\): (?P<rows>.+)", _noise),
    (r"slower at (?P<count>\d+) levels?, and maybe by (?P<margin>[\d.]+)%: (?P<rows>.+)", _levels),
    (
        r"(?P<entry>\S+) (?P<test>\S+) (?P<figure>requests/\S+) is a mean over (?P<over>all but .+|.+ alone)",
        _lacking,
    ),
    (r"(?P<parts>[\d,]+) parts? could not be compared", _silence),
)
