"""fetch.py and burst.py as the lab runs them in the wrk container, on a server of this machine."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WRK = Path(__file__).parents[2] / "wrk"
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nhi"


class Server(socketserver.ThreadingTCPServer):
    """Answers request number n, from 1, with what `answer` makes of it, and then closes where that says so."""

    daemon_threads = True
    requests = 0

    def __init__(self, answer: Callable[[int], tuple[bytes, bool]]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.lock = answer, threading.Lock()

    def number(self) -> int:
        with self.lock:
            self.requests += 1
            return self.requests


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            answer, closes = self.server.answer(self.server.number())
            self.wfile.write(answer)
            if closes:
                return


@contextmanager
def _serving(answer: Callable[[int], tuple[bytes, bool]]) -> Iterator[Server]:
    with Server(answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _run(script: str, port: int, **job: object) -> Any:
    whole = json.dumps({"host": "127.0.0.1", "port": port, **job})
    return json.loads(subprocess.run([sys.executable, WRK / script, whole], capture_output=True, check=True).stdout)


def _fetch(port: int, *paths: str, date: str | None = None, timeout_s: float = 30, patience_s: float = 0) -> Any:
    return _fetch_groups(port, [paths], date, timeout_s, patience_s)[0]


def _fetch_groups(
    port: int, groups: Sequence[Sequence[str]], date: str | None = None, timeout_s: float = 30, patience_s: float = 0
) -> Any:
    requests = [[{"path": path, "accept": "*/*", "date": date} for path in paths] for paths in groups]
    return _run("fetch.py", port, groups=requests, timeout_s=timeout_s, patience_s=patience_s)


def _burst(port: int, requests: int, shown: int) -> Any:
    return _run("burst.py", port, path="/", accept="*/*", requests=requests, connections=4, shown=shown, timeout_s=30)


@pytest.mark.timeout(60)
def test_after_a_path_that_gets_no_answer_the_others_are_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answers = _fetch(silent.getsockname()[1], "/a", "/b", "/c", timeout_s=0.2)
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


@pytest.mark.timeout(60)
def test_what_gets_no_answer_keeps_no_other_group_from_being_asked_and_a_group_has_a_connection_of_its_own() -> None:
    cut = KEPT.replace(b"Length: 2", b"Length: 20")
    with _serving(lambda number: (cut if number == 1 else KEPT, True)) as server:
        first, second = _fetch_groups(server.server_address[1], [["/a", "/b"], ["/c"]])
    assert [found["error"].partition(":")[0] for found in first] == ["IncompleteRead", "not asked"]
    assert [(found["body"], found["reopened"]) for found in second] == [("aGk=", False)]


@pytest.mark.parametrize(
    ("answer", "closes", "expected"),
    [
        (KEPT, False, {(11, False, False)}),
        (KEPT.replace(b"Date", b"Connection: close\r\nDate"), True, {(11, True, False)}),
        (b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\nhi", True, {(11, True, False)}),
        (KEPT.replace(b"1.1", b"1.0"), True, {(10, True, False)}),
        (KEPT.replace(b"1.1", b"1.0").replace(b"Date", b"Connection: keep-alive\r\nDate"), False, {(10, False, False)}),
        # The first answer's connection was new.
        (KEPT, True, {(11, False, False), (11, False, True)}),
    ],
)
def test_how_a_connection_fares_is_told(answer: bytes, closes: bool, expected: set[tuple[int, bool, bool]]) -> None:
    with _serving(lambda number: (answer, closes)) as server:
        answers = _fetch(server.server_address[1], "/a", "/b", "/c")
    assert {(found["version"], found["closing"], found["reopened"]) for found in answers} == expected
    assert {found["body"] for found in answers} == {"aGk="}
    assert server.requests == 3


def test_a_chunk_that_is_cut_off_is_no_answer() -> None:
    cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\n\r\n2\r\nhi\r\n"
    with _serving(lambda number: (cut, True)) as server:
        (answer,) = _fetch(server.server_address[1], "/a")
    assert answer["error"].startswith("IncompleteRead")


def test_an_answer_with_the_date_that_is_known_is_asked_for_again_until_it_comes_with_another() -> None:
    with _serving(lambda number: (KEPT if number < 5 else KEPT.replace(b"now", b"later"), False)) as server:
        answers = _fetch(server.server_address[1], "/a", date="now", patience_s=60)
    assert ["Date", "later"] in answers[0]["headers"]
    assert server.requests == 5


def test_where_patience_is_at_its_end_the_answer_is_the_last_that_came() -> None:
    with _serving(lambda number: (KEPT, False)) as server:
        answers = _fetch(server.server_address[1], "/a", date="now", patience_s=0)
    assert ["Date", "now"] in answers[0]["headers"]
    assert server.requests == 1


def test_a_burst_sends_as_many_requests_as_it_is_told_and_shows_some_of_the_answers() -> None:
    with _serving(lambda number: (KEPT, False)) as server:
        found = _burst(server.server_address[1], requests=100, shown=10)
    assert server.requests == 100
    assert (found["right"], len(found["answers"])) == (100, 10)


def test_what_is_no_200_in_a_burst_is_shown_first() -> None:
    with _serving(lambda number: (KEPT.replace(b"200", b"302") if number == 50 else KEPT, False)) as server:
        found = _burst(server.server_address[1], requests=100, shown=10)
    assert found["right"] == 99
    assert [answer["status"] for answer in found["answers"]] == [302] + [200] * 9


def test_a_burst_that_meets_a_request_without_an_answer_sends_no_more() -> None:
    with _serving(lambda number: (b"", True) if number >= 20 else (KEPT, False)) as server:
        found = _burst(server.server_address[1], requests=10_000, shown=10)
    assert found["right"] < 100
    assert "RemoteDisconnected" in found["answers"][0]["error"]
    assert server.requests < 100
