"""Signals, a second lab, a lost lease: a lab ends in order, and leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import docker
import pytest

from benchlab.engine import LEASE

from .conftest import JSON, Project, await_lines, await_that, end, objects
from .leftovers import WAIT_S


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_sigterm_and_sighup_end_as_cleanly(
    project: Project, client: docker.DockerClient, number: signal.Signals, code: int
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    ended, printed = end(lab, number)
    assert (ended, objects(client)) == (code, [])
    assert "what was measured is kept" in printed


@pytest.mark.usefixtures("own_images")
@pytest.mark.parametrize("stage", ["build", "create", "start-up", "clean-up"])
def test_ctrl_c_at_any_point_leaves_nothing_behind(project: Project, client: docker.DockerClient, stage: str) -> None:
    app = project.root / "frameworks/crax/app.py"
    app.write_text(app.read_text() + f"\n# so that {stage} builds anew\n")
    shutil.rmtree(project.root / ".lab")
    lab = project.start(*JSON, "--framework", "crax")
    logs = project.root / ".lab"
    reached = {
        "build": lambda: "crax" in _text(logs / "build.log"),
        "create": lambda: (logs / "create.log").exists(),
        "start-up": lambda: any("db" in name for name in objects(client)) and project.journal().exists(),
        "clean-up": lambda: project.journal().exists() and project.journal().stat().st_size > 0,
    }
    await_that(reached[stage], stage, lab)
    lab.send_signal(signal.SIGINT)
    if stage == "clean-up":
        # The second one arrives while the first is being obeyed.
        lab.send_signal(signal.SIGINT)
    ended, printed = end(lab, signal.SIGINT)
    assert (ended, objects(client)) == (130, [])
    assert "Traceback" not in printed


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def test_a_second_lab_on_the_engine_is_refused_and_disturbs_nothing(project: Project) -> None:
    first = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, first)
    for command in (("--framework", "aiohttp"), ("verify",), ("clean",)):
        code, printed = project.run(*command)
        assert (code, printed.count("\n")) == (1, 1)
        assert printed.startswith("error: another lab is at work on this engine (started")
    first.communicate()
    assert first.returncode == 0
    assert len(project.latest().samples) == 4


def test_a_lab_that_lost_its_lease_ends_before_its_next_visit_and_keeps_what_it_measured(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    # The engine removes it then, as it removes every lease that ends.
    client.containers.get(LEASE).kill()
    printed, _ = lab.communicate(timeout=WAIT_S)
    assert (lab.returncode, objects(client)) == (1, [])
    assert printed.count("error: ") == 1
    assert "error: this lab's lease of the engine is lost" in printed
    assert "what was measured is kept; go on with: python lab.py --resume results/" in printed
    assert {sample.trial.block for sample in project.latest().taken} == {1}
