from __future__ import annotations

import re

import pytest

from benchlab.cli.factors import refusing
from benchlab.core.errors import UsageError
from benchlab.statistics import factorial
from benchlab.statistics.factorial import Change, cross

Labels = dict[str, str]


def _labels(framework: str = "aiohttp", orm: str = "full", **others: str) -> Labels:
    return {"framework": framework, "orm": orm, "server": "gunicorn", "json": "json", "proxy": "none"} | others


FOUR = {
    "aiohttp": _labels(json="ujson"),
    "aiohttp-raw": _labels(orm="raw", json="ujson"),
    "crax": _labels("crax", "raw"),
    "crax-orm": _labels("crax"),
}
RAW, CRAX = Change("orm", "raw", "full"), Change("framework", "crax", "aiohttp")


def test_two_factors_of_two_levels_have_two_effects_and_an_interaction() -> None:
    found = {effect.changes: effect.weights for effect in cross(FOUR).effects}
    assert found == {
        (RAW,): {"aiohttp-raw": 0.5, "aiohttp": -0.5, "crax": 0.5, "crax-orm": -0.5},
        (CRAX,): {"crax-orm": 0.5, "aiohttp": -0.5, "crax": 0.5, "aiohttp-raw": -0.5},
        (RAW, CRAX): {"crax": 1.0, "aiohttp-raw": -1.0, "crax-orm": -1.0, "aiohttp": 1.0},
    }


def test_every_level_is_held_against_the_reference_and_weights_of_an_effect_sum_to_nothing() -> None:
    entries = {f"{name}-{orm}": _labels(name, orm) for name in ("a", "b", "c") for orm in ("full", "micro", "raw")}
    effects = cross(entries).effects
    assert [effect.names for effect in effects if len(effect.changes) == 1] == [
        ("orm micro", "orm full"),
        ("orm raw", "orm full"),
        ("framework b", "framework a"),
        ("framework c", "framework a"),
    ]
    assert len(effects) == 2 + 2 + 2 * 2
    assert all(abs(sum(effect.weights.values())) < 1e-12 for effect in effects)
    assert all(len(effect.groups) == effect.possible for effect in effects)


@pytest.mark.parametrize(
    ("asked", "levels"),
    [
        ([], ("none", "haproxy", "nginx")),
        (["proxy=nginx"], ("nginx", "none", "haproxy")),
    ],
)
def test_the_reference_is_the_one_asked_for_or_no_proxy(asked: list[str], levels: tuple[str, ...]) -> None:
    entries = {proxy: _labels(proxy=proxy) for proxy in ("haproxy", "nginx", "none")}
    assert cross(entries, asked).factors == {"proxy": levels}


def test_an_entry_that_says_nothing_of_a_factor_is_what_the_others_are_held_against() -> None:
    assert cross({"a": _labels(cache="redis"), "b": _labels()}, ["cache"]).factors == {"cache": ("–", "redis")}


def test_the_origin_of_the_lab_s_own_entries_has_a_name_that_can_be_typed() -> None:
    entries = {"tfb": _labels(origin="adopted"), "own": _labels()}
    assert cross(entries).factors == cross(entries, ["origin=lab"]).factors == {"origin": ("lab", "adopted")}
    assert cross(entries, ["origin=adopted"]).factors == {"origin": ("adopted", "lab")}


def test_connections_that_go_along_with_another_factor_are_a_part_of_it() -> None:
    found = cross({"tfb": _labels(origin="adopted", connections="own"), "own": _labels(connections="32")})
    (effect,) = found.effects
    assert effect.changes == (Change("origin", "adopted", "lab"),)
    assert found.companions(effect) == {"connections": ["32", "own"]}


def test_numbers_are_in_the_order_of_their_size() -> None:
    entries = {size: _labels(connections=size) for size in ("128", "8", "16")}
    assert cross(entries).factors == {"connections": ("8", "16", "128")}


