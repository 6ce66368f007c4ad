"""Litestar with Jinja2 templates, over SQL by hand."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import itemgetter
from pathlib import Path
from random import randint, sample

import raw
from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.logging import LoggingConfig
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.serialization import msgspec_hooks
from litestar.template import TemplateConfig

log = logging.getLogger(__name__)


@get("/json")
async def json() -> dict[str, str]:
    return {"message": "Hello, World!"}


@get("/plaintext", media_type=MediaType.TEXT)
async def plaintext() -> str:
    return "Hello, World!"


@get("/db")
async def db(database: raw.Database) -> raw.Row:
    return await database.row(randint(1, 10000))


@get("/queries")
async def queries(database: raw.Database, queries: str = "1") -> list[raw.Row]:
    return await database.rows([randint(1, 10000) for _ in range(number_of_rows(queries))])


@get("/cached-queries")
async def cached_queries(cache: dict[int, raw.Row], count: str = "1") -> list[raw.Row]:
    return [cache[randint(1, 10000)] for _ in range(number_of_rows(count))]


@get("/fortunes")
async def fortunes(database: raw.Database) -> Template:
    found = await database.fortunes()
    found.append((0, "Additional fortune added at request time."))
    found.sort(key=itemgetter(1))
    return Template("fortunes.html", context={"fortunes": found})


@get("/updates")
async def updates(database: raw.Database, queries: str = "1") -> list[raw.Row]:
    return await database.updated(sample(range(1, 10001), number_of_rows(queries)))


def number_of_rows(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        return 1
    return min(max(number, 1), 500)


async def provide_database(state: State) -> raw.Database:
    return state.database


async def provide_cache(state: State) -> dict[int, raw.Row]:
    return state.cache


def unavailable(request: Request, error: Exception) -> Response[str]:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    return Response("Service Unavailable", status_code=503, media_type=MediaType.TEXT)


@asynccontextmanager
async def database(app: Litestar) -> AsyncIterator[None]:
    """Open the database, and fill the cache, while the worker starts; the application's state has both."""
    app.state.database = await raw.Database.open()
    app.state.cache = {row["id"]: row for row in await app.state.database.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        msgspec_hooks.msgspec.__name__,
        app.state.database,
    )
    yield
    await app.state.database.close()


app = Litestar(
    [json, plaintext, db, queries, cached_queries, fortunes, updates],
    lifespan=[database],
    dependencies={"database": provide_database, "cache": provide_cache},
    exception_handlers=dict.fromkeys(raw.LATE, unavailable),
    template_config=TemplateConfig(directory=Path(__file__).parent, engine=JinjaTemplateEngine),
    logging_config=LoggingConfig(log_exceptions="always", disable_stack_trace={404, *raw.LATE}),
)
