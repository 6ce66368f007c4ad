"""What docs/architecture.md says of the modules is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "benchlab").glob("*.py") if path.stem != "__init__")


def _order() -> list[str]:
    """Return the modules in the order of the table: each imports only from those before it."""
    section = (ROOT / "docs/architecture.md").read_text().partition("## Modules")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if re.match(r"\| *\w* *\| \w", line)]
    return [name.strip() for cells in rows[1:] for name in cells[2].split(",")]


def _imported(module: str) -> set[str]:
    """Return the modules of the package that the module imports, wherever in it; not what only types need."""
    tree = ast.parse((ROOT / "benchlab" / f"{module}.py").read_text())
    typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing and (node.module or "").startswith("benchlab"):
            inner = (node.module or "").removeprefix("benchlab").removeprefix(".")
            found |= {inner} if inner else {name.name for name in node.names}
    return found & set(MODULES)


def test_the_table_has_every_module_once() -> None:
    assert sorted(_order()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    order = _order()
    assert {name for name in _imported(module) if order.index(name) >= order.index(module)} == set()
