"""What git knows of the lab's own files; unknown is "unavailable"."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from benchlab import __version__
from benchlab.records.facts import UNAVAILABLE, is_unavailable

# What git has its hooks inherit: with these it answers for the repository that they name, wherever it is asked.
OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
# What it says of a checkout of another user, newer versions and older ones; and the command that it advises.
REFUSED = re.compile(r"dubious ownership|unsafe repository")
ADVICE = re.compile(r"git config --global --add safe\.directory (.+)")


def version(root: Path) -> str:
    """Return the lab's version, and the commit that it is at or why git does not say so, as one line.

    Without a commit it is the version alone.
    """
    number = commit(root)
    if is_unavailable(number):
        return f"benchlab {__version__}" + ("" if number == UNAVAILABLE else f", commit {number}")
    changed = changed_files(root)
    changes = "" if changed == 0 or is_unavailable(changed) else " with changes"
    return f"benchlab {__version__}, commit {number[:12]}{changes}"


def is_whole(root: Path) -> bool:
    """Return whether the folder is a checkout of git's, whether git can read it or not."""
    return os.path.lexists(root / ".git")


def commit(root: Path) -> str:
    return _from_git(root, "rev-parse", "HEAD")


def branch(root: Path) -> str:
    return _from_git(root, "rev-parse", "--abbrev-ref", "HEAD")


def remote(root: Path) -> str:
    return _from_git(root, "config", "--local", "--get", "remote.origin.url")


def changed_files(root: Path) -> int | str:
    listed = _from_git(root, "status", "--porcelain")
    return listed if is_unavailable(listed) else len(listed.splitlines())


def git(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in the folder and return what it left. Raises FileNotFoundError where it is not installed.

    A hook of git's runs with variables that name another folder; and what git says is recognised by its words.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    return subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, env={**inherited, "LC_ALL": "C", **environment}
    )


def refusal(stderr: bytes) -> str:
    """Return what to do where git says that it refuses another user's checkout; nothing where it says another thing."""
    text = stderr.decode(errors="replace")
    if not REFUSED.search(text):
        return ""
    # git names the folder in the words of a shell; by what it resolves a link to, which must be named so.
    advice = ADVICE.search(text)
    return f"`git config --global --add safe.directory {advice[1] if advice else 'PATH'}` allows it"


def _from_git(root: Path, *arguments: str) -> str:
    """Return what git says of the folder's own repository: one that it merely lies in is not the lab's."""
    try:
        result = git(root, *arguments, GIT_CEILING_DIRECTORIES=str(root.resolve().parent))
    except FileNotFoundError:
        return f"{UNAVAILABLE}: git is not installed" if is_whole(root) else UNAVAILABLE
    if result.returncode == 0:
        return result.stdout.decode(errors="replace").strip()
    # Not all that is asked says why git refuses.
    remedy = is_whole(root) and (refusal(result.stderr) or refusal(git(root, "rev-parse").stderr))
    return f"{UNAVAILABLE}: git refuses a checkout of another user; {remedy}" if remedy else UNAVAILABLE
