"""More services made of an entry's own, with a real git repository."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import variants
from benchlab.engine.context import Context
from benchlab.engine.topology import Topology
from benchlab.factors.commit import COMMIT
from benchlab.factors.factor import Service

from .conftest import tools_at
from .made_commits import commit, git

COMPOSE = """\
x-base: &base
  profiles: [entry]
services:
  crax:
    <<: *base
    image: benchlab/crax
    build: %s
    labels: {benchlab.loop: asyncio}
"""
ALONE, SHARED = "{context: ./frameworks/crax}", '{context: frameworks, dockerfile: crax/Dockerfile, args: {A: "0"}}'


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


def _shared(lab: Topology) -> Topology:
    """Return the topology with an entry that is built from its folder and files that entries share."""
    build = {"context": str(lab.root / "frameworks"), "dockerfile": "crax/Dockerfile", "args": {"A": "1"}}
    return replace(lab, services={**lab.services, "crax": {**lab.services["crax"], "build": build}})


def _write(root: Path, **texts: str) -> None:
    """Write files of frameworks/, named by their paths with two underscores for each slash."""
    for name, text in texts.items():
        path = root / "frameworks" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _at(lab: Topology, entry: str, ref: str, state: Path) -> Service:
    """Return the entry's service at a commit."""
    tools = tools_at(lambda name, number: variants.at_commit(lab, name, number, state))
    return COMMIT.made(entry, variants.alias(lab, entry), ref, tools)


DOCKERFILE = "FROM base\nCOPY shared/raw ./\nCOPY crax/app ./\n"


def test_an_entry_at_a_commit_has_that_commit_s_own_and_shared_files(resolved: Topology, tmp_path: Path) -> None:
    lab = _shared(resolved)
    _write(lab.root, crax__Dockerfile=DOCKERFILE, crax__app="1", shared__raw="old", shared__orm="old", other__app="old")
    first = commit(lab.root, "compose.yaml", COMPOSE % SHARED)
    _write(lab.root, shared__raw="new", other__app="new")
    second = commit(lab.root, "compose.yaml", COMPOSE % SHARED)
    _write(lab.root, other__app="newest", shared__orm="newest")
    third = commit(lab.root, "compose.yaml", COMPOSE % SHARED)
    made = [_at(lab, "crax", number, tmp_path / "state") for number in (first, second, third)]
    contexts = [Context.of(service["build"]) for service in made]
    assert [(built.home / "../shared/raw").read_text() for built in contexts] == ["old", "new", "new"]
    assert {built.folder.name for built in contexts} == {"frameworks"}
    # The build is that of the commit, its arguments those of today.
    assert made[0]["build"] == {
        "context": str(tmp_path / "state/at" / first / "frameworks"),
        "dockerfile": "crax/Dockerfile",
        "args": {"A": "1"},
    }
    digests = [built.digest({}, "") for built in contexts]
    assert (digests[0] != digests[1], digests[1] == digests[2]) == (True, True)


def test_a_commit_from_before_the_files_were_shared_is_built_as_it_was_then(resolved: Topology, tmp_path: Path) -> None:
    lab = _shared(resolved)
    _write(lab.root, crax__Dockerfile="FROM base\nCOPY raw ./\n", crax__raw="old")
    number = commit(lab.root, "compose.yaml", COMPOSE % ALONE)
    _write(lab.root, crax__Dockerfile=DOCKERFILE, crax__app="1", shared__raw="new")
    commit(lab.root, "compose.yaml", COMPOSE % SHARED)
    service = _at(lab, "crax", number, tmp_path / "state")
    folder = tmp_path / "state/at" / number / "frameworks/crax"
    assert service["build"] == {"context": str(folder), "dockerfile": "Dockerfile", "args": {"A": "1"}}
    assert sorted(path.name for path in Context.of(service["build"]).files()) == ["Dockerfile", "raw"]
    assert service["labels"] == {**resolved.services["crax"]["labels"], "benchlab.commit": number[:12]}


@pytest.mark.parametrize(
    ("now", "then", "started"),
    [
        ({"command": ["python3", "serve.py"]}, "command: python3 old.py", {"command": "python3 old.py"}),
        ({"command": ["python3", "serve.py"]}, "command: [sh, old.sh]", {"command": ["sh", "old.sh"]}),
        ({"command": ["python3", "serve.py"]}, "working_dir: /", {}),
        ({}, "entrypoint: [sh]", {"entrypoint": ["sh"]}),
        ({"command": ["serve", "8"]}, "command: [serve, '${N:-1}']", {"command": ["serve", "8"]}),
    ],
)
def test_an_entry_at_a_commit_is_started_as_it_was_then(
    resolved: Topology, tmp_path: Path, now: dict[str, Any], then: str, started: dict[str, Any]
) -> None:
    services = {**resolved.services, "crax": {**resolved.services["crax"], **now}}
    _write(resolved.root, crax__Dockerfile="FROM base\n")
    commit(resolved.root, "compose.yaml", f"{COMPOSE % ALONE}    {then}\n")
    service = _at(replace(resolved, services=services), "crax", "HEAD", tmp_path / "state")
    assert {key: value for key, value in service.items() if key in ("command", "entrypoint", "working_dir")} == started


def test_an_entry_whose_stanza_is_younger_than_its_folder_is_built_and_started_as_it_is_now(
    resolved: Topology, tmp_path: Path
) -> None:
    services = {"crax-two": {**resolved.services["crax"], "command": ["two"]}}
    _write(resolved.root, crax__Dockerfile="FROM base\n")
    commit(resolved.root, "compose.yaml", COMPOSE % ALONE)
    service = _at(replace(resolved, services=services), "crax-two", "HEAD", tmp_path / "state")
    assert (service["command"], Context.of(service["build"]).folder.name) == (["two"], "crax")


@pytest.mark.parametrize("text", ["services: [", "- services", "services: 1", ""])
def test_a_commit_whose_compose_yaml_cannot_be_read_is_one_line(resolved: Topology, tmp_path: Path, text: str) -> None:
    _write(resolved.root, crax__Dockerfile="FROM base\n")
    number = commit(resolved.root, "compose.yaml", text)
    problem = f"--against: compose.yaml of commit {number[:12]} cannot be read; name another commit"
    with pytest.raises(UsageError, match=f"^{problem}$"):
        variants.at_commit(resolved, "crax", "HEAD", tmp_path / "state")


def test_an_entry_that_is_built_from_elsewhere_has_no_commits(resolved: Topology, tmp_path: Path) -> None:
    services = {"far": {**resolved.services["crax"], "build": {"context": str(tmp_path / "far")}}}
    number = commit(resolved.root, "frameworks/crax/app.py", "old\n")
    problem = (
        f"--against: far is built from {tmp_path}/far, outside of this repository, at commit {number[:12]}; leave it "
        "out with --framework"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(problem)}$"):
        variants.at_commit(replace(resolved, services=services), "far", "HEAD", tmp_path / "state")


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
        "build": {"context": str(context), "dockerfile": "Dockerfile", "args": {"A": "1"}},
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
