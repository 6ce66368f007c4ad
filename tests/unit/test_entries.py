"""What entries that are compared must have in common, and that they are crossed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchlab.statistics.factorial import comparable, cross

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [path.parent for path in sorted(ROOT.glob("frameworks/*/Dockerfile"))]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return {name: service for name, service in found.items() if service.get("profiles") == ["entry"]}


def _labels(service: dict[str, Any]) -> dict[str, str]:
    return {name.removeprefix("benchlab."): value for name, value in service["labels"].items()}


@pytest.mark.parametrize("name", ["orm.py", "raw.py", "fortunes.html", "gunicorn.conf.py", "serve.py"])
def test_frameworks_that_are_compared_share_data_layers_page_and_server_settings(name: str) -> None:
    first, *others = ((folder / name).read_text() for folder in FOLDERS if (folder / name).exists())
    assert others == [first] * len(others) != []


@pytest.mark.parametrize(
    "package", ["asyncpg", "greenlet", "gunicorn", "httptools", "jinja2", "sqlalchemy", "uvicorn", "uvloop"]
)
def test_frameworks_that_are_compared_have_their_libraries_in_one_version(package: str) -> None:
    texts = [(folder / "requirements.txt").read_text() for folder in FOLDERS]
    first, *others = (version for text in texts for version in re.findall(rf"^{package}==\S+", text, re.M))
    assert others == [first] * len(others) != []


def test_framework_and_data_layer_are_crossed_whole(services: dict[str, dict[str, Any]]) -> None:
    labels = {name: _labels(service) for name, service in services.items()}
    usual = [name for name, said in labels.items() if said.get("default") != "no"]
    chosen = comparable(labels, usual, [])
    assert (usual, chosen) == (["aiohttp", "crax"], ["aiohttp", "aiohttp-raw", "crax", "crax-orm"])
    assert cross({name: labels[name] for name in chosen}).missing == []
    assert comparable(labels, usual, ["server"]) == ["crax", "crax-uvicorn"]


def test_the_data_layer_that_a_label_tells_of_is_the_one_that_the_entry_gets(
    services: dict[str, dict[str, Any]],
) -> None:
    layers = {"full": "orm", "raw": "raw"}
    told = {name: service["environment"].get("DATA_LAYER") for name, service in services.items()}
    chosen = {name: layer for name, layer in told.items() if layer}
    assert len(chosen) > 1
    assert chosen == {name: layers[_labels(services[name])["orm"]] for name in chosen}
