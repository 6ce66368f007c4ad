"""Falcon's ASGI application with Jinja2, over SQL by hand."""

import asyncio
import logging
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from typing import Any

import falcon
import falcon.media.json
import raw
from falcon.asgi import App, Request, Response
from jinja2 import Environment, FileSystemLoader

log = logging.getLogger(__name__)
templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")


class Tables:
    """The database and the cache, which the resources share; as middleware it opens and closes them with the worker."""

    database: raw.Database
    cache: dict[int, raw.Row]

    async def process_startup(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        self.database = await raw.Database.open()
        self.cache = {row["id"]: row for row in await self.database.all_rows()}
        log.info(
            "started: framework=%s loop=%s json=%s %s",
            type(app).__module__,
            type(asyncio.get_running_loop()).__module__,
            falcon.media.json.json.__name__,
            self.database,
        )

    async def process_shutdown(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        await self.database.close()


class Hello:
    async def on_get_json(self, request: Request, response: Response) -> None:
        response.media = {"message": "Hello, World!"}

    async def on_get_plaintext(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = "Hello, World!"


class Worlds:
    def __init__(self, tables: Tables):
        self._tables = tables

    async def on_get_row(self, request: Request, response: Response) -> None:
        response.media = await self._tables.database.row(randint(1, 10000))

    async def on_get_rows(self, request: Request, response: Response) -> None:
        ids = [randint(1, 10000) for _ in range(number_of_rows(request, "queries"))]
        response.media = await self._tables.database.rows(ids)

    async def on_get_cached(self, request: Request, response: Response) -> None:
        cache = self._tables.cache
        response.media = [cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))]

    async def on_get_updated(self, request: Request, response: Response) -> None:
        ids = sample(range(1, 10001), number_of_rows(request, "queries"))
        response.media = await self._tables.database.updated(ids)


class Fortunes:
    def __init__(self, tables: Tables):
        self._tables = tables

    async def on_get(self, request: Request, response: Response) -> None:
        rows = await self._tables.database.fortunes()
        rows.append((0, "Additional fortune added at request time."))
        rows.sort(key=itemgetter(1))
        response.content_type = falcon.MEDIA_HTML
        response.text = fortunes_page.render(fortunes=rows)


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.get_param(name, default="1"))
    except ValueError:
        return 1
    return min(max(number, 1), 500)


async def unavailable(request: Request, response: Response, error: Exception, params: dict[str, Any]) -> None:
    """Answer for a database that takes too long; any other failure of it is Falcon's 500."""
    raise falcon.HTTPServiceUnavailable


tables = Tables()
hello, worlds = Hello(), Worlds(tables)
app = App(middleware=tables)
app.add_route("/json", hello, suffix="json")
app.add_route("/plaintext", hello, suffix="plaintext")
app.add_route("/db", worlds, suffix="row")
app.add_route("/queries", worlds, suffix="rows")
app.add_route("/cached-queries", worlds, suffix="cached")
app.add_route("/fortunes", Fortunes(tables))
app.add_route("/updates", worlds, suffix="updated")
app.add_error_handler(raw.LATE, unavailable)
