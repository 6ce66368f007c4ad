"""New against old: sides, refusals, and the gate's three answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchlab.core.errors import ConfigError
from benchlab.core.measured import Run, Sample
from benchlab.core.model import Level, Manifest
from benchlab.statistics import versus
from benchlab.statistics.versus import NO_REGRESSION, REGRESSION, TOO_NOISY

from .conftest import make_load, make_sample, make_trial

CALM = [1000, 1003, 998, 1001, 999, 1002]


def _samples(entry: str, rates: list[int]) -> tuple[Sample, ...]:
    """Return samples whose CPU time is such that only the rate differs from what it was."""
    samples = []
    for block, requests in enumerate(rates, start=1):
        sample = make_sample(make_trial(block, entry), make_load(requests))
        roles = {role: replace(usage, cpu_us=requests * 250) for role, usage in sample.counters.roles.items()}
        samples.append(replace(sample, counters=replace(sample.counters, roles=roles)))
    return tuple(samples)


def _run(manifest: Manifest, *samples: Sample) -> Run:
    names = {sample.trial.entry for sample in samples}
    return Run(replace(manifest, entries=dict.fromkeys(names, manifest.entries["crax"])), samples, ())


def _gate(manifest: Manifest, old: list[int], new: list[int], margin: float = 0.03) -> versus.Gate:
    sides = versus.of_versions(_run(manifest, *_samples("crax-at-abc1234", old), *_samples("crax", new)))
    return versus.gate(versus.rows(*sides), margin)


@pytest.mark.parametrize(
    ("new", "exit_code"),
    [
        (CALM, NO_REGRESSION),
        ([1010, 1013, 1008, 1011, 1009, 1012], NO_REGRESSION),
        ([990, 993, 988, 991, 989, 992], NO_REGRESSION),  # slower for certain, and less than 3 %
        ([950, 953, 948, 951, 949, 952], REGRESSION),
        ([968, 974, 966, 971, 969, 972], REGRESSION),  # about 3 %: it may be more
        ([900, 1100, 950, 1050, 1000, 980], TOO_NOISY),
    ],
)
def test_the_gate_tells_a_regression_from_none_and_both_from_noise(
    manifest: Manifest, new: list[int], exit_code: int
) -> None:
    assert _gate(manifest, CALM, new).exit_code == exit_code


def test_what_is_too_noisy_names_the_blocks_it_would_take(manifest: Manifest) -> None:
    answer = _gate(manifest, CALM, [900, 1100, 950, 1050, 1000, 980])
    assert "it would take about" in answer.reason
    assert "crax json requests/s" in answer.reason


def test_one_block_is_too_noisy_for_any_answer(manifest: Manifest) -> None:
    answer = _gate(manifest, CALM[:1], CALM[:1])
    assert (answer.exit_code, "at least 2 blocks" in answer.reason) == (TOO_NOISY, True)


def test_two_runs_are_matched_by_entry_test_and_level_and_compared_unpaired(manifest: Manifest) -> None:
    old, new = _run(manifest, *_samples("crax", CALM)), _run(manifest, *_samples("crax", [n // 2 for n in CALM]))
    found = versus.rows(*versus.of_runs(old, new))
    assert [(row.entry, row.test, row.level, row.figure) for row in found if row.figure == "requests/s"] == [
        ("crax", "json", 16, "requests/s"),
        ("crax", "json", "all", "requests/s"),
    ]
    assert found[0].ratio.ratio == pytest.approx(0.5, rel=0.01)
    assert versus.gate(found, 0.03).exit_code == REGRESSION


def test_the_worst_ratio_comes_first(manifest: Manifest) -> None:
    run = _run(
        manifest,
        *_samples("crax-at-abc1234", CALM),
        *_samples("crax", [1100] * 6),
        *_samples("aiohttp-at-abc1234", CALM),
        *_samples("aiohttp", [900] * 6),
    )
    found = versus.rows(*versus.of_versions(run))
    assert [row.ratio.ratio for row in found] == sorted(row.ratio.ratio for row in found)
    assert found[0].entry == "aiohttp"
    assert versus.table(found).splitlines()[2].split("|")[1].strip() == "aiohttp"


def test_a_run_without_versions_is_no_comparison(manifest: Manifest) -> None:
    with pytest.raises(ConfigError, match="measure with --against"):
        versus.of_versions(_run(manifest, *_samples("crax", CALM)))


def test_runs_without_a_common_entry_are_no_comparison(manifest: Manifest) -> None:
    old, new = _run(manifest, *_samples("crax", CALM)), _run(manifest, *_samples("aiohttp", CALM))
    with pytest.raises(ConfigError, match="no entry, test and level in common"):
        versus.rows(*versus.of_runs(old, new))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cpus": 8}, "number of CPUs was 2, is 8"),
        ({"facts": {"host": {"cpu_model": "B"}}}, "CPU model was A, is B"),
        ({"facts": {"lab_version": "0.3.0"}}, "lab version was None, is 0.3.0"),
        ({"facts": {"host": {"cpu_model": "A"}, "wrk": {"version": "4.2.0"}}}, "wrk was None, is 4.2.0"),
    ],
)
def test_incomparable_runs_are_told_with_both_values(manifest: Manifest, change: dict[str, object], told: str) -> None:
    old = replace(manifest, facts={"host": {"cpu_model": "A"}})
    assert versus.differences(old, old) == []
    assert told in versus.differences(old, replace(old, **change))  # type: ignore[arg-type]


def test_another_duration_makes_runs_incomparable(manifest: Manifest) -> None:
    longer = replace(manifest, settings=replace(manifest.settings, duration_s=9))
    assert versus.differences(manifest, longer) == ["duration in s was 2, is 9"]


def test_another_base_image_of_an_adopted_entry_makes_runs_incomparable(manifest: Manifest) -> None:
    based = manifest.entries["crax"] | {"base": "python:3.12=benchlab/base"}
    other = replace(manifest, entries={**manifest.entries, "crax": based})
    assert versus.differences(manifest, other) == ["crax's base was None, is python:3.12=benchlab/base"]


def test_runs_that_vary_n_at_other_connections_are_incomparable(manifest: Manifest) -> None:
    wider = replace(manifest, settings=replace(manifest.settings, profile="tfb"))
    assert versus.differences(manifest, wider) == ["connections where N varies was 128, is 512"]


def test_runs_at_other_levels_are_no_comparison(manifest: Manifest) -> None:
    other = tuple(replace(sample, trial=replace(sample.trial, level=Level(32, 2))) for sample in _samples("crax", CALM))
    with pytest.raises(ConfigError, match="no entry, test and level in common"):
        versus.rows(*versus.of_runs(_run(manifest, *_samples("crax", CALM)), _run(manifest, *other)))


def test_what_only_one_side_could_measure_keeps_the_gate_shut(manifest: Manifest) -> None:
    text = tuple(
        replace(sample, trial=replace(sample.trial, test="plaintext")) for sample in _samples("crax-at-abc1234", CALM)
    )
    run = _run(manifest, *_samples("crax-at-abc1234", CALM), *text, *_samples("crax", CALM))
    sides = versus.of_versions(run)
    assert versus.lost(*sides) == ["crax plaintext at 16"]
    answer = versus.gate(versus.rows(*sides), 0.03, versus.lost(*sides))
    assert (answer.exit_code, "crax plaintext at 16" in answer.reason) == (TOO_NOISY, True)


def test_where_no_number_of_blocks_would_do_none_is_named(manifest: Manifest) -> None:
    answer = _gate(manifest, CALM, [900, 1100, 800, 1050, 950, 980])
    assert answer.exit_code == TOO_NOISY
    assert "no number of blocks will" in answer.reason
