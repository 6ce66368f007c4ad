"""What git tells of the lab's own files; unknown is "unavailable"."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchlab import __version__
from benchlab.core.model import UNAVAILABLE


def version(root: Path) -> str:
    """Return the lab's version, and the commit that it is at where git knows one, as one line."""
    number, changed = commit(root), changed_files(root)
    at = "" if number == UNAVAILABLE else f", commit {number[:12]}"
    return f"benchlab {__version__}{at}{' with changes' if changed not in (0, UNAVAILABLE) else ''}"


def commit(root: Path) -> str:
    return _git(root, "rev-parse", "HEAD")


def branch(root: Path) -> str:
    return _git(root, "rev-parse", "--abbrev-ref", "HEAD")


def remote(root: Path) -> str:
    return _git(root, "config", "--get", "remote.origin.url")


def changed_files(root: Path) -> int | str:
    listed = _git(root, "status", "--porcelain")
    return listed if listed == UNAVAILABLE else len(listed.splitlines())


def _git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return UNAVAILABLE
    return result.stdout.strip() if result.returncode == 0 else UNAVAILABLE
