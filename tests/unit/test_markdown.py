from __future__ import annotations

import pytest

from benchlab.core import quantities
from benchlab.report import markdown
from benchlab.report.document import (
    Code,
    Conclusion,
    Conclusions,
    Document,
    Facts,
    Files,
    Heading,
    Paragraph,
    Plot,
    Table,
    Terms,
    Warnings,
)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (1234.4, 5678.6, " [1,234–5,679]"),
        (1.0, 100.0, " [1–100]"),
        (1.0, 100.1, " [too wide]"),
        (161.0, 2_803_212.0, " [too wide]"),
        (0.0, 1.0, " [too wide]"),
        (None, None, ""),
    ],
)
def test_an_interval_is_told_by_its_bounds_unless_it_reaches_beyond_ten_times_its_figure(
    low: float | None, high: float | None, told: str
) -> None:
    assert quantities.interval(low, high, "{:,.0f}") == told


def test_what_parts_cells_parts_none_where_it_stands_in_one() -> None:
    made = markdown.table(Table(("entry", "not|measured"), (("a|b", "died: a | b"),)))
    _, _, row = made.splitlines()
    assert row == r"| a\|b    |    died: a \| b |"
    assert r"not\|measured" in made


def test_a_table_has_its_title_above_it_its_notes_below_and_its_narrow_parts_one_below_the_other() -> None:
    whole = Table(
        ("entry", "rate", "memory"),
        (("crax", "1", "2"),),
        title="All",
        notes=("As seen.",),
        narrow=(("entry", "memory"),),
    )
    assert markdown.text(Document((whole,))) == (
        "### All\n\n| entry   |   memory |\n|---------|----------|\n| crax    |        2 |\n\nAs seen.\n"
    )


def test_what_only_a_page_can_show_is_left_out_and_nothing_else() -> None:
    blocks = (
        Heading("A part", key="part"),
        Paragraph(("One.", "Two.")),
        Conclusions((Conclusion("json", "crax leads.", "Limited by wrk."),)),
        Warnings(("Few blocks.",)),
        Plot("rates", "Rates"),
        Facts("Host", {"cpu": "x"}),
        Code(("make setup",)),
        Terms((("plan", "2 samples"), ("CPUs", "all"))),
        Files("Files", {"a.csv": "rows", "b.md": ""}),
    )
    assert markdown.text(Document(blocks, "A run")).split("\n\n") == [
        "# A run",
        "## A part",
        "One.\nTwo.",
        "* json. crax leads. Limited by wrk.",
        "Before you believe it:",
        "* Few blocks.",
        "```sh\nmake setup\n```",
        "plan  2 samples\nCPUs  all",
        "Files: [a.csv](a.csv) (rows), [b.md](b.md).\n",
    ]
