"""What an entry's image is built from at a level: a copy of its build context with another lock, base or checkout.

Copies are kept by their content, so that a level is made once: its image has a part of the same digest as its tag.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from benchlab.core import letters
from benchlab.core.errors import ConfigError, UsageError
from benchlab.core.letters import one_line
from benchlab.engine import checkout, images, locks, pythons
from benchlab.engine.context import IGNORED, Context
from benchlab.engine.locks import LOCK, Lock
from benchlab.experiment import interpreters
from benchlab.experiment.settings import FRAMEWORK, VARY
from benchlab.experiment.stack import BASE, BASE_DEV, PREFIX
from benchlab.factors.factor import Service, labelled
from benchlab.factors.package import WITHOUT, is_source

# Where a checkout is in its entry's folder.
CHECKOUTS = "checkouts"
# What makes up a project that pip can build.
PROJECT = ("pyproject.toml", "setup.py")
FROM_BASE = re.compile(rf"^FROM[ \t]+{BASE}[ \t]*$", re.MULTILINE)
# A checkout is built where compilers are, and installed before the rest, which then finds it there.
STAGE = f"""FROM {BASE_DEV} AS checkouts
COPY {{part}} /{CHECKOUTS}
RUN for each in /{CHECKOUTS}/*.version; do \\
      SETUPTOOLS_SCM_PRETEND_VERSION=$(cat "$each") PDM_BUILD_SCM_VERSION=$(cat "$each") \\
      python3 -m pip wheel --no-deps --wheel-dir /wheels "${{{{each%.version}}}}" || exit 1; \\
    done

"""
INSTALLED = """
COPY --from=checkouts /wheels /wheels
RUN pip install --no-deps --no-index /wheels/*.whl
"""


def with_package(service: Service, package: str, level: str, root: Path, state: Path, kept: str = "") -> Service:
    """Return the service with its image built from a lock that has the package at the level: from a `kept` one, if any.

    Raises UsageError where the entry has no such package, or the level cannot be had, ConfigError where it has no lock
    or uv is missing.
    """
    asked = f"{VARY.name} {package}={level}"
    with _copied(service, state) as copy:
        lock = copy.lock(asked, kept)
        before, name = lock.versions, locks.plain(package)
        if name not in before:
            hint = letters.meant(name, before, "name a package of its requirements.txt")
            raise UsageError(f"{asked}: {copy.name} has no package {package}; {hint}")
        if is_source(level):
            source, origin = _checkout(copy, name, level, before[name], root, asked)
            lock.exchange(package, level, source)
            return _on_top(labelled(copy.kept(service), checkout=_joined(service, "checkout", origin, "; ")), BASE_DEV)
        lock.exchange(package, level)
        if level != WITHOUT and lock.versions.get(name) != level:
            raise UsageError(f"{asked}: {copy.name} would get {lock.versions.get(name, WITHOUT)}; name that")
        return copy.kept(service)


def on_python(service: Service, level: str, state: Path, kept: str = "") -> Service:
    """Return the service with its image on the base that has this Python. Raises UsageError, ConfigError."""
    asked = f"{VARY.name} python={level}"
    with _copied(service, state) as copy:
        if not FROM_BASE.search(copy.dockerfile):
            raise UsageError(f"{asked}: {copy.name} is not built on {BASE}; leave it out with {FRAMEWORK.name}")
        python = interpreters.of_level(level)
        copy.write(FROM_BASE.sub(f"FROM {pythons.name(python)}", copy.dockerfile, count=1))
        if python.needs < locks.OLDEST_PARTS:
            copy.lock(asked, kept).resolve(asked, python=".".join(map(str, python.needs)))
        return _on_top(copy.kept(service), pythons.name(python))


def with_moved(service: Service, before: Service, levels: Mapping[str, str]) -> Service:
    """Return the service with a label of the packages that had to move with its levels, where some had."""
    then, now = (locks.versions(lock_of(each)) for each in (before, service))
    moved = locks.moved(then, now, levels)
    return labelled(service, moved=", ".join(moved)) if moved else service


def _on_top(service: Service, image: str) -> Service:
    """Return the service with a label of one more image that its own is built on."""
    return labelled(service, **{"builds-on": _joined(service, "builds-on", image, " ")})


def _joined(service: Service, label: str, more: str, between: str) -> str:
    return between.join(filter(None, (str(service["labels"].get(f"{PREFIX}{label}", "")), more)))


def lock_of(service: Mapping[str, Any]) -> str:
    """Return the lock that the service's image is built from, "" where it has none."""
    path = Context.of(service["build"]).home / LOCK
    return path.read_text(encoding="utf-8") if path.is_file() else ""


class _Copy:
    """A copy of a service's build context, to be changed and then kept."""

    def __init__(self, place: Path, context: Context, state: Path):
        self._place, self._context, self._state = place, context, state
        self.folder = place / context.own
        self.name = context.home.name

    @property
    def dockerfile(self) -> str:
        return (self._place / self._context.dockerfile).read_text(encoding="utf-8")

    def write(self, dockerfile: str) -> None:
        (self._place / self._context.dockerfile).write_text(dockerfile, encoding="utf-8")

    def part(self, name: str) -> str:
        """Return the path in the context of what is in the entry's folder."""
        return str(PurePosixPath(self._context.own, name))

    def send(self, part: str) -> None:
        """Have the builder take all of a part of the context, whatever its file of what is ignored says."""
        path = self._place / IGNORED
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        path.write_text(f"{before}\n!{part}/**\n", encoding="utf-8")

    def lock(self, asked: str, kept: str) -> Lock:
        """Return the entry's lock. Raises ConfigError where it has none."""
        if not all((self.folder / name).is_file() for name in (locks.ASKED, LOCK)):
            raise ConfigError(
                f"{asked}: {self.name} has no lock ({locks.ASKED} and {LOCK}) that a package could be exchanged in"
            )
        return Lock(self.folder, self.dockerfile, self.name, kept)

    def kept(self, service: Service) -> Service:
        """Return what of the service is another one: its image, by the digest of the copy, and how that is built."""
        number = _digest(self._place)[: images.COMMIT_LENGTH]
        kept = self._state / images.LEVELS / number
        if not kept.exists():
            self._place.rename(kept)
        build = {**service["build"], "context": str(kept), "dockerfile": str(self._context.dockerfile)}
        return {**service, "image": images.at_commit(str(service["image"]), number), "build": build}


@contextmanager
def _copied(service: Service, state: Path) -> Iterator[_Copy]:
    """Copy what the service's image is built from, for the length of the with block."""
    context, above = Context.of(service["build"]), state / images.LEVELS
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above, prefix=".new-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "copy"
        place.mkdir()
        for path in context.files():
            if path.is_symlink() or path.is_file():
                target = place / path.relative_to(context.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)
        yield _Copy(place, context, state)


def _digest(place: Path) -> str:
    """Return a digest of a folder's files and of their names."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*")):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(place)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _checkout(copy: _Copy, package: str, level: str, version: str, root: Path, asked: str) -> tuple[Path, str]:
    """Copy the package's project into the entry's folder, and have the dockerfile build it.

    Return where it is, and in a phrase what it is. `version` is what a project that takes its version from git gets.
    """
    target = copy.folder / CHECKOUTS / package
    target.parent.mkdir(exist_ok=True)
    if level.startswith("git+"):
        place, ref = _parts(level)
        with tempfile.TemporaryDirectory() as folder:
            _git(asked, Path(folder), "clone", "--quiet", "--recurse-submodules", "--", place, ".")
            _git(asked, Path(folder), "checkout", "--quiet", "--recurse-submodules", ref, "--")
            commit = _copy_project(Path(folder), target)
    else:
        source = Path(root, Path(level).expanduser())
        if not source.is_dir():
            raise UsageError(f"{asked}: there is no folder {source}")
        commit = _copy_project(source, target)
    if not any((target / name).is_file() for name in PROJECT):
        raise UsageError(f"{asked}: it has no {' and no '.join(PROJECT)}, so pip cannot build it")
    target.with_name(f"{package}.version").write_text(version)
    if CHECKOUTS not in copy.dockerfile:
        installed = FROM_BASE.sub(lambda base: base[0] + INSTALLED, copy.dockerfile, count=1)
        if installed == copy.dockerfile:
            raise UsageError(f"{asked}: {copy.name} is not built on {BASE}; leave it out with {FRAMEWORK.name}")
        part = copy.part(CHECKOUTS)
        copy.write(STAGE.format(part=part) + installed)
        copy.send(part)
    return target, f"{package} of {commit}files {_digest(target)[: images.COMMIT_LENGTH]}"


def _parts(level: str) -> tuple[str, str]:
    """Return the address and the ref in git+ADDRESS@REF: what has an @ before its host's name is no ref."""
    address = level.removeprefix("git+")
    host_end = address.find("/", address.find("://") + len("://"))
    place, at, ref = address[host_end:].rpartition("@")
    return (address[:host_end] + place, ref) if at else (address, "HEAD")


def _copy_project(source: Path, target: Path) -> str:
    """Copy a project, and return its commit in words; "" where it is in no repository.

    It is what git has of it and does not ignore, submodules included, or all of it where there is no repository.
    """
    every = ("ls-files", "-z", "--cached", "--recurse-submodules"), ("ls-files", "-z", "--others", "--exclude-standard")
    listed = [checkout.git(source, *arguments) for arguments in every]
    if any(each.returncode != 0 for each in listed):
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__", ".venv"))
        return ""
    target.mkdir(exist_ok=True)
    for name in b"".join(each.stdout for each in listed).decode(errors="surrogateescape").split("\0"):
        path = source / name
        if name and (path.is_symlink() or path.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name, follow_symlinks=False)
    number = checkout.commit(source)
    changed = checkout.changed_files(source)
    return f"commit {number[:12]}{' with changes' if changed else ''}, "


def _git(asked: str, folder: Path, *arguments: str) -> None:
    try:
        ran = checkout.git(folder, *arguments)
    except FileNotFoundError as error:
        raise ConfigError(f"{asked} needs git, which is not installed") from error
    if ran.returncode != 0:
        raise UsageError(
            f"{asked}: git {arguments[0]} failed ({one_line(ran.stderr.decode(errors='replace').strip())})"
        )
