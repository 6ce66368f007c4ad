"""aiohttp with SQLAlchemy's ORM, or with asyncpg where RAW is set: each handler as one would first write it."""

import multiprocessing
import os
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from random import randint, sample

import asyncpg
import jinja2
import ujson
from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = "postgresql+asyncpg://benchmarkdbuser:benchmarkdbpass@tfb-database:5432/hello_world"
READ = "SELECT id, randomnumber FROM world WHERE id = $1"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
MORE = "Additional fortune added at request time."
# The database takes 2,000 connections, shared among the workers.
POOL_SIZE = min(1800 // multiprocessing.cpu_count(), 160)

respond = partial(web.json_response, dumps=ujson.dumps)
page = jinja2.Template(Path(__file__).with_name("fortunes.html").read_text(), autoescape=True)


class Base(DeclarativeBase):
    pass


class World(Base):
    __tablename__ = "world"

    id: Mapped[int] = mapped_column(primary_key=True)
    randomnumber: Mapped[int]


class Fortune(Base):
    __tablename__ = "fortune"

    id: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[str]


def count(request):
    try:
        return min(max(int(request.query["queries"]), 1), 500)
    except (KeyError, ValueError):
        return 1


async def json(request):
    return respond({"message": "Hello, World!"})


async def plaintext(request):
    return web.Response(body=b"Hello, World!", content_type="text/plain")


async def db(request):
    number = randint(1, 10000)
    async with request.app["sessions"]() as session:
        value = await session.scalar(select(World.randomnumber).where(World.id == number))
    return respond({"id": number, "randomNumber": value})


async def queries(request):
    numbers = [randint(1, 10000) for _ in range(count(request))]
    rows = []
    async with request.app["sessions"]() as session:
        for number in numbers:
            value = await session.scalar(select(World.randomnumber).where(World.id == number))
            rows.append({"id": number, "randomNumber": value})
    return respond(rows)


async def fortunes(request):
    async with request.app["sessions"]() as session:
        found = list(await session.scalars(select(Fortune)))
    found.append(Fortune(id=0, message=MORE))
    found.sort(key=attrgetter("message"))
    return web.Response(text=page.render(fortunes=found), content_type="text/html")


async def updates(request):
    rows = []
    async with request.app["sessions"].begin() as session:
        for number in sorted(sample(range(1, 10001), count(request))):
            world = await session.get(World, number)
            world.randomnumber = randint(1, 10000)
            rows.append({"id": world.id, "randomNumber": world.randomnumber})
    return respond(rows)


async def db_raw(request):
    async with request.app["pool"].acquire() as connection:
        row = await connection.fetchrow(READ, randint(1, 10000))
    return respond({"id": row["id"], "randomNumber": row["randomnumber"]})


async def read_raw(connection, numbers):
    statement = await connection.prepare(READ)
    rows = []
    for number in numbers:
        row = await statement.fetchrow(number)
        rows.append({"id": row["id"], "randomNumber": row["randomnumber"]})
    return rows


async def queries_raw(request):
    async with request.app["pool"].acquire() as connection:
        rows = await read_raw(connection, [randint(1, 10000) for _ in range(count(request))])
    return respond(rows)


async def fortunes_raw(request):
    async with request.app["pool"].acquire() as connection:
        found = [dict(row) for row in await connection.fetch("SELECT id, message FROM fortune")]
    found.append({"id": 0, "message": MORE})
    found.sort(key=itemgetter("message"))
    return web.Response(text=page.render(fortunes=found), content_type="text/html")


async def updates_raw(request):
    async with request.app["pool"].acquire() as connection, connection.transaction():
        rows = await read_raw(connection, sorted(sample(range(1, 10001), count(request))))
        for row in rows:
            row["randomNumber"] = randint(1, 10000)
        await connection.executemany(WRITE, [(row["randomNumber"], row["id"]) for row in rows])
    return respond(rows)


async def sessions(app):
    engine = create_async_engine(URL, pool_size=POOL_SIZE)
    app["sessions"] = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


async def pool(app):
    url = URL.replace("+asyncpg", "")
    async with asyncpg.create_pool(url, min_size=POOL_SIZE // 2, max_size=POOL_SIZE) as app["pool"]:
        yield


def main():
    app = web.Application()
    app.router.add_get("/json", json)
    app.router.add_get("/plaintext", plaintext)
    if "RAW" in os.environ:
        app.cleanup_ctx.append(pool)
        handlers = (db_raw, queries_raw, fortunes_raw, updates_raw)
    else:
        app.cleanup_ctx.append(sessions)
        handlers = (db, queries, fortunes, updates)
    for path, handler in zip(("/db", "/queries/", "/fortunes", "/updates/"), handlers, strict=True):
        app.router.add_get(path, handler)
    return app
