"""Images that the lab built, removed: all of them, or those of commits that were measured long ago."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchlab.core.errors import EngineError
from benchlab.machine import images
from benchlab.machine.building import Built
from benchlab.machine.engine import Engine

# How the images of the lab's own services are called.
OWN = "benchlab/"
# Of so many commits the images are kept after a run: the next run against one of them need not build it.
COMMITS_KEPT = 3


@dataclass(frozen=True)
class Removed:
    """The names of the images that are gone; a line for each that is still used; and the names of those left alone.

    These are called as the lab's are, but nothing says that this project's lab built them.
    """

    names: tuple[str, ...]
    used: tuple[str, ...]
    unknown: tuple[str, ...]


def remove(on: Engine, state: Path) -> Removed:
    """Remove the images that this project's lab built; Debian's own, where it was pulled, stays.

    They are known by their labels, and those of versions of the lab that gave them none by what is noted in `state`.
    """
    noted = Built(state, str(on.info()["ID"])).ids
    names, used, unknown = [], [], []
    for image in on.every_image():
        if not image.names and image.id in noted:
            with suppress(EngineError):  # another image may start from it, and goes later or is not the lab's
                on.remove_unnamed_image(image.id)
        for name in image.names:
            is_called_ours = name.startswith(OWN)
            is_noted = is_called_ours and images.is_usual(name) and image.id in noted
            if image.is_built_as(name, on.project) or is_noted:
                why = on.remove_unused_image(name)
                used += [f"{name} stays: {why}"] if why else []
                names += [] if why else [name]
            elif is_called_ours:
                unknown.append(name)
    return Removed(tuple(names), tuple(used), tuple(unknown))


def prune(on: Engine, state: Path, in_use: Collection[str]) -> None:
    """Remove what was made of commits but the last few; those of which an image is `in_use` are among these."""
    found: dict[str, list[tuple[datetime, str]]] = {}
    for image in on.every_image():
        for name in image.names:
            if (commit := images.commit(name)) and image.is_built_as(name, on.project):
                found.setdefault(commit, []).append((on.named_at(image.id), name))
    needed = {images.commit(name) for name in in_use}
    by_age = sorted(found, key=lambda commit: (commit in needed, max(found[commit])), reverse=True)
    for commit in by_age[max(COMMITS_KEPT, len(needed & set(found))) :]:
        for _, name in found[commit]:
            on.remove_unused_image(name)
        for folder in (state / "at").glob(f"{commit}*"):
            shutil.rmtree(folder, ignore_errors=True)


def told(removed: Removed) -> list[str]:
    """Return in lines which images stay, and why."""
    if not removed.unknown:
        return list(removed.used)
    alone = (
        f"left alone: {', '.join(removed.unknown)}; no label says that this lab built them, so an older version of it "
        f"did, or somebody else; `docker rmi {' '.join(removed.unknown)}` removes them"
    )
    return [*removed.used, alone]
