"""What makes the lab an instrument, on the real engine: counters, verdicts, versions in one run, a budget, advice."""

from __future__ import annotations

import json
import subprocess

from benchlab import store
from benchlab.counters import APP, CLIENT, DB
from benchlab.model import INVALID
from benchlab.versus import AT, REGRESSION

from .conftest import Project

QUICK = ("--profile", "quick", "--seed", "7")
SHORT = (*QUICK, "--duration", "1")
JSON = (*SHORT, "--test", "json", "--levels", "json=32")
SLOW = 'return web.json_response({"message"'


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
    (sample,) = project.latest().samples
    roles = sample.counters.roles
    assert code == 0
    assert set(roles) == {CLIENT, APP, DB}
    assert all((usage.cpu_us or 0) > 0 and (usage.memory_peak_bytes or 0) > 1_000_000 for usage in roles.values())
    assert sample.counters.host.idle_us is not None
    assert sample.counters.received[-1][1] > sample.counters.received[0][1]
    assert len(sample.counters.speeds_us) == 2
    assert sample.verdict.severity != INVALID
    assert "wrong answers" not in sample.verdict.broken
    assert "## Bottlenecks" in printed


def test_versions_of_an_entry_are_measured_in_one_run_and_a_slower_one_fails_the_gate(project: Project) -> None:
    _commit(project)
    app = project.root / "frameworks/aiohttp/app.py"
    app.write_text(app.read_text().replace(SLOW, f"sum(range(20_000))\n    {SLOW}"))
    code, printed = project.run(
        *JSON, "--blocks", "2", "--framework", "aiohttp", "--against", "HEAD", "--fail-if-slower", "10%"
    )
    run = project.latest()
    old = next(name for name in run.manifest.entries if AT in name)
    assert code == REGRESSION
    assert {sample.trial.entry for sample in run.samples} == {"aiohttp", old}
    assert "slower: aiohttp json requests/" in printed
    compared, table = project.run("compare", "results/latest", "--fail-if-slower", "10%")
    assert compared == REGRESSION
    assert "| aiohttp | json" in table


def test_a_budget_decides_once_on_the_blocks_and_the_run_keeps_to_it(project: Project) -> None:
    code, printed = project.run(*JSON, "--blocks", "1", "--framework", "crax", "--budget", "25s")
    run = project.latest()
    assert code == 0
    assert run.decision is not None
    assert run.decision.blocks > 1
    assert {sample.trial.block for sample in run.samples} == set(range(1, run.decision.blocks + 1))
    assert f"{run.decision.blocks} blocks in all: what the budget has time for" in printed
    assert project.journal().read_text().count('"kind": "decision"') == 1


def test_a_run_is_analysed_anew_byte_for_byte_the_same_and_without_an_engine(project: Project) -> None:
    project.run(*JSON, "--blocks", "1", "--framework", "crax")
    path = project.root / "results/latest" / store.REPORT
    written = path.read_bytes()
    path.unlink()
    code, printed = project.run("report", "results/latest")
    assert code == 0
    assert path.read_bytes() == written
    assert written.decode() in printed


def test_the_doctor_looks_at_the_engine_s_host_and_changes_nothing(project: Project) -> None:
    code, printed = project.run("doctor", "--json")
    examined = json.loads(printed)
    subjects = {finding["subject"]: finding["state"] for finding in examined["findings"]}
    assert code == 0
    assert subjects["facts"] == subjects["cgroups"] == "fine"
    assert examined["facts"]["cpu_count"] > 0
    assert not any((project.root / "results").glob("2*"))
