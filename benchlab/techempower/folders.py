"""Files and folders as users have them: their text, a digest, copies of a folder, and every trouble with them in one
line."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchlab.core.errors import ConfigError

# The dockerfile as it is built, in each copy of a folder.
DOCKERFILE = "benchlab.dockerfile"
# No part of what is built.
IGNORED = (".git", "__pycache__")
# What lies in a folder and is no file: reading it may block for ever.
SPECIAL_FILES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def usable_files() -> Iterator[None]:
    """Raise ConfigError, in one line, for what goes wrong with a file in the with block."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be used ({error.strerror}); fix its owner or permissions"
        ) from error


def text(path: Path) -> str:
    """Return a file's text. Raises ConfigError."""
    with usable_files():
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is not text in UTF-8; fix it") from None


def text_within(folder: Path, name: str) -> str:
    """Return the text of one of the folder's files. Raises ConfigError, also where a link leads out of the folder."""
    path = folder / name
    target = Path(os.path.realpath(path))
    # What resolves to a link that is still one goes round in a circle.
    if target.is_symlink():
        raise ConfigError(f"{name} is a link that leads to itself; fix it")
    if not target.is_relative_to(folder.resolve()):
        raise ConfigError(f"{name} leads out of {folder}")
    if not os.path.lexists(path):
        raise ConfigError(f"{folder} has no {name}")
    if not path.is_file():
        raise ConfigError(f"{name} is not a regular file; put one in its place")
    return text(path)


def digest(folder: Path) -> str:
    """Return a digest of a folder's files. Raises ConfigError where one cannot be read."""
    result = hashlib.sha256()
    with usable_files():
        for path in sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file()):
            if not set(IGNORED) & set(path.relative_to(folder).parts):
                content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
                result.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return result.hexdigest()


def refuse_uncopyable(folder: Path) -> None:
    """Raise ConfigError for what in the folder can be in no copy; links are copied as links, wherever they lead."""
    with usable_files():
        for path in _contents(folder):
            mode = path.lstat().st_mode
            if kind := SPECIAL_FILES.get(stat.S_IFMT(mode)):
                raise ConfigError(f"{path} is {kind}, which cannot be copied; remove it")
            if not stat.S_ISLNK(mode) and not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
                raise ConfigError(f"{path} cannot be read; fix its owner or permissions")


@contextmanager
def copies(folder: Path, dockerfiles: Mapping[Path, str]) -> Iterator[None]:
    """Have copies of the folder, each with its dockerfile as it is built, in place of what was there before.

    They are in place within the with block, and stay where it ends well; else all is as it was. Raises ConfigError.
    """
    with ExitStack() as undo:
        undo.callback(remove_if_empty, next(iter(dockerfiles)).parent)
        try:
            for target, dockerfile in dockerfiles.items():
                undo.callback(shutil.rmtree, _draft(target), ignore_errors=True)
                _copy(folder, _draft(target), dockerfile)
            for target in dockerfiles:
                shutil.rmtree(_old(target), ignore_errors=True)
                if target.exists():
                    target.rename(_old(target))
                    undo.callback(_old(target).rename, target)
                _draft(target).rename(target)
                undo.callback(shutil.rmtree, target, ignore_errors=True)
        except (OSError, shutil.Error) as error:
            raise ConfigError(f"{folder} cannot be copied to {target} ({_first(error)}); fix that") from error
        yield
        undo.pop_all()
    for target in dockerfiles:
        shutil.rmtree(_old(target), ignore_errors=True)


def remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _contents(folder: Path) -> Iterator[Path]:
    """Yield the folder and what is in it, but for what is ignored; no link is followed."""
    for name, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [each for each in folders if each not in IGNORED]
        yield Path(name)
        yield from (Path(name, each) for each in (*folders, *files) if each not in IGNORED)


def _raise(error: OSError) -> None:
    raise error


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _copy(folder: Path, target: Path, dockerfile: str) -> None:
    """Make a copy of the folder, which all may read, with the dockerfile as it is built. Raises OSError."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))
    for path in _contents(target):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    # Not over the folder's own: by way of a link that would be written in the folder itself.
    (target / DOCKERFILE).unlink(missing_ok=True)
    (target / DOCKERFILE).write_text(dockerfile, encoding="utf-8", newline="")


def _first(error: OSError) -> str:
    """Return in a line why a copy failed: of many reasons, as shutil collects them, the first."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        source, _, why = error.args[0][0]
        return f"{source}: {why}"[:300]
    return str(error)[:300]
