"""uvicorn's gunicorn worker, with nothing left to what happens to be installed."""

from typing import ClassVar

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    CONFIG_KWARGS: ClassVar = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",  # "auto" would go on without a database pool when the start-up fails
        "access_log": False,
        "timeout_graceful_shutdown": 1,  # s; see graceful_timeout in gunicorn.conf.py
    }
