"""What git tells of the lab's own files; unknown is "unavailable"."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchlab import __version__
from benchlab.core.model import UNAVAILABLE


def version(root: Path) -> str:
    """Return the lab's version, and the commit that it is at where git knows one, as one line."""
    if (number := commit(root)) == UNAVAILABLE:
        return f"benchlab {__version__}"
    changes = "" if changed_files(root) in (0, UNAVAILABLE) else " with changes"
    return f"benchlab {__version__}, commit {number[:12]}{changes}"


def commit(root: Path) -> str:
    return _told(root, "rev-parse", "HEAD")


def branch(root: Path) -> str:
    return _told(root, "rev-parse", "--abbrev-ref", "HEAD")


def remote(root: Path) -> str:
    return _told(root, "config", "--get", "remote.origin.url")


def changed_files(root: Path) -> int | str:
    listed = _told(root, "status", "--porcelain")
    return listed if listed == UNAVAILABLE else len(listed.splitlines())


def git(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in the folder and return what it left. Raises FileNotFoundError where it is not installed."""
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, env={**os.environ, **environment})


def _told(root: Path, *arguments: str) -> str:
    """Return what git says of the folder's own repository: one that it merely lies in tells nothing of the lab."""
    try:
        result = git(root, *arguments, GIT_CEILING_DIRECTORIES=str(root.resolve().parent))
    except FileNotFoundError:
        return UNAVAILABLE
    return result.stdout.decode(errors="replace").strip() if result.returncode == 0 else UNAVAILABLE
