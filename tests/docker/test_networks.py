"""Entries that are up at once, on a real engine: a proxy for each, and what is left of networks when they are gone."""

from __future__ import annotations

import json

import docker

from benchlab.engine import networks, stage, variants
from benchlab.engine.engine import Engine
from benchlab.engine.sandbox import PROJECT_LABEL, SERVICE_LABEL
from benchlab.engine.stage import Conditions
from benchlab.records.plan import Variant
from benchlab.run import fetch
from benchlab.run.group import Group

from ..entries import ROOT
from .conftest import await_that
from .traces import PROJECT, objects

NAMES = ("aiohttp", "crax")


def test_nginx_stands_in_front_of_each_entry_and_ends_by_itself(client: docker.DockerClient) -> None:
    lab = stage.open_lab(ROOT, (), lambda line: None, Conditions(proxies=("nginx",)))
    lab = variants.with_variants(lab, {name: Variant(name) for name in NAMES})
    entries = [lab.topology.entries[name] for name in NAMES]
    with stage.stage(lab, NAMES):
        with Group(entries, lab.roles, entries, lambda name, text: name).up("first") as up:
            assert (sorted(up.running), up.lost) == (list(NAMES), {})
            for running in up.running.values():
                target = running.endpoints.front.address
                ((answer,),) = fetch.answers(lab.roles.client, target, [[fetch.Request("/json", "*/*")]])
                assert (answer.status, json.loads(answer.body)) == (200, {"message": "Hello, World!"})
                assert answer.headers["server"].startswith("nginx")
        for name in NAMES:
            labels = [f"{PROJECT_LABEL}={PROJECT}", f"{SERVICE_LABEL}=nginx-for-{name}"]
            (proxy,) = client.containers.list(all=True, filters={"label": labels})
            assert proxy.attrs["State"]["ExitCode"] == 0
    # The engine removes the lease a moment after the lab has left it.
    await_that(lambda: objects(client) == [], "nothing is left")


def test_networks_of_many_entries_take_few_of_the_engine_s_ranges_and_are_removed_with_the_rest(
    client: docker.DockerClient,
) -> None:
    engine = Engine.connect(PROJECT)
    try:
        made = networks.make(engine, [f"{PROJECT}-entry-{number}" for number in range(12)])
        sizes = [engine.subnet(each).partition("/")[2] for each in made]
        assert sizes[7:] == ["28"] * 5
        assert all(client.networks.get(each).attrs["Internal"] for each in made)
    finally:
        engine.remove_all()
    assert objects(client) == []
