"""The data layer through an object mapper: SQLAlchemy's asynchronous ORM over asyncpg.

The same file serves every framework here, so that layers are compared and not ways of writing them.
"""

import asyncio
import os
from random import randint
from typing import Self

from sqlalchemy import URL, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Row = dict[str, int]
# What says that the database takes too long.
LATE = (TimeoutError, PoolTimeout)


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


class Database:
    """The tables World and Fortune; each call is a session of its own."""

    def __init__(self, engine: AsyncEngine, opened: int):
        self._engine = engine
        self._opened = opened
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(cls) -> Self:
        """Open every connection now: the pool would open them one by one, under the first load."""
        engine = create_engine()
        connections = await asyncio.gather(*(engine.connect() for _ in range(SIZE)))
        for connection in connections:
            await connection.close()
        return cls(engine, len(connections))

    async def close(self) -> None:
        await self._engine.dispose()

    def __str__(self) -> str:
        engine = self._engine
        return f"driver={engine.dialect.driver} data={type(engine).__module__} pool={self._opened}"

    async def row(self, id_: int) -> Row:
        async with self._sessions() as session:
            return await read(session, id_)

    async def rows(self, ids: list[int]) -> list[Row]:
        async with self._sessions() as session:
            return [await read(session, id_) for id_ in ids]

    async def all_rows(self) -> list[Row]:
        async with self._sessions() as session:
            found = await session.execute(select(World.id, World.randomnumber))
            return [{"id": id_, "randomNumber": number} for id_, number in found]

    async def updated(self, ids: list[int]) -> list[Row]:
        """Give each of the rows a new number, and return them.

        The session writes in the order of primary keys by itself: so no two requests, which lock the same rows, wait
        for each other until Postgres ends one of them as a deadlock.
        """
        async with self._sessions.begin() as session:
            worlds = [await session.get_one(World, id_) for id_ in ids]
            for world in worlds:
                world.randomnumber = randint(1, 10000)
        return [{"id": world.id, "randomNumber": world.randomnumber} for world in worlds]

    async def fortunes(self) -> list[tuple[int, str]]:
        """Return id and message of each."""
        async with self._sessions() as session:
            return [(fortune.id, fortune.message) for fortune in await session.scalars(select(Fortune))]


async def read(session: AsyncSession, id_: int) -> Row:
    number = await session.scalar(select(World.randomnumber).where(World.id == id_))
    return {"id": id_, "randomNumber": number}


SIZE = int(os.environ["DB_POOL_SIZE"])
# What the environment chooses, the usual level first: whether the pool keeps all connections, or two, and opens each of
# the others for as long as a request needs it.
OVERFLOW = {"no": SIZE, "yes": min(2, SIZE)}
KEPT = OVERFLOW[os.environ.get("OVERFLOW", "no")]


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
        pool_size=KEPT,
        max_overflow=SIZE - KEPT,
        pool_timeout=10,
        connect_args={"timeout": 5, "command_timeout": 10},
    )
