"""The same project with Compose v2 and BuildKit, run by a client in a container."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import docker
import pytest

from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge

from ..entries import SERVICES
from ..tested import TESTED
from .conftest import ONE, ROUNDS, Project

PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
V2_CLIENT = "benchlab/compose-v2"


# One entry of each image, of those that are looked at closely.
BUILT = tuple({SERVICES[name]["image"]: name for name in TESTED.closely}.values())
ADOPTIONS = (
    "python3 lab.py adopt tests/tfb/rill --bases tests/tfb/bases.txt",
    "python3 lab.py adopt tests/tfb/asgi --test psycopg --bases tests/tfb/bases.txt",
)


@pytest.mark.long
def test_compose_v2_with_buildkit_builds_and_verifies_the_same_project_and_adopted_entries(
    project: Project, client: docker.DockerClient
) -> None:
    proxies = {name: value for name, value in os.environ.items() if name.lower() in PROXY_VARIABLES}
    client.images.build(path=str(Path(__file__).parent / "compose_v2"), tag=V2_CLIENT, rm=True, buildargs=proxies)
    shutil.rmtree(project.root / ".lab")
    environment = project.root / ".venv"
    install = (
        f"python3 -m venv {environment} && "
        f"{environment}/bin/pip install --quiet --no-compile --require-hashes -r requirements.txt"
    )
    # All of them are built; an image that serves in one of its ways does so in the others.
    names = (*BUILT, "rill", "asgi-psycopg")
    verify = " ".join(("verify", *(word for name in names for word in ("--framework", name))))
    bench = " ".join((*ONE, "--framework", "crax", "--blocks", "1"))
    # A context of another name than "default", as Docker Desktop has it.
    use_context = (
        "docker context create desktop --docker host=unix:///var/run/docker.sock && docker context use desktop"
    )
    commands = " && ".join((*ADOPTIONS, f"python3 lab.py {verify}", f"python3 lab.py {bench}"))
    printed = client.containers.run(
        V2_CLIENT,
        ["sh", "-c", f"{install} && {use_context} && ({commands}) 2>&1"],
        environment=proxies,
        remove=True,
        working_dir=str(project.root),
        volumes=["/var/run/docker.sock:/var/run/docker.sock", f"{project.root}:{project.root}"],
    ).decode()
    # The two that are adopted have two test types each.
    assert printed.count("pass  ") == len(BUILT) * len(WORKLOADS) + len(("json", "plaintext")) + len(("db", "query"))
    assert judge.missing(project.latest()) == ()
    assert len(project.latest().samples) >= ROUNDS
    # Only BuildKit numbers its steps so.
    assert re.search(r"^#\d+ ", (project.root / ".lab/build.log").read_text(), re.MULTILINE)
