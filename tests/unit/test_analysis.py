"""From samples to results: what is compared with what, what limits whom, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import readings
from scipy import stats as reference

from benchlab.load.metrics import PER_APP_CPU, PER_CPU, RATE
from benchlab.records.counters import Counters, HostUsage, Usage, share_of_host
from benchlab.records.facts import Facts
from benchlab.records.plan import QUERIES, Level, LevelKey, Manifest, Trial
from benchlab.records.run import Decision, Run, Sample
from benchlab.report import outcomes, outputs, sentences, tables
from benchlab.statistics import analysis, bottleneck, cells, sizing
from benchlab.statistics.bottleneck import Shares
from benchlab.statistics.comparison import Outcome, Rank, holm

from .conftest import COMMIT, STARTED, make_counters, make_load, make_sample, make_trial, older, versions
from .made_runs import full_host
from .values import at, known

CPUS_OF_2 = {"client": 2, "app": 2, "db": 2}
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


def test_a_run_is_analysed_once_whoever_asks_and_another_one_anew(manifest: Manifest) -> None:
    run = Run(manifest, _samples(RATES), ())
    assert analysis.analyse(run) is analysis.analyse(run)
    faster = replace(run, taken=_samples({"aiohttp": [100], "crax": [200]}))
    assert [cell.rate.mean for cell in analysis.analyse(faster)[0].cells] == [100, 200]


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
    forward, backward = (outputs.text(Run(manifest, order, ())) for order in (samples, tuple(reversed(samples))))
    assert forward == backward


def test_requests_per_cpu_second_count_app_and_database_and_not_the_client(manifest: Manifest) -> None:
    (sample,) = _with_cpu((make_sample(),), client=900_000, app=400_000, db=100_000)
    assert PER_CPU.read(sample) == 1000 / 0.5
    assert PER_APP_CPU.read(sample) == 1000 / 0.4


def test_a_metric_of_a_host_that_tells_nothing_is_unavailable(manifest: Manifest) -> None:
    blind = tuple(replace(s, counters=replace(s.counters, roles={})) for s in _samples(RATES))
    (result,) = analysis.analyse(Run(manifest, blind, ()))
    assert {cell.estimates.get(PER_CPU) for cell in result.cells} == {None}
    assert {cell.bottleneck for cell in result.cells} == {bottleneck.UNKNOWN}
    assert "unavailable" in outputs.text(Run(manifest, blind, ()))


def _asking(manifest: Manifest, *levels: int) -> Manifest:
    """Return the manifest of a run that was asked for these levels of json alone."""
    return replace(manifest, settings=replace(manifest.settings, levels={"json": levels}))


def test_on_a_full_host_the_ranks_are_those_of_requests_per_cpu_second(manifest: Manifest) -> None:
    fast, slow = _samples({"aiohttp": RATES["aiohttp"]}), _samples({"crax": RATES["crax"]})
    full = (*_with_cpu(fast, app=900_000, db=1), *_with_cpu(slow, app=300_000, db=1))
    full = tuple(replace(s, counters=replace(s.counters, host=replace(s.counters.host, idle_us=10_000))) for s in full)
    (result,) = analysis.analyse(Run(_asking(manifest, 16), full, ()))
    assert result.is_host_full
    # aiohttp answers twice as many, and takes three times the CPU time.
    assert [standing.entry for standing in result.standings] == ["crax", "aiohttp"]
    assert result.levels[RATE][at(16)].pairs[0].outcome is Outcome.FASTER
    assert tables.ratios(result)[["level", "metric", "outcome"]].to_numpy().tolist() == [
        [16, RATE.name, "–"],
        [16, PER_CPU.name, "slower"],
        ["all", RATE.name, "–"],
        ["all", PER_CPU.name, "slower"],
    ]
    assert "Outcomes are those of requests/CPU-s" in outputs.text(Run(manifest, full, ()))


def test_where_the_host_was_not_full_the_rates_have_the_outcomes(manifest: Manifest) -> None:
    (result,) = analysis.analyse(Run(manifest, _samples(RATES), ()))
    assert set(tables.ratios(result)["outcome"]) == {"faster"}
    assert "Outcomes are those of" not in outputs.text(Run(manifest, _samples(RATES), ()))


def test_the_summary_s_requests_per_cpu_second_are_the_mean_over_all_levels(manifest: Manifest) -> None:
    # 0.7 s of CPU time of app and database, 0.5 s of the app alone.
    samples = (*_samples({"crax": [700, 700]}), *_samples({"crax": [2800, 2800]}, connections=32))
    two = replace(manifest, settings=replace(manifest.settings, levels={"json": (16, 32)}))
    (result,) = analysis.analyse(Run(two, samples, ()))
    row, _ = tables.summary(result).to_dict("records")
    assert row[PER_CPU.name] == "2,000 [2,000–2,000]"
    assert row["of the app alone"] == "2,800 [2,800–2,800]"


def test_an_entry_without_some_of_the_levels_says_so_in_the_summary(manifest: Manifest) -> None:
    samples = (*_samples({"aiohttp": [700, 700], "crax": [700, 700]}), *_samples({"aiohttp": [2800, 2800]}, 32))
    (result,) = analysis.analyse(Run(manifest, samples, ()))
    rows = {row["entry"]: row[PER_CPU.name] for row in tables.summary(result).to_dict("records")}
    assert rows == {"aiohttp": "2,000 [2,000–2,000] (all but 128)", "crax": "1,000 [1,000–1,000] (16 alone)"}


def test_what_was_asked_for_and_has_no_sample_that_counts_is_called_unmeasured(manifest: Manifest) -> None:
    asked = replace(manifest, settings=replace(manifest.settings, levels={"json": (16, 32), "query": (20,)}))
    run = Run(asked, _samples({"aiohttp": RATES["aiohttp"]}), ())
    (result,) = analysis.analyse(run)
    whole = "1,005 [978–1,033]"
    assert tables.overview(run.manifest, [result]).to_dict("records") == [
        {"test": "json", "level": 16, "aiohttp": whole, "crax": "not measured"},
        {"test": "json", "level": 32, "aiohttp": "not measured", "crax": "not measured"},
        {"test": "query", "level": 20, "aiohttp": "not measured", "crax": "not measured"},
    ]
    assert tables.summary(result)[["entry", "rank", "relative requests/s", "limited by"]].to_numpy().tolist() == [
        ["aiohttp", "1", "1.000", "waiting or concurrency"],
        ["crax", "–", "not measured", "–"],
    ]
    assert tables.values(result)[["level", "entry", RATE.name, "blocks"]].to_numpy().tolist() == [
        [16, "aiohttp", whole, 5],
        *([level, entry, "not measured", 0] for level, entry in ((16, "crax"), (32, "aiohttp"), (32, "crax"))),
    ]


def test_of_a_test_that_an_entry_does_not_declare_nothing_is_called_unmeasured(manifest: Manifest) -> None:
    other = {"crax": manifest.entries["crax"] | {"tests": "plaintext"}}
    run = Run(replace(manifest, entries=manifest.entries | other), _samples({"aiohttp": RATES["aiohttp"]}), ())
    (result,) = analysis.analyse(run)
    assert "crax" not in tables.order(result)
    table = tables.overview(run.manifest, [result])
    assert set(table[table["test"] == "json"]["crax"]) == {"–"}


def test_of_an_entry_that_could_not_be_built_no_single_test_is_called_unmeasured(manifest: Manifest) -> None:
    (result,) = analysis.analyse(
        Run(replace(manifest, facts=Facts.of({"unbuilt": {"brook": "why"}})), _samples(RATES), ())
    )
    assert "brook" not in tables.order(result)


def test_a_client_bound_cell_is_a_lower_bound_and_has_no_rank(manifest: Manifest) -> None:
    bound = (*_with_cpu(_samples({"aiohttp": RATES["aiohttp"]}), client=2_050_000), *_samples({"crax": RATES["crax"]}))
    run = Run(manifest, bound, ())
    (result,) = analysis.analyse(run)
    assert [standing.entry for standing in result.standings] == ["crax"]
    row, *_ = tables.overview(run.manifest, [result]).to_dict("records")
    assert row["aiohttp"].startswith("≥ 1,005 [")
    assert list(tables.summary(result)["rank"]) == ["1", "–"]


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
        ({"client": 0.3, "app": 0.3, "db": 0.1}, 0.5, 1.69, "waiting"),
        ({"client": 0.3, "app": 0.3, "db": 0.1}, 0.5, None, "waiting or concurrency"),
        ({"client": 0.08, "app": 0.15, "db": 0.12}, 0.63, None, "waiting or concurrency"),
        ({"client": 0.3, "app": 0.7, "db": 0.1}, 0.2, None, "mixed"),
        ({"client": 0.3, "app": 0.8, "db": 0.1}, 0.2, 1.0, "mixed"),
        ({"client": 0.3, "app": 0.95, "db": 0.95}, 0.2, None, "mixed"),
        ({"app": 0.95}, 0.2, None, "unknown"),
    ],
)
def test_the_bottleneck_is_named(roles: dict[str, float], idle: float, growth: float | None, expected: str) -> None:
    assert bottleneck.name(Shares(roles, idle), growth) == expected


@pytest.mark.parametrize(("own", "expected"), [(None, "host-shared"), (0.81, "host-shared"), (0.79, "others")])
def test_a_full_host_is_the_roles_own_only_where_they_filled_it(own: float | None, expected: str) -> None:
    roles = {"client": 0.09, "app": 0.41, "db": 0.0}
    assert bottleneck.name(Shares(roles, 0.0), None, own) == expected
    assert bottleneck.name(Shares(roles, 0.1), None, own) == "waiting or concurrency"
    assert bottleneck.name(Shares(roles | {"app": 0.91}, 0.0), None, own) == "app"


def test_what_the_hypervisor_took_is_not_used_by_others() -> None:
    parts = {"client": 0.2, "app": 0.3, "others": 0.1, "stolen": 0.3, "idle": 0.1}
    assert bottleneck.own_share(parts) == pytest.approx(5 / 6)
    assert bottleneck.own_share({}) is None


def test_shares_are_of_what_a_role_can_use() -> None:
    sample = make_sample()
    found = bottleneck.shares([sample, sample], {"client": 1, "app": 2, "db": 2})
    # In a second of wrk's own; 50 ms of the two readings lie around it, and 30 ms of both CPUs are not the roles'.
    assert found.roles == pytest.approx({"client": 0.25, "app": 0.5 / 2, "db": 0.2 / 2})
    assert found.idle == pytest.approx(1 - (0.95 + 0.03 / 1.05) / 2)


def _slow_to_begin(**cpu_us: int) -> Sample:
    """Return a sample of 2 s that lies in 2.36 s between the readings, on two CPUs that idle around it."""
    used = {role: Usage(us, 0, 0, 1) for role, us in cpu_us.items()}
    busy_us = sum(cpu_us.values())
    host = HostUsage(busy_us, 0, 2 * 2_360_000 - busy_us, 0, 0, 0, 0, None)
    return replace(
        make_sample(load=make_load(8000, 2_000_000)),
        counters=replace(make_counters(), between_us=2_360_000, host=host, roles=used),
    )


def test_a_full_wrk_is_what_limits_a_row_whatever_lies_around_its_own_time() -> None:
    sample = _slow_to_begin(client=2_000_000, app=900_000, db=100_000)
    found = bottleneck.shares([sample], {"client": 1, "app": 2, "db": 2})
    assert found.roles["client"] == pytest.approx(1.0)
    assert bottleneck.name(found, None) == "client"


def test_an_entry_that_is_full_by_the_engine_s_statistics_is_named_though_these_lie_further_apart() -> None:
    sample = _slow_to_begin(client=300_000, app=2_060_000, db=0)
    found = bottleneck.shares([sample], {"client": 2, "app": 1, "db": 2})
    assert found.roles["app"] == 1.0
    assert bottleneck.name(found, None) == "app"


def test_the_host_s_idle_time_is_that_of_wrk_s_own_time() -> None:
    full = bottleneck.shares([_slow_to_begin(client=1_000_000, app=2_500_000, db=500_000)], CPUS_OF_2)
    half = bottleneck.shares([_slow_to_begin(client=500_000, app=1_000_000, db=500_000)], CPUS_OF_2)
    assert full.idle == pytest.approx(0.0, abs=1e-9)
    assert half.idle == pytest.approx(0.5)
    assert bottleneck.name(full, None) == "host-shared"


def test_no_share_is_below_nothing_or_above_all_whatever_was_used_around_wrk_s_own_time() -> None:
    sample = _slow_to_begin(client=700_000, app=2_000_000, db=2_000_000)
    found = bottleneck.shares([sample], CPUS_OF_2)
    parts = bottleneck.of_host([sample])
    assert found.idle == pytest.approx(0.0)
    assert sum(parts.values()) == pytest.approx(1.0)
    assert found.roles == pytest.approx({role: parts[role] for role in found.roles})
    # wrk had what it had; the others had no more than it left.
    assert found.roles["client"] == pytest.approx(0.175)
    assert found.roles["app"] == found.roles["db"] == pytest.approx(0.4125)


@pytest.mark.parametrize("duration_us", [1_000_000, 3_000_000])
def test_what_is_not_the_lab_s_is_busy_around_wrk_s_own_time_as_in_it(duration_us: int) -> None:
    """Of two CPUs the roles use 60 %, and strangers half of each: a fifth of both is idle, however short the sample."""
    between_us = duration_us + 360_000
    roles = {"client": duration_us // 10, "app": duration_us * 4 // 10, "db": duration_us // 10}
    busy_us = sum(roles.values()) + between_us
    host = HostUsage(busy_us, 0, 2 * between_us - busy_us, 0, 0, 0, 0, None)
    usages = {role: Usage(us, 0, 0, 1) for role, us in roles.items()}
    sample = replace(
        make_sample(load=make_load(8000, duration_us)),
        counters=replace(make_counters(), between_us=between_us, host=host, roles=usages),
    )
    found, parts = bottleneck.shares([sample], CPUS_OF_2), bottleneck.of_host([sample])
    assert found.idle == parts["idle"] == pytest.approx(0.2)
    assert parts == pytest.approx({"client": 0.05, "app": 0.2, "db": 0.05, "others": 0.5, "stolen": 0.0, "idle": 0.2})


def test_roles_that_fill_the_two_of_sixteen_cpus_that_they_may_use_share_a_full_host() -> None:
    """The other fourteen idle all the time."""
    texts = {}
    us = {"client": 1_000_000, "app": 2_200_000, "db": 780_000}
    for name, ticks, idle in (("before", 0, 0), ("after", 199, 1)):
        full, other = f"{ticks} 0 0 {idle} 0 0 0 0 0 0", f"0 0 0 {ticks + idle} 0 0 0 0 0 0"
        lines = [f"cpu{cpu} {full if cpu in (3, 11) else other}" for cpu in range(16)]
        whole = f"cpu {2 * ticks} 0 0 {2 * idle + 14 * (ticks + idle)} 0 0 0 0 0 0"
        texts[name] = "\n".join([whole, *lines, "intr 1 2 3"])
    before, after = (readings.processors([3, 11], text) for text in texts.values())
    host = HostUsage(**{kind: us - before[kind] for kind, us in after.items()}, swapped_pages=0)
    sample = replace(
        make_sample(load=make_load(8000, 2_000_000)),
        counters=Counters(
            2_000_000, host, {role: Usage(spent, 0, 0, 1) for role, spent in us.items()}, (), (5000.0,), True
        ),
    )
    found = bottleneck.shares([sample], CPUS_OF_2)
    assert outcomes.cpu_used(found) == "client 25%, app 55%, db 20%, host idle 0%"
    assert bottleneck.name(found, None, bottleneck.own_share(bottleneck.of_host([sample]))) == "host-shared"
    assert share_of_host(sample.counters.outside_cpu_us, sample.counters) == 0.0


def test_a_host_that_tells_nothing_of_itself_tells_of_its_roles_all_the_same() -> None:
    sample = _slow_to_begin(client=2_000_000, app=900_000, db=100_000)
    blind = replace(sample, counters=replace(sample.counters, host=HostUsage()))
    assert bottleneck.shares([blind], CPUS_OF_2) == Shares({"client": 0.5, "app": 0.225, "db": 0.025}, None)


def test_an_adopted_entry_may_use_all_cpus_because_nobody_knows_its_workers(manifest: Manifest) -> None:
    own = replace(manifest, cpus=8, entries={"one": {"workers": "2"}, "other": {"workers": "own"}})
    cpus = {entry: bottleneck.role_cpus(own, entry, Level(16, 2))["app"] for entry in own.entries}
    assert cpus == {"one": 2, "other": 8}


def test_growth_is_known_where_twice_the_connections_were_measured(manifest: Manifest) -> None:
    calm = (*_samples({"crax": [500, 510]}), *_samples({"crax": [990, 1010]}, connections=32))
    (result,) = analysis.analyse(Run(manifest, calm, ()))
    assert [cell.bottleneck for cell in result.cells] == ["concurrency", "waiting or concurrency"]


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


def test_where_the_budget_and_not_the_pilot_s_spread_decided_the_blocks_the_ordinary_interval_counts(
    manifest: Manifest,
) -> None:
    noisy_pilot = {"aiohttp": [1000, 1500, 1010, 1005, 1008, 1002], "crax": [500, 500, 505, 502, 500, 501]}
    plain, cut_short = (
        analysis.analyse(Run(manifest, _samples(noisy_pilot), (), decision))[0].overall.pairs[0].ratio
        for decision in (None, Decision(STARTED, 3, 6, 20, "the budget has time for 6"))
    )
    assert cut_short == plain


def test_after_a_pilot_the_pairs_are_corrected_by_the_larger_p(manifest: Manifest) -> None:
    noisy_pilot = {"aiohttp": [1000, 1500, 1010, 1005], "crax": [500, 500, 505, 502], "rill": [510, 490, 500, 505]}
    (result,) = analysis.analyse(Run(_of_three(manifest), _samples(noisy_pilot), (), Decision(STARTED, 3, 4, 4, "x")))
    p = [pair.ratio.p for pair in result.overall.pairs if pair.ratio.p is not None]
    assert [pair.adjusted_p for pair in result.overall.pairs] == holm(p)
    assert result.overall.entries == ("aiohttp", "crax", "rill")


def _of_three(manifest: Manifest) -> Manifest:
    return replace(manifest, entries=dict.fromkeys(["aiohttp", "crax", "rill"], manifest.entries["crax"]))


def _decide(precision: float | None, left_s: float | None, manifest: Manifest, rates: dict[str, list[int]]) -> Decision:
    return _decided(Run(manifest, _samples(rates), ()), precision, left_s)


def _decided(run: Run, precision: float | None = 0.03, left_s: float | None = None) -> Decision:
    size = sizing.decide(sizing.decisive(run), 5, precision, 60.0, left_s)
    return Decision(STARTED, 5, size.blocks, size.needed, sentences.why_so_many(size, precision, 60.0))


def test_a_run_gets_the_blocks_that_its_pilot_asks_for(manifest: Manifest) -> None:
    quiet, noisy = RATES, {"aiohttp": [1000, 1100, 900, 1050, 950], "crax": RATES["crax"]}
    assert _decide(0.03, None, manifest, quiet).blocks == 5
    needed = _decide(0.03, None, manifest, noisy)
    spread = np.std(np.log(noisy["aiohttp"]) - np.log(noisy["crax"]), ddof=1)
    assert needed.blocks == needed.needed == math.ceil((reference.t.ppf(0.975, 4) * spread / math.log(1.03)) ** 2)


# Microseconds of the app's CPU time in a sample of each block: noise that no rate shows.
CPU_US = [1_000_000, 1_200_000, 900_000, 1_100_000, 800_000]


def _with_cpu_noise(samples: tuple[Sample, ...], noisy: str, counters: Counters) -> tuple[Sample, ...]:
    """Return the samples with these counters, but for the CPU time that the noisy entry's app took."""
    return tuple(
        _with_cpu(
            (replace(sample, counters=counters),),
            app=CPU_US[sample.trial.block - 1] if sample.trial.entry == noisy else CPU_US[0],
        )[0]
        for sample in samples
    )


