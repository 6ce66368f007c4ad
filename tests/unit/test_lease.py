"""The lease of an engine, held over the SDK's real connection to a fake of the engine's socket."""

from __future__ import annotations

import gc
from pathlib import Path

import docker
import pytest

from benchlab.engine import lease
from benchlab.engine.engine import Engine

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
