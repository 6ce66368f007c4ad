"""Tornado on its own server, with its own templates, over SQL by hand."""

import asyncio
import logging
import os
import resource
import socket
from operator import itemgetter
from random import randint, sample
from typing import Any

import raw
import tornado.escape
import uvloop
from tornado.escape import json_encode
from tornado.httpserver import HTTPServer
from tornado.log import access_log, app_log, enable_pretty_logging
from tornado.netutil import bind_sockets
from tornado.process import fork_processes
from tornado.web import Application, HTTPError, RequestHandler

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


class Handler(RequestHandler):
    """What the handlers of this application have in common."""

    def number_of_rows(self, name: str) -> int:
        try:
            number = int(self.get_query_argument(name, "1"))
        except ValueError:
            return 1
        return min(max(number, 1), 500)

    def write_json(self, value: Any) -> None:
        """Tornado's `write` makes JSON of a dict by itself, and refuses lists."""
        self.set_header("Content-Type", "application/json")
        self.write(json_encode(value))


class Json(Handler):
    def get(self) -> None:
        self.write_json({"message": "Hello, World!"})


class Plaintext(Handler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write("Hello, World!")


class CachedQueries(Handler):
    def get(self) -> None:
        cache = self.settings["cache"]
        self.write_json([cache[randint(1, 10000)] for _ in range(self.number_of_rows("count"))])


class DatabaseHandler(Handler):
    """Answers 503 where the database takes too long; any other failure of it is Tornado's 500."""

    async def get(self) -> None:
        try:
            await self.answer(self.settings["database"])
        except raw.LATE as error:
            raise HTTPError(503) from error

    async def answer(self, database: raw.Database) -> None:
        raise NotImplementedError


class Db(DatabaseHandler):
    async def answer(self, database: raw.Database) -> None:
        self.write_json(await database.row(randint(1, 10000)))


class Queries(DatabaseHandler):
    async def answer(self, database: raw.Database) -> None:
        ids = [randint(1, 10000) for _ in range(self.number_of_rows("queries"))]
        self.write_json(await database.rows(ids))


class Fortunes(DatabaseHandler):
    async def answer(self, database: raw.Database) -> None:
        rows = await database.fortunes()
        rows.append((0, "Additional fortune added at request time."))
        rows.sort(key=itemgetter(1))
        await self.render("fortunes.html", fortunes=rows)


class Updates(DatabaseHandler):
    async def answer(self, database: raw.Database) -> None:
        ids = sample(range(1, 10001), self.number_of_rows("queries"))
        self.write_json(await database.updated(ids))


ROUTES = [
    ("/json", Json),
    ("/plaintext", Plaintext),
    ("/db", Db),
    ("/queries", Queries),
    ("/cached-queries", CachedQueries),
    ("/fortunes", Fortunes),
    ("/updates", Updates),
]


async def serve(sockets: list[socket.socket]) -> None:
    """Open the database and fill the cache, then answer until the process ends."""
    database = await raw.Database.open()
    cache = {row["id"]: row for row in await database.all_rows()}
    application = Application(ROUTES, database=database, cache=cache)
    app_log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(application).__module__,
        type(asyncio.get_running_loop()).__module__,
        tornado.escape.json.__name__,
        database,
    )
    server = HTTPServer(application, idle_connection_timeout=620)  # s
    server.add_sockets(sockets)
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    enable_pretty_logging()
    access_log.setLevel(logging.WARNING)
    listening = bind_sockets(8080, "0.0.0.0", backlog=2048)
    fork_processes(int(os.environ["WEB_CONCURRENCY"]))
    asyncio.run(serve(listening), loop_factory=LOOPS[os.environ.get("LOOP", "uvloop")])
