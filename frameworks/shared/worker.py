"""uvicorn's worker for gunicorn, set as uvicorn alone is."""

from typing import ClassVar

from serve import uvicorn_settings
from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    CONFIG_KWARGS: ClassVar = uvicorn_settings()
