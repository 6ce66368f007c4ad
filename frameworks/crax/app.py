"""crax with its own Jinja2 views, over the data layer that DATA_LAYER names: orm or raw."""

import asyncio
import logging
import os
from importlib import import_module
from operator import itemgetter
from random import randint, sample
from typing import Any, ClassVar

import crax.response_types
from crax import Crax
from crax.request import Request
from crax.response_types import BaseResponse, JSONResponse
from crax.urls import Route, Url
from crax.views import JSONView, TemplateView
from jinja2 import Template

# Only the one that is used: the other's library would lie in memory for nothing.
layer = import_module(os.environ["DATA_LAYER"])

# Behind gunicorn this logger is gunicorn's.
log = logging.getLogger("uvicorn.error")

database: Any
cache: dict[int, dict[str, int]]


class Methods(list):
    """A view's HTTP methods, safe from crax 0.1.5.

    For each request crax runs `methods += ["HEAD", "OPTIONS"]` on a list that all views share: it would grow for ever.
    """

    def __iadd__(self, added):
        return self


METHODS = Methods(["GET", "HEAD", "OPTIONS"])


class Db(JSONView):
    methods = METHODS

    async def get(self) -> None:
        self.context = await database.row(randint(1, 10000))


class Queries(JSONView):
    methods = METHODS

    async def get(self) -> None:
        ids = [randint(1, 10000) for _ in range(number_of_rows(self.request, "queries"))]
        self.context = await database.rows(ids)


class CachedQueries(JSONView):
    methods = METHODS

    async def get(self) -> None:
        self.context = [cache[randint(1, 10000)] for _ in range(number_of_rows(self.request, "count"))]


class Fortunes(TemplateView):
    methods = METHODS
    template = "fortunes.html"
    compiled: ClassVar[Template | None] = None

    async def get(self) -> None:
        fortunes = await database.fortunes()
        fortunes.append((0, "Additional fortune added at request time."))
        fortunes.sort(key=itemgetter(1))
        self.context = {"fortunes": fortunes}

    def get_template(self) -> Template:
        """Return crax's template, compiled once; crax 0.1.5 would search and compile it for each request."""
        if Fortunes.compiled is None:
            Fortunes.compiled = super().get_template()
        return Fortunes.compiled


class Updates(JSONView):
    methods = METHODS

    async def get(self) -> None:
        self.context = await database.updated(sample(range(1, 10001), number_of_rows(self.request, "queries")))


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.query[name][0])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


async def start() -> None:
    global database, cache
    database = await layer.Database.open()
    cache = {row["id"]: row for row in await database.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        crax.response_types.json.__name__,
        database,
    )


# crax takes its settings from this module. Left out on purpose:
# * STATIC_DIRS: crax would append to the list, and search it, on every request;
# * ERROR_HANDLERS: without them an exception in a view is answered with a plain 500.
APPLICATIONS = ["."]  # crax looks for templates here; without it, in its own package only
URL_PATTERNS = [
    Route(Url("/json"), JSONResponse(None, {"message": "Hello, World!"})),
    Route(Url("/plaintext"), BaseResponse(None, b"Hello, world!")),
    Route(Url("/db"), Db),
    Route(Url("/queries"), Queries),
    Route(Url("/cached-queries"), CachedQueries),
    Route(Url("/fortunes"), Fortunes),
    Route(Url("/updates"), Updates),
]

app = Crax(settings="app", on_startup=start)
if app.errors:  # crax keeps a failed import of its settings for itself and answers every request with 500
    raise app.errors
