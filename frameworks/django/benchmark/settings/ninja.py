"""The entry ninja."""

from .base import *  # noqa: F403

ROOT_URLCONF = "benchmark.api.ninja"
