"""Who takes part in a run: the usual entries or the named ones, and their variants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine.compose import Services
from benchlab.engine.engine import Engine
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.engine.variants import taking_part, with_variants
from benchlab.factors import catalog
from benchlab.records.plan import Settings, Variant

from .conftest import LABELS
from .made_commits import commit, git

OURS = {"labels": {"benchlab.lab": "yes"}}


@dataclass(frozen=True)
class Made(Lab):
    """A lab that adds services to its topology without asking Compose."""

    def with_services(self, services: Services) -> Lab:
        return replace(self, topology=replace(self.topology, services={**self.topology.services, **services}))


def _service(folder: Path = Path(), **labels: str) -> dict[str, Any]:
    return {
        "image": f"benchlab/{folder.name}",
        "build": {"context": str(folder)},
        "profiles": ["entry"],
        "environment": {"DB_POOL_SIZE": "16"},
        "labels": {
            f"benchlab.{name}": value for name, value in (LABELS | {"lab": "yes", "proxy": "none"} | labels).items()
        },
    }


def _lab(**services: dict[str, Any]) -> Lab:
    topology = Topology(Path(), ("compose",), {}, "benchlab", services, {"default": OURS})
    return Made(Path(), topology, cast(Engine, None), 2, "debian", print)


NGINX = {"image": "benchlab/nginx", "environment": {"ENTRY_PORTS": "8080 9000"}, "labels": {"benchlab.lab": "yes"}}
LAB = _lab(aiohttp=_service(), crax=_service(), rare=_service(default="no"), nginx=NGINX)


def _names(settings: Settings, **changes: Any) -> list[str]:
    return [entry.name for entry in taking_part(LAB, replace(settings, **changes))[1]]


def test_without_a_name_the_usual_entries_take_part_and_any_other_where_it_is_named(settings: Settings) -> None:
    assert _names(settings, frameworks=()) == ["aiohttp", "crax"]
    assert _names(settings, frameworks=("rare",)) == ["rare"]


def test_where_no_entry_is_usual_one_must_be_named(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no entry is measured where none is named"):
        taking_part(_lab(rare=_service(default="no")), replace(settings, frameworks=()))


def test_with_several_proxies_and_pools_each_entry_takes_part_with_each(settings: Settings) -> None:
    wanted = replace(settings, frameworks=("crax",), proxy="none,nginx", db_connections=(32, 8))
    lab, entries = taking_part(LAB, wanted)
    assert {entry.name: (entry.proxy, entry.labels["pool"], entry.labels.get("connections")) for entry in entries} == {
        "crax": ("none", "16", None),
        "crax-pool-8": ("none", "4", "8"),
        "crax-via-nginx": ("nginx", "16", None),
        "crax-via-nginx-pool-8": ("nginx", "4", "8"),
    }
    environments = {name: service["environment"].get("DB_POOL_SIZE") for name, service in lab.topology.services.items()}
    assert (environments["crax"], environments["crax-via-nginx-pool-8"]) == ("16", "4")


def test_each_entry_behind_a_proxy_gets_one_of_its_own_which_is_made_as_the_one_of_the_file(settings: Settings) -> None:
    lab, _ = taking_part(LAB, replace(settings, frameworks=("aiohttp", "crax"), proxy="none,nginx"))
    services = lab.topology.services
    assert [name for name in services if name.startswith("nginx-for-")] == [
        "nginx-for-aiohttp-via-nginx",
        "nginx-for-crax-via-nginx",
    ]
    assert services["nginx-for-crax-via-nginx"] == NGINX


def test_an_entry_that_is_called_as_the_proxy_of_another_is_refused(settings: Settings) -> None:
    lab = _lab(**{"nginx-for-crax": _service(), "crax": _service(proxy="nginx"), "nginx": NGINX})
    with pytest.raises(UsageError, match=r"^nginx-for-crax is an entry, and the proxy in front of crax "):
        taking_part(lab, replace(settings, frameworks=("crax",)))


def test_what_takes_part_is_kept_as_records_of_entry_and_levels(settings: Settings) -> None:
    lab, _ = taking_part(LAB, replace(settings, frameworks=("crax",), proxy="none,nginx", db_connections=(32, 8)))
    assert lab.variants == {
        "crax": Variant("crax"),
        "crax-pool-8": Variant("crax", {"connections": "8"}),
        "crax-via-nginx": Variant("crax", {"proxy": "nginx"}),
        "crax-via-nginx-pool-8": Variant("crax", {"proxy": "nginx", "connections": "8"}),
    }


def test_a_run_that_is_resumed_has_the_variants_that_it_began_with(settings: Settings) -> None:
    begun, entries = taking_part(LAB, replace(settings, frameworks=(), proxy="none,nginx", db_connections=(32, 8)))
    resumed = with_variants(LAB, begun.variants)
    assert len(entries) == 8
    assert resumed.topology.choose(resumed.variants) == entries
    assert resumed.topology.services == begun.topology.services


def test_a_variant_of_an_entry_that_there_is_no_more_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown framework gone"):
        with_variants(LAB, {"gone-via-nginx": Variant("gone", {"proxy": "nginx"})})


ALIKE = ("x-at-y", "x-pool-3", "x-via-y")


@pytest.fixture
def alike(tmp_path: Path) -> tuple[Lab, str]:
    """Return a lab of entries that are called as variants are, in a repository; and its commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in ("x", *ALIKE):
        number = commit(tmp_path, f"frameworks/{name}/app.py", f"{name}\n")
    services = {name: _service(tmp_path / "frameworks" / name) for name in ("x", *ALIKE)}
    lab = _lab(**services)
    return replace(lab, root=tmp_path, topology=replace(lab.topology, root=tmp_path)), number


