"""A project of the usual entries and twenty that are made up, and the lab in it without an engine."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from ..entries import ENTRIES, ROOT, USUAL

# Resolves compose.yaml as far as a plan needs it: each variable of the environment, or what stands for it.
COMPOSE = f"""#!{sys.executable}
import os, re, sys, yaml
text = open("compose.yaml").read()
resolved = re.sub(r"\\$\\{{(\\w+):-([^}}]*)\\}}", lambda match: os.environ.get(match[1]) or match[2], text)
print(yaml.safe_dump(yaml.safe_load(resolved)) if sys.argv[-1] == "config" else "")
"""
# The lab in another folder than its own.
ELSEWHERE = """
import sys
from pathlib import Path
from benchlab.cli import cli
sys.exit(cli.main(Path(sys.argv[1]), sys.argv[2:]))
"""
# Name, interface, driver, server, and further tags.
MADE = tuple(
    (
        f"made-{number:02}",
        "wsgi" if number % 4 == 0 else "asgi",
        "psycopg" if number % 3 == 0 else "asyncpg",
        "granian" if number % 5 == 0 else "uvicorn",
        "popular" if number <= 6 else "",
    )
    for number in range(1, 21)
)
NAMES = tuple(name for name, *_ in MADE)
EVERY = tuple(sorted((*USUAL, *NAMES)))


def project(folder: Path) -> Path:
    """Return the folder with a compose.yaml of EVERY entry."""
    content = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name, interface, driver, server, tags in MADE:
        service = copy.deepcopy(content["services"][USUAL[0]])
        service["labels"] |= {
            "benchlab.framework": name,
            "benchlab.interface": interface,
            "benchlab.driver": driver,
            "benchlab.server": server,
            "benchlab.loop": "none" if interface == "wsgi" else "uvloop",
            "benchlab.tags": tags,
            "benchlab.default": "no",
        }
        content["services"][name] = service
    for name in set(ENTRIES) - set(USUAL):
        del content["services"][name]
    (folder / "compose.yaml").write_text(yaml.safe_dump(content))
    shutil.copy(ROOT / ".env", folder)
    (folder / "frameworks").symlink_to(ROOT / "frameworks")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a machine with a Compose command, and no engine."""
    docker = folder / "docker"
    docker.write_text(COMPOSE)
    docker.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_HOST": f"unix://{folder}/nowhere.sock"}


def ended(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the lab in that project, ended."""
    command = [sys.executable, "-c", ELSEWHERE, str(root), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(root), capture_output=True, text=True)
