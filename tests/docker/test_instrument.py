"""What makes the lab an instrument, on the real engine: counters, verdicts, versions in one run, a budget, advice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from benchlab.records.counters import APP, CLIENT, DB
from benchlab.records.plan import Variant
from benchlab.records.run import INVALID
from benchlab.selftest import faults
from benchlab.statistics.metrics import CLOSED_LOOP
from benchlab.statistics.regression import REGRESSION
from benchlab.storage import store

from .conftest import Project, await_lines, end

QUICK = ("--profile", "quick", "--seed", "7")
SHORT = (*QUICK, "--duration", "1")
JSON = (*SHORT, "--test", "json", "--levels", "json=32")
# A calibration as it is, with as little of everything as it can have.
SMALL = """
import pathlib, sys
from benchlab.cli import cli
from benchlab.selftest import selftest
selftest.SHORT = selftest.Extent("quick", 2, {"json": (32,)}, 2, 2, 2, 1, 2)
sys.exit(cli.main(pathlib.Path.cwd(), ["calibrate", "--seed", "1"]))
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


def test_every_sample_has_the_counters_of_all_roles_and_a_verdict(project: Project) -> None:
    code, printed = project.run(
        *QUICK, "--blocks", "1", "--test", "query", "--levels", "query=20", "--framework", "crax"
    )
    run = project.latest()
    (sample,) = run.samples
    roles = sample.counters.roles
    assert code == 0
    assert run.manifest.facts.engine_id
    assert set(roles) == {CLIENT, APP, DB}
    assert all((usage.cpu_us or 0) > 0 and (usage.memory_peak_bytes or 0) > 1_000_000 for usage in roles.values())
    assert sample.counters.host.idle_us is not None
    assert sample.counters.idle_before is not None
    assert sample.counters.received[-1][1] > sample.counters.received[0][1]
    assert len(sample.counters.speeds_us) == 2
    assert sample.verdict.severity != INVALID
    assert "wrong answers" not in sample.verdict.broken
    assert "## Bottlenecks" in printed


def _hoards(app: str) -> str:
    """Return the app so that it holds 200 MB from its first json on until an update."""
    return (
        app.replace("async def json(", "HOARD: list[bytes] = []\n\n\nasync def json(")
        .replace(SLOW, f'HOARD[:] = HOARD or [b"x" * 200_000_000]\n    {SLOW}')
        .replace("    ids = sample(", "    HOARD.clear()\n    ids = sample(")
    )


@pytest.mark.long
def test_peak_memory_is_that_of_the_sample_and_not_of_the_test_type_before(project: Project) -> None:
    project.add_entry("hoarder", "aiohttp", _hoards)
    tests = ("--test", "json", "--test", "update", "--levels", "json=16", "--levels", "update=1")
    code, printed = project.run(*SHORT, "--blocks", "1", "--framework", "hoarder", *tests)
    usages = {sample.trial.test: sample.counters.roles[APP] for sample in project.latest().samples}
    peaks = {test: usage.memory_peak_bytes or 0 for test, usage in usages.items()}
    assert code == 0, printed
    # In a visit update comes last.
    assert peaks["json"] > peaks["update"] + 100_000_000 > 100_000_000


@pytest.mark.long
def test_a_sample_that_begins_beside_a_busy_server_is_suspect(project: Project) -> None:
    project.add_entry(
        "restless", "aiohttp", lambda app: app.replace("import os\n", "import os\nimport threading\n") + SPINS
    )
    project.run(*JSON, "--blocks", "1", "--framework", "restless")
    taken = project.latest().taken
    assert len(taken) > 1
    assert all("busy before" in sample.verdict.broken for sample in taken)


@pytest.mark.long
def test_versions_of_an_entry_are_measured_in_one_run_and_a_slower_one_fails_the_gate(project: Project) -> None:
    # It is called as an old version might be.
    project.add_entry("x-at-y", "aiohttp", lambda app: app)
    _commit(project)
    app = project.root / "frameworks/x-at-y/app.py"
    app.write_text(app.read_text().replace(SLOW, f"sum(range(20_000))\n    {SLOW}"))
    code, printed = project.run(
        *JSON, "--blocks", "3", "--framework", "x-at-y", "--against", "HEAD", "--fail-if-slower", "10%"
    )
    run = project.latest()
    (old,) = (name for name, of in run.manifest.variants.items() if of.levels)
    assert run.manifest.variants["x-at-y"] == Variant("x-at-y")
    assert run.manifest.variants[old] == Variant("x-at-y", {"commit": run.manifest.settings.against})
    assert code == REGRESSION
    assert {sample.trial.entry for sample in run.samples} == {"x-at-y", old}
    assert "slower: x-at-y json requests/" in printed
    compared, table = project.run("compare", "results/latest", "--fail-if-slower", "10%")
    assert compared == REGRESSION
    assert "| x-at-y" in table


