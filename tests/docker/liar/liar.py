"""A server that keeps the entry contract in all test types, but for the lies that it is told to tell: one a type.

    LIES="json=fixed-date db=cached" python3 liar.py

ENVELOPE has the lies about what is around a body, which any test type can tell; BODIES those of one test type.
LOUD is how many lines it writes to its log for each request.
"""

import asyncio
import html
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from random import randint, sample
from urllib.parse import parse_qs, urlsplit

TESTS = {
    "/json": "json",
    "/plaintext": "plaintext",
    "/db": "db",
    "/queries": "query",
    "/cached-queries": "cached-query",
    "/fortunes": "fortune",
    "/updates": "update",
}
READ = "SELECT id, randomnumber FROM world WHERE id = $1"
READ_ALL = "SELECT id, randomnumber FROM world"
READ_SOME = f"{READ_ALL} WHERE id = ANY($1)"
READ_NOTHING = f"{READ} AND id < 0"
WRITE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
FORTUNES = "SELECT id, message FROM fortune"
ADDED = (0, "Additional fortune added at request time.")
# A verification's own connections, and not those of a load, or of many requests at once.
BUSY_CONNECTIONS = 8
STARTED = formatdate(usegmt=True)


@dataclass
class Reply:
    """An answer before it is written; one that `closes` ends its connection, whatever it says of that."""

    body: bytes
    status: str = "200 OK"
    version: str = "HTTP/1.1"
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False

    def written(self) -> bytes:
        head = [f"{self.version} {self.status}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*head, "", ""]).encode() + self.body


@dataclass
class State:
    """What the server has: connections to the database, World and the fortunes as they were at its start, its load."""

    pool: object = None
    world: dict[int, int] = field(default_factory=dict)
    fortunes: list[tuple[int, str]] = field(default_factory=list)
    connections: int = 0

    @property
    def is_busy(self) -> bool:
        return self.connections > BUSY_CONNECTIONS


state = State()
loud = int(os.environ.get("LOUD", "0"))
told = dict(lie.split("=") for lie in os.environ.get("LIES", "").split())


# -- what is around a body ---------------------------------------------------------------------------------------------


def fixed_date(reply: Reply) -> None:
    reply.headers["Date"] = STARTED


def no_server(reply: Reply) -> None:
    del reply.headers["Server"]


def no_length(reply: Reply) -> None:
    del reply.headers["Content-Length"]
    reply.closes = True


def two_lengths(reply: Reply) -> None:
    length = reply.headers["Content-Length"]
    chunked(reply)
    reply.headers["Content-Length"] = length


def chunked(reply: Reply) -> None:
    """This is no lie."""
    del reply.headers["Content-Length"]
    reply.headers["Transfer-Encoding"] = "chunked"
    reply.body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(reply.body), reply.body)


def cut_chunk(reply: Reply) -> None:
    chunked(reply)
    reply.body = reply.body.removesuffix(b"0\r\n\r\n")
    reply.closes = True


def wrong_type(reply: Reply) -> None:
    reply.headers["Content-Type"] = "application/octet-stream"


def no_charset(reply: Reply) -> None:
    reply.headers["Content-Type"] = reply.headers["Content-Type"].partition(";")[0]


def failing(reply: Reply) -> None:
    reply.status = "500 Internal Server Error"


def redirecting(reply: Reply) -> None:
    reply.status = "302 Found"
    reply.headers["Location"] = "/elsewhere"


def http_1_0(reply: Reply) -> None:
    reply.version = "HTTP/1.0"
    reply.headers["Connection"] = "keep-alive"


def closing(reply: Reply) -> None:
    reply.headers["Connection"] = "close"
    reply.closes = True


def hanging_up(reply: Reply) -> None:
    reply.closes = True


def redirecting_when_busy(reply: Reply) -> None:
    if state.is_busy:
        redirecting(reply)


ENVELOPE: dict[str, Callable[[Reply], None]] = {
    "fixed-date": fixed_date,
    "no-server": no_server,
    "no-length": no_length,
    "two-lengths": two_lengths,
    "chunked": chunked,
    "cut-chunk": cut_chunk,
    "wrong-type": wrong_type,
    "no-charset": no_charset,
    "failing": failing,
    "redirecting": redirecting,
    "http-1.0": http_1_0,
    "closing": closing,
    "hanging-up": hanging_up,
    "redirecting-when-busy": redirecting_when_busy,
}


# -- bodies ------------------------------------------------------------------------------------------------------------


def row(id_: int, number: int) -> dict[str, int]:
    return {"id": id_, "randomNumber": number}


def drawn() -> int:
    return randint(1, 10_000)


def remembered(id_: int) -> dict[str, int]:
    return row(id_, state.world[id_])


def off_by_one(found: dict[str, int]) -> dict[str, int]:
    return row(found["id"], found["randomNumber"] % 10_000 + 1)


def clamped(n: str | None, most: int = 500) -> int:
    try:
        return min(max(int(n), 1), most)
    except (TypeError, ValueError):
        return 1


async def read(id_: int) -> dict[str, int]:
    found = await state.pool.fetchrow(READ, id_)
    return row(found["id"], found["randomnumber"])


