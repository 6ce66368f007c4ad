"""aiohttp with SQLAlchemy's asynchronous ORM over asyncpg, and Jinja2."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from random import randint, sample

from aiohttp import web
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import URL, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from ujson import dumps

Handler = Callable[[web.Request], Awaitable[web.Response]]
Sessions = async_sessionmaker[AsyncSession]
Row = dict[str, int]
Cache = dict[int, Row]
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions", Sessions)
CACHE: web.AppKey[Cache] = web.AppKey("cache", Cache)

log = logging.getLogger("gunicorn.error")
templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")


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


def reads_database(handler: Handler) -> Handler:
    """Answer 503 where the database takes too long; aiohttp would answer 504 itself, as if it were a gateway."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (TimeoutError, PoolTimeout) as error:
            raise web.HTTPServiceUnavailable from error

    return guarded


async def json(request: web.Request) -> web.Response:
    return web.json_response({"message": "Hello, World!"}, dumps=dumps)


async def plaintext(request: web.Request) -> web.Response:
    return web.Response(body=b"Hello, World!", content_type="text/plain")


@reads_database
async def db(request: web.Request) -> web.Response:
    async with request.app[SESSIONS]() as session:
        world = await read(session, randint(1, 10000))
    return web.json_response(world, dumps=dumps)


@reads_database
async def queries(request: web.Request) -> web.Response:
    ids = [randint(1, 10000) for _ in range(number_of_rows(request, "queries"))]
    async with request.app[SESSIONS]() as session:
        worlds = [await read(session, id_) for id_ in ids]
    return web.json_response(worlds, dumps=dumps)


async def cached_queries(request: web.Request) -> web.Response:
    cache = request.app[CACHE]
    worlds = [cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))]
    return web.json_response(worlds, dumps=dumps)


@reads_database
async def fortunes(request: web.Request) -> web.Response:
    async with request.app[SESSIONS]() as session:
        found = list(await session.scalars(select(Fortune)))
    found.append(Fortune(id=0, message="Additional fortune added at request time."))
    found.sort(key=lambda fortune: fortune.message)
    return web.Response(text=fortunes_page.render(fortunes=found), content_type="text/html")


@reads_database
async def updates(request: web.Request) -> web.Response:
    # In the order of their ids: two requests that lock the same rows in different orders would wait for each other
    # until Postgres ends one of them as a deadlock. The session writes in the order of primary keys by itself.
    ids = sorted(sample(range(1, 10001), number_of_rows(request, "queries")))
    async with request.app[SESSIONS].begin() as session:
        worlds = [await session.get_one(World, id_) for id_ in ids]
        for world in worlds:
            world.randomnumber = randint(1, 10000)
    return web.json_response([{"id": world.id, "randomNumber": world.randomnumber} for world in worlds], dumps=dumps)


async def read(session: AsyncSession, id_: int) -> Row:
    number = await session.scalar(select(World.randomnumber).where(World.id == id_))
    return {"id": id_, "randomNumber": number}


def number_of_rows(request: web.Request, name: str) -> int:
    try:
        number = int(request.query[name])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


def create_engine() -> AsyncEngine:
    url = URL.create(
        "postgresql+asyncpg",
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        database=os.environ["DB_NAME"],
        username=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
    )
    return create_async_engine(
        url,
        pool_size=int(os.environ["DB_POOL_SIZE"]),
        max_overflow=0,
        pool_timeout=10,
        connect_args={"timeout": 5, "command_timeout": 10},
    )


async def open_pool(engine: AsyncEngine) -> None:
    """Open every connection now: the pool would open them one by one, under the first load."""
    connections = await asyncio.gather(*(engine.connect() for _ in range(engine.pool.size())))
    for connection in connections:
        await connection.close()


async def read_all(sessions: Sessions) -> Cache:
    """Return the whole table by id, as cached-query gives it out."""
    async with sessions() as session:
        worlds = await session.execute(select(World.id, World.randomnumber))
        return {id_: {"id": id_, "randomNumber": number} for id_, number in worlds}


async def database(app: web.Application):
    engine = create_engine()
    await open_pool(engine)
    app[SESSIONS] = async_sessionmaker(engine, expire_on_commit=False)
    app[CACHE] = await read_all(app[SESSIONS])
    log.info(
        "started: framework=%s loop=%s json=%s driver=%s pool=%d",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        dumps.__module__,
        engine.dialect.driver,
        engine.pool.checkedin(),
    )
    yield
    await engine.dispose()


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
