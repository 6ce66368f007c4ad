"""--vary: how it is typed, which entries have which factors, what a level does, and what is held against what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchlab.core.errors import UsageError
from benchlab.experiment.settings import VARY, choose, typed
from benchlab.factors import catalog
from benchlab.records.plan import Entry, Settings, Variant
from benchlab.statistics import factorial

from .conftest import LABELS, tools_at

SERVICE: dict[str, Any] = {
    "image": "benchlab/x",
    "labels": {
        "benchlab.workers": "2",
        "benchlab.pool": "8",
        "benchlab.connections": "16",
        "benchlab.varies": "loop=uvloop,asyncio http=httptools,h11",
    },
    "environment": {"WEB_CONCURRENCY": "2", "DB_POOL_SIZE": "8"},
}
TOOLS = tools_at(lambda *_: {})
DECLARED = LABELS | {"varies": "loop=uvloop,asyncio http=httptools,h11"}


def _vary(*texts: str) -> Settings:
    return choose(seed=1, vary=[VARY.parse(VARY.name, text) for text in texts])


def _refused(entry: Entry, settings: Settings) -> None:
    for factor in catalog.varying(settings, [entry.labels]):
        if levels := settings.vary.get(factor.name):
            factor.refuse([entry], levels)


def test_what_was_typed_is_kept_and_typed_again() -> None:
    settings = _vary("uvicorn=0.49.0,./checkout", "loop=asyncio,uvloop")
    assert settings.vary == {"uvicorn": ("0.49.0", "./checkout"), "loop": ("asyncio", "uvloop")}
    words = [word for word in typed(settings) if "=" in word]
    assert words == ["uvicorn=0.49.0,./checkout", "loop=asyncio,uvloop"]


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["uvicorn"], "--vary uvicorn: write NAME=LEVEL,LEVEL"),
        (["=1,2"], "--vary =1,2: write NAME=LEVEL,LEVEL"),
        (["uvicorn=1,"], "--vary uvicorn=1,: write NAME=LEVEL,LEVEL"),
        (["uvicorn=1"], "--vary uvicorn=1: one level has nothing to be compared with"),
        (["uvicorn=1,2,1"], "--vary uvicorn=1,2,1: the level 1 is named twice"),
        (["uvicorn=1,2", "uvicorn=1,3"], "--vary uvicorn is given twice"),
        (["placement=shared,split"], "--vary placement: entries that are up together share client and database"),
        (["proxy=none,caddy"], "--vary proxy=none,caddy: use none,nginx or none,nginx-reconnecting or "),
        (["connections=8,many"], "--vary connections='8,many': use whole numbers"),
    ],
)
def test_what_is_typed_wrongly_is_one_line(texts: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=f"^{problem}"):
        _vary(*texts)


def test_a_factor_with_a_flag_of_its_own_is_what_the_flag_says() -> None:
    settings = _vary("proxy=none,nginx", "connections=8,16")
    assert (settings.proxy, settings.db_connections, settings.vary) == ("none,nginx", (8, 16), {})
    with pytest.raises(UsageError, match=r"^--vary proxy says what --proxy says; leave one out$"):
        choose(seed=1, proxy="nginx", vary=[("proxy", ("none", "nginx"))])


def test_a_factor_is_not_varied_beside_another_version() -> None:
    with pytest.raises(UsageError, match=r"^--against is one factor, and --vary another; use --vary commit=REF,HEAD"):
        choose(seed=1, against="main", vary=[("loop", ("uvloop", "asyncio"))])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("loop=uvloop,asyncio", ""),
        ("loop=uvloop,trio", "--vary loop=trio: x can have uvloop or asyncio"),
        ("env.PYTHONMALLOC=pymalloc,mimalloc", ""),
        ("workers=1,2", ""),
        ("workers=1,many", "--vary workers=many: use whole numbers from 1 to 512"),
        ("pool=0,8", "--vary pool=0: use whole numbers from 1 to 1900"),
        ("uvicorn=0.49.0,./checkout", ""),
        ("uvicorn=0.49.0,git+file:///checkout@main", ""),
        ("uvicorn=0.49.0,none", ""),
        ("uvicorn=0.49.0,newest", "--vary uvicorn=newest: write a version, the package's folder"),
    ],
)
def test_an_entry_has_the_factors_that_it_declares_and_those_of_every_entry(text: str, problem: str) -> None:
    entry = Entry("x", DECLARED, {"json": "/json"})
    if not problem:
        _refused(entry, _vary(text))
        return
    with pytest.raises(UsageError, match=f"^{problem}"):
        _refused(entry, _vary(text))


def test_a_factor_that_only_another_entry_declares_is_refused_with_what_there_is() -> None:
    declared = Entry("x", DECLARED, {"json": "/json"})
    other = Entry("y", LABELS | {"varies": "json=json,orjson"}, {"json": "/json"})
    (*_, factor) = catalog.varying(_vary("http=httptools,h11"), [declared.labels, other.labels])
    with pytest.raises(UsageError, match=r"^--vary http: y declares no http; it has json$"):
        factor.refuse([declared, other], ("httptools", "h11"))


@pytest.mark.parametrize(
    ("name", "level", "environment", "labels"),
    [
        ("loop", "asyncio", {"LOOP": "asyncio"}, {"loop": "asyncio"}),
        ("env.A_b", "1", {"A_b": "1"}, {"env.A_b": "1"}),
        ("workers", "4", {"WEB_CONCURRENCY": "4", "DB_POOL_SIZE": "4"}, {"workers": "4", "pool": "4"}),
        ("pool", "3", {"DB_POOL_SIZE": "3"}, {"pool": "3", "connections": "6"}),
    ],
)
def test_a_level_is_in_the_environment_and_in_the_labels(
    name: str, level: str, environment: dict[str, str], labels: dict[str, str]
) -> None:
    factor = catalog.named(name, [DECLARED])
    made = factor.made("x", SERVICE, level, TOOLS)
    assert made["environment"] == SERVICE["environment"] | environment
    assert made["labels"] == SERVICE["labels"] | {f"benchlab.{key}": value for key, value in labels.items()}


def test_threads_of_a_worker_are_as_many_as_its_connections() -> None:
    service = SERVICE | {"labels": SERVICE["labels"] | {"benchlab.threads": "8"}}
    made = catalog.named("pool").made("x", service, "3", TOOLS)
    assert made["labels"]["benchlab.threads"] == "3"


def test_more_connections_than_postgres_has_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^--vary pool=1000: x with 2 workers would open 2,000 connections"):
        catalog.named("pool").made("x", SERVICE, "1000", TOOLS)


def test_every_entry_has_a_variant_of_each_combination_and_none_as_it_is() -> None:
    settings = _vary("uvicorn=0.49.0,./src/uvicorn,./new/uvicorn", "loop=uvloop,asyncio")
    made = dict(catalog.variants(["x"], settings))
    assert list(made) == [
        "x-uvicorn-0.49.0-loop-uvloop",
        "x-uvicorn-0.49.0-loop-asyncio",
        "x-uvicorn-uvicorn-loop-uvloop",
        "x-uvicorn-uvicorn-loop-asyncio",
        "x-uvicorn-uvicorn-loop-uvloop-2",
        "x-uvicorn-uvicorn-loop-asyncio-2",
    ]
    assert made["x-uvicorn-0.49.0-loop-asyncio"] == Variant("x", {"uvicorn": "0.49.0", "loop": "asyncio"})


def test_a_gate_holds_all_levels_against_the_first() -> None:
    settings = _vary("uvicorn=1,2,3")
    made = dict(catalog.variants(["x", "y"], settings))
    assert catalog.versions(made, settings) == {
        "x-uvicorn-2": "x-uvicorn-1",
        "x-uvicorn-3": "x-uvicorn-1",
        "y-uvicorn-2": "y-uvicorn-1",
        "y-uvicorn-3": "y-uvicorn-1",
    }
    assert not catalog.compares_versions(settings)
    assert catalog.compares_versions(replace(settings, margin=0.03))


def test_a_gate_holds_what_has_a_proxy_against_what_has_none() -> None:
    settings = replace(_vary("proxy=none,nginx"), margin=0.03)
    assert catalog.compares_versions(settings)
    assert catalog.versions(dict(catalog.variants(["x"], settings)), settings) == {"x-via-nginx": "x"}


def test_the_first_level_that_is_typed_is_what_the_others_are_compared_with() -> None:
    labels = {name: LABELS | {"loop": name} for name in ("uvloop", "asyncio", "rloop")}
    design = factorial.cross(labels, varied={"loop": ("uvloop", "rloop", "asyncio")})
    assert design.factors == {"loop": ("uvloop", "rloop", "asyncio")}
    assert design.studied == ("loop",)
