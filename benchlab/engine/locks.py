"""An entry's lock with another version of a package in it: uv resolves what must move with it."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchlab.core.errors import ConfigError, UsageError
from benchlab.experiment.settings import VARY
from benchlab.factors.package import WITHOUT

# What an entry asks for, what that is locked to, and which of it is not uv's to choose.
ASKED, LOCK, PINS = "requirements.in", "requirements.txt", "pins.txt"
# The oldest Python that a lock is for.
OLDEST = "3.13"
LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)
# What a line of ASKED begins with ends here; and those of them that are checkouts.
NAME = re.compile(r"[\s\[<>=!~;@]")
CHECKOUT = re.compile(r"^(\S+) @ ", re.MULTILINE)
FROM_SOURCE = re.compile(r"--no-binary[= ](\S+)")
# uv's reason for a refusal begins behind this, and the rest explains further.
REASON = re.compile(r"╰─▶\s*(.+)", re.DOTALL)
MOST_WORDS = 45


@dataclass(frozen=True)
class Lock:
    """An entry's folder in a build context, which has ASKED and LOCK; `dockerfile` is the text that installs these."""

    folder: Path
    dockerfile: str

    @property
    def versions(self) -> dict[str, str]:
        """Return the version of each package, by its normalised name."""
        return {plain(name): version for name, version in LOCKED.findall(self._read(LOCK))}

    def exchange(self, package: str, level: str, source: Path | None = None) -> None:
        """Lock the package at a version, or without it; `source` is its project where that is installed in its place.

        Raises UsageError where uv refuses that, or the package is not the entry's to leave out.
        """
        asked = f"{VARY.name} {package}={level}"
        if level == WITHOUT:
            self._leave_out(package, asked)
        elif source is not None:
            # Relative: the folder has another name when it is kept, and its digest is to be the same each time.
            place = source.relative_to(self.folder).as_posix()
            (self.folder / ASKED).write_text(f"{''.join(self._others(package))}{package} @ ./{place}\n")
        else:
            (self.folder / PINS).write_text(f"{self._read(PINS)}{package}=={level}\n")
        self.resolve(asked)

    def _leave_out(self, package: str, asked: str) -> None:
        others = self._others(package)
        if others == self._read(ASKED).splitlines(keepends=True):
            raise UsageError(f"{asked}: {self.folder.name} does not ask for it itself, another of its packages does")
        (self.folder / ASKED).write_text("".join(others))

    def _others(self, package: str) -> list[str]:
        """Return the lines of what the entry asks for, without the package's."""
        lines = self._read(ASKED).splitlines(keepends=True)
        return [line for line in lines if plain(NAME.split(line, maxsplit=1)[0]) != plain(package)]

    def resolve(self, asked: str, python: str = OLDEST) -> None:
        """Write the lock anew, keeping each version that can stay. Raises UsageError: `asked`, and uv's reason."""
        checkouts = CHECKOUT.findall(self._read(ASKED))
        binary = () if checkouts else ("--only-binary", ":all:", *self._from_source())
        options = [option for name in checkouts for option in ("--no-emit-package", name)]
        (self.folder / PINS).touch()
        command = [
            *(_uv(), "pip", "compile", "--quiet", "--universal", "--python-version", python, "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--no-progress"),
            *binary,
            *options,
            *("--constraint", PINS, ASKED, "--output-file", LOCK),
        ]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, errors="replace")
        if ran.returncode != 0:
            raise UsageError(f"{asked}: {self.folder.name}: {_reason(ran.stderr)}")

    def _from_source(self) -> Iterator[str]:
        """Yield the options for what the dockerfile builds, because it is published as source only."""
        for names in FROM_SOURCE.findall(self.dockerfile):
            for name in names.split(","):
                yield from ("--no-binary", name)

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def moved(before: Mapping[str, str], after: Mapping[str, str], but: str) -> list[str]:
    """Return what else a lock has in another version than before, as words."""
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name) and name != plain(but))
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
