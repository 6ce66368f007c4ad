"""Runs that are ended before their end: what they leave, and how they are resumed."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import docker
import pytest

from benchlab.engine.engine import LEASE
from benchlab.experiment import schedule
from benchlab.load import closed
from benchlab.quality import judge
from benchlab.records.counters import CLIENT
from benchlab.records.plan import Entry, Trial
from benchlab.records.run import Run
from benchlab.storage import store

from .conftest import LONG, ONE, ROUNDS, WAIT_S, Project, await_samples, await_that, end, end_cleanly
from .traces import objects


@pytest.mark.long
def test_long_samples_that_ctrl_c_ended_cleanly_are_resumed_in_the_planned_order(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*LONG, "--blocks", "2")
    await_samples(project, 1, lab)
    end_cleanly(client, lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    assert "## json, by" in (project.root / "results/latest" / store.REPORT).read_text()
    resumed, _ = project.run("--resume", "results/latest")
    run = project.latest()
    assert resumed == 0
    assert project.journal().read_bytes().startswith(kept)
    assert [sample.trial for sample in run.samples] == _plan(run)


def _plan(run: Run) -> list[Trial]:
    """Return the trials of the run in the order of its plan."""
    cpus = len(run.manifest.placement.get(CLIENT, ())) or run.manifest.cpus
    levels = closed.levels(run.manifest.settings, cpus)
    entries = [Entry(name, {}, {"json": "/json"}) for name in run.manifest.settings.frameworks]
    visits = schedule.plan(entries, levels, run.manifest.settings.blocks, run.manifest.settings.seed)
    return [trial for visit in visits for trial in visit.trials]


@pytest.mark.parametrize(
    "stage", [*(pytest.param(stage, marks=pytest.mark.long) for stage in ("create", "start-up")), "build", "clean-up"]
)
def test_ctrl_c_at_any_point_leaves_nothing_behind(project: Project, client: docker.DockerClient, stage: str) -> None:
    logs = project.root / ".lab"
    if stage == "build":
        app = project.root / "frameworks/crax/app.py"
        app.write_text(app.read_text() + "\n# so that it is built anew\n")
        shutil.rmtree(logs)
    (logs / "create.log").unlink(missing_ok=True)
    lab = project.start(*ONE, "--blocks", "2", "--framework", "crax")
    reached = {
        "build": lambda: "crax" in _text(logs / "build.log"),
        "create": lambda: (logs / "create.log").exists(),
        "start-up": lambda: any("db" in name for name in objects(client)) and project.journal().exists(),
        "clean-up": lambda: _text(project.journal()).count('"kind": "sample"') == ROUNDS,
    }
    await_that(reached[stage], stage, lab)
    lab.send_signal(signal.SIGINT)
    if stage == "clean-up":
        # The second one arrives while the first is being obeyed.
        lab.send_signal(signal.SIGINT)
    ended, printed = end(lab, signal.SIGINT)
    assert (ended, objects(client)) == (130, [])
    assert "Traceback" not in printed


def _is_whole(run: Run) -> bool:
    """Return whether the run has all its rounds, of two blocks."""
    return {sample.trial.block for sample in run.samples} == {1, 2} and not run.to_come and not judge.missing(run)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def test_a_kill_leaves_what_the_next_start_clears_and_a_cut_line_is_measured_again(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*ONE, "--blocks", "2", "--framework", "crax")
    await_samples(project, 1, lab)
    end(lab, signal.SIGKILL)
    assert objects(client) != []
    with project.journal().open("ab") as journal:
        journal.write(b'{"kind": "sample", "trial": {"blo')
    await_that(lambda: LEASE not in objects(client), "the lease ended with its holder")
    code, printed = project.run("--resume", "results/latest")
    assert code == 0
    assert "33 bytes dropped" in printed
    assert "cleared what an earlier run had left behind" in printed
    assert _is_whole(project.latest())


@pytest.mark.long
def test_a_lost_lease_ends_the_run_with_one_line_and_what_was_measured_is_kept(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*ONE, "--blocks", "2", "--framework", "crax")
    await_samples(project, 1, lab)
    # The engine removes it as soon as it has ended.
    client.containers.get(LEASE).kill()
    printed, _ = lab.communicate(timeout=WAIT_S)
    assert (lab.returncode, objects(client)) == (1, [])
    assert re.findall(r"^error: .*", printed, re.MULTILINE) == [printed.splitlines()[-1]]
    assert printed.splitlines()[-1].startswith("error: this lab's lease of the engine is lost: ")
    assert "Traceback" not in printed
    assert "what was measured is kept; go on with: python lab.py --resume results/" in printed
    assert {sample.trial.block for sample in project.latest().samples} == {1}


@pytest.mark.long
def test_a_run_is_resumed_on_the_sources_and_resources_alone_that_it_began_with(
    project: Project, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The caller's own lead nowhere else.
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "nowhere.yaml")
    lab = project.start(*ONE, "--blocks", "2", "--framework", "crax")
    await_samples(project, 1, lab)
    assert any("crax" in name for name in objects(client))
    app = project.root / "frameworks/crax/app.py"
    was = app.read_text()
    app.write_text(was + "\n# changed\n")
    end_cleanly(client, lab, signal.SIGTERM)
    kept, run = project.journal().read_bytes(), project.latest()

    refused, printed = project.run("--resume", "results/latest")
    assert (refused, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: ")
    assert "files or build settings of crax have changed since the run began" in printed
    app.write_text(was)

    with monkeypatch.context() as other:
        other.setenv("LAB_DB_CONNECTIONS", "8")
        refused, printed = project.run("--resume", "results/latest")
    assert refused == 1
    assert re.search(rf"crax's environment DB_POOL_SIZE was \d+, is {8 // run.manifest.cpus}[;,]", printed)
    assert "benchmarkdbpass" not in printed

    assert project.journal().read_bytes() == kept
    assert client.images.get("benchlab/crax").id == run.manifest.images["crax"]
    resumed, printed = project.run("--resume", "results/latest")
    assert resumed == 0, printed
    assert project.journal().read_bytes().startswith(kept)
    assert _is_whole(project.latest())
