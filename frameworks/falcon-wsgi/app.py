"""Falcon's WSGI application with Jinja2, over SQL by hand."""

import atexit
import logging
from operator import itemgetter
from pathlib import Path
from random import randint, sample

import falcon
import falcon.media.json
import raw_sync
from jinja2 import Environment, FileSystemLoader

log = logging.getLogger("gunicorn.error")
templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
fortunes_page = templates.get_template("fortunes.html")
database = raw_sync.Database.open()
atexit.register(database.close)
cache = {row["id"]: row for row in database.all_rows()}


class Json:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = {"message": "Hello, World!"}


class Plaintext:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = "Hello, World!"


class Db:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = database.row(randint(1, 10000))


class Queries:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = database.rows([randint(1, 10000) for _ in range(number_of_rows(request, "queries"))])


class CachedQueries:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = [cache[randint(1, 10000)] for _ in range(number_of_rows(request, "count"))]


class Fortunes:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        rows = database.fortunes()
        rows.append((0, "Additional fortune added at request time."))
        rows.sort(key=itemgetter(1))
        response.content_type = falcon.MEDIA_HTML
        response.text = fortunes_page.render(fortunes=rows)


class Updates:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = database.updated(sample(range(1, 10001), number_of_rows(request, "queries")))


def number_of_rows(request: falcon.Request, name: str) -> int:
    try:
        number = int(request.params[name])
    except (KeyError, ValueError):
        return 1
    return min(max(number, 1), 500)


def unavailable(request: falcon.Request, response: falcon.Response, error: Exception, params: dict[str, str]) -> None:
    """Answer for a database that takes too long; any other failure of it is a plain 500."""
    raise falcon.HTTPServiceUnavailable from error


app = falcon.App()
app.add_error_handler(raw_sync.LATE, unavailable)
app.add_route("/json", Json())
app.add_route("/plaintext", Plaintext())
app.add_route("/db", Db())
app.add_route("/queries", Queries())
app.add_route("/cached-queries", CachedQueries())
app.add_route("/fortunes", Fortunes())
app.add_route("/updates", Updates())
log.info("started: framework=%s json=%s %s", type(app).__module__, falcon.media.json.json.__name__, database)
