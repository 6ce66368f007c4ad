"""An entry's lock with another version of a package in it: uv resolves what must move with it."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchlab.core.errors import ConfigError, UsageError
from benchlab.experiment.settings import VARY
from benchlab.factors.package import WITHOUT

# What an entry asks for, what that is locked to, and which of it is not uv's to choose.
ASKED, LOCK, PINS = "requirements.in", "requirements.txt", "pins.txt"
# The oldest Python that a lock is for.
OLDEST = "3.13"
OLDEST_PARTS = (3, 13)
LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)
# What a line of ASKED begins with ends here; and those of them that are checkouts.
NAME = re.compile(r"[\s\[<>=!~;@]")
EXTRAS = re.compile(r"\[[^\]]*\]")
CHECKOUT = re.compile(r"^([^\s\[]+)(?:\[[^\]]*\])? @ ", re.MULTILINE)
# What setuptools-scm, which hatch-vcs uses too, and pdm-backend take a version from where there is no repository.
PRETENDED = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION")
FROM_SOURCE = re.compile(r"--no-binary[= ](\S+)")
# uv's reason for a refusal begins behind this, and the rest explains further.
REASON = re.compile(r"╰─▶\s*(.+)", re.DOTALL)
MOST_WORDS = 45


@dataclass(frozen=True)
class Lock:
    """An entry's folder in a build context, which has ASKED and LOCK; `dockerfile` is the text that installs these.

    `name` is what messages call the entry. With a `kept` lock nothing is resolved: that one holds.
    """

    folder: Path
    dockerfile: str
    name: str
    kept: str = ""

    @property
    def versions(self) -> dict[str, str]:
        """Return the version of each package, by its normalised name."""
        return versions(self._read(LOCK))

    def exchange(self, package: str, level: str, source: Path | None = None) -> None:
        """Lock the package at a version, or without it; `source` is its project where that is installed in its place.

        Raises UsageError where uv refuses that, or the package is not the entry's to leave out.
        """
        asked = f"{VARY.name} {package}={level}"
        if level == WITHOUT:
            self._leave_out(package, asked)
        elif source is not None:
            # Relative: the folder has another name when it is kept, and its digest is to be the same each time.
            place, extras = source.relative_to(self.folder).as_posix(), self._extras(package)
            (self.folder / ASKED).write_text(f"{''.join(self._others(package))}{package}{extras} @ ./{place}\n")
        else:
            (self.folder / PINS).write_text(f"{self._read(PINS)}{package}=={level}\n")
        self.resolve(asked)
        if level == WITHOUT and plain(package) in self.versions:
            raise UsageError(f"{asked}: {self.name} cannot do without, because another of its packages needs it")

    def _leave_out(self, package: str, asked: str) -> None:
        others = self._others(package)
        if others == self._read(ASKED).splitlines(keepends=True):
            raise UsageError(f"{asked}: {self.name} does not ask for it itself, another of its packages does")
        (self.folder / ASKED).write_text("".join(others))

    def _extras(self, package: str) -> str:
        """Return what the entry asks for of the package besides itself, as [binary,pool]."""
        lines = self._read(ASKED).splitlines()
        brackets = (EXTRAS.search(line) for line in lines if plain(NAME.split(line, maxsplit=1)[0]) == plain(package))
        return next((extras[0] for extras in brackets if extras), "")

    def _others(self, package: str) -> list[str]:
        """Return the lines of what the entry asks for, without the package's."""
        lines = self._read(ASKED).splitlines(keepends=True)
        return [line for line in lines if plain(NAME.split(line, maxsplit=1)[0]) != plain(package)]

    def resolve(self, asked: str, python: str = OLDEST) -> None:
        """Write the lock anew, keeping each version that can stay. Raises UsageError: `asked`, and uv's reason."""
        (self.folder / PINS).touch()
        if self.kept:
            (self.folder / LOCK).write_text(self.kept, encoding="utf-8")
            return
        checkouts = CHECKOUT.findall(self._read(ASKED))
        binary = () if checkouts else ("--only-binary", ":all:", *self._from_source())
        options = [option for name in checkouts for option in ("--no-emit-package", name)]
        command = [
            *(_uv(), "pip", "compile", "--quiet", "--universal", "--python-version", python, "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--no-progress"),
            *binary,
            *options,
            *("--constraint", PINS, ASKED, "--output-file", LOCK),
        ]
        # A project that takes its version from git gets the one that was locked: here there is no repository around it.
        pretended = next((path.read_text() for path in sorted(self.folder.glob("*/*.version"))), "")
        environment = {**os.environ, **(dict.fromkeys(PRETENDED, pretended) if pretended else {})}
        ran = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, errors="replace"
        )
        if ran.returncode != 0:
            raise UsageError(f"{asked}: {self.name}: {_reason(ran.stderr)}")

    def _from_source(self) -> Iterator[str]:
        """Yield the options for what the dockerfile builds, because it is published as source only."""
        for names in FROM_SOURCE.findall(self.dockerfile):
            for name in names.split(","):
                yield from ("--no-binary", name)

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def versions(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock's text, by its normalised name."""
    return {plain(name): version for name, version in LOCKED.findall(lock)}


def moved(before: Mapping[str, str], after: Mapping[str, str], but: Iterable[str]) -> list[str]:
    """Return what a lock has in another version than before, but for the packages that were exchanged, as words."""
    exchanged = {plain(name) for name in but}
    changed = sorted(name for name in {*before, *after} - exchanged if before.get(name) != after.get(name))
    return [f"{name} {before.get(name, WITHOUT)} → {after.get(name, WITHOUT)}" for name in changed]


def plain(name: str) -> str:
    """Return a package's name as all spellings of it are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _uv() -> str:
    path = Path(sysconfig.get_path("scripts"), "uv")
    if not path.exists():
        raise ConfigError("uv is not installed beside the lab's Python; run `make setup`")
    return str(path)


def _reason(printed: str) -> str:
    """Return in one line why uv refuses, shortened."""
    reason = REASON.search(printed)
    words = (reason[1] if reason else printed.removeprefix("error:")).split()
    return " ".join(words[:MOST_WORDS]) + (" …" if len(words) > MOST_WORDS else "")
