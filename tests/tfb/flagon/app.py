"""Bottle on psycopg, a connection for each thread."""

import json
import threading
from html import escape
from random import choices, randint, sample

import psycopg
from bottle import Bottle, request, response

READ = "SELECT id, randomnumber FROM world WHERE id = %s"
WRITE = "UPDATE world SET randomnumber = %s WHERE id = %s"
URL = "postgresql://benchmarkdbuser:benchmarkdbpass@tfb-database/hello_world"
MORE = (0, "Additional fortune added at request time.")

app = Bottle()
own = threading.local()
cached = []


def connection():
    if not hasattr(own, "connection"):
        own.connection = psycopg.connect(URL, autocommit=True)
    return own.connection


def count(name):
    try:
        return min(max(int(request.query.get(name, "")), 1), 500)
    except ValueError:
        return 1


def read(ids):
    with connection().cursor() as cursor:
        rows = [cursor.execute(READ, (number,)).fetchone() for number in ids]
    return [{"id": row[0], "randomNumber": row[1]} for row in rows]


def as_json(value):
    response.content_type = "application/json"
    return json.dumps(value)


@app.get("/json")
def hello():
    return as_json({"message": "Hello, World!"})


@app.get("/db")
def one():
    return as_json(read([randint(1, 10000)])[0])


@app.get("/queries")
def some():
    return as_json(read(randint(1, 10000) for _ in range(count("queries"))))


@app.get("/cached-queries")
def some_cached():
    if not cached:
        found = connection().execute("SELECT id, randomnumber FROM world").fetchall()
        cached[:] = [{"id": row[0], "randomNumber": row[1]} for row in found]
    return as_json(choices(cached, k=count("count")))


@app.get("/update")
def update():
    rows = read(sorted(sample(range(1, 10001), count("queries"))))
    for row in rows:
        row["randomNumber"] = row["randomNumber"] % 10000 + 1
    with connection().transaction(), connection().cursor() as cursor:
        cursor.executemany(WRITE, [(row["randomNumber"], row["id"]) for row in rows])
    return as_json(rows)


@app.get("/fortune")
def fortunes():
    found = sorted([MORE, *connection().execute("SELECT id, message FROM fortune")], key=lambda fortune: fortune[1])
    rows = "".join(f"<tr><td>{number}</td><td>{escape(message)}</td></tr>" for number, message in found)
    response.content_type = "text/html; charset=utf-8"
    return (
        "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
        f"<tr><th>id</th><th>message</th></tr>{rows}</table></body></html>"
    )
