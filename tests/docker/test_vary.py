"""Levels that are typed, on the real engine: a version of a package, a checkout of it, and what an entry declares."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchlab.quality import judge
from benchlab.storage import store

from .conftest import ONE, Project

# A small package that starlette needs, and of which any version serves.
PACKAGE, VERSION = "idna", "3.10"
PROJECT_FILE = f"""\
[project]
name = "{PACKAGE}"
version = "{VERSION}.post1"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["{PACKAGE}"]
"""


def _checkout(folder: Path) -> None:
    """Make a project of the package, of what a release of it installs."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder}"]
    subprocess.run([*pip, f"{PACKAGE}=={VERSION}"], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as release:
        release.extractall(folder, [name for name in release.namelist() if name.startswith(f"{PACKAGE}/")])
    wheel.unlink()
    (folder / "pyproject.toml").write_text(PROJECT_FILE)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_level_is_installed_verified_measured_and_kept_with_its_lock(project: Project) -> None:
    (project.root / "checkout").mkdir()
    _checkout(project.root / "checkout")
    vary = ("--vary", f"{PACKAGE}={VERSION},./checkout", "--vary", "loop=asyncio,uvloop")
    code, printed = project.run("verify", "--framework", "starlette", "--test", "json", *vary)
    assert code == 0, printed
    code, printed = project.run(*ONE, "--blocks", "1", "--framework", "starlette", *vary)
    assert code == 0, printed
    run, folder = project.latest(), (project.root / "results/latest").resolve()
    assert (judge.missing(run), run.to_come) == ((), 0)
    levels = {(of.levels[PACKAGE], of.levels["loop"]) for of in run.manifest.variants.values()}
    assert levels == {(version, loop) for version in (VERSION, "./checkout") for loop in ("asyncio", "uvloop")}
    installed = {
        name: next(version for package in of.packages or () for version in (_version(package),) if version)
        for name, of in (run.manifest.facts.entries or {}).items()
    }
    assert installed == {
        name: VERSION if of.levels[PACKAGE] == VERSION else f"{VERSION}.post1"
        for name, of in run.manifest.variants.items()
    }
    locked = {name: f"{PACKAGE}=={VERSION}" in lock for name, lock in store.locks(folder).items()}
    assert locked == {name: of.levels[PACKAGE] == VERSION for name, of in run.manifest.variants.items()}
    told = project.run("factors", "results/latest")[1]
    assert f"{PACKAGE}: ./checkout / {VERSION}" in told
    assert "loop: uvloop / asyncio" in told
    # It goes on with the locks that it kept, whatever else is gone.
    shutil.rmtree(project.root / ".lab/levels")
    lines = project.journal().read_text().splitlines(keepends=True)
    project.journal().write_text("".join(lines[: len(lines) // 2]))
    code, printed = project.run("--resume", "results/latest")
    assert code == 0, printed
    assert (judge.missing(project.latest()), project.latest().to_come) == ((), 0)


def _version(package: str) -> str:
    """Return the version in what an inventory calls the package that is varied, "" in another's."""
    name, _, version = package.replace("==", " ").partition(" ")
    return version if name == PACKAGE else ""
