"""The rooms of benchlab/ keep their order, and what docs/ has of the code is current."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from benchlab import ROOMS
from docs import generate

ROOT = Path(__file__).parents[2]
MODULES = [(room, path) for room in ROOMS for path in generate.modules(room).values()]


def test_every_folder_of_the_library_is_a_room() -> None:
    folders = {path.parent.name for path in (ROOT / "benchlab").glob("*/*.py")}
    assert folders == set(ROOMS)


@pytest.mark.parametrize(("room", "module"), MODULES, ids=[f"{room}.{path.stem}" for room, path in MODULES])
def test_a_module_imports_only_from_its_own_room_and_those_above_it(room: str, module: Path) -> None:
    assert {on for on, _ in generate.imported(module)} <= set(ROOMS[: ROOMS.index(room) + 1])


def test_one_module_alone_imports_docker() -> None:
    importing = re.compile(r"^\s*(?:import|from) docker\b", re.MULTILINE)
    found = [f"{room}.{path.stem}" for room, path in MODULES if importing.search(path.read_text(encoding="utf-8"))]
    assert found == ["engine.engine"]


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {(room, path.stem): generate.imported(path) for room, path in MODULES}
    TopologicalSorter(graph).prepare()


def test_what_docs_have_of_the_code_is_current() -> None:
    assert [path.name for path in generate.outdated()] == [], "`make docs` renews them"


def test_a_report_is_made_without_packages_that_only_other_commands_need() -> None:
    code = "import sys; from benchlab.report import outputs; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"scipy.stats", "scipy.optimize", "docker"} & set(made.stdout.split()) == set()


def test_a_command_that_reads_no_run_does_not_wait_for_what_makes_records_of_json() -> None:
    code = "import sys, benchlab.cli.completion, benchlab.cli.measure, benchlab.run.session; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = made.stdout.split()
    assert ("pydantic" in loaded, "benchlab.records.schema" in loaded) == (False, True)


def test_a_list_or_a_verification_shows_what_it_has_without_the_statistics() -> None:
    script = "import sys, benchlab.run.conformance, benchlab.report.terminal; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = made.stdout.split()
    unwanted = [name for name in loaded if name in ("pandas", "scipy") or name.startswith("benchlab.statistics")]
    assert (unwanted, "benchlab.run.conformance" in loaded, "benchlab.report.document" in loaded) == ([], True, True)


READING = {
    "results": ["results"],
    "report": ["report", "default"],
    "export as CSV": ["export", "default", "--format", "csv"],
    "export as JSON": ["export", "default", "--format", "json"],
    "export as Markdown": ["export", "default", "--format", "markdown"],
    "export as TFB": ["export", "default", "--format", "tfb"],
    "compare": ["compare", "against"],
}
ONLY_MEASURED_WITH = {"docker", "requests", "urllib3", "scipy.optimize", "selenium"}
RUN_THE_COMMAND = """
import sys
from pathlib import Path
from benchlab.cli.cli import main
answer = main(Path(sys.argv[1]), sys.argv[2:])
print(*sys.modules, file=sys.stderr)
sys.exit(answer)
"""


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_a_command_that_reads_runs_loads_nothing_that_only_measuring_needs(words: list[str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(ROOT / "tests" / "kept", results)
    typed = [str(results / word) if (results / word).is_dir() else word for word in words]
    command = [sys.executable, "-c", RUN_THE_COMMAND, str(tmp_path), *typed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert ("benchlab.storage.store" in loaded, ONLY_MEASURED_WITH & loaded) == (True, set())


def test_reading_a_calibration_loads_no_engine() -> None:
    code = "import sys; from benchlab.selftest import calibrate, kept; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"docker", "requests", "urllib3", "selenium"} & set(made.stdout.split()) == set()
