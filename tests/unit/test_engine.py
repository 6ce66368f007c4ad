"""How the lab's containers are started, with docker's own SDK before a daemon that only notes what it is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
from docker.models.containers import Container

from benchlab.machine.engine import Engine


class _Daemon:
    """Has one container in the state, and notes what is asked of it."""

    def __init__(self, state: str):
        self.done: list[str] = []
        self.api = SimpleNamespace(start=lambda _id: self.done.append("start"), unpause=self._unpause)
        self.containers = SimpleNamespace(list=self._list)
        self._state = state

    def _unpause(self, _id: str) -> None:
        self.done.append("unpause")

    def _list(self, **_filters: Any) -> list[Container]:
        return [Container(attrs={"Id": "1", "State": self._state}, client=cast(Any, self))]


@pytest.mark.parametrize(
    ("state", "done"), [("created", "start"), ("exited", "start"), ("running", "start"), ("paused", "unpause")]
)
def test_a_paused_container_goes_on_where_another_is_started(state: str, done: str) -> None:
    daemon = _Daemon(state)
    client = cast(docker.DockerClient, daemon)
    Engine(client, client, "lab").start("db")
    assert daemon.done == [done]