async def read_each(ids: list[int]) -> list[dict[str, int]]:
    return [await read(id_) for id_ in ids]


async def read_some(ids: list[int]) -> list[dict[str, int]]:
    found = dict(await state.pool.fetch(READ_SOME, ids))
    return [row(id_, found[id_]) for id_ in ids]


async def write_each(rows: list[dict[str, int]]) -> None:
    await state.pool.executemany(WRITE, [(found["randomNumber"], found["id"]) for found in rows])


async def json_body(n: str | None) -> object:
    return {"message": "Hello, World!"}


async def json_other_text(n: str | None) -> object:
    return {"message": "Bye"}


async def json_more_keys(n: str | None) -> object:
    return {"message": "Hello, World!", "more": 1}


async def json_wrong_when_busy(n: str | None) -> object:
    return {"message": "Busy" if state.is_busy else "Hello, World!"}


async def plaintext_body(n: str | None) -> object:
    return b"Hello, World!"


async def plaintext_other_text(n: str | None) -> object:
    return b"Bye"


async def plaintext_more_text(n: str | None) -> object:
    return b"Hello, World! Bye"


async def db_body(n: str | None) -> object:
    return await read(drawn())


async def db_cached(n: str | None) -> object:
    return remembered(drawn())


async def db_same_row(n: str | None) -> object:
    return await read(1)


async def db_wrong_number(n: str | None) -> object:
    return off_by_one(await read(drawn()))


async def db_wrong_when_busy(n: str | None) -> object:
    found = await read(drawn())
    return off_by_one(found) if state.is_busy else found


async def db_texts(n: str | None) -> object:
    return {name: str(value) for name, value in (await read(drawn())).items()}


async def db_zero(n: str | None) -> object:
    return row((await read(drawn()))["id"], 0)


async def db_list(n: str | None) -> object:
    return [await read(drawn())]


async def db_more_keys(n: str | None) -> object:
    return {**await read(drawn()), "more": 1}


async def db_twice(n: str | None) -> object:
    await read(drawn())
    return await read(drawn())


async def query_body(n: str | None) -> object:
    return await read_each([drawn() for _ in range(clamped(n))])


async def query_n_ignored(n: str | None) -> object:
    return await read_each([drawn()])


async def query_nothing_for_0(n: str | None) -> object:
    return [] if n == "0" else await query_body(n)


async def query_no_limit(n: str | None) -> object:
    return await read_each([drawn() for _ in range(clamped(n, 10_000))])


async def query_no_words(n: str | None) -> object:
    if n is not None and not n.lstrip("-").isdecimal():
        raise ValueError(n)
    return await query_body(n)


async def query_same_id(n: str | None) -> object:
    return await read_each([drawn()] * clamped(n))


async def query_one_statement(n: str | None) -> object:
    return await read_some(sample(range(1, 10_001), clamped(n)))


async def query_empty_reads(n: str | None) -> object:
    ids = [drawn() for _ in range(clamped(n))]
    for id_ in ids:
        await state.pool.fetch(READ_NOTHING, id_)
    return [remembered(id_) for id_ in ids]


async def cached_body(n: str | None) -> object:
    return [remembered(drawn()) for _ in range(clamped(n))]


async def cached_wrong_number(n: str | None) -> object:
    return [off_by_one(found) for found in await cached_body(n)]


async def cached_uncached(n: str | None) -> object:
    return await read_some([drawn() for _ in range(clamped(n))])


def page(fortunes: list[tuple[int, str]], escape: Callable[[str], str] = html.escape) -> bytes:
    lines = "".join(f"<tr><td>{id_}</td><td>{escape(message)}</td></tr>" for id_, message in fortunes)
    head = "<!doctype html><html><head><title>Fortunes</title></head><body><table>"
    return f"{head}<tr><th>id</th><th>message</th></tr>{lines}</table></body></html>".encode()


async def read_fortunes() -> list[tuple[int, str]]:
    return [tuple(found) for found in await state.pool.fetch(FORTUNES)]


