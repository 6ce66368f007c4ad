"""What makes the lab an instrument, on the real engine: counters, verdicts, versions in one run, precision, advice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE, PROJECT_LABEL
from benchlab.load.closed import MEASURES
from benchlab.quality import judge
from benchlab.records.counters import APP, CLIENT, DB
from benchlab.records.plan import Variant
from benchlab.selftest import faults, kept
from benchlab.selftest.extent import DOSES, PLAIN
from benchlab.statistics.regression import REGRESSION
from benchlab.storage import store

from .conftest import LONG, ONE, SHORT, Measured, Project, await_samples, copy_of_project, end_cleanly, nothing_stays
from .traces import PROJECT

# A calibration as it is, with as little of everything as it can have.
SMALL = """
import pathlib, sys
from dataclasses import replace
from benchlab.cli import cli
from benchlab.selftest import extent

small = {"blocks": 2, "rounds": 3, "block_s": 0}
short = extent.SHORT
extent.SHORT = replace(
    short,
    aa_test=replace(short.aa_test, entries=extent.EQUAL[:2], levels=extent.JSON, **small),
    slowdown=replace(short.slowdown, **small),
    turns={"json": replace(short.turns["json"], rounds=2)},
)
sys.exit(cli.main(pathlib.Path.cwd(), ["calibrate", "--seed", "1"]))
"""
# What the load generator's scripts see of the counters of a container.
LOOK = """
import json, sys
sys.path.insert(0, "/wrk")
import facts, load, readings
container = "0" * 64
folders = readings.folders(container)
print(json.dumps([facts.cgroup_tree(container), load.await_idle([folders]), vars(readings.container(folders))]))
"""
SLOW = 'return web.json_response({"message"'
SPINS = """

def _spin() -> None:
    while True:
        pass


