"""The aiohttp entry with a known slowdown of every request, with a known rate, or with a fault that shows under load.

LAB_BURN_US is the extra CPU time of a request by path, in microseconds: {"/json": 1.5}. What it really took, and of how
many requests, is answered under BURDEN_PATH. LAB_PERIOD_MS is how often each connection is answered. LAB_FAULT is one
of FAULTS.
"""

import asyncio
import json
import mmap
import os
import time
from pathlib import Path
from weakref import WeakKeyDictionary

import app as entry
from aiohttp import web

BURN_US = json.loads(os.environ.get("LAB_BURN_US", "{}"))
BURDEN_PATH = "/lab-burden"
PERIOD_S = float(os.environ.get("LAB_PERIOD_MS", "0")) / 1000
FAULT = os.environ.get("LAB_FAULT", "")
# More requests than these in a second are load, and no verification.
LOADED = 100
# Less than a slice is loaded for, so that each of them meets a stop.
RUNS_S = 0.3
# In pieces of 10 kB the kernel looked for memory for two minutes, and killed nothing.
HOARD_BYTES = 1_000_000
# Of each path that is slowed down: how many requests, and how many nanoseconds.
WORDS, WORD_BYTES = 2, 8
WORKERS = Path("/tmp")

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


def counts_of_this_worker() -> memoryview:
    """Return the worker's own counts; they are in a file, which the other workers can read."""
    with (WORKERS / f"burden-{os.getpid()}").open("w+b") as file:
        file.truncate(len(BURN_US) * WORDS * WORD_BYTES)
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


def slow_down(place: int, turns: int) -> None:
    """Burn CPU time, and count how much that took, with nearly all of what counting costs."""
    began_ns = time.thread_time_ns()
    burn(turns)
    counts[place] += 1
    counts[place + 1] += time.thread_time_ns() - began_ns


def clock_step_ns() -> int:
    """Return the least time that the clock of `slow_down` can tell from none: its step, or what a look at it takes."""
    return min(_step_ns() for _ in range(20))


def _step_ns() -> int:
    began_ns = time.thread_time_ns()
    while (now_ns := time.thread_time_ns()) == began_ns:
        pass
    return now_ns - began_ns


async def burden(_: web.Request) -> web.Response:
    """Answer how many requests of each path were slowed down so far, and how many ns that took, in all workers."""
    workers = [memoryview(file.read_bytes()).cast("Q") for file in WORKERS.glob("burden-*")]
    paths = {
        path: {"requests": sum(each[place] for each in workers), "thread_ns": sum(each[place + 1] for each in workers)}
        for path, (place, _) in SLOWED.items()
    }
    return web.json_response({"clock_step_ns": clock_step_ns(), "paths": paths})


counts = counts_of_this_worker() if BURN_US else memoryview(b"")
# By path: its place in the counts, and how often the loop turns.
SLOWED = {
    path: (number * WORDS, round(burn_us * iterations_per_us()))
    for number, (path, burn_us) in enumerate(BURN_US.items())
}
# By connection, each of which has a task of its own: when it is answered next.
due_s: WeakKeyDictionary[asyncio.Task, float] = WeakKeyDictionary()


async def await_turn(request: web.Request) -> None:
    """Return when the connection is due: every PERIOD_S from its first request on, so that lateness does not add up."""
    now_s = time.monotonic()
    due_s[request.task] = due_s.get(request.task, now_s) + PERIOD_S
    await asyncio.sleep(due_s[request.task] - now_s)


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
    """Run in the first part of each second of the clock, and so all workers together: else the others would fill in."""
    rest = time.time() % 1
    if rest > RUNS_S:
        time.sleep(1 - rest)


async def eat(request: web.Request) -> None:
    """Keep memory until there is none."""
    hoard.append(b"x" * HOARD_BYTES)  # zeros would take no memory before they are read


FAULTS = {"hang": hang, "302": redirect, "500": fail, "lie": lie, "stop": stop, "memory": eat}


@web.middleware
async def injected(request: web.Request, handler) -> web.StreamResponse:
    if request.path in SLOWED:
        slow_down(*SLOWED[request.path])
    if PERIOD_S:
        await await_turn(request)
    if FAULT and is_loaded():
        await FAULTS[FAULT](request)
    return await handler(request)


async def app() -> web.Application:
    application = web.Application(middlewares=[injected])
    application.add_routes([*entry.ROUTES, web.get(BURDEN_PATH, burden)])
    application.cleanup_ctx.append(entry.database)
    return application
