"""A base image with another Python, made of a registry's image or of Debian's packages: whichever is to be had here."""

from __future__ import annotations

import docker
import pytest

from benchlab.engine import pythons
from benchlab.engine.engine import Engine

from .conftest import Project
from .traces import PROJECT

LAYOUT = (
    "id lab; stat --format '%U %a' /app; command -v python3; command -v pip; pip list --format freeze | cut -d = -f 1"
)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_base_image_has_the_python_that_is_asked_for_and_is_laid_out_as_the_usual_one(
    project: Project, client: docker.DockerClient
) -> None:
    said: list[str] = []
    base = pythons.ensure("3.14", Engine.connect(PROJECT), project.root, said.append)
    assert client.containers.run(base.image, ["python3", "--version"], remove=True).startswith(b"Python 3.14.")
    assert "3.14" in base.origin
    assert _layout(client, base.image) == _layout(client, "benchlab/base")
    assert _settings(client, base.image).items() >= _settings(client, "benchlab/base").items()
    # What is up to date is not built again.
    said.clear()
    assert (pythons.ensure("3.14", Engine.connect(PROJECT), project.root, said.append), said) == (base, [])


def _layout(client: docker.DockerClient, image: str) -> bytes:
    return client.containers.run(image, ["sh", "-c", LAYOUT], remove=True)


def _settings(client: docker.DockerClient, image: str) -> dict[str, str]:
    """Return the image's folder and environment, of PATH what comes first."""
    config = client.images.get(image).attrs["Config"]
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    return {**environment, "PATH": environment["PATH"].partition(":")[0], "folder": config["WorkingDir"]}
