"""What the database counted around a probe, held against what its requests must cause."""

from __future__ import annotations

import pytest

from benchlab.contract import statements
from benchlab.contract.statements import Counted


def _found(test: str, *counts: int) -> list[tuple[str, bool]]:
    return [(problem.rule, problem.warning) for problem in statements.check(test, Counted(*counts))]


@pytest.mark.parametrize(
    ("test", "counts"),
    [
        ("db", (512, 512)),
        ("query", (10_240, 10_240)),
        ("query", (10_752, 10_752)),
        ("cached-query", (0, 0)),
        ("fortune", (512, 6_144)),
        ("update", (1_280, 1_280, 1_280, 1_280)),
        ("update", (1_280, 1_280, 64, 1_280)),
        # Rows that were drawn twice are written once by one statement.
        ("update", (1_280, 1_280, 64, 1_216)),
    ],
)
def test_what_is_needed_and_up_to_five_percent_more_is_right(test: str, counts: tuple[int, ...]) -> None:
    assert _found(test, *counts) == []


@pytest.mark.parametrize(
    ("test", "counts", "rules"),
    [
        ("db", (0, 0), ["queries", "rows read"]),
        ("db", (511, 512), ["queries"]),
        ("query", (512, 10_240), ["queries"]),
        ("query", (10_240, 0), ["rows read"]),
        ("cached-query", (1, 1), ["cached"]),
        ("fortune", (512, 6_143), ["rows read"]),
        # All rows of a request read by one statement, and written by one.
        ("update", (64, 1_280, 64, 1_280), ["queries"]),
        ("update", (64, 1_280, 1_280, 1_280), ["queries"]),
        ("update", (1_280, 1_280, 64, 1_215), ["rows written"]),
    ],
)
def test_less_than_is_needed_breaks_the_rule(test: str, counts: tuple[int, ...], rules: list[str]) -> None:
    assert _found(test, *counts) == [(rule, False) for rule in rules]


@pytest.mark.parametrize(
    ("test", "counts", "rule"),
    [
        ("db", (538, 512), "queries"),
        ("query", (10_240, 10_753), "rows read"),
        ("update", (1_280, 1_280, 1_345, 1_280), "queries"),
        ("update", (1_280, 1_280, 64, 1_345), "rows written"),
    ],
)
def test_more_than_five_percent_above_what_is_needed_is_a_warning(
    test: str, counts: tuple[int, ...], rule: str
) -> None:
    assert _found(test, *counts) == [(rule, True)]


@pytest.mark.parametrize(
    ("test", "counts", "message"),
    [
        ("query", (512, 10_240), "512 requests of N=20 caused 512 statements that read World, not 10,240 or more"),
        ("db", (600, 512), "512 requests caused 600 statements that read World; 512 are enough"),
        ("fortune", (512, 512), "512 requests caused 512 rows to be read from Fortune, not 6,144 or more"),
        ("cached-query", (9, 9), "512 requests of N=20 caused 9 statements on World, not 0: its cache is filled"),
        (
            "update",
            (1_280, 1_280, 64, 64),
            "64 requests of N=20 caused 64 rows to be written to World, not 1,216 or more",
        ),
    ],
)
def test_a_message_quotes_what_was_counted_and_what_was_wanted(
    test: str, counts: tuple[int, ...], message: str
) -> None:
    (problem,) = statements.check(test, Counted(*counts))
    assert problem.message == message


def test_counts_are_read_by_table() -> None:
    assert statements.parse("fortune,0,0,0,0\nworld,5,6,7,8\n") == {
        "fortune": Counted(),
        "world": Counted(5, 6, 7, 8),
    }


def test_a_type_that_only_reads_has_no_reason_to_write() -> None:
    assert _found("db", 512, 512, 1, 1) == [("queries", True), ("rows written", True)]