threading.Thread(target=_spin, daemon=True).start()
"""


def _commit(project: Project) -> None:
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--message=x"],
    ):
        subprocess.run(["git", *command], cwd=project.root, check=True)


def _hoards(app: str) -> str:
    """Return the app so that it holds 200 MB from its first json on until an update."""
    return (
        app.replace("async def json(", "HOARD: list[bytes] = []\n\n\nasync def json(")
        .replace(SLOW, f'HOARD[:] = HOARD or [b"x" * 200_000_000]\n    {SLOW}')
        .replace("    ids = sample(", "    HOARD.clear()\n    ids = sample(")
    )


def _spins(app: str) -> str:
    return app.replace("import os\n", "import os\nimport threading\n") + SPINS


@pytest.fixture(scope="module")
def greedy_run(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Measured:
    """Return a run of an entry that takes memory for one test type, and of one that is never idle."""
    project = copy_of_project(tmp_path_factory.mktemp("greedy") / "project")
    project.add_entry("hoarder", "aiohttp", _hoards)
    project.add_entry("restless", "aiohttp", _spins)
    tests = ("--test", "json", "--test", "update", "--levels", "json=16", "--levels", "update=1")
    with nothing_stays(client):
        names = ("--framework", "hoarder", "--framework", "restless")
        return Measured(project, *project.run(*SHORT, "--blocks", "1", *names, *tests))


@pytest.mark.long
def test_peak_memory_is_that_of_the_sample_and_not_of_the_test_type_before(greedy_run: Measured) -> None:
    run = greedy_run.run
    usages = {
        sample.trial.test: sample.counters.roles[APP] for sample in run.samples if sample.trial.entry == "hoarder"
    }
    peaks = {test: usage.memory_peak_bytes or 0 for test, usage in usages.items()}
    assert [failure for failure in judge.missing(run) if failure.trial.entry == "hoarder"] == []
    # In a block update comes last.
    assert peaks["json"] > peaks["update"] + 100_000_000 > 100_000_000


@pytest.mark.long
def test_a_sample_that_begins_beside_a_busy_server_is_suspect(greedy_run: Measured) -> None:
    taken = [sample for sample in greedy_run.run.taken if sample.trial.entry == "restless"]
    assert len(taken) > 1
    assert all("busy before" in sample.verdict.broken for sample in taken)


@pytest.mark.long
def test_versions_of_an_entry_are_measured_in_one_run_that_goes_on_and_a_slower_one_fails_the_gate(
    project: Project, client: docker.DockerClient
) -> None:
    # It is called as an old version might be.
    project.add_entry("x-at-y", "aiohttp", lambda app: app)
    _commit(project)
    app = project.root / "frameworks/x-at-y/app.py"
    app.write_text(app.read_text().replace(SLOW, f"sum(range(20_000))\n    {SLOW}"))
    gate = ("--fail-if-slower", "10%")
    lab = project.start(*ONE, "--blocks", "3", "--framework", "x-at-y", "--against", "HEAD", *gate)
    await_samples(project, 1, lab)
    end_cleanly(client, lab, signal.SIGINT)
    # What HEAD is has moved since; what the run compares has not.
    (project.root / "README.md").write_text("another commit")
    _commit(project)
    code, printed = project.run("--resume", "results/latest", *gate)
    run = project.latest()
    (old,) = (name for name, of in run.manifest.variants.items() if of.levels)
    assert run.manifest.variants["x-at-y"] == Variant("x-at-y")
    assert run.manifest.variants[old] == Variant("x-at-y", {"commit": run.manifest.settings.against})
    assert code == REGRESSION
    assert {sample.trial.entry for sample in run.samples} == {"x-at-y", old}
    assert {sample.trial.block for sample in run.samples} == {1, 2, 3}
    assert "slower after all 3 blocks: x-at-y json requests/" in printed
    compared, table = project.run("compare", "results/latest", *gate)
    assert compared == REGRESSION
    assert "| x-at-y" in table


@pytest.mark.long
def test_a_precision_decides_on_the_blocks_from_the_pilot_s_spread(precise_run: Measured) -> None:
    run = precise_run.run
    assert precise_run.code == 0
    assert run.decision is not None
    assert run.decision.needed is not None
    assert (run.decision.pilot, run.decision.needed) == (2, max(2, run.decision.needed))
    assert (judge.missing(run), run.to_come) == ((), 0)
    assert {sample.trial.block for sample in run.samples} == set(range(1, run.decision.blocks + 1))
    assert "The widest ratio of two entries over all levels is known to ±" in precise_run.printed
    again, told = precise_run.project.run("--resume", "results/latest")
    assert (again, "nothing to measure" in told) == (0, True)


@pytest.mark.long
def test_where_the_cgroup_tree_is_not_mounted_the_engine_tells_what_containers_used(project: Project) -> None:
    compose = project.root / "compose.yaml"
    text = compose.read_text()
    mount = next(line for line in text.splitlines() if "/host/cgroup" in line)
    compose.write_text(text.replace(f"{mount}\n", ""))
    code, printed = project.run(*LONG, "--blocks", "1")
    run = project.latest()
    (sample,) = run.samples
    assert code == 0
    assert run.manifest.facts.host.fact("cgroup_tree") == "unavailable"
    assert all((sample.counters.roles[role].cpu_us or 0) > 0 for role in (CLIENT, APP, DB))
    assert (sample.counters.roles[APP].memory_peak_bytes or 0) > 1_000_000
    assert {"out of memory", "busy before"} <= set(sample.verdict.unknown)
    assert "## Bottlenecks" in printed


@pytest.mark.long
@pytest.mark.parametrize("mode", [0o755, 0o000], ids=["empty", "forbidden"])
def test_a_cgroup_tree_that_is_mounted_and_cannot_be_read_is_none(
    client: docker.DockerClient, tmp_path: Path, mode: int
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    tree.chmod(mode)
    printed = client.containers.run(
        "benchlab/wrk",
        ["python3", "-c", LOOK],
        user="10001:10001",
        network_mode="none",
        labels={PROJECT_LABEL: PROJECT, LAB_LABEL: LAB_VALUE},
        volumes=[f"{tree}:/host/cgroup:ro"],
        remove=True,
    )
    version, is_idle, usage = json.loads(printed)
    assert (version, is_idle, set(usage.values())) == (None, None, {None})


@pytest.mark.long
def test_a_calibration_catches_every_injected_fault_and_writes_its_report(project: Project) -> None:
    (project.root / "small.py").write_text(SMALL)
    process = subprocess.run([sys.executable, "small.py"], cwd=project.root, capture_output=True, text=True)
    (folder,) = (project.root / "results").glob("*-calibration")
    table = (folder / store.REPORT).read_text()
    rows = {cells[1].strip(): cells for line in table.splitlines() if len(cells := line.split("|")) > 5}
    results = {name: cells[4].strip() for name, cells in rows.items() if name.startswith("fault: ")}
    # What else passes, and so the exit code, is a matter of how quiet this host is just now.
    assert process.returncode in (0, 1)
    assert table in process.stdout
    assert set(results.values()) == {"pass"}
    assert len(results) == len(faults.INJECTED) + len(faults.TROUBLES)
    assert {"bias: json, slices against plain wrk", "slices of equal entries that count"} <= set(rows)
    for metric in MEASURES.compared:
        assert f"injected slowdown, {metric.name}: slope of told against true" in rows
        assert f"smallest effect: json, {metric.name}" in rows
    assert "Not made" not in table
    assert table.splitlines()[2].startswith("The short version, seed 1, begun ")
    calibration = kept.read(folder)
    # The entries say of each block what their slowdown took, and of more requests than were counted.
    burdens = {(burden.block, burden.entry): burden for burden in calibration.findings.burdens}
    entries = (PLAIN, *DOSES)
    for block in (1, 2):
        of_block = [burdens[block, entry] for entry in entries]
        plain, *slowed = of_block
        assert min(burden.us for burden in slowed) > plain.us
        for burden in of_block:
            counted = [
                sample.load.launch_requests or 0
                for sample in calibration.runs[kept.SLOWDOWN].taken
                if (sample.trial.block, sample.trial.entry) == (block, burden.entry)
            ]
            assert burden.requests > sum(counted) > 0
    (folder / store.REPORT).unlink()
    code, printed = project.run("report", str(folder))
    assert (code, printed) == (0, table)
    assert (folder / store.REPORT).read_text() == table


def test_the_doctor_looks_at_the_engine_s_host_and_changes_nothing(project: Project) -> None:
    code, printed = project.run("doctor", "--json")
    examined = json.loads(printed)
    subjects = {finding["subject"]: finding["state"] for finding in examined["findings"]}
    assert code == 0
    assert subjects["facts"] == subjects["cgroups"] == "fine"
    assert examined["facts"]["cpu_count"] > 0
    assert not any((project.root / "results").glob("2*"))
