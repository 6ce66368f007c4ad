"""A run of twenty entries can be read: on terminals of 80 and 120 columns, as text, and on the page."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from io import StringIO
from itertools import combinations, pairwise

import numpy as np
import pytest
from rich.console import Console

from benchlab.experiment.forecast import Forecast
from benchlab.load.metrics import Better
from benchlab.records.run import Run
from benchlab.report import charts, outputs, sentences, tables, terminal
from benchlab.run.progress import Progress
from benchlab.statistics import analysis, comparison
from benchlab.statistics.comparison import Comparison, Outcome, Pair
from benchlab.statistics.stats import Ratio

from ..truth import printed
from .conftest import LABELS
from .made_entries import NAMES
from .made_runs import manifest_of, samples_of
from .test_against_baseline import _against

FASTER, UNDECIDED = Outcome.FASTER, Outcome.UNDECIDED
# The logarithms of the rates, from the best to the last: three that are close, then one, then many far behind it.
LOGS = np.array([1.0, 0.999, 0.998, 0.8, *np.linspace(0.5, -0.5, 16)])


class Screen(StringIO):
    """What was written to a terminal."""

    def isatty(self) -> bool:
        return True


@cache
def _run(control: str = "") -> Run:
    noise = np.random.default_rng(1).normal(0, 0.01, (len(NAMES), 6))
    logs = dict(zip(NAMES, noise + LOGS[:, None], strict=True))
    samples = [sample for at in (16, 32, 128) for sample in samples_of(logs, at)]
    labels = {name: LABELS | {"framework": name, "interface": "asgi", "cpus": "all"} for name in NAMES}
    made = Run(replace(manifest_of(NAMES, 6, 16, 32, 128), entries=labels), tuple(samples), ())
    return _against(made, control) if control else made


@pytest.mark.parametrize("control", ["", NAMES[4]])
@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_an_entry_in_each_row_and_no_list_of_cells(width: int, control: str) -> None:
    screen = Screen()
    terminal.show(Console(file=screen, width=width, color_system=None), outputs.document(_run(control)))
    lines = screen.getvalue().splitlines()
    code = [line for line in lines if line.startswith(("python lab.py", "make "))]
    assert max(len(line.rstrip()) for line in lines if line not in code) <= width
    # Where a table is too wide, it becomes a list of its cells.
    assert [line for line in lines if re.match(r" *(entry|framework|test|level): ", line)] == []


def test_the_answer_has_groups_of_ranks() -> None:
    (result,) = analysis.analyse(_run())
    assert result.tiers[:2] == (NAMES[:3], NAMES[3:4])
    told = sentences.conclusion(result)
    assert f"Groups of ranks, each ahead of all after it: 1–3: {', '.join(NAMES[:3])}; 4: {NAMES[3]}; 5: " in told


def test_groups_end_where_all_of_one_are_faster_than_all_after_it() -> None:
    # b cannot be told from a, nor from c, though a is faster than c.
    undecided = {("a", "b"), ("b", "c")}
    pairs = [
        Pair(Ratio(*two, 1.1, None, None, None, None, 5, None), 0.01, UNDECIDED if two in undecided else FASTER)
        for two in combinations("abcde", 2)
    ]
    found = Comparison(tuple("abcde"), tuple(pairs), Better.HIGHER)
    assert comparison.tiers("abcde", found) == (("a", "b", "c"), ("d",), ("e",))
    # Of two that have no block in common nothing is known.
    without = replace(found, pairs=tuple(pair for pair in pairs if pair.names != ("d", "e")))
    assert comparison.tiers("abcde", without) == (("a", "b", "c"), ("d", "e"))


def test_text_has_ratios_of_neighbours_and_the_page_has_all() -> None:
    run = _run()
    (ratios,) = (section for section in printed.sections(outputs.text(run)) if section.title == "Ratios")
    (result,) = analysis.analyse(run)
    order = tables.order(result)
    first = [sorted(pair) for pair in pairwise(order)]
    assert [row["pair"].split(" / ") for row in ratios.tables[0].rows] == first
    assert "Neighbours in the order of the summary: 19 of 190 rows." in ratios.paragraphs[0]
    (whole,) = (table for table in printed.page(outputs.html(run)).tables if table.caption == "Ratios")
    assert len(whole.rows) == 190


def test_beside_a_baseline_the_summary_has_what_text_says_and_the_page_has_each_level() -> None:
    run = _run(NAMES[4])
    (ratios,) = (section for section in printed.sections(outputs.text(run)) if section.title == "Ratios")
    assert ratios.tables == []
    assert ratios.paragraphs[0].startswith(f"76 ratios to {NAMES[4]}, with their intervals, stand on the page")
    page = printed.page(outputs.html(run))
    (whole,) = (table for table in page.tables if table.caption == "Ratios")
    assert Counter(row["level"] for row in whole.rows) == {"16": 19, "32": 19, "128": 19, "all": 19}
    assert page.heat_maps == []


def test_each_entry_has_a_look_of_its_own() -> None:
    assert len(set(charts.looks(NAMES).values())) == len(NAMES)


def test_while_it_goes_on_a_run_shows_an_entry_in_each_row() -> None:
    run, screen = _run(), Screen()
    progress = Progress(Console(file=screen, width=80, height=60), Forecast((), run.manifest.settings), run, "")
    with progress.running():
        progress.block(1)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).splitlines()
    # It is drawn more than once.
    assert [line.split()[0] for line in lines if line.startswith("made-")][: len(NAMES)] == list(NAMES)
    assert "after block 1, requests/s: geometric mean [95 % interval] over all levels" in " ".join(lines)
