"""What containers may do: the same whether Compose makes them or the lab itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.types import LogConfig

from benchlab.engine import sandbox

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "compose.yaml").read_text(encoding="utf-8"))
EVERY = COMPOSE["x-container"]


def test_a_container_of_the_lab_s_own_has_no_more_rights_than_those_of_compose() -> None:
    assert {key: EVERY.get(key) for key in sandbox.NO_RIGHTS} == sandbox.NO_RIGHTS


def test_a_container_of_the_lab_s_own_has_the_label_of_those_of_compose() -> None:
    ours = {sandbox.LAB_LABEL: sandbox.LAB_VALUE}
    assert sandbox.labels("benchlab").items() >= ours.items()
    assert (EVERY["labels"], COMPOSE["networks"]["default"]["labels"]) == (ours, ours)


def test_logs_of_either_are_bounded_in_the_same_way() -> None:
    log, composed = LogConfig(**sandbox.LOG), EVERY["logging"]
    assert (log.type, log.config.keys()) == (composed["driver"], composed["options"].keys())


def test_neither_reaches_the_outside_world() -> None:
    assert COMPOSE["networks"]["default"]["internal"]
    assert sandbox.options("benchlab")["network_mode"] == "none"


@pytest.mark.parametrize("service", [name for name in COMPOSE["services"] if not name.startswith("base")])
def test_no_service_takes_back_what_every_container_is_denied(service: str) -> None:
    stanza = COMPOSE["services"][service]
    denied = {key: value for key, value in sandbox.NO_RIGHTS.items() if key != "user"}
    assert {key: stanza.get(key) for key in denied} == denied
    assert stanza["user"].partition(":")[0] not in ("root", "0")
    assert not {"privileged", "cap_add", "devices", "pid", "ports"} & stanza.keys()
