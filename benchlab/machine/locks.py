"""The versions of what an entry's labels say it uses, as its folder's lock file has them."""

from __future__ import annotations

import re
from pathlib import Path

from benchlab.core import stack
from benchlab.core.stack import Labels

WANTED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
LOCKED = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s;]+)")
# The labels that name a package; of the object mapper they tell only that there is one.
NAMING = ("framework", "driver", "server", "loop", "json")
RAW, MAPPERS = "raw", ("sqlalchemy", "tortoise-orm", "peewee", "piccolo", "pony")


def versions(folder: Path, labels: Labels) -> str:
    """Return the packages that a requirements.in of the folder names, with their locked versions.

    A folder may serve several entries: of one whose labels tell, only what they name, and object mappers where it uses
    any. An adopted entry's do not tell.
    """
    wanted = {_plain(match[1]) for line in _lines(folder / "requirements.in") if (match := WANTED.match(line))}
    if not stack.is_adopted(labels):
        wanted &= {*(_plain(labels.get(name, "")) for name in NAMING), *(MAPPERS if labels.get("orm") != RAW else ())}
    locked = (match for line in _lines(folder / "requirements.txt") if (match := LOCKED.match(line)))
    return ", ".join(f"{match[1]} {match[2]}" for match in locked if _plain(match[1]) in wanted)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _plain(name: str) -> str:
    """Return the name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
