"""A run that was stopped goes on with what it misses, in its own order and on its own terms."""

from __future__ import annotations

import re
import signal

import docker
import pytest

from benchlab import schedule, store, workloads
from benchlab.engine import LEASE
from benchlab.model import Entry, Run, Trial

from .conftest import JSON, Project, await_lines, await_that, end, objects


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
    assert [sample.trial for sample in run.samples] == _plan(run, client)


def _plan(run: Run, client: docker.DockerClient) -> list[Trial]:
    """Return the trials of the run in the order of its plan."""
    cpus = int(client.info()["NCPU"])
    levels = {test: workloads.levels(test, values, cpus) for test, values in run.manifest.settings.levels.items()}
    entries = [Entry(name, {}, {"json": "/json"}) for name in run.manifest.settings.frameworks]
    visits = schedule.plan(entries, levels, run.manifest.settings.blocks, run.manifest.settings.seed)
    return [trial for visit in visits for trial in visit.trials]


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


def test_resume_with_changed_files_is_refused_before_a_build_and_goes_on_once_they_are_restored(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    end(lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    app = project.root / "frameworks/crax/app.py"
    text = app.read_text()
    app.write_text(text + "\n# changed\n")
    code, printed = project.run("--resume", "results/latest")
    assert (code, printed.count("\n")) == (1, 1), printed
    assert "files or build settings of crax have changed since the run began; restore them" in printed
    assert client.images.get("benchlab/crax").id == project.latest().manifest.images["crax"]
    assert project.journal().read_bytes() == kept
    app.write_text(text)
    code, printed = project.run("--resume", "results/latest")
    assert code == 0, printed
    assert project.journal().read_bytes().startswith(kept)
    assert len(project.latest().samples) == 4


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
