"""Serves the ASGI application `app` of app.py on port 8080, by the server that SERVER names.

Each server has as many workers as WEB_CONCURRENCY says, one backlog and the same time limits, no WebSockets and no
access log. CHOICES are environment variables; the first level of each is the usual one.
"""

import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from inspect import signature
from multiprocessing import Process
from multiprocessing.connection import wait

CHOICES = {
    "SERVER": ("uvicorn", "granian", "hypercorn", "gunicorn"),
    "LOOP": ("uvloop", "asyncio"),
    "HTTP": ("httptools", "h11"),  # what uvicorn reads requests with, alone or behind gunicorn
    "FORWARDED": ("on", "off"),  # whether it looks at X-Forwarded-For and X-Forwarded-Proto
}
OF_UVICORN = ("HTTP", "FORWARDED")
BACKLOG = 2_048  # connections
KEEP_ALIVE_S = 620  # longer than the longest sample, so that no connection is closed under load
GRACE_S = 1  # the load is over when the container is stopped

# For what the application logs; servers have loggers of their own. Workers import this module, or are forked from the
# process that did.
logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")


def chosen(name: str) -> str:
    """Return the level that the environment has of a choice, or the usual one.

    Raises SystemExit where there is no such level, or the server has no such choice.
    """
    usual = CHOICES[name][0]
    level = os.environ.get(name, usual)
    if level not in CHOICES[name]:
        raise SystemExit(f"error: {name}={level}; use {' or '.join(CHOICES[name])}")
    if level != usual and name in OF_UVICORN and chosen("SERVER") not in ("uvicorn", "gunicorn"):
        raise SystemExit(f"error: {name}={level}, which {chosen('SERVER')} does not have; use uvicorn or gunicorn")
    return level


# Seconds, as long as gunicorn waits for a worker's sign of life; uvicorn before 0.37 has a fixed time.
HEALTHCHECK = "timeout_worker_healthcheck"


def uvicorn_settings() -> dict[str, object]:
    """Return what uvicorn gets, alone or as gunicorn's worker; nothing is left to what happens to be installed."""
    return {
        "loop": chosen("LOOP"),
        "http": chosen("HTTP"),
        "proxy_headers": chosen("FORWARDED") == "on",
        "ws": "none",
        "lifespan": "on",  # "auto" would go on without a database when the start-up fails
        "access_log": False,
        "timeout_graceful_shutdown": GRACE_S,
    }


def run_uvicorn() -> None:
    import uvicorn

    uvicorn.run(
        "app:app",
        host="0.0.0.0",
        port=8080,
        workers=int(os.environ["WEB_CONCURRENCY"]),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        **({HEALTHCHECK: 30} if HEALTHCHECK in signature(uvicorn.run).parameters else {}),
        **uvicorn_settings(),
    )


def run_granian() -> None:
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.http import HTTP1Settings

    Granian(
        "app:app",
        address="0.0.0.0",
        port=8080,
        interface=Interfaces.ASGI,
        workers=int(os.environ["WEB_CONCURRENCY"]),
        loop=Loops(chosen("LOOP")),
        backlog=BACKLOG,
        backpressure=20_000,  # connections of each worker: more would wait, however idle the others are
        http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE_S * 1_000),  # ms; idle connections end by it too
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_S,
    ).serve()


def run_hypercorn() -> None:
    """Run hypercorn's workers from here: its own master ends, without a word, when it loses the first of them."""
    from hypercorn.asyncio.run import asyncio_worker, uvloop_worker
    from hypercorn.config import Config

    config = Config()
    config.application_path = "asgi:app:app"
    config.bind = "0.0.0.0:8080"
    config.backlog = BACKLOG
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.keep_alive_max_requests = sys.maxsize  # by itself, it would close a connection after 1,000
    config.graceful_timeout = GRACE_S
    config.errorlog = logging.getLogger("hypercorn.error")  # with a handler of its own, each line would be there twice
    worker = {"uvloop": uvloop_worker, "asyncio": asyncio_worker}[chosen("LOOP")]
    keep_running(worker, config, config.create_sockets())


def keep_running(worker: Callable[..., None], *arguments: object) -> None:
    """Keep as many processes at work as there are to be workers, until SIGTERM.

    One that ends is replaced, unless by an error of its own: another would fail as well, so all end.
    """

    def start() -> Process:
        process = Process(target=worker, args=arguments)
        process.start()
        return process

    processes = [start() for _ in range(int(os.environ["WEB_CONCURRENCY"]))]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while True:
            wait([process.sentinel for process in processes])
            for place, process in enumerate(processes):
                if process.exitcode is None:
                    continue
                logging.error("Worker %d has ended (exit code %d)", process.pid, process.exitcode)
                if process.exitcode > 0:
                    sys.exit(process.exitcode)
                processes[place] = start()
    finally:
        for process in processes:
            process.terminate()


def run_gunicorn() -> None:
    """Run what `gunicorn app:app` does; gunicorn.conf.py has its settings, and worker.py is uvicorn's worker."""
    from gunicorn.app.wsgiapp import WSGIApplication

    sys.argv[1:] = ["app:app"]
    WSGIApplication().run()


SERVERS = {"uvicorn": run_uvicorn, "granian": run_granian, "hypercorn": run_hypercorn, "gunicorn": run_gunicorn}

if __name__ == "__main__":
    levels = {name: chosen(name) for name in CHOICES}
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    SERVERS[levels["SERVER"]]()
