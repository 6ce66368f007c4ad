"""What .env says: the Compose project's name, and how many database connections an entry has."""

from __future__ import annotations

import os
from pathlib import Path

from benchlab.core import quantities
from benchlab.core.errors import ConfigError
from benchlab.plan.profiles import MAX_DB_CONNECTIONS


def project(root: Path) -> str:
    """Return the Compose project's name, a label of all that the lab makes. Raises ConfigError.

    It comes from .env alone: one taken from the caller's environment could be that of another project.
    """
    name = _dotenv(root).get("COMPOSE_PROJECT_NAME")
    if not name:
        raise ConfigError(f"{root / '.env'}: COMPOSE_PROJECT_NAME is missing; restore the file")
    return name


def resources(root: Path, cpus: int, db_connections: int | None = None) -> dict[str, str]:
    """Return what every entry gets that can use `cpus`: workers, and database connections of each.

    The total of an entry is `db_connections`, or else LAB_DB_CONNECTIONS, of the environment or of .env. Raises
    ConfigError.
    """
    total = _db_connections(root) if db_connections is None else db_connections
    return {"LAB_WORKERS": str(cpus), "LAB_DB_CONNECTIONS": str(total), "LAB_POOL_SIZE": str(pool_size(total, cpus))}


def pool_size(db_connections: int, workers: int) -> int:
    """Return how many database connections each worker has: an equal share of its entry's total, at least one."""
    return max(1, db_connections // workers)


def _db_connections(root: Path) -> int:
    text = os.environ.get("LAB_DB_CONNECTIONS") or _dotenv(root).get("LAB_DB_CONNECTIONS", "")
    try:
        total = quantities.whole(text)
    except ValueError:
        total = 0
    if not 1 <= total <= MAX_DB_CONNECTIONS:
        raise ConfigError(f"LAB_DB_CONNECTIONS={text}: use 1 to {MAX_DB_CONNECTIONS}, which Postgres has for an entry")
    return total


def _dotenv(root: Path) -> dict[str, str]:
    try:
        text = (root / ".env").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{root / '.env'} cannot be read ({error.strerror}); restore the file") from error
    except ValueError as error:
        raise ConfigError(f"{root / '.env'} cannot be read (it is no UTF-8); restore the file") from error
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines if not name.startswith("#")}
