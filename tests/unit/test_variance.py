"""Components of variance, of runs whose components are known."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchlab.load import metrics
from benchlab.records.plan import Manifest
from benchlab.records.run import INVALID, Run, Sample
from benchlab.statistics import sequential, variance
from benchlab.statistics.variance import Components, Cost

from .conftest import STARTED, make_load, make_sample, make_trial
from .values import Array

RATE = 10_000_000


def _run(manifest: Manifest, logs: Array) -> Run:
    """Return a run of equal entries; the dimensions of `logs` are block, entry and sample of its lifetime."""
    samples = [
        replace(
            make_sample(
                replace(make_trial(block + 1, f"equal-{entry}"), repeat=repeat + 1),
                make_load(round(RATE * math.exp(log))),
            ),
            started_at=STARTED + timedelta(seconds=10 * index),
        )
        for index, ((block, entry, repeat), log) in enumerate(np.ndenumerate(logs))
    ]
    names = {f"equal-{entry}": manifest.entries["crax"] for entry in range(logs.shape[1])}
    settings = replace(
        manifest.settings, levels={"json": (16,)}, blocks=logs.shape[0], repeats=logs.shape[2], duration_s=1
    )
    return Run(replace(manifest, entries=names, settings=settings), tuple(samples), ())


def _components(run: Run) -> Components:
    return variance.components(run, "json", metrics.RATE)


def test_the_components_of_a_large_run_are_those_it_was_made_of(manifest: Manifest) -> None:
    chance = np.random.default_rng(1)
    blocks, lifetimes, samples = 200, 3, 4
    logs = (
        chance.normal(0, 0.05, (blocks, 1, 1))
        + chance.normal(0, 0.03, (blocks, lifetimes, 1))
        + chance.normal(0, 0.08, (blocks, lifetimes, samples))
    )
    components = _components(_run(manifest, logs))
    assert components.block == pytest.approx(0.05, rel=0.15)
    assert components.lifetime == pytest.approx(0.03, rel=0.15)
    assert components.within == pytest.approx(0.08, rel=0.05)


def test_the_components_of_a_small_run_are_those_of_the_analysis_of_variance(manifest: Manifest) -> None:
    logs = np.random.default_rng(2).normal(0, 0.05, (4, 3, 2)).round(4)
    lifetimes = logs.mean(axis=2)
    within = logs.var(axis=2, ddof=1).mean()
    lifetime = max(0.0, lifetimes.var(axis=1, ddof=1).mean() - within / 2)
    block = max(0.0, lifetimes.mean(axis=1).var(ddof=1) - lifetimes.var(axis=1, ddof=1).mean() / 3)
    components = _components(_run(manifest, logs))
    assert components.within == pytest.approx(math.sqrt(within), rel=1e-4)
    assert components.lifetime == pytest.approx(math.sqrt(lifetime), rel=1e-4)
    assert components.block == pytest.approx(math.sqrt(block), rel=1e-4)


def test_the_spread_of_a_ratio_follows_from_lifetime_and_sample_alone() -> None:
    components = Components(0.5, 0.03, 0.08)
    assert components.ratio_stdev(4) == pytest.approx(math.sqrt(2 * (0.03**2 + 0.08**2 / 4)))


def test_with_one_sample_a_lifetime_nothing_is_known_within_it(manifest: Manifest) -> None:
    components = _components(_run(manifest, np.random.default_rng(3).normal(0, 0.05, (4, 3, 1))))
    assert (components.lifetime, components.within, components.ratio_stdev(1)) == (None, None, None)
    assert variance.best_repeats(components, Cost(8, 1.4), 600) is None


def test_samples_that_do_not_count_and_retries_of_another_lifetime_are_left_out(manifest: Manifest) -> None:
    run = _run(manifest, np.random.default_rng(4).normal(0, 0.05, (4, 3, 2)))
    wild = make_load(RATE * 9)
    extra: list[Sample] = [
        replace(run.taken[0], load=wild, attempt=2),
        replace(make_sample(run.taken[1].trial, wild, severity=INVALID)),
    ]
    assert _components(replace(run, taken=(*run.taken, *extra))) == _components(run)


def test_no_spread_at_all_is_none_and_not_negative(manifest: Manifest) -> None:
    assert _components(_run(manifest, np.zeros((3, 2, 2)))) == Components(0.0, 0.0, 0.0)


# Kalibera and Jones: the best number of samples is the root of the costs' ratio times the variances' ratio.
@pytest.mark.parametrize(
    ("lifetime", "within", "lifetime_s", "sample_s"),
    [(0.02, 0.08, 8.0, 1.4), (0.04, 0.085, 8.0, 1.4), (0.02, 0.02, 16.0, 1.0)],
)
def test_with_time_for_many_blocks_the_best_number_is_kalibera_s_and_jones_s(
    lifetime: float, within: float, lifetime_s: float, sample_s: float
) -> None:
    best = variance.best_repeats(Components(0.0, lifetime, within), Cost(lifetime_s, sample_s), 100_000)
    expected = math.sqrt(lifetime_s / sample_s * within**2 / lifetime**2)
    assert best is not None
    assert abs(best - expected) <= 1


def test_where_time_is_short_blocks_are_worth_more_than_samples() -> None:
    components, cost = Components(0.0, 0.02, 0.08), Cost(8.0, 1.4)
    long, short = (variance.best_repeats(components, cost, limit_s) for limit_s in (100_000, 100))
    assert long is not None
    assert short is not None
    assert short < long


def test_the_smallest_effect_is_that_of_the_blocks_there_is_time_for() -> None:
    components = Components(0.0, 0.02, 0.08)
    # 2 x (8 + 4 x 1.5) = 28 s a block.
    expected = sequential.smallest_effect(components.ratio_stdev(4) or 0.0, 21)
    assert variance.effect(components, Cost(8.0, 1.5), 4, 600) == pytest.approx(expected)
    assert variance.effect(components, Cost(8.0, 1.5), 4, 40) is None


def test_costs_are_those_that_the_run_had(manifest: Manifest) -> None:
    # 24 samples, 10 s from one to the next, in 12 lifetimes of 2: one takes a twelfth of 23 x 10 s and the last sample.
    run = _run(manifest, np.zeros((4, 3, 2)))
    cost = variance.cost(run)
    assert cost.sample_s == pytest.approx(1.4)
    assert cost.lifetime_s + 2 * cost.sample_s == pytest.approx((230 + 1.02) / 12)
    assert cost.block_s(2) == pytest.approx(2 * (230 + 1.02) / 12)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(hours=-1)])
def test_neither_a_pause_nor_a_clock_that_is_set_changes_the_costs(manifest: Manifest, jump: timedelta) -> None:
    run = _run(manifest, np.zeros((4, 3, 2)))
    later = tuple(replace(sample, started_at=sample.started_at + jump) for sample in run.taken[12:])
    usual, jumped = (variance.cost(each) for each in (run, replace(run, taken=(*run.taken[:12], *later))))
    # The gap with the jump in it is lost: that of 10 s, but for the sample of 1.02 s, of 12 lifetimes.
    assert usual.block_s(2) - jumped.block_s(2) == pytest.approx(2 * 8.98 / 12)


def test_a_run_that_was_ended_costs_what_its_visits_did(manifest: Manifest) -> None:
    run = _run(manifest, np.zeros((4, 3, 2)))
    ended = replace(run, taken=run.taken[:12])
    assert variance.cost(ended).block_s(2) == pytest.approx(2 * (110 + 1.02) / 6)


def test_a_run_without_samples_has_no_known_costs(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="has no samples"):
        variance.cost(Run(manifest, (), ()))
