"""Who takes part in a run: the usual entries or the named ones, and their variants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchlab.core.errors import ConfigError
from benchlab.engine.contestants import contestants
from benchlab.engine.engine import Engine
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.engine.variants import Services
from benchlab.factors.naming import originals
from benchlab.records.plan import Settings

from .conftest import LABELS

OURS = {"labels": {"benchlab.lab": "yes"}}


@dataclass(frozen=True)
class Made(Lab):
    """A lab that adds services to its topology without asking Compose."""

    def with_services(self, services: Services) -> Lab:
        return replace(self, topology=replace(self.topology, services={**self.topology.services, **services}))


def _service(**labels: str) -> dict[str, Any]:
    return {
        "image": "benchlab/x",
        "build": {"context": "."},
        "profiles": ["entry"],
        "environment": {"DB_POOL_SIZE": "16"},
        "labels": {
            f"benchlab.{name}": value for name, value in (LABELS | {"lab": "yes", "proxy": "none"} | labels).items()
        },
    }


def _lab(**services: dict[str, Any]) -> Lab:
    topology = Topology(Path(), ("compose",), {}, "benchlab", services, {"default": OURS})
    return Made(Path(), topology, cast(Engine, None), 2, "debian", print)


LAB = _lab(aiohttp=_service(), crax=_service(), rare=_service(default="no"))


def _names(settings: Settings, **changes: Any) -> list[str]:
    return [entry.name for entry in contestants(LAB, replace(settings, **changes))[1]]


def test_without_a_name_the_usual_entries_take_part_and_any_other_where_it_is_named(settings: Settings) -> None:
    assert _names(settings, frameworks=()) == ["aiohttp", "crax"]
    assert _names(settings, frameworks=("rare",)) == ["rare"]


def test_where_no_entry_is_usual_one_must_be_named(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no entry is measured where none is named"):
        contestants(_lab(rare=_service(default="no")), replace(settings, frameworks=()))


def test_with_several_proxies_and_pools_each_entry_takes_part_with_each(settings: Settings) -> None:
    wanted = replace(settings, frameworks=("crax",), proxy="none,nginx", db_connections=(32, 8))
    lab, entries = contestants(LAB, wanted)
    assert {entry.name: (entry.proxy, entry.labels["pool"], entry.labels.get("connections")) for entry in entries} == {
        "crax": ("none", "16", None),
        "crax-pool-8": ("none", "4", "8"),
        "crax-via-nginx": ("nginx", "16", None),
        "crax-via-nginx-pool-8": ("nginx", "4", "8"),
    }
    environments = {name: service["environment"]["DB_POOL_SIZE"] for name, service in lab.topology.services.items()}
    assert (environments["crax"], environments["crax-via-nginx-pool-8"]) == ("16", "4")


def test_a_run_that_is_resumed_has_the_contestants_that_it_began_with(settings: Settings) -> None:
    wanted = replace(settings, frameworks=(), proxy="none,nginx", db_connections=(32, 8))
    names = _names(wanted)
    assert len(names) == 8
    begun = replace(wanted, frameworks=tuple(names))
    assert originals(begun) == ["aiohttp", "crax"]
    assert _names(begun) == names


def test_an_entry_whose_own_name_ends_like_a_variant_s_is_no_variant(settings: Settings) -> None:
    assert originals(replace(settings, frameworks=("x-pool-8", "y-via-nginx", "z-at-abcdef1"))) == [
        "x-pool-8",
        "y-via-nginx",
        "z-at-abcdef1",
    ]
    assert originals(replace(settings, frameworks=("z", "z-at-abcdef1"), against="abcdef123456")) == ["z"]
