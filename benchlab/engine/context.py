"""What an image is built from: the files of its build context that count, and their digest.

A context may serve several images, as frameworks/ does. Where a dockerfile lies in a folder of its context, its image
is built from that folder and from what its COPY and ADD lines name beside it; no other file of the context counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from benchlab.core.errors import ConfigError

DOCKERFILE, IGNORED = "Dockerfile", ".dockerignore"
# A whole context, as a path in it.
WHOLE = "."
# A COPY or ADD, with the lines that it goes on in.
_COPY = re.compile(r"^[ \t]*(?:COPY|ADD)[ \t](?:\\[ \t]*\r?\n(?:[ \t]*\r?\n)*|[^\n])*", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r'[^\s"\[\],\\]+')
# What makes a line copy more than, or other than, the words that are written in it; and what else reads a context.
_UNCLEAR = re.compile(r"""[$*?"'\[<]""")
_READS_OTHERWISE = re.compile(r"^#[ \t]*escape[ \t]*=|--mount=", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Context:
    """A build context: its folder, and where in it the dockerfile is."""

    folder: Path
    dockerfile: PurePosixPath

    @classmethod
    def of(cls, build: Mapping[str, Any]) -> Context:
        """Return the context of a service's build section."""
        folder, dockerfile = Path(build["context"]), PurePosixPath(build.get("dockerfile") or DOCKERFILE)
        inside = dockerfile.is_relative_to(folder)
        return cls(folder, dockerfile.relative_to(folder) if inside else dockerfile)

    @property
    def own(self) -> str:
        """Return the folder of the context that is this image's own, as a path in it: the whole where it has none."""
        first, *rest = self.dockerfile.parts
        return first if rest and first not in ("/", "..") else WHOLE

    @property
    def home(self) -> Path:
        """Return the folder that is this image's own."""
        return self.folder / self.own

    def files(self) -> list[Path]:
        """Return what the image is built from, links included.

        Raises ConfigError where the dockerfile copies from another image's folder.
        """
        paths = {path for part in self._parts() for path in _below(self.folder / part)}
        return sorted(path for path in paths if "__pycache__" not in path.relative_to(self.folder).parts)

    def digest(self, settings: Mapping[str, Any], base: str) -> str:
        """Return a digest of a build's settings, its files, and the id of the image that it starts from.

        A link counts as what it says, as in an image: wherever it leads, that is not read. Raises ConfigError.
        """
        named = {**settings, "dockerfile": str(self.dockerfile)} if "dockerfile" in settings else settings
        digest = hashlib.sha256(json.dumps([named, base], sort_keys=True).encode())
        for path in self.files():
            name = path.relative_to(self.folder)
            if path.is_symlink():
                digest.update(f"{name} -> {path.readlink()}\0".encode())
            elif path.is_file():
                mode = path.stat().st_mode
                if not mode & stat.S_IROTH:
                    raise ConfigError(
                        f"{path} may be read by its owner alone, and an image copies that: its container could not "
                        f"read it; chmod -R a+rX {self.folder}"
                    )
                digest.update(f"{name} {mode & 0o111}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _parts(self) -> list[str]:
        """Return the paths in the context that the image is built from. Raises ConfigError."""
        if self.own == WHOLE:
            return [WHOLE]
        text = self._text()
        copies = list(_COPY.finditer(text))
        if _READS_OTHERWISE.search(text) or any(_UNCLEAR.search(copy[0]) for copy in copies):
            return [WHOLE]
        sources = [word[0].lstrip("/") for copy in copies for word in _sources(copy)]
        if strange := next(filter(self._is_another_s, sources), None):
            raise ConfigError(
                f"{self.folder / self.dockerfile} copies {strange}, which belongs to another entry; change "
                f"{_first(strange)}/ to {self.own}/, or keep what both need in a folder that has no {DOCKERFILE}"
            )
        if not all(os.path.lexists(self.folder / source) for source in sources):
            return [WHOLE]
        return [IGNORED, self.own, str(self.dockerfile), *sources]

    def _is_another_s(self, source: str) -> bool:
        """Return whether a path in the context lies in a folder which has a dockerfile of its own, and is not ours."""
        first = _first(source)
        return first not in ("", self.own) and (self.folder / first / DOCKERFILE).is_file()

    def _text(self) -> str:
        """Return the dockerfile's text: none where it is gone, which the builder reports."""
        path = self.folder / self.dockerfile
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def renamed(text: str, old: str, new: str) -> str:
    """Return a dockerfile's text that copies from the folder `new` of its context wherever it did from `old`."""
    folder = re.compile(rf"(?:\./)*({re.escape(old)})(?=/|$)")
    words = (word for copy in _COPY.finditer(text) for word in _sources(copy))
    places = [
        (word.start() + begun.start(1), word.start() + begun.end(1))
        for word in words
        if (begun := folder.match(word[0]))
    ]
    for begin, end in reversed(places):
        text = text[:begin] + new + text[end:]
    return text


def _sources(copy: re.Match[str]) -> list[re.Match[str]]:
    """Return the words of a COPY or ADD that name what it takes from the context: none where that is another stage."""
    words = list(_WORD.finditer(copy.string, *copy.span()))[1:]
    flags = [word[0] for word in takewhile(_is_flag, words)]
    return [] if any(flag.startswith("--from") for flag in flags) else words[len(flags) : -1]


def _first(path: str) -> str:
    """Return the folder that a path begins with: nothing where that is the context itself."""
    return next(iter(PurePosixPath(path).parts), "")


def _is_flag(word: re.Match[str]) -> bool:
    return word[0].startswith("--")


def _below(path: Path) -> Iterable[Path]:
    """Return what is in the folder, at any depth; of a file or a link itself; nothing of what is not there."""
    if path.is_symlink() or not path.is_dir():
        return [path] if os.path.lexists(path) else []
    return path.rglob("*")
