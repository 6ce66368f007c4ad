"""BlackSheep with its own Jinja2 views, over SQL by hand."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from operator import itemgetter
from random import randint, sample

import raw
from blacksheep import Application, Request, Response, get, json, text
from blacksheep.server.responses import view
from blacksheep.settings.json import json_settings

JSON = os.environ.get("JSON", "json")
if JSON == "orjson":
    import orjson

    json_settings.use(loads=orjson.loads, dumps=lambda content: orjson.dumps(content).decode())

log = logging.getLogger(__name__)
app = Application()


class Cache(dict[int, raw.Row]):
    """The table World, by id."""


@get("/json")
async def hello() -> Response:
    return json({"message": "Hello, World!"})


@get("/plaintext")
async def plaintext() -> Response:
    return text("Hello, World!")


@get("/db")
async def db(database: raw.Database) -> Response:
    return json(await database.row(randint(1, 10000)))


@get("/queries")
async def queries(database: raw.Database, queries: str = "1") -> Response:
    return json(await database.rows([randint(1, 10000) for _ in range(number_of_rows(queries))]))


@get("/cached-queries")
async def cached_queries(cache: Cache, count: str = "1") -> Response:
    return json([cache[randint(1, 10000)] for _ in range(number_of_rows(count))])


@get("/fortunes")
async def fortunes(database: raw.Database) -> Response:
    found = await database.fortunes()
    found.append((0, "Additional fortune added at request time."))
    found.sort(key=itemgetter(1))
    return view("fortunes", {"fortunes": found})


@get("/updates")
async def updates(database: raw.Database, queries: str = "1") -> Response:
    return json(await database.updated(sample(range(1, 10001), number_of_rows(queries))))


def number_of_rows(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        return 1
    return min(max(number, 1), 500)


async def unavailable(app: Application, request: Request, error: Exception) -> Response:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    return text("Service Unavailable", 503)


for late in raw.LATE:
    app.exception_handler(late)(unavailable)


@app.lifespan
async def database() -> AsyncIterator[None]:
    """Open the database, and fill the cache, while the worker starts; handlers get both by their types."""
    opened = await raw.Database.open()
    app.services.register(raw.Database, instance=opened)
    app.services.register(Cache, instance=Cache((row["id"], row) for row in await opened.all_rows()))
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        JSON,
        opened,
    )
    yield
    await opened.close()
