"""The entry django-asgi."""

from .base import *  # noqa: F403

ROOT_URLCONF = "benchmark.api.asynchronous"
