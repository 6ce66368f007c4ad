"""Each contradiction that is planted into what the lab says of a run is found, by the check that is meant for it.

Nothing of the lab is changed: the text is. Where the lab said such a thing, so would the checker find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from . import comparisons, made_reports, sentence_checker, telling
from .findings import Findings
from .test_checker import PASSED
from .test_made_reports import RUNS, SEED
from .truth import COMPARED

BOUND = r"(\| *\S+ / \S+ +\| +\d\.\d+ \| +\[\d\.\d)(\d)(\d+–\d\.\d+\][^|]*)"


@cache
def _told(number: int) -> telling.Texts:
    return telling.of_run(made_reports.made(SEED, number).run)


@cache
def _compared(number: int) -> telling.Compared | None:
    case = made_reports.made(SEED, number)
    return telling.of_comparison(case) if case.kind in COMPARED else None


@cache
def _is_true(number: int) -> bool:
    return not _kinds(sentence_checker.check(_told(number)))


def _kinds(findings: Findings) -> set[str]:
    return {kind for kind, _ in [*findings.contradictions, *findings.unread]}


def _digit(match: re.Match[str]) -> str:
    """Return what was found with the digit that is its second group changed."""
    return f"{match[1]}{(int(match[2]) + 4) % 10}{match[3]}"


@pytest.mark.parametrize(
    ("pattern", "planted", "kind"),
    [
        (
            r"(\* [\w-]+\. )(\S+) leads: it has (\S+ more .+?) than (\S+) \[",
            r"\1\4 leads: it has \3 than \2 [",
            "ahead",
        ),
        (r"(leads: it has .+?), the last\.", r"\1.", "ahead"),
        (
            r"(leads: it has [^:]+?, and (?:(?!, the last| In requests)[^:])+?\])\.(?= Lev| Lim|\n)",
            r"\1, the last.",
            "ahead",
        ),
        (r"(leads: it has \d+\.)(\d)(% more)", _digit, "ahead"),
        (r"(?<=cannot be told apart: )(\S+ has \d+\.\d+)% more", r"\1% fewer \1", "cannot be told apart"),
        (r" cannot be told apart: (?=\S+ has \d+\.\d% )", r" cannot be told apart from x1: ", "cannot be told apart"),
        (r"; among \d+ pairs chance alone can produce such a gap", "", "cannot be told apart"),
        (
            r"\d+ blocks are too few to tell (.+?) apart(?= from|:)",
            r"\1 cannot be told apart",
            "cannot be told apart",
        ),
        (r" Levels disagree: .+?\.(?= Lim| In|\n| [\w-]+ )", "", "levels that contradict"),
        (r"(Levels disagree: \S+ / \S+ is )(\d)(\.\d+)", _digit, "levels disagree"),
        (
            r"\* ([\w-]+)\. \S+ (?:leads|is ahead of).+",
            r"* \1. Nobody leads: each entry is slower than another one "
            r"at the levels that both have.",
            "nobody leads",
        ),
        (
            r" So entries are compared by requests per CPU-second\.",
            "",
            "ranks by CPU are said",
        ),
        (r"Limited by the entry itself", "Limited by the database", "limits"),
        (
            r"In requests per second, for information, (\S+) / (\S+) is",
            r"In requests per second, for information, \2 / \1 is",
            "in rates",
        ),
        (r"(Summary over all levels, compared by requests per )second", r"\1CPU-second", "title of a summary"),
        (r"(\| [\w-]+ +\| +)(\d)( \| +\d\.\d+ \[)", _digit, "row of a summary"),
        (r", unclear among \d+ comparisons( *\|)", r"\1", "order of a summary"),
        (BOUND, _digit, "row of ratios"),
        (r"\| faster( *\|)", r"| slower\1", "outcomes together|row of ratios"),
        (r" \(90 %\)( +\| equal)", r"\1", "row of ratios"),
        (r"(\| +all +\| requests/s.+)\| equal +\|", r"\1| cannot be told apart |", "outcomes together"),
        # Of many entries the text has some of the page's rows.
        (
            r"unclear among (\d+) comparisons( *\|\n)",
            r"unclear among 99 comparisons\2",
            "outcomes together|table of a page",
        ),
        (r"\* A noisy host: .+\n", "", "nothing is hidden"),
        (r"\* .+ logged heavily under load: .+\n", "", "nothing is hidden"),
        (r"\* wrk was the limit of .+ without a rank\.\n", "", "nothing is hidden"),
        (r"\* Verification warned of .+\n", "", "nothing is hidden"),
        (r"\* Before \d+ of the .+\n", "", "nothing is hidden"),
        (r"\* \d+ samples? of \d+ w.+ invalid and .+\n", "", "nothing is hidden"),
        (r"\* .+ after each answer: .+\n", "", "nothing is hidden"),
        (
            r"two entries over all levels is known to ± (\d+\.)\d%",
            r"two entries over all levels is known to ± 7\g<1>7%",
            "widest",
        ),
        (r"(two entries.+); some have no interval\.", r"\1.", "widest"),
        (
            r"Rules without a value: (\S+) in all samples",
            r"Rules without a value: \1 in 3 of them",
            "rules without a value",
        ),
        (r"Holm, over (\d+) comparison", r"Holm, over 1\1 comparison", "chance over all levels"),
        (r"say otherwise in up to \d+%", "say otherwise in up to 50%", "chance at single levels"),
        (r"(\S+ (?:is|are) )faster( than \S+: )", r"\1slower\2", "beside a baseline"),
        (r"((?:is|are) (?:faster|slower) than \S+: \S+ has \d+\.)(\d)(% )", _digit, "beside a baseline"),
        (r"(, and )\S+( has [^:]+? of \S+ \[[^:]+\]\. )", r"\1nobody\2", "beside a baseline"),
        (r"(\| )(faster|slower)( +\| (?:app|waiting))", r"\1equal\3", "row of a summary"),
        (
            r"(?s)(compared with \S+ by .+?\| *\S+ / \S+ +\| +\d\.\d+ \| +\[\d\.\d)(\d)(\d+–\d\.\d+\][^|]*\| [fse])",
            _digit,
            "outcomes together",
        ),
        (r"(hold at once in 95 % of such reports \()(\d)( )", _digit, "chance beside a baseline"),
        (r"(Groups of ranks, each ahead of all after it: 1: \S+); ", r"\1, ", "groups of ranks"),
        (r"(Groups of ranks, each ahead of all after it: [^.]*?)(\d)(–\d+: )", _digit, "groups of ranks"),
        (r"(Neighbours in the order of the summary: )(\d)(\d* of)", _digit, "rows that the page has"),
        (r"(of an entry to )\S+( over all levels is known)", r"\1nobody\2", "widest"),
        (r"(\d+)( samples were taken: )", r"9\1\2", "what became of samples"),
        (r"(the others used )(\d)(\.\d% of a CPU)", _digit, "idle entries"),
    ],
)
def test_a_contradiction_that_is_planted_into_a_report_is_found(
    pattern: str, planted: str | Callable[[re.Match[str]], str], kind: str
) -> None:
    for number in range(RUNS):
        texts = _told(number)
        changed = re.sub(pattern, planted, texts.report, count=1)
        if changed != texts.report:
            assert _is_true(number)
            assert _kinds(sentence_checker.check(replace(texts, report=changed))) & set(kind.split("|"))
            return
    pytest.fail("no made-up run says such a thing")


@pytest.mark.parametrize(
    ("where", "pattern", "planted", "kind"),
    [
        ("text", r"per second went down", "per second went up", "change"),
        ("text", r"(per second went \w+: \d\.\d)(\d)(\d)", _digit, "change"),
        ("text", r"(\| *\d\.\d+ \| +\[\d\.\d)(\d)(\d+–)", _digit, "row of a comparison"),
        ("text", r"cannot be told apart( +\|\n)", r"slower\1", "row of a comparison|outcomes of a comparison"),
        ("text", r"\| equal( +\|)", r"| cannot be told apart\1", "row of a comparison|outcomes of a comparison"),
        ("said", r"no regression: .+", "slower: nothing", "gate: failed"),
        ("said", r"\bslower: .+", lambda match: PASSED, "gate: passed"),
        ("said", r"a regression of .+ shown nor excluded: slower at .+", lambda match: PASSED, "gate: passed"),
        ("said", r"a regression of .+ shown nor excluded: not known .+", lambda match: PASSED, "gate: passed"),
        ("said", r"(begins at \d\.\d)(\d)(\d)", _digit, "gate: passed"),
        ("said", r"(slower at )(\d)( level)", _digit, "gate: undecided"),
        ("said", r"(not known well enough .+?\): .+?) requests/CPU-s", r"\1 requests/s", "gate: undecided"),
        ("said", r"\(samples that failed: (\d+) in", r"(samples that failed: 7\1 in", "what is untold"),
        ("said", r"^could not be compared: [^;]+; ", "could not be compared: ", "what is untold"),
        ("said", r"(\d+) (parts?) could not be compared", r"9\1 \2 could not be compared", "gate: undecided"),
    ],
)
def test_a_contradiction_that_is_planted_into_a_comparison_is_found(
    where: str, pattern: str, planted: str | Callable[[re.Match[str]], str], kind: str
) -> None:
    for number in range(RUNS):
        compared = _compared(number)
        if compared is None:
            continue
        whole = compared.text if where == "text" else "\n".join(compared.said)
        changed = re.sub(pattern, planted, whole, count=1)
        if changed != whole:
            said = replace(compared, text=changed) if where == "text" else replace(compared, said=changed.splitlines())
            assert _kinds(comparisons.check(said)) & set(kind.split("|"))
            return
    pytest.fail("no made-up comparison says such a thing")
