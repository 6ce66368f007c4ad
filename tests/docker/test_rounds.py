"""Rounds on a real engine: entries that are up together, slices that are counted, and ends in mid-block."""

from __future__ import annotations

import signal
from collections import Counter

import docker
import pytest

from benchlab.engine.engine import LEASE
from benchlab.engine.sandbox import SERVICE_LABEL
from benchlab.records.counters import APP, CLIENT, DB
from benchlab.records.run import INVALID

from .conftest import WAIT_S, Project, await_samples, await_that, end, end_cleanly
from .traces import objects

ROUNDS = ("--profile", "quick", "--test", "json", "--levels", "json=16,32", "--blocks", "1")
PAIR = ("--framework", "aiohttp", "--framework", "crax")


def test_entries_that_are_up_together_are_loaded_in_turns_and_counted(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*ROUNDS, *PAIR, "--repeats", "3")
    await_samples(project, 1, lab)
    running = {container.labels.get(SERVICE_LABEL) for container in client.containers.list()}
    assert running >= {"aiohttp", "crax", "db", "wrk"}
    printed, _ = lab.communicate(timeout=WAIT_S)
    assert lab.returncode == 0, printed
    run = project.latest()
    counting = [sample for sample in run.taken if sample.verdict.severity != INVALID]
    cells = Counter((sample.trial.entry, sample.trial.level.connections) for sample in counting)
    assert cells.keys() == {(entry, level) for entry in ("aiohttp", "crax") for level in (16, 32)}
    assert min(cells.values()) >= 3
    for sample in counting:
        load = sample.load
        # The window is a part of the launch, and what is counted in it a part of all that was answered.
        assert 0 < load.requests < (load.launch_requests or 0)
        assert load.duration_us < load.wall_us
        assert sample.counters.roles.keys() == {CLIENT, APP, DB}
    # The whole of a launch and its window have about the same rate: counts and times are of the same load.
    whole = sum(sample.load.launch_requests or 0 for sample in counting) / sum(s.load.wall_us for s in counting)
    window = sum(sample.load.requests for sample in counting) / sum(s.load.duration_us for s in counting)
    assert 0.4 < whole / window < 1.2
    assert run.to_come == 0


def test_ctrl_c_in_mid_block_ends_the_load_and_resume_takes_the_rounds_that_are_not_whole(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*ROUNDS, *PAIR, "--repeats", "6")
    await_samples(project, 6, lab)
    end_cleanly(client, lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    code, printed = project.run("--resume", "results/latest")
    assert code == 0, printed
    assert project.journal().read_bytes().startswith(kept)
    run = project.latest()
    rounds = Counter(sample.trial.repeat for sample in run.samples)
    assert sum(slices == 4 for slices in rounds.values()) == 6


@pytest.mark.long
def test_the_load_of_a_lab_that_was_killed_ends_with_it(project: Project, client: docker.DockerClient) -> None:
    lab = project.start(*ROUNDS, *PAIR, "--repeats", "100")
    await_samples(project, 2, lab)
    end(lab, signal.SIGKILL)
    (generator,) = client.containers.list(filters={"label": f"{SERVICE_LABEL}=wrk"})

    def is_quiet() -> bool:
        processes = " ".join(" ".join(row) for row in generator.top()["Processes"])
        return "rounds.py" not in processes and "slice.lua" not in processes

    await_that(is_quiet, "the load ended with its lab")
    await_that(lambda: LEASE not in objects(client), "the lease ended with its holder")
    kept = len(project.latest().taken)
    resumed = project.start("--resume", "results/latest")
    await_samples(project, kept + 1, resumed)
    end_cleanly(client, resumed, signal.SIGINT)
