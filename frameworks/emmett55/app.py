"""Emmett55 with Renoir's templates, over SQL by hand."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from typing import Any

import raw
from emmett55 import App, Pipe, abort, request, response
from emmett55.extensions import Extension, Signals, listen_signal
from emmett55.serializers import Serializers
from emmett55.tools import service
from renoir import Renoir

log = logging.getLogger(__name__)
templates = Renoir(path=str(Path(__file__).parent))


class Tables(Extension):
    """The database and the cache of a worker."""

    database: raw.Database
    cache: dict[int, raw.Row]

    @listen_signal(Signals.after_loop)
    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self.database = loop.run_until_complete(raw.Database.open())
        self.cache = {row["id"]: row for row in loop.run_until_complete(self.database.all_rows())}
        log.info(
            "started: framework=%s loop=%s json=%s %s",
            type(self.app).__module__,
            type(loop).__module__,
            Serializers.get_for("json").func.__module__,
            self.database,
        )


class Unavailable(Pipe):
    """Answers 503 where the database takes too long; any other failure of it is Emmett's 500."""

    async def pipe_request(self, next_pipe: Callable[..., Awaitable[Any]], **kwargs: Any) -> Any:
        try:
            return await next_pipe(**kwargs)
        except raw.LATE:
            abort(503, "Service Unavailable")


app = App(__name__)
app.pipeline = [Unavailable()]
tables = app.use_extension(Tables)


@app.route("/json", methods="get")
@service.json
async def json() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.route("/plaintext", methods="get", output="str")
async def plaintext() -> str:
    response.content_type = "text/plain"
    return "Hello, World!"


@app.route("/db", methods="get")
@service.json
async def db() -> raw.Row:
    return await tables.database.row(randint(1, 10000))


@app.route("/queries", methods="get")
@service.json
async def queries() -> list[raw.Row]:
    return await tables.database.rows([randint(1, 10000) for _ in range(number_of_rows("queries"))])


@app.route("/cached-queries", methods="get")
@service.json
async def cached_queries() -> list[raw.Row]:
    return [tables.cache[randint(1, 10000)] for _ in range(number_of_rows("count"))]


@app.route("/fortunes", methods="get", output="str")
async def fortunes() -> str:
    rows = await tables.database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    response.content_type = "text/html; charset=utf-8"
    return templates.render("fortunes.html", {"fortunes": rows})


@app.route("/updates", methods="get")
@service.json
async def updates() -> list[raw.Row]:
    return await tables.database.updated(sample(range(1, 10001), number_of_rows("queries")))


def number_of_rows(name: str) -> int:
    try:
        number = int(request.query_params[name] or 1)
    except (TypeError, ValueError):
        return 1
    return min(max(number, 1), 500)
