"""The way to the engine: which one is meant, how it is reached, and its errors in the lab's words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.context import ContextAPI
from docker.errors import DockerException

from benchlab.errors import EngineError, SetupError

FORBIDDEN = "Permission denied"
# Within these the engine must answer: anything, and an exec or an import that is silent meanwhile (a sample has 600 s).
ANSWER_S = 60
SILENCE_S = 900


def clients() -> tuple[docker.DockerClient, docker.DockerClient]:
    """Return a client for all that is answered at once, and one for what takes its time. Raises SetupError."""
    try:
        # The ssh program itself, which knows the caller's keys and hosts, for an ssh:// engine.
        client = docker.from_env(timeout=ANSWER_S, use_ssh_client=True)
        client.ping()
        return client, docker.from_env(timeout=SILENCE_S, use_ssh_client=True)
    except (DockerException, requests.RequestException, OSError) as error:
        remedy = "join the group docker" if FORBIDDEN in reason(error) else "start Docker, or set DOCKER_HOST"
        raise SetupError(f"no Docker engine answers ({reason(error)}); {remedy}") from error


def is_named() -> bool:
    """Return whether the caller has chosen an engine, by DOCKER_HOST or by a docker context."""
    named = os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")
    return bool(named) or _context_name() != "default"


def address() -> dict[str, str]:
    """Return the environment that leads another program to the engine of the current docker context.

    Empty where it needs none. With it, the engine's own builder is called "default" whatever the context's name.
    """
    if os.environ.get("DOCKER_HOST") or _context_name() == "default":
        return {}
    context = ContextAPI.get_current_context()
    found = {"DOCKER_HOST": str(context.Host)}
    if (tls := context.TLSConfig) and tls.ca_cert:
        # The context's folder has the files under the names that DOCKER_CERT_PATH asks for.
        found |= {"DOCKER_CERT_PATH": str(Path(tls.ca_cert).parent), "DOCKER_TLS_VERIFY": "1"}
    return found


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise EngineError, in one line, for whatever goes wrong with the engine in the with block."""
    try:
        yield
    except (DockerException, requests.RequestException, OSError) as error:
        remedy = "; free space on the engine's disk" if "no space left" in str(error).lower() else ""
        raise EngineError(f"{doing} failed: {reason(error)}{remedy}") from error


def reason(error: Exception) -> str:
    """Return the error in one line; of a refused connection, what the operating system said."""
    explanation = getattr(error, "explanation", None) or str(error) or type(error).__name__
    system = re.search(r"\[Errno \d+\] ([^'\")]+)", str(explanation))
    return system[1] if system else " ".join(str(explanation).split())[:300]


def _context_name() -> str:
    context = ContextAPI.get_current_context()
    return "default" if context is None else str(context.name)
