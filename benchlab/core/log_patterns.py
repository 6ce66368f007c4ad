"""What servers log of their own start and end, as data: one TOML file for each of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchlab.core.errors import ConfigError

FOLDER = "frameworks/shared/log-patterns"
BANNER, RAISES = "banner", "raises"
LISTS = ("starting", "ending", RAISES)
NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class LogPatterns:
    """Patterns to search lines of a log for, of all servers together; none match nothing.

    `banners` has for each server what it alone logs, when it starts. `starting` is what is logged of any start, and
    `ending` of any end: neither says why. `raises` matches the name of an exception that a server raises itself, once
    its workers have failed.
    """

    banners: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    starting: re.Pattern[str] = NEVER
    ending: re.Pattern[str] = NEVER
    raises: re.Pattern[str] = NEVER

    def server(self, log: str) -> str:
        """Return the server whose banner comes first in the log, nothing where none does.

        A worker may be another server's, and comes after the one that starts it.
        """
        begins = {server: line.start() for server, banner in self.banners.items() if (line := banner.search(log))}
        return min(begins, key=begins.__getitem__, default="")


def read(folder: Path) -> LogPatterns:
    """Return the patterns of all files in the folder, each named as its server's label.

    Raises ConfigError with every problem of every file.
    """
    servers, problems = {}, []
    for path in sorted(folder.glob("*.toml")):
        try:
            servers[path.stem] = _server(path)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("; ".join(problems))
    banners = {name: server[BANNER] for name, server in servers.items() if BANNER in server}
    starting, ending, raises = ([text for server in servers.values() for text in server.get(key, [])] for key in LISTS)
    return LogPatterns(
        {name: re.compile(banner) for name, banner in banners.items()},
        _any([*banners.values(), *starting]),
        _any(ending),
        _any(map(re.escape, raises)),
    )


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined) if joined else NEVER


def _server(path: Path) -> dict[str, Any]:
    """Return what a file says. Raises ConfigError with all that is wrong with it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); fix its owner or permissions") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML ({error}); mend it") from error
    if problems := list(_problems(content)):
        raise ConfigError("; ".join(f"{path}: {problem}" for problem in problems))
    return content


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        texts = [value] if key == BANNER else value
        if key not in (BANNER, *LISTS):
            yield f"unknown key {key}; use {BANNER}, {', '.join(LISTS)}"
        elif not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            yield f"{key} is no {'text' if key == BANNER else 'list of texts'}; mend it"
        elif key != RAISES:
            yield from (f"{key}: {text!r} is no regular expression ({why}); mend it" for text, why in _broken(texts))


def _broken(patterns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts that cannot be one of several patterns, and why."""
    for pattern in patterns:
        try:
            _any([pattern])
        except re.error as error:
            yield pattern, str(error)
