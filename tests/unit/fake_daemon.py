"""An engine as far as its socket: answers docker's own SDK over HTTP, and notes what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

# More than any of the events takes that are waited for; it passes only where one does not come.
PATIENCE_S = 10
# The time by its clock.
NOW = "2026-11-29T22:00:30Z"


class FakeDaemon(ThreadingMixIn, UnixStreamServer):
    """Makes one container, shows it, attaches to it, starts and removes it; `named` are those that it has besides.

    `asked` has each request's method and path in order; `hung_up` is whether the attached connection had ended when the
    container was removed.
    """

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.address = f"unix://{path}"
        self.asked: list[str] = []
        self.named: dict[str, dict[str, object]] = {}
        self.ended = threading.Event()
        self.hung_up: bool | None = None


@contextmanager
def serving(path: Path) -> Iterator[FakeDaemon]:
    """Serve on a socket of that path for the length of the with block."""
    with FakeDaemon(path) as daemon:
        threading.Thread(target=daemon.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield daemon
        finally:
            daemon.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeDaemon

    def handle_one_request(self) -> None:
        # A peer on a Unix socket has no address, which the log would ask for.
        self.client_address = ("client", 0)
        super().handle_one_request()

    def do_GET(self) -> None:
        self._note()
        containers = {"made": {"Id": "made"}, **self.server.named}
        place = self.path.split("?")[0].split("/")[2:]
        if place == ["info"]:
            self._answer(200, {"SystemTime": NOW})
        elif place[0] == "containers" and place[1] in containers:
            self._answer(200, containers[place[1]])
        else:
            self._answer(404, {"message": "No such container"})

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.split("?")[0].endswith("/attach"):
            self._hold()
        elif self.path.split("?")[0].endswith("/create"):
            self._answer(201, {"Id": "made"})
        else:
            self._answer(204, None)

    def do_DELETE(self) -> None:
        self._note()
        if self.path.split("?")[0].endswith("/made"):
            self.server.hung_up = self.server.ended.wait(PATIENCE_S)
        self._answer(204, None)

    def _hold(self) -> None:
        """Stay attached until the other end hangs up."""
        self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        self.connection.settimeout(2 * PATIENCE_S)
        try:
            while self.connection.recv(1):
                pass
        except (TimeoutError, OSError):
            pass
        self.server.ended.set()
        self.close_connection = True

    def _answer(self, status: int, content: object) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _note(self) -> None:
        self.server.asked.append(f"{self.command} {self.path.split('?')[0]}")

    def log_message(self, format: str, *args: object) -> None:
        pass
