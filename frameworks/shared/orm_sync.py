"""The data layer through an object mapper: SQLAlchemy's ORM over psycopg, for threads.

The same file serves every WSGI framework here, so that layers are compared and not ways of writing them.
"""

import os
from random import randint
from typing import Self

from limits import Connection
from sqlalchemy import URL, Engine, create_engine, event, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

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

    def __init__(self, engine: Engine):
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @classmethod
    def open(cls) -> Self:
        """Open every connection now: the pool would open them one by one, under the first load."""
        engine = limited_engine()
        connections = [engine.connect() for _ in range(engine.pool.size())]
        for connection in connections:
            connection.close()
        return cls(engine)

    def close(self) -> None:
        self._engine.dispose()

    def __str__(self) -> str:
        engine = self._engine
        return f"driver={engine.dialect.driver} data={type(engine).__module__} pool={engine.pool.checkedin()}"

    def row(self, id_: int) -> Row:
        with self._sessions() as session:
            return read(session, id_)

    def rows(self, ids: list[int]) -> list[Row]:
        with self._sessions() as session:
            return [read(session, id_) for id_ in ids]

    def all_rows(self) -> list[Row]:
        with self._sessions() as session:
            rows = session.execute(select(World.id, World.randomnumber))
            return [{"id": id_, "randomNumber": number} for id_, number in rows]

    def updated(self, ids: list[int]) -> list[Row]:
        """Give each of the rows a new number, and return them.

        The session writes in the order of primary keys by itself: so no two requests, which lock the same rows, wait
        for each other until Postgres ends one of them as a deadlock.
        """
        with self._sessions.begin() as session:
            worlds = [session.get_one(World, id_) for id_ in ids]
            for world in worlds:
                world.randomnumber = randint(1, 10000)
        return [{"id": world.id, "randomNumber": world.randomnumber} for world in worlds]

    def fortunes(self) -> list[tuple[int, str]]:
        """Return id and message of each."""
        with self._sessions() as session:
            return [(fortune.id, fortune.message) for fortune in session.scalars(select(Fortune))]


def read(session: Session, id_: int) -> Row:
    number = session.scalar(select(World.randomnumber).where(World.id == id_))
    return {"id": id_, "randomNumber": number}


def limited_engine() -> Engine:
    """Return an engine that waits 10 s for a connection or an answer at the most, and 5 s to connect."""
    url = URL.create(
        "postgresql+psycopg",
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        database=os.environ["DB_NAME"],
        username=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
    )
    engine = create_engine(
        url,
        pool_size=int(os.environ["DB_POOL_SIZE"]),
        max_overflow=0,
        pool_timeout=10,
        connect_args={"connect_timeout": 5},
    )
    event.listen(engine, "do_connect", lambda dialect, record, args, named: Connection.connect(*args, **named))
    return engine
