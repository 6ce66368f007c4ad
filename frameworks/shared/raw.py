"""The data layer as SQL by hand, over asyncpg.

The same file serves every framework here, so that layers are compared and not ways of writing them.
"""

import os
from random import randint
from typing import Self

import asyncpg

Row = dict[str, int]
# What says that the database takes too long.
LATE = (TimeoutError,)

READ = "SELECT randomnumber FROM world WHERE id = $1"
READ_ALL = "SELECT id, randomnumber FROM world"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
FORTUNES = "SELECT id, message FROM fortune"


class Database:
    """The tables World and Fortune; each call takes a connection from the pool."""

    def __init__(self, pool: asyncpg.Pool):
        self._pool = pool

    @classmethod
    async def open(cls) -> Self:
        """Open every connection now, not one by one under the first load, and keep it open while it is idle."""
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
            **RESET[os.environ.get("RESET", "default")],
        )
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    def __str__(self) -> str:
        module = type(self._pool).__module__
        return f"driver={module.partition('.')[0]} data={module} pool={self._pool.get_size()}"

    async def row(self, id_: int) -> Row:
        async with self._pool.acquire(timeout=10) as connection:
            return {"id": id_, "randomNumber": await connection.fetchval(READ, id_)}

    async def rows(self, ids: list[int]) -> list[Row]:
        async with self._pool.acquire(timeout=10) as connection:
            return await read(connection, ids)

    async def all_rows(self) -> list[Row]:
        return [{"id": id_, "randomNumber": number} for id_, number in await self._pool.fetch(READ_ALL)]

    async def updated(self, ids: list[int]) -> list[Row]:
        """Give each of the rows a new number, and return them.

        They are written in the order of their ids: else two requests that lock the same rows would wait for each other
        until Postgres ends one of them as a deadlock. One UPDATE over unnest() would leave the order to the plan.
        """
        async with self._pool.acquire(timeout=10) as connection:
            worlds = await read(connection, sorted(ids))
            for world in worlds:
                world["randomNumber"] = randint(1, 10000)
            await connection.executemany(WRITE, [(world["randomNumber"], world["id"]) for world in worlds])
        return worlds

    async def fortunes(self) -> list[tuple[int, str]]:
        """Return id and message of each."""
        async with self._pool.acquire(timeout=10) as connection:
            return await connection.fetch(FORTUNES)


async def one_by_one(connection: asyncpg.Connection, ids: list[int]) -> list[Row]:
    """One statement for each row, which asyncpg prepares once in the life of a connection."""
    return [{"id": id_, "randomNumber": await connection.fetchval(READ, id_)} for id_ in ids]


async def in_a_batch(connection: asyncpg.Connection, ids: list[int]) -> list[Row]:
    """One statement for each row too, but none waits for the answer to the one before."""
    rows = await connection.fetchmany(READ, [(id_,) for id_ in ids])
    return [{"id": id_, "randomNumber": number} for id_, (number,) in zip(ids, rows, strict=True)]


class Unreset(asyncpg.Connection):
    def get_reset_query(self) -> str:
        return ""


async def leave(connection: asyncpg.Connection) -> None:
    """Leave as it is what a connection that is given back has set."""


# What the environment chooses, the usual level of each first: how rows are read, and what the pool does with a
# connection that is given back.
READS = {"loop": one_by_one, "batch": in_a_batch}
RESET = {"default": {}, "empty": {"connection_class": Unreset}, "none": {"reset": leave}}

read = READS[os.environ.get("READS", "loop")]
