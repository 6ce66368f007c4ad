"""The unit tests on the Python of the images, which is Debian 13's, whatever Python the others run on."""

from __future__ import annotations

import os

import docker
import pytest

from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE, PROJECT_LABEL

from .conftest import Project
from .traces import PROJECT

PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
COMMANDS = (
    "apt-get update -qq",
    "apt-get install -qq --yes git make",
    "pip install --quiet --no-compile --require-hashes -r requirements-dev.txt",
    "python3 --version",
    # The truth of sentences does not hang on the Python.
    "python3 -m pytest -m 'not docker' --quiet -p no:cacheprovider --ignore=tests/truth "
    "--numprocesses=auto --maxprocesses=8 --dist=loadfile",
)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_unit_tests_pass_on_the_python_of_the_images(project: Project, client: docker.DockerClient) -> None:
    assert project.run("setup")[0] == 0
    container = client.containers.run(
        "benchlab/base",
        ["sh", "-c", f"({' && '.join(COMMANDS)}) 2>&1"],
        detach=True,
        environment={name: value for name, value in os.environ.items() if name.lower() in PROXY_VARIABLES},
        labels={PROJECT_LABEL: PROJECT, LAB_LABEL: LAB_VALUE},
        volumes=[f"{project.root}:/lab"],
        working_dir="/lab",
    )
    try:
        code = container.wait(timeout=1700)["StatusCode"]
        printed = container.logs().decode(errors="replace")
    finally:
        container.remove(force=True)
    assert code == 0, printed[-5000:]
    assert "Python 3.13." in printed
    assert " passed" in printed
