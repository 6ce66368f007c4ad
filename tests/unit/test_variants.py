"""More services made of an entry's own, with a real git repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import variants
from benchlab.engine.topology import Topology

from .made_commits import commit, git


def _service(root: Path, entry: str) -> dict[str, Any]:
    return {
        "image": f"benchlab/{entry}",
        "build": {"context": str(root / "frameworks" / entry), "args": {"A": "1"}},
        "labels": {"benchlab.loop": "uvloop"},
        "environment": {"WEB_CONCURRENCY": "2"},
    }


@pytest.fixture
def resolved(tmp_path: Path) -> Topology:
    """Return the topology of a repository on branch `main`, in which no commit was made yet."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    services = {entry: _service(root, entry) for entry in ("crax", "new")}
    return Topology(root, ("compose",), {}, "benchlab", services)


def test_an_entry_at_a_commit_is_its_folder_as_it_was_and_all_else_as_it_is(resolved: Topology, tmp_path: Path) -> None:
    first = commit(resolved.root, "frameworks/crax/app.py", "old\n")
    commit(resolved.root, "frameworks/crax/lib/later.py", "later\n")
    (resolved.root / "frameworks/crax/app.py").write_text("new, and not committed\n")
    service = variants.at_commit(resolved, "crax", "main~1", tmp_path / "state")
    context = Path(service["build"]["context"])
    assert context.is_relative_to(tmp_path / "state")
    assert {path.name: path.read_text() for path in context.iterdir()} == {"app.py": "old\n"}
    assert service == {
        "image": f"benchlab/crax:{first[:12]}",
        "build": {"context": str(context), "args": {"A": "1"}},
    }
    assert resolved.services["crax"] == _service(resolved.root, "crax")


def test_two_commits_of_an_entry_share_neither_image_nor_folder(resolved: Topology, tmp_path: Path) -> None:
    commits = [commit(resolved.root, "frameworks/crax/app.py", text) for text in ("old\n", "new\n")]
    made = [variants.at_commit(resolved, "crax", number, tmp_path / "state") for number in commits]
    apps = [Path(service["build"]["context"], "app.py") for service in made]
    assert len({service["image"] for service in made}) == 2
    assert [app.read_text() for app in apps] == ["old\n", "new\n"]


def test_a_commit_that_git_does_not_have_is_one_line_that_names_it(resolved: Topology, tmp_path: Path) -> None:
    commit(resolved.root, "frameworks/crax/app.py", "old\n")
    said = "--against: git rev-parse nowhere^{commit} failed (git does not know it); name a commit, branch or tag"
    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        variants.at_commit(resolved, "crax", "nowhere", tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_checkout_of_another_user_is_told_with_what_allows_it_and_not_to_lack_the_commit(
    resolved: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(resolved.root, "frameworks/crax/app.py", "old\n")
    # So git's own tests make it take the checkout for another user's.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    remedy = f"`git config --global --add safe.directory {resolved.root}` allows it"
    said = f"--against: git refuses a checkout of another user; {remedy}"
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}$") as error:
        variants.at_commit(resolved, "crax", "main", tmp_path / "state")
    assert not isinstance(error.value, UsageError)


def test_a_commit_that_a_shallow_checkout_lacks_is_told_with_what_brings_it(tmp_path: Path) -> None:
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    git(whole, "init", "--quiet", "--initial-branch=main")
    for text in ("old\n", "new\n"):
        commit(whole, "frameworks/crax/app.py", text)
    git(tmp_path, "clone", "--quiet", "--depth=1", whole.as_uri(), str(shallow))
    with pytest.raises(UsageError, match=r"has only the last commits: `git fetch --unshallow` brings the rest; name a"):
        variants.resolved(shallow, "main~1")


@pytest.mark.parametrize("ref", ["--help", "-x", "a b", "a\nb", "$(x)"])
def test_what_is_no_name_of_a_commit_is_none_for_git_either(resolved: Topology, ref: str) -> None:
    commit(resolved.root, "frameworks/crax/app.py", "old\n")
    with pytest.raises(UsageError, match=r"name a commit, branch or tag$"):
        variants.resolved(resolved.root, ref)


def test_an_entry_that_a_commit_does_not_have_is_one_line_that_names_both(resolved: Topology, tmp_path: Path) -> None:
    number = commit(resolved.root, "frameworks/crax/app.py", "old\n")
    (resolved.root / "frameworks/new").mkdir()
    (resolved.root / "frameworks/new/app.py").write_text("not committed\n")
    said = (
        f"--against: new is not in commit {number[:12]}, which has no frameworks/new; commit it, or name a commit that"
    )
    with pytest.raises(UsageError, match=f"^{said} has it$"):
        variants.at_commit(resolved, "new", "HEAD", tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_an_alias_gets_more_environment_and_the_entry_keeps_its_own(resolved: Topology) -> None:
    service = variants.alias(resolved, "crax", {"LAB_FAULT": "1"})
    service["labels"]["benchlab.loop"] = "asyncio"
    assert service["environment"] == {"WEB_CONCURRENCY": "2", "LAB_FAULT": "1"}
    assert resolved.services["crax"] == _service(resolved.root, "crax")
