"""A copy of the project to work in, the lab run as its user runs it, and a check that nothing stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from benchlab.engine import stage
from benchlab.engine.stage import Lab
from benchlab.records.run import Run
from benchlab.storage import store
from benchlab.techempower import drafting

from ..entries import ROOT, SERVICES, USUAL
from ..tested import TESTED
from .traces import ASIDE, everything, images, named, objects, restore, tag

WAIT_S, RUN_S = 120, 300
# Few rounds of slices.
ROUNDS = 2
SHORT = ("--profile", "quick", "--repeats", str(ROUNDS))
JSON = (*SHORT, "--test", "json", "--levels", "json=16,32")
# As little as a block can have.
ONE = (*SHORT, "--test", "json", "--levels", "json=16")
# Long samples of one entry, as few as can be: each visit has 20 s of primer and warm-up.
LONG = ("--profile", "study", "--framework", "crax", "--test", "json", "--levels", "json=16", "--duration", "1")
# A budget for the two blocks of the pilot, and for little more.
PRECISE = ("--blocks", "2", "--precision", "50%", "--budget", "60s")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)


@dataclass(frozen=True)
class Project:
    """A copy of the project: tests add entries to it, change it, and run lab.py in it."""

    root: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "lab.py", *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run lab.py to its end and return its exit code and all that it printed."""
        process = self.start(*arguments)
        printed, _ = process.communicate(timeout=RUN_S)
        return process.returncode, printed

    def latest(self) -> Run:
        return store.read((self.root / "results/latest").resolve())

    def journal(self) -> Path:
        return self.root / "results/latest/samples.jsonl"

    def add_entry(self, name: str, like: str, change: Callable[[str], str], file: str = "app.py") -> None:
        """Draft an entry from another, with a change in a file that its image has.

        The image starts from the other's, so that nothing is installed anew.
        """
        if like not in USUAL:
            # Its image may not be there yet.
            assert self.run("setup", "--framework", like)[0] == 0
        drafting.write(self.root, drafting.plan(self.root, name, like))
        folder, shared = self.root / "frameworks" / name, self.root / "frameworks/shared"
        original = next(path for path in (folder / file, shared / file) if path.exists())
        (folder / file).write_text(change(original.read_text()))
        (folder / "Dockerfile").write_text(f"FROM {SERVICES[like]['image']}\nCOPY {name}/{file} ./\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_of_project(tmp_path / "project")


def copy_of_project(root: Path) -> Project:
    """Return a copy of what git tracks, with what is known of the images, so that nothing is built anew."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in tracked:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    shutil.copytree(ROOT / ".lab", root / ".lab")
    return Project(root)


@pytest.fixture(scope="session")
def client() -> docker.DockerClient:
    return docker.from_env()


def await_nothing_new(client: docker.DockerClient, before: Collection[str], clear: Callable[[], None]) -> None:
    """Return once nothing is left on the engine that was not there before; fail with its names where it stays.

    The engine itself ends a cancelled build, and removes a lease, a moment after the lab has left: `clear` is called
    until then.
    """
    deadline = time.monotonic() + WAIT_S
    while True:
        clear()
        left = [name for key, name in everything(client).items() if key not in before]
        if not left:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"left on the engine: {', '.join(left)}")
        time.sleep(0.2)


@dataclass(frozen=True)
class Measured:
    """A run that several tests read: the project that it is in, its exit code, and what was printed."""

    project: Project
    code: int
    printed: str

    @property
    def folder(self) -> Path:
        return (self.project.root / "results/latest").resolve()

    @property
    def run(self) -> Run:
        return store.read(self.folder)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Measured:
    """Return a run of the entries that are measured where none is named: a block, and a level of each test type."""
    few = ("--levels", "json=16", "--levels", "plaintext=256", "--levels", "query=20")
    return _measured(tmp_path_factory, client, *SHORT, *few, "--blocks", "1", "--seed", "7")


@pytest.fixture(scope="session")
def precise_run(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Measured:
    """Return a run whose blocks were decided on after two of them. What has no order of its own has that of a seed."""
    few = ("--test", "json", "--test", "query", "--levels", "json=16,32", "--levels", "query=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "1")
        return _measured(tmp_path_factory, client, *SHORT, *few, *PRECISE)


def _measured(made: pytest.TempPathFactory, client: docker.DockerClient, *arguments: str) -> Measured:
    project = copy_of_project(made.mktemp("measured") / "project")
    with nothing_stays(client):
        return Measured(project, *project.run(*arguments))


@pytest.fixture(autouse=True)
def _nothing_stays(client: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold each test that works in a project of its own to leaving nothing; the others start nothing themselves."""
    if "project" not in request.fixturenames:
        yield
        return
    with nothing_stays(client):
        yield


@contextmanager
def nothing_stays(client: docker.DockerClient) -> Iterator[None]:
    """Leave the engine as it was: the next test, and the user, find the images that they had."""
    before, own = everything(client), images(client)
    for name, image_id in named(own).items():
        tag(client, image_id, f"{ASIDE}{name}")
    yield
    try:
        await_nothing_new(client, before, lambda: restore(client, own))
    finally:
        for name in named(own):
            # One within another has removed it already.
            with suppress(NotFound):
                client.api.remove_image(f"{ASIDE}{name}")


@pytest.fixture(scope="module")
def staged() -> Iterator[Lab]:
    """The lab of this checkout with the containers of the entries that are tested, for tests that look inside them."""
    lab = stage.open_lab(ROOT, (), lambda line: None)
    client = docker.from_env()
    # What is built here is what the checkout needs: it stays.
    stage.build(lab, TESTED.names)
    before = everything(client)
    with stage.stage(lab, TESTED.names):
        yield lab
    await_nothing_new(client, before, lambda: None)


def await_that(condition: Callable[[], bool], what: str, process: subprocess.Popen[str] | None = None) -> None:
    """Return once the condition holds; fail where it does not in two minutes, or the process has ended."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if process is not None and process.poll() is not None:
            pytest.fail(f"lab.py ended before {what}: {process.stdout.read() if process.stdout else ''}")
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_S} s in vain until {what}")
        time.sleep(0.05)


def await_samples(project: Project, count: int, process: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Return the journal's lines once there are `count` samples among them."""
    journal = project.journal()
    await_that(
        lambda: journal.exists() and journal.read_bytes().count(b'{"kind": "sample"') >= count,
        f"{count} samples are in the journal",
        process,
    )
    return [json.loads(line) for line in journal.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send the signal to lab.py alone, and return its exit code and what it printed."""
    os.kill(process.pid, number)
    printed, _ = process.communicate(timeout=WAIT_S)
    return process.returncode, printed


def end_cleanly(client: docker.DockerClient, process: subprocess.Popen[str], number: signal.Signals) -> str:
    """End a run by the signal, and return what lab.py printed: its containers are gone, and its samples are kept."""
    code, printed = end(process, number)
    assert (code, objects(client)) == (128 + number, [])
    assert "what was measured is kept; go on with: python lab.py --resume results/" in printed
    return printed