@pytest.mark.parametrize("named", [(), ALIKE, ("x", *ALIKE), ("x-at-y",)])
def test_an_entry_that_is_called_as_a_variant_is_takes_part_as_any_other(
    settings: Settings, alike: tuple[Lab, str], named: tuple[str, ...]
) -> None:
    lab, _ = taking_part(alike[0], replace(settings, frameworks=named))
    assert lab.variants == {name: Variant(name) for name in named or ("x", *ALIKE)}


@pytest.mark.parametrize("named", [(), ALIKE, ("x", *ALIKE), ("x-at-y",)])
def test_an_entry_that_is_called_as_a_variant_is_has_an_older_version_as_any_other(
    settings: Settings, alike: tuple[Lab, str], named: tuple[str, ...]
) -> None:
    lab, number = alike
    made, _ = taking_part(lab, replace(settings, frameworks=named, against=number))
    names = named or ("x", *ALIKE)
    old = {f"{name}-at-{number[:7]}": Variant(name, {"commit": number}) for name in names}
    assert made.variants == {name: Variant(name) for name in names} | old
    assert catalog.versions(made.variants, settings) == {name: f"{name}-at-{number[:7]}" for name in names}
    folders = {name: Path(made.topology.services[name]["build"]["context"], "app.py").read_text() for name in old}
    assert folders == {f"{name}-at-{number[:7]}": f"{name}\n" for name in names}


def test_a_variant_is_not_called_as_an_entry_is(settings: Settings) -> None:
    lab = _lab(**{"x": _service(), "x-pool-8": _service()})
    said = "x-pool-8 is an entry, and x with connections 8 would be called so too; give that entry another name"
    with pytest.raises(UsageError, match=f"^{said}$"):
        taking_part(lab, replace(settings, frameworks=("x",), db_connections=(16, 8)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"against": "0" * 40}, "--against: rill was adopted, and has no versions here; name the others with"),
        (
            {"db_connections": (16, 8)},
            "--db-connections: rill opens as many as it likes; leave it out with --framework",
        ),
    ],
)
def test_of_an_adopted_entry_there_are_no_such_variants(settings: Settings, changes: dict[str, Any], said: str) -> None:
    lab = _lab(crax=_service(), rill=_service(origin="adopted", workers="own"))
    with pytest.raises(UsageError, match=f"^{said}"):
        taking_part(lab, replace(settings, frameworks=(), **changes))
