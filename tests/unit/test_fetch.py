"""fetch.py as the lab runs it in the wrk container, on a server of this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FETCH = Path(__file__).parents[2] / "wrk/fetch.py"


def _fetch(port: int, *paths: str) -> Any:
    job = {"host": "127.0.0.1", "port": port, "accept": "*/*", "timeout_s": 0.2, "patience_s": 0, "paths": paths}
    return json.loads(subprocess.run([sys.executable, FETCH, json.dumps(job)], capture_output=True, check=True).stdout)


@pytest.mark.timeout(60)
def test_after_a_path_that_gets_no_answer_the_others_are_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answers = _fetch(silent.getsockname()[1], "/a", "/b", "/c")
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(10)
            assert connection.recv(65536).startswith(b"GET /a HTTP/1.1\r\n")
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert answers == [
        {"path": "/a", "error": "TimeoutError: timed out"},
        {"path": "/b", "error": "not asked: /a got no answer"},
        {"path": "/c", "error": "not asked: /a got no answer"},
    ]
