"""A network for each entry: who is in it under which names, and an engine that has no more of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchlab.engine import networks
from benchlab.engine.endpoints import Roles
from benchlab.engine.networks import NoRangeError
from benchlab.records.plan import Entry

from .conftest import LABELS, PATHS
from .fake_host import FakeHost


class Networks:
    """Has so many address ranges, each of `size` bits."""

    project = "benchlab"

    def __init__(self, ranges: int = 30, size: int = 20) -> None:
        self.ranges, self.size = ranges, size
        self.made: dict[str, str] = {}
        self.done: list[tuple[str, ...]] = []
        self.of: dict[str, list[str]] = {}

    def make_network(self, name: str, subnet: str | None = None) -> str:
        if subnet is None:
            if not self.ranges:
                raise NoRangeError("none left")
            self.ranges -= 1
            subnet = f"10.{self.ranges}.0.0/{self.size}"
        self.made[name] = subnet
        return name

    def remove_network(self, network_id: str) -> None:
        del self.made[network_id]

    def subnet(self, network_id: str) -> str:
        return self.made[network_id]

    def join_network(self, network_id: str, service: str, aliases: Sequence[str]) -> None:
        self.done.append((network_id, service, *aliases))
        self.of.setdefault(service, []).append(network_id)

    def leave_network(self, network: str, service: str) -> None:
        self.done.append(("leave", network, service))
        if network in self.of[service]:
            self.of[service].remove(network)

    def networks_of(self, service: str) -> list[str]:
        return list(self.of[service])


def test_all_that_takes_part_is_in_the_entry_s_network_under_the_contract_s_names() -> None:
    engine = Networks()
    entries = [Entry("crax", LABELS, PATHS), Entry("aiohttp", LABELS | {"proxy": "nginx"}, PATHS)]
    networks.join(engine, Roles.on_one(FakeHost()), entries, "benchlab_default")
    assert engine.done == [
        ("benchlab-entry-1", "wrk"),
        ("benchlab-entry-1", "db", "tfb-database"),
        ("benchlab-entry-1", "crax", "tfb-server", "app-crax"),
        ("leave", "benchlab_default", "crax"),
        ("benchlab-entry-2", "wrk"),
        ("benchlab-entry-2", "db", "tfb-database"),
        ("benchlab-entry-2", "aiohttp", "tfb-server", "app-aiohttp"),
        ("leave", "benchlab_default", "aiohttp"),
        ("benchlab-entry-2", "nginx-for-aiohttp", "proxy-aiohttp"),
        ("leave", "benchlab_default", "nginx-for-aiohttp"),
    ]


def test_each_entry_is_in_each_network_in_as_many_turns_as_there_are_entries_never_two_in_one() -> None:
    engine, roles = Networks(), Roles.on_one(FakeHost())
    entries = [Entry(name, LABELS | {"proxy": "nginx"}, PATHS) for name in ("crax", "aiohttp", "starlette")]
    networks.join(engine, roles, entries, "benchlab_default")
    places = {}
    for turn in range(1, 4):
        networks.change_places(engine, roles, entries, turn)
        assert all(engine.of[f"nginx-for-{entry.name}"] == engine.of[entry.name] for entry in entries)
        places[turn] = [name for entry in entries for name in engine.of[entry.name]]
    assert [sorted(each) for each in places.values()] == [sorted(places[1])] * 3
    assert [sorted(each) for each in zip(*places.values(), strict=True)] == [sorted(places[1])] * 3
    # One that was left half-way is in one network again.
    engine.of["crax"].append(places[3][1])
    networks.change_places(engine, roles, entries, 3)
    assert [name for entry in entries for name in engine.of[entry.name]] == places[3]
    # So are two that were left in the same one.
    engine.of["crax"] = list(engine.of["aiohttp"])
    networks.change_places(engine, roles, entries, 3)
    assert [name for entry in entries for name in engine.of[entry.name]] == places[3]
    # The same turn is the same place, whatever came before it; and nobody moves who is there.
    moves = len(engine.done)
    networks.change_places(engine, roles, reversed(entries), 3)
    assert len(engine.done) == moves


@pytest.mark.parametrize(("ranges", "whole"), [(30, 7), (8, 7), (3, 2), (1, 0)])
def test_many_entries_share_one_of_the_engine_s_ranges(ranges: int, whole: int) -> None:
    engine = Networks(ranges)
    names = [str(number) for number in range(20)]
    assert networks.make(engine, names) == names
    subnets = list(engine.made.values())
    assert [subnet.endswith("/20") for subnet in subnets] == [True] * whole + [False] * (20 - whole)
    assert len(set(subnets)) == 20


def test_an_engine_without_ranges_is_told_in_one_line() -> None:
    with pytest.raises(NoRangeError, match="none left"):
        networks.make(Networks(0), ["a"])
    with pytest.raises(NoRangeError, match=r"^3 entries need a network each.*10\.0\.0\.0/28 has room for 1; choose"):
        networks.make(Networks(1, 28), ["a", "b", "c"])
