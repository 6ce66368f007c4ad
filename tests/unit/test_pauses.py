"""How long samples took, whatever was done to the clock, and how long a block takes by that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from benchlab.experiment import forecast
from benchlab.records.plan import Manifest
from benchlab.records.run import Run, Sample
from benchlab.statistics import sizing
from benchlab.statistics.sizing import PAUSE_S

from .conftest import STARTED, make_sample, make_trial

# What `make_load` takes.
WALL_S = 1.02


def _samples(starts_s: tuple[float, ...], block: int = 1) -> tuple[Sample, ...]:
    return tuple(
        replace(make_sample(make_trial(block)), started_at=STARTED + timedelta(seconds=start_s)) for start_s in starts_s
    )


@pytest.mark.parametrize(
    ("starts_s", "spent_s"),
    [
        pytest.param((), 0, id="nothing"),
        pytest.param((0,), WALL_S, id="one sample"),
        pytest.param((0, 10, 20), 20 + WALL_S, id="from the first to the end of the last"),
        pytest.param((20, 0, 10), 20 + WALL_S, id="in any order"),
        pytest.param((0, 10, 9 + WALL_S + PAUSE_S), 9 + PAUSE_S + 2 * WALL_S, id="a long gap"),
        pytest.param((0, 10, 11 + WALL_S + PAUSE_S), 10 + 2 * WALL_S, id="a pause"),
        pytest.param((0, 10, 86_400, 86_410), 20 + 2 * WALL_S, id="the next day"),
        pytest.param((0, 10, -3600, -3590), 20 + 2 * WALL_S, id="a clock that was set back"),
        pytest.param((0, 0.5), 2 * WALL_S, id="a clock that was set back by a little"),
    ],
)
def test_pauses_and_a_clock_that_is_set_are_no_time_that_was_spent(starts_s: tuple[float, ...], spent_s: float) -> None:
    assert sizing.spent_s(_samples(starts_s)) == pytest.approx(spent_s)


def _block_s(manifest: Manifest, *blocks: tuple[float, ...]) -> float:
    samples = (_samples(starts_s, number) for number, starts_s in enumerate(blocks, start=1))
    return sizing.block_s(Run(manifest, tuple(sample for block in samples for sample in block), ()))


def test_a_block_takes_from_the_end_of_the_one_before_to_the_end_of_its_last_sample(manifest: Manifest) -> None:
    assert _block_s(manifest, (0, 10, 20), (50, 60, 70)) == pytest.approx(50)


def test_the_start_of_an_only_block_is_guessed(manifest: Manifest) -> None:
    assert _block_s(manifest, (0, 10, 20)) == pytest.approx(forecast.VISIT_S + 20 + WALL_S)


def test_of_several_blocks_the_middle_one_is_what_a_block_takes(manifest: Manifest) -> None:
    assert _block_s(manifest, (0, 10), (50, 60), (100, 190), (200, 231)) == pytest.approx(50)


@pytest.mark.parametrize("jump_s", [3600, 86_400, -3600])
def test_a_pause_or_a_clock_that_is_set_makes_no_block_of_a_pilot_of_two_longer(
    manifest: Manifest, jump_s: float
) -> None:
    usual = _block_s(manifest, (0, 10, 20), (50, 60, 70))
    jumped = _block_s(manifest, (0, 10, 20), (50, 60 + jump_s, 70 + jump_s))
    # The gap with the jump in it is lost.
    assert jumped == pytest.approx(usual - (10 - WALL_S))
