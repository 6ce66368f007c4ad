"""How the lab's containers are started, with docker's own SDK before a daemon that only notes what it is asked."""

from __future__ import annotations

import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
from docker.models.containers import Container

from benchlab.engine import engine
from benchlab.engine.engine import Engine


class _Daemon:
    """Has one container in the state, and notes what is asked of it."""

    def __init__(self, state: str):
        self.done: list[str] = []
        self.api = SimpleNamespace(
            start=lambda _id: self.done.append("start"), unpause=self._unpause, stop=self._stop, timeout=60
        )
        self.containers = SimpleNamespace(list=self._list, get=self.get)
        self._state = state

    def _unpause(self, _id: str) -> None:
        self.done.append("unpause")

    def _stop(self, _id: str, timeout: int) -> None:
        self.done.append(f"stop in {timeout} s")

    def info(self) -> dict[str, str]:
        return {"SystemTime": "2026-11-29T22:00:00.5Z"}

    def get(self, _id: str) -> Container:
        state = {"Running": False, "ExitCode": 137, "FinishedAt": "2026-11-29T22:00:05.6Z"}
        return Container(attrs={"Id": "1", "State": state}, client=cast(Any, self))

    def _list(self, **_filters: Any) -> list[Container]:
        attrs = {"Id": "1", "State": self._state}
        return [Container(attrs=attrs, client=cast(Any, self), collection=cast(Any, self.containers))]


@pytest.mark.parametrize(
    ("state", "done"), [("created", "start"), ("exited", "start"), ("running", "start"), ("paused", "unpause")]
)
def test_a_paused_container_goes_on_where_another_is_started(state: str, done: str) -> None:
    daemon = _Daemon(state)
    client = cast(docker.DockerClient, daemon)
    Engine(client, client, "lab").start("db")
    assert daemon.done == [done]


def test_a_stop_tells_of_a_container_that_had_to_be_killed() -> None:
    daemon = _Daemon("running")
    client = cast(docker.DockerClient, daemon)
    assert Engine(client, client, "lab").stop("crax") == "did not end when asked to and was killed after 5 s"
    assert daemon.done == ["stop in 5 s"]


def test_what_a_command_prints_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SILENCE_S", 0.05)
    ours, others = socket.socketpair()
    with ours, others:
        others.sendall(struct.pack(">BxxxL", 1, 5) + b"hello")
        frames = engine._frames(ours)
        assert next(frames) == (1, b"hello")
        with pytest.raises(TimeoutError, match=r"nothing came for 0\.05 s"):
            next(frames)


def test_what_a_command_printed_ends_with_its_connection() -> None:
    ours, others = socket.socketpair()
    with ours:
        others.sendall(struct.pack(">BxxxL", 2, 2) + b"no")
        others.close()
        assert list(engine._frames(ours)) == [(2, b"no")]


def _over_tls(ours: socket.socket, others: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Return both ends of the connection, encrypted but without certificates."""

    def context(protocol: int) -> ssl.SSLContext:
        made = ssl.SSLContext(protocol)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        # Later versions have no ciphers without certificates.
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers("aNULL:@SECLEVEL=0")
        return made

    with ThreadPoolExecutor() as pool:
        server = pool.submit(context(ssl.PROTOCOL_TLS_SERVER).wrap_socket, others, server_side=True)
        return context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(ours), server.result()


def test_what_tls_has_read_ahead_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SILENCE_S", 5)
    ours, others = _over_tls(*socket.socketpair())
    with ours, others:
        # One record of TLS, which is read from the socket with the first byte of it.
        others.sendall(b"".join(struct.pack(">BxxxL", 1, 3) + word for word in (b"one", b"two")))
        frames = engine._frames(ours)
        assert [next(frames), next(frames)] == [(1, b"one"), (1, b"two")]