def test_an_effect_comes_from_the_entries_that_have_counterparts_and_the_cells_without_an_entry_are_named() -> None:
    found = cross(FOUR | {"crax-uvicorn": _labels("crax", "raw", server="uvicorn")})
    effects = {effect.changes: effect for effect in found.effects}
    server = effects[(Change("server", "uvicorn", "gunicorn"),)]
    assert server.weights == {"crax-uvicorn": 1.0, "crax": -1.0}
    assert (len(server.groups), server.possible) == (1, 4)
    assert effects[(RAW,)].weights == cross(FOUR).effects[0].weights
    assert [len(changes) for changes in effects] == [1, 1, 1, 2]
    assert sorted(found.missing) == [
        ("full", "aiohttp", "uvicorn"),
        ("full", "crax", "uvicorn"),
        ("raw", "aiohttp", "uvicorn"),
    ]


def test_what_changes_along_with_a_factor_is_named_and_what_does_not_is_not() -> None:
    found = cross(FOUR)
    assert {effect.changes: found.companions(effect) for effect in found.effects[:2]} == {
        (RAW,): {},
        (CRAX,): {"json": ["json", "ujson"]},
    }


def test_a_label_of_one_s_own_is_a_factor_where_it_is_asked_for() -> None:
    entries = {"plain": _labels(cache="no"), "cached": _labels(cache="lru")}
    found = cross(entries, ["cache=no"])
    assert [effect.changes for effect in found.effects] == [(Change("cache", "lru", "no"),)]


def test_only_the_factors_asked_for_are_told_of_and_the_others_are_held_equal() -> None:
    (effect,) = cross(FOUR, ["framework=crax"]).effects
    assert effect.changes == (Change("framework", "aiohttp", "crax"),)
    assert effect.weights == {"aiohttp": 0.5, "crax-orm": -0.5, "aiohttp-raw": 0.5, "crax": -0.5}


@pytest.mark.parametrize(
    ("names", "asked", "said"),
    [
        (
            ("aiohttp", "crax"),
            [],
            "no two entries differ in orm or framework alone: there is aiohttp (full aiohttp), crax (raw crax); "
            "measure entries that do, see `lab.py list`",
        ),
        (
            ("aiohttp",),
            [],
            "no two entries differ in orm or framework or server or proxy or connections or origin alone: there is "
            "aiohttp; measure entries that do, see `lab.py list`",
        ),
        (tuple(FOUR), ["server"], "--factor server: the entries aiohttp, aiohttp-raw, crax, crax-orm do not differ"),
        (
            tuple(FOUR),
            ["sever"],
            "--factor sever: did you mean server? there is orm, framework, server, proxy, connections, origin, ",
        ),
        (
            tuple(FOUR),
            ["proxy"],
            "--factor proxy: measure with --proxy none,nginx to compare its levels; the entries aiohttp, ",
        ),
        (tuple(FOUR), ["orm=micro"], "--factor orm=micro: there is full, raw"),
        (("crax", "twin"), [], "crax and twin are equal in all factors: leave one out with --framework"),
        (("crax", "crax-orm", "twin"), [], "crax and twin are equal in orm: leave one out with --framework"),
    ],
)
def test_entries_that_cannot_tell_are_refused_with_what_is_there(
    names: tuple[str, ...], asked: list[str], said: str
) -> None:
    entries = FOUR | {"twin": FOUR["crax"]}
    with pytest.raises(UsageError, match=f"^{re.escape(said)}"), refusing():
        cross({name: entries[name] for name in names}, asked)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ([], ["aiohttp", "aiohttp-raw", "crax", "crax-orm"]),
        (["orm", "framework=crax"], ["aiohttp", "aiohttp-raw", "crax", "crax-orm"]),
        (["server"], ["crax", "crax-uvicorn"]),
        (["server", "orm"], ["aiohttp", "aiohttp-raw", "crax", "crax-orm", "crax-uvicorn"]),
        (["proxy"], ["aiohttp", "crax"]),
        (["origin"], ["aiohttp", "tfb-aiohttp"]),
    ],
)
def test_entries_are_chosen_that_differ_from_a_usual_one_in_what_is_asked_for_alone(
    asked: list[str], chosen: list[str]
) -> None:
    entries = FOUR | {
        "crax-uvicorn": _labels("crax", "raw", server="uvicorn"),
        "alone": _labels("alone", "full", server="own"),
        "threads": _labels("threads", loop="none"),
        "tfb-aiohttp": _labels(origin="adopted", connections="own", json="?"),
    }
    assert factorial.comparable(entries, ["aiohttp", "crax"], asked) == chosen
