"""Bottle with its Jinja2 templates, over SQL by hand."""

import atexit
import logging
from collections.abc import Callable
from functools import wraps
from operator import itemgetter
from random import randint, sample

import raw_sync
from bottle import Bottle, HTTPError, jinja2_template, json_dumps, request, response

log = logging.getLogger("gunicorn.error")
app = Bottle()
database = raw_sync.Database.open()
atexit.register(database.close)
cache = {row["id"]: row for row in database.all_rows()}
log.info("started: framework=%s json=%s %s", type(app).__module__, json_dumps.__module__, database)


def reads_database(handler: Callable[[], object]) -> Callable[[], object]:
    """Answer 503 where the database takes too long; any other failure of it is a plain 500."""

    @wraps(handler)
    def guarded() -> object:
        try:
            return handler()
        except raw_sync.LATE as error:
            raise HTTPError(503) from error

    return guarded


@app.get("/json")
def json():
    return {"message": "Hello, World!"}


@app.get("/plaintext")
def plaintext():
    response.content_type = "text/plain; charset=utf-8"
    return "Hello, World!"


@app.get("/db")
@reads_database
def db():
    return database.row(randint(1, 10000))


@app.get("/queries")
@reads_database
def queries():
    return json_list(database.rows([randint(1, 10000) for _ in range(number_of_rows("queries"))]))


@app.get("/cached-queries")
def cached_queries():
    return json_list([cache[randint(1, 10000)] for _ in range(number_of_rows("count"))])


@app.get("/fortunes")
@reads_database
def fortunes():
    rows = database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    return jinja2_template("fortunes.html", template_settings={"autoescape": True}, fortunes=rows)


@app.get("/updates")
@reads_database
def updates():
    return json_list(database.updated(sample(range(1, 10001), number_of_rows("queries"))))


def json_list(rows: list[dict[str, int]]) -> str:
    """Return the rows as JSON: of what a handler returns, Bottle makes only a dict into JSON by itself."""
    response.content_type = "application/json"
    return json_dumps(rows)


def number_of_rows(name: str) -> int:
    return min(max(request.query.get(name, default=1, type=int), 1), 500)
