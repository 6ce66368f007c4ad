"""What a gate can tell is said before it starts, at the spread of earlier runs on the same host."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.records.run import Pace
from benchlab.run import foresight
from benchlab.run.foresight import Usual
from benchlab.statistics.spread import Spread
from benchlab.storage import store

from .conftest import make_load, make_manifest, make_sample, make_trial

INFO = {"ID": "here", "KernelVersion": "6.1", "NCPU": 2}
HERE = foresight.here(INFO, 2)
FACTS = Facts.of({"engine_id": "here", "engine_kernel": "6.1", "engine_cpus": 2})
# The standard deviation of what is 3 % more and 3 % less by turns, in six blocks.
STDEV = 0.03 * math.sqrt(6 / 5)


def _manifest(run_id: str = "run", hours: int = 0, facts: Facts = FACTS) -> Manifest:
    manifest = make_manifest()
    settings = replace(manifest.settings, levels={"json": (16,)}, blocks=6, together=True, repeats=0, block_s=10)
    created = manifest.created_at + timedelta(hours=hours)
    return replace(manifest, run_id=run_id, created_at=created, facts=facts, settings=settings)


def _kept(results: Path, manifest: Manifest, rounds: int = 4, slice_s: float = 0.5) -> None:
    journal = store.create(results, manifest)
    journal.append(Pace(manifest.created_at, "json", rounds, slice_s))
    for block in range(1, 7):
        for entry, rate in (("aiohttp", 1e6), ("crax", 1e6 * math.exp(0.03 * (-1) ** block))):
            journal.append(make_sample(make_trial(block, entry), make_load(round(rate))))


def test_the_newest_runs_of_this_host_tell_its_usual_spread(tmp_path: Path) -> None:
    for hour in range(foresight.LATEST + 2):
        _kept(tmp_path, _manifest(f"run-{hour}", hour))
    _kept(tmp_path, _manifest("elsewhere", 99, Facts.of({"engine_id": "there"})))
    # Nor do newer ones of another load hide them.
    other = _manifest("another-load", 98)
    _kept(tmp_path, replace(other, settings=replace(other.settings, duration_s=other.settings.duration_s + 1)))
    (tmp_path / "broken").mkdir()
    found = list(foresight.latest(tmp_path, HERE, _manifest().settings))
    assert [run.manifest.run_id for run in found] == [f"run-{hour}" for hour in range(foresight.LATEST + 1, 1, -1)]
    (each,) = foresight.of_runs(found, _manifest().settings).values()
    assert each.spread is not None
    assert (each.spread.runs, each.spread.freedom, each.slice_s) == (foresight.LATEST, 5 * foresight.LATEST, 0.5)
    assert each.spread.of_blocks(4) == pytest.approx(STDEV, rel=1e-3)


def test_blocks_of_more_rounds_are_foreseen_to_lie_nearer_together(tmp_path: Path) -> None:
    _kept(tmp_path, _manifest("short", 0), rounds=4)
    _kept(tmp_path, _manifest("long", 1), rounds=16, slice_s=0.25)
    gate = replace(_manifest().settings, blocks=20, looks=(10, 20), margin=0.03)
    known = foresight.of_runs(foresight.latest(tmp_path, HERE, gate), gate)
    # Of one round: the variances of 4 and of 16 in a block, by their means.
    of_round = STDEV * math.sqrt((4 + 16) / 2)
    # So many rounds of a slice of both entries, as the newest run had them, fit into a block.
    for settings, rounds in ((gate, 20), (replace(gate, block_s=40), 80), (replace(gate, repeats=5), 5)):
        (_, told) = foresight.rows(settings, 1, known, 540)
        assert told[1].endswith(f"usual spread of {of_round / math.sqrt(rounds):.1%} between blocks (2 runs)")


def test_runs_of_another_load_tell_nothing(tmp_path: Path) -> None:
    _kept(tmp_path, _manifest())
    settings = _manifest().settings
    found = list(foresight.latest(tmp_path, HERE, settings))
    assert foresight.of_runs(found, settings).keys() == {"json"}
    for other in (
        {"levels": {"json": (16, 32)}},
        {"duration_s": settings.duration_s + 1},
        {"together": False, "repeats": 1},
        {"levels": {"plaintext": (256,)}},
    ):
        assert foresight.of_runs(found, replace(settings, **other)) == {}
        assert list(foresight.latest(tmp_path, HERE, replace(settings, **other))) == []
    beside = replace(settings, levels={"json": (16,), "query": (1,)})
    assert len(list(foresight.latest(tmp_path, HERE, beside))) == 1
    assert foresight.of_runs(found, beside).keys() == {"json"}


def test_without_an_engine_or_results_no_run_tells(tmp_path: Path) -> None:
    settings = _manifest().settings
    assert list(foresight.latest(tmp_path / "results", HERE, settings)) == []
    _kept(tmp_path, _manifest(facts=Facts.of({})))
    assert list(foresight.latest(tmp_path, foresight.here({}, 2), settings)) == []


def test_what_a_gate_can_tell_is_said_for_each_test() -> None:
    settings = replace(
        _manifest().settings,
        levels={"json": (16,), "query": (1,)},
        repeats=4,
        blocks=20,
        looks=(4, 8, 12, 16, 20),
        margin=0.03,
    )
    (gate, json, query) = foresight.rows(settings, 1, {"json": Usual(Spread(0.04, 30, 4))}, 540)
    assert gate == ("gate", "looks after 4, 8, 12, 16, 20 blocks, and ends the run as soon as it knows")
    assert json[0] == "it can tell"
    assert json[1].startswith("json: 20 blocks in about 9 min 00 s would show a loss of 3.0% with 80% power or more, ")
    # What is less than the margin is none that the gate asks for; what it cannot tell so exactly, it says.
    (_, noisy) = foresight.rows(replace(settings, levels={"json": (16,)}), 1, {"json": Usual(Spread(0.2, 30, 4))}, 540)
    assert "would show a loss of 6.8% with 80% power, and" in noisy[1]
    assert json[1].endswith("at this host's usual spread of 2.0% between blocks (4 runs)")
    assert query[0] == ""
    assert query[1].endswith(
        "at a spread of 7.0% between blocks, which is assumed: results/ has no such run on this host"
    )


def test_a_gate_foresees_what_it_can_tell_of_a_pair_from_the_blocks_of_its_group() -> None:
    alone = replace(_manifest().settings, levels={"json": (16,)}, blocks=10, looks=(5, 10), margin=0.03)
    in_turns = replace(alone, blocks=20, looks=(10, 20))
    told = foresight.foreseen(alone, 1, 0.04, 540)
    assert foresight.foreseen(in_turns, 1, 0.04, 540, turns=2) == told.replace("10 blocks", "20 blocks")
