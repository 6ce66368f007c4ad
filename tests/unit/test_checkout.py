"""The lab's version: what it says of itself and of the commit that it is at, and that it is told in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from benchlab import __version__
from benchlab.machine import checkout

from .made_commits import commit, git

ROOT = Path(__file__).parents[2]


def test_the_version_is_told_with_the_commit_and_whether_files_have_changed_since(tmp_path: Path) -> None:
    assert checkout.version(tmp_path) == f"benchlab {__version__}"
    git(tmp_path, "init", "--quiet")
    number = commit(tmp_path, "lab.py", "first\n")
    assert checkout.version(tmp_path) == f"benchlab {__version__}, commit {number[:12]}"
    (tmp_path / "lab.py").write_text("changed\n")
    assert checkout.version(tmp_path) == f"benchlab {__version__}, commit {number[:12]} with changes"


def test_the_version_is_that_of_the_newest_release_and_pyproject_toml_takes_it_from_there() -> None:
    released = re.findall(r"^## (\d\S*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "benchlab.__version__"}
