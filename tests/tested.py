"""Which entries the tests on an engine build and verify: those that a change concerns, the usual ones, and a sample.

What is changed is told by git: against the last commit that CI passed, where the ref PASSED names it (.ci/run sets it),
else against the parent; what is not committed counts. Where git cannot tell, all entries are tested. So are they with
LAB_TEST_ENTRIES=all, as `make test-entries` has it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .entries import ROOT, SERVICES

ASKED = "LAB_TEST_ENTRIES"
ALL = "all"
PASSED = "refs/ci/passed"
# So many are tested beside the usual ones where no change concerns any: another few with each commit.
SAMPLE = 3
COMPOSE, FRAMEWORKS = "compose.yaml", "frameworks"
# What all entries are built from, or held against.
OF_ALL = (
    "frameworks/.dockerignore",
    "frameworks/shared/",
    "images/",
    "benchlab/contract/",
    "benchlab/experiment/workloads.py",
    "benchlab/run/conformance.py",
    "benchlab/run/database.py",
    "benchlab/run/fetch.py",
    "wrk/burst.py",
    "wrk/fetch.py",
)

Services = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Tested:
    """The entries that are verified, in alphabetical order, and why these; `closely` are those for longer tests."""

    names: tuple[str, ...]
    closely: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"entries tested on the engine: {', '.join(self.names)} ({self.why}); closely: {', '.join(self.closely)}"


def chosen(asked: str, root: Path = ROOT, services: Services = SERVICES) -> Tested:
    """Return which entries are tested where the environment asks for all, for some by name, or for none."""
    every = {name for name in services if is_entry(services[name])}
    if asked:
        names = every if asked == ALL else set(asked.split(","))
        if unknown := names - every:
            raise ValueError(f"{ASKED}={asked}: no entry is called {', '.join(sorted(unknown))}")
        return Tested(_sorted(names), _sorted(names), "they were asked for")
    usual = {name for name in every if services[name]["labels"].get("benchlab.default") != "no"}
    commit, base = _git(root, "rev-parse", "HEAD") or "", _base(root)
    changed = _changed(root, base) if base else None
    if base is None or changed is None:
        return Tested(_sorted(every), _sorted(usual | sample(commit, every - usual)), "git cannot tell what changed")
    concerned = concerned_by(changed, services, _services_at(root, base))
    closely = usual | sample(commit, concerned - usual or every - usual)
    what = "what all need" if concerned == every else ", ".join(_sorted(concerned)) or "none"
    drawn = f"{', '.join(_sorted(closely - usual)) or 'no other'} drawn by commit {commit[:12]}"
    return Tested(_sorted(concerned | closely), _sorted(closely), f"{what} changed since {base[:12]}; {drawn}")


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def is_entry(service: Mapping[str, Any]) -> bool:
    return service.get("profiles") == ["entry"]


def sample(commit: str, names: Iterable[str]) -> set[str]:
    """Return SAMPLE of the names, the same for the same commit."""
    return set(sorted(names, key=lambda name: hashlib.sha256(f"{commit} {name}".encode()).digest())[:SAMPLE])


def concerned_by(changed: Collection[str], now: Services, then: Services) -> set[str]:
    """Return the entries that these changed files concern; `then` is what compose.yaml had before."""
    every = {name for name in now if is_entry(now[name])}
    if any(path.startswith(OF_ALL) for path in changed):
        return every
    concerned = {name for name in every if any(path.startswith(f"{_folder(now[name])}/") for path in changed)}
    if COMPOSE in changed:
        other = {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}
        # What stands beside the entries serves all of them.
        if any(not is_entry(now.get(name) or then[name]) for name in other):
            return every
        concerned |= other & every
    return concerned


def _folder(service: Mapping[str, Any]) -> str:
    """Return the folder that the entry is built from, of those in frameworks/."""
    return f"{FRAMEWORKS}/{Path(service['build']['dockerfile']).parent}"


def _base(root: Path) -> str | None:
    """Return the commit to compare with; None where git knows none."""
    passed = _git(root, "rev-parse", "--verify", "--quiet", PASSED)
    if passed and _git(root, "merge-base", "--is-ancestor", passed, "HEAD") is not None:
        return passed
    return _git(root, "rev-parse", "--verify", "--quiet", "HEAD^")


def _changed(root: Path, base: str) -> list[str] | None:
    """Return the files that differ from the commit, but for text about them; None where git cannot tell."""
    tracked = _git(root, "diff", "--name-only", "--no-renames", base)
    new = _git(root, "ls-files", "--others", "--exclude-standard")
    if tracked is None or new is None:
        return None
    return [path for path in (*tracked.splitlines(), *new.splitlines()) if not path.endswith(".md")]


def _services_at(root: Path, commit: str) -> Services:
    """Return the services that compose.yaml had at the commit; none where it cannot be read."""
    try:
        content = yaml.safe_load(_git(root, "show", f"{commit}:{COMPOSE}") or "")
        services: Services = content["services"]
    except (yaml.YAMLError, KeyError, TypeError):
        return {}
    return services


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it fails, or is not there."""
    try:
        ended = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None


TESTED = chosen(os.environ.get(ASKED, ""))
