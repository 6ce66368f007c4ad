"""Answers made of rows of World, each rule broken alone."""

from __future__ import annotations

from typing import Any

import pytest

from benchlab.contract import payloads, verify
from benchlab.contract.answers import Answer

from .contract import WORLD, listed, lists, world_rows

LISTS = ("query", "cached-query", "update")
# A number that no row of WORLD has at id 1.
OTHER = 9999


def _rules(test: str, **bodies: Any) -> list[tuple[str, bool]]:
    return [(problem.rule, problem.warning) for problem in verify.check(test, lists(test, **bodies), WORLD)]


def _db(row: Any) -> list[tuple[str, bool]]:
    answer = listed(row, "/db")
    return [(problem.rule, problem.warning) for problem in verify.check("db", (answer, answer), WORLD)]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (world_rows(1), "body"),
        ("row", "body"),
        ({"id": "1", "randomNumber": 2}, "keys"),
        ({"id": 1, "randomnumber": 2}, "keys"),
        ({"id": 1, "randomNumber": 2.0}, "keys"),
        ({"id": True, "randomNumber": 2}, "keys"),
        ({"id": 0, "randomNumber": 2}, "range"),
        ({"id": 10_001, "randomNumber": 2}, "range"),
        ({"id": 1, "randomNumber": 0}, "range"),
        ({"id": 1, "randomNumber": 10_001}, "range"),
        ({"id": 1, "randomNumber": OTHER}, "values"),
    ],
)
def test_each_broken_rule_of_db_is_named(row: Any, rule: str) -> None:
    assert _db(row) == [(rule, False)]


@pytest.mark.parametrize("test", LISTS)
@pytest.mark.parametrize(
    ("bodies", "rule"),
    [
        ({"n2": world_rows(1)}, "count"),
        ({"n0": []}, "count"),
        ({"nfoo": world_rows(2)}, "count"),
        ({"n": world_rows(2)}, "count"),
        ({"n500": world_rows(499)}, "count"),
        ({"nNone": world_rows(2)}, "count"),
        ({"n2": {"id": 1, "randomNumber": 2}}, "body"),
        ({"n2": [1, 2]}, "body"),
        ({"n1": [{"id": "1", "randomNumber": 2}]}, "keys"),
        ({"n1": [{"id": 1, "randomnumber": 2}]}, "keys"),
        ({"n1": [{"id": 10_001, "randomNumber": 1}]}, "range"),
        ({"n1": [{"id": 1, "randomNumber": 0}]}, "range"),
    ],
)
def test_each_broken_rule_of_lists_is_named(test: str, bodies: dict[str, Any], rule: str) -> None:
    assert _rules(test, **bodies) == [(rule, False)]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"ID": 1, "randomnumber": 2}, [("keys", True)]),
        ({"id": "1", "randomNumber": "2"}, [("keys", True)]),
        ({"id": 1, "randomNumber": 2.0}, [("keys", True)]),
        ({"id": 1, "RANDOMNUMBER": 2, "more": 3}, [("keys", True), ("extra keys", True)]),
        ({"id": 1, "randomnumber": OTHER}, [("keys", True), ("values", False)]),
        ({"id": 0, "randomNumber": 2}, [("range", True), ("values", False)]),
        ({"id": 1, "randomNumber": 10_001}, [("range", True), ("values", False)]),
        ({"id": 1, "randomNumber": "two"}, [("keys", False)]),
        ({"id": True, "randomNumber": 2}, [("keys", False)]),
        ({"id": [1], "randomNumber": 2}, [("keys", False)]),
        ({"id": None, "randomNumber": 2}, [("keys", False)]),
        ({"id": 1e400, "randomNumber": 2}, [("keys", False)]),
        ({"id": 1}, [("keys", False)]),
    ],
)
def test_of_an_adopted_row_what_its_format_tolerates_warns_and_what_the_table_has_not_fails(
    row: dict[str, Any], found: list[tuple[str, bool]]
) -> None:
    answer = listed(row, "/db")
    problems = verify.check("db", (answer, answer), WORLD, adopted=True)
    assert [(problem.rule, problem.warning) for problem in problems] == found


def test_an_adopted_update_may_write_numbers_that_are_out_of_range_and_name_them_as_it_likes() -> None:
    rows_written = [{"id": str(row_id), "randomnumber": 10_000 + row_id} for row_id in range(1, 501)]
    lists_of = {f"n{wanted.sent}": rows_written[: wanted.count] for wanted in payloads.WANTED}
    answers = lists("update", **lists_of)
    found = verify.check("update", answers, WORLD, adopted=True)
    assert {(problem.rule, problem.warning) for problem in found} == {("keys", True), ("range", True)}
    after = WORLD | {row_id: 10_000 + row_id for row_id in range(1, 501)}
    assert list(payloads.check_written("update", answers[-1], WORLD, after)) == []
    assert [problem.rule for problem in payloads.check_written("update", answers[-1], WORLD, WORLD)] == ["written"]


@pytest.mark.parametrize(("lost", "warning"), [(25, None), (26, True), (49, True), (50, False)])
def test_an_adopted_update_is_warned_of_the_rows_that_techempower_warns_of(lost: int, warning: bool | None) -> None:
    answer = listed([{"id": row_id, "randomNumber": OTHER} for row_id in range(1, 501)], "/updates?queries=500")
    after = WORLD | dict.fromkeys(range(lost + 1, 501), OTHER)
    found = list(payloads.check_written("update", answer, WORLD, after, adopted=True))
    assert [problem.warning for problem in found] == ([] if warning is None else [warning])
    if warning:
        assert not any(each.warning for each in payloads.check_written("update", answer, WORLD, after))


