"""Holds a page against the report of the same run: the same sentences, the same tables, and the words of its plots."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from .answers import LIMITS
from .findings import Findings
from .printed import Page, Row, Section, Table, page
from .sampled import Sampled
from .tables import OfTest, Report, is_brief, printed
from .telling import Texts

ARROWS = " The arrow keys go from dot to dot."
# What every page has beside the report: what stands around it, and beside its plots.
CONSTANT = (
    r"",
    r"benchlab",
    r"The plots need JavaScript, .+",
    r"Further right is better; .+",
    r"Each change alone, and with × what two do together .+",
    r"A large mark is the mean over the blocks, .+",
    r"▲ faster ▼ slower \? cannot be told apart = equal within 3% .+",
    r"Every sample as a share of the mean of its row, .+",
    r"Full: of app, database and proxy together, .+",
    r"The most that the app was seen to hold, .+",
    r"Made by benchlab .+",
    r".+ on \d+ CPUs?(?: \(.+\))?, \d{4}-\d\d-\d\d \d\d:\d\d UTC",
)
FILES = "Files of the run: "
BEWARE = "Before you believe it:"
NAVIGATION = ("factors", "overview", "bottlenecks", "all metrics", "samples", "rounds", "the run", "method", "again")
TEST = r"(?P<test>[\w-]+)"
# What the plots tell a reader who cannot see them, each up to the first so many figures.
MORE = r"(?:; \d+ more stand in the table)?\."


def check(texts: Texts, report: Report, sampled: Sampled) -> Findings:
    """Return what the page says, and where it says something else than the report."""
    findings, shown = Findings(), page(texts.page)
    paragraphs, bullets = same(report.sections, shown, findings)
    for paragraph in paragraphs.elements():
        if not paragraph.startswith(FILES):
            _paragraph(paragraph, report, sampled, findings)
    findings.unread += [("page", bullet) for bullet in bullets.elements() if bullet not in (*NAVIGATION, *report.tests)]
    _tables(shown, report, findings)
    return findings


def same(sections: Sequence[Section], shown: Page, findings: Findings) -> tuple[Counter[str], Counter[str]]:
    """Find what the page lacks of a text, or has otherwise; return the paragraphs and bullets that it has beside."""
    paragraphs, bullets = Counter(shown.paragraphs), Counter(shown.bullets)
    for section in sections:
        for line in section.whole:
            if not line.startswith(FILES) and line != BEWARE and not is_brief(line):
                _same("paragraph", line, paragraphs, findings)
        for line in section.bullets:
            _same("bullet", line, bullets, findings)
        for table in section.tables:
            findings.hold("table of a page", section.title, _table(section, table, shown))
    return +paragraphs, +bullets


def _same(kind: str, line: str, shown: Counter[str], findings: Findings) -> None:
    """Find a line that the page does not have, or not as often; and note that it was read."""
    words = " ".join(line.split())
    findings.hold(f"{kind} of a page", line, iter(() if shown[words] > 0 else ("not on the page",)))
    shown[words] -= 1


def _table(section: Section, table: Table, shown: Page) -> Iterator[str]:
    """Hold a table against that of the page, which may have more columns."""
    headings = tuple(" ".join(heading.split()) for heading in (section.within, section.title))
    same = [
        [{column: row[column] for column in table.columns} for row in other.rows]
        for other in shown.tables
        if (other.within, other.caption) == headings and set(table.columns) <= set(other.columns)
    ]
    wanted = [{column: " ".join(cell.split()) for column, cell in row.items()} for row in table.rows]
    has_less = any(map(is_brief, section.paragraphs))
    if same != [wanted] and not (has_less and len(same) == 1 and all(row in same[0] for row in wanted)):
        yield f"the page has {same}"


def _paragraph(text: str, report: Report, sampled: Sampled, findings: Findings) -> None:
    """Read a paragraph that the report does not have: one of every page, or the words of a plot."""
    if any(re.fullmatch(known, text) for known in CONSTANT):
        findings.read["constant of a page"] += 1
        return
    limited = re.fullmatch(r"(Limited by .+) Shares of the host's CPU time while samples ran; .+", text)
    if limited:
        findings.hold("limits beside a plot", text, _limits(limited[1], report))
        return
    words = text.removesuffix(ARROWS)
    for kind, pattern, check in PLOTS:
        if match := re.fullmatch(pattern, words):
            findings.hold(kind, words, check(match, report, sampled))
            return
    findings.unread.append(("page", text))


def _limits(told: str, report: Report) -> Iterator[str]:
    bullets = " ".join(report.top.bullets)
    if told not in bullets:
        yield "the report says it otherwise"


def _overall(match: re.Match[str], report: Report, _: Sampled) -> Iterator[str]:
    for told in match["figures"].split("; "):
        test, entry, figure = told.split(" ", 2)
        if printed(figure) != report.tests[test].relative.get(entry):
            yield f"{told}: the summary has {report.tests[test].relative.get(entry)}"


def _rates(match: re.Match[str], report: Report, _: Sampled) -> Iterator[str]:
    cells = (
        {(r["test"], r["level"], entry): r[entry] for r in report.overview.rows for entry in r}
        if report.overview
        else {}
    )
    for entry, level, figure in re.findall(r"(\S+) at (\d+): ([^;]+)", match["figures"]):
        told, cell = printed(figure), printed(cells.get((match["test"], level, entry), ""))
        if told is None or cell is None or (told.figure, told.low, told.high) != (cell.figure, cell.low, cell.high):
            yield f"{entry} at {level}: {figure}, the overview has {cells.get((match['test'], level, entry))}"


def _memory(match: re.Match[str], report: Report, _: Sampled) -> Iterator[str]:
    rows = {row["entry"]: row["peak memory, MB"] for row in report.tests[match["test"]].summary}
    for told in match["figures"].split("; "):
        entry, figure = told.rsplit(" ", 1)
        if rows.get(entry) != figure:
            yield f"{entry}: {figure}, the summary has {rows.get(entry)}"


def _course(match: re.Match[str], _: Report, sampled: Sampled) -> Iterator[str]:
    counts = {
        (len([r for r in sampled.taken if r["test"] == test]), _blocks(test, sampled), _unused(test, sampled))
        for test in {row["test"] for row in sampled.taken}
    }
    if (int(match["taken"].replace(",", "")), int(match["blocks"]), int(match["unused"])) not in counts:
        yield f"of the tests' samples: {sorted(counts)}"


def _blocks(test: str, sampled: Sampled) -> int:
    return len({row["block"] for row in sampled.counting if row["test"] == test})


def _unused(test: str, sampled: Sampled) -> int:
    return sum(row["test"] == test for row in sampled.taken) - sum(row["test"] == test for row in sampled.counting)


def _cpus(match: re.Match[str], report: Report, _: Sampled) -> Iterator[str]:
    for entry, level, shares, limit in re.findall(r"(\S+) at (\d+): ([^;]*); limited by ([^;]+)", match["figures"]):
        rows = [r for r in report.cells if (r["test"], r["entry"], r["level"]) == (match["test"], entry, level)]
        if not rows or LIMITS.get(limit) != rows[0]["limited by"]:
            yield f"{entry} at {level}: {limit}, the table of bottlenecks has {rows}"
        for name, share in re.findall(r"([a-z ]+?) (\d+%)", shares):
            if rows and rows[0].get(name.strip()) != share:
                yield f"{entry} at {level}: {name.strip()} {share}, in the table {rows[0].get(name.strip())}"


def _nothing(*_: object) -> Iterator[str]:
    return iter(())


def _no_standings(_: re.Match[str], report: Report, __: Sampled) -> Iterator[str]:
    if found := {test: list(of_test.relative) for test, of_test in report.tests.items() if of_test.relative}:
        yield f"the summaries have {found}"


PLOTS = (
    (
        "plot: no standings",
        r"Each entry's value over all levels, relative to (?:the leader|\S+)'s: nothing is known\.",
        _no_standings,
    ),
    ("plot: nothing", rf"{TEST}, .+: nothing is known\.", _nothing),
    (
        "plot: standings",
        rf"Each entry's value over all levels, relative to (?:the leader|\S+)'s: (?P<figures>.+?){MORE}",
        _overall,
    ),
    ("plot: rates", rf"{TEST}, requests/s: (?P<figures>.+?){MORE}", _rates),
    ("plot: CPU-seconds", rf"{TEST}, requests/CPU-s of app, database and proxy: (?P<figures>.+?){MORE}", _nothing),
    ("plot: memory", rf"{TEST}, peak memory of the app in MB: (?P<figures>.+?){MORE}", _memory),
    (
        "plot: course",
        r"(?P<taken>[\d,]+) samples? of (?P<blocks>\d+) blocks?, (?P<unused>\d+) of which do not count: each .+",
        _course,
    ),
    ("plot: CPUs", rf"{TEST}, CPU used by each role: (?P<figures>.+?){MORE}", _cpus),
    ("plot: factors", rf"What each factor did, over all levels: (?P<figures>.+?){MORE}", _nothing),
)


def _tables(shown: Page, report: Report, findings: Findings) -> None:
    """Hold what the page has more of against the report's tables: all metrics, and the squares of who against whom."""
    for table in shown.tables:
        if match := re.match(r"([\w-]+): all metrics", table.caption):
            for row in table.rows:
                findings.hold("row of all metrics", str(dict(row)), _figures(match[1], row, report))
    for test, caption, squares in shown.heat_maps:
        for first, second, title in squares:
            told = f"{test}, {caption}: {first} / {second} {title}"
            findings.hold("square", told, _square(report.tests[test], caption, first, second, title))


