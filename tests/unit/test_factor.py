"""Each factor: its levels by the settings, what a level does to a service, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchlab.factors import catalog
from benchlab.factors.commit import COMMIT
from benchlab.factors.connections import CONNECTIONS
from benchlab.factors.factor import AS_IS, Factor, Varied
from benchlab.factors.proxy import PROXY
from benchlab.records.plan import Settings, Variant

from .conftest import tools_at, versions

SERVICE: dict[str, Any] = {
    "image": "benchlab/crax",
    "build": {"context": "frameworks/crax", "args": {"A": "1"}},
    "labels": {"benchlab.proxy": "none", "benchlab.pool": "16", "benchlab.workers": "2"},
    "environment": {"DB_POOL_SIZE": "16", "B": "2"},
}


def _at_commit(entry: str, number: str) -> Mapping[str, Any]:
    return {"image": f"benchlab/{entry}:{number}", "build": {"context": f"at/{number}/{entry}"}}


def test_factors_have_names_of_their_own() -> None:
    assert len({factor.name for factor in catalog.FACTORS}) == len(catalog.FACTORS)
    assert len({factor.mark for factor in catalog.VARIED}) == len(catalog.VARIED)


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        ({}, {}),
        ({"proxy": "nginx", "db_connections": (8,)}, {}),
        ({"proxy": "none,nginx"}, {"proxy": ("nginx",)}),
        ({"db_connections": (8, 16, 32)}, {"connections": ("16", "32")}),
        ({"against": "abc"}, {"commit": ("abc",)}),
    ],
)
def test_a_run_measures_each_entry_as_it_is_and_at_the_levels_of_the_settings(
    settings: Settings, changes: dict[str, Any], levels: dict[str, tuple[str, ...]]
) -> None:
    wanted = replace(settings, **changes)
    assert {factor.name: factor.levels(wanted) for factor in catalog.VARIED} == {
        factor.name: (AS_IS, *levels.get(factor.name, ())) for factor in catalog.VARIED
    }


@pytest.mark.parametrize(
    ("factor", "level", "changed"),
    [
        (PROXY, "nginx", {"labels": SERVICE["labels"] | {"benchlab.proxy": "nginx"}}),
        (
            CONNECTIONS,
            "8",
            {
                "labels": SERVICE["labels"] | {"benchlab.pool": "4", "benchlab.connections": "8"},
                "environment": {"DB_POOL_SIZE": "4", "B": "2"},
            },
        ),
        (
            COMMIT,
            "abc",
            {
                "image": "benchlab/crax:abc",
                "build": {"context": "at/abc/crax"},
                "labels": SERVICE["labels"] | {"benchlab.commit": "abc"},
            },
        ),
    ],
)
def test_a_level_changes_what_it_is_about_and_nothing_else(factor: Varied, level: str, changed: dict[str, Any]) -> None:
    assert factor.made("crax", SERVICE, level, tools_at(_at_commit)) == SERVICE | changed
    assert SERVICE["environment"] == {"DB_POOL_SIZE": "16", "B": "2"}


def test_a_server_with_threads_has_as_many_as_its_workers_have_connections() -> None:
    threaded = SERVICE | {"labels": SERVICE["labels"] | {"benchlab.threads": "16"}}
    made = CONNECTIONS.made("crax", threaded, "8", tools_at(_at_commit))
    assert made["labels"]["benchlab.threads"] == made["labels"]["benchlab.pool"] == "4"


@pytest.mark.parametrize(
    ("label", "level", "called"),
    [
        ("orm", "full", "the ORM"),
        ("orm", "raw", "raw SQL"),
        ("orm", "micro", "micro"),
        ("proxy", "none", "no proxy"),
        ("proxy", "nginx", "nginx"),
        ("origin", "lab", "the lab's own"),
        ("connections", "1", "1 connection"),
        ("connections", "16", "16 connections"),
        ("connections", "own", "own connections"),
        ("cache", "lru", "lru"),
    ],
)
def test_a_level_has_a_name_in_sentences(label: str, level: str, called: str) -> None:
    assert catalog.of_label(label).called(level) == called


def test_a_label_that_is_called_as_a_factor_of_another_kind_is_a_factor_of_its_own() -> None:
    assert catalog.of_label("commit") == Factor("commit")


def test_versions_are_compared_with_what_is_equal_in_all_else(settings: Settings) -> None:
    behind = {
        "a": Variant("crax", {"proxy": "nginx"}),
        "b": Variant("crax", {"proxy": "nginx", "commit": "abc1234"}),
        "c": Variant("rill", {"commit": "abc1234"}),
    }
    assert catalog.versions(versions("crax") | behind, settings) == {"crax": "crax-at-abc1234", "a": "b"}
