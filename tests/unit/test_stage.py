"""The lab as it is found where no engine answers: a plan is made for this machine, and no more can be had of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchlab.core.errors import NoEngineError
from benchlab.core.quantities import counted
from benchlab.engine import capacity
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.storage import store

from . import made_entries, screens
from .conftest import make_manifest

ROOT = Path(__file__).parents[2]


def _told(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    """Return what the lab prints and says, on a machine with a Compose command, and no engine."""
    ended = _ended(tmp_path, "lab.py", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def _refused(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    """Return the lab's exit code, which has printed nothing, and its error."""
    ended = _ended(tmp_path, *arguments)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def _ended(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=made_entries.environment(tmp_path), capture_output=True, text=True)


@pytest.mark.parametrize(("command", "entries"), [([], 2), (["factors"], 4)])
def test_a_plan_needs_no_engine_and_says_which_cpus_it_is_for(tmp_path: Path, command: list[str], entries: int) -> None:
    cpus = counted(capacity.own_cpus(), "CPU")
    plan, said = _told(tmp_path, *command, "--dry-run", "--test", "query", "--placement", "shared")
    assert said == f"no engine answers: planned for the {cpus} of this machine\n"
    assert f"\nCPUs              all roles share the {cpus}\n" in plan
    # A command for each level of query.
    assert plan.count("\nwrk -H ") == 3 * entries


def test_on_a_narrow_terminal_a_plan_breaks_between_words_and_its_commands_can_be_copied(tmp_path: Path) -> None:
    arguments = ["--dry-run", "--test", "query", "--placement", "shared", "--seed", "7"]
    piped = _told(tmp_path, *arguments)[0].splitlines()
    lines = screens.shown(arguments, 60, made_entries.environment(tmp_path)).splitlines()
    assert [line for line in lines if line.startswith("wrk")] == [line for line in piped if line.startswith("wrk")]
    plan = lines[: lines.index("")]
    assert max(map(len, plan)) <= 60
    assert " ".join(" ".join(plan).split()) == " ".join(" ".join(piped[: piped.index("")]).split())


def test_the_list_has_workers_and_pool_for_the_same_cpus(tmp_path: Path) -> None:
    entries, said = _told(tmp_path, "list")
    assert said == (
        f"no engine answers: workers and pool are shown for the {counted(capacity.own_cpus(), 'CPU')} of this machine\n"
    )
    assert re.search(rf"^The same for all: proxy none, .*workers {capacity.own_cpus()}, ", entries, re.MULTILINE)


def test_the_list_shows_what_each_entry_is_made_of(tmp_path: Path) -> None:
    entries, _ = _told(tmp_path, "list")
    assert re.search(
        r"\| aiohttp +\| aiohttp +\| own +\| full +\| asyncpg +\| gunicorn +\| uvloop +\| ujson +\|", entries
    )
    assert re.search(r"^aiohttp +aiohttp \d[\d.]+, asyncpg \d", entries, re.MULTILINE)


def test_a_plan_of_factors_has_the_entries_that_are_crossed(tmp_path: Path) -> None:
    plan, _ = _told(tmp_path, "factors", "--profile", "study", "--test", "query", "--dry-run")
    assert re.search(r"^entries +aiohttp, aiohttp-raw, crax, crax-orm$", plan, re.MULTILINE)
    assert plan.count("block ") == 5 * 4


@pytest.mark.parametrize("arguments", [["--framework", "crax", "--dry-run"], ["--factor", "proxy", "--dry-run"]])
def test_factors_that_nothing_is_crossed_in_are_a_wrong_command_line(tmp_path: Path, arguments: list[str]) -> None:
    code, said = _refused(tmp_path, "lab.py", "factors", *arguments)
    assert (code, said.splitlines()[-1][:7]) == (2, "error: ")


def test_an_unknown_framework_is_one_line_with_the_one_that_was_meant(tmp_path: Path) -> None:
    code, said = _refused(tmp_path, "lab.py", "--framework", "crx")
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("error: ")
    assert "unknown framework crx: did you mean crax?" in said


def test_a_run_whose_entry_was_removed_is_not_resumed_and_that_is_no_wrong_command_line(tmp_path: Path) -> None:
    manifest = make_manifest()
    removed = replace(manifest, settings=replace(manifest.settings, frameworks=("removed",)))
    code, said = _refused(tmp_path, "lab.py", "--resume", str(store.create(tmp_path / "results", removed).folder))
    assert (code, said.count("\n")) == (1, 1)
    assert "cannot be resumed: unknown framework removed: there is" in said


def test_a_stanza_without_a_required_label_is_named(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".env", tmp_path)
    compose = (ROOT / "compose.yaml").read_text()
    (tmp_path / "compose.yaml").write_text(compose.replace("benchlab.json: ujson", "benchlab.note: none", 1))
    code, said = _refused(tmp_path, "-c", made_entries.ELSEWHERE, str(tmp_path), "list")
    assert (code, said.splitlines()[-1]) == (1, "error: compose.yaml: aiohttp: label benchlab.json is missing; add it")


def test_what_needs_an_engine_is_refused_of_a_lab_without_one() -> None:
    lab = Lab(Path(), Topology(Path(), (), {}, "benchlab", {}), None, 2, "", print)
    with pytest.raises(NoEngineError, match="start Docker"):
        _ = lab.engine


def test_the_cores_of_this_machine_are_what_its_kernel_says_or_else_its_cpus(tmp_path: Path) -> None:
    assert capacity.own_siblings(tmp_path) == "\n".join(map(str, range(capacity.own_cpus())))
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        path.parent.mkdir(parents=True)
        path.write_text(f"{siblings}\n")
    assert capacity.own_siblings(tmp_path).split() == ["0,2", "1,3", "0,2", "1,3"]
