"""aiohttp with Jinja2, over the data layer that DATA_LAYER names: orm or raw."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader
from ujson import dumps

# Only the one that is used: the other's library would lie in memory for nothing.
layer = import_module(os.environ["DATA_LAYER"])

Handler = Callable[[web.Request], Awaitable[web.Response]]
DATABASE: web.AppKey[Any] = web.AppKey("database", layer.Database)
CACHE: web.AppKey[dict[int, dict[str, int]]] = web.AppKey("cache", dict)

log = logging.getLogger("gunicorn.error")
templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")


def reads_database(handler: Handler) -> Handler:
    """Answer 503 where the database takes too long; aiohttp would answer 504 itself, as if it were a gateway."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except layer.LATE as error:
            raise web.HTTPServiceUnavailable from error

    return guarded


async def json(request: web.Request) -> web.Response:
    return web.json_response({"message": "Hello, World!"}, dumps=dumps)


async def plaintext(request: web.Request) -> web.Response:
    return web.Response(body=b"Hello, World!", content_type="text/plain")


@reads_database
async def db(request: web.Request) -> web.Response:
    return web.json_response(await request.app[DATABASE].row(randint(1, 10000)), dumps=dumps)


@reads_database
async def queries(request: web.Request) -> web.Response:
    ids = [randint(1, 10000) for _ in range(number_of_rows(request, "queries"))]
    return web.json_response(await request.app[DATABASE].rows(ids), dumps=dumps)


async def cached_queries(request: web.Request) -> web.Response:
    cache = request.app[CACHE]
    worlds = [cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))]
    return web.json_response(worlds, dumps=dumps)


@reads_database
async def fortunes(request: web.Request) -> web.Response:
    found = await request.app[DATABASE].fortunes()
    found.append((0, "Additional fortune added at request time."))
    found.sort(key=itemgetter(1))
    return web.Response(text=fortunes_page.render(fortunes=found), content_type="text/html")


@reads_database
async def updates(request: web.Request) -> web.Response:
    ids = sample(range(1, 10001), number_of_rows(request, "queries"))
    return web.json_response(await request.app[DATABASE].updated(ids), dumps=dumps)


def number_of_rows(request: web.Request, name: str) -> int:
    try:
        number = int(request.query[name])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


async def database(app: web.Application):
    opened = await layer.Database.open()
    app[DATABASE] = opened
    app[CACHE] = {row["id"]: row for row in await opened.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        dumps.__module__,
        opened,
    )
    yield
    await opened.close()


ROUTES = (
    web.get("/json", json),
    web.get("/plaintext", plaintext),
    web.get("/db", db),
    web.get("/queries", queries),
    web.get("/cached-queries", cached_queries),
    web.get("/fortunes", fortunes),
    web.get("/updates", updates),
)


async def app() -> web.Application:
    application = web.Application()
    application.add_routes(ROUTES)
    application.cleanup_ctx.append(database)
    return application
