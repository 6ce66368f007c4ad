"""The versions that an entry's folder asks for by name, as its lock file has them."""

from __future__ import annotations

import re
from pathlib import Path

WANTED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
LOCKED = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s;]+)")


def versions(folder: Path) -> str:
    """Return the packages that a requirements.in of the folder names, with their locked versions."""
    wanted = {_plain(match[1]) for line in _lines(folder / "requirements.in") if (match := WANTED.match(line))}
    locked = (match for line in _lines(folder / "requirements.txt") if (match := LOCKED.match(line)))
    return ", ".join(f"{match[1]} {match[2]}" for match in locked if _plain(match[1]) in wanted)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _plain(name: str) -> str:
    """Return the name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