def _figures(test: str, row: Row, report: Report) -> Iterator[str]:
    cells = (
        {r["level"]: r.get(row["entry"], "") for r in report.overview.rows if r["test"] == test}
        if report.overview
        else {}
    )
    mine, theirs = printed(row["requests/s"]), printed(cells.get(row["level"], ""))
    if mine and theirs:
        if (mine.figure, mine.low, mine.high, mine.is_bound) != (
            theirs.figure,
            theirs.low,
            theirs.high,
            theirs.is_bound,
        ):
            yield f"the overview has {cells[row['level']]}"
    elif row["requests/s"] != cells.get(row["level"]):
        yield f"the overview has {cells.get(row['level'])}"
    limits = [
        r["limited by"]
        for r in report.cells
        if (r["test"], r["level"], r["entry"]) == (test, row["level"], row["entry"])
    ]
    if limits != ([] if row["limited by"] == "–" else [row["limited by"]]):
        yield f"the table of bottlenecks has {limits}"


def _square(of_test: OfTest, caption: str, row: str, column: str, title: str) -> Iterator[str]:
    """Hold a square against the row of ratios of the same two, where the report has it."""
    figure, _, where = caption.partition(", ")
    level = "all" if where.startswith("over all") else re.sub(r"\D", "", where)
    pairs = [
        pair
        for pair in of_test.pairs
        if {pair.first, pair.second} == {row, column}
        and pair.figure == figure
        and (pair.is_over_levels if level == "all" else pair.level == level)
    ]
    title = title.partition(", compared through ")[0]
    told = printed(title)
    if not pairs:
        if told is not None and level == "all":
            yield "the report has no such row"
        return
    pair = pairs[0]
    if told is None:
        yield f"the report has {pair}"
        return
    word = title.rpartition(", ")[2]
    theirs = (
        pair.outcome if pair.first == row else {"faster": "slower", "slower": "faster"}.get(pair.outcome, pair.outcome)
    )
    if word != ("no outcome" if pair.outcome == "–" else theirs):
        yield f"the report has {pair}"
    if pair.first == row and (told.figure, told.low, told.high) != (pair.ratio.figure, pair.ratio.low, pair.ratio.high):
        yield f"the report has {pair}"
