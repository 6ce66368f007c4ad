from __future__ import annotations

import json
from typing import Any

import pytest

from benchlab import verify
from benchlab.answers import Answer
from benchlab.fortunes import FORTUNES
from benchlab.workloads import WORKLOADS

from .contract import HEADERS, WORLD, listed, page, right, world_rows

QUERY = "/queries?queries="


def _json(value: Any) -> Answer:
    return Answer("/json", 200, HEADERS, json.dumps(value).encode())


def _plaintext(body: bytes, **headers: str) -> Answer:
    return Answer("/plaintext", 200, HEADERS | {"content-type": "text/plain"} | headers, body)


def _rules(test: str, *answers: Answer) -> list[str]:
    return [problem.rule for problem in verify.check(test, answers, WORLD)]


@pytest.mark.parametrize("test", list(WORKLOADS))
def test_right_answers_have_no_problem(test: str) -> None:
    assert _rules(test, *right(test)) == []


def test_every_test_type_has_its_rules() -> None:
    assert list(verify.CHECKS) == list(WORKLOADS)


@pytest.mark.parametrize("text", ["Hello, world!", "HELLO, WORLD!"])
def test_the_case_of_the_text_does_not_matter(text: str) -> None:
    assert _rules("json", _json({"message": text})) == []
    assert _rules("plaintext", _plaintext(text.encode())) == []


def test_the_charset_may_be_named() -> None:
    assert _rules("plaintext", _plaintext(b"Hello, World!", **{"content-type": "text/plain; charset=utf-8"})) == []


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=iso-8859-1", "application/json; charset=utf-8"])
def test_html_must_come_as_such_and_in_utf_8_by_name(kind: str) -> None:
    (problem,) = verify.check("fortune", (page(FORTUNES, kind),), WORLD)
    assert str(problem) == f"fortune: /fortunes came as {kind!r}, not 'text/html; charset=utf-8' [content-type]"


@pytest.mark.parametrize("test", ["query", "cached-query", "update"])
def test_what_returns_n_rows_is_asked_with_every_kind_of_n_and_with_none(test: str) -> None:
    assert verify.paths(test, QUERY) == (
        *(QUERY + n for n in ("2", "1", "20", "0", "-1", "foo", "")),
        "/queries",
        QUERY + "501",
        QUERY + "500",
    )


@pytest.mark.parametrize("test", ["json", "plaintext", "db", "fortune"])
def test_what_has_no_n_is_asked_once(test: str) -> None:
    assert verify.paths(test, "/here") == ("/here",)


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
    silent, *others = verify.paths("query", QUERY)[3:]
    unasked = (Answer(path, error=f"not asked: {silent} got no answer") for path in others)
    answers = (*right("query")[:3], Answer(silent, error="TimeoutError: timed out"), *unasked)
    assert [str(problem) for problem in verify.check("query", answers, WORLD)] == [
        "query: /queries?queries=0 got no answer: TimeoutError: timed out [answers]"
    ]


def test_a_wrong_text_is_an_error_and_more_than_the_text_a_warning() -> None:
    assert _rules("plaintext", _plaintext(b"Hi")) == ["body"]
    (problem,) = verify.check("plaintext", (_plaintext(b"Hello, World!\n"),), WORLD)
    assert (problem.rule, problem.warning) == ("extra bytes", True)


def _loaded(test: str, queries: int, answer: Answer) -> list[str]:
    return [problem.rule for problem in verify.check_loaded(test, queries, (answer,), WORLD)]


@pytest.mark.parametrize("test", list(WORKLOADS))
def test_right_answers_under_load_have_no_problem(test: str) -> None:
    if WORKLOADS[test].varies == "queries":
        assert _loaded(test, 20, listed(world_rows(20))) == []
    else:
        assert _loaded(test, 0, *right(test)) == []


@pytest.mark.parametrize("test", ["query", "cached-query"])
def test_values_are_compared_with_world_under_load_too(test: str) -> None:
    assert _loaded(test, 1, listed([{"id": 1, "randomNumber": 9999}])) == ["values"]
    assert _loaded("db", 0, Answer("/db", 200, HEADERS, b'{"id": 1, "randomNumber": 9999}')) == ["values"]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ([{"id": 1, "randomNumber": 9999}], []),
        ([{"id": 1, "randomNumber": 10_001}], ["range"]),
        ([{"id": 1}], ["keys"]),
        ([], ["count"]),
    ],
)
def test_of_updates_under_load_shape_and_ranges_are_checked_but_not_values_because_world_changes(
    body: list[dict[str, int]], rules: list[str]
) -> None:
    assert _loaded("update", 1, listed(body)) == rules


def test_a_wrong_page_of_fortunes_under_load_is_named() -> None:
    assert _loaded("fortune", 0, page(FORTUNES[1:])) == ["count"]


def test_warnings_are_not_repeated_under_load() -> None:
    row = {"id": 1, "randomNumber": WORLD[1], "name": "x"}
    assert _loaded("query", 1, listed([row])) == []