def _blocks_for_cpu_noise(rates: dict[str, list[int]], noisy: str, other: str) -> int:
    """Return the blocks that the spread of requests per CPU-second asks for, by hand; the database took 0.2 s more."""
    used = np.log((np.array(CPU_US) + 200_000) / (CPU_US[0] + 200_000))
    spread = float(np.std(np.log(rates[noisy]) - np.log(rates[other]) - used, ddof=1))
    return math.ceil((float(reference.t.ppf(0.975, 4)) * spread / math.log(1.03)) ** 2)


def test_where_the_host_was_full_the_figure_that_ranks_asks_for_blocks(manifest: Manifest) -> None:
    idle, full = (_with_cpu_noise(_samples(RATES), "crax", counters) for counters in (make_counters(), full_host()))
    assert _decided(Run(manifest, idle, ())).needed == 5
    assert _decided(Run(manifest, full, ())).needed == _blocks_for_cpu_noise(RATES, "crax", "aiohttp") > 5


def test_in_a_run_of_versions_the_gate_s_metrics_ask_for_blocks(manifest: Manifest) -> None:
    rates = {older("crax"): RATES["aiohttp"], "crax": RATES["crax"]}
    entries = dict.fromkeys(rates, manifest.entries["crax"])
    samples = _with_cpu_noise(_samples(rates), "crax", make_counters())
    plain = replace(manifest, entries=entries, variants=versions("crax"))
    assert _decided(Run(plain, samples, ())).needed == 5
    of_versions = replace(plain, settings=replace(plain.settings, against=COMMIT))
    needed = _blocks_for_cpu_noise(rates, "crax", older("crax"))
    assert _decided(Run(of_versions, samples, ())).needed == needed > 5


