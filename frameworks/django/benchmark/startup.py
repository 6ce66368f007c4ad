"""What a worker does before its first request and after its last."""

import logging
from importlib import import_module

from django.conf import settings
from django.db import connection

from . import rows
from .models import World

log = logging.getLogger(__name__)


def prepare(loop: str) -> None:
    """Open all connections, fill the cache, and log what the worker is made of.

    Raises PoolTimeout where the database does not answer within 10 s.
    """
    connection.pool.open(wait=True, timeout=10)
    rows.fill_cache()
    connection.close()
    api = import_module(settings.ROOT_URLCONF)
    log.info(
        "started: framework=%s loop=%s json=%s driver=%s data=%s pool=%s",
        api.FRAMEWORK.__module__,
        loop,
        api.JSON.__name__,
        connection.Database.__name__,
        type(World.objects).__module__,
        connection.pool.get_stats()["pool_available"],
    )


def close() -> None:
    connection.close_pool()