@pytest.mark.parametrize("sent", ["-1", "None"])
def test_what_techempower_does_not_ask_only_warns_of_an_adopted_entry(sent: str) -> None:
    answers = lists("query", **{f"n{sent}": world_rows(2)})
    assert [problem.warning for problem in verify.check("query", answers, WORLD)] == [False]
    assert [problem.warning for problem in verify.check("query", answers, WORLD, adopted=True)] == [True]


def test_adopted_rows_that_are_drawn_together_are_told_apart_by_their_ids_however_these_are_written() -> None:
    same = tuple(listed({"ID": "1", "randomnumber": "2"}, "/db") for _ in range(32))
    (problem,) = verify.check_burst("db", 0, same, WORLD, adopted=True)
    assert problem.rule == "variety"


@pytest.mark.parametrize("test", ["query", "cached-query"])
def test_rows_that_are_read_equal_world(test: str) -> None:
    assert _rules(test, n1=[{"id": 1, "randomNumber": OTHER}]) == [("values", False)]


@pytest.mark.parametrize("test", LISTS)
def test_the_rows_of_an_answer_are_not_all_the_same(test: str) -> None:
    assert _rules(test, n20=world_rows(1) * 20) == [("variety", False)]


def test_an_update_had_best_take_each_row_once_while_a_query_may_draw_one_twice() -> None:
    twice = [*world_rows(19), *world_rows(1)]
    assert _rules("update", n20=twice) == [("distinct", True)]
    assert _rules("query", n20=twice) == []


def test_the_rows_of_many_answers_of_db_are_not_all_the_same() -> None:
    answers = [listed(row, "/db") for row in world_rows(32)]
    assert verify.check_burst("db", 0, tuple(answers), WORLD) == []
    (problem,) = verify.check_burst("db", 0, tuple(answers[:1] * 32), WORLD)
    assert str(problem) == "db: /db, 32 times gave id 1 32 times; draw each at random [variety]"


def test_what_an_update_returns_is_new_and_not_compared_with_world_before_it() -> None:
    assert _rules("update", n1=[{"id": 1, "randomNumber": OTHER}]) == []


@pytest.mark.parametrize("test", LISTS)
def test_more_than_500_rows_are_a_warning_only(test: str) -> None:
    assert _rules(test, n501=world_rows(501)) == [("count", True)]


def test_whatever_comes_of_more_than_500_rows_is_a_warning_only() -> None:
    answers = lists("query")
    refused = Answer(answers[8].path, 400, {}, b"too many")
    assert answers[8].path.endswith("501")
    (problem,) = verify.check("query", (*answers[:8], refused, answers[9]), WORLD)
    assert (problem.rule, problem.warning) == ("status", True)
    silent = Answer(answers[8].path, error="TimeoutError")
    unasked = Answer(answers[9].path, error="not asked")
    (problem,) = verify.check("query", (*answers[:8], silent, unasked), WORLD)
    assert (problem.rule, problem.warning) == ("answers", False)


def test_extra_keys_of_a_row_are_a_warning_only() -> None:
    extra = world_rows(1)[0] | {"name": "x"}
    assert _rules("query", n1=[extra]) == [("extra keys", True)]
    assert _db(extra) == [("extra keys", True)]


def test_a_warning_about_one_row_does_not_hide_what_is_wrong_with_another() -> None:
    assert _rules("query", n2=[world_rows(1)[0] | {"name": "x"}, {"id": 1, "randomNumber": OTHER}]) == [
        ("values", False)
    ]


@pytest.mark.parametrize(
    ("bodies", "message"),
    [
        (
            {"n1": [{"id": 1, "randomNumber": OTHER}]},
            "query: N='1' gave {'id': 1, 'randomNumber': 9999}, but World has 2 at id 1 [values]",
        ),
        ({"nNone": world_rows(2)}, "query: no N gave 2 rows, not 1 [count]"),
        (
            {"n1": [{"id": 0, "randomNumber": 1}]},
            "query: N='1' gave {'id': 0, 'randomNumber': 1}, not an id and a randomNumber from 1 to 10000 [range]",
        ),
    ],
)
def test_a_message_quotes_what_was_got_and_what_was_wanted(bodies: dict[str, Any], message: str) -> None:
    (problem,) = verify.check("query", lists("query", **bodies), WORLD)
    assert str(problem) == message


def _written(held: int, renewed: int = 500) -> list[str]:
    """Return what is found where World holds some of 500 returned rows, and some of these have a new number."""
    returned = world_rows(500)
    before = {row_id: number if row_id > renewed else OTHER for row_id, number in WORLD.items()}
    after = {row_id: number if row_id <= held else OTHER for row_id, number in WORLD.items()}
    return [str(problem) for problem in payloads.check_written("update", listed(returned), before, after)]


@pytest.mark.parametrize("held", [475, 500])
def test_an_update_is_written_where_world_holds_95_percent_of_what_was_returned(held: int) -> None:
    assert _written(held) == []


@pytest.mark.parametrize("held", [0, 1, 474])
def test_updates_that_are_not_written_or_only_some_are_told_with_a_row_that_is_missing(held: int) -> None:
    assert _written(held) == [
        f"update: World holds {held} of 500 returned rows, not 475 or more: id {held + 1} was returned with {held + 2}"
        ", but World has 9999 [written]"
    ]


def test_rows_that_are_returned_as_they_were_are_no_update() -> None:
    assert _written(500, renewed=475) == []
    assert _written(500, renewed=0) == [
        "update: 0 of 500 returned rows have another randomNumber than before, not 475 or more; draw a new one for each"
        " [new numbers]"
    ]