@pytest.mark.parametrize(
    ("rates", "against", "why"),
    [
        ({"crax": RATES["crax"]}, "", "there is no pair to compare"),
        ({older("crax"): RATES["crax"]}, COMMIT, "there is no pair to compare"),
        ({"aiohttp": [1000], "crax": [500]}, "", "no pair has two blocks in common"),
    ],
)
def test_a_pilot_without_a_spread_gets_no_more_blocks_and_says_why(
    manifest: Manifest, rates: dict[str, list[int]], against: str, why: str
) -> None:
    entries = dict.fromkeys(["aiohttp", "crax", older("crax")], manifest.entries["crax"])
    changed = replace(
        manifest, entries=entries, variants=versions("crax"), settings=replace(manifest.settings, against=against)
    )
    decision = _decided(Run(changed, _samples(rates), ()))
    assert (decision.blocks, decision.needed) == (5, None)
    assert decision.reason == f"{why}, so the spread is unknown"


def test_the_widest_ratio_is_looked_for_in_what_the_report_leads_with(manifest: Manifest) -> None:
    run = Run(manifest, _with_cpu_noise(_samples(RATES), "crax", full_host()), (), Decision(STARTED, 5, 5, None, "x"))
    (result,) = analysis.analyse(run)
    (rated,), (ranked,) = result.compared[RATE].pairs, result.overall.pairs
    assert known(rated.ratio.half_width) < known(ranked.ratio.half_width)
    told = f"The widest ratio of two entries over all levels is known to ± {ranked.ratio.half_width:.1%}."
    assert told in outputs.text(run)


