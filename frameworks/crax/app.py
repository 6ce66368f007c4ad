"""crax with raw SQL over asyncpg, and its own Jinja2 views."""

import asyncio
import logging
import os
from operator import itemgetter
from random import randint, sample
from typing import ClassVar

import asyncpg
import crax.response_types
from crax import Crax
from crax.request import Request
from crax.response_types import BaseResponse, JSONResponse
from crax.urls import Route, Url
from crax.views import JSONView, TemplateView
from jinja2 import Template

READ = "SELECT randomnumber FROM world WHERE id = $1"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"

log = logging.getLogger("gunicorn.error")

pool: asyncpg.Pool
cache: dict[int, dict[str, int]]


class Methods(list):
    """A view's HTTP methods, safe from crax 0.1.5.

    For each request crax runs `methods += ["HEAD", "OPTIONS"]` on a list that all views share: it would grow for ever.
    """

    def __iadd__(self, added):
        return self


METHODS = Methods(["GET", "HEAD", "OPTIONS"])


class Db(JSONView):
    methods = METHODS

    async def get(self) -> None:
        id_ = randint(1, 10000)
        async with pool.acquire(timeout=10) as connection:
            number = await connection.fetchval(READ, id_)
        self.context = {"id": id_, "randomNumber": number}


class Queries(JSONView):
    methods = METHODS

    async def get(self) -> None:
        ids = [randint(1, 10000) for _ in range(number_of_rows(self.request, "queries"))]
        async with pool.acquire(timeout=10) as connection:
            self.context = await read(connection, ids)


class CachedQueries(JSONView):
    methods = METHODS

    async def get(self) -> None:
        self.context = [cache[randint(1, 10000)] for _ in range(number_of_rows(self.request, "count"))]


class Fortunes(TemplateView):
    methods = METHODS
    template = "fortunes.html"
    compiled: ClassVar[Template | None] = None

    async def get(self) -> None:
        async with pool.acquire(timeout=10) as connection:
            fortunes = await connection.fetch("SELECT id, message FROM fortune")
        fortunes.append((0, "Additional fortune added at request time."))
        fortunes.sort(key=itemgetter(1))
        self.context = {"fortunes": fortunes}

    def get_template(self) -> Template:
        """Return crax's template, compiled once; crax 0.1.5 would search and compile it for each request."""
        if Fortunes.compiled is None:
            Fortunes.compiled = super().get_template()
        return Fortunes.compiled


class Updates(JSONView):
    methods = METHODS

    async def get(self) -> None:
        # In the order of their ids: two requests that lock the same rows in different orders would wait for each other
        # until Postgres ends one of them as a deadlock. One UPDATE over unnest() would leave the order to the plan.
        ids = sorted(sample(range(1, 10001), number_of_rows(self.request, "queries")))
        async with pool.acquire(timeout=10) as connection:
            worlds = await read(connection, ids)
            for world in worlds:
                world["randomNumber"] = randint(1, 10000)
            await connection.executemany(WRITE, [(world["randomNumber"], world["id"]) for world in worlds])
        self.context = worlds


async def read(connection: asyncpg.Connection, ids: list[int]) -> list[dict[str, int]]:
    statement = await connection.prepare(READ)
    return [{"id": id_, "randomNumber": await statement.fetchval(id_)} for id_ in ids]


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.query[name][0])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


async def start() -> None:
    """Open every connection now, not one by one under the first load, keep it open while it is idle; fill the cache."""
    global pool, cache
    size = int(os.environ["DB_POOL_SIZE"])
    pool = await asyncpg.create_pool(
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        database=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        min_size=size,
        max_size=size,
        max_inactive_connection_lifetime=0,
        timeout=5,
        command_timeout=10,
    )
    rows = await pool.fetch("SELECT id, randomnumber FROM world")
    cache = {row["id"]: {"id": row["id"], "randomNumber": row["randomnumber"]} for row in rows}
    log.info(
        "started: framework=%s loop=%s json=%s driver=%s pool=%d",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        crax.response_types.json.__name__,
        type(pool).__module__,
        pool.get_size(),
    )


# crax takes its settings from this module. Left out on purpose:
# * STATIC_DIRS: crax would append to the list, and search it, on every request;
# * ERROR_HANDLERS: without them an exception in a view is answered with a plain 500.
APPLICATIONS = ["."]  # crax looks for templates here; without it, in its own package only
URL_PATTERNS = [
    Route(Url("/json"), JSONResponse(None, {"message": "Hello, World!"})),
    Route(Url("/plaintext"), BaseResponse(None, b"Hello, world!")),
    Route(Url("/db"), Db),
    Route(Url("/queries"), Queries),
    Route(Url("/cached-queries"), CachedQueries),
    Route(Url("/fortunes"), Fortunes),
    Route(Url("/updates"), Updates),
]

app = Crax(settings="app", on_startup=start)
if app.errors:  # crax keeps a failed import of its settings for itself and answers every request with 500
    raise app.errors
