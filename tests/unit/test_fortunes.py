"""The page of fortunes, each rule broken alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchlab.contract import verify
from benchlab.contract.answers import Answer
from benchlab.contract.payloads import FORTUNES

from .contract import HEADERS, WORLD, page, raw_page

SEED = Path(__file__).parents[2] / "images/postgres/seed.sql"
ADDED = ("0", "Additional fortune added at request time.")
SCRIPT = FORTUNES[0][1]


def _found(answer: Answer) -> list[str]:
    return [str(problem) for problem in verify.check("fortune", (answer, answer), WORLD)]


def _rules(answer: Answer) -> list[str]:
    return [problem.rule for problem in verify.check("fortune", (answer, answer), WORLD)]


def test_the_fortunes_are_those_of_the_database_and_one_more_sorted_by_message() -> None:
    inserted = SEED.read_text(encoding="utf-8").partition("INSERT INTO fortune VALUES")[2].partition(";\n\n")[0]
    seeded = {(row_id, text.replace("''", "'")) for row_id, text in re.findall(r"\((\d+), '(.*)'\)", inserted)}
    assert set(FORTUNES) == seeded | {ADDED}
    assert len(FORTUNES) == 13
    assert [text for _, text in FORTUNES] == sorted(text for _, text in FORTUNES)


@pytest.mark.parametrize("quote", ["'", "&#39;", "&#x27;", "&apos;"])
def test_it_does_not_matter_how_a_quote_is_written(quote: str) -> None:
    answer = page(FORTUNES)
    body = answer.body.replace(b"&#x27;", quote.encode())
    assert _found(Answer(answer.path, 200, answer.headers, body)) == []


def test_end_tags_may_be_left_out_and_lines_indented() -> None:
    escaped = page(FORTUNES).body.decode()
    body = escaped.replace("</td>", "").replace("</tr>", "").replace("<td>", "\n    <td> ")
    assert _found(Answer("/fortunes", 200, HEADERS | {"content-type": "text/html;charset=UTF-8"}, body.encode())) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"<html><body>busy</body></html>", b"<table></table>"])
def test_what_is_no_table_is_quoted(body: bytes) -> None:
    answer = Answer("/fortunes", 200, page(FORTUNES).headers, body)
    assert _found(answer) == [f"fortune: answered {body.decode()!r}, not an HTML table [table]"]


def test_a_message_that_is_not_escaped_is_told() -> None:
    lines = page(FORTUNES).body.decode().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    assert SCRIPT in lines
    assert _found(Answer("/fortunes", 200, page(FORTUNES).headers, lines.encode())) == [
        "fortune: a message came as the element <script>, not as escaped text [escaped]"
    ]


def test_a_message_that_is_escaped_twice_is_a_wrong_row() -> None:
    lines = page(FORTUNES).body.decode().replace("&lt;", "&amp;lt;")
    assert _rules(Answer("/fortunes", 200, page(FORTUNES).headers, lines.encode())) == ["rows"]


def test_a_fortune_too_few_is_named() -> None:
    left = [row for row in FORTUNES if row != ADDED]
    assert _found(page(left)) == [
        "fortune: gave 12 rows, not 13; ('0', 'Additional fortune added at request time.') is missing [count]"
    ]


def test_a_fortune_too_many_is_counted() -> None:
    assert _found(page([*FORTUNES, ADDED])) == ["fortune: gave 14 rows, not 13 [count]"]


def test_fortunes_that_are_not_sorted_are_told_by_the_first_that_is_out_of_place() -> None:
    first, second, *others = FORTUNES
    assert _found(page([second, first, *others])) == [
        f"fortune: gave the row {second} where {first} is expected [order]"
    ]


@pytest.mark.parametrize("wrong", [("1", FORTUNES[0][1]), ("11", "?????"), ("11", "")])
def test_a_wrong_row_is_told_beside_the_right_one(wrong: tuple[str, str]) -> None:
    assert _found(page([wrong, *FORTUNES[1:]])) == [
        f"fortune: gave the row {wrong} where {FORTUNES[0]} is expected [rows]"
    ]


def test_a_row_with_a_cell_too_many_is_a_wrong_row() -> None:
    lines = page(FORTUNES).body.decode().replace("<td>0</td>", "<td>0</td><td>new</td>")
    assert _rules(Answer("/fortunes", 200, page(FORTUNES).headers, lines.encode())) == ["rows"]


def test_a_text_in_another_encoding_is_a_wrong_row() -> None:
    answer = page(FORTUNES)
    body = answer.body.decode().encode("shift_jis", errors="replace")
    assert _rules(Answer(answer.path, 200, answer.headers, body)) == ["rows"]


def test_the_heading_is_no_row() -> None:
    assert _rules(raw_page("")) == ["table"]
