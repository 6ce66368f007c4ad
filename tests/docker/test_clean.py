"""What `lab.py clean` removes, and what it leaves."""

from __future__ import annotations

from contextlib import suppress

import docker
import pytest
from docker.errors import NotFound

from benchlab.engine import LAB_LABEL, LAB_VALUE, PROJECT_LABEL

from .conftest import Project, objects
from .leftovers import PROJECT


@pytest.mark.usefixtures("own_images")
def test_clean_removes_containers_and_images_and_leaves_results(project: Project, client: docker.DockerClient) -> None:
    kept = project.root / "results/kept"
    kept.write_text("")
    left = client.containers.create("benchlab/wrk", ["true"], labels={PROJECT_LABEL: PROJECT, LAB_LABEL: LAB_VALUE})
    try:
        code, printed = project.run("clean")
    finally:
        with suppress(NotFound):
            left.remove(force=True)
    assert code == 0, printed
    assert printed.startswith("removed 1 containers and networks, and the images benchlab/")
    names = [f"benchlab/{name}" for name in ("base", "postgres", "wrk", "nginx", "aiohttp", "crax")]
    assert [name for name in names if name in printed and not client.images.list(name)] == names
    assert objects(client) == []
    assert kept.exists()
