"""What a report says of rounds and lives, and of pairs that were compared through another entry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchlab.records.plan import Manifest
from benchlab.records.run import Run, Sample
from benchlab.report import heat, markdown, outputs, report, sentences, tables

from . import made_rounds
from .conftest import make_load, make_sample, make_trial
from .made_runs import result_of, run_of
from .values import Array

TITLE = "## Rounds and blocks"


def _run(manifest: Manifest, logs: Array) -> Run:
    """Return the run of one level with these logarithms, entry x block x round, without those that are NaN."""
    return run_of(
        manifest,
        *(
            _sample(chr(ord("a") + entry), block + 1, number + 1, log)
            for (entry, block, number), log in np.ndenumerate(logs)
            if not np.isnan(log)
        ),
    )


def _sample(entry: str, block: int, number: int, log: float) -> Sample:
    return make_sample(replace(make_trial(block, entry), repeat=number), make_load(round(1e6 * np.exp(log))))


def _logs(life: float, rounds: int = 30) -> Array:
    chance = np.random.default_rng(1)
    return np.asarray(made_rounds.log_rates(chance, 3, 1, 8, rounds, 0.1, life)[0])


def test_the_report_tells_how_rounds_and_blocks_spread_and_what_more_of_would_help(manifest: Manifest) -> None:
    run = _run(manifest, _logs(0.1))
    text = markdown.text(report.report(run))
    section = text.partition(TITLE)[2].partition("\n## ")[0]
    (row,) = [line for line in section.splitlines() if line.startswith("| json")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["json", "requests/s", "8", "30"]
    assert cells[-1] == "yes"
    assert "json: lives of containers differ by more than their rounds explain, so more blocks make" in section
    assert "Rounds and blocks" in outputs.html(run)


def test_a_run_of_one_round_says_nothing_of_rounds(manifest: Manifest) -> None:
    run = _run(manifest, _logs(0.1, rounds=1))
    assert TITLE not in markdown.text(report.report(run))
    assert "Rounds and blocks" not in outputs.html(run)


def test_a_pair_of_two_groups_is_told_to_be_compared_through_the_anchor(manifest: Manifest) -> None:
    logs = _logs(0.0) + np.log([1.0, 0.9, 1.5])[:, None, None]
    # a is the anchor, b and c never were up together.
    logs[1, 4:] = logs[2, :4] = np.nan
    result = result_of(_run(manifest, logs))
    rows = tables.ratios(result)
    assert set(rows["pair"]) == {"a / b", "a / c", "b / c (through a)"}
    assert tables.THROUGH in next(tables.ratio_tables(result, "")).notes
    relative = {standing.entry: tables.relative(result, standing) for standing in result.standings}
    assert [entry for entry, told in relative.items() if told.endswith(", through a")] == ["b"]
    assert ", compared through a, the last." in sentences.conclusion(result)
    (square, *_) = [
        square for of in heat.maps(result) for row in of.squares for square in row if "through" in square.words
    ]
    assert square.words.endswith(", compared through a")
