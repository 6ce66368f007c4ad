"""rounds.py as it runs in the wrk container: a process that ends with its lab, whatever it waits for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rounds

FOREVER_S = 3600


@contextmanager
def _running(load: dict[str, object], *, checked: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run rounds.py with one slice, for the length of the with block."""
    common: dict[str, object] = {"entry": "crax", "threads": 2, "connections": 2, "depth": 1, "window_s": FOREVER_S}
    job = {
        "loads": {"crax": common | {"ramp_s": FOREVER_S, "check": None} | load},
        "containers": {"crax": {}},
        "cpus": None,
        "slices": [{"load": "crax", "round": 1, "checked": checked}],
    }
    program = [sys.executable, rounds.__file__]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.timeout(60)
def test_a_load_ends_with_its_lab(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    with _running({"command": ["sh", "-c", f"exec sleep {FOREVER_S} > {alive}"]}, checked=False) as process:
        # The other end is open for as long as the load is there.
        with alive.open("rb") as load:
            _hang_up(process)
            assert load.read() == b""
        assert process.wait() == 1


@pytest.mark.timeout(60)
def test_a_request_that_nobody_answers_ends_with_its_lab() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        host, port = deaf.getsockname()
        check: dict[str, Any] = {"host": host, "port": port, "path": "/", "accept": "*/*", "timeout_s": FOREVER_S}
        with _running({"command": ["true"], "check": check}, checked=True) as process:
            connection, _ = deaf.accept()
            with connection:
                _hang_up(process)
                assert process.wait() == 1


@pytest.mark.parametrize(
    ("before", "after", "grown_us"),
    [
        ([5, 10], [6, 30], 21),
        ([], [], 0),
        ([5, None], [6, None], 1),
        ([5, 10], [6, None], None),
        (None, [6, 30], None),
    ],
)
def test_what_idle_entries_used_is_known_unless_one_ended_meanwhile(
    before: list[int | None] | None, after: list[int | None] | None, grown_us: int | None
) -> None:
    assert rounds.grown_us(before, after) == grown_us
