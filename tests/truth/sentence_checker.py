"""Holds every sentence that the lab says of a run against the tables and the samples that it comes from.

It knows nothing of the code that made them: it reads the text, and works out from samples.csv what can be worked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import answers, cautions, factors_checker, pages, table_checker
from .findings import Findings, read
from .printed import Section, Table, sections
from .sampled import Sampled
from .tables import BRIEF, MEASURES, Report, is_brief
from .telling import Texts

BEWARE = "Before you believe it:"
# What stands in every report, whatever was measured.
CONSTANT = (
    r"Peak memory is the most anonymous memory .+ kept, is\.",
    r"wrk's latencies of pipelined batches are too low: .+ Go by N / X\.",
    r"Rules of the contract that entries broke before a load, .+ a warning changes nothing\.",
    r"An interval that is \[too wide\] reaches beyond 10 times its value, .+ more blocks make it narrower\.",
    r"Outcomes are those of requests/CPU-s: all rows left the host hardly any time to spare \(less than 7%\), .+\.",
    r"A pair \(through another entry\) has no block in common: .+\.",
    r"Some rows filled the host and others did not: over all levels nothing has an outcome, .+\.",
    r"Test types: .+\.",
    r"Standard deviations of the ratio of two entries: .+ \(95 %\)\.",
    r"[\w-]+(?:(?:, [\w-]+)* and [\w-]+)?: (?:lives of containers|rounds explain|one block) .+\.",
    r"A rank spans all places that the entry may have\.",
    r"Each entry is compared with \S+ alone\. Intervals of 95 % hold all at once, .+\.",
    r"The same for all: .+\.",
    r"Files of the run: .+\.",
    r"With the same settings and the same order.*:",
    r"This report from its journal(?:, and what is still missing)?, if the run is in results/:",
    r"No sample was measured\.",
)
METHOD = (
    r"A block (?:visits every entry once|is one lifetime of entries that are up together)[,;] .+",
    r"A value is the geometric mean over the blocks, .+",
    r"“Equal” means within 3%, .+ no outcome\.",
    r"A sample is judged by what happened around it, .+",
    r"The load generator and the database share this host .+",
    r"The load is a closed loop: .+",
    r"An entry is a whole stack: .+",
)
# The titles of what a report says of factors.
FACTORS = r"Factors(?: \(|$)|How the entries are crossed|Factors in "


def check(texts: Texts) -> Findings:
    """Return what the report of a run says, and what is wrong with it."""
    report, sampled = Report(texts.report, texts.page), Sampled(texts.records.samples_csv)
    place = cautions.Place(report, sampled, texts.records)
    findings = Findings()
    top = report.top
    warned = BEWARE in top.paragraphs
    leads = len(texts.lines) - warned
    findings.add(answers.check(top.bullets[:leads], report, sampled, list(texts.records.levels)))
    about = [line for line in top.paragraphs if line != BEWARE]
    findings.add(cautions.check(top.bullets[leads:], about, place))
    findings.add(table_checker.check(report, sampled, texts.records))
    _rest(report, place, findings)
    findings.hold("lines of a run's end", " ".join(texts.lines), _same_lines(texts, top.bullets, warned))
    for told in texts.ahead:
        findings.hold("who is ahead", told, _ahead(told, report))
    if texts.factors:
        findings.add(factors_checker.check(texts.factors, report, sampled))
        findings.hold("factors of a report", texts.factors, _same_factors(texts.factors, report))
    findings.add(pages.check(texts, report, sampled))
    return findings


def _same_factors(text: str, report: Report) -> Iterator[str]:
    """Hold what the report says of factors against `lab.py factors`; without a row of effects it says nothing."""
    alone = [section for section in sections(text) if section.title]
    own = [section for section in report.sections if re.match(FACTORS, section.title)]
    if len(alone) <= 2 and not own:
        return
    if [_content(section) for section in own] != [_content(section) for section in alone]:
        yield f"the report has {own}"


def _content(section: Section) -> tuple[list[str], list[str], list[Table]]:
    paragraphs = [line for line in section.paragraphs if not line.startswith("An interval that is")]
    return paragraphs, section.bullets, section.tables


def _rest(report: Report, place: cautions.Place, findings: Findings) -> None:
    """Read what stands between the tables, and in lists below them."""
    for section in report.sections:
        if section is report.top:
            continue
        study = re.match(r"([\w-]+), by \w+ \w+ing", section.title)
        if re.match(FACTORS, section.title):
            # They are read, by themselves, below.
            continue
        for paragraph in section.paragraphs:
            if is_brief(paragraph):
                findings.hold("rows that the page has", paragraph, _brief(paragraph, section, report))
            elif any(re.fullmatch(constant, paragraph) for constant in CONSTANT):
                findings.read["constant"] += 1
            elif section.title == "Verdicts":
                read(paragraph, (*cautions.JUDGED, *cautions.NOTHING), place, findings, "verdicts")
            elif study:
                read(paragraph, cautions.study(study[1]), place, findings, "study")
            else:
                read(paragraph, cautions.NOTHING, place, findings, section.title)
        if section.title == "Verdicts":
            findings.hold("broken rules", section.title, cautions.broken_counts(report.rules, place.sampled))
        elif section.title == "Not measured":
            findings.hold("not measured", "; ".join(section.bullets), cautions.unmeasured(section.bullets, place))
        elif section.title == "The method, and its limits":
            for bullet in section.bullets:
                if not any(re.fullmatch(known, bullet) for known in METHOD):
                    findings.unread.append((section.title, bullet))
        elif section.bullets and section.title != "Verification":
            findings.unread.append((section.title, section.bullets[0]))
    for of_test in report.tests.values():
        findings.hold("title of a summary", of_test.title, _title(of_test.title, of_test.basis))


def _brief(paragraph: str, section: Section, report: Report) -> Iterator[str]:
    """Hold how many rows a text is said to have, of how many of the page; and that these are of neighbours."""
    if not section.title.startswith("Ratios"):
        return
    of_test = report.tests[section.within.partition(" (")[0]]
    match = next(match for known in BRIEF if (match := known.fullmatch(paragraph)))
    rows = section.tables[0].rows if section.tables else ()
    if int(match["all"]) != len(of_test.pairs):
        yield f"the page has {len(of_test.pairs)}"
    if "shown" not in match.re.groupindex:
        if rows or of_test.control not in ("", match["control"]):
            yield f"{len(rows)} rows, compared with {of_test.control}"
        return
    order = [row["entry"] for row in of_test.summary]
    apart = [row["pair"] for row in rows if not _are_neighbours(row["pair"], order)]
    if int(match["shown"]) != len(rows) or apart:
        yield f"{len(rows)} rows, {apart} of no neighbours"


def _are_neighbours(pair: str, order: Sequence[str]) -> bool:
    first, second = pair.partition(" (through ")[0].split(" / ")
    return abs(order.index(first) - order.index(second)) == 1


def _title(title: str, basis: str) -> Iterator[str]:
    match = re.match(
        r"Summary over all levels, (?:compared (?:with \S+ )?by (requests per (?:CPU-)?second)|not ranked)", title
    )
    if match is None or (MEASURES[match[1]] if match[1] else "") != basis:
        yield f"the table is compared by {basis}"


def _same_lines(texts: Texts, bullets: list[str], warned: bool) -> Iterator[str]:
    """Hold what a run ends with against what its report begins with."""
    *told, last = texts.lines if warned else [*texts.lines, ""]
    if told != bullets[: len(told)]:
        yield f"the report has {bullets[: len(told)]}"
    warnings = " ".join(bullets[len(told) :])
    if warned and last != f"{BEWARE} {warnings}":
        yield f"the report warns: {warnings}"


def _ahead(told: str, report: Report) -> Iterator[str]:
    """Hold who the list of runs says is ahead against the ranks; beside a baseline, how many are told from it."""
    if match := re.fullmatch(r"(\S+) (\d+) faster and (\d+) slower of (\d+) than (\S+)", told):
        of_test = report.tests[match[1]]
        pairs = of_test.over_levels(of_test.basis) if of_test.basis else []
        found = [sum(pair.outcome == word for pair in pairs) for word in ("faster", "slower")]
        if [int(match[place]) for place in (2, 3, 4)] != [*found, len(pairs)]:
            yield f"the table has {found} of {len(pairs)}"
        return
    test, _, who = told.partition(" ")
    first = [entry for entry, rank in report.tests[test].ranked.items() if rank == (1, 1)]
    if ([who] if who != "undecided" else []) != first:
        yield f"by the ranks it is {first}"
