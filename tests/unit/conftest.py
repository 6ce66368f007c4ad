"""Records to test with: small, complete, and changed one field at a time by the tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchlab import profiles
from benchlab.model import Entry, Errors, Latency, Level, Load, Manifest, Sample, Settings, Trial

LABELS = {
    "framework": "x",
    "orm": "raw",
    "driver": "asyncpg",
    "server": "gunicorn",
    "loop": "uvloop",
    "json": "json",
    "workers": "2",
    "pool": "16",
    "tests": "json plaintext query",
}
PATHS = {"json": "/json", "plaintext": "/plaintext", "query": "/queries?queries="}
STARTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_load(requests: int = 1000, duration_us: int = 1_000_000, errors: Errors | None = None) -> Load:
    latency = Latency(2000.0, 100.0, 9000.0, 1900.0, 2100.0, 2500.0, 4000.0, 8000.0)
    return Load(duration_us, duration_us + 20_000, requests, 150_000, latency, errors or Errors())


def make_trial(block: int = 1, entry: str = "crax", test: str = "json", connections: int = 16) -> Trial:
    return Trial(block, entry, test, Level(connections, 2))


@pytest.fixture
def entries() -> list[Entry]:
    return [Entry("aiohttp", LABELS, PATHS), Entry("crax", LABELS, PATHS)]


@pytest.fixture
def settings() -> Settings:
    return profiles.settings("quick", ["aiohttp", "crax"], [], {}, None, None, "none", 7)


@pytest.fixture
def manifest(settings: Settings) -> Manifest:
    return Manifest(
        run_id="20261123-120000-quick",
        created_at=STARTED,
        settings=settings,
        entries={"aiohttp": LABELS, "crax": LABELS},
        images={"aiohttp": "sha256:a", "crax": "sha256:c"},
        services={"crax": {"mem_limit": "1g", "environment": {"A": "1"}}},
        cpus=2,
        facts={"engine_version": "20.10"},
    )


@pytest.fixture
def sample() -> Sample:
    return Sample(make_trial(), STARTED, make_load())
