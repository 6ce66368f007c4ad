"""What the lab leaves on an engine, told from what others have there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.volumes import Volume

from benchlab.engine.sandbox import PROJECT_LABEL

PROJECT = "benchlab"
# How the lab's images begin, and how they are called aside while a test runs.
IMAGES, ASIDE = "benchlab/", "kept-"


def objects(client: docker.DockerClient) -> list[str]:
    """Return the names of the project's containers, networks and volumes on the engine."""
    labelled: Any = {"label": f"{PROJECT_LABEL}={PROJECT}"}
    return [
        *(str(container.name) for container in client.containers.list(all=True, filters=labelled, ignore_removed=True)),
        *(str(network.name) for network in client.networks.list(filters=labelled)),
        *(str(volume.name) for volume in client.volumes.list(filters=labelled)),
    ]


def images(client: docker.DockerClient) -> dict[str, str]:
    """Return the ids of the lab's images by name; those that no name is left of, by their id."""
    found = client.api.images()
    names = {str(image["Id"]): [name for name in image["RepoTags"] or () if "<none>" not in name] for image in found}
    by_name = {name: key for key, has in names.items() for name in has if name.startswith(IMAGES)}
    # A stranger's build leaves images without a name too: the lab's start from the same Debian.
    bottoms = {_bottom(client, key) for key in by_name.values()} - {""}
    return by_name | {key: key for key, has in names.items() if not has and _bottom(client, key) in bottoms}


def _bottom(client: docker.DockerClient, image_id: str) -> str:
    """Return an image's lowest layer; nothing where the image has gone meanwhile."""
    try:
        return str((client.images.get(image_id).attrs["RootFS"].get("Layers") or [""])[0])
    except NotFound:
        return ""


def everything(client: docker.DockerClient) -> dict[str, str]:
    """Return the names of what may be the lab's on the engine, with or without its labels, by what identifies each."""
    return {
        **{str(found.id): str(found.name) for found in _containers(client)},
        **{str(found.id): str(found.name) for found in client.networks.list() if _is_ours(found.attrs["Labels"])},
        **{str(found.id): f"volume {found.name}" for found in client.volumes.list() if _is_ours(found.attrs["Labels"])},
        **{str(found.id): f"volume {found.name}" for found in _nameless_volumes(client)},
        **{f"{name} {image_id}": f"image {name} ({image_id})" for name, image_id in images(client).items()},
    }


def _containers(client: docker.DockerClient) -> list[Container]:
    """Return the lab's containers, and those of builds, which start from an image that is known by its id."""
    found = client.containers.list(all=True, ignore_removed=True)
    started_from = (IMAGES, "sha256:")
    return [each for each in found if _is_ours(each.labels) or each.attrs["Config"]["Image"].startswith(started_from)]


def _nameless_volumes(client: docker.DockerClient) -> list[Volume]:
    """Return the volumes that somebody's container left: nobody gave them a name, and nobody uses them."""
    unused: list[Volume] = client.volumes.list(filters={"dangling": True})
    return [volume for volume in unused if re.fullmatch("[0-9a-f]{64}", str(volume.name))]


def _is_ours(labels: Mapping[str, str] | None) -> bool:
    return (labels or {}).get(PROJECT_LABEL) == PROJECT


def restore(client: docker.DockerClient, own: Mapping[str, str]) -> None:
    """Give the images their names back, and remove those that were built since."""
    for name, image_id in named(own).items():
        tag(client, image_id, name)
    for name, image_id in images(client).items():
        if own.get(name) != image_id:
            # The engine refuses where a container or a build still uses the image.
            with suppress(APIError):
                client.api.remove_image(name)


def named(own: Mapping[str, str]) -> dict[str, str]:
    """Return those of the images that have a name."""
    return {name: image_id for name, image_id in own.items() if name.startswith(IMAGES)}


def tag(client: docker.DockerClient, image_id: str, name: str) -> None:
    repository, _, version = name.rpartition(":")
    client.api.tag(image_id, repository, version)
