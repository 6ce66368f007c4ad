"""Quart with its own Jinja2 templates, over SQL by hand."""

import asyncio
import logging
from collections.abc import AsyncIterator
from operator import itemgetter
from random import randint, sample

import flask.json.provider
import raw
from quart import Quart, Response, render_template, request

log = logging.getLogger(__name__)
app = Quart(__name__, template_folder=".")


@app.get("/json")
async def json() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.get("/plaintext")
async def plaintext() -> Response:
    return Response("Hello, World!", mimetype="text/plain")


@app.get("/db")
async def db() -> raw.Row:
    return await app.database.row(randint(1, 10000))


@app.get("/queries")
async def queries() -> list[raw.Row]:
    return await app.database.rows([randint(1, 10000) for _ in range(number_of_rows("queries"))])


@app.get("/cached-queries")
async def cached_queries() -> list[raw.Row]:
    return [app.cache[randint(1, 10000)] for _ in range(number_of_rows("count"))]


@app.get("/fortunes")
async def fortunes() -> str:
    rows = await app.database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    return await render_template("fortunes.html", fortunes=rows)


@app.get("/updates")
async def updates() -> list[raw.Row]:
    return await app.database.updated(sample(range(1, 10001), number_of_rows("queries")))


def number_of_rows(name: str) -> int:
    return min(max(request.args.get(name, default=1, type=int), 1), 500)


async def unavailable(error: Exception) -> tuple[str, int]:
    """Answer for a database that takes too long; any other failure of it is Quart's 500."""
    return "Service Unavailable", 503


for late in raw.LATE:
    app.register_error_handler(late, unavailable)


@app.while_serving
async def database() -> AsyncIterator[None]:
    """Open the database, and fill the cache, while the worker starts."""
    app.database = await raw.Database.open()
    app.cache = {row["id"]: row for row in await app.database.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        flask.json.provider.json.__name__,
        app.database,
    )
    yield
    await app.database.close()
