"""What makes two runs incomparable, told with both values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchlab.experiment.profiles import PROFILES
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.report import changes
from benchlab.statistics import comparability

from .conftest import long_samples

FACTS: dict[str, Any] = {
    "lab_version": "0.2.0",
    "engine_id": "A",
    "engine_version": "20.10",
    "host": {"cpu_model": "A", "kernel": "6.1", "cpu_governors": ["performance"], "cpu_turbo": "off"},
    "wrk": {"version": "wrk 4.1.0", "scripts_sha256": "a"},
    "database": {"version": "17.5", "settings": {"fsync": "off"}},
}


def differences(before: Manifest, after: Manifest) -> list[str]:
    return [changes.difference(each) for each in comparability.differences(before, after)]


def among(manifests: Sequence[Manifest]) -> list[str]:
    return [changes.difference(each) for each in comparability.among(manifests)]


@pytest.fixture
def described(manifest: Manifest) -> Manifest:
    return replace(manifest, facts=Facts.of(FACTS))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("lab_version", "0.3.0", "lab version was 0.2.0, is 0.3.0"),
        ("engine_id", "B", "id of the engine was A, is B"),
        ("engine_version", "28.0", "engine was 20.10, is 28.0"),
        ("host.cpu_model", "B", "CPU model was A, is B"),
        ("host.kernel", "6.12", "kernel was 6.1, is 6.12"),
        ("host.cpu_governors", ["performance", "powersave"], "CPU governor was performance, is performance, powersave"),
        ("host.cpu_turbo", "unavailable", "CPU turbo was off, is unavailable"),
        ("wrk.version", "wrk 4.2.0", "wrk was wrk 4.1.0, is wrk 4.2.0"),
        ("wrk.scripts_sha256", "b", "wrk's scripts was a, is b"),
        ("database.version", "18.0", "Postgres was 17.5, is 18.0"),
        ("database.settings", {"fsync": "on"}, "Postgres' fsync was off, is on"),
        ("database.settings", {"fsync": "off", "jit": "off"}, "Postgres' jit was None, is off"),
    ],
)
def test_another_machine_engine_or_database_is_told_with_both_values(
    described: Manifest, name: str, value: object, told: str
) -> None:
    section, _, key = name.rpartition(".")
    changed = {section: FACTS[section] | {key: value}} if section else {key: value}
    assert differences(described, replace(described, facts=Facts.of(FACTS | changed))) == [told]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"duration_s": 9}, f"duration in s was {PROFILES['quick'].duration_s}, is 9"),
        ({"primer_s": 5}, "primer in s was 0, is 5"),
        ({"warmup_s": (15, 15)}, "warm-up in s was 1 to 1, is 15 to 15"),
        ({"proxy": "nginx"}, "proxy was none, is nginx"),
    ],
)
def test_another_load_is_told_with_both_values(described: Manifest, change: dict[str, Any], told: str) -> None:
    assert differences(described, replace(described, settings=replace(described.settings, **change))) == [told]


def test_other_connections_where_n_varies_are_told_with_both_values(described: Manifest) -> None:
    study, tfb = (replace(described, settings=replace(long_samples(), profile=name)) for name in ("study", "tfb"))
    assert differences(study, tfb) == ["connections where N varies was 128, is 512"]


def test_other_numbers_of_long_samples_are_told_and_other_numbers_of_rounds_are_no_other_load(
    described: Manifest,
) -> None:
    def more(manifest: Manifest) -> Manifest:
        return replace(manifest, settings=replace(manifest.settings, repeats=4))

    study = replace(described, settings=replace(long_samples(), profile="study"))
    assert differences(study, more(study)) == ["repeats of a level in a block was 1, is 4"]
    assert differences(described, more(described)) == []


def test_a_run_of_the_same_profile_that_had_one_entry_up_at_a_time_is_no_run_of_rounds(described: Manifest) -> None:
    former = replace(described, settings=replace(long_samples(), profile=described.settings.profile))
    assert "entries up together was no, is yes" in differences(former, described)


@pytest.mark.parametrize(
    ("label", "value", "told"),
    [
        ("workers", "4", "crax's workers was 2, is 4"),
        ("pool", "32", "crax's pool was 16, is 32"),
        ("base", "python:3.12=benchlab/base", "crax's base was None, is python:3.12=benchlab/base"),
    ],
)
def test_other_resources_of_an_entry_are_told_with_both_values(
    described: Manifest, label: str, value: str, told: str
) -> None:
    entries = {**described.entries, "crax": described.entries["crax"] | {label: value}}
    assert differences(described, replace(described, entries=entries)) == [told]


def test_other_cpus_are_told_with_both_values(described: Manifest) -> None:
    assert differences(described, replace(described, cpus=8)) == ["number of CPUs was 2, is 8"]
    placed = replace(described, placement={"app": (0,)})
    assert differences(described, placed) == ["placement was shared, is {'app': (0,)}"]


def test_other_limits_of_the_rules_are_told_by_their_digests(described: Manifest) -> None:
    (told,) = differences(described, replace(described, facts=Facts.of({**FACTS, "analysis": {"significance": 0.1}})))
    assert told.startswith("digest of the rules' and tests' limits was None, is ")


def test_runs_alike_in_all_of_it_are_comparable_whatever_else_differs(described: Manifest) -> None:
    other = replace(described, run_id="other", entries={"crax": described.entries["crax"]}, images={})
    assert differences(described, other) == []


def test_runs_of_which_nothing_is_known_but_the_plan_are_compared_by_that(manifest: Manifest) -> None:
    bare = replace(manifest, facts=Facts())
    assert differences(bare, bare) == []
    assert "CPU model was unavailable, is A" in differences(bare, replace(manifest, facts=Facts.of(FACTS)))


def test_of_several_runs_each_difference_is_told_once_with_the_runs_that_differ(described: Manifest) -> None:
    runs = [replace(described, run_id=name) for name in "abcd"]
    assert among(runs) == []
    other = [replace(run, facts=Facts.of(FACTS | {"engine_version": "28.0"}), cpus=8) for run in runs[2:]]
    assert among([*runs[:2], *other]) == [
        "engine was 20.10 in a, is 28.0 in c",
        "number of CPUs was 2 in a, is 8 in c",
    ]


def test_runs_that_share_an_entry_which_the_first_lacks_are_held_against_each_other(described: Manifest) -> None:
    first = replace(described, run_id="a", entries={"aiohttp": described.entries["aiohttp"]})
    second, third = (replace(described, run_id=name) for name in "bc")
    changed = {**described.entries, "crax": described.entries["crax"] | {"pool": "32"}}
    assert among([first, second, replace(third, entries=changed)]) == ["crax's pool was 16 in b, is 32 in c"]
