"""Runs that were measured and told of before the code was redesigned say the same figures and outcomes still.

tests/kept/KIND/ has the journal and manifest of a run, and in expected/ what the lab told of it then. Words and the
order of sections may change; what a table's row holds, and what the export knows, may not. What was told then is read
with the names that rules have now.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter
from itertools import takewhile
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
# The cells of a table's line.
Row = tuple[str, ...]
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
# What tells of the lab that read the run, not of the run.
OF_THE_READER = ("manifest", "analysed_by", "parameters")
DURATION_ERROR = "wrk ran longer or shorter than asked"
# What headers and cells of tables said then, and say now.
REWORDED = {
    **schema.RENAMED_RULES,
    "figure": "metric",
    "wrk did not run as long as it was told: the host stalled": f"{DURATION_ERROR}: the host stalled",
    "for a second the rate was far from the sample's own": "in one second the rate was far from the sample's median",
}


def _lab(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code of a command of the lab, and what it printed."""
    code = cli.main(ROOT, arguments)
    return code, capsys.readouterr().out


def _tables(text: str) -> dict[Row, Counter[Row]]:
    """Return the rows of all tables of Markdown in the text, by the headers that they stand below."""
    tables: dict[Row, Counter[Row]] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|") and set(line) <= set("|-:"):
            rows = takewhile(lambda line: line.startswith("|"), lines[number + 1 :])
            tables.setdefault(_cells(lines[number - 1]), Counter()).update(map(_cells, rows))
    return tables


def _cells(line: str) -> Row:
    """Return the cells of a table's line, in the words of now."""
    return tuple(REWORDED.get(cell.strip(), cell.strip()) for cell in line.strip("|").split("|"))


def _numbers(text: str) -> Counter[str]:
    """Return the numbers in the answer and the warnings, which stand as bullets above the first table."""
    bullets = [line for line in text.partition("\n|")[0].splitlines() if line.startswith("* ")]
    return Counter(NUMBER.findall(" ".join(bullets)))


def _expected(kind: str, name: str) -> str:
    return (KEPT / kind / "expected" / name).read_text(encoding="utf-8")


def _expected_export(kind: str) -> dict[str, Any]:
    """Return the export then, with the names that keys and rules have now."""
    export: dict[str, Any] = json.loads(_expected(kind, "export.json"), object_hook=_renamed)
    samples = export["samples"]
    samples["broken"] = {schema.rule_name(name): count for name, count in samples["broken"].items()}
    samples["unknown"] = sorted(schema.rule_name(name) for name in samples["unknown"])
    return export


def _renamed(keys: dict[str, Any]) -> dict[str, Any]:
    return {"metric" if key == "figure" else key: value for key, value in keys.items()}


def _differences(now: Any, before: Any, where: str = "") -> list[str]:
    """Return where the two differ by more than the error of adding floats, which newer Pythons make smaller."""
    if isinstance(now, dict) and isinstance(before, dict) and now.keys() == before.keys():
        return [each for key in now for each in _differences(now[key], before[key], f"{where}.{key}")]
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        pairs = enumerate(zip(now, before, strict=True))
        return [each for number, pair in pairs for each in _differences(*pair, f"{where}[{number}]")]
    if isinstance(now, float) and isinstance(before, float):
        return [] if math.isclose(now, before, rel_tol=1e-9, abs_tol=1e-12) else [f"{where}: {now}, was {before}"]
    return [] if now == before else [f"{where}: {now}, was {before}"]


def _changed(text: str, expected: str) -> dict[Row, Counter[Row] | None]:
    """Return the tables of then that the text has not, or has with other rows; it may have more tables."""
    now = _tables(text)
    return {header: now.get(header) for header, rows in _tables(expected).items() if now.get(header) != rows}


@pytest.fixture
def folder(kind: str, tmp_path: Path) -> str:
    """Return a copy of the run's folder, whose report is renewed when it is read."""
    shutil.copytree(KEPT / kind, tmp_path / kind)
    return str(tmp_path / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_a_kept_run_have_the_same_rows_and_its_answer_the_same_numbers(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = _lab(["report", folder], capsys)
    before = _expected(kind, "report.md")
    assert (code, _changed(report, before)) == (0, {})
    assert _numbers(report) >= _numbers(before) != Counter()


@pytest.mark.parametrize("kind", KINDS)
def test_the_export_of_a_kept_run_has_the_same_estimates_and_outcomes(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, export = _lab(["export", folder, "--format", "json"], capsys)
    of_the_run = {key: value for key, value in json.loads(export).items() if key not in OF_THE_READER}
    assert (code, _differences(of_the_run, _expected_export(kind))) == (0, [])


@pytest.mark.parametrize("kind", ["factors", "variants"])
def test_the_factors_of_a_kept_run_have_the_same_effects(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, factors = _lab(["factors", folder], capsys)
    assert (code, _changed(factors, _expected(kind, "factors.md"))) == (0, {})


@pytest.mark.parametrize("kind", ["against"])
def test_versions_of_a_kept_run_compare_as_before_and_the_gate_has_the_same_answer(
    kind: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, comparison = _lab(["compare", folder, "--fail-if-slower", "5%"], capsys)
    changed = _changed(comparison, _expected(kind, "compare.md"))
    assert (code, changed) == (int(_expected(kind, "compare.code")), {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_run_is_read_with_the_names_that_rules_have_now(kind: str) -> None:
    run = store.read(KEPT / kind)
    verdicts = [sample.verdict for sample in run.taken]
    named = {name for verdict in verdicts for name in (*verdict.broken, *verdict.unknown)}
    assert named <= rules.BY_NAME.keys()
    kept: dict[str, Any] = dict(run.manifest.facts.analysis or {})
    now: dict[str, Any] = analysis.parameters()
    kept_limits, limits = kept.pop("rules"), now.pop("rules")
    # None of them had a baseline.
    del now["baseline"]
    # What is new since are rules of slices, of which these runs have none.
    assert limits.keys() - kept_limits.keys() == {"idle entries", "silent slice", "late slice"}
    assert {name: limits[name] for name in kept_limits} == kept_limits
    assert kept == now
