"""What the main job refuses or ends before it needs an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from benchlab.cli import gate
from benchlab.core.errors import ConfigError, EngineError, StoreError, UsageError
from benchlab.engine.engine import Engine
from benchlab.engine.lease import Lease
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.experiment import schedule
from benchlab.experiment.profiles import PROFILES
from benchlab.experiment.settings import choose
from benchlab.load import closed
from benchlab.records.facts import Facts
from benchlab.records.plan import Entry, Manifest, Settings
from benchlab.records.run import Look, Run
from benchlab.report import gate as report_gate
from benchlab.report import outputs
from benchlab.run import planning, session
from benchlab.statistics import candidate
from benchlab.storage import store
from benchlab.storage.store import Journal

from .conftest import COMMIT, LABELS, STARTED, long_samples, make_load, make_sample, older, versions
from .fake_host import FakeHost

OURS = {"benchlab.lab": "yes"}
SERVICE = {
    "image": "benchlab/x",
    "build": {"context": "."},
    "profiles": ["entry"],
    "labels": {f"benchlab.{name}": value for name, value in LABELS.items()} | OURS,
}


class NoEngine:
    """Fails at the first touch, but for what it says of itself, which is nothing."""

    def info(self) -> dict[str, Any]:
        return {}


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
    assert said == ["20261123-120000-quick has all the samples that it can have: nothing to measure"]
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
    project = "benchlab"


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


# Whichever design a run has stands in its settings: in older labs that of the profile default was another.
@pytest.mark.parametrize("together", [True, False])
def test_a_run_is_read_and_its_report_made_once_after_each_block_and_not_again_at_its_end(
    lab: Lab, tmp_path: Path, manifest: Manifest, together: bool
) -> None:
    of = manifest.settings if together else replace(long_samples(), profile="default")
    settings = replace(of, levels={"json": (16, 32)}, blocks=2)
    manifest = replace(manifest, settings=settings)
    journal = Counted(store.create(tmp_path, manifest).folder)
    host = Enough()
    full = replace(lab, engine_if_any=cast(Engine, host))
    run = session.Session(full, manifest, journal, cast(Lease, Held()), Console(file=StringIO())).run()
    assert len(run.samples) == 2 * 2 * 2
    assert (bool(host.slices), bool(host.jobs)) == (together, not together)
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


class Small(FakeHost):
    """A host with memory for three entries of the lab at a time."""

    cpus = 2
    project = "benchlab"

    def info(self) -> dict[str, int]:
        return {"MemTotal": 2_200_000_000}


@pytest.fixture
def small(lab: Lab) -> Lab:
    """Return a lab of five entries, which are up in two groups."""
    topology = replace(lab.topology, services=dict.fromkeys(("aiohttp", "b", "c", "d", "e"), SERVICE))
    return replace(lab, topology=topology, engine_if_any=cast(Engine, Small()))


def _together(manifest: Manifest, **changes: Any) -> Settings:
    names = ("aiohttp", "b", "c", "d", "e")
    return replace(manifest.settings, frameworks=names, levels={"json": (16,)}, together=True, repeats=9, **changes)


@pytest.mark.parametrize("change", [{}, {"budget_s": 300}, {"margin": 0.03}, {"margin": 0.03, "budget_s": 900}])
def test_groups_take_turns_and_have_as_many_blocks_each_at_every_look(
    small: Lab, manifest: Manifest, change: dict[str, Any]
) -> None:
    asked = _together(manifest, blocks=9, **change)
    assert len(planning.groups(small, asked)) == 2
    settings = planning.fitted(small, asked)
    assert settings.blocks >= 2
    assert [blocks % 2 for blocks in (settings.blocks, *settings.looks)] == [0] * (1 + len(settings.looks))
    assert bool(settings.looks) is ("margin" in change)


def test_the_groups_of_a_run_are_those_of_the_entries_that_were_built(small: Lab, manifest: Manifest) -> None:
    asked = _together(manifest, blocks=9)
    settings = session.of_built(small, asked, {"c", "e"})
    assert planning.groups(small, settings) == (("aiohttp", "b", "d"),)
    assert (settings.blocks, planning.fitted(small, asked).blocks) == (9, 18)


def test_a_gate_of_groups_needs_three_blocks_of_each(small: Lab, manifest: Manifest) -> None:
    with pytest.raises(UsageError, match="needs 3 blocks of each of 2 groups to see a spread, and this is a run of 4"):
        planning.fitted(small, _together(manifest, blocks=2, margin=0.03))


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
    journal = store.create(tmp_path, replace(manifest, settings=settings, entries={"crax": LABELS}))
    full = replace(lab, engine_if_any=cast(Engine, Enough()))
    sitting = session.Session(full, journal.run().manifest, journal, cast(Lease, Held()), Console(file=StringIO()))
    run = sitting.run()
    # A block takes the 5 s that a start is planned with, and the part of a second that a slice of the fake has taken.
    assert run.decision is not None
    assert (run.decision.pilot, run.decision.blocks, run.decision.needed) == (1, 5, None)
    assert {sample.trial.block for sample in run.samples} == {1, 2, 3, 4, 5}
    assert f"5 blocks in all: {run.decision.reason}" in said
    assert run.decision.reason.startswith("what the budget has time for, at ")
    assert (journal.folder / store.JOURNAL).read_text().count('"kind": "decision"') == 1
    assert sitting.run().decision == run.decision
    assert (journal.folder / store.JOURNAL).read_text().count('"kind": "decision"') == 1


def _gated(manifest: Manifest, **changes: Any) -> Manifest:
    """Return what a run of two versions of an entry is that has a gate, which looks after 3, 6 and 9 blocks."""
    settings = replace(
        manifest.settings,
        frameworks=("crax", older("crax")),
        levels={"json": (32,)},
        blocks=9,
        margin=0.03,
        looks=(3, 6, 9),
        against=COMMIT,
    )
    return replace(
        manifest,
        settings=replace(settings, **changes),
        entries=dict.fromkeys(settings.frameworks, LABELS),
        variants=versions("crax"),
    )


@pytest.fixture
def both(lab: Lab) -> Lab:
    """Return a lab that has both versions."""
    topology = replace(lab.topology, services={"crax": SERVICE, older("crax"): SERVICE})
    return replace(lab, topology=topology, engine_if_any=cast(Engine, Enough()))


def _sitting(lab: Lab, journal: Journal) -> session.Session:
    return session.Session(lab, journal.run().manifest, journal, cast(Lease, Held()), Console(file=StringIO()))


BLOCK_S = 6


def _measured(journal: Journal, run: Run, blocks: range, factor: float, noise: float = 0.002) -> None:
    """Write blocks of both versions in which the newer has so many times the older one's rate, give or take noise.

    A block takes BLOCK_S.
    """
    for visit in schedule.plan(
        [Entry(name, LABELS, {"json": "/json"}) for name in run.manifest.settings.frameworks],
        closed.levels(run.manifest.settings, 2),
        blocks.stop - 1,
        run.manifest.settings.seed,
    ):
        if visit.block in blocks:
            sign = (visit.block % 3) - 1
            rate = 10_000 * (1 if visit.entry == older("crax") else factor * (1 + sign * noise))
            sample = make_sample(visit.trials[0], make_load(round(rate)))
            journal.append(replace(sample, started_at=STARTED + timedelta(seconds=BLOCK_S * visit.block)))


def test_a_gate_ends_the_run_at_the_first_look_that_has_an_answer(
    both: Lab, tmp_path: Path, manifest: Manifest, said: list[str]
) -> None:
    journal = store.create(tmp_path, _gated(manifest))
    # Of the fake every sample is the same.
    run = _sitting(both, journal).run()
    (look,) = run.looks
    assert (look.number, look.blocks, look.next_look, look.exit_code) == (1, 3, None, 0)
    assert (run.answer, run.blocks, run.to_come, run.awaits_decision) == (look, 3, 0, False)
    assert {sample.trial.block for sample in run.samples} == {1, 2, 3}
    assert f"look 1: {look.reason}" in said
    assert f"The gate looked after 3 of at most 9 blocks: {look.reason}." in " ".join(
        (journal.folder / store.REPORT).read_text().split()
    )
    assert _sitting(both, journal).run() == run


def test_a_gate_without_an_answer_looks_again_and_a_resumed_run_goes_on_to_its_next_look(
    both: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    journal = store.create(tmp_path, _gated(manifest))
    _measured(journal, journal.run(), range(1, 4), 1.0, noise=0.3)
    assert journal.run().awaits_decision
    run = _sitting(both, journal).run()
    first, *_ = run.looks
    assert (first.blocks, first.next_look, first.exit_code) == (3, 6, 3)
    assert [look.blocks for look in run.looks] == [3, 6, 9]
    assert (run.looks[-1].exit_code, run.looks[-1].next_look) == (3, None)
    # Ended after its first look, it goes on to the second, and does not look at the first blocks again.
    lines = (journal.folder / store.JOURNAL).read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"kind": "look"' not in line or b'"number": 1' in line][:7]
    (journal.folder / store.JOURNAL).write_bytes(b"".join(kept))
    resumed = _sitting(both, Journal(journal.folder)).run()
    assert [look.blocks for look in resumed.looks] == [3, 6, 9]
    assert resumed.looks[0] == first


def test_a_regression_is_shown_at_the_first_look_and_keeps_its_answer_whatever_is_measured_later(
    both: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    journal = store.create(tmp_path, _gated(manifest))
    _measured(journal, journal.run(), range(1, 4), 0.8)
    run = _sitting(both, journal).run()
    assert [(look.blocks, look.exit_code) for look in run.looks] == [(3, 1)]
    assert run.looks[0].reason.startswith("slower after 3 of at most 9 blocks: crax json requests/s 0.8")
    assert _sitting(both, journal).run().looks == run.looks


def test_a_budget_that_ends_before_the_next_look_makes_a_last_one_of_the_blocks_that_fit(
    both: Lab, tmp_path: Path, manifest: Manifest, said: list[str]
) -> None:
    journal = store.create(tmp_path, _gated(manifest, budget_s=5 * BLOCK_S + 2))
    _measured(journal, journal.run(), range(1, 4), 1.0, noise=0.3)
    run = _sitting(both, journal).run()
    assert run.looks[0].next_look in (4, 5)
    assert [look.next_look for look in run.looks[1:]] == [None]
    assert "for which the budget had time" in run.looks[-1].reason


def test_looks_that_do_not_follow_each_other_are_of_two_runs(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, _gated(manifest))
    for number, blocks in ((1, 3), (3, 9)):
        journal.append(Look(number, STARTED, blocks, 6 if number == 1 else None, 3, "noise"))
    with pytest.raises(StoreError, match=r"its looks do not follow each other \(number 3\)"):
        journal.run()


def test_a_look_of_a_run_without_a_gate_is_of_another_run(tmp_path: Path, manifest: Manifest) -> None:
    journal = store.create(tmp_path, manifest)
    journal.append(Look(1, STARTED, 2, None, 0, "calm"))
    with pytest.raises(StoreError, match="a look after 2 blocks is none of"):
        journal.run()


@pytest.mark.parametrize(
    ("change", "blocks", "looks"),
    [
        ({"blocks": 20}, 20, (4, 8, 12, 16, 20)),
        ({"blocks": 3}, 3, (3,)),
        ({"blocks": 5, "budget_s": 36_000}, 5, (5,)),
    ],
)
def test_a_gate_s_looks_are_set_before_the_run(
    lab: Lab, manifest: Manifest, change: dict[str, Any], blocks: int, looks: tuple[int, ...]
) -> None:
    settings = planning.fitted(lab, replace(manifest.settings, margin=0.03, **change))
    assert (settings.blocks, settings.looks) == (blocks, looks)


def test_a_budget_sets_the_most_blocks_of_a_gate_where_none_are_asked_for(lab: Lab, manifest: Manifest) -> None:
    def fitted(settings: Settings) -> Settings:
        return planning.fitted(lab, replace(settings, margin=0.03, budget_s=1800))

    usual = replace(manifest.settings, blocks=PROFILES["quick"].blocks)
    free = fitted(usual)
    assert free.blocks > usual.blocks
    assert free.looks[-1] == free.blocks
    # The command of the run makes the same one again.
    assert fitted(free) == free


@pytest.mark.parametrize("change", [{"blocks": 2}, {"budget_s": 120}])
def test_a_gate_without_three_blocks_is_refused(lab: Lab, manifest: Manifest, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--fail-if-slower needs 3 blocks to see a spread, and this is a run of"):
        planning.fitted(lab, replace(manifest.settings, margin=0.03, **change))


def test_what_a_run_with_a_gate_answered_is_repeated_and_of_another_margin_nothing_is_said(
    both: Lab, tmp_path: Path, manifest: Manifest
) -> None:
    journal = store.create(tmp_path, _gated(manifest))
    _measured(journal, journal.run(), range(1, 4), 0.8)
    before = candidate.compare(*gate.versions(journal.run()))
    answer = gate.decide(before, 0.03)
    assert answer is not None
    assert (answer.exit_code, "ended before its first look" in report_gate.reason(answer)) == (3, True)
    run = _sitting(both, journal).run()
    held = candidate.compare(*gate.versions(run))
    assert gate.decide(held, 0.03) == run.looks[-1]
    with pytest.raises(UsageError, match=r"--fail-if-slower 5%: .+ ended when it knew of 3%"):
        gate.decide(held, 0.05)


def test_a_gate_has_no_precision() -> None:
    with pytest.raises(UsageError, match="so --precision has nothing to decide; leave that out"):
        choose("default", seed=7, margin=0.03, precision=0.015)
