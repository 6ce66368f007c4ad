"""The lab's version: what it says of itself and of the commit that it is at, and that it is told in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from benchlab import __version__
from benchlab.engine import checkout
from benchlab.host.facts import repository
from benchlab.records.facts import UNAVAILABLE, is_unavailable

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


def test_a_checkout_of_another_user_is_told_with_what_allows_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "it's a lab"
    root.mkdir()
    git(root, "init", "--quiet")
    number = commit(root, "lab.py", "first\n")
    assert checkout.commit(root) == number
    # So git's own tests make it take the checkout for another user's.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    quoted = "'" + str(root).replace("'", "'\\''") + "'"
    remedy = f"`git config --global --add safe.directory {quoted}` allows it"
    told = f"unavailable: git refuses a checkout of another user; {remedy}"
    assert checkout.version(root) == f"benchlab {__version__}, commit {told}"
    # In a run's manifest.
    for ask in (checkout.commit, checkout.branch, checkout.remote, checkout.changed_files):
        assert ask(root) == told
        assert is_unavailable(ask(root))
    assert repository(checkout.remote(root)) == UNAVAILABLE


def test_a_hook_of_git_s_which_names_another_repository_changes_nothing_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [tmp_path / name for name in ("lab", "other")]
    for root in roots:
        root.mkdir()
        git(root, "init", "--quiet")
    own, _ = (commit(root, "lab.py", f"{root}\n") for root in roots)
    monkeypatch.setenv("GIT_DIR", str(roots[1] / ".git"))
    assert checkout.commit(roots[0]) == own
    assert checkout.changed_files(roots[0]) == 0


def test_a_checkout_without_git_is_told_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout.version(tmp_path) == f"benchlab {__version__}, commit unavailable: git is not installed"


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
