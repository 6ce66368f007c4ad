"""The checker itself: it takes what is true, and rejects what contradicts the table below it or cannot be read."""

from __future__ import annotations

import pytest

from . import answers, comparisons, factors_checker, table_checker
from .findings import Findings, read
from .sampled import Sampled
from .tables import Report, printed

# Three entries at one level: a and b cannot be told apart, a is ahead of c, b and c are unclear; all on an idle host.
REPORT = """
# run

## The answer

* json. {answer}

## Overview: requests per second

| test | level | a | b | c |
|---|---|---|---|---|
| json | 16 | 1,100 | 1,080 | 1,000 |

## json

### Summary over all levels, compared by requests per second

| entry | rank | relative requests/s | limited by |
|---|---|---|---|
| a | 1–2 | 1.000 | app |
| b | 1–3 | 0.982 [0.950–1.015] | app |
| c | 2–3 | 0.909 [0.890–0.929] | app |

### Ratios

| level | metric | pair | ratio | 95 % interval | outcome |
|---|---|---|---|---|---|
| all | requests/s | a / b | 1.018 | [0.985–1.053] | cannot be told apart |
| all | requests/s | a / c | 1.100 | [1.076–1.124] | faster |
| all | requests/s | b / c | 1.080 | [1.004–1.162] | unclear among 3 comparisons |

## Bottlenecks: CPU used

| test | level | entry | client | app | db | host idle | limited by |
|---|---|---|---|---|---|---|---|
| json | 16 | a | 12% | 95% | 10% | 40% | app |
| json | 16 | b | 12% | 95% | 10% | 40% | app |
| json | 16 | c | 12% | 95% | 10% | 40% | app |
"""
TIED = "a and b cannot be told apart: a has 1.8% more requests per second than b [-1.5% to +5.3%]."
AHEAD = "a is ahead of c: it has 10.0% more requests per second than c [+7.6% to +12.4%]."
LIMITED = "Limited by the entry itself (all rows)."


def _answer(answer: str) -> Findings:
    report = Report(REPORT.format(answer=answer))
    return answers.check(report.top.bullets, report, Sampled(""), ["json"])


def test_an_answer_that_says_what_the_tables_say_is_taken() -> None:
    found = _answer(f"{TIED} {AHEAD} {LIMITED}")
    assert (found.contradictions, found.unread) == ([], [])
    assert found.read["cannot be told apart"] == found.read["ahead"] == found.read["limits"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        "a leads: it has 10.0% more requests per second than c [+7.6% to +12.4%].",
        f"{TIED} a is ahead of b and c: it has 10.0% more requests per second than c [+7.6% to +12.4%].",
        f"{TIED} a is ahead of c: it has 10.0% fewer requests per second than c [+7.6% to +12.4%].",
        f"{TIED} a is ahead of c: it has 12.0% more requests per second than c [+7.6% to +12.4%].",
        f"{TIED} a is ahead of c: it has 10.0% more requests per second than c [+7.6% to +22.4%].",
        f"{TIED} a is ahead of c: it has 10.0% more requests per CPU-second than c [+7.6% to +12.4%].",
        f"{TIED} a is ahead of c: it has 1.20 times the requests per second of c [1.08–1.12].",
        f"{TIED} {AHEAD[:-1]} over all levels but 16.",
        TIED,
        f"{TIED} {AHEAD} c was not placed.",
        "b and c cannot be told apart: b has 8.0% more requests per second than c [+0.4% to +16.2%].",
        "a, b and c cannot be told apart: a has 10.0% more requests per second than c [+7.6% to +12.4%], the last of "
        "them.",
        f"a and b are equal: their requests per second lie within 3% of each other. {AHEAD}",
        f"{TIED} {AHEAD} Limited by the entry itself (2 rows).",
        f"{TIED} {AHEAD} Limited by the database (all rows).",
        f"{TIED} {AHEAD} So entries are compared by requests per CPU-second.",
        f"{TIED} {AHEAD} Nobody leads: each entry is behind another in the levels that both have.",
    ],
)
def test_an_answer_that_contradicts_the_tables_or_cannot_be_read_is_rejected(answer: str) -> None:
    found = _answer(answer)
    assert found.contradictions or found.unread


