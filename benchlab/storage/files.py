"""How the lab keeps files: each is there whole or not at all, and an error says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from benchlab.core import letters
from benchlab.core.errors import StoreError

# What to do where a file of a run cannot be read: where it may not be, and else.
RIGHTS = "fix its owner or permissions"
LOST = "restore it or start a new run"
ROOM = "make room"
# What to do where a file cannot be written: at any time; before anything was measured for it; while something is. How
# that goes on, if it does, is reported by whoever measures. What is to be mended depends on the error.
MEND = "{mend}"
BEFORE = f"{MEND}, then start anew"
SINCE = f"nothing measured before is lost: {MEND}"


def write(path: Path, text: str, remedy: str) -> None:
    """Write the whole file or leave the old one as it is. Raises StoreError."""
    draft = path.with_name(f".{path.name}.draft")
    with writing(path, remedy):
        # A draft that was left here may be a pipe, which nobody reads, or a link to a file of another.
        draft.unlink(missing_ok=True)
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise


def probe(folder: Path) -> None:
    """Raise OSError where no file can be made in the folder."""
    path = folder / ".probe"
    path.touch()
    path.unlink()


def point(link: Path, target: str) -> None:
    """Have the link lead to the target: at every moment there is the old one or the new one. Raises OSError."""
    draft = link.with_name(f".{link.name}.draft")
    with suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(target)
    draft.replace(link)


def read(path: Path) -> bytes:
    """Return what the file holds. Raises StoreError, also for what is no file: a pipe would be waited for."""
    with reading(path), _opened(path) as file:
        return file.read()


def exists(path: Path) -> bool:
    """Return whether anything is there that can be looked at: nothing is, where a folder may not be entered."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether there is a folder, like `exists`."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _opened(path: Path) -> BinaryIO:
    """Return the file open for reading, without waiting. Raises OSError, also where the path leads to no file."""
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123, SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "Not a file")
    return file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError of the with block into a StoreError about the path."""
    try:
        yield
    except OSError as error:
        remedy = RIGHTS if isinstance(error, PermissionError) else LOST
        raise StoreError(f"{_with_target(path)} cannot be read ({error.strerror}); {remedy}") from error


@contextmanager
def writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn an OSError of the with block into a StoreError about the path, with the remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{_with_target(path)} cannot be written ({error.strerror or error}); {remedy.format(mend=_mend(error))}"
        ) from error


def _with_target(path: Path) -> str:
    """Return the path, of a link where it leads, too: what is wrong may be there."""
    try:
        return f"{path}, a link to {path.readlink()}," if path.is_symlink() else str(path)
    except OSError:
        return str(path)


def _mend(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ROOM
    return RIGHTS if isinstance(error, PermissionError) else f"{RIGHTS}, or {ROOM}"


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Mark the file for `is_in_use` for the length of the with block, or until this process ends, however it does.

    Raises StoreError where the file cannot be read.
    """
    with reading(path):
        file = _opened(path)
    with file:
        # A file system without locks reports nothing.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_in_use(path: Path) -> bool:
    """Return whether a process has the file in use; it is not waited for."""
    with suppress(OSError), _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def shown(path: Path) -> str:
    """Return the path as short as it can be read here."""
    return letters.one_line(_shortest(path))


def typed(path: Path) -> str:
    """Return the path as short as it can be typed in a shell here."""
    shortest = _shortest(path)
    return letters.typed(f"./{shortest}" if shortest.startswith("-") else shortest)


def _shortest(path: Path) -> str:
    try:
        return min(os.path.relpath(path), str(path), key=len)
    except FileNotFoundError:
        # The folder that the lab was called in is gone.
        return str(path)
