from __future__ import annotations

import re
from typing import Any

import pytest

from benchlab import profiles, workloads
from benchlab.errors import ConfigError
from benchlab.model import Settings


def _settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {
        "profile": "default",
        "frameworks": [],
        "tests": [],
        "levels": {},
        "blocks": None,
        "duration_s": None,
        "proxy": "none",
        "seed": 7,
    }
    return profiles.settings(**(given | changes))


def test_the_seed_profile_is_the_protocol_of_the_study() -> None:
    assert _settings(profile="seed") == Settings(
        profile="seed",
        frameworks=(),
        levels={"json": (16, 32, 128), "plaintext": (256, 1024), "query": (1, 10, 20)},
        blocks=5,
        duration_s=15,
        primer_s=5,
        warmup_s=(15, 15),
        proxy="none",
        seed=7,
    )


def test_flags_change_only_what_they_name() -> None:
    changed = _settings(tests=["json"], levels={"json": (8,)}, blocks=3)
    assert (changed.levels, changed.blocks, changed.duration_s) == ({"json": (8,)}, 3, 3)


def test_levels_are_read_as_test_and_numbers() -> None:
    assert profiles.parse_levels(["json=16,32", "query=1"]) == {"json": (16, 32), "query": (1,)}


def test_levels_of_one_test_given_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="--levels json is given twice"):
        profiles.parse_levels(["json=16", "json=32"])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("json", "json=16,32"),
        ("jsn=16", "json, plaintext, query"),
        ("json=", "whole numbers"),
        ("json=a,16", "'a,16'"),
        ("json=1.5", "'1.5'"),
        ("json=16,16", "twice"),
    ],
)
def test_levels_that_cannot_be_read_are_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        profiles.parse_levels([text])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels": {"json": (0,)}}, "json=0"),
        ({"levels": {"json": (-16,)}}, "json=-16"),
        ({"levels": {"json": (20_001,)}}, "json=20001"),
        ({"levels": {"query": (501,)}}, "query=501"),
        ({"levels": {"json": (16,)}, "tests": ["query"]}, "--test json"),
        ({"blocks": 0}, "--blocks 0"),
        ({"repeats": 0}, "--repeats 0"),
        ({"repeats": 101}, "--repeats 101"),
        ({"duration_s": 0}, "--duration 0"),
        ({"duration_s": 601}, "--duration 601"),
    ],
)
def test_impossible_settings_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        _settings(**changes)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"--blocks 0.*--duration 0.*json=0"):
        _settings(blocks=0, duration_s=0, levels={"json": (0,)})


def test_a_level_that_leaves_one_thread_on_many_cpus_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"level 17: .*use a multiple of 2"):
        workloads.levels("json", (17,), 2)


def test_a_changed_quick_run_still_says_that_it_is_a_first_look() -> None:
    assert "first look" in profiles.note(_settings(profile="quick", blocks=7)).lower()
    assert "first look" not in profiles.note(_settings(profile="default", blocks=7)).lower()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"blocks": 3}, "3 block(s)"),
        ({"duration_s": 4}, "4-s samples"),
        ({"levels": {"json": (8,)}}, "other levels"),
        ({"tests": ["json"]}, "only some tests"),
    ],
)
def test_a_changed_profile_is_not_called_by_its_name_alone(changes: dict[str, Any], told: str) -> None:
    assert profiles.note(_settings(profile="seed")) == profiles.PROFILES["seed"].note
    assert profiles.note(_settings(profile="seed", **changes)).endswith(f"Changed: {told}.")
