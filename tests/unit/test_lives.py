"""The component of variance between lives of containers, of rounds whose components are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.load.metrics import RATE
from benchlab.records.run import Run
from benchlab.report import rounds
from benchlab.statistics import lives, stats
from benchlab.statistics.lives import Spread, Verdict

from . import made_rounds
from .conftest import make_counters
from .values import Array, known, plausible

NOISE = 0.15


def _spread(logs: Array) -> Spread:
    levels = made_rounds.levels(logs)
    return known(lives.spread(levels, stats.ratios(levels), RATE))


def _made(seed: int, life: float, blocks: int = 200, entries: int = 2, count: int = 50) -> Spread:
    chance = np.random.default_rng(seed)
    return _spread(made_rounds.log_rates(chance, entries, 2, blocks, count, NOISE, life))


@pytest.mark.parametrize("life", [0.0, 0.02])
@pytest.mark.parametrize("entries", [2, 3])
def test_the_components_of_many_blocks_are_those_that_they_were_made_of(life: float, entries: int) -> None:
    found = _made(1, life, entries=entries)
    alone = NOISE / math.sqrt(50 * 2)
    assert (found.blocks, found.rounds) == (200, 50)
    assert found.between_rounds == pytest.approx(NOISE, rel=0.05)
    assert found.predicted == pytest.approx(alone, rel=0.05)
    assert found.between_blocks == pytest.approx(math.hypot(alone, life), rel=0.12)
    assert found.life == pytest.approx(life, abs=0.006)
    assert known(found.life_high) > known(found.life)
    assert found.verdict is (Verdict.YES if life else Verdict.NO)


@pytest.mark.parametrize("entries", [2, 4])
def test_without_an_effect_of_lives_one_is_seen_in_5_of_100_runs(entries: int) -> None:
    runs = 300
    seen = sum(_made(seed, 0.0, 6, entries, 30).verdict is not Verdict.NO for seed in range(runs))
    assert seen in plausible(runs, 0.05)


def test_an_effect_of_lives_twice_as_large_as_that_of_rounds_is_mostly_seen() -> None:
    found = [_made(seed, 0.03, 8, 2, 50) for seed in range(100)]
    assert sum(each.verdict is Verdict.YES for each in found) > 80
    # The upper bound is one-sided: it lies above the truth in 95 of 100.
    assert sum(known(each.life_high) >= 0.03 for each in found) in plausible(100, 0.95)


def test_a_small_effect_that_is_certain_does_not_matter() -> None:
    assert _made(2, 0.005, 400, 2, 400).verdict is Verdict.SMALL


def test_rounds_that_entries_miss_and_stalls_leave_all_finite() -> None:
    logs = made_rounds.log_rates(np.random.default_rng(3), 3, 2, 6, 20, NOISE, 0.0)
    logs[np.random.default_rng(4).random(logs.shape) < 0.1] = np.nan
    logs[0, 0, 0, 0] = math.log(1e-6)
    found = _spread(logs)
    assert all(math.isfinite(known(value)) for value in (found.life, found.life_high, found.p, found.between_rounds))
    # One stalled slice of 120 counts as one, where the logarithm of its ratio would be -14.
    assert found.between_rounds < 2 * NOISE


def test_entries_of_two_groups_with_an_anchor_are_one_layout() -> None:
    logs = made_rounds.log_rates(np.random.default_rng(5), 3, 1, 8, 40, NOISE, 0.0)
    logs[0, 1, 4:] = logs[0, 2, :4] = np.nan
    found = _spread(logs)
    # Each pair of neighbours has 4 blocks, so 3 degrees of freedom, and shares none with the other.
    observed, alone = (known(value) ** 2 for value in (found.between_blocks, found.predicted))
    assert found.blocks == 4
    assert found.p == pytest.approx(reference.f.sf(observed / alone, 6, 2 * 4 * 39))


def test_one_block_does_not_show_how_lives_differ() -> None:
    found = _made(6, 0.0, 1)
    assert (found.verdict, found.between_blocks, found.life, found.p) == (Verdict.UNKNOWN, None, None, None)
    assert found.predicted > 0


def test_without_rounds_nothing_is_told_of_lives() -> None:
    levels = made_rounds.levels(made_rounds.log_rates(np.random.default_rng(7), 2, 2, 5, 1, NOISE, 0.0))
    assert lives.spread(levels, stats.ratios(levels), RATE) is None
    plain = {level: {name: dict(blocks) for name, blocks in of.items()} for level, of in levels.items()}
    assert lives.spread(plain, stats.ratios(plain), RATE) is None


def test_without_any_noise_lives_are_not_seen() -> None:
    assert _spread(np.zeros((1, 2, 3, 4))).verdict is Verdict.NO


def test_the_advice_is_more_blocks_where_lives_matter_and_more_rounds_elsewhere() -> None:
    spreads = {"json": _made(1, 0.02), "query": _made(1, 0.0), "db": _made(6, 0.0, 1), "fortune": _made(2, 0.0)}
    assert [line.split(": ")[0] for line in rounds.advice(spreads)] == ["json", "query and fortune", "db"]
    assert ["more blocks make" in line for line in rounds.advice(spreads)] == [True, False, False]


def test_what_idle_entries_used_is_told_and_what_helps_where_that_is_much() -> None:
    run = made_rounds.run(made_rounds.log_rates(np.random.default_rng(8), 2, 1, 2, 2, NOISE, 0.0))
    assert list(rounds.idle(_idling(run, 2_000))) == [
        "While one entry was loaded, the others used 0.2% of a CPU together."
    ]
    assert list(rounds.idle(_idling(run, 20_000))) == [
        "While one entry was loaded, the others used 2.0% of a CPU together: too much; `--profile study` has one entry "
        "up at a time."
    ]
    assert list(rounds.idle(_idling(run, None))) == []


def _idling(run: Run, cpu_us: int | None) -> Run:
    counters = replace(make_counters(), between_us=1_000_000, idle_entries_cpu_us=cpu_us)
    return replace(run, taken=tuple(replace(sample, counters=counters) for sample in run.taken))
