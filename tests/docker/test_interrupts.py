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
from benchlab.records.counters import CLIENT
from benchlab.records.plan import Entry, Trial
from benchlab.records.run import Run
from benchlab.storage import store

from .conftest import JSON, WAIT_S, Project, await_lines, await_that, end
from .traces import objects


def test_ctrl_c_ends_cleanly_and_resume_goes_on_in_the_planned_order(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--blocks", "1", "--seed", "7")
    await_lines(project, 2, lab)
    ended, printed = end(lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    assert (ended, objects(client)) == (130, [])
    assert "what was measured is kept; go on with: python lab.py --resume results/" in printed
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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.long
def test_other_signals_end_as_cleanly(
    project: Project, client: docker.DockerClient, number: signal.Signals, code: int
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    ended, printed = end(lab, number)
    assert (ended, objects(client)) == (code, [])
    assert "what was measured is kept" in printed


@pytest.mark.parametrize(
    "stage", [*(pytest.param(stage, marks=pytest.mark.long) for stage in ("create", "start-up")), "build", "clean-up"]
)
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


def test_a_kill_leaves_what_the_next_start_clears_and_a_cut_line_is_measured_again(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 2, lab)
    end(lab, signal.SIGKILL)
    assert objects(client) != []
    with project.journal().open("ab") as journal:
        journal.write(b'{"kind": "sample", "trial": {"blo')
    await_that(lambda: LEASE not in objects(client), "the lease ended with its holder")
    code, printed = project.run("--resume", "results/latest")
    assert code == 0
    assert "33 bytes dropped" in printed
    assert "cleared what an earlier run had left behind" in printed
    assert len(project.latest().samples) == 4


@pytest.mark.long
def test_a_lost_lease_ends_the_run_with_one_line_and_what_was_measured_is_kept(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
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
def test_a_run_is_not_resumed_on_other_sources_until_they_are_restored(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    app = project.root / "frameworks/crax/app.py"
    was = app.read_text()
    app.write_text(was + "\n# changed\n")
    end(lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    refused, printed = project.run("--resume", "results/latest")
    assert (refused, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: ")
    assert "files or build settings of crax have changed since the run began" in printed
    assert project.journal().read_bytes() == kept
    assert client.images.get("benchlab/crax").id == project.latest().manifest.images["crax"]
    app.write_text(was)
    resumed, printed = project.run("--resume", "results/latest")
    assert resumed == 0, printed
    assert project.journal().read_bytes().startswith(kept)
    assert len(project.latest().samples) == 4


@pytest.mark.long
def test_resume_with_other_resources_is_refused_by_name_with_both_values(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    end(lab, signal.SIGINT)
    monkeypatch.setenv("LAB_DB_CONNECTIONS", "8")
    code, printed = project.run("--resume", "results/latest")
    assert code == 1
    pool = 8 // project.latest().manifest.cpus
    assert re.search(rf"crax's environment DB_POOL_SIZE was \d+, is {pool}[;,]", printed)
    assert "benchmarkdbpass" not in printed
