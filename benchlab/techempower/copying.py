"""Copies of an entry's folder, all of them or none; what in a folder cannot be copied; its files' texts."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchlab.core.errors import ConfigError
from benchlab.techempower import registry
from benchlab.techempower.stanza import DOCKERFILE

# No part of what is built.
PASSED_OVER = (".git", "__pycache__")
# What lies in a folder and is no file: to read it may wait for ever.
SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def text(folder: Path, name: str) -> str:
    """Return the text of one of the folder's files. Raises ConfigError."""
    path = folder / name
    leads_to = Path(os.path.realpath(path))
    # What resolves to a link that is still one goes round in a circle.
    if leads_to.is_symlink():
        raise ConfigError(f"{name} is a link that leads to itself; mend it")
    leads_out = not leads_to.is_relative_to(folder.resolve())
    if leads_out:
        raise ConfigError(f"{name} leads out of {folder}")
    if not os.path.lexists(path):
        raise ConfigError(f"{folder} has no {name}")
    if not path.is_file():
        raise ConfigError(f"{name} is no file that can be read; put one in its place")
    return registry.text(path)


def refuse_uncopyable(folder: Path) -> None:
    """Raise ConfigError for what in the folder can be in no copy; links are copied as links, wherever they lead."""
    with registry.usable_files():
        for path in _all(folder):
            mode = path.lstat().st_mode
            if kind := SPECIAL.get(stat.S_IFMT(mode)):
                raise ConfigError(f"{path} is {kind}, and no file that can be copied; remove it")
            if not stat.S_ISLNK(mode) and not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
                raise ConfigError(f"{path} cannot be read; mend its owner or rights")


@contextmanager
def copies(folder: Path, dockerfiles: Mapping[Path, str]) -> Iterator[None]:
    """Have copies of the folder, each with its dockerfile as it is built, in place of what was there before.

    They are in place within the with block, and stay where it ends well; else all is as it was. Raises ConfigError.
    """
    with ExitStack() as undoing:
        undoing.callback(remove_if_empty, next(iter(dockerfiles)).parent)
        try:
            for target, dockerfile in dockerfiles.items():
                undoing.callback(shutil.rmtree, _draft(target), ignore_errors=True)
                _copy(folder, _draft(target), dockerfile)
            for target in dockerfiles:
                shutil.rmtree(_old(target), ignore_errors=True)
                if target.exists():
                    target.rename(_old(target))
                    undoing.callback(_old(target).rename, target)
                _draft(target).rename(target)
                undoing.callback(shutil.rmtree, target, ignore_errors=True)
        except (OSError, shutil.Error) as error:
            raise ConfigError(f"{folder} cannot be copied to {target} ({_first(error)}); mend that") from error
        yield
        undoing.pop_all()
    for target in dockerfiles:
        shutil.rmtree(_old(target), ignore_errors=True)


def remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _all(folder: Path) -> Iterator[Path]:
    """Yield the folder and what is in it, but for what is passed over; no link is followed."""
    for name, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [each for each in folders if each not in PASSED_OVER]
        yield Path(name)
        yield from (Path(name, each) for each in (*folders, *files) if each not in PASSED_OVER)


def _raise(error: OSError) -> None:
    raise error


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _copy(folder: Path, target: Path, dockerfile: str) -> None:
    """Make a copy of the folder, which all may read, with the dockerfile as it is built. Raises OSError."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns(*PASSED_OVER))
    for path in _all(target):
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
