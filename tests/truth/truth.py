"""One made-up run from end to end: made, told of, and checked."""

from __future__ import annotations

from . import comparisons, sentence_checker, telling
from .findings import Findings
from .made_reports import Case

COMPARED = ("versions", "odd level", "two runs", "several runs")


def check(case: Case) -> Findings:
    """Return what is said of the run, and what is wrong with it."""
    findings = sentence_checker.check(telling.of_run(case.run))
    if case.kind in COMPARED and (compared := telling.of_comparison(case)):
        findings.add(comparisons.check(compared))
    return findings
