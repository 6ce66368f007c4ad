"""Roles on engines of their own, and entries under names of their own: what is asked of which."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchlab.engine.endpoints import Roles, app_address, load_address
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import Entry, Target
from benchlab.run.group import Group

from .conftest import LABELS, PATHS, Kept
from .fake_host import FakeHost

DIRECT = Entry("crax", LABELS, PATHS)
PROXIED = Entry("aiohttp", LABELS | {"proxy": "nginx"}, PATHS, port=9000)


@pytest.fixture
def engines() -> dict[str, FakeHost]:
    return {role: FakeHost() for role in (CLIENT, APP, DB, PROXY)}


def test_the_load_goes_to_the_entry_or_to_the_proxy_in_front_of_it() -> None:
    roles = Roles.on_one(FakeHost())
    for entry, host in ((DIRECT, "app-crax"), (PROXIED, "proxy-aiohttp")):
        assert roles.of(entry).front.address == load_address(entry) == Target(host, entry.port, "tfb-server")


@pytest.mark.parametrize(
    "name", ["crax", "Crax", "crax_orm", "starlette-uvicorn-0.49.0", "starlette-uvicorn-0-49-0", "x" * 80, "-"]
)
def test_the_name_that_an_entry_is_asked_by_is_one_that_name_servers_take(name: str) -> None:
    assert re.fullmatch(r"app-[a-z0-9-]{0,58}[a-z0-9]", app_address(replace(DIRECT, name=name)).host)


def test_entries_whose_names_differ_in_what_name_servers_do_not_take_are_asked_by_names_that_differ() -> None:
    names = ["a.b", "a-b", "a_b", "A-b", "x" * 80, "x" * 81]
    assert len({app_address(replace(DIRECT, name=name)).host for name in names}) == len(names)


def test_each_role_is_started_and_stopped_on_its_own_engine(engines: dict[str, FakeHost]) -> None:
    group = Group([PROXIED], Roles(engines), [PROXIED, DIRECT], Kept().keep_log)
    with group.only_up("first") as running:
        running.check("meanwhile")
    assert {role: engine.done for role, engine in engines.items()} == {
        CLIENT: ["start wrk", "connections /json"],
        APP: ["start aiohttp", "stop aiohttp"],
        DB: ["start db", "pristine-world"],
        PROXY: ["start nginx-for-aiohttp", "stop nginx-for-aiohttp"],
    }


def test_counters_are_read_beside_the_load_of_those_containers_only_that_are_there(
    engines: dict[str, FakeHost],
) -> None:
    assert Roles(engines).of(PROXIED).containers_near_load() == {CLIENT: "id-of-wrk"}
    near = Roles(engines | {APP: engines[CLIENT]}).of(DIRECT)
    assert near.containers_near_load() == {CLIENT: "id-of-wrk", APP: "id-of-crax"}
    assert near.usage().keys() == {CLIENT, APP, DB}


def test_one_engine_that_does_not_answer_is_enough_to_end_a_run(engines: dict[str, FakeHost]) -> None:
    at = Roles(engines).of(DIRECT)
    assert at.engines_answer()
    # No proxy takes part.
    engines[PROXY].gone = True
    assert at.engines_answer()
    engines[DB].gone = True
    assert not at.engines_answer()


def test_what_an_earlier_life_left_running_is_stopped_before_the_entry_starts() -> None:
    host = FakeHost()
    host.start("aiohttp")
    with Group([DIRECT], Roles.on_one(host), [PROXIED, DIRECT], Kept().keep_log).only_up("first"):
        assert host.done[:4] == ["start aiohttp", "stop nginx-for-aiohttp", "stop aiohttp", "start db"]
        assert host.running == {"db", "wrk", "crax"}
