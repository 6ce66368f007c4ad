"""Flask with its Jinja2 templates, over the data layer that DATA_LAYER names: raw_sync or orm_sync."""

import atexit
import logging
import os
from importlib import import_module
from operator import itemgetter
from random import randint, sample

import flask.json.provider
from flask import Flask, Response, render_template, request

# Only the one that is used: the other's library would lie in memory for nothing.
layer = import_module(os.environ["DATA_LAYER"])

log = logging.getLogger("gunicorn.error")
app = Flask(__name__, template_folder=".")
database = layer.Database.open()
atexit.register(database.close)
cache = {row["id"]: row for row in database.all_rows()}
log.info("started: framework=%s json=%s %s", type(app).__module__, flask.json.provider.json.__name__, database)


@app.get("/json")
def json():
    return {"message": "Hello, World!"}


@app.get("/plaintext")
def plaintext():
    return Response("Hello, World!", mimetype="text/plain")


@app.get("/db")
def db():
    return database.row(randint(1, 10000))


@app.get("/queries")
def queries():
    return database.rows([randint(1, 10000) for _ in range(number_of_rows("queries"))])


@app.get("/cached-queries")
def cached_queries():
    return [cache[randint(1, 10000)] for _ in range(number_of_rows("count"))]


@app.get("/fortunes")
def fortunes():
    rows = database.fortunes()
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=itemgetter(1))
    return render_template("fortunes.html", fortunes=rows)


@app.get("/updates")
def updates():
    return database.updated(sample(range(1, 10001), number_of_rows("queries")))


def number_of_rows(name: str) -> int:
    return min(max(request.args.get(name, default=1, type=int), 1), 500)


def unavailable(error: Exception) -> tuple[str, int]:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    return "Service Unavailable", 503


for late in layer.LATE:
    app.register_error_handler(late, unavailable)