@pytest.mark.long
def test_a_budget_decides_once_on_the_blocks_and_the_run_keeps_to_it(project: Project) -> None:
    code, printed = project.run(*JSON, "--blocks", "1", "--framework", "crax", "--budget", "45s")
    run = project.latest()
    assert code == 0
    assert run.decision is not None
    assert run.decision.blocks > 1
    assert {sample.trial.block for sample in run.samples} == set(range(1, run.decision.blocks + 1))
    assert f"{run.decision.blocks} blocks in all: what the budget has time for" in printed
    assert project.journal().read_text().count('"kind": "decision"') == 1


@pytest.mark.long
def test_a_precision_decides_on_the_blocks_from_the_pilot_s_spread(project: Project) -> None:
    code, printed = project.run(*JSON, "--blocks", "2", "--precision", "50%", "--budget", "50s")
    run = project.latest()
    assert code == 0
    assert run.decision is not None
    assert run.decision.needed is not None
    assert (run.decision.pilot, run.decision.needed) == (2, max(2, run.decision.needed))
    assert len(run.samples) == 2 * run.decision.blocks
    assert "The widest ratio of two entries over all levels is known to ±" in printed
    again, told = project.run("--resume", "results/latest")
    assert (again, "has all its samples" in told) == (0, True)


@pytest.mark.long
def test_a_run_of_two_versions_that_was_ended_goes_on_with_the_same_versions(project: Project) -> None:
    _commit(project)
    lab = project.start(*JSON, "--blocks", "2", "--framework", "aiohttp", "--against", "HEAD")
    await_lines(project, 1, lab)
    assert end(lab, signal.SIGINT)[0] == 130
    # What HEAD is has moved since; what the run compares has not.
    (project.root / "README.md").write_text("another commit")
    _commit(project)
    code, _ = project.run("--resume", "results/latest")
    run = project.latest()
    assert code == 0
    assert len(run.samples) == 4
    assert len({sample.trial.entry for sample in run.samples}) == 2


@pytest.mark.long
@pytest.mark.parametrize("mode", [None, 0o755, 0o000], ids=["not mounted", "empty", "forbidden"])
def test_where_the_cgroup_tree_cannot_be_read_the_engine_tells_what_containers_used(
    project: Project, mode: int | None
) -> None:
    compose = project.root / "compose.yaml"
    text = compose.read_text()
    mount = next(line for line in text.splitlines() if "/host/cgroup" in line)
    if mode is None:
        compose.write_text(text.replace(f"{mount}\n", ""))
    else:
        tree = project.root / "tree"
        tree.mkdir()
        tree.chmod(mode)
        compose.write_text(text.replace(mount, mount.replace("/sys/fs/cgroup", str(tree))))
    code, printed = project.run(*JSON, "--blocks", "1", "--framework", "crax")
    run = project.latest()
    (sample,) = run.samples
    assert code == 0
    assert run.manifest.facts.host.fact("cgroup_tree") == "unavailable"
    assert all((sample.counters.roles[role].cpu_us or 0) > 0 for role in (CLIENT, APP, DB))
    assert (sample.counters.roles[APP].memory_peak_bytes or 0) > 1_000_000
    assert {"out of memory", "busy before"} <= set(sample.verdict.unknown)
    assert "## Bottlenecks" in printed


@pytest.mark.long
def test_a_calibration_catches_every_planted_fault_and_writes_its_report(project: Project) -> None:
    (project.root / "small.py").write_text(SMALL)
    process = subprocess.run([sys.executable, "small.py"], cwd=project.root, capture_output=True, text=True)
    (folder,) = (project.root / "results").glob("*-calibration")
    table = (folder / store.REPORT).read_text()
    rows = {cells[1].strip(): cells for line in table.splitlines() if len(cells := line.split("|")) > 5}
    found = {name: cells[4].strip() for name, cells in rows.items() if name.startswith("fault: ")}
    # What else passes, and so the exit code, is a matter of how quiet this host is just now.
    assert process.returncode in (0, 1)
    assert table in process.stdout
    assert set(found.values()) == {"pass"}
    assert len(found) == len(faults.PLANTED) + 2
    assert {"bias against plain wrk, 90% interval", "samples of equal entries that count"} <= set(rows)
    for metric in CLOSED_LOOP.compared:
        assert {f"sensitivity: json, {metric.name}", f"standard deviation between: json, {metric.name}"} <= set(rows)
    assert table.splitlines()[2].startswith("The short version, seed 1, begun ")
    assert store.read(folder / "twins").samples
    (folder / store.REPORT).unlink()
    code, printed = project.run("report", str(folder))
    assert (code, printed) == (0, f"{table}\n")
    assert (folder / store.REPORT).read_text() == table


def test_the_doctor_looks_at_the_engine_s_host_and_changes_nothing(project: Project) -> None:
    code, printed = project.run("doctor", "--json")
    examined = json.loads(printed)
    subjects = {finding["subject"]: finding["state"] for finding in examined["findings"]}
    assert code == 0
    assert subjects["facts"] == subjects["cgroups"] == "fine"
    assert examined["facts"]["cpu_count"] > 0
    assert not any((project.root / "results").glob("2*"))