def test_of_versions_the_widest_ratio_is_one_of_new_to_old(manifest: Manifest) -> None:
    entries = dict.fromkeys(["crax", older("crax")], manifest.entries["crax"])
    settings = replace(manifest.settings, against=COMMIT)
    of_versions = replace(manifest, entries=entries, variants=versions("crax"), settings=settings)
    samples = _samples({older("crax"): RATES["crax"], "crax": RATES["aiohttp"]})
    text = outputs.text(Run(of_versions, samples, (), Decision(STARTED, 5, 5, None, "x")))
    assert "The widest ratio of new to old over all levels is known to ± " in text


def test_a_ratio_without_an_interval_is_told_of_beside_the_widest(manifest: Manifest) -> None:
    taken = _samples({**RATES, "rill": [500]})
    run = Run(_of_three(manifest), taken, (), Decision(STARTED, 5, 5, None, "x"))
    assert "%; some have no interval." in outputs.text(run)


def test_single_levels_have_no_say_in_the_number_of_blocks(manifest: Manifest) -> None:
    noise = [0.1, -0.1, 0.05, -0.08, 0.03]
    levels = [
        _samples({"aiohttp": [round(1e5 * math.exp(sign * each)) for each in noise], "crax": [50_000] * 5}, connections)
        for connections, sign in ((16, 1), (32, -1))
    ]
    assert _decided(Run(manifest, levels[0], ())).blocks > 5
    assert _decided(Run(manifest, (*levels[0], *levels[1]), ())).blocks == 5


