"""From samples to results: what is compared with what, what limits whom, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference

from benchlab.core.counters import Usage
from benchlab.core.errors import ConfigError
from benchlab.core.measured import Decision, Run, Sample
from benchlab.core.model import Level, Manifest, Trial
from benchlab.statistics import analysis, bottleneck, sizing
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.comparison import Outcome, Rank
from benchlab.tables import report, standings

from .conftest import STARTED, make_counters, make_load, make_sample, make_trial

# Requests per second of aiohttp and crax in five blocks: aiohttp is twice as fast, with a little noise.
RATES = {"aiohttp": [1000, 1040, 980, 1010, 995], "crax": [500, 510, 495, 507, 490]}


def _samples(rates: dict[str, list[int]], connections: int = 16) -> tuple[Sample, ...]:
    return tuple(
        make_sample(make_trial(block, entry, "json", connections), make_load(requests))
        for entry, requests_of_blocks in rates.items()
        for block, requests in enumerate(requests_of_blocks, start=1)
    )


def _with_cpu(samples: tuple[Sample, ...], **cpu_us: int) -> tuple[Sample, ...]:
    """Return the samples with other CPU times of roles."""
    changed = []
    for sample in samples:
        roles = {**sample.counters.roles, **{role: Usage(us, 0, 0, 1) for role, us in cpu_us.items()}}
        changed.append(replace(sample, counters=replace(sample.counters, roles=roles)))
    return tuple(changed)


def test_entries_are_compared_in_pairs_by_block_and_ranked(manifest: Manifest) -> None:
    (result,) = analysis.analyse(Run(manifest, _samples(RATES), ()))
    (pair,) = result.overall.pairs
    assert pair.outcome is Outcome.FASTER
    assert pair.ratio.low is not None
    assert 1.9 < pair.ratio.low < 2 < pair.ratio.ratio * 1.01
    assert [(standing.entry, standing.rank) for standing in result.standings] == [
        ("aiohttp", Rank(1, 1)),
        ("crax", Rank(2, 2)),
    ]


def test_the_order_of_the_journal_changes_nothing(manifest: Manifest) -> None:
    samples = _samples(RATES)
    forward, backward = (report.report(Run(manifest, order, ())) for order in (samples, tuple(reversed(samples))))
    assert forward == backward


def test_requests_per_cpu_second_count_app_and_database_and_not_the_client(manifest: Manifest) -> None:
    (sample,) = _with_cpu((make_sample(),), client=900_000, app=400_000, db=100_000)
    assert analysis.per_cpu_s(sample) == 1000 / 0.5
    assert analysis.per_app_cpu_s(sample) == 1000 / 0.4


def test_a_figure_of_a_host_that_tells_nothing_is_unavailable(manifest: Manifest) -> None:
    blind = tuple(replace(s, counters=replace(s.counters, roles={})) for s in _samples(RATES))
    (result,) = analysis.analyse(Run(manifest, blind, ()))
    assert {cell.per_cpu_s for cell in result.cells} == {None}
    assert {cell.bottleneck for cell in result.cells} == {bottleneck.UNKNOWN}
    assert "unavailable" in report.report(Run(manifest, blind, ()))


def test_on_a_full_host_the_ranks_are_those_of_requests_per_cpu_second(manifest: Manifest) -> None:
    fast, slow = _samples({"aiohttp": RATES["aiohttp"]}), _samples({"crax": RATES["crax"]})
    full = (*_with_cpu(fast, app=900_000, db=1), *_with_cpu(slow, app=300_000, db=1))
    full = tuple(replace(s, counters=replace(s.counters, host=replace(s.counters.host, idle_us=10_000))) for s in full)
    (result,) = analysis.analyse(Run(manifest, full, ()))
    assert result.by_cpu
    # aiohttp answers twice as many, and takes three times the CPU time.
    assert [standing.entry for standing in result.standings] == ["crax", "aiohttp"]
    assert result.levels[16].pairs[0].outcome is Outcome.FASTER


def test_a_client_bound_cell_is_a_lower_bound_and_has_no_rank(manifest: Manifest) -> None:
    bound = (*_with_cpu(_samples({"aiohttp": RATES["aiohttp"]}), client=2_050_000), *_samples({"crax": RATES["crax"]}))
    (result,) = analysis.analyse(Run(manifest, bound, ()))
    assert [standing.entry for standing in result.standings] == ["crax"]
    (row,) = standings.overview([result]).to_dict("records")
    assert row["aiohttp"].startswith("≥ 1,005 [")
    assert list(standings.summary(result)["rank"]) == ["1", "–"]


@pytest.mark.parametrize(
    ("roles", "idle", "growth", "expected"),
    [
        ({"client": 0.95, "app": 0.95}, 0.0, None, "client"),
        ({"client": 0.2, "app": 0.95, "db": 0.3}, 0.3, None, "app"),
        ({"client": 0.2, "app": 0.5, "db": 0.92}, 0.3, None, "db"),
        ({"client": 0.2, "app": 0.5, "db": 0.1, "proxy": 0.91}, 0.3, None, "proxy"),
        ({"client": 0.3, "app": 0.6, "db": 0.1}, 0.01, None, "host-shared"),
        ({"client": 0.3, "app": 0.3, "db": 0.1}, 0.5, 1.9, "concurrency"),
        ({"client": 0.3, "app": 0.3, "db": 0.1}, 0.5, 1.0, "waiting"),
        ({"client": 0.3, "app": 0.3, "db": 0.1}, 0.5, None, "mixed"),
        ({"client": 0.3, "app": 0.8, "db": 0.1}, 0.2, 1.0, "mixed"),
        ({"client": 0.3, "app": 0.95, "db": 0.95}, 0.2, None, "mixed"),
        ({"app": 0.95}, 0.2, None, "unknown"),
    ],
)
def test_the_bottleneck_is_named(roles: dict[str, float], idle: float, growth: float | None, expected: str) -> None:
    assert bottleneck.name(Shares(roles, idle), growth) == expected


def test_shares_are_of_what_a_role_can_use() -> None:
    sample = make_sample()
    found = bottleneck.shares([sample, sample], {"client": 1, "app": 2, "db": 2})
    wall_us = make_counters().between_us
    assert found.roles == pytest.approx(
        {"client": 250_000 / wall_us, "app": 500_000 / 2 / wall_us, "db": 200_000 / 2 / wall_us}
    )
    assert found.idle == pytest.approx(1_060_000 / 2_040_000)


def test_an_adopted_entry_may_use_all_cpus_because_nobody_knows_its_workers(manifest: Manifest) -> None:
    own = replace(manifest, cpus=8, entries={"one": {"workers": "2"}, "other": {"workers": "own"}})
    cpus = {entry: analysis.role_cpus(own, entry, Level(16, 2))["app"] for entry in own.entries}
    assert cpus == {"one": 2, "other": 8}


def test_growth_is_known_where_twice_the_connections_were_measured(manifest: Manifest) -> None:
    calm = (*_samples({"crax": [500, 510]}), *_samples({"crax": [990, 1010]}, connections=32))
    (result,) = analysis.analyse(Run(manifest, calm, ()))
    assert [cell.bottleneck for cell in result.cells] == ["concurrency", "mixed"]


def test_after_a_pilot_the_wider_interval_counts(manifest: Manifest) -> None:
    noisy_pilot = {"aiohttp": [1000, 1500, 1010, 1005, 1008, 1002], "crax": [500, 500, 505, 502, 500, 501]}
    decided = Decision(STARTED, 3, 6, 6, "spread")
    plain, staged = (
        analysis.analyse(Run(manifest, _samples(noisy_pilot), (), decision))[0].overall.pairs[0].ratio
        for decision in (None, decided)
    )
    assert plain.high is not None
    assert staged.high is not None
    assert staged.ratio == pytest.approx(plain.ratio)
    assert staged.high > plain.high


def _decide(precision: float | None, left_s: float | None, manifest: Manifest, rates: dict[str, list[int]]) -> Decision:
    results = analysis.analyse(Run(manifest, _samples(rates), ()))
    return sizing.decide(results, 5, precision, 60.0, left_s, STARTED)


def test_a_run_gets_the_blocks_that_its_pilot_asks_for(manifest: Manifest) -> None:
    quiet, noisy = RATES, {"aiohttp": [1000, 1100, 900, 1050, 950], "crax": RATES["crax"]}
    assert _decide(0.03, None, manifest, quiet).blocks == 5
    needed = _decide(0.03, None, manifest, noisy)
    spread = np.std(np.log(noisy["aiohttp"]) - np.log(noisy["crax"]), ddof=1)
    assert needed.blocks == needed.needed == math.ceil((reference.t.ppf(0.975, 4) * spread / math.log(1.03)) ** 2)


def test_the_budget_caps_the_blocks_and_the_rest_is_told(manifest: Manifest) -> None:
    noisy = {"aiohttp": [1000, 1100, 900, 1050, 950], "crax": RATES["crax"]}
    capped = _decide(0.03, 200.0, manifest, noisy)
    assert (capped.blocks, capped.needed) == (8, _decide(0.03, None, manifest, noisy).needed)
    assert "less precise" in capped.reason


def test_a_budget_alone_is_used_up(manifest: Manifest) -> None:
    assert _decide(None, 130.0, manifest, RATES).blocks == 7


def test_a_pilot_fits_into_the_budget_or_is_refused() -> None:
    assert sizing.pilot_blocks(5, 60.0, None) == 5
    assert sizing.pilot_blocks(5, 60.0, 200) == 3
    with pytest.raises(ConfigError, match="one block takes about 1 min 00 s"):
        sizing.pilot_blocks(5, 60.0, 59)


def test_one_entry_alone_has_estimates_and_no_pairs(manifest: Manifest) -> None:
    (result,) = analysis.analyse(Run(manifest, _samples({"crax": RATES["crax"]}), ()))
    assert standings.ratios(result).empty
    assert sizing.reached([result]) is None
    assert list(standings.summary(result)["rank"]) == ["1"]


def test_many_pairs_are_shown_over_all_levels_only(manifest: Manifest) -> None:
    names = [f"entry{number}" for number in range(7)]
    labelled = replace(manifest, entries=dict.fromkeys(names, manifest.entries["crax"]))
    (result,) = analysis.analyse(Run(labelled, _samples({name: [500, 510, 505] for name in names}), ()))
    assert set(standings.ratios(result)["level"]) == {analysis.ALL_LEVELS}


def test_a_query_level_is_its_rows_a_request(manifest: Manifest) -> None:
    trial = Trial(1, "crax", "query", Level(128, 2, queries=20))
    (result,) = analysis.analyse(Run(manifest, (make_sample(trial),), ()))
    assert list(result.levels) == [20]


def test_repeats_of_a_visit_are_one_repetition_their_geometric_mean(manifest: Manifest) -> None:
    samples = tuple(
        make_sample(replace(make_trial(block), repeat=repeat), make_load(requests))
        for block, repeat, requests in ((1, 1, 1000), (1, 2, 4000), (2, 1, 3000))
    )
    assert analysis.figures(samples, analysis.rate)[16]["crax"] == pytest.approx({1: 2000, 2: 3000})
    (result,) = analysis.analyse(Run(manifest, samples, ()))
    assert result.cells[0].rate.blocks == 2
