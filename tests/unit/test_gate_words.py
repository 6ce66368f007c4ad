"""What table, sentences and gate say of made-up comparisons, read as a reader does: none contradicts another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchlab.cli import cli
from benchlab.load.closed import MEASURES
from benchlab.report import changes, gate
from benchlab.statistics import baseline, candidate, regression, stats
from benchlab.statistics.analysis import ALL_LEVELS, Scope
from benchlab.statistics.baseline import Design
from benchlab.statistics.candidate import Row
from benchlab.statistics.regression import NO_REGRESSION, REGRESSION, UNDECIDED

from .values import at

NUMBER = r"(\d+\.\d+)"
INTERVAL = re.compile(rf"{NUMBER} \[{NUMBER}–{NUMBER}\]")
COUNT = 400


def _made_up(seed: int) -> tuple[Row, ...]:
    """Return ratios of one to three tests, near 1 and near a margin more often than chance would have them."""
    chance = np.random.default_rng(seed)
    design = list(Design)[seed % 3]
    spread = 10 ** chance.uniform(-4, -1)

    def ratios() -> Iterator[tuple[candidate.RowKey, stats.Ratio]]:
        for test in range(chance.integers(1, 4)):
            levels: list[Scope] = [*map(at, range(chance.integers(1, 4))), ALL_LEVELS]
            for level in levels:
                for metric in MEASURES.compared:
                    log = chance.choice([0.0, np.log(0.97), np.log(1.03), -1e-5]) + chance.normal(0, spread)
                    blocks = int(chance.integers(2, 20))
                    yield (
                        candidate.RowKey("entry", f"t{test}", level, metric),
                        stats.tested("new", "old", float(log), float(spread * 2), blocks, blocks - 1),
                    )

    found = list(ratios())
    single = tuple({key.level for key, _ in found if key.level is not ALL_LEVELS})
    return candidate.judged([(key, replace(ratio, over=single)) for key, ratio in found], design)


def _bounds(text: str) -> tuple[float, float]:
    found = re.search(rf"\[{NUMBER}–{NUMBER}\]", text)
    assert found, text
    return float(found[1]), float(found[2])


def _fits(outcome: str, interval: str) -> bool:
    """Return whether the interval of a table's row allows the outcome beside it."""
    if outcome.startswith("too few") or interval in ("–", "[too wide]"):
        return True
    low, high = _bounds(interval)
    if outcome == "equal":
        return interval.endswith("(90 %)") and low >= 0.9705 and high <= 1.0305
    if "(90 %)" in interval:
        return False
    if outcome.startswith("unclear among"):
        return high < 1 or low > 1
    return {
        "faster": low > 1,
        "higher": low > 1,
        "slower": high < 1,
        "lower": high < 1,
        "cannot be told apart": low <= 1 <= high,
    }[outcome]


@pytest.mark.parametrize("first", range(0, COUNT, 100))
def test_an_outcome_and_the_interval_beside_it_agree(first: int) -> None:
    for seed in range(first, first + 100):
        for row in changes.frame(_made_up(seed)).to_dict("records"):
            assert _fits(row["outcome"], row["95 % interval"]), (seed, row)


WORDS = {
    "went up": "faster",
    "were higher": "higher",
    "went down": "slower",
    "were lower": "lower",
    "within 3%": "equal",
    "cannot be told apart": "cannot be told apart",
    "unclear among": "unclear among",
    "too few": "too few",
}


@pytest.mark.parametrize("first", range(0, COUNT, 100))
def test_a_sentence_says_what_the_row_of_the_table_says(first: int) -> None:
    for seed in range(first, first + 100):
        rows = [row for row in _made_up(seed) if row.level is ALL_LEVELS]
        table = changes.frame(rows).to_dict("records")
        for told, row in zip(changes.changes(rows), table, strict=True):
            (word,) = (outcome for said, outcome in WORDS.items() if said in told)
            assert row["outcome"].startswith(word), (seed, told, row)
            assert f"{row['new / old']} {row['95 % interval']}" in told


@pytest.mark.parametrize("first", range(0, COUNT, 100))
def test_what_the_gate_says_of_a_limit_is_so_of_the_values_beside_it(first: int) -> None:
    answers = set()
    for seed in range(first, first + 100):
        rows, margin = _made_up(seed), (0.03, 0.0275, 0.005, 0.1)[seed % 4]
        answer = regression.gate(rows, margin)
        answers.add(answer.exit_code)
        told = [tuple(map(float, found)) for found in INTERVAL.findall(gate.reason(answer))]
        if answer.exit_code == NO_REGRESSION:
            limit, lowest = (
                float(number) for number in re.findall(r"above (\S+) .*begins at (\S+)\)", gate.reason(answer))[0]
            )
            assert limit == pytest.approx(1 - margin)
            assert lowest > limit, (seed, answer)
            slower = [row for row in changes.frame(rows).to_dict("records") if row["outcome"] == "slower"]
            assert all(_bounds(row["95 % interval"])[0] > limit - 5e-4 for row in slower), (seed, slower)
        elif answer.exit_code == REGRESSION:
            assert told
            assert all(low <= 1 - margin and high < 1 for _, low, high in told), (seed, answer)
            assert all(row.design is not Design.TWO_RUNS for row in rows)
        else:
            assert answer.exit_code == UNDECIDED
            assert all(low <= 1 - margin or "at least 3" in gate.reason(answer) for _, low, _ in told), (seed, answer)
    assert answers == {NO_REGRESSION, REGRESSION, UNDECIDED}


def test_the_help_of_compare_says_what_each_exit_code_means_and_what_counts_as_a_day() -> None:
    told = " ".join(cli.parser("compare").format_help().split())
    # Exit code 3 shows no regression either.
    assert "Exit codes with --fail-if-slower: 0 a regression is excluded, 1 it is shown, 2 error, 3 neither" in told
    assert "no regression shown" not in told
    assert (
        f"unless baseline and candidate have {['no', 'one', 'two', 'three'][regression.LEAST_DAYS]} days each" in told
    )
    assert told.count(f"those that began less than {baseline.BREAK_HOURS} hours apart are of one day") == len(
        ("old", "new")
    )
