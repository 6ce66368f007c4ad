"""Runs that were measured and told of before the code was redesigned say the same figures and outcomes still.

tests/kept/KIND/ has the journal and manifest of a run, and in expected/ what the lab told of it then. Words and the
order of sections may change; what a table's row holds, and what the export knows, may not.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from benchlab.cli import cli

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/kept"
KINDS = sorted(path.name for path in KEPT.iterdir() if path.is_dir())
# What tells of the lab that read the run, not of the run.
OF_THE_READER = ("manifest", "analysed_by", "parameters")


def _lab(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code of a command of the lab, and what it printed."""
    code = cli.main(ROOT, arguments)
    return code, capsys.readouterr().out


def _rows(text: str) -> Counter[tuple[str, ...]]:
    """Return the rows of all tables of Markdown in the text, without their headers and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    rules = {number for number, row in enumerate(cells) if all(set(cell) <= {"-", ":"} for cell in row)}
    return Counter(row for number, row in enumerate(cells) if number not in rules and number + 1 not in rules)


def _expected(kind: str, name: str) -> str:
    return (KEPT / kind / "expected" / name).read_text(encoding="utf-8")


def _lacking(text: str, kind: str, name: str) -> Counter[tuple[str, ...]]:
    """Return the rows that were told then and the text has no more; it may have more tables than there were."""
    return _rows(_expected(kind, name)) - _rows(text)


@pytest.fixture
def folder(kind: str, tmp_path: Path) -> str:
    """Return a copy of the run's folder, whose report is renewed when it is read."""
    shutil.copytree(KEPT / kind, tmp_path / kind)
    return str(tmp_path / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_a_kept_run_have_the_same_rows(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = _lab(["report", folder], capsys)
    assert (code, _lacking(report, kind, "report.md")) == (0, Counter())


@pytest.mark.parametrize("kind", KINDS)
def test_the_export_of_a_kept_run_has_the_same_figures_and_outcomes(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, export = _lab(["export", folder, "--format", "json"], capsys)
    told = {key: value for key, value in json.loads(export).items() if key not in OF_THE_READER}
    assert (code, told) == (0, json.loads(_expected(kind, "export.json")))


@pytest.mark.parametrize("kind", ["factors", "variants"])
def test_the_factors_of_a_kept_run_have_the_same_effects(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, factors = _lab(["factors", folder], capsys)
    assert (code, _rows(factors)) == (0, _rows(_expected(kind, "factors.md")))


@pytest.mark.parametrize("kind", ["against"])
def test_versions_of_a_kept_run_compare_as_before_and_the_gate_has_the_same_answer(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, comparison = _lab(["compare", folder, "--fail-if-slower", "5%"], capsys)
    assert (code, _lacking(comparison, kind, "compare.md")) == (int(_expected(kind, "compare.code")), Counter())
