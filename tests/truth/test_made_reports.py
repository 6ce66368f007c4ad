"""What the lab says of made-up runs holds against the tables and samples that it comes from; more: tests.benchmarks."""

from __future__ import annotations

import pytest

from . import made_reports
from .truth import check

SEED = 14
# So many take half a minute. `python -m tests.benchmarks.sentences` takes thousands.
RUNS, AT_ONCE = 120, 20


@pytest.mark.parametrize("first", range(0, RUNS, AT_ONCE))
def test_no_sentence_contradicts_the_table_or_the_samples_that_it_comes_from(first: int) -> None:
    found = {str(case): check(case) for case in (made_reports.made(SEED, first + n) for n in range(AT_ONCE))}
    wrong = {name: [*of.contradictions, *of.unread] for name, of in found.items() if of.contradictions or of.unread}
    assert wrong == {}


def test_the_same_seed_makes_the_same_run() -> None:
    assert made_reports.made(SEED, 3) == made_reports.made(SEED, 3)
    assert made_reports.made(SEED, 3) != made_reports.made(SEED + 1, 3)
