"""The engine's images: fetched, found by what their labels say, and removed.

An image that the lab built says by its labels of which project it is, and what it was called. These are not the labels
of the lab's containers: a container has those of its image too, and a stranger's would be taken for the lab's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import hexdigits

import docker
from docker.errors import APIError, ImageNotFound

from benchlab.core.errors import EngineError
from benchlab.engine.connection import reason, translated
from benchlab.engine.one_off import Asides

IMAGE_LABEL, PROJECT_OF_IMAGE_LABEL = "benchlab.image", "benchlab.image.project"
CONFLICT = 409
COMMIT_LENGTH = 12


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


class Images(Asides):
    """The side of an engine that keeps images; `patient` waits longer for what takes its time."""

    def __init__(self, client: docker.DockerClient, patient: docker.DockerClient, project: str):
        super().__init__(client, project)
        self._patient = patient

    def image_id(self, name: str) -> str | None:
        """Return the image's id, or None where the engine does not have it."""
        with translated(f"looking for image {name}"):
            try:
                return str(self._client.images.get(name).id)
            except ImageNotFound:
                return None

    def every_image(self) -> list[Image]:
        """Return the engine's images, the newest first: none is older than what it starts from."""
        with translated("listing the images"):
            found = sorted(self._client.api.images(), key=lambda image: image["Created"], reverse=True)
        return [
            Image(
                str(image["Id"]),
                tuple(name for name in image["RepoTags"] or () if "<none>" not in name),
                image["Labels"] or {},
            )
            for image in found
        ]

    def named_at(self, image_id: str) -> datetime:
        """Return when the image was last given a name, by a build that found all of it ready too."""
        with translated(f"inspecting image {image_id}"):
            found = self._client.images.get(image_id).attrs
        times = ((found.get("Metadata") or {}).get("LastTagTime"), found["Created"])
        return max(datetime.fromisoformat(time) for time in times if time)

    def pull(self, repository: str, tag: str) -> None:
        """Fetch an image from its registry. Raises EngineError."""
        with translated(f"pulling {repository}:{tag}"):
            self._patient.images.pull(repository, tag=tag)

    def load_rootfs(self, archive: Path, repository: str, tag: str) -> None:
        """Make an image of a tar file that holds a root file system. Raises EngineError."""
        changes = [f"LABEL {name}={value}" for name, value in labels(self.project, f"{repository}:{tag}").items()]
        with translated(f"importing {repository}:{tag}"):
            answer = self._patient.api.import_image_from_file(
                str(archive), repository=repository, tag=tag, changes=changes
            )
        for line in answer.splitlines():
            if error := json.loads(line).get("error"):
                raise EngineError(f"importing {repository}:{tag} failed: {error}")

    def remove_unnamed_image(self, image_id: str) -> None:
        """Remove the image where a later build took its last name; one that somebody named again stays."""
        with translated(f"removing image {image_id}"), suppress(ImageNotFound):
            if not self._client.images.get(image_id).tags:
                self._client.images.remove(image_id)

    def remove_image(self, name: str) -> bool:
        """Remove the image, or only its name where others have it too; return whether it was there."""
        with translated(f"removing image {name}"):
            try:
                self._client.images.remove(name)
            except ImageNotFound:
                return False
            return True

    def remove_unused_image(self, name: str) -> str:
        """Remove the image, or only its name where others have it too.

        Returns why it stays, in words, and nothing where it is gone.
        """
        with translated(f"removing image {name}"):
            try:
                self._client.images.remove(name)
            except ImageNotFound:
                return ""
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise
                users = self._client.containers.list(all=True, filters={"ancestor": name}, ignore_removed=True)
                return ", ".join(f"container {user.name} uses it" for user in users) or reason(error)
            return ""
