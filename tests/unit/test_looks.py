"""Looks before a run's end: when they are, what each costs, and what they can tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from benchlab.statistics import looks

from .values import plausible


@pytest.mark.parametrize(
    ("blocks", "after"),
    [
        (0, ()),
        (2, ()),
        (3, (3,)),
        (5, (5,)),
        (8, (4, 8)),
        (10, (4, 7, 10)),
        (15, (3, 6, 9, 12, 15)),
        (20, (4, 8, 12, 16, 20)),
        (23, (5, 10, 14, 19, 23)),
        (40, (8, 16, 24, 32, 40)),
    ],
)
def test_looks_are_equal_steps_of_three_blocks_or_more_and_the_last_is_at_the_end(
    blocks: int, after: tuple[int, ...]
) -> None:
    assert looks.planned(blocks) == after


@pytest.mark.parametrize(
    ("blocks", "groups", "after"), [(40, 2, (8, 16, 24, 32, 40)), (20, 3, (9, 18)), (18, 2, (6, 12, 18)), (5, 2, ())]
)
def test_every_look_has_as_many_blocks_of_each_group(blocks: int, groups: int, after: tuple[int, ...]) -> None:
    assert looks.planned(blocks, groups) == after


# Pocock (1977), table 1, two-sided 5 %: the level of each of so many looks, to either side half of it.
POCOCK = {1: 0.05, 2: 0.0294, 3: 0.0221, 4: 0.0182, 5: 0.0158, 6: 0.0142, 7: 0.0130, 8: 0.0120, 9: 0.0112, 10: 0.0106}


@pytest.mark.parametrize(("count", "level"), POCOCK.items())
def test_the_level_of_each_look_is_pocock_s(count: int, level: float) -> None:
    assert 2 * looks.nominal(0.025, tuple(range(1, count + 1))) == pytest.approx(level, abs=1e-4)


def test_the_one_sided_level_of_five_looks_is_larger_than_half_the_two_sided_one_of_twice_the_error() -> None:
    five = (4, 8, 12, 16, 20)
    assert looks.nominal(0.05, five) == pytest.approx(0.0169, abs=5e-5)
    # What a table gives for two sides spends less than 5 % on one.
    assert looks.corrected(0.0158, five) == pytest.approx(0.0470, abs=5e-5)


def test_equal_steps_cost_the_same_however_long_they_are() -> None:
    assert looks.corrected(0.01, (1, 2, 3)) == pytest.approx(looks.corrected(0.01, (8, 16, 24)), abs=1e-9)


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-13, 1e-11, 1e-6, 0.001, 0.1, 0.5, 0.9, 0.999999, 1.0])
def test_a_corrected_p_is_a_probability_between_the_p_itself_and_bonferroni_s(p: float) -> None:
    assert p <= looks.corrected(p, (4, 8, 12)) <= min(1.0, 3 * p * (1 + 1e-9) + 1e-12)
    assert looks.corrected(p, (4,)) == p


def test_a_last_look_that_comes_early_costs_less_than_was_planned() -> None:
    assert looks.corrected(0.0158, (4, 8, 12, 13)) < looks.corrected(0.0158, (4, 8, 12, 16, 20))


def test_what_is_corrected_is_how_often_chance_comes_so_far_at_any_look() -> None:
    runs, planned, p = 20_000, (4, 7, 10), 0.02
    values = np.random.default_rng(3).normal(size=(runs, planned[-1]))
    z = [values[:, :count].sum(axis=1) / np.sqrt(count) for count in planned]
    found = (np.max(z, axis=0) >= norm.isf(p)).sum()
    assert found in plausible(runs, looks.corrected(p, planned))


@pytest.mark.parametrize("planned", [(4, 7, 10), (4, 8, 12, 16, 20), (8, 16, 24, 32, 40)])
def test_the_smallest_loss_is_shown_four_times_in_five(planned: tuple[int, ...]) -> None:
    runs, stdev = 4000, 0.04
    loss = looks.smallest_loss(stdev, planned, 0.04)
    values = np.log1p(-loss) + np.random.default_rng(5).normal(0, stdev, (runs, planned[-1]))
    bound = looks.nominal(0.04, planned)
    shown = np.zeros(runs, dtype=bool)
    for count in planned:
        of = values[:, :count]
        shown |= -of.mean(axis=1) >= t.isf(bound, count - 1) * of.std(axis=1, ddof=1) / np.sqrt(count)
    assert shown.mean() == pytest.approx(0.8, abs=0.03)


def test_more_blocks_show_less_and_without_a_spread_everything_shows() -> None:
    some, more = (looks.smallest_loss(0.04, looks.planned(blocks), 0.04) for blocks in (10, 40))
    assert 0 < more < some
    assert looks.smallest_loss(0.0, (4, 8), 0.04) == 0
    assert looks.power(0.01, 0.0, (4, 8), 0.04) == 1