def test_in_a_run_of_versions_other_pairs_have_no_say_in_the_number_of_blocks(manifest: Manifest) -> None:
    rates = {older("crax"): RATES["crax"], "crax": RATES["crax"], "rill": [1000, 1100, 900, 1050, 950]}
    entries = dict.fromkeys(rates, manifest.entries["crax"])
    plain = replace(manifest, entries=entries, variants=versions("crax"))
    of_versions = replace(plain, settings=replace(plain.settings, against=COMMIT))
    assert _decided(Run(plain, _samples(rates), ())).blocks > 5
    assert _decided(Run(of_versions, _samples(rates), ())).blocks == 5


def test_the_budget_caps_the_blocks_and_the_rest_is_told(manifest: Manifest) -> None:
    noisy = {"aiohttp": [1000, 1100, 900, 1050, 950], "crax": RATES["crax"]}
    capped = _decide(0.03, 200.0, manifest, noisy)
    assert (capped.blocks, capped.needed) == (8, _decide(0.03, None, manifest, noisy).needed)
    assert "less precise" in capped.reason


def test_where_groups_take_turns_each_gets_the_blocks_that_its_ratios_need(manifest: Manifest) -> None:
    noisy = {"aiohttp": [1000, 1100, 900, 1050, 950], "crax": RATES["crax"]}
    ratios = sizing.decisive(Run(manifest, _samples(noisy), ()))
    needed = sizing.decide(ratios, 5, 0.03, 60.0, None).needed
    assert needed is not None
    assert sizing.decide(ratios, 10, 0.03, 60.0, None, groups=2).blocks == 2 * needed
    assert sizing.decide(ratios, 10, 0.03, 60.0, 210.0, groups=2).blocks == 12


