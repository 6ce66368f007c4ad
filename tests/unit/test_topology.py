from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import compose
from benchlab.engine.topology import Topology
from benchlab.records.plan import Entry

from .conftest import LABELS, PATHS

SERVICE = {"image": "benchlab/x", "build": {"context": "."}, "profiles": ["entry"]}
OURS = {"labels": {"benchlab.lab": "yes"}}


def _labels(**changes: str | None) -> dict[str, str]:
    labels = LABELS | {"lab": "yes"} | {name.replace("__", "."): value for name, value in changes.items()}
    return {f"benchlab.{name}": value for name, value in labels.items() if value is not None}


def _topology(**services: Any) -> Topology:
    return Topology(Path(), ("compose",), {}, "benchlab", services, {"default": OURS})


def test_entries_are_the_services_of_the_entry_profile() -> None:
    found = _topology(crax=SERVICE | {"labels": _labels()}, db=OURS | {"image": "benchlab/postgres"}).entries
    assert found == {"crax": Entry("crax", LABELS | {"lab": "yes"}, PATHS)}


def test_the_log_of_no_container_can_fill_the_disk() -> None:
    services = yaml.safe_load((Path(__file__).parents[2] / "compose.yaml").read_text())["services"]
    bounded = {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}}
    # Nothing is ever run of the images that others start from.
    bases = {"base", "base-python", "base-dev"}
    assert {name for name, service in services.items() if service.get("logging") != bounded} == bases


def test_labels_may_come_as_a_list_as_some_versions_of_compose_print_them() -> None:
    listed = [f"{name}={value}" for name, value in _labels().items()]
    assert _topology(crax=SERVICE | {"labels": listed}).entries["crax"].labels == LABELS | {"lab": "yes"}


def test_a_path_of_its_own_is_taken_from_its_label() -> None:
    labels = _labels(tests="query", path__query="/q/")
    assert _topology(x=SERVICE | {"labels": labels}).entries["x"].tests == {"query": "/q/"}


def test_an_adopted_entry_decides_by_itself_how_many_workers_it_has_and_no_other_does() -> None:
    own = {"workers": "own", "pool": "own", "port": "9000"}
    entry = _topology(x=SERVICE | {"labels": _labels(origin="adopted", **own)}).entries["x"]
    assert (entry.port, entry.labels["workers"]) == (9000, "own")
    with pytest.raises(ConfigError) as told:
        _ = _topology(x=SERVICE | {"labels": _labels(**own)}).entries
    assert str(told.value).count("=own is no number from 1; mend it") == 2


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match=f"x: label benchlab.port={port} is no port; mend it"):
        _ = _topology(x=SERVICE | {"labels": _labels(port=port)}).entries


def test_every_problem_of_every_stanza_is_told_at_once() -> None:
    broken = {"labels": _labels(orm=None, tests="json jsn"), "profiles": ["entry"], "build": {"context": "."}}
    with pytest.raises(ConfigError) as told:
        _ = _topology(a=broken, b=SERVICE | {"labels": _labels(loop=None)}).entries
    assert str(told.value) == (
        "compose.yaml: a: image is missing; add it; a: label benchlab.orm is missing; add it; "
        "a: unknown test 'jsn' in benchlab.tests; use json plaintext db query cached-query fortune update; "
        "b: label benchlab.loop is missing; add it"
    )


def test_what_lacks_the_lab_s_label_is_told_among_the_other_problems() -> None:
    bare = {"image": "benchlab/db"}
    crax = SERVICE | {"labels": _labels(lab="true", orm=None)}
    networks: dict[str, Any] = {"default": {}, "outside": OURS, "inside": {"labels": ["benchlab.lab=yes"]}}
    lab = Topology(
        Path(), ("compose",), {}, "benchlab", {"crax": crax, "db": bare, "wrk": OURS, "base": {"image": "y"}}, networks
    )
    told = 'label benchlab.lab: "yes" is missing; add it, or the lab will not find what is its own'
    with pytest.raises(ConfigError) as error:
        _ = lab.entries
    assert str(error.value) == (
        f"compose.yaml: crax: label benchlab.orm is missing; add it; crax: {told}; db: {told}; network default: {told}"
    )


def test_the_network_that_compose_makes_without_being_asked_needs_the_label_too() -> None:
    with pytest.raises(ConfigError, match="network default: label benchlab"):
        _ = Topology(Path(), ("compose",), {}, "benchlab", {"wrk": OURS}).entries


