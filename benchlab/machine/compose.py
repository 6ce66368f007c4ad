"""The Compose command: which one there is, and the environment that it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from benchlab.core.errors import SetupError

# An entry is what Compose shows under this profile; the rest of the topology has none.
ENTRY_PROFILE = "entry"
# Entries of the TechEmpower format, which Compose merges into compose.yaml; adopt writes the file.
ADOPTED = "compose.adopted.yaml"
NO_COMPOSE = "no Compose: neither `docker compose` nor `docker-compose` runs"
V2, V1 = ("docker", "compose"), ("docker-compose",)
# v2: the engine's own builder, which sees the local base image; and no attestations, which would give every build a new
# id. v1: the engine's classic builder, asked by itself. Else it would hand each build to the docker client, if there is
# one: then the client's version and settings choose the builder, and one in a container does not see the base image.
BUILDER = {
    V2[0]: {"BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    V1[0]: {"COMPOSE_DOCKER_CLI_BUILD": "0", "DOCKER_BUILDKIT": "0"},
}


NEEDS_BUILDKIT = "need BuildKit, which Compose v1 (docker-compose) builds without: install Compose v2"


def has_buildkit() -> bool:
    """Return whether Compose builds with BuildKit. Raises SetupError without a Compose."""
    return compose_command() == V2


@cache
def compose_command() -> tuple[str, ...]:
    """Return the Compose command: v2 where the docker client has it, else v1. Raises SetupError."""
    with suppress(FileNotFoundError):
        if subprocess.run([*V2, "version"], capture_output=True).returncode == 0:
            return V2
    # Not asked for its version: v1 takes 0.4 s to say it.
    if shutil.which(V1[0]):
        return V1
    raise SetupError(f"{NO_COMPOSE}; install one of them")


def compose_version() -> str:
    """Return what Compose says of itself, in one line. Raises SetupError."""
    command = compose_command()
    result = subprocess.run([*command, "version", "--short"], capture_output=True, encoding="utf-8")
    return f"{' '.join(command)} {result.stdout.strip()}"


def compose_environment(settings: Mapping[str, str], profiles: str) -> dict[str, str]:
    """Return what Compose is given: the caller's environment, without what would point it at another project."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    if "DOCKER_HOST" in settings:
        inherited.pop("DOCKER_CONTEXT", None)
    return {**inherited, **BUILDER[compose_command()[0]], **settings, "COMPOSE_PROFILES": profiles}
