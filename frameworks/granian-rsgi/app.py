"""A bare RSGI application with Jinja2, over SQL by hand: no framework between it and granian."""

import asyncio
import json
import logging
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from typing import Any
from urllib.parse import parse_qs

import raw
from granian.rsgi import HTTPProtocol, Scope
from jinja2 import Environment, FileSystemLoader

JSON = [("content-type", "application/json")]
TEXT = [("content-type", "text/plain")]
HTML = [("content-type", "text/html; charset=utf-8")]

log = logging.getLogger(__name__)
templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")


class Application:
    database: raw.Database
    cache: dict[int, raw.Row]

    def __init__(self) -> None:
        self._handlers = {
            "/json": self.json,
            "/plaintext": self.plaintext,
            "/db": self.db,
            "/queries": self.queries,
            "/cached-queries": self.cached_queries,
            "/fortunes": self.fortunes,
            "/updates": self.updates,
        }

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the database, and fill the cache, while the worker starts."""
        self.database = loop.run_until_complete(raw.Database.open())
        self.cache = {row["id"]: row for row in loop.run_until_complete(self.database.all_rows())}
        log.info(
            "started: framework=%s loop=%s json=%s %s",
            HTTPProtocol.__module__,
            type(loop).__module__,
            json.dumps.__module__,
            self.database,
        )

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self.database.close())

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer a request: 503 where the database takes too long; any other failure of it is granian's 500."""
        handler = self._handlers.get(scope.path)
        if handler is None:
            protocol.response_str(404, TEXT, "Not Found")
            return
        try:
            await handler(scope, protocol)
        except raw.LATE:
            protocol.response_str(503, TEXT, "Service Unavailable")

    async def json(self, scope: Scope, protocol: HTTPProtocol) -> None:
        answer_json(protocol, {"message": "Hello, World!"})

    async def plaintext(self, scope: Scope, protocol: HTTPProtocol) -> None:
        protocol.response_str(200, TEXT, "Hello, World!")

    async def db(self, scope: Scope, protocol: HTTPProtocol) -> None:
        answer_json(protocol, await self.database.row(randint(1, 10000)))

    async def queries(self, scope: Scope, protocol: HTTPProtocol) -> None:
        ids = [randint(1, 10000) for _ in range(number_of_rows(scope, "queries"))]
        answer_json(protocol, await self.database.rows(ids))

    async def cached_queries(self, scope: Scope, protocol: HTTPProtocol) -> None:
        answer_json(protocol, [self.cache[randint(1, 10000)] for _ in range(number_of_rows(scope, "count"))])

    async def fortunes(self, scope: Scope, protocol: HTTPProtocol) -> None:
        rows = await self.database.fortunes()
        rows.append((0, "Additional fortune added at request time."))
        rows.sort(key=itemgetter(1))
        protocol.response_str(200, HTML, fortunes_page.render(fortunes=rows))

    async def updates(self, scope: Scope, protocol: HTTPProtocol) -> None:
        ids = sample(range(1, 10001), number_of_rows(scope, "queries"))
        answer_json(protocol, await self.database.updated(ids))


def answer_json(protocol: HTTPProtocol, value: Any) -> None:
    protocol.response_str(200, JSON, json.dumps(value))


def number_of_rows(scope: Scope, name: str) -> int:
    try:
        number = int(parse_qs(scope.query_string)[name][0])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


app = Application()
