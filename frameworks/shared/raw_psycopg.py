"""The data layer as SQL by hand, over psycopg and its asynchronous pool: raw.py with another driver."""

import os
from random import randint
from typing import Self

import psycopg
from limits import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Row = dict[str, int]
# What says that the database takes too long.
LATE = (TimeoutError, PoolTimeout)

READ = "SELECT randomnumber FROM world WHERE id = %s"
READ_ALL = "SELECT id, randomnumber FROM world"
WRITE = "UPDATE world SET randomnumber = %s WHERE id = %s"
FORTUNES = "SELECT id, message FROM fortune"


class Database:
    """The tables World and Fortune; each call takes a connection from the pool."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]):
        self._pool = pool

    @classmethod
    async def open(cls) -> Self:
        """Open every connection now, not one by one under the first load; raise PoolTimeout where that takes 10 s."""
        pool = AsyncConnectionPool(
            connection_class=AsyncConnection,
            kwargs={
                "host": os.environ["DB_HOST"],
                "port": int(os.environ["DB_PORT"]),
                "dbname": os.environ["DB_NAME"],
                "user": os.environ["DB_USER"],
                "password": os.environ["DB_PASSWORD"],
                "connect_timeout": 5,
                "autocommit": True,
            },
            min_size=int(os.environ["DB_POOL_SIZE"]),
            timeout=10,
            open=False,
        )
        await pool.open(wait=True, timeout=10)
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    def __str__(self) -> str:
        opened = self._pool.get_stats()["pool_available"]
        return f"driver={psycopg.__name__} data={type(self._pool).__module__} pool={opened}"

    async def row(self, id_: int) -> Row:
        async with self._pool.connection() as connection:
            (row,) = await read(connection, [id_])
        return row

    async def rows(self, ids: list[int]) -> list[Row]:
        async with self._pool.connection() as connection:
            return await read(connection, ids)

    async def all_rows(self) -> list[Row]:
        async with self._pool.connection() as connection:
            result = await connection.execute(READ_ALL)
            return [{"id": id_, "randomNumber": number} async for id_, number in result]

    async def updated(self, ids: list[int]) -> list[Row]:
        """Give each of the rows a new number, and return them.

        They are written in the order of their ids: else two requests that lock the same rows would wait for each other
        until Postgres ends one of them as a deadlock.
        """
        async with self._pool.connection() as connection:
            worlds = await read(connection, sorted(ids))
            for world in worlds:
                world["randomNumber"] = randint(1, 10000)
            async with connection.cursor() as cursor:
                await cursor.executemany(WRITE, [(world["randomNumber"], world["id"]) for world in worlds])
        return worlds

    async def fortunes(self) -> list[tuple[int, str]]:
        """Return id and message of each."""
        async with self._pool.connection() as connection:
            result = await connection.execute(FORTUNES)
            return await result.fetchall()


async def read(connection: AsyncConnection, ids: list[int]) -> list[Row]:
    """One statement for each row, which psycopg prepares at its sixth use in the life of a connection."""
    worlds = []
    async with connection.cursor() as cursor:
        for id_ in ids:
            await cursor.execute(READ, (id_,))
            (number,) = await cursor.fetchone()
            worlds.append({"id": id_, "randomNumber": number})
    return worlds
