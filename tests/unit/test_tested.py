"""Which entries the tests on an engine are of: what git says has changed decides, and where it cannot say, all are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from .. import tested
from ..entries import ROOT, USUAL
from .made_commits import commit, git

USUALS, OTHERS = ("a", "b"), tuple("cdefghijkl")
EVERY = (*USUALS, *OTHERS)


def _service(folder: str, **labels: str) -> dict[str, Any]:
    build = {"context": "frameworks", "dockerfile": f"{folder}/Dockerfile"}
    return {"profiles": ["entry"], "build": build, "labels": {f"benchlab.{key}": of for key, of in labels.items()}}


# Two entries share the folder of c.
SERVICES: dict[str, dict[str, Any]] = {
    "db": {"image": "postgres"},
    **{name: _service(name) for name in USUALS},
    **{name: _service("c" if name == "d" else name, default="no") for name in OTHERS},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with these entries, and one commit after the first."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in EVERY:
        (tmp_path / "frameworks" / name).mkdir(parents=True)
        (tmp_path / "frameworks" / name / "app.py").write_text(name)
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump({"services": SERVICES}))
    commit(tmp_path, "README.md", "one")
    commit(tmp_path, "README.md", "two")
    return tmp_path


def _chosen(root: Path, services: dict[str, dict[str, Any]] = SERVICES, asked: str = "") -> tested.Tested:
    return tested.chosen(asked, root, services)


def test_where_no_entry_changed_the_usual_ones_are_tested_and_a_few_that_the_commit_draws(root: Path) -> None:
    first = _chosen(root)
    assert first.names == first.closely
    assert set(first.names) > set(USUALS)
    assert len(first.names) == len(USUALS) + tested.SAMPLE
    assert _chosen(root) == first
    assert f"none changed since {git(root, 'rev-parse', 'HEAD^')[:12]}; " in first.why
    assert f"drawn by commit {git(root, 'rev-parse', 'HEAD')[:12]}" in first.why
    drawn = set()
    for number in range(20):
        commit(root, "README.md", str(number))
        drawn |= set(_chosen(root).names)
    assert drawn == set(EVERY)


def test_an_entry_whose_folder_changed_is_tested_and_so_is_one_that_shares_it(root: Path) -> None:
    commit(root, "frameworks/c/app.py", "other")
    assert _chosen(root).names == ("a", "b", "c", "d")


def test_what_is_not_committed_counts_and_what_only_tells_of_an_entry_does_not(root: Path) -> None:
    (root / "frameworks/e/app.py").write_text("other")
    (root / "frameworks/f/new.py").write_text("new")
    (root / "frameworks/g/README.md").write_text("words")
    assert _chosen(root).names == ("a", "b", "e", "f")


@pytest.mark.parametrize("path", tested.OF_ALL)
def test_what_all_entries_need_has_all_tested_and_some_of_them_closely(root: Path, path: str) -> None:
    commit(root, f"{path}new" if path.endswith("/") else path, "other")
    found = _chosen(root)
    assert found.names == EVERY
    assert len(found.closely) == len(USUALS) + tested.SAMPLE


def test_of_another_compose_file_the_entries_count_whose_stanzas_differ(root: Path) -> None:
    other = {**SERVICES, "e": _service("e", default="no", loop="asyncio"), "new": _service("a", default="no")}
    (root / "compose.yaml").write_text("services: {}")
    assert _chosen(root, other).names == ("a", "b", "e", "new")
    assert _chosen(root, {**SERVICES, "db": {"image": "other"}}).names == EVERY


def test_it_is_compared_with_the_last_commit_that_passed_where_that_is_known(root: Path) -> None:
    git(root, "update-ref", tested.PASSED, "HEAD")
    commit(root, "frameworks/e/app.py", "other")
    commit(root, "README.md", "three")
    assert _chosen(root).names == ("a", "b", "e")
    git(root, "checkout", "--quiet", "--orphan", "elsewhere")
    commit(root, "README.md", "four")
    # The commit that passed is none of this branch's.
    assert _chosen(root).names == EVERY


@pytest.mark.parametrize("history", [False, True])
def test_where_git_cannot_tell_all_are_tested(tmp_path: Path, history: bool) -> None:
    if history:
        git(tmp_path, "init", "--quiet")
        commit(tmp_path, "README.md", "the first")
    found = _chosen(tmp_path)
    assert (found.names, found.why) == (EVERY, "git cannot tell what changed")


def test_what_is_asked_for_is_tested_whatever_changed(root: Path) -> None:
    assert _chosen(root, asked="all").names == _chosen(root, asked="all").closely == EVERY
    assert _chosen(root, asked="e,c").names == ("c", "e")
    with pytest.raises(ValueError, match="LAB_TEST_ENTRIES=e,z: no entry is called z"):
        _chosen(root, asked="e,z")


def test_what_all_entries_need_is_there_and_the_usual_ones_are_tested() -> None:
    assert [path for path in tested.OF_ALL if not (ROOT / path).exists()] == []
    assert set(USUAL) <= set(tested.chosen("").names)
