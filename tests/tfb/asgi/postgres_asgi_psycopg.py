"""Starlette on psycopg; N is the last part of the path."""

from contextlib import asynccontextmanager
from random import randint

from pages import count
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

READ = "SELECT id, randomnumber FROM world WHERE id = %s"
URL = "postgresql://benchmarkdbuser:benchmarkdbpass@tfb-database/hello_world"


@asynccontextmanager
async def connected(app):
    async with AsyncConnectionPool(URL, min_size=16, max_size=16, kwargs={"autocommit": True}) as app.state.pool:
        yield


async def read(request, ids):
    async with request.app.state.pool.connection() as connection:
        rows = [await (await connection.execute(READ, (number,))).fetchone() for number in ids]
    return [{"id": row[0], "randomNumber": row[1]} for row in rows]


async def db(request):
    return JSONResponse((await read(request, [randint(1, 10000)]))[0])


async def queries(request):
    ids = [randint(1, 10000) for _ in range(count(request.path_params.get("queries", "")))]
    return JSONResponse(await read(request, ids))


app = Starlette(
    routes=[Route("/db", db), Route("/queries/", queries), Route("/queries/{queries}", queries)], lifespan=connected
)
