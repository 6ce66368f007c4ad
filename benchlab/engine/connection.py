"""The way to the engine: which one is meant, how it is reached, and its errors in the lab's words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.context import Context, ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import DockerException

from benchlab.core.errors import EngineError, NoEngineError, SetupError

FORBIDDEN = "Permission denied"
DEFAULT = "default"
# What the operating system said, or the other end, in the words of an exception that wraps its own.
SAID = re.compile(r"\[Errno \d+\] ([^'\")]+)|\w+(?:Error|Disconnected)\((?:\d+, )?'([^']+)'\)")
# Within these the engine must answer: anything, and an exec or an import that is silent meanwhile (a sample has 600 s).
ANSWER_S = 60
SILENCE_S = 900


def clients() -> tuple[docker.DockerClient, docker.DockerClient]:
    """Return a client for all that is answered at once, and one for what takes its time.

    Raises NoEngineError where no engine answers, SetupError where it may not be asked or is named wrongly.
    """
    environment = {**os.environ, "DOCKER_CONTEXT": _context().name}
    try:
        # The ssh program itself, which knows the caller's keys and hosts, for an ssh:// engine.
        client = docker.from_env(timeout=ANSWER_S, use_ssh_client=True, environment=environment)
        client.ping()
        return client, docker.from_env(timeout=SILENCE_S, use_ssh_client=True, environment=environment)
    except (DockerException, requests.RequestException, OSError) as error:
        if FORBIDDEN in reason(error):
            raise SetupError(f"no Docker engine answers ({reason(error)}); join the group docker") from error
        raise NoEngineError(f"no Docker engine answers ({reason(error)}); start Docker, or set DOCKER_HOST") from error


def is_named() -> bool:
    """Return whether the caller has chosen another engine than this machine's own, by DOCKER_HOST or by a context."""
    return bool(os.environ.get("DOCKER_HOST")) or _context_name() != DEFAULT


def address() -> dict[str, str]:
    """Return the environment that leads Compose to the same engine; empty where DOCKER_HOST does that.

    Compose v1 knows the contexts of config.json, but not DOCKER_CONTEXT. With DOCKER_HOST the engine's own builder is
    called "default" whatever the context's name. Raises SetupError.
    """
    if os.environ.get("DOCKER_HOST"):
        return {}
    context = _context()
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
        raise EngineError(f"{doing} failed: {reason(error)}{_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    if "no space left" in str(error).lower():
        return "; free space on the engine's disk"
    return "; start the engine again" if isinstance(error, requests.ConnectionError) else ""


def reason(error: Exception) -> str:
    """Return the error in one line; of a lost or refused connection, what was said last."""
    explanation = getattr(error, "explanation", None) or str(error) or type(error).__name__
    system = SAID.search(str(explanation))
    return next(filter(None, system.groups())) if system else " ".join(str(explanation).split())[:300]


def _context_name() -> str:
    """Return the name of the docker context in force, as docker's own command line finds it."""
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT
    return str(os.environ.get("DOCKER_CONTEXT") or get_current_context_name() or DEFAULT)


def _context() -> Context:
    """Return the docker context in force. Raises SetupError where there is none of its name that names an engine."""
    name = _context_name()
    context = ContextAPI.get_context(name)
    if context is None or not context.Host:
        # Left to itself, docker's SDK would take the default engine for it.
        raise SetupError(
            f"the docker context {name} does not exist; "
            "`docker context use` one of `docker context ls`, or set DOCKER_HOST"
        )
    return context