def test_an_entry_may_be_left_out_where_none_is_named() -> None:
    lab = _topology(
        b=SERVICE | {"labels": _labels()},
        a=SERVICE | {"labels": _labels(default="yes")},
        c=SERVICE | {"labels": _labels(default="no")},
    )
    assert lab.usual == ["a", "b"]
    assert [entry.name for entry in lab.choose([])] == ["a", "b", "c"]
    with pytest.raises(ConfigError, match=r"x: label benchlab\.default=maybe: use yes or no"):
        _ = _topology(x=SERVICE | {"labels": _labels(default="maybe")}).entries


def test_an_interface_or_a_tag_that_there_cannot_be_is_named() -> None:
    wrong = _labels(interface="cgi", tags="popular A,b", threads="some")
    with pytest.raises(ConfigError) as raised:
        _ = _topology(x=SERVICE | {"labels": wrong}).entries
    assert str(raised.value) == (
        "compose.yaml: x: label benchlab.threads=some is no number from 1; mend it; "
        "x: label benchlab.interface=cgi: use asgi, wsgi, rsgi, own; "
        "x: label benchlab.tags: 'A,b' is no tag; use small letters, digits, '.' and '-'"
    )


def test_an_unknown_framework_is_named_with_the_nearest_and_all_others() -> None:
    lab = _topology(aiohttp=SERVICE | {"labels": _labels()}, crax=SERVICE | {"labels": _labels()})
    with pytest.raises(UsageError, match=re.escape("unknown framework crx: did you mean crax? there is aiohttp, crax")):
        lab.choose(["crx"])
    meant = "did you mean --framework crax --framework aiohttp? there is aiohttp, crax"
    with pytest.raises(UsageError, match=re.escape(f"unknown framework crax,aiohttp: {meant}")):
        lab.choose(["crax,aiohttp"])


@pytest.mark.parametrize(
    ("connections", "cpus", "shared"),
    [("32", 2, ("2", "16")), ("32", 1, ("1", "32")), ("32", 3, ("3", "10")), ("32", 64, ("64", "1"))],
)
def test_connections_are_shared_among_a_worker_per_cpu(
    tmp_path: Path, connections: str, cpus: int, shared: tuple[str, str]
) -> None:
    (tmp_path / ".env").write_text(f"# a comment\nLAB_DB_CONNECTIONS={connections}\n")
    workers, pool = shared
    expected = {"LAB_WORKERS": workers, "LAB_POOL_SIZE": pool, "LAB_DB_CONNECTIONS": connections}
    assert compose.resources(tmp_path, cpus) == expected
    (tmp_path / ".env").write_text("LAB_DB_CONNECTIONS=7\n")
    assert compose.resources(tmp_path, cpus, int(connections)) == expected


@pytest.mark.parametrize("connections", ["0", "1901", "many", ""])
def test_an_impossible_number_of_connections_is_refused(tmp_path: Path, connections: str) -> None:
    (tmp_path / ".env").write_text(f"LAB_DB_CONNECTIONS={connections}\n")
    with pytest.raises(ConfigError, match=f"LAB_DB_CONNECTIONS={connections}: use 1 to 1900"):
        compose.resources(tmp_path, 2)


def test_the_digest_of_an_image_follows_every_input(tmp_path: Path) -> None:
    def digest(base: str = "sha256:base", **arguments: str) -> str:
        lab = _topology(x={"build": {"context": str(tmp_path), "args": arguments}})
        return lab.inputs("x", base)

    (tmp_path / "app.py").write_text("1")
    first = digest()
    assert digest() == first
    assert digest(base="sha256:other") != first
    assert digest(http_proxy="p") != first
    (tmp_path / "app.py").write_text("2")
    assert digest() != first


def test_two_entries_with_one_image_name_are_refused_because_one_would_be_measured_as_the_other() -> None:
    twin = SERVICE | {"labels": _labels(), "build": {"context": "elsewhere"}}
    lab = _topology(crax=SERVICE | {"labels": _labels()}, mine=twin)
    with pytest.raises(ConfigError, match=f"crax, mine: all are called image {SERVICE['image']}"):
        _ = lab.entries


def test_a_path_of_a_test_that_does_not_exist_is_refused() -> None:
    lab = _topology(crax=SERVICE | {"labels": _labels(**{"path.jsn": "/j"})})
    with pytest.raises(ConfigError, match=r"label benchlab\.path\.jsn is of no test type"):
        _ = lab.entries


@pytest.mark.parametrize("quota", [{"cpus": 0.5}, {"cpu_quota": 50_000}])
def test_an_entry_with_a_quota_of_its_own_is_refused(quota: dict[str, float]) -> None:
    lab = _topology(crax=SERVICE | {"labels": _labels()} | quota)
    with pytest.raises(ConfigError, match=f"crax: {next(iter(quota))} is a quota, and every entry gets the same"):
        _ = lab.entries
