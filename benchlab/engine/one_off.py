"""Containers that Compose does not know of: each runs one command of the lab's, without rights, and is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.types import LogConfig

from benchlab.engine.connection import translated

PROJECT_LABEL = "com.docker.compose.project"
# No log fills the disk, and what such a container prints is read from it: more than any of them prints.
LOG = LogConfig(type=LogConfig.types.JSON, config={"max-size": "8m", "max-file": "2"})
# Compose's project name alone is not enough: another project may be called the same.
LAB_LABEL, LAB_VALUE = "benchlab.lab", "yes"


class Asides:
    """The side of an engine that runs such containers."""

    def __init__(self, client: docker.DockerClient, project: str):
        self._client = client
        self.project = project

    def run_once(
        self, image: str, command: Sequence[str], volumes: Sequence[str] = (), cpuset: str | None = None
    ) -> str:
        """Run the command in a container of its own, without rights or network, and return what it printed.

        Raises EngineError, also where the command fails.
        """
        return self._run(image, command, volumes=list(volumes), cpuset_cpus=cpuset)

    def open_files(self, image: str) -> str:
        """Return how many open files the engine lets a container ask for: a number, or unlimited."""
        return self._run(image, ["sh", "-c", "ulimit -Hn"]).strip()

    def grants(self, image: str, sysctls: Mapping[str, str]) -> bool:
        """Return whether the engine starts a container with these settings of its own kernel's."""
        with translated("asking for sysctls"):
            container = self._client.containers.create(image, ["true"], sysctls=dict(sysctls), **self._own_container())
            try:
                container.start()
                return bool(container.wait()["StatusCode"] == 0)
            except APIError:
                return False
            finally:
                container.remove(force=True)

    def _run(self, image: str, command: Sequence[str], **options: Any) -> str:
        with translated(f"running {command[0]} in {image}"):
            # As entry point: an image's own would get the command as its arguments, and may serve for ever.
            output: bytes = self._client.containers.run(
                image, entrypoint=list(command), remove=True, **self._own_container() | options
            )
            return output.decode(errors="replace")

    @contextmanager
    def beside(self, image: str, command: Sequence[str]) -> Iterator[None]:
        """Run the command in a container of its own for the length of the with block. Raises EngineError."""
        with translated(f"starting {command[0]}"):
            container = self._client.containers.run(image, list(command), detach=True, **self._own_container())
        try:
            yield
        finally:
            with translated(f"removing {command[0]}"), suppress(NotFound):
                container.remove(force=True)

    def _own_container(self) -> dict[str, Any]:
        """Return what a container gets that Compose does not know of: the lab's labels, no rights, no network."""
        return {
            "labels": {PROJECT_LABEL: self.project, LAB_LABEL: LAB_VALUE},
            "network_mode": "none",
            # As in compose.yaml: without it, a first process that expects no signal does not end at one.
            "init": True,
            "user": "10001:10001",
            "cap_drop": ["ALL"],
            "read_only": True,
            "security_opt": ["no-new-privileges:true"],
            "log_config": LOG,
        }
