"""What images are called, and which of them the lab built. Pure.

An image that the lab built says by its labels of which project it is, and what it was called. These are not the labels
of the lab's containers: a container has those of its image too, and another project's would be taken for the lab's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import hexdigits

IMAGE_LABEL, PROJECT_OF_IMAGE_LABEL = "benchlab.image", "benchlab.image.project"
COMMIT_LENGTH = 12
# Where the files of commits, and those of levels, are kept that images were built from, in the lab's own folder.
COMMITS, LEVELS = "at", "levels"


@dataclass(frozen=True)
class Image:
    """An image of the engine; `names` are all with a tag, none where a later build took the last of them."""

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]

    def is_built_as(self, name: str, project: str) -> bool:
        """Return whether the project's lab built the image under that name.

        What somebody builds on top of it inherits its labels, and has another name; a tag that somebody gave it is
        another name, too.
        """
        built_as = (self.labels.get(PROJECT_OF_IMAGE_LABEL), self.labels.get(IMAGE_LABEL))
        return built_as == (project, _built_as(name))


def labels(project: str, name: str) -> dict[str, str]:
    """Return the labels of an image that the project's lab builds under that name."""
    return {IMAGE_LABEL: _built_as(name), PROJECT_OF_IMAGE_LABEL: project}


def repository(name: str) -> str:
    """Return an image's name without its tag: in host:5000/name:tag the first colon begins none."""
    before, _, tag = name.rpartition(":")
    return before if before and "/" not in tag else name


def is_usual(name: str) -> bool:
    """Return whether the image has a tag that the lab gives: latest, a commit's, or none, which means latest."""
    return name in (repository(name), f"{repository(name)}:latest") or commit(name) is not None


def _built_as(name: str) -> str:
    """Return what the label says of a name: a tag is in it only where the image's definition names another one."""
    return repository(name) if is_usual(name) else name


def at_commit(name: str, number: str) -> str:
    """Return what the image of a service is called that is built from its folder as it was at a commit."""
    return f"{repository(name)}:{number[:COMMIT_LENGTH]}"


def commit(name: str) -> str | None:
    """Return the beginning of the number of the commit that an image is called by, None where it is by none."""
    tag = name.removeprefix(repository(name)).removeprefix(":")
    return tag if len(tag) == COMMIT_LENGTH and set(tag) <= set(hexdigits) else None