def test_a_budget_alone_is_used_up(manifest: Manifest) -> None:
    assert _decide(None, 130.0, manifest, RATES).blocks == 7


def test_a_pilot_has_as_many_blocks_as_the_budget_has_time_for() -> None:
    assert sizing.pilot_blocks(5, 60.0, None) == 5
    assert sizing.pilot_blocks(5, 60.0, 200) == 3
    assert sizing.pilot_blocks(5, 60.0, 59) == 0
    assert sizing.pilot_blocks(6, 60.0, 310, groups=3) == 3


def test_one_entry_alone_has_estimates_and_no_pairs(manifest: Manifest) -> None:
    alone = replace(manifest, entries={"crax": manifest.entries["crax"]})
    (result,) = analysis.analyse(Run(alone, _samples({"crax": RATES["crax"]}), ()))
    assert tables.ratios(result).empty
    assert sizing.reached([]) is None
    assert list(tables.summary(result)["rank"]) == ["1"]


def test_many_pairs_are_shown_over_all_levels_only(manifest: Manifest) -> None:
    names = [f"entry{number}" for number in range(7)]
    labelled = replace(_asking(manifest, 16), entries=dict.fromkeys(names, manifest.entries["crax"]))
    (result,) = analysis.analyse(Run(labelled, _samples({name: [500, 510, 505] for name in names}), ()))
    assert set(tables.ratios(result)["level"]) == {"all"}


def test_a_query_level_is_its_rows_a_request(manifest: Manifest) -> None:
    trial = Trial(1, "crax", "query", Level(128, 2, queries=20))
    (result,) = analysis.analyse(Run(manifest, (make_sample(trial),), ()))
    assert list(result.level_basis) == [LevelKey(20, QUERIES)]


def test_repeats_of_a_visit_are_one_repetition_of_their_requests_over_their_seconds(manifest: Manifest) -> None:
    samples = tuple(
        make_sample(replace(make_trial(block), repeat=repeat), make_load(requests))
        for block, repeat, requests in ((1, 1, 1000), (1, 2, 4000), (2, 1, 3000))
    )
    run = Run(manifest, samples, ())
    assert cells.measured(run)["json"].known[RATE][at(16)]["crax"] == pytest.approx({1: 2500, 2: 3000})
    (result,) = analysis.analyse(run)
    assert result.cells[0].rate.blocks == 2
