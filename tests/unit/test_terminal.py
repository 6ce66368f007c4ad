from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from benchlab.core import terminal
from benchlab.host.doctor import WARNING, Finding
from benchlab.records.run import Run
from benchlab.report import markdown, outputs
from benchlab.report import terminal as renderer
from benchlab.report.document import Bullets, Code, Document, Table, Terms
from benchlab.storage import store

from . import screens
from .made_runs import make_run

HEADERS = ("run", "entries", "verdict")
ROWS = [["20261124-125536-default", "aiohttp, crax", "complete; 128 of 130 samples good"]]


class Screen(StringIO):
    """What was written to a terminal."""

    def isatty(self) -> bool:
        return True


def _console(screen: StringIO, width: int) -> Console:
    return Console(file=screen, width=width, color_system=None, _environ={"TERM": "xterm"})


def _table(console: Console, rows: Sequence[Sequence[str]]) -> None:
    renderer.show(console, Document((Table(HEADERS, tuple(map(tuple, rows)), words=HEADERS),)))


def _shown(screen: StringIO, width: int) -> list[str]:
    _table(_console(screen, width), ROWS)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_pipe_gets_markdown_however_wide() -> None:
    assert _shown(StringIO(), 10)[2] == (
        "| 20261124-125536-default | aiohttp, crax | complete; 128 of 130 samples good |"
    )


def test_a_terminal_gets_a_table() -> None:
    assert _shown(Screen(), 100) == [
        "run                      entries        verdict",
        "20261124-125536-default  aiohttp, crax  complete; 128 of 130 samples good",
    ]


def test_where_room_is_short_sentences_break_and_names_stay_whole() -> None:
    lines = _shown(Screen(), 50)
    assert lines[1].startswith("20261124-125536-default  ")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 50
    assert re.sub(r"\s+", " ", " ".join(lines)).count("samples") == 1


def test_where_not_even_the_words_fit_they_stand_one_below_the_other() -> None:
    assert _shown(Screen(), 36) == [
        "run: 20261124-125536-default",
        "  entries: aiohttp, crax",
        "  verdict: complete; 128 of 130",
        "    samples good",
    ]


def _run() -> Run:
    """Return a run of two entries that say all of themselves."""
    run = make_run({"aiohttp": [21507, 21000, 22000], "crax": [14984, 15100, 14000]})
    labels = {name: {**of, "proxy": "none", "cpus": "all"} for name, of in run.manifest.entries.items()}
    return replace(run, manifest=replace(run.manifest, entries=labels))


REPORT = outputs.document(_run())


def _told(document: Document, width: int) -> list[str]:
    screen = Screen()
    renderer.show(_console(screen, width), document)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def _commands(document: Document) -> set[str]:
    return {line for block in document.blocks if isinstance(block, Code) for line in block.lines}


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_report_is_no_wider_than_the_terminal_and_no_word_of_it_is_broken(width: int) -> None:
    lines = _told(REPORT, width)
    # A command is to be copied: it stands in one line.
    commands = _commands(REPORT)
    assert commands <= set(lines)
    assert max(len(line) for line in lines if line not in commands) <= width
    words, cells = set(), set()
    for line in markdown.text(REPORT).splitlines():
        if line.startswith("|") and not line.startswith("|-"):
            cells |= set(line.replace("|", " ").split())
        elif not line.startswith(("|", "```", "Files of the run")):
            words |= set(line.split())
    written = {word for line in lines for word in line.split()}
    assert "[20,291–22,777]" in cells
    assert (words | cells) - written - {"/"} - {word.rstrip(":") for word in written} == set()


def test_a_table_of_a_report_has_its_figures_right_and_its_words_left() -> None:
    lines = _told(REPORT, 120)
    begin = lines.index("entry    rank  relative requests/s  limited by")
    assert lines[begin + 1 : begin + 3] == [
        "aiohttp     1                1.000  waiting or concurrency",
        "crax        2  0.683 [0.584–0.800]  waiting or concurrency",
    ]


def test_the_study_s_table_is_a_block_a_row_where_a_terminal_has_no_room_for_it() -> None:
    lines = _told(REPORT, 80)
    begin = lines.index("framework: crax")
    assert lines[begin : begin + 5] == [
        "framework: crax",
        "  jsonConcurrencyLevels: 16",
        "  totalRequests: 14694.7",
        "  seconds: 1.00",
        "  requestsPerSecond: 14694.67",
    ]


