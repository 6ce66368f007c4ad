"""Robyn on its own server, with its Jinja2 templates, over SQL by hand."""

import asyncio
import logging
import os
import resource
import signal
import sys
from operator import itemgetter
from pathlib import Path
from random import randint, sample

import raw
from robyn import Request, Response, Robyn
from robyn.argument_parser import Config
from robyn.jsonify import orjson
from robyn.templating import JinjaTemplate

config = Config()
config.processes = int(os.environ["WEB_CONCURRENCY"])
config.log_level = "WARN"
config.disable_openapi = True
app = Robyn(__file__, config=config)

log = logging.getLogger("robyn.logger")
log.setLevel(logging.INFO)
templates = JinjaTemplate(Path(__file__).parent)

database: raw.Database
cache: dict[int, raw.Row]


@app.exception
def failed(error: Exception) -> Response:
    """Answer 503 for a database that takes too long, and 500 for any other failure.

    Robyn's routes have the handler that is there when they are added.
    """
    if isinstance(error, raw.LATE):
        return Response(status_code=503, headers={}, description="Service Unavailable")
    log.error("%s", error, exc_info=error)
    return Response(status_code=500, headers={}, description="Internal Server Error")


@app.get("/json")
async def json(request: Request):
    return {"message": "Hello, World!"}


@app.get("/plaintext")
async def plaintext(request: Request):
    return "Hello, World!"


@app.get("/db")
async def db(request: Request):
    return await database.row(randint(1, 10000))


@app.get("/queries")
async def queries(request: Request):
    return await database.rows([randint(1, 10000) for _ in range(number_of_rows(request, "queries"))])


@app.get("/cached-queries")
async def cached_queries(request: Request):
    return [cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))]


@app.get("/fortunes")
async def fortunes(request: Request):
    rows = await database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    return templates.render_template("fortunes.html", fortunes=rows)


@app.get("/updates")
async def updates(request: Request):
    return await database.updated(sample(range(1, 10001), number_of_rows(request, "queries")))


def number_of_rows(request: Request, name: str) -> int:
    try:
        number = int(request.query_params.get(name, "1"))
    except ValueError:
        return 1
    return min(max(number, 1), 500)


async def start() -> None:
    """Open the database, and fill the cache, while the worker starts."""
    global database, cache
    database = await raw.Database.open()
    cache = {row["id"]: row for row in await database.all_rows()}
    log.info(
        "started: framework=%s loop=%s json=%s %s",
        type(app).__module__,
        type(asyncio.get_running_loop()).__module__,
        orjson.__name__,
        database,
    )


app.startup_handler(start)
app.set_response_header("Server", "robyn")

if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # A single process has no parent that ends it, and Robyn's server would go on listening.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    app.start(host="0.0.0.0", port=8080, keep_alive_timeout=620)