def completed(fortunes: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted([*fortunes, ADDED], key=lambda fortune: fortune[1])


async def fortune_body(n: str | None) -> object:
    return page(completed(await read_fortunes()))


async def fortune_unsorted(n: str | None) -> object:
    return page([*await read_fortunes(), ADDED])


async def fortune_unescaped(n: str | None) -> object:
    return page(completed(await read_fortunes()), escape=str)


async def fortune_none_added(n: str | None) -> object:
    return page(sorted(await read_fortunes(), key=lambda fortune: fortune[1]))


async def fortune_other_text(n: str | None) -> object:
    return page([(id_, message.upper()) for id_, message in completed(await read_fortunes())])


async def fortune_list(n: str | None) -> object:
    return page(completed(await read_fortunes())).replace(b"<table>", b"<ul>").replace(b"td>", b"li>")


async def fortune_cached(n: str | None) -> object:
    return page(completed(state.fortunes))


async def update(n: str | None, reads=read_each, written: Callable[[list], list] = list) -> object:
    """Read N rows in the way given, draw new numbers, write of the rows what is `written`, and return them all."""
    rows = await reads(sorted(sample(range(1, 10_001), clamped(n))))
    rows = [row(found["id"], drawn()) for found in rows]
    await write_each(written(rows))
    return rows


async def update_unwritten(n: str | None) -> object:
    return await update(n, written=lambda rows: [])


async def update_one_written(n: str | None) -> object:
    return await update(n, written=lambda rows: rows[:1])


async def update_few_written(n: str | None) -> object:
    return await update(n, written=lambda rows: rows if len(rows) >= 100 else rows[:1])


async def update_read_together(n: str | None) -> object:
    return await update(n, reads=read_some)


async def update_same_numbers(n: str | None) -> object:
    rows = await read_each(sorted(sample(range(1, 10_001), clamped(n))))
    await write_each(rows)
    return rows


async def update_same_id(n: str | None) -> object:
    rows = [off_by_one(found) for found in await read_each([drawn()] * clamped(n))]
    await write_each(rows)
    return rows


async def update_one_twice(n: str | None) -> object:
    ids = sorted(sample(range(1, 10_001), clamped(n)))
    rows = [off_by_one(found) for found in await read_each([*ids[:-1], ids[0]])]
    await write_each(rows)
    return rows


Body = Callable[[str | None], Awaitable[object]]
HONEST: dict[str, Body] = {
    "json": json_body,
    "plaintext": plaintext_body,
    "db": db_body,
    "query": query_body,
    "cached-query": cached_body,
    "fortune": fortune_body,
    "update": update,
}
BODIES: dict[tuple[str, str], Body] = {
    ("json", "other-text"): json_other_text,
    ("json", "more-keys"): json_more_keys,
    ("json", "wrong-when-busy"): json_wrong_when_busy,
    ("plaintext", "other-text"): plaintext_other_text,
    ("plaintext", "more-text"): plaintext_more_text,
    ("db", "cached"): db_cached,
    ("db", "same-row"): db_same_row,
    ("db", "wrong-number"): db_wrong_number,
    ("db", "wrong-when-busy"): db_wrong_when_busy,
    ("db", "texts"): db_texts,
    ("db", "zero"): db_zero,
    ("db", "list"): db_list,
    ("db", "more-keys"): db_more_keys,
    ("db", "twice"): db_twice,
    ("query", "n-ignored"): query_n_ignored,
    ("query", "nothing-for-0"): query_nothing_for_0,
    ("query", "no-limit"): query_no_limit,
    ("query", "no-words"): query_no_words,
    ("query", "same-id"): query_same_id,
    ("query", "one-statement"): query_one_statement,
    ("query", "empty-reads"): query_empty_reads,
    ("cached-query", "wrong-number"): cached_wrong_number,
    ("cached-query", "uncached"): cached_uncached,
    ("fortune", "unsorted"): fortune_unsorted,
    ("fortune", "unescaped"): fortune_unescaped,
    ("fortune", "none-added"): fortune_none_added,
    ("fortune", "other-text"): fortune_other_text,
    ("fortune", "list"): fortune_list,
    ("fortune", "cached"): fortune_cached,
    ("update", "unwritten"): update_unwritten,
    ("update", "one-written"): update_one_written,
    ("update", "few-written"): update_few_written,
    ("update", "read-together"): update_read_together,
    ("update", "same-numbers"): update_same_numbers,
    ("update", "same-id"): update_same_id,
    ("update", "one-twice"): update_one_twice,
}
KINDS = {"plaintext": "text/plain", "fortune": "text/html; charset=utf-8"}


# -- the server --------------------------------------------------------------------------------------------------------


async def answer(target: str) -> Reply:
    parts = urlsplit(target)
    test = TESTS[parts.path]
    ((n,),) = parse_qs(parts.query, keep_blank_values=True).values() or ((None,),)
    lie = told.get(test, "")
    status, made = "200 OK", None
    try:
        made = await BODIES.get((test, lie), HONEST[test])(n)
    except ValueError:
        status = "400 Bad Request"
    body = made if isinstance(made, bytes) else json.dumps(made).encode()
    headers = {
        "Server": "liar",
        "Date": formatdate(usegmt=True),
        "Content-Type": KINDS.get(test, "application/json"),
        "Content-Length": str(len(body)),
    }
    reply = Reply(body, status, headers=headers)
    ENVELOPE.get(lie, lambda reply: None)(reply)
    return reply


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    state.connections += 1
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            for _ in range(loud):
                print(f"127.0.0.1 - - GET {target} HTTP/1.1 200", flush=True)
            reply = await answer(target)
            writer.write(reply.written())
            await writer.drain()
            if reply.closes:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        state.connections -= 1
        writer.close()


async def main() -> None:
    import asyncpg

    state.pool = await asyncpg.create_pool(
        host="tfb-database",
        user="benchmarkdbuser",
        password="benchmarkdbpass",
        database="hello_world",
        min_size=16,
        max_size=16,
    )
    state.world = dict(await state.pool.fetch(READ_ALL))
    state.fortunes = await read_fortunes()
    server = await asyncio.start_server(serve, "0.0.0.0", 8080, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
