"""Runs that were measured and told of before the code was redesigned say the same figures and outcomes still.

tests/kept/KIND/ has the journal and manifest of a run, and in expected/ what the lab told of it then. Words and the
order of sections may change; what a table's row holds, and what the export knows, may not. What was told then is read
with the names that rules have now.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchlab.cli import cli
from benchlab.quality import rules
from benchlab.records import schema
from benchlab.statistics import analysis
from benchlab.storage import store

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/kept"
KINDS = sorted(path.name for path in KEPT.iterdir() if path.is_dir())
# What tells of the lab that read the run, not of the run.
OF_THE_READER = ("manifest", "analysed_by", "parameters")
DURATION_ERROR = "wrk ran longer or shorter than asked"
# What cells of tables said then, and say now.
REWORDED = {
    **schema.RENAMED_RULES,
    "wrk did not run as long as it was told: the host stalled": f"{DURATION_ERROR}: the host stalled",
    "for a second the rate was far from the sample's own": "in one second the rate was far from the sample's median",
}


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


def _expected_rows(kind: str, name: str) -> Counter[tuple[str, ...]]:
    """Return the rows of the tables then, in the words of now."""
    rows: Counter[tuple[str, ...]] = Counter()
    for row, count in _rows(_expected(kind, name)).items():
        rows[tuple(REWORDED.get(cell, cell) for cell in row)] += count
    return rows


def _expected_export(kind: str) -> dict[str, Any]:
    """Return the export then, with the names that rules have now."""
    export: dict[str, Any] = json.loads(_expected(kind, "export.json"))
    samples = export["samples"]
    samples["broken"] = {schema.rule_name(name): count for name, count in samples["broken"].items()}
    samples["unknown"] = sorted(schema.rule_name(name) for name in samples["unknown"])
    return export


def _lacking(text: str, kind: str, name: str) -> Counter[tuple[str, ...]]:
    """Return the rows that were told then and the text has no more; it may have more tables than there were."""
    return _expected_rows(kind, name) - _rows(text)


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
    of_the_run = {key: value for key, value in json.loads(export).items() if key not in OF_THE_READER}
    assert (code, of_the_run) == (0, _expected_export(kind))


@pytest.mark.parametrize("kind", ["factors", "variants"])
def test_the_factors_of_a_kept_run_have_the_same_effects(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, factors = _lab(["factors", folder], capsys)
    assert (code, _rows(factors)) == (0, _expected_rows(kind, "factors.md"))


@pytest.mark.parametrize("kind", ["against"])
def test_versions_of_a_kept_run_compare_as_before_and_the_gate_has_the_same_answer(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, comparison = _lab(["compare", folder, "--fail-if-slower", "5%"], capsys)
    assert (code, _lacking(comparison, kind, "compare.md")) == (int(_expected(kind, "compare.code")), Counter())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_run_is_read_with_the_names_that_rules_have_now(kind: str) -> None:
    run = store.read(KEPT / kind)
    verdicts = [sample.verdict for sample in run.taken]
    named = {name for verdict in verdicts for name in (*verdict.broken, *verdict.unknown)}
    assert named <= rules.BY_NAME.keys()
    assert run.manifest.facts.analysis == analysis.parameters()
