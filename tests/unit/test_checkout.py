"""The lab's version: what it says of itself and of the commit that it is at, and that it is told in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from benchlab import __version__
from benchlab.core.model import UNAVAILABLE
from benchlab.machine import checkout

from .made_commits import commit, git

ROOT = Path(__file__).parents[2]


def test_the_version_is_told_with_the_commit_and_whether_files_have_changed_since(tmp_path: Path) -> None:
    assert checkout.version(tmp_path) == f"benchlab {__version__}"
    git(tmp_path, "init", "--quiet")
    (tmp_path / "lab.py").write_text("not committed\n")
    assert checkout.version(tmp_path) == f"benchlab {__version__}"
    number = commit(tmp_path, "lab.py", "first\n")
    assert checkout.version(tmp_path) == f"benchlab {__version__}, commit {number[:12]}"
    (tmp_path / "lab.py").write_text("changed\n")
    assert checkout.version(tmp_path) == f"benchlab {__version__}, commit {number[:12]} with changes"


def test_a_lab_that_merely_lies_in_a_repository_tells_nothing_of_that_one(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer/lab"
    outer.mkdir()
    git(outer, "init", "--quiet")
    number = commit(outer, "lab/lab.py", "first\n")
    (tmp_path / "link").symlink_to(inner)
    for root in (inner, tmp_path / "link"):
        assert checkout.version(root) == f"benchlab {__version__}"
        told = [ask(root) for ask in (checkout.commit, checkout.branch, checkout.remote, checkout.changed_files)]
        assert told == [UNAVAILABLE] * 4
    (tmp_path / "whole").symlink_to(outer)
    assert checkout.commit(tmp_path / "whole") == number


def test_the_version_is_that_of_the_newest_release_and_pyproject_toml_takes_it_from_there() -> None:
    released = re.findall(r"^## (\d\S*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "benchlab.__version__"}
