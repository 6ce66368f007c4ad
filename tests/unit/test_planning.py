"""What is told of a run before it starts, and that the wrk commands are those that are then made."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import Any

import pytest

from benchlab.core.quantities import minutes
from benchlab.engine.endpoints import load_address
from benchlab.experiment import schedule
from benchlab.experiment.profiles import DEFAULT, PROFILES
from benchlab.experiment.settings import choose, command
from benchlab.load import closed
from benchlab.records.plan import Entry, Settings
from benchlab.report import markdown
from benchlab.report.document import Document
from benchlab.run import planning
from benchlab.run.planning import Left

from .conftest import LABELS, LEVELS, PATHS, Kept, make_manifest, planned, run_planned
from .fake_host import FakeHost


def _typed(settings: Settings, entries: list[Entry]) -> list[str]:
    own = replace(settings, levels=dict.fromkeys(LEVELS, ()))
    return list(planning.commands(own, entries, LEVELS, load_address))


@pytest.mark.parametrize("proxy", ["none", "nginx"])
@pytest.mark.parametrize("change", [{}, {"primer_s": 5, "warmup_s": (15, 15)}, {"warmup_s": (0, 0)}])
def test_the_commands_are_those_that_a_run_makes(
    entries: list[Entry], settings: Settings, change: dict[str, Any], proxy: str
) -> None:
    changed, host = replace(settings, **change), FakeHost()
    entries = [replace(entry, labels=LABELS | {"proxy": proxy}) for entry in entries]
    run_planned(host, entries, changed, Kept())
    lines = [line for line in _typed(changed, entries) if not line.startswith("#")]
    assert {" ".join(shlex.split(line, comments=True)) for line in lines} == set(host.commands)


def test_each_entry_is_asked_by_a_name_of_its_own_and_under_the_one_of_the_contract(settings: Settings) -> None:
    entries = [Entry("a", LABELS, PATHS), Entry("b", LABELS, PATHS | {"json": "/other"})]
    lines = _typed(settings, entries)
    heads = [line for line in lines if line.startswith("#")]
    assert heads == ["# json: a", "# json: b", "# plaintext: a", "# plaintext: b", "# query: a", "# query: b"]
    assert all("Host: tfb-server" in line for line in lines if line not in heads)
    assert {"http://app-a:8080/json", "http://app-b:8080/other"} <= {word for line in lines for word in line.split()}


def test_the_order_has_a_line_for_each_visit(entries: list[Entry]) -> None:
    lines = list(planning.order(planned(entries)))
    assert len(lines) == 4
    first = planned(entries)[0]
    trials = [trial for trial in first.trials if trial.test == "query"]
    assert lines[0].startswith(f"block 1: {first.entry}: ")
    assert f"query {trials[0].level.queries} {trials[1].level.queries}" in lines[0]


def _plan(entries: list[Entry], **changes: Any) -> str:
    given: dict[str, Any] = {"frameworks": ["aiohttp", "crax"], "seed": 7}
    settings = choose(**(given | changes))
    levels = closed.levels(settings, 2)
    left: Left = schedule.plan(entries, levels, settings.blocks, settings.seed, settings.repeats)
    if settings.together:
        by_name = {entry.name: entry for entry in entries}
        left = schedule.planned(by_name, (tuple(by_name),), settings, settings.blocks)
    return markdown.text(Document((planning.plan(settings, levels, left, "2, shared", "4.0 GiB of memory"),)))


def test_the_plan_says_what_is_measured_how_and_for_how_long(entries: list[Entry]) -> None:
    usual = PROFILES[DEFAULT]
    plan, rounds, time, *rest = _plan(entries).splitlines()
    assert plan == f"plan              {usual.blocks} blocks: 2 entries up at once, one loaded at a time"
    assert rounds == (
        f"rounds            as many as take {minutes(usual.block_s)} in a block of two entries, "
        f"of slices of {usual.duration_s} s and more"
    )
    assert re.fullmatch(r"time              about \d+ min \d+ s; builds not counted", time)
    assert rest == [
        "entries           aiohttp, crax",
        "json              16, 32, 128 connections",
        "plaintext         256, 1024 connections, 16 requests deep",
        "query             1, 10, 20 queries a request, at 128 connections",
        "before each test  a warm-up slice of each entry, of 0.5 s at the largest level",
        f"blocks            {usual.blocks}, each one lifetime of its entries",
        "order             shuffled by seed 7",
        "CPUs              2, shared",
        "host              4.0 GiB of memory",
    ]


def test_the_plan_of_long_samples_says_how_many_there_are_and_how_long_they_take_where_all_are_taken_once_more(
    entries: list[Entry],
) -> None:
    lines = _plan(entries, profile="study").splitlines()
    assert lines[:2] == [
        "plan              80 samples of 15 s in 10 visits",
        "time              about 32 min 07 s, on a very noisy host 64 min 14 s and more; builds not counted",
    ]
    assert lines[6:8] == [
        "before each test  a primer of 5 s, a warm-up of 15 s",
        "blocks            5, every entry once in each",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"proxy": "nginx"}, "aiohttp, crax, through nginx"),
        ({"proxy": "none,nginx"}, "aiohttp, crax, without a proxy and through nginx"),
        ({"repeats": 3}, "rounds            3 of each test in a block, of slices of"),
        ({"profile": "study", "repeats": 3}, "5, every entry once in each, each level 3 times"),
        ({"precision": 0.03}, "; then more until ratios are within ± 3.0%"),
        (
            {"precision": 0.03, "budget_s": 1200},
            "; then more until ratios are within ± 3.0%, for at most 20 min 00 s in all",
        ),
        ({"budget_s": 1200}, "; then more, for at most 20 min 00 s in all"),
    ],
)
def test_what_is_not_usual_stands_in_the_plan(entries: list[Entry], changes: dict[str, Any], said: str) -> None:
    assert said in _plan(entries, **changes)


def test_entries_that_are_up_together_are_warmed_up_by_a_slice_each(entries: list[Entry]) -> None:
    settings = replace(choose(frameworks=["aiohttp", "crax"], seed=7), together=True, repeats=3)
    by_name = {entry.name: entry for entry in entries}
    blocks = schedule.planned(by_name, [("aiohttp", "crax")], settings, settings.blocks)
    told = markdown.text(Document((planning.plan(settings, closed.levels(settings, 2), blocks, "2", ""),)))
    assert "before each test  a warm-up slice of each entry, of 0.5 s at the largest level\n" in told


def test_the_plan_of_groups_says_which_entry_they_share_and_how_many_blocks_each_has(entries: list[Entry]) -> None:
    settings = choose(frameworks=["aiohttp", "crax", "starlette"], blocks=6, seed=7)
    by_name = {entry.name: entry for entry in entries} | {"starlette": replace(entries[0], name="starlette")}
    groups = [("aiohttp", "crax"), ("aiohttp", "starlette")]
    blocks = schedule.planned(by_name, groups, settings, settings.blocks)
    told = markdown.text(Document((planning.plan(settings, closed.levels(settings, 2), blocks, "2", ""),)))
    assert "6 blocks: 2 groups of up to 2 entries that share aiohttp; in each, one loaded at a time\n" in told
    assert "blocks            6, 3 of each group, each one lifetime of its entries\n" in told


def test_the_command_of_a_load_that_is_taken_in_slices_has_whole_seconds(entries: list[Entry]) -> None:
    settings = choose(frameworks=("crax",), tests=("json",), seed=7)
    typed = list(planning.commands(settings, entries, LEVELS, load_address))
    words = [shlex.split(line, comments=True) for line in typed if not line.startswith("#")]
    assert all(int(line[line.index("-d") + 1]) >= 1 for line in words)


def test_the_command_of_a_run_in_groups_asks_for_the_blocks_of_one_group() -> None:
    settings = choose(frameworks=("aiohttp", "crax"), seed=7)
    manifest = replace(make_manifest(), settings=replace(settings, blocks=2 * settings.blocks))
    assert "--blocks" not in command(replace(manifest, groups=(("aiohttp", "crax"), ("aiohttp", "crax"))))
    assert f"--blocks {2 * settings.blocks}" in command(manifest)
