"""An HTTP server of nothing but asyncio: a process for each CPU, all on one port."""

import argparse
import asyncio
import json
import os
from email.utils import formatdate

date = b""


def answer(request):
    """Return the answer to one request's head."""
    path = request.split(b" ", 2)[1]
    if path == b"/json":
        return response(b"200 OK", b"application/json", json.dumps({"message": "Hello, World!"}).encode())
    if path == b"/plaintext":
        return response(b"200 OK", b"text/plain", b"Hello, World!")
    return response(b"404 Not Found", b"text/plain", b"no such page")


def response(status, kind, body):
    return b"HTTP/1.1 %b\r\nServer: rill\r\nDate: %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        date,
        kind,
        len(body),
        body,
    )


class Connection(asyncio.Protocol):
    """Answers whatever requests have come as a whole; what is left of one waits for the rest."""

    def connection_made(self, transport):
        self.transport, self.left = transport, b""

    def data_received(self, data):
        *requests, self.left = (self.left + data).split(b"\r\n\r\n")
        self.transport.write(b"".join(map(answer, requests)))


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Connection, "0.0.0.0", port, backlog=4096, reuse_port=True)
    async with server:
        while True:
            global date
            date = formatdate(usegmt=True).encode()
            await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    for _ in range(len(os.sched_getaffinity(0)) - 1):
        if os.fork() == 0:
            break
    asyncio.run(serve(port))
