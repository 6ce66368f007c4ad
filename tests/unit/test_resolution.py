"""How small a difference can be and still be told, from rounds whose components of variance are known."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from benchlab.experiment import pace
from benchlab.experiment.profiles import PROFILES
from benchlab.records.run import Run
from benchlab.selftest import resolution
from benchlab.selftest.check import Check
from benchlab.selftest.extent import PROFILE
from benchlab.statistics.sequential import smallest_effect

from . import made_rounds
from .values import Array

NOISE = 0.15
TOLD = re.compile(r"([\d.]+)% in (\d+) blocks of (\d+) rounds \(10 min\), spread of a block ([\d.]+)%")


def _logs(life: float = 0.0, blocks: int = 40, rounds: int = 30, levels: int = 1) -> Array:
    return made_rounds.log_rates(np.random.default_rng(3), 4, levels, blocks, rounds, NOISE, life)


def _of_rate(run: Run) -> tuple[float, int, int, float]:
    first, *_ = resolution.checks(run)
    found = TOLD.fullmatch(first.measured)
    assert found, first
    effect, blocks, rounds, spread = found.groups()
    return float(effect) / 100, int(blocks), int(rounds), float(spread) / 100


@pytest.mark.parametrize("levels", [1, 2])
def test_a_block_of_the_profile_has_as_many_rounds_as_its_time_and_as_much_spread_as_they_leave(levels: int) -> None:
    run = made_rounds.run(_logs(levels=levels))
    effect, blocks, rounds, spread = _of_rate(run)
    (of_test,) = run.paces
    block_s = PROFILES[PROFILE].block_s
    assert rounds == pace.rounds({"json": of_test.slice_s}, {"json": levels}, block_s)["json"]
    # What a round takes of two entries in this run, and some seconds of starts and warm-ups.
    rounds_s = rounds * 2 * levels * (0.385 + made_rounds.BESIDE_S)
    assert blocks in range(int(600 / (rounds_s + 15)), int(600 / (rounds_s + 5)) + 1)
    assert spread == pytest.approx(NOISE / math.sqrt(rounds * levels), rel=0.1)
    assert effect == pytest.approx(smallest_effect(spread, blocks), abs=0.001)


def test_what_lives_add_does_not_shrink_with_rounds() -> None:
    *_, rounds, spread = _of_rate(made_rounds.run(_logs(life=0.05, blocks=200)))
    assert spread == pytest.approx(math.hypot(0.05, NOISE / math.sqrt(rounds)), rel=0.1)


def test_small_effects_pass_in_either_metric_and_large_ones_fail() -> None:
    quiet = made_rounds.run(_logs() / 10)
    loud = made_rounds.run(_logs(life=0.1))
    for run, passed in ((quiet, True), (loud, False)):
        found = [check for check in resolution.checks(run) if check.name.startswith("smallest effect")]
        assert [check.name for check in found] == [
            f"smallest effect: json, {metric}" for metric in ("requests/s", "requests/CPU-s")
        ]
        assert found[0].passed is passed


def test_of_one_block_there_is_no_spread() -> None:
    first, *_ = resolution.checks(made_rounds.run(_logs(blocks=1)))
    assert first == Check("smallest effect: json, requests/s", "unavailable", "≤ 3%", None)


def test_the_components_are_told_for_information() -> None:
    _, second, *_ = resolution.checks(made_rounds.run(_logs(life=0.05, blocks=200)))
    assert second.name == "standard deviation between: json, requests/s"
    assert second.passed is None
    found = [float(number) for number in re.findall(r"([\d.]+)%", second.measured)]
    assert found == pytest.approx([15, math.hypot(5, 15 / math.sqrt(30)), 15 / math.sqrt(30), 5, 5], rel=0.15)
    assert second.goal == "for information: 200 blocks of 30 rounds here"


def test_a_test_without_a_slice_that_counts_fails_by_name() -> None:
    run = made_rounds.run(_logs())
    settings = replace(run.manifest.settings, levels={**run.manifest.settings.levels, "query": (1,)})
    *_, last = resolution.checks(replace(run, manifest=replace(run.manifest, settings=settings)))
    assert last == Check("smallest effect: query, requests/CPU-s", "no slice that counts", "≤ 3%", False)


def test_what_chance_alone_may_have_made_of_lives_leaves_the_effect_open() -> None:
    """Of small runs without lives, each whose effect is larger for the estimate alone says so and does not fail."""
    made = 0
    for seed in range(40):
        logs = made_rounds.log_rates(np.random.default_rng(seed), 4, 1, 4, 6, 0.1, 0.0)
        first, *_ = resolution.checks(made_rounds.run(logs))
        if "if lives add nothing" in first.measured:
            made += 1
            assert first.passed is None
    assert made > 0
