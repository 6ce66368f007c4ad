from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchlab.contract import envelope, verify
from benchlab.contract.answers import MOST_MESSAGE, MOST_QUOTED, RULES, Answer, Problem, Verification
from benchlab.contract.payloads import FORTUNES
from benchlab.experiment.workloads import WORKLOADS

from .contract import HEADERS, WORLD, listed, page, right, world_rows

QUERY = "/queries?queries="


def _json(value: Any) -> Answer:
    return Answer("/json", 200, HEADERS, json.dumps(value).encode())


def _plaintext(body: bytes, **headers: str) -> Answer:
    return Answer("/plaintext", 200, HEADERS | {"content-type": "text/plain"} | headers, body)


def _rules(test: str, *answers: Answer) -> list[str]:
    return [problem.rule for problem in verify.check(test, answers, WORLD)]


def _twice(answer: Answer) -> list[Problem]:
    """Return what is found where a test type without N answers so both times."""
    return verify.check(answer.path.strip("/").replace("fortunes", "fortune"), (answer, answer), WORLD)


@pytest.mark.parametrize("test", list(WORKLOADS))
def test_right_answers_have_no_problem(test: str) -> None:
    assert _rules(test, *right(test)) == []


@pytest.mark.parametrize("text", ["Hello, world!", "HELLO, WORLD!"])
def test_the_case_of_the_text_does_not_matter(text: str) -> None:
    assert _twice(_json({"message": text})) == []
    assert _twice(_plaintext(text.encode())) == []


def test_the_charset_may_be_named() -> None:
    assert _twice(_plaintext(b"Hello, World!", **{"content-type": "text/plain; charset=utf-8"})) == []


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=iso-8859-1", "application/json; charset=utf-8"])
def test_html_must_come_as_such_and_in_utf_8_by_name(kind: str) -> None:
    (problem,) = _twice(page(FORTUNES, kind))
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
def test_what_has_no_n_is_asked_twice_so_that_a_closed_connection_shows(test: str) -> None:
    assert verify.paths(test, "/here") == ("/here", "/here")


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (Answer("/json", error="ConnectionRefusedError"), "answers"),
        (Answer("/json", 500, HEADERS, b"oops"), "status"),
        (Answer("/json", 302, HEADERS, b""), "status"),
        (Answer("/json", 200, HEADERS | {"date": ""}, b"{}"), "headers"),
        (Answer("/json", 200, {k: v for k, v in HEADERS.items() if k != "server"}, b"{}"), "headers"),
        (Answer("/json", 200, {k: v for k, v in HEADERS.items() if k != "content-length"}, b"{}"), "length"),
        (Answer("/json", 200, HEADERS | {"transfer-encoding": "chunked"}, b"{}"), "length"),
        (Answer("/json", 200, HEADERS, b"{}", version=10), "version"),
        (Answer("/json", 200, HEADERS, b"{}", closing=True), "keep-alive"),
        (Answer("/json", 200, HEADERS, b"{}", reopened=True), "keep-alive"),
        (Answer("/json", 200, HEADERS | {"content-type": "text/html"}, b"{}"), "content-type"),
        (_json({"message": "Hello"}), "body"),
        (_json(["message"]), "body"),
        (_json({}), "body"),
        (Answer("/json", 200, HEADERS, b"not json"), "body"),
    ],
)
def test_each_broken_rule_of_json_is_named(answer: Answer, rule: str) -> None:
    assert [problem.rule for problem in _twice(answer)] == [rule]


def test_what_does_not_come_with_its_length_must_end_with_its_connection_and_that_is_one_fault() -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "content-length"}
    assert [problem.rule for problem in _twice(Answer("/json", 200, headers, b"{}", closing=True))] == ["length"]


@pytest.mark.parametrize(("change", "rule"), [({"closing": True}, "keep-alive"), ({"version": 10}, "version")])
def test_an_adopted_entry_may_end_its_connections_and_its_answers_are_looked_at_all_the_same(
    change: dict[str, Any], rule: str
) -> None:
    answer = replace(_json({"message": "Hello, World!"}), **change)
    (problem,) = verify.check("json", (answer, answer), WORLD, adopted=True)
    assert (problem.rule, problem.warning) == (rule, True)
    wrong = replace(_json({}), **change)
    assert [(each.rule, each.warning) for each in verify.check("json", (wrong, wrong), WORLD, adopted=True)] == [
        (rule, True),
        ("body", False),
    ]
    assert verify.check_loaded("json", 0, (answer,), WORLD, adopted=True) == []
    assert [each.rule for each in verify.check_loaded("json", 0, (answer,), WORLD)] == [rule]


def test_an_adopted_entry_that_hangs_up_without_a_word_fails_because_wrk_counts_that_as_an_error() -> None:
    answer = replace(_json({"message": "Hello, World!"}), reopened=True)
    (problem,) = verify.check("json", (answer, answer), WORLD, adopted=True)
    assert (problem.rule, problem.warning) == ("keep-alive", False)


