"""FastAPI with response models and Jinja2 templates, over the data layer that DATA_LAYER names: orm or raw."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from random import randint, sample
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, BeforeValidator, Field
from starlette_choices import RESPONSES, middleware

# Only the one that is used: the other's library would lie in memory for nothing.
layer = import_module(os.environ["DATA_LAYER"])

JSON = os.environ.get("JSON", "pydantic")
# Pydantic itself writes what a response model describes, unless FastAPI is given a class of responses.
responses = {} if JSON == "pydantic" else {"default_response_class": RESPONSES[JSON]}

log = logging.getLogger(__name__)
templates = Jinja2Templates(Path(__file__).parent)


class Message(BaseModel):
    message: str


class World(BaseModel):
    id: int
    random_number: int = Field(alias="randomNumber")


def number_of_rows(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        return 1
    return min(max(number, 1), 500)


# Asynchronous, because FastAPI would hand an ordinary function to a thread, for each request.
async def get_database(request: Request) -> Any:
    return request.state.database


async def get_cache(request: Request) -> dict[int, dict[str, int]]:
    return request.state.cache


Database = Annotated[Any, Depends(get_database)]
Cache = Annotated[dict[int, dict[str, int]], Depends(get_cache)]
Rows = Annotated[int, BeforeValidator(number_of_rows)]


async def unavailable(request: Request, error: Exception) -> PlainTextResponse:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    return PlainTextResponse("Service Unavailable", status_code=503)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """Open the database, and fill the cache, while the worker starts; every request's state has both."""
    database = await layer.Database.open()
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        JSON,
        database,
    )
    yield {"database": database, "cache": {row["id"]: row for row in await database.all_rows()}}
    await database.close()


app = FastAPI(
    lifespan=lifespan,
    middleware=middleware,
    exception_handlers=dict.fromkeys(layer.LATE, unavailable),
    **responses,
)


@app.get("/json")
async def json() -> Message:
    return Message(message="Hello, World!")


@app.get("/plaintext", response_class=PlainTextResponse)
async def plaintext() -> str:
    return "Hello, World!"


@app.get("/db", response_model=World)
async def db(database: Database) -> Any:
    return await database.row(randint(1, 10000))


@app.get("/queries", response_model=list[World])
async def queries(database: Database, queries: Rows = 1) -> Any:
    return await database.rows([randint(1, 10000) for _ in range(queries)])


@app.get("/cached-queries", response_model=list[World])
async def cached_queries(cache: Cache, count: Rows = 1) -> Any:
    return [cache[randint(1, 10000)] for _ in range(count)]


@app.get("/fortunes", response_class=HTMLResponse)
async def fortunes(request: Request, database: Database) -> Any:
    found = await database.fortunes()
    found.append((0, "Additional fortune added at request time."))
    found.sort(key=itemgetter(1))
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": found})


@app.get("/updates", response_model=list[World])
async def updates(database: Database, queries: Rows = 1) -> Any:
    return await database.updated(sample(range(1, 10001), queries))