def test_a_line_s_continuation_stands_beside_its_bullet_or_its_first_word() -> None:
    swap = Finding("swap", WARNING, "512 MB in use", "end what uses the memory")
    assert _told(Document((Bullets(("crax is ahead of all the others",)), Terms(tuple(swap.rows)))), 30) == [
        "* crax is ahead of all the",
        "  others",
        "",
        "warning  swap: 512 MB in use",
        "         end what uses the",
        "         memory",
    ]


def test_a_plan_s_continuation_stands_beside_what_is_told_whatever_its_name() -> None:
    rows = (("plan", "128 samples"), ("before each test", "a warm-up until steady, 3 to 5 s"))
    assert _told(Document((Terms(rows),)), 40) == [
        "plan              128 samples",
        "before each test  a warm-up until",
        "                  steady, 3 to 5 s",
    ]


def test_a_cell_that_holds_what_parts_cells_is_the_same_on_a_terminal() -> None:
    made = Table(("entry", "a|b"), (("crax", "1|2"), ("aiohttp", r"3\|4")))
    assert _told(Document((made,)), 40) == ["entry     a|b", "crax      1|2", r"aiohttp  3\|4"]


def test_a_row_whose_words_do_not_fit_is_broken_within_them_last_of_all() -> None:
    made = Table(("entry", "rate"), (("crax", "1"), ("rill", "2000000")))
    assert _told(Document((made,)), 40) == ["entry     rate", "crax         1", "rill   2000000"]
    assert _told(Document((made,)), 8) == [
        "entry:",
        "    crax",
        "  rate:",
        "    1",
        "entry:",
        "    rill",
        "  rate:",
        "    2000",
        "    000",
    ]


def test_letters_that_take_two_columns_count_as_two_within_tables_and_without() -> None:
    words = " ".join(["計測の結果"] * 6)
    lines = _told(
        Document((Bullets((words,)), Table(("entry", words), (("crax", words),), words=("entry", words)))), 30
    )
    assert max(map(cell_len, lines)) == 28
    assert lines[:3] == ["* 計測の結果 計測の結果", "  計測の結果 計測の結果", "  計測の結果 計測の結果"]
    assert "".join(lines).count("計測の結果") == 3 * 6


def test_a_pipe_gets_a_report_as_it_is() -> None:
    pipe = StringIO()
    renderer.show(_console(pipe, 40), REPORT)
    assert pipe.getvalue() == markdown.text(REPORT)


@pytest.mark.parametrize(("width", "no_color"), [(40, "1"), (80, "1"), (80, "")])
def test_a_run_s_report_fits_the_terminal_and_has_no_control_characters_where_no_color_is_set(
    tmp_path: Path, width: int, no_color: str
) -> None:
    run = _run()
    journal = store.create(tmp_path, run.manifest)
    for sample in run.taken:
        journal.append(sample)
    text = screens.shown(["report", str(journal.folder)], width, {"NO_COLOR": no_color})
    assert ("\x1b" in text) == (not no_color)
    assert "### Ratios" in text
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    assert max(len(line) for line in lines if line not in _commands(outputs.document(run))) <= width


def test_forty_long_names_are_shown_whole_on_a_narrow_terminal() -> None:
    names = [f"{'an-entry-with-a-very-long-name-' * 2}{number:02}" for number in range(40)]
    screen = Screen()
    _table(_console(screen, 40), [[name, ", ".join(names), "complete"] for name in names])
    written = screen.getvalue()
    assert max(map(len, written.splitlines())) <= 40
    pieces = re.sub(r"\s", "", written)
    assert all(pieces.count(f"run:{name}entries:") == 1 for name in names)
    assert pieces.count(",".join(names)) == len(names)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Step 1/9 : FROM base\nStep 2/9 : RUN pip install\n\n", "Step 2/9 : RUN pip install"),
        ("\x1b[33mwarning\x1b[0m: odd\r\n", "warning: odd"),
        ("x" * 10_000, "x" * 20),
        (None, "building, 0 s:"),
    ],
)
def test_what_takes_long_shows_its_log_s_last_line_on_a_terminal(
    tmp_path: Path, written: str | None, shown: str
) -> None:
    log = tmp_path / "build.log"
    if written is not None:
        log.write_text(written)
    screen = Screen()
    with terminal.waiting("building", log, _console(screen, 60)):
        pass
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert shown in drawn
    assert max(map(len, drawn.splitlines())) <= 60


def test_a_pipe_is_not_told_what_a_terminal_draws(tmp_path: Path) -> None:
    pipe = StringIO()
    with terminal.waiting("building", tmp_path / "log", _console(pipe, 80)):
        pass
    assert pipe.getvalue() == ""
