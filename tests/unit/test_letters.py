"""Letters that a terminal, a table, a page or a shell would obey: nothing that is shown has any."""

from __future__ import annotations

import shlex
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchlab.core import letters
from benchlab.experiment.forecast import Forecast
from benchlab.records.plan import Manifest
from benchlab.records.run import Failure, Run
from benchlab.report import outputs, terminal
from benchlab.report.document import Bullets, Document, Table
from benchlab.run.progress import Progress

from .conftest import STARTED, make_trial
from .made_runs import hostile_run

HOSTILE = "a\x1b[2J\x00\x07\x9b\u202eb\u2028c\u2066d\x7f\r\ne|f"
SHOWN = r"a\x1b[2J\x00\x07\x9b\u202eb\u2028c\u2066d\x7f\x0d\ne"


class Screen(StringIO):
    """What was written to a terminal."""

    def isatty(self) -> bool:
        return True


def _console(screen: StringIO) -> Console:
    return Console(file=screen, width=200, color_system=None, _environ={"TERM": "xterm"})


def test_each_letter_that_would_not_be_seen_is_shown_by_its_code_and_all_others_are_as_they_were() -> None:
    assert letters.one_line(HOSTILE) == f"{SHOWN}|f"
    plain = "crax ± 3 % – „nein“ 16‑32 日本 👩‍💻 [red]"
    assert letters.visible(plain) == letters.one_line(plain) == plain
    assert letters.visible("a\n\tb") == "a\n\tb"
    assert letters.one_line("\udcff\ud800") == r"\xff\ud800"


@given(st.text())
def test_whatever_is_shown_in_one_line_has_no_other_and_nothing_hidden(text: str) -> None:
    shown = letters.one_line(text)
    assert "\n" not in shown
    assert letters.visible(shown) == shown
    shown.encode()


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_a_word_of_letters_that_can_be_seen_is_quoted_as_a_shell_takes_it(word: str) -> None:
    assert shlex.split(letters.typed(word)) == [word]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (-8, "-8"),
        (10**400, "a number of many digits"),
        ("a\x1b\n\u202e", r'"a\u001b\n\u202e"'),
        ("x" * 100, f'"{"x" * 59}…'),
        ([1], "a list"),
        ([], "an empty list"),
        ({"a": 1}, "an object"),
        ({}, "an empty object"),
    ],
)
def test_what_was_found_is_quoted_in_a_few_words_that_can_be_read(value: object, said: str) -> None:
    assert letters.quoted(value) == said


@pytest.mark.parametrize("screen", [StringIO, Screen])
def test_neither_a_table_nor_a_text_moves_the_cursor_of_a_terminal_or_breaks_a_row(screen: type[StringIO]) -> None:
    shown = screen()
    terminal.show(_console(shown), Document((Table(("run", "entries"), ((HOSTILE, "crax"), ("plain", HOSTILE))),)))
    assert letters.visible(shown.getvalue()) == shown.getvalue()
    assert shown.getvalue().count("\n") == (3 if isinstance(shown, Screen) else 4)
    assert SHOWN in shown.getvalue()
    told = screen()
    terminal.show(_console(told), Document((Table(("a",), ((HOSTILE,),)), Bullets((HOSTILE,))), HOSTILE))
    assert letters.visible(told.getvalue()) == told.getvalue()


@pytest.mark.parametrize("screen", [StringIO, Screen])
def test_what_a_container_printed_before_it_died_moves_no_cursor(manifest: Manifest, screen: type[StringIO]) -> None:
    shown = screen()
    console = Console(file=shown, width=200, color_system=None, _environ={"TERM": "dumb"})
    progress = Progress(console, Forecast((), manifest.settings), Run(manifest, (), ()), "")
    with progress.running():
        progress.recorded(Failure(make_trial(), STARTED, f"it died: {HOSTILE}"))
    assert letters.visible(shown.getvalue()) == shown.getvalue()
    assert r"not measured: it died: a\x1b[2J\x00" in shown.getvalue()


def test_neither_report_nor_page_has_a_letter_that_turns_others_around() -> None:
    run = hostile_run(HOSTILE)
    for text in (outputs.text(run), outputs.html(run)):
        assert letters.visible(text) == text
    # A row of a table has as many cells as its head, whatever the names are.
    tables = [line for line in outputs.text(run).splitlines() if line.startswith("|")]
    assert SHOWN in "".join(tables)
