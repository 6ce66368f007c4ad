"""What the main job refuses or ends before it needs an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from benchlab.core.errors import ConfigError, EngineError, StoreError
from benchlab.engine.engine import Engine
from benchlab.engine.lease import Lease
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.experiment import schedule
from benchlab.load import closed
from benchlab.records.facts import Facts
from benchlab.records.plan import Entry, Manifest
from benchlab.records.run import Run
from benchlab.report import outputs
from benchlab.run import planning, session
from benchlab.storage import store
from benchlab.storage.store import Journal

from .conftest import LABELS, make_sample
from .fake_host import FakeHost

OURS = {"benchlab.lab": "yes"}
SERVICE = {
    "image": "benchlab/x",
    "build": {"context": "."},
    "profiles": ["entry"],
    "labels": {f"benchlab.{name}": value for name, value in LABELS.items()} | OURS,
}


class NoEngine:
    """Fails at the first touch: it has nothing that an engine has."""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def lab(tmp_path: Path, said: list[str]) -> Lab:
    services = {"aiohttp": SERVICE, "crax": SERVICE}
    topology = Topology(tmp_path, ("compose",), {}, "benchlab", services, {"default": {"labels": OURS}})
    return Lab(tmp_path, topology, cast(Engine, NoEngine()), 2, "debian", said.append)


def test_a_run_whose_folder_cannot_be_written_is_not_resumed_and_nothing_is_built_for_it(
    lab: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    folder = store.create(tmp_path, manifest).folder
    # The tests may run as root, whom no mode keeps from writing.
    (folder / ".probe").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        session.resume(lab, folder, Console(file=StringIO()))


def test_a_run_that_misses_nothing_is_left_as_it_is_and_its_report_renewed(
    lab: Lab, tmp_path: Path, manifest: Manifest, entries: list[Entry], said: list[str]
) -> None:
    journal = store.create(tmp_path, manifest)
    levels = closed.levels(manifest.settings, 2)
    for visit in schedule.plan(entries, levels, manifest.settings.blocks, manifest.settings.seed):
        for trial in visit.trials:
            journal.append(make_sample(trial))
    kept = (journal.folder / store.JOURNAL).read_bytes()
    run = store.read(journal.folder)
    assert session.resume(lab, journal.folder, Console(file=StringIO())) == (journal.folder, run)
    assert said == ["20261123-120000-quick has all its samples: nothing to measure"]
    assert (journal.folder / store.JOURNAL).read_bytes() == kept
    assert (journal.folder / store.REPORT).exists()


class Shrunk:
    """An engine whose host has three CPUs."""

    cpus = 3


class Held:
    def check(self) -> None:
        """The lease is held."""


def test_a_host_that_changes_its_cpus_in_mid_run_ends_it_with_both_numbers(
    lab: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    shrunk = replace(lab, engine_if_any=cast(Engine, Shrunk()))
    journal = store.create(tmp_path, manifest)
    sitting = session.Session(shrunk, manifest, journal, cast(Lease, Held()), Console(file=StringIO()))
    with pytest.raises(EngineError, match="had 2 CPUs when the run began, and has 3 now"):
        sitting.allow()
    replace(sitting, manifest=replace(manifest, cpus=3)).allow()


class Enough(FakeHost):
    """A host with the CPUs that the run began with."""

    cpus = 2


class Counted(Journal):
    """Counts how often the run is read back, and what is derived from it written."""

    reads = derivations = measured = 0

    def run(self) -> Run:
        before = self._run
        run = super().run()
        self.reads += run is not before
        return run

    def derive(self, run: Run, outputs: Mapping[str, str]) -> None:
        self.derivations += 1
        self.measured += store.is_being_measured(self.folder)
        super().derive(run, outputs)


def test_a_run_is_read_and_its_report_made_once_after_each_block_and_not_again_at_its_end(
    lab: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    settings = replace(manifest.settings, levels={"json": (16, 32)}, blocks=2)
    manifest = replace(manifest, settings=settings)
    journal = Counted(store.create(tmp_path, manifest).folder)
    full = replace(lab, engine_if_any=cast(Engine, Enough()))
    run = session.Session(full, manifest, journal, cast(Lease, Held()), Console(file=StringIO())).run()
    assert len(run.samples) == 2 * 2 * 2
    # The first time before there was anything to read.
    assert (journal.reads, journal.derivations) == (1 + 2, 2)
    assert (journal.measured, store.is_being_measured(journal.folder)) == (2, False)
    assert (journal.folder / store.REPORT).read_text() == outputs.text(store.read(journal.folder))


def test_a_run_that_another_version_of_the_lab_began_is_not_resumed_and_nothing_is_built_for_it(
    lab: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    folder = store.create(tmp_path, replace(manifest, facts=Facts.of({"lab_version": "0.0.9"}))).folder
    with pytest.raises(StoreError, match=r"benchlab 0\.0\.9 began it"):
        session.resume(lab, folder, Console(file=StringIO()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"precision": 0.03, "frameworks": ("crax",)}, "there is one entry only"),
        ({"precision": 0.03, "blocks": 1}, "needs a pilot of 2 blocks"),
        ({"budget_s": 5}, "one block takes about"),
    ],
)
def test_what_no_number_of_blocks_can_do_is_refused_before_anything_is_built(
    lab: Lab, tmp_path: Path, manifest: Manifest, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        session.start(lab, replace(manifest.settings, **change), tmp_path / "results", Console(file=StringIO()))
    assert not (tmp_path / "results").exists()


def test_a_budget_for_fewer_blocks_than_the_profile_s_begins_with_these(lab: Lab, manifest: Manifest) -> None:
    whole = planning.fitted(lab, replace(manifest.settings, blocks=50, budget_s=3600))
    short = planning.fitted(lab, replace(manifest.settings, blocks=50, budget_s=300))
    assert 1 <= short.blocks < whole.blocks <= 50


def test_results_that_cannot_be_written_are_told_before_anything_is_built(
    lab: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match=r"results.* cannot be written \(.+\); fix its owner or permissions"):
        session.start(lab, manifest.settings, tmp_path / "results", Console(file=StringIO()))


def test_a_budget_decides_once_on_the_blocks_and_the_run_keeps_to_it(
    lab: Lab, tmp_path: Path, manifest: Manifest, said: list[str]
) -> None:
    settings = replace(manifest.settings, frameworks=("crax",), levels={"json": (32,)}, blocks=1, budget_s=28)
    journal = store.create(tmp_path, replace(manifest, settings=settings))
    full = replace(lab, engine_if_any=cast(Engine, Enough()))
    sitting = session.Session(full, journal.run().manifest, journal, cast(Lease, Held()), Console(file=StringIO()))
    run = sitting.run()
    # A block takes the 5 s that a visit is planned with, and the 2 s that a sample of the fake is said to have taken.
    assert run.decision is not None
    assert (run.decision.pilot, run.decision.blocks, run.decision.needed) == (1, 3, None)
    assert {sample.trial.block for sample in run.samples} == {1, 2, 3}
    assert f"3 blocks in all: {run.decision.reason}" in said
    assert run.decision.reason.startswith("what the budget has time for, at ")
    assert (journal.folder / store.JOURNAL).read_text().count('"kind": "decision"') == 1
    assert sitting.run().decision == run.decision
    assert (journal.folder / store.JOURNAL).read_text().count('"kind": "decision"') == 1
