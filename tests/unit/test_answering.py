"""What looks at answers beside a load, against a real server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import answering
import pytest


class Server(ThreadingHTTPServer):
    """Answers with how many requests it has had; `deaf` ends each connection without an answer."""

    deaf = False
    requests = 0
    third = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.server.requests == 3:
            self.server.third.set()
        if self.server.deaf:
            self.close_connection = True
            return
        body = str(self.server.requests).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.third = threading.Event()
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def _job(server: Server) -> dict[str, object]:
    host, port = server.server_address[:2]
    return {"host": host, "port": port, "path": "/json", "accept": "application/json", "timeout_s": 5}


def test_answers_come_from_before_from_under_and_from_after_the_load(server: Server) -> None:
    with answering.Checker(_job(server)) as checker:
        assert [answer["status"] for answer in checker.answers] == [200]
        assert server.third.wait(timeout=30)
    assert len(checker.answers) == server.requests >= 4
    bodies = [base64.b64decode(answer["body"]) for answer in checker.answers]
    assert bodies == [str(number).encode() for number in range(1, server.requests + 1)]


def test_after_an_answer_that_did_not_come_no_other_is_asked_for(server: Server) -> None:
    server.deaf = True
    with answering.Checker(_job(server)) as checker:
        pass
    (answer,) = checker.answers
    assert "RemoteDisconnected" in answer["error"]
    assert server.requests == 1


def test_without_a_job_nothing_is_asked() -> None:
    with answering.Checker(None) as checker:
        pass
    assert checker.answers == []
