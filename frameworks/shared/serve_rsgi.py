"""The RSGI application `app` of app.py behind granian, with a worker for each CPU; set as serve.py sets its servers."""

import logging
import os
import resource

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings

LOOPS = {"uvloop": Loops.uvloop, "asyncio": Loops.asyncio}

# For what the application logs; granian has a logger of its own.
logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s")

if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Granian(
        "app:app",
        address="0.0.0.0",
        port=8080,
        interface=Interfaces.RSGI,
        workers=int(os.environ["WEB_CONCURRENCY"]),
        loop=LOOPS[os.environ.get("LOOP", "uvloop")],
        websockets=False,
        backlog=2048,
        backpressure=20_000,  # connections of each worker: more would wait, however idle the others are
        http1_settings=HTTP1Settings(header_read_timeout=620_000),  # ms; idle connections end by it too
        respawn_failed_workers=True,
        workers_kill_timeout=1,  # s; the load is over when the container is stopped
    ).serve()
