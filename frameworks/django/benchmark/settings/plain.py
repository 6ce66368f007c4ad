"""The entry django."""

from .base import *  # noqa: F403

ROOT_URLCONF = "benchmark.api.plain"
