"""The pages of comparisons, as `lab.py compare --html` writes them."""

from __future__ import annotations

from collections.abc import Sequence

from benchlab.report import changes, page, plots
from benchlab.statistics.candidate import BaselineComparison
from benchlab.statistics.regression import Gate


def comparison_page(held: BaselineComparison, differences: Sequence[str], gate: Gate | None) -> str:
    return page.page(changes.report(held, differences, gate), [plots.changes(held.rows)])
