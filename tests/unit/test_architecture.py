"""What docs/architecture.md says of the modules is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATHS = {path.stem: path for path in (ROOT / "benchlab").glob("*/*.py") if path.stem != "__init__"}
MODULES = sorted(PATHS)


def _rows() -> list[tuple[str, list[str]]]:
    """Return the rows of the table: a room, and modules in it. A room's later rows leave its name out."""
    section = (ROOT / "docs/architecture.md").read_text().partition("## Rooms")[2].partition("\n## ")[0]
    cells = [line.split("|") for line in section.splitlines() if re.match(r"\| *\w* *\| \w", line)][1:]
    named = [row[1].strip() for row in cells]
    rooms: Iterator[str] = accumulate(named, lambda last, room: room or last)
    return [(room, row[2].replace(" ", "").split(",")) for room, row in zip(rooms, cells, strict=True)]


ORDER = [module for _, modules in _rows() for module in modules]


def _imported(module: str) -> set[str]:
    """Return the modules of the package that the module imports, wherever in it; not what only types need."""
    tree = ast.parse(PATHS[module].read_text())
    typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing and (node.module or "").startswith("benchlab."):
            found |= {*node.module.split(".")[2:]} or {name.name for name in node.names}  # type: ignore[union-attr]
    return found & set(MODULES)


def test_the_table_has_every_module_once_and_in_its_room() -> None:
    assert sorted((module, room) for room, modules in _rows() for module in modules) == [
        (module, path.parent.name) for module, path in sorted(PATHS.items())
    ]


def test_the_listing_above_has_the_rooms_in_the_same_order() -> None:
    listing = (ROOT / "docs/architecture.md").read_text().partition("## ")[0]
    listed = re.findall(r"(\w+)/", listing.partition("benchlab/")[2].partition("results/")[0])
    assert listed == list(dict.fromkeys(room for room, _ in _rows()))


def test_a_report_is_made_without_packages_that_only_other_commands_need() -> None:
    code = "import sys; from benchlab.pages import html; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"scipy.stats", "scipy.optimize", "docker"} & set(made.stdout.split()) == set()


def test_the_drawing_has_what_rooms_build_on_directly() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("```mermaid\nflowchart")[2].partition("```")[0]
    drawn = {(room, on) for room, on in re.findall(r"(\w+) --> (\w+)", text)}
    built = {(PATHS[module].parent.name, PATHS[on].parent.name) for module in MODULES for on in _imported(module)}
    across = {(room, on) for room, on in built if room != on}
    behind = {(room, far) for room, near in across for other, far in across if near == other}
    assert drawn == across - behind


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    assert {name for name in _imported(module) if ORDER.index(name) >= ORDER.index(module)} == set()


def test_verification_without_a_run_loads_no_statistics() -> None:
    script = "import sys, benchlab.measuring.inspection; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = [name for name in loaded.split() if name in ("pandas", "scipy") or name.startswith("benchlab.statistics")]
    assert (found, "benchlab.measuring.vetting" in loaded) == ([], True)
