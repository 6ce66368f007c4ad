"""Sanic on its own server, with Jinja2, over SQL by hand."""

import asyncio
import os
import resource
from email.utils import formatdate
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from time import time

import raw
from jinja2 import Environment, FileSystemLoader
from sanic import HTTPResponse, Request, Sanic
from sanic.helpers import json_dumps
from sanic.log import logger as log
from sanic.response import html, json, text

USES_UVLOOP = {"uvloop": True, "asyncio": False}

app = Sanic("benchmark")
app.config.USE_UVLOOP = USES_UVLOOP[os.environ.get("LOOP", "uvloop")]
app.config.KEEP_ALIVE_TIMEOUT = 620  # s
app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1  # s

templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")


@app.get("/json")
async def hello(request: Request) -> HTTPResponse:
    return json({"message": "Hello, World!"})


@app.get("/plaintext")
async def plaintext(request: Request) -> HTTPResponse:
    return text("Hello, World!")


@app.get("/db")
async def db(request: Request) -> HTTPResponse:
    return json(await app.ctx.database.row(randint(1, 10000)))


@app.get("/queries")
async def queries(request: Request) -> HTTPResponse:
    ids = [randint(1, 10000) for _ in range(number_of_rows(request, "queries"))]
    return json(await app.ctx.database.rows(ids))


@app.get("/cached-queries")
async def cached_queries(request: Request) -> HTTPResponse:
    cache = app.ctx.cache
    return json([cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))])


@app.get("/fortunes")
async def fortunes(request: Request) -> HTTPResponse:
    rows = await app.ctx.database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    return html(fortunes_page.render(fortunes=rows))


@app.get("/updates")
async def updates(request: Request) -> HTTPResponse:
    ids = sample(range(1, 10001), number_of_rows(request, "queries"))
    return json(await app.ctx.database.updated(ids))


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.args.get(name, "1"))
    except ValueError:
        return 1
    return min(max(number, 1), 500)


@app.exception(*raw.LATE)
async def unavailable(request: Request, error: Exception) -> HTTPResponse:
    """Answer for a database that takes too long; any other failure of it is Sanic's 500."""
    return text("Service Unavailable", status=503)


@app.on_response
async def add_headers(request: Request, response: HTTPResponse) -> None:
    """Sanic's server sends neither of these by itself."""
    response.headers["server"] = "sanic"
    response.headers["date"] = http_date(int(time()))


@lru_cache(maxsize=1)
def http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


@app.before_server_start
async def open_database(app: Sanic) -> None:
    """Open the database, and fill the cache, while the worker starts."""
    app.ctx.database = await raw.Database.open()
    app.ctx.cache = {row["id"]: row for row in await app.ctx.database.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        json_dumps.func.__module__,
        app.ctx.database,
    )


@app.after_server_stop
async def close_database(app: Sanic) -> None:
    await app.ctx.database.close()


# Each worker imports this file anew, so that Sanic finds the application in it.
if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app.run(
        host="0.0.0.0",
        port=8080,
        workers=int(os.environ["WEB_CONCURRENCY"]),
        backlog=2048,
        access_log=False,
    )
