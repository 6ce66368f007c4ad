"""The data layer as SQL by hand, over psycopg and its pool, for threads.

The same file serves every WSGI framework here, so that layers are compared and not ways of writing them.
"""

import os
from random import randint
from typing import Self

import psycopg
from limits import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

Row = dict[str, int]
# What says that the database takes too long.
LATE = (TimeoutError, PoolTimeout)

READ = "SELECT randomnumber FROM world WHERE id = %s"
READ_ALL = "SELECT id, randomnumber FROM world"
WRITE = "UPDATE world SET randomnumber = %s WHERE id = %s"
FORTUNES = "SELECT id, message FROM fortune"


class Database:
    """The tables World and Fortune; each call takes a connection from the pool."""

    def __init__(self, pool: ConnectionPool[Connection]):
        self._pool = pool

    @classmethod
    def open(cls) -> Self:
        """Open every connection now, not one by one under the first load; raise PoolTimeout where that takes 10 s."""
        pool = ConnectionPool(
            connection_class=Connection,
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
        pool.open(wait=True, timeout=10)
        return cls(pool)

    def close(self) -> None:
        self._pool.close()

    def __str__(self) -> str:
        opened = self._pool.get_stats()["pool_available"]
        return f"driver={psycopg.__name__} data={type(self._pool).__module__} pool={opened}"

    def row(self, id_: int) -> Row:
        with self._pool.connection() as connection:
            return read(connection, [id_])[0]

    def rows(self, ids: list[int]) -> list[Row]:
        with self._pool.connection() as connection:
            return read(connection, ids)

    def all_rows(self) -> list[Row]:
        with self._pool.connection() as connection:
            return [{"id": id_, "randomNumber": number} for id_, number in connection.execute(READ_ALL)]

    def updated(self, ids: list[int]) -> list[Row]:
        """Give each of the rows a new number, and return them.

        They are written in the order of their ids: else two requests that lock the same rows would wait for each other
        until Postgres ends one of them as a deadlock.
        """
        with self._pool.connection() as connection:
            worlds = read(connection, sorted(ids))
            for world in worlds:
                world["randomNumber"] = randint(1, 10000)
            with connection.cursor() as cursor:
                cursor.executemany(WRITE, [(world["randomNumber"], world["id"]) for world in worlds])
        return worlds

    def fortunes(self) -> list[tuple[int, str]]:
        """Return id and message of each."""
        with self._pool.connection() as connection:
            return connection.execute(FORTUNES).fetchall()


def read(connection: Connection, ids: list[int]) -> list[Row]:
    """One statement for each row, which psycopg prepares at its sixth use in the life of a connection."""
    with connection.cursor() as cursor:
        return [{"id": id_, "randomNumber": cursor.execute(READ, (id_,)).fetchone()[0]} for id_ in ids]
