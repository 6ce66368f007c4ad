"""What the lab and its tests have on the engine, by name; what strangers have or do there is not looked at."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound
from docker.models.containers import Container

from benchlab.engine import PROJECT_LABEL

PROJECT = "benchlab"
LABELLED: Any = {"label": f"{PROJECT_LABEL}={PROJECT}"}
# The lab's images, and the second names that the tests give them.
NAMES = (f"{PROJECT}/", f"kept-{PROJECT}/")
WAIT_S = 120


def found(client: docker.DockerClient) -> set[str]:
    """Return the names of the containers, networks, volumes and images that belong to the lab or its tests.

    A build's containers have no label of ours: they are known by the image that they were made from. An image built
    anew is the same by name.
    """
    base = _layers_of_base(client)
    containers = client.containers.list(all=True, ignore_removed=True)
    return {
        *(f"container {container.name}" for container in containers if _is_ours(client, container, base)),
        *(f"network {network.name}" for network in client.networks.list(filters=LABELLED)),
        *(f"volume {volume.name}" for volume in client.volumes.list(filters=LABELLED)),
        *(f"image {name}" for name in _names(client)),
        *(f"image {image_id}" for image_id in _unnamed(client, base)),
    }


def await_none(client: docker.DockerClient, before: set[str]) -> None:
    """Return once nothing is there that was not there before; fail with what is, after two minutes."""
    deadline = time.monotonic() + WAIT_S
    while left := found(client) - before:
        if time.monotonic() > deadline:
            pytest.fail(f"left on the engine: {', '.join(sorted(left))}")
        time.sleep(0.05)


def remove_unnamed_images(client: docker.DockerClient, before: set[str]) -> None:
    """Remove the images without a name that were not there before, such as the last layer of an interrupted build."""
    for image_id in _unnamed(client, _layers_of_base(client)):
        if f"image {image_id}" not in before:
            remove_image(client, image_id)


def remove_image(client: docker.DockerClient, name: str) -> None:
    """Remove the image; one that is not there is fine."""
    with suppress(ImageNotFound):
        client.images.remove(name)


def image_id(client: docker.DockerClient, name: str) -> str | None:
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        return None


def _is_ours(client: docker.DockerClient, container: Container, base: list[str]) -> bool:
    labelled = container.labels.get(PROJECT_LABEL) == PROJECT
    return labelled or _starts_from(_layers(client, container.attrs["Image"]), base)


def _names(client: docker.DockerClient) -> list[str]:
    names = [name for image in client.api.images() for name in image["RepoTags"] or ()]
    return [name for name in names if name.startswith(NAMES)]


def _unnamed(client: docker.DockerClient, base: list[str]) -> list[str]:
    """Return the ids of the images without a name that start from the base image."""
    ids = [str(image["Id"]) for image in client.api.images(filters={"dangling": True})]
    return [image_id for image_id in ids if _starts_from(_layers(client, image_id), base)]


def _layers_of_base(client: docker.DockerClient) -> list[str]:
    """Return the layers that every image of the lab begins with; none where there is no base image."""
    return _layers(client, f"{PROJECT}/base")


def _starts_from(layers: list[str], base: list[str]) -> bool:
    return bool(base) and layers[: len(base)] == base


def _layers(client: docker.DockerClient, name: str) -> list[str]:
    """Return the image's layers; none where it is gone by now."""
    try:
        return list(client.images.get(name).attrs["RootFS"].get("Layers") or [])
    except ImageNotFound:
        return []
