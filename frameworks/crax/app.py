"""crax with raw SQL over asyncpg."""

import asyncio
import logging
import os
from random import randint

import asyncpg
import crax.response_types
from crax import Crax
from crax.request import Request
from crax.response_types import BaseResponse, JSONResponse
from crax.urls import Route, Url
from crax.views import JSONView

log = logging.getLogger("gunicorn.error")

pool: asyncpg.Pool


class Methods(list):
    """A view's HTTP methods, safe from crax 0.1.5.

    For each request crax runs `methods += ["HEAD", "OPTIONS"]` on a list that all views share: it would grow for ever.
    """

    def __iadd__(self, added):
        return self


class Queries(JSONView):
    methods = Methods(["GET", "HEAD", "OPTIONS"])

    async def get(self) -> None:
        ids = [randint(1, 10000) for _ in range(number_of_queries(self.request))]
        worlds = []
        async with pool.acquire(timeout=10) as connection:
            statement = await connection.prepare("SELECT randomnumber FROM world WHERE id = $1")
            for id_ in ids:
                number = await statement.fetchval(id_)
                worlds.append({"id": id_, "randomNumber": number})
        self.context = worlds


def number_of_queries(request: Request) -> int:
    try:
        number = int(request.query["queries"][0])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


async def open_pool() -> None:
    """Open every connection now, not one by one under the first load, and keep it open while it is idle."""
    global pool
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
URL_PATTERNS = [
    Route(Url("/json"), JSONResponse(None, {"message": "Hello, World!"})),
    Route(Url("/plaintext"), BaseResponse(None, b"Hello, world!")),
    Route(Url("/queries"), Queries),
]

app = Crax(settings="app", on_startup=open_pool)
if app.errors:  # crax keeps a failed import of its settings for itself and answers every request with 500
    raise app.errors