def test_cells_that_are_idle_are_no_basis_for_ranks_in_cpu_seconds() -> None:
    found = _answer(f"{TIED} {AHEAD} So entries are compared by requests per CPU-second.")
    assert any("40% idle" in why for _, why in found.contradictions)


@pytest.mark.parametrize(
    ("word", "figure", "is_true"),
    [
        ("faster", "1.100 [1.076–1.124]", True),
        ("faster", "1.100 [0.999–1.201]", False),
        ("faster", "0.900 [0.880–0.920]", False),
        ("slower", "0.900 [0.880–0.920]", True),
        ("slower", "0.900 [0.880–1.020]", False),
        ("equal", "1.001 [0.985–1.017] (90 %)", True),
        ("equal", "1.001 [0.985–1.017]", False),
        ("equal", "1.000 [0.965–1.036] (90 %)", False),
        ("equal", "1.050", False),
        ("cannot be told apart", "0.980 [0.900–1.067]", True),
        ("cannot be told apart", "0.360 [0.259–0.500]", False),
        ("unclear among 6 comparisons", "0.360 [0.259–0.500]", True),
        ("unclear among 6 comparisons", "0.980 [0.900–1.067]", False),
        ("too few blocks", "0.360 [0.259–0.500]", True),
    ],
)
def test_an_outcome_is_held_against_the_interval_beside_it(word: str, figure: str, is_true: bool) -> None:
    found = printed(figure)
    assert found is not None
    assert (list(table_checker.outcome(word, found)) == []) is is_true


def _row(level: str, figure: str, outcome: str) -> comparisons.Change:
    found = printed(figure)
    assert found is not None
    return comparisons.Change("crax", "json", level, "requests/s", found, 8, outcome)


PASSED = (
    "no regression: each test's mean over its levels is above 0.97 of what it was (the lowest 95 % interval begins at "
    "0.975), and no level is shown to be slower by as much as 3%"
)
CALM = _row("all", "0.995 [0.975–1.015]", "cannot be told apart")


@pytest.mark.parametrize(
    ("rows", "exit_code", "said", "is_true"),
    [
        ([CALM], 0, PASSED, True),
        ([CALM], 3, PASSED, False),
        ([CALM, _row("16", "0.901 [0.890–0.912]", "slower")], 0, PASSED, False),
        ([CALM, _row("16", "0.985 [0.980–0.990]", "slower")], 0, PASSED, True),
        ([_row("all", "0.995 [0.960–1.032]", "cannot be told apart")], 0, PASSED, False),
        ([_row("all but 32", "0.995 [0.975–1.015]", "cannot be told apart")], 0, PASSED, False),
        ([CALM], 0, PASSED.replace("0.97 of", "0.95 of"), False),
        ([_row("all", "0.950 [0.940–0.960]", "slower")], 1, "slower: crax json requests/s 0.950 [0.940–0.960]", True),
        ([CALM], 1, "slower: crax json requests/s 0.995 [0.975–1.015]", False),
        ([CALM], 0, "everything is above 0.970 of what it was", False),
    ],
)
def test_what_the_gate_says_is_held_against_the_rows_and_its_exit_code(
    rows: list[comparisons.Change], exit_code: int, said: str, is_true: bool
) -> None:
    findings = Findings()
    place = comparisons.Place(rows, 0.03, exit_code, [], is_two_runs=False)
    read(said, comparisons.SAID, place, findings, "gate")
    assert ([*findings.contradictions, *findings.unread] == []) is is_true


FEW = (
    "{} cannot pass or fail a gate, because runs of an unchanged entry differ by some per cent from day to day; "
    "measure old and new on 3 days or more each"
)
ONCE = "{} are compared by day: old runs that began less than 12 hours apart count once, and so do new ones"