def test_an_answer_may_be_chunked() -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "content-length"}
    answer = _json({"message": "Hello, World!"})
    assert _twice(replace(answer, headers=headers | {"transfer-encoding": "chunked"})) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer("/json", 200, HEADERS, b"{}", version=10), "/json was answered in HTTP/1.0, not in HTTP/1.1"),
        (
            Answer("/json", 200, HEADERS, b"{}", closing=True),
            "/json was answered with the end of its connection; keep it open",
        ),
        (
            Answer("/json", 200, HEADERS, b"{}", reopened=True),
            "/json found its connection closed after the answer before; keep it open",
        ),
        (
            Answer("/json", 200, HEADERS | {"transfer-encoding": "chunked"}, b"{}"),
            "/json came with content-length and transfer-encoding, not with one",
        ),
    ],
)
def test_a_message_about_the_connection_says_what_was_got_and_what_is_wanted(answer: Answer, message: str) -> None:
    (problem,) = _twice(answer)
    assert problem.message == message


def test_a_date_that_stands_still_is_told_and_one_that_goes_on_is_fine() -> None:
    first = Answer("/json", 200, HEADERS | {"date": "Tue, 24 Nov 2026 13:00:00 GMT"})
    (problem,) = envelope.check_date("json", first, first, 3.04)
    assert str(problem) == (
        "json: /json came with Date 'Tue, 24 Nov 2026 13:00:00 GMT', and again 3.0 s later; tell the time anew [date]"
    )
    later = Answer("/json", 200, HEADERS | {"date": "Tue, 24 Nov 2026 13:00:01 GMT"})
    assert list(envelope.check_date("json", first, later, 1.0)) == []


def test_a_rule_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'bodies' is no rule"):
        Problem("json", "bodies", "x")


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("gave \ud800", "gave \\ud800"),
        ("gave\n\x1b[31m", "gave\\n\\x1b[31m"),
        ("— フレームワーク", "— フレームワーク"),
        ("x" * MOST_MESSAGE, "x" * MOST_MESSAGE),
        ("x" * (MOST_MESSAGE + 1), "x" * MOST_MESSAGE + " …"),
    ],
)
def test_a_problem_s_message_is_one_line_that_can_be_written_and_has_an_end(message: str, kept: str) -> None:
    assert Problem("json", "body", message).message == kept


def test_keys_too_many_are_quoted_as_far_as_a_body_is() -> None:
    (problem,) = _twice(_json({"message": "Hello, World!", "a\n": 1, "b" * 1000: 2}))
    assert problem.message == f"has more keys than message: 'a\\n', '{'b' * (MOST_QUOTED - 8)} …"


@pytest.mark.parametrize("depth", [10, 500, 900, 950, 970, 980, 990, 100_000])
@pytest.mark.parametrize("before", ["", '{"message": ', '{"id": 1, "randomNumber": '])
def test_however_deep_an_answer_is_nested_it_is_a_problem_and_no_error(before: str, depth: int) -> None:
    end = "}" if before else ""
    body = f"{before}{'[' * depth}{']' * depth}{end}".encode()
    for test in ("json", "db", "query"):
        found = verify.check_loaded(test, 0 if test != "query" else 1, (Answer("/", 200, HEADERS, body),), WORLD)
        assert len(found) == 1


def test_one_problem_of_each_rule_is_told() -> None:
    answers = tuple(replace(answer, headers=HEADERS | {"server": ""}) for answer in right("query"))
    assert [str(problem) for problem in verify.check("query", answers, WORLD)] == [
        "query: /queries?queries=2 came without the header server [headers]"
    ]


def test_what_is_wrong_with_the_entry_as_a_whole_is_told_without_a_test() -> None:
    assert str(Problem("", "serves", "is silent")) == "is silent [serves]"


@pytest.mark.parametrize(
    ("problems", "line"),
    [
        ((), "pass  crax json"),
        ((Problem("json", "extra keys", "has more", True),), "warn  crax json: has more [extra keys]"),
        (
            (Problem("json", "extra keys", "has more", True), Problem("json", "body", "is wrong")),
            "fail  crax json: is wrong [body]; a warning: has more [extra keys]",
        ),
        (
            tuple(Problem("json", rule, "bad") for rule in RULES[:5]),
            "fail  crax json: bad [serves]; bad [labels]; bad [answers]; and 2 more",
        ),
    ],
)
def test_a_verification_is_one_line_with_its_reasons(problems: tuple[Problem, ...], line: str) -> None:
    assert str(Verification("crax", "json", problems)) == line


def test_of_the_answers_that_did_not_come_only_the_first_is_told() -> None:
    silent, *others = verify.paths("query", QUERY)[3:]
    unasked = (Answer(path, error=f"not asked: {silent} got no answer") for path in others)
    answers = (*right("query")[:3], Answer(silent, error="TimeoutError: timed out"), *unasked)
    assert [str(problem) for problem in verify.check("query", answers, WORLD)] == [
        "query: /queries?queries=0 got no answer: TimeoutError: timed out [answers]"
    ]


def test_a_wrong_text_is_an_error_and_more_than_the_text_a_warning() -> None:
    assert [problem.rule for problem in _twice(_plaintext(b"Hi"))] == ["body"]
    (problem,) = _twice(_plaintext(b"Hello, World!\n"))
    assert (problem.rule, problem.warning) == ("extra bytes", True)


def _loaded(test: str, queries: int, answer: Answer) -> list[str]:
    return [problem.rule for problem in verify.check_loaded(test, queries, (answer,), WORLD)]


@pytest.mark.parametrize("test", list(WORKLOADS))
def test_right_answers_under_load_have_no_problem(test: str) -> None:
    if WORKLOADS[test].varies == "queries":
        assert _loaded(test, 20, listed(world_rows(20))) == []
    else:
        assert _loaded(test, 0, right(test)[0]) == []


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
