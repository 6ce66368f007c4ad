"""WSGI by hand, behind gunicorn's sync workers: each answer ends its connection."""

import json
from random import randint

import psycopg

URL = "postgresql://benchmarkdbuser:benchmarkdbpass@tfb-database/hello_world"
connections = []


def connection():
    if not connections:
        connections.append(psycopg.connect(URL, autocommit=True))
    return connections[0]


def row():
    # An object mapper that has the column's name as Postgres has it.
    with connection().cursor() as cursor:
        number, drawn = cursor.execute(
            "SELECT id, randomnumber FROM world WHERE id = %s", (randint(1, 10_000),)
        ).fetchone()
    return {"id": number, "randomnumber": drawn}


def app(environ, start):
    path = environ["PATH_INFO"]
    if path == "/plaintext":
        kind, body = "text/plain", b"Hello, World!"
    elif path == "/json":
        kind, body = "application/json", json.dumps({"message": "Hello, World!"}).encode()
    elif path == "/db":
        kind, body = "application/json", json.dumps(row()).encode()
    else:
        start("404 Not Found", [("Content-Length", "0")])
        return [b""]
    start("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
