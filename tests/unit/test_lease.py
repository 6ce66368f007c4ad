"""The lease of an engine, held over the SDK's real connection to a fake of the engine's socket."""

from __future__ import annotations

import gc
from pathlib import Path

import docker
import pytest

from benchlab.core.errors import EngineError
from benchlab.engine import lease
from benchlab.engine.engine import LEASE, Engine

from . import fake_daemon


@pytest.mark.filterwarnings("error")
def test_the_lease_s_connection_ends_with_the_with_block_and_nothing_is_left_to_complain_of(tmp_path: Path) -> None:
    with fake_daemon.serving(tmp_path / "docker.sock") as daemon:
        client = docker.DockerClient(base_url=daemon.address, version="1.44")
        with lease.held(Engine(client, client, "lab"), "debian") as held:
            assert held.id == "made"
            assert not daemon.ended.is_set()
        client.close()
        # What is only collected, not closed, complains here.
        gc.collect()
    assert daemon.hung_up
    assert daemon.asked[-1] == "DELETE /v1.44/containers/made"


def _lease(status: str, second: int) -> dict[str, object]:
    """Return a lease that another lab made in that second of the engine's present minute."""
    labels = {lease.HOLDER_LABEL: "started 21:59 UTC on elsewhere"}
    created = f"2026-11-29T22:00:{second:02}Z"
    return {"Id": "other", "State": {"Status": status}, "Created": created, "Config": {"Labels": labels}}


@pytest.mark.parametrize(("status", "second"), [("running", 0), ("running", 29), ("created", 29)])
def test_a_lease_that_runs_or_is_about_to_is_another_lab_s_and_is_named_with_its_holder(
    tmp_path: Path, status: str, second: int
) -> None:
    with fake_daemon.serving(tmp_path / "docker.sock") as daemon:
        daemon.named[LEASE] = _lease(status, second)
        client = docker.DockerClient(base_url=daemon.address, version="1.44")
        with pytest.raises(
            EngineError, match=r"another lab is at work on this engine \(started 21:59 UTC on elsewhere\)"
        ):
            lease.refuse_if_held(Engine(client, client, "lab"))
        client.close()
    assert not any(asked.startswith("DELETE") for asked in daemon.asked)


@pytest.mark.parametrize(("status", "second"), [("exited", 29), ("created", 10)])
def test_a_lease_that_nobody_holds_any_more_is_cleared(tmp_path: Path, status: str, second: int) -> None:
    with fake_daemon.serving(tmp_path / "docker.sock") as daemon:
        daemon.named[LEASE] = _lease(status, second)
        client = docker.DockerClient(base_url=daemon.address, version="1.44")
        lease.refuse_if_held(Engine(client, client, "lab"))
        client.close()
    assert daemon.asked[-1] == "DELETE /v1.44/containers/other"


@pytest.mark.parametrize(
    ("named", "is_lost", "is_another_s"),
    [
        ({}, True, False),
        ({LEASE: _lease("running", 0)}, True, True),
        ({LEASE: {**_lease("running", 0), "Id": "made"}}, False, False),
        ({LEASE: {**_lease("exited", 0), "Id": "made"}}, True, False),
    ],
)
def test_a_lease_is_lost_where_its_container_ended_or_is_another(
    tmp_path: Path, named: dict[str, dict[str, object]], is_lost: bool, is_another_s: bool
) -> None:
    with fake_daemon.serving(tmp_path / "docker.sock") as daemon:
        daemon.named |= named
        client = docker.DockerClient(base_url=daemon.address, version="1.44")
        held = lease.Lease(Engine(client, client, "lab"), "made")
        if is_lost:
            with pytest.raises(EngineError, match="this lab's lease of the engine is lost"):
                held.check()
        else:
            held.check()
        assert held.is_another_s() == is_another_s
        client.close()
