"""Starlette with its own Jinja2 templates, over the data layer that DATA_LAYER names."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from random import randint, sample

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette_choices import RESPONSES, middleware

# Only the one that is used: the other's driver would lie in memory for nothing.
layer = import_module(os.environ["DATA_LAYER"])

JSON = os.environ.get("JSON", "json")
JSONResponse = RESPONSES[JSON]

log = logging.getLogger(__name__)
templates = Jinja2Templates(Path(__file__).parent)


async def json(request: Request) -> JSONResponse:
    return JSONResponse({"message": "Hello, World!"})


async def plaintext(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, World!")


async def db(request: Request) -> JSONResponse:
    return JSONResponse(await request.state.database.row(randint(1, 10000)))


async def queries(request: Request) -> JSONResponse:
    ids = [randint(1, 10000) for _ in range(number_of_rows(request, "queries"))]
    return JSONResponse(await request.state.database.rows(ids))


async def cached_queries(request: Request) -> JSONResponse:
    cache = request.state.cache
    return JSONResponse([cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))])


async def fortunes(request: Request) -> Response:
    found = await request.state.database.fortunes()
    found.append((0, "Additional fortune added at request time."))
    found.sort(key=itemgetter(1))
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": found})


async def updates(request: Request) -> JSONResponse:
    ids = sample(range(1, 10001), number_of_rows(request, "queries"))
    return JSONResponse(await request.state.database.updated(ids))


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.query_params[name])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


async def unavailable(request: Request, error: Exception) -> PlainTextResponse:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    return PlainTextResponse("Service Unavailable", status_code=503)


@asynccontextmanager
async def database(app: Starlette) -> AsyncIterator[dict[str, object]]:
    """Open the database, and fill the cache, while the worker starts; every request's state has both."""
    opened = await layer.Database.open()
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        JSON,
        opened,
    )
    yield {"database": opened, "cache": {row["id"]: row for row in await opened.all_rows()}}
    await opened.close()


app = Starlette(
    routes=[
        Route("/json", json),
        Route("/plaintext", plaintext),
        Route("/db", db),
        Route("/queries", queries),
        Route("/cached-queries", cached_queries),
        Route("/fortunes", fortunes),
        Route("/updates", updates),
    ],
    middleware=middleware,
    exception_handlers=dict.fromkeys(layer.LATE, unavailable),
    lifespan=database,
)