@pytest.mark.parametrize(
    ("old", "new", "exit_code", "said", "is_true"),
    [
        ((3, 1), (4, 2), 3, FEW.format("3 old runs of 1 day and 4 new runs of 2 days"), True),
        ((3, 1), (4, 2), 0, FEW.format("3 old runs of 1 day and 4 new runs of 2 days"), False),
        ((3, 1), (4, 3), 3, FEW.format("3 old runs of 1 day and 4 new runs of 2 days"), False),
        ((3, 1), (4, 3), 3, FEW.format("two runs at two times"), False),
        ((3, 3), (4, 3), 3, FEW.format("3 old runs of 3 days and 4 new runs of 3 days"), False),
        ((3, 3), (4, 3), 0, ONCE.format("3 old runs of 3 days and 4 new runs of 3 days"), True),
        ((3, 3), (4, 4), 0, ONCE.format("3 old runs of 3 days and 4 new runs of 4 days"), False),
    ],
)
def test_what_is_said_of_days_is_held_against_when_the_runs_began(
    old: tuple[int, int], new: tuple[int, int], exit_code: int, said: str, is_true: bool
) -> None:
    findings = Findings()
    place = comparisons.Place([CALM], 0.03, exit_code, [], is_two_runs=False, old=old, new=new)
    read(said, comparisons.SAID, place, findings, "gate")
    assert ([*findings.contradictions, *findings.unread] == []) is is_true


FACTORS = """
# Factors of run

At 20 queries a request, in requests per second, {said}. Only one factor was studied, so there are no interactions.

### How the entries are crossed

| entry | orm | framework |
|---|---|---|
| x-full | full | x |
| x-raw | raw | x |
| y-raw | raw | y |

### Factors in query: ratios [95 % interval], outcome by requests/s

| level | effect: level / reference | requests/s | requests/CPU-s | blocks | outcome |
|---|---|---|---|---|---|
| 20 | orm: raw / full | 3.000 [2.900–3.100] | – | 5 | faster |
"""
SAMPLES = "block,entry,test,repeat,connections,threads,queries,pipeline,attempt,started_at,verdict,broken,duration_us,"
SAMPLES += "requests\n"
SAMPLES += "".join(
    f"1,{entry},query,1,128,2,20,1,1,t,good,,1000000,{requests}\n"
    for entry, requests in (("x-full", 100), ("x-raw", 300), ("y-raw", 500))
)


@pytest.mark.parametrize(
    ("said", "is_true"),
    [
        ("raw SQL instead of the ORM (between x-full and x-raw alone) gave 3.00x [2.90–3.10]", True),
        ("raw SQL instead of the ORM gave 3.00x [2.90–3.10]", False),
        ("raw SQL instead of the ORM (between x-full and y-raw alone) gave 3.00x [2.90–3.10]", False),
        ("raw SQL instead of the ORM (between x-full and x-raw alone) gave 2.00x [1.90–2.10]", False),
        ("raw SQL instead of the ORM (between x-full and x-raw alone) made no difference beyond 3% (3.00x)", False),
        ("the ORM instead of raw SQL (between x-full and x-raw alone) gave 3.00x [2.90–3.10]", False),
    ],
)
def test_an_effect_is_held_against_its_row_and_names_its_entries_where_the_crossing_lacks_some(
    said: str, is_true: bool
) -> None:
    report = Report(
        "# run\n\n## Overview: x\n\n| test | level | x-full | x-raw | y-raw |\n|---|---|---|---|---|\n"
        "| query | 20 | 100 | 300 | 500 |\n\n## Bottlenecks: x\n\n| test | level | entry | limited by |\n"
        "|---|---|---|---|\n"
    )
    found = factors_checker.check(FACTORS.format(said=said), report, Sampled(SAMPLES))
    assert ([*found.contradictions, *found.unread] == []) is is_true, found
