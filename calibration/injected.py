"""The aiohttp entry with a known slowdown of every request, or with a fault that shows only under load.

LAB_BURN_US is the extra CPU time of a request by path, in microseconds: {"/json": 1.5}. LAB_FAULT is one of FAULTS.
"""

import asyncio
import json
import os
import time

import app as entry
from aiohttp import web

BURN_US = json.loads(os.environ.get("LAB_BURN_US", "{}"))
FAULT = os.environ.get("LAB_FAULT", "")
# More requests than these in a second are load, and no verification.
LOADED = 100
STOP_EVERY_S = 3
HOARD_BYTES = 1_000_000

hoard: list[bytes] = []


class Load:
    """How many requests came in the current second, and when that began."""

    requests = 0
    second_began = time.monotonic()


def is_loaded() -> bool:
    now = time.monotonic()
    if now - Load.second_began > 1:
        Load.second_began, Load.requests = now, 0
    Load.requests += 1
    return Load.requests > LOADED


def iterations_per_us() -> float:
    """Return how often the loop of `burn` turns in a microsecond: the fastest of 20 looks, as least disturbed."""
    turns = 100_000
    fastest_ns = min(_timed_ns(turns) for _ in range(20))
    return turns * 1000 / fastest_ns


def burn(turns: int) -> None:
    for _ in range(turns):
        pass


def _timed_ns(turns: int) -> int:
    started_ns = time.thread_time_ns()
    burn(turns)
    return time.thread_time_ns() - started_ns


TURNS = {path: round(burn_us * iterations_per_us()) for path, burn_us in BURN_US.items()}


async def hang(request: web.Request) -> None:
    """Never answer on every other connection."""
    port = request.transport.get_extra_info("peername")[1] if request.transport else 0
    # Linux gives outgoing connections every other port: of these again every other one.
    if port // 2 % 2:
        await asyncio.Event().wait()


async def redirect(request: web.Request) -> None:
    raise web.HTTPFound("/elsewhere")


async def fail(request: web.Request) -> None:
    raise web.HTTPInternalServerError


async def lie(request: web.Request) -> None:
    raise web.HTTPOk(text="busy", content_type="text/plain")


async def stop(request: web.Request) -> None:
    """Stand still for every third second of the clock, and so all workers together: else the others would fill in."""
    second, rest = divmod(time.time(), 1)
    if second % STOP_EVERY_S == 0:
        time.sleep(1 - rest)


async def eat(request: web.Request) -> None:
    """Keep memory until there is none."""
    hoard.append(b"x" * HOARD_BYTES)  # zeros would take no memory before they are read


FAULTS = {"hang": hang, "302": redirect, "500": fail, "lie": lie, "stop": stop, "memory": eat}


@web.middleware
async def injected(request: web.Request, handler) -> web.StreamResponse:
    burn(TURNS.get(request.path, 0))
    if FAULT and is_loaded():
        await FAULTS[FAULT](request)
    return await handler(request)


async def app() -> web.Application:
    application = web.Application(middlewares=[injected])
    application.add_routes(entry.ROUTES)
    application.cleanup_ctx.append(entry.database)
    return application
