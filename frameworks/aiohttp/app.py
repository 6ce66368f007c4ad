"""aiohttp with SQLAlchemy's asynchronous ORM over asyncpg."""

import asyncio
import logging
import os
from random import randint

from aiohttp import web
from sqlalchemy import URL, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from ujson import dumps

Sessions = async_sessionmaker[AsyncSession]
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions", Sessions)

log = logging.getLogger("gunicorn.error")


class Base(DeclarativeBase):
    pass


class World(Base):
    __tablename__ = "world"

    id: Mapped[int] = mapped_column(primary_key=True)
    randomnumber: Mapped[int]


async def json(request: web.Request) -> web.Response:
    return web.json_response({"message": "Hello, World!"}, dumps=dumps)


async def plaintext(request: web.Request) -> web.Response:
    return web.Response(body=b"Hello, World!", content_type="text/plain")


async def queries(request: web.Request) -> web.Response:
    ids = [randint(1, 10000) for _ in range(number_of_queries(request))]
    worlds = []
    try:
        async with request.app[SESSIONS]() as session:
            for id_ in ids:
                number = await session.scalar(select(World.randomnumber).where(World.id == id_))
                worlds.append({"id": id_, "randomNumber": number})
    except (TimeoutError, PoolTimeout) as error:  # aiohttp would answer the first with 504, as if it were a gateway
        raise web.HTTPServiceUnavailable from error
    return web.json_response(worlds, dumps=dumps)


def number_of_queries(request: web.Request) -> int:
    try:
        number = int(request.query["queries"])
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


async def database(app: web.Application):
    engine = create_engine()
    await open_pool(engine)
    app[SESSIONS] = async_sessionmaker(engine, expire_on_commit=False)
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
    web.get("/queries", queries),
)


async def app() -> web.Application:
    application = web.Application()
    application.add_routes(ROUTES)
    application.cleanup_ctx.append(database)
    return application
