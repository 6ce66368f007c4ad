"""crax with asyncpg: each view as one would first write it."""

import multiprocessing
from operator import itemgetter
from random import randint, sample

import asyncpg
from crax import Crax
from crax.response_types import BaseResponse, JSONResponse
from crax.urls import Route, Url
from crax.views import JSONView, TemplateView

DATABASE = "postgresql://benchmarkdbuser:benchmarkdbpass@tfb-database:5432/hello_world"
READ = "SELECT id, randomnumber FROM world WHERE id = $1"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
# The database takes 2,000 connections, shared among the workers.
POOL_SIZE = min(1800 // multiprocessing.cpu_count(), 160)

pool = None


async def connect():
    global pool
    pool = await asyncpg.create_pool(DATABASE, min_size=POOL_SIZE // 2, max_size=POOL_SIZE)


def count(request):
    try:
        return min(max(int(request.query["queries"][0]), 1), 500)
    except (KeyError, ValueError):
        return 1


async def read(connection, numbers):
    statement = await connection.prepare(READ)
    rows = []
    for number in numbers:
        row = await statement.fetchrow(number)
        rows.append({"id": row["id"], "randomNumber": row["randomnumber"]})
    return rows


class Db(JSONView):
    async def get(self):
        async with pool.acquire() as connection:
            row = await connection.fetchrow(READ, randint(1, 10000))
        self.context = {"id": row["id"], "randomNumber": row["randomnumber"]}


class Queries(JSONView):
    async def get(self):
        async with pool.acquire() as connection:
            self.context = await read(connection, [randint(1, 10000) for _ in range(count(self.request))])


class Fortunes(TemplateView):
    template = "fortunes.html"

    async def get(self):
        async with pool.acquire() as connection:
            found = [dict(row) for row in await connection.fetch("SELECT id, message FROM fortune")]
        found.append({"id": 0, "message": "Additional fortune added at request time."})
        found.sort(key=itemgetter("message"))
        self.context = {"fortunes": found}


class Updates(JSONView):
    async def get(self):
        async with pool.acquire() as connection, connection.transaction():
            rows = await read(connection, sorted(sample(range(1, 10001), count(self.request))))
            for row in rows:
                row["randomNumber"] = randint(1, 10000)
            await connection.executemany(WRITE, [(row["randomNumber"], row["id"]) for row in rows])
        self.context = rows


APPLICATIONS = ["."]
URL_PATTERNS = [
    Route(Url("/json"), JSONResponse(None, {"message": "Hello, World!"})),
    Route(Url("/plaintext"), BaseResponse(None, b"Hello, World!")),
    Route(Url("/db"), Db),
    Route(Url("/queries"), Queries),
    Route(Url("/fortunes"), Fortunes),
    Route(Url("/updates"), Updates),
]

app = Crax(settings="app", on_startup=connect)
