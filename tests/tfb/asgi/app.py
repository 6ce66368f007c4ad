"""Starlette on asyncpg."""

from contextlib import asynccontextmanager
from random import randint, sample

import asyncpg
from pages import count, page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route

READ = "SELECT id, randomnumber FROM world WHERE id = $1"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
FORTUNES = "SELECT id, message FROM fortune"
MORE = (0, "Additional fortune added at request time.")


@asynccontextmanager
async def connected(app):
    app.state.pool = await asyncpg.create_pool(
        host="tfb-database",
        database="hello_world",
        user="benchmarkdbuser",
        password="benchmarkdbpass",
        min_size=16,
        max_size=16,
    )
    yield
    await app.state.pool.close()


async def json(request):
    return JSONResponse({"message": "Hello, World!"})


async def plaintext(request):
    return PlainTextResponse(b"Hello, World!")


async def read(request, ids):
    async with request.app.state.pool.acquire() as connection:
        statement = await connection.prepare(READ)
        rows = [await statement.fetchrow(number) for number in ids]
    return [{"id": row[0], "randomNumber": row[1]} for row in rows]


async def db(request):
    return JSONResponse((await read(request, [randint(1, 10000)]))[0])


async def queries(request):
    ids = [randint(1, 10000) for _ in range(count(request.query_params.get("queries", "")))]
    return JSONResponse(await read(request, ids))


async def updates(request):
    # In one order everywhere, so that no two requests wait for each other.
    ids = sorted(sample(range(1, 10001), count(request.query_params.get("queries", ""))))
    rows = [row | {"randomNumber": row["randomNumber"] % 10000 + 1} for row in await read(request, ids)]
    async with request.app.state.pool.acquire() as connection:
        await connection.executemany(WRITE, [(row["randomNumber"], row["id"]) for row in rows])
    return JSONResponse(rows)


async def fortunes(request):
    found = [MORE, *(tuple(row) for row in await request.app.state.pool.fetch(FORTUNES))]
    return HTMLResponse(page(sorted(found, key=lambda fortune: fortune[1])))


app = Starlette(
    routes=[
        Route("/json", json),
        Route("/plaintext", plaintext),
        Route("/db", db),
        Route("/queries", queries),
        Route("/updates", updates),
        Route("/fortunes", fortunes),
    ],
    lifespan=connected,
)
