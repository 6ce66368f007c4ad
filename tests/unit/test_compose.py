"""Which Compose there is, told by commands that print what some version of it prints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import EngineError, SetupError
from benchlab.engine import compose
from benchlab.engine.topology import Topology

ROOT = Path(__file__).parents[2]
REFUSED = (
    "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade "
    "your client to a newer version"
)
TOLD = "from benchlab.engine import compose; print(compose.generation(compose.compose_command()))"


def _script(path: Path, *lines: str, interpreter: str = "/bin/sh") -> Path:
    path.write_text("\n".join([f"#!{interpreter}", *lines, ""]))
    path.chmod(0o755)
    return path


def _topology(tmp_path: Path, *lines: str) -> Topology:
    """Return a topology of one service whose Compose is a script of these lines."""
    (tmp_path / "crax").mkdir()
    program = _script(tmp_path / "compose", 'if [ "$1" = version ]; then echo 2.5.0; exit; fi', *lines)
    crax = {"image": "benchlab/crax", "build": {"context": str(tmp_path / "crax")}, "profiles": ["entry"]}
    return Topology(tmp_path, (str(program), "--project-name", "lab"), {}, "lab", {"crax": crax})


def _build(topology: Topology, log: Path) -> None:
    topology.build(["crax"], log)


def _create(topology: Topology, log: Path) -> None:
    topology.create(["crax"], log)


@pytest.mark.parametrize("do", [_build, _create])
def test_an_engine_that_refuses_compose_for_its_age_is_told_in_a_line_with_both_versions_and_the_remedy(
    tmp_path: Path, do: Callable[[Topology, Path], None]
) -> None:
    topology = _topology(tmp_path, f"echo '{REFUSED}'; exit 1")
    with pytest.raises(EngineError) as told:
        do(topology, tmp_path / ".lab/log")
    assert str(told.value) == (
        f"{tmp_path}/compose 2.5.0 is too old for this engine: it speaks version 1.41 of the engine's API, and the "
        "engine knows none before 1.44; install Compose 2.26 or newer, as `docker compose`"
    )


def test_an_engine_without_a_free_subnet_is_told_with_the_remedy(tmp_path: Path) -> None:
    refusal = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign"
    with pytest.raises(SetupError) as told:
        _create(_topology(tmp_path, f"echo '{refusal}'; exit 1"), tmp_path / ".lab/log")
    assert str(told.value) == (
        f"making the containers failed: {refusal}; remove networks that nobody uses: `docker network ls` shows them, "
        "`docker network rm NAME` removes one"
    )


def test_each_image_is_built_with_a_label_of_its_name_and_project(tmp_path: Path) -> None:
    # Prints the last file that it is given.
    topology = _topology(tmp_path, 'for word; do [ "$last" = --file ] && cat "$word"; last=$word; done')
    topology.build(["crax"], tmp_path / ".lab/build.log")
    printed = (tmp_path / ".lab/build.log").read_text()
    assert "benchlab.image: benchlab/crax\n" in printed
    assert "benchlab.image.project: lab\n" in printed


def test_an_image_of_another_project_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    topology = _topology(tmp_path)
    services: Any = topology.services
    other = Topology(tmp_path, topology.compose, {}, "other", services)
    assert topology.inputs("crax", "") != other.inputs("crax", "")
    assert topology.sources("crax") == other.sources("crax")


@pytest.mark.parametrize(
    ("generation", "oldest_known", "understood"),
    [(1, "1.12", True), (1, "1.24", True), (1, "1.44", False), (2, "1.44", True), (1, "", True)],
)
def test_doctor_knows_that_an_engine_of_today_does_not_answer_the_first_compose(
    generation: int, oldest_known: str, understood: bool
) -> None:
    assert compose.is_understood(generation, oldest_known) is understood


@pytest.mark.parametrize(
    ("name", "line", "interpreter", "generation"),
    [
        ("docker", "echo Docker Compose version v2.26.1", "/bin/sh", 2),
        # v2 by itself, where no docker client is installed.
        ("docker-compose", "echo 2.26.1-4", "/bin/sh", 2),
        ("docker-compose", "echo v2.40.0", "/bin/sh", 2),
        # v1 in its packed form, and as Debian has it, which is not asked.
        ("docker-compose", "echo 1.29.2", "/bin/sh", 1),
        ("docker-compose", "raise SystemExit('v1 is slow to answer')", sys.executable, 1),
    ],
)
def test_a_compose_is_told_from_its_predecessor_whatever_it_is_called(
    tmp_path: Path, name: str, line: str, interpreter: str, generation: int
) -> None:
    _script(tmp_path / name, line, interpreter=interpreter)
    told = subprocess.run([sys.executable, "-c", TOLD], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True)
    assert told.stdout.decode().strip() == str(generation), told.stderr
