"""The pages of comparisons, as `lab.py compare --html` writes them."""

from __future__ import annotations

from collections.abc import Sequence

from benchlab.report import changes, page, plots
from benchlab.report.gate import Decided
from benchlab.statistics.candidate import BaselineComparison


def comparison_page(held: BaselineComparison, differences: Sequence[str], gate: Decided | None) -> str:
    return page.page(changes.report(held, differences, gate), [plots.changes(held.rows)])
