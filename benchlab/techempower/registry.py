"""compose.adopted.yaml: the stanzas of adopted entries, and where each came from; read and written as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchlab.core.errors import ConfigError
from benchlab.engine.compose import ADOPTED
from benchlab.techempower import stanza, tfb
from benchlab.techempower.stanza import TEMPLATES

HEAD = "# Written by `python lab.py adopt`, and merged into compose.yaml: change nothing here.\n"
# Stanzas and origins, each by the entry's name; Compose passes over keys that begin as the latter's.
SERVICES, ORIGINS = "services", "x-adopted"
PROXY = "nginx"


def read(root: Path) -> dict[str, Any]:
    """Return the stanzas of what was adopted so far, and folder and digest of their origins. Raises ConfigError."""
    path = root / ADOPTED
    content = _yaml(path) if path.exists() else {}
    origins, services = content.get(ORIGINS) or {}, content.get(SERVICES) or {}
    try:
        entries = {name: service for name, service in services.items() if name != PROXY}
        stanza.proxy(entries)
        told = [origin["folder"] + origin["digest"] for origin in origins.values()]
        whole = entries.keys() == origins.keys() and all(told) and all(map(tfb.is_name, entries))
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise ConfigError(f"{path} is not as adopt wrote it; remove it, and adopt anew")
    return {ORIGINS: origins, SERVICES: entries}


def write(root: Path, content: dict[str, Any]) -> None:
    """Write what `read` returned, with the ports that nginx must pass on to; without an entry the file goes.

    Raises ConfigError.
    """
    path, draft = root / ADOPTED, root / f"{ADOPTED}.draft"
    services, ports = content[SERVICES], stanza.proxy(content[SERVICES])
    whole = {**content, SERVICES: services | ({PROXY: ports} if ports else {})}
    with usable_files():
        if not services:
            path.unlink(missing_ok=True)
            return
        draft.write_text(HEAD + yaml.safe_dump(whole, sort_keys=True), encoding="utf-8")
        draft.replace(path)


def templates(root: Path) -> dict[str, Any]:
    """Return compose.yaml as it is written, with its variables. Raises ConfigError."""
    content = _yaml(root / "compose.yaml")
    if missing := [key for key in (SERVICES, *TEMPLATES) if not content.get(key)]:
        raise ConfigError(
            f"compose.yaml: {', '.join(missing)} is missing, and adopted entries are made of it; restore it"
        )
    return content


def text(path: Path) -> str:
    """Return a file's text. Raises ConfigError."""
    with usable_files():
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is no text in UTF-8; mend it") from None


@contextmanager
def usable_files() -> Iterator[None]:
    """Raise ConfigError, in one line, for what goes wrong with a file in the with block."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be used ({error.strerror}); mend its owner or rights") from error


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML ({' '.join(str(error).split())[:200]}); mend it") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no stanzas; mend it")
    return content
