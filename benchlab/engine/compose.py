"""Compose: the command, the environment that it is given, what .env says, and files that it merges in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchlab.core import quantities
from benchlab.core.errors import ConfigError, EngineError, SetupError
from benchlab.experiment.settings import MAX_DB_CONNECTIONS
from benchlab.factors.connections import pool_size

# An entry is what Compose shows under this profile; the rest of the topology has none.
ENTRY_PROFILE = "entry"
# Entries of the TechEmpower format, which Compose merges into compose.yaml; adopt writes the file.
ADOPTED = "compose.adopted.yaml"
NO_COMPOSE = "no Compose: neither `docker compose` nor `docker-compose` runs"
V2, ALONE = ("docker", "compose"), ("docker-compose",)
# v2: the engine's own builder, which sees the local base image; and no attestations, which would give every build a new
# id. v1: the engine's classic builder, asked by itself. Else it would hand each build to the docker client, if there is
# one: then the client's version and settings choose the builder, and one in a container does not see the base image.
BUILDER = {
    1: {"COMPOSE_DOCKER_CLI_BUILD": "0", "DOCKER_BUILDKIT": "0"},
    2: {"BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
}
# What an engine answers to a client that is older than it knows.
TOO_OLD = re.compile(r"client version (\S+) is too old\. Minimum supported API version is ([\d.]+)")
# As new as an engine of 2026 asks for; engine 29 knows no client of an API before 1.44.
NEW_ENOUGH = "2.26"
# The newest version of the API that a Compose v1 speaks. A v2 does not report its own.
V1_SPEAKS = "1.38"
NEEDS_BUILDKIT = "need BuildKit, which Compose v1 (docker-compose) builds without: install Compose v2"
Services = dict[str, dict[str, Any]]


def has_buildkit() -> bool:
    """Return whether Compose builds with BuildKit. Raises SetupError without a Compose."""
    return generation(compose_command()) != 1


@cache
def compose_command() -> tuple[str, ...]:
    """Return the Compose command: the docker client's where it has one, else docker-compose. Raises SetupError."""
    with suppress(FileNotFoundError):
        if subprocess.run([*V2, "version"], capture_output=True).returncode == 0:
            return V2
    if shutil.which(ALONE[0]):
        return ALONE
    raise SetupError(f"{NO_COMPOSE}; install one of them")


def generation(command: Sequence[str]) -> int:
    """Return 1 for a Compose of version 1, and 2 for what came after it.

    The name shows nothing: docker-compose is v1 here, and there a v2 that needs no docker client. v1 takes 0.4 s to say
    its version, and is only asked where it does not show otherwise: as a rule it is a script of Python, and v2 is none.
    """
    if Path(command[0]).name != ALONE[0]:
        return 2
    program = shutil.which(command[0])
    return _generation(program) if program else 1


@cache
def _generation(program: str) -> int:
    with Path(program).open("rb") as file:
        first = file.readline(200)
    if first.startswith(b"#!") and b"python" in first:
        return 1
    return 1 if _version([program]).removeprefix("v").startswith("1.") else 2


def compose_version() -> str:
    """Return what Compose says of itself, in one line. Raises SetupError."""
    return named(compose_command())


def named(command: Sequence[str]) -> str:
    """Return a Compose command with its version."""
    return f"{' '.join(command)} {_version(command)}"


def _version(command: Sequence[str]) -> str:
    result = subprocess.run([*command, "version", "--short"], capture_output=True, encoding="utf-8")
    return result.stdout.strip()


def refuse_too_old(command: Sequence[str], printed: str) -> None:
    """Raise EngineError where the engine refused the command, in what it printed, for its age."""
    if refused := TOO_OLD.search(printed):
        client, engine = refused.groups()
        raise EngineError(
            f"{named(command)} is too old for this engine: it speaks version {client} of the engine's API, and the "
            f"engine knows none before {engine}; install Compose {NEW_ENOUGH} or newer, as `docker compose`"
        )


def is_understood(generation: int, oldest_known: str) -> bool:
    """Return whether an engine whose API begins with that version answers a Compose, as far as that is known."""
    return generation > 1 or _parts(oldest_known) <= _parts(V1_SPEAKS)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def compose_environment(command: Sequence[str], settings: Mapping[str, str], profiles: str) -> dict[str, str]:
    """Return what Compose is given: the caller's environment, without what would point it at another project."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    if "DOCKER_HOST" in settings:
        inherited.pop("DOCKER_CONTEXT", None)
    return {**inherited, **BUILDER[generation(command)], **settings, "COMPOSE_PROFILES": profiles}


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


def write(services: Services, path: Path) -> Path:
    """Write the services as a file that Compose merges into compose.yaml, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"services": escaped(services)}, sort_keys=True), encoding="utf-8")
    return path


def escaped(content: Any) -> Any:
    """Return what Compose reads as the content: it would take a dollar for the begin of a variable."""
    if isinstance(content, dict):
        return {key: escaped(value) for key, value in content.items()}
    if isinstance(content, list):
        return [escaped(value) for value in content]
    return content.replace("$", "$$") if isinstance(content, str) else content
