from __future__ import annotations

import json
from typing import Any

import pytest

from benchlab import verify
from benchlab.verify import Answer

WORLD = {row_id: row_id % 10_000 + 1 for row_id in range(1, 10_001)}
PATH = "/queries?queries="
HEADERS = {"server": "x", "date": "now", "content-type": "application/json", "content-length": "27"}


def _json(value: Any) -> Answer:
    return Answer("/json", 200, HEADERS, json.dumps(value).encode())


def _plaintext(body: bytes, **headers: str) -> Answer:
    return Answer("/plaintext", 200, HEADERS | {"content-type": "text/plain"} | headers, body)


def _rows(count: int) -> list[dict[str, int]]:
    return [{"id": row_id, "randomNumber": WORLD[row_id]} for row_id in range(1, count + 1)]


def _query(**bodies: Any) -> tuple[Answer, ...]:
    """Return right answers to all requests of the query test but those given as n2=…, nfoo=…"""
    counts = [*verify.QUERY_COUNTS.items(), ("nothing", 1)]
    paths = verify.paths("query", PATH)
    return tuple(
        Answer(path, 200, HEADERS, json.dumps(bodies.get(f"n{sent}", _rows(count))).encode())
        for path, (sent, count) in zip(paths, counts, strict=True)
    )


def _rules(test: str, *answers: Answer) -> list[str]:
    return [problem.rule for problem in verify.check(test, answers, WORLD)]


def test_right_answers_have_no_problem() -> None:
    assert _rules("json", _json({"message": "Hello, World!"})) == []
    assert _rules("plaintext", _plaintext(b"Hello, World!")) == []
    assert _rules("query", *_query()) == []


@pytest.mark.parametrize("text", ["Hello, world!", "HELLO, WORLD!"])
def test_the_case_of_the_text_does_not_matter(text: str) -> None:
    assert _rules("json", _json({"message": text})) == []
    assert _rules("plaintext", _plaintext(text.encode())) == []


def test_the_charset_may_be_named() -> None:
    assert _rules("plaintext", _plaintext(b"Hello, World!", **{"content-type": "text/plain; charset=utf-8"})) == []


def test_the_query_path_is_asked_with_every_kind_of_n_and_with_none() -> None:
    assert verify.paths("query", PATH) == (
        *(PATH + n for n in ("2", "1", "20", "0", "-1", "foo", "", "500", "501")),
        "/queries",
    )


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (Answer("/json", error="ConnectionRefusedError"), "answers"),
        (Answer("/json", 500, HEADERS, b"oops"), "status"),
        (Answer("/json", 302, HEADERS, b""), "status"),
        (Answer("/json", 200, HEADERS | {"date": ""}, b"{}"), "headers"),
        (Answer("/json", 200, {k: v for k, v in HEADERS.items() if k != "server"}, b"{}"), "headers"),
        (Answer("/json", 200, {k: v for k, v in HEADERS.items() if k != "content-length"}, b"{}"), "length"),
        (Answer("/json", 200, HEADERS | {"content-type": "text/html"}, b"{}"), "content-type"),
        (_json({"message": "Hello"}), "body"),
        (_json(["message"]), "body"),
        (_json({}), "body"),
        (Answer("/json", 200, HEADERS, b"not json"), "body"),
    ],
)
def test_each_broken_rule_of_json_is_named(answer: Answer, rule: str) -> None:
    assert _rules("json", answer) == [rule]


def test_of_the_answers_that_did_not_come_only_the_first_is_told() -> None:
    silent, *others = verify.paths("query", PATH)[3:]
    unasked = (Answer(path, error=f"not asked: {silent} got no answer") for path in others)
    problems = verify.check("query", (*_query()[:3], Answer(silent, error="TimeoutError: timed out"), *unasked), WORLD)
    assert [str(problem) for problem in problems] == [
        "query: /queries?queries=0 got no answer: TimeoutError: timed out [answers]"
    ]


def test_a_wrong_text_is_an_error_and_more_than_the_text_a_warning() -> None:
    assert _rules("plaintext", _plaintext(b"Hi")) == ["body"]
    (problem,) = verify.check("plaintext", (_plaintext(b"Hello, World!\n"),), WORLD)
    assert (problem.rule, problem.warning) == ("extra bytes", True)


@pytest.mark.parametrize(
    ("bodies", "rule"),
    [
        ({"n2": _rows(1)}, "count"),
        ({"n0": []}, "count"),
        ({"nfoo": _rows(2)}, "count"),
        ({"n500": _rows(499)}, "count"),
        ({"nnothing": _rows(2)}, "count"),
        ({"n2": {"id": 1, "randomNumber": 2}}, "body"),
        ({"n2": [1, 2]}, "body"),
        ({"n1": [{"id": "1", "randomNumber": 2}]}, "keys"),
        ({"n1": [{"id": 1, "randomnumber": 2}]}, "keys"),
        ({"n1": [{"id": True, "randomNumber": 2}]}, "keys"),
        ({"n1": [{"id": 1, "randomNumber": 9999}]}, "values"),
        ({"n1": [{"id": 10_001, "randomNumber": 1}]}, "values"),
        ({"n20": [{"id": 1, "randomNumber": 2}] * 20}, "variety"),
    ],
)
def test_each_broken_rule_of_query_is_named(bodies: dict[str, Any], rule: str) -> None:
    problems = verify.check("query", _query(**bodies), WORLD)
    assert [(problem.rule, problem.warning) for problem in problems] == [(rule, False)]


def test_more_than_500_rows_are_a_warning_only() -> None:
    (problem,) = verify.check("query", _query(n501=_rows(501)), WORLD)
    assert (problem.rule, problem.warning) == ("count", True)


def test_extra_keys_of_a_row_are_a_warning_only() -> None:
    (problem,) = verify.check("query", _query(n1=[_rows(1)[0] | {"name": "x"}]), WORLD)
    assert (problem.rule, problem.warning) == ("extra keys", True)


def test_a_message_quotes_what_was_got_and_what_was_wanted() -> None:
    (problem,) = verify.check("query", _query(n1=[{"id": 1, "randomNumber": 9999}]), WORLD)
    assert str(problem) == ("query: N='1' gave {'id': 1, 'randomNumber': 9999}, but World has 2 at id 1 [values]")
