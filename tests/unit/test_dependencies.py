"""docs/dependencies.md names what is installed by name, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _asked_for(file: str) -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*)", (ROOT / file).read_text(), re.MULTILINE))


def test_the_page_has_each_package_that_is_asked_for_by_name() -> None:
    rows = re.findall(r"^\| ([a-z][\w, -]*) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    told = {name for row in rows for name in row.split(", ")} - {"on the host", "for the tests and the code"}
    assert told == _asked_for("requirements.in") | _asked_for("requirements-dev.in")
