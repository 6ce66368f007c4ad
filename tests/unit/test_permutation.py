"""Label permutations: nominal where entries are equal, and not where one of them is slower."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchlab.selftest import permutation
from benchlab.selftest.permutation import Rejections, Within
from benchlab.statistics.pooling import Cells

from . import made_rounds
from .values import Array, cells, known, numbered, plausible


def _made(seed: int, entries: int = 4, blocks: int = 8, life: float = 0.0) -> Array:
    return made_rounds.log_rates(np.random.default_rng(seed), entries, 2, blocks, 30, 0.15, life)


def _count(logs: Array, within: Within, permutations: int = 1000) -> Rejections:
    return known(permutation.rejections(made_rounds.levels(logs), within, permutations, seed=1))


@pytest.mark.parametrize("within", Within)
def test_equal_entries_are_told_apart_at_the_nominal_rate(within: Within) -> None:
    found = [_count(_made(seed), within, 200) for seed in range(20)]
    assert {each.trials for each in found} == {200 * 6}
    assert 0.04 < np.mean([each.rate for each in found]) < 0.06


def test_permutations_in_a_round_are_nominal_even_where_lives_differ() -> None:
    # Permuted within rounds, what lives have to themselves is noise of rounds like all other.
    assert 0.035 < _count(_made(3, life=0.1), Within.ROUND).rate < 0.065


def test_the_trial_that_was_made_is_told_apart_where_an_entry_is_slower_and_its_permutations_rarely_are() -> None:
    logs = _made(4, entries=2)
    logs[:, 0] += math.log(1.2)
    pooled = made_rounds.levels(logs)
    values = np.array([[[of[name][block] for name in "ab"] for block in range(1, 9)] for of in pooled.values()])
    own = permutation._p(np.log(values).mean(axis=0)[None])
    assert own[0, 0] < 0.001
    # Of 2^8 ways to call them, two have all signs alike; the shift makes the others' spread large.
    assert _count(logs, Within.BLOCK).rate < 0.08


def test_all_pairs_are_counted_by_the_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    logs = np.random.default_rng(5).normal(0, 0.1, (1, 6, 3))
    expected = [ttest_rel(logs[0, :, i], logs[0, :, j]).pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
    assert permutation._p(logs)[0] == pytest.approx(expected)
    assert permutation._p(np.zeros((1, 4, 2)))[0] == pytest.approx([1.0])


def test_the_same_seed_gives_the_same_count() -> None:
    first, second = (_count(_made(6), Within.ROUND, 100) for _ in range(2))
    assert first == second


def test_rounds_that_an_entry_misses_count_for_none() -> None:
    logs = _made(7)
    logs[0, 1, 2, 3] = np.nan
    whole = logs.copy()
    whole[0, :, 2, 3] = np.nan
    assert _count(logs, Within.BLOCK, 50) == _count(whole, Within.BLOCK, 50)
    assert _count(logs, Within.ROUND, 50) == _count(whole, Within.ROUND, 50)


def test_values_without_rounds_are_permuted_within_blocks_too() -> None:
    plain: Cells = cells(np.random.default_rng(8).normal(0, 0.05, (2, 8)))
    found = known(permutation.rejections(numbered([plain]), Within.BLOCK, 2000, seed=2))
    assert found.rejections in plausible(2000, 0.05)


def test_the_interval_is_clopper_s_and_pearson_s() -> None:
    from scipy.stats import binomtest

    expected = binomtest(7, 100).proportion_ci()
    assert permutation.clopper_pearson(7, 100) == pytest.approx((expected.low, expected.high))
    assert permutation.clopper_pearson(0, 10)[0] == 0.0
    assert permutation.clopper_pearson(10, 10)[1] == 1.0


@pytest.mark.parametrize("found", [{}, {"a": {1: 1.0, 2: 1.0}}, {"a": {1: 1.0}, "b": {1: 1.0}}])
def test_one_entry_or_one_block_has_nothing_to_permute(found: Cells) -> None:
    assert permutation.rejections(numbered([found]), Within.BLOCK, 10, seed=1) is None
