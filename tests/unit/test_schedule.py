from __future__ import annotations

from itertools import pairwise

import pytest

from benchlab.experiment import schedule, workloads
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.plan import Entry, Level, Visit

LEVELS = {"json": closed.levels_of("json", (16, 32, 128), 2), "query": closed.levels_of("query", (1, 10, 20), 2)}


def _plan(entries: list[Entry], blocks: int = 5, seed: int = 7) -> tuple[Visit, ...]:
    return schedule.plan(entries, LEVELS, blocks, seed)


def test_every_block_visits_every_entry_once_and_takes_every_level_once(entries: list[Entry]) -> None:
    for block in range(1, 6):
        visits = [visit for visit in _plan(entries) if visit.block == block]
        assert sorted(visit.entry for visit in visits) == ["aiohttp", "crax"]
        for visit in visits:
            taken = sorted((trial.test, trial.level) for trial in visit.trials)
            assert taken == sorted((test, level) for test, levels in LEVELS.items() for level in levels)


def test_repeats_take_each_level_again_in_the_same_visit_after_all_the_others(entries: list[Entry]) -> None:
    for visit in schedule.plan(entries, LEVELS, 2, 7, repeats=3):
        keys = [trial.key for trial in visit.trials]
        assert len(set(keys)) == len(keys) == 3 * 6
        for test, levels in LEVELS.items():
            trials = [trial for trial in visit.trials if trial.test == test]
            assert [trial.repeat for trial in trials] == [1] * 3 + [2] * 3 + [3] * 3
            assert {trial.level for trial in trials[:3]} == set(levels)


def test_the_levels_of_a_test_are_never_torn_apart(entries: list[Entry]) -> None:
    for visit in _plan(entries):
        tests = [trial.test for trial in visit.trials]
        changes = sum(before != after for before, after in pairwise(tests))
        assert changes == len(LEVELS) - 1


def test_the_same_seed_gives_the_same_plan_whatever_the_order_of_the_entries(entries: list[Entry]) -> None:
    assert _plan(entries) == _plan(list(reversed(entries)))


def test_another_seed_gives_another_order(entries: list[Entry]) -> None:
    assert _plan(entries, seed=7) != _plan(entries, seed=8)


def test_the_order_of_entries_differs_between_blocks(entries: list[Entry]) -> None:
    first = [visit.entry for visit in _plan(entries, blocks=20)][::2]
    assert set(first) == {"aiohttp", "crax"}


def test_more_blocks_begin_with_the_plan_of_fewer(entries: list[Entry]) -> None:
    fewer = _plan(entries, blocks=3)
    assert _plan(entries, blocks=5)[: len(fewer)] == fewer


def test_updates_come_last_in_each_visit_and_the_other_tests_in_shuffled_order() -> None:
    everything = Entry("all", {}, {test: workload.path for test, workload in WORKLOADS.items()})
    levels = {test: closed.levels_of(test, workload.levels, 2) for test, workload in WORKLOADS.items()}
    visits = schedule.plan([everything], levels, 40, seed=7)
    orders = {tuple(dict.fromkeys(trial.test for trial in visit.trials)) for visit in visits}
    assert {order[-1] for order in orders} == {"update"}
    assert {order[0] for order in orders} == set(WORKLOADS) - {"update"}


def test_an_entry_is_given_only_the_tests_it_declares() -> None:
    visits = _plan([Entry("small", {}, {"json": "/json"})], blocks=1)
    assert {trial.test for visit in visits for trial in visit.trials} == {"json"}


def test_an_entry_with_none_of_the_chosen_tests_is_not_visited(entries: list[Entry]) -> None:
    idle = Entry("idle", {}, {"plaintext": "/plaintext"})
    assert {visit.entry for visit in _plan([*entries, idle])} == {"aiohttp", "crax"}


def test_what_was_measured_is_not_planned_again(entries: list[Entry]) -> None:
    visits = _plan(entries)
    trials = [trial for visit in visits for trial in visit.trials]
    measured = {trial.key for trial in trials[:8]}
    left = [trial for visit in schedule.remaining(visits, measured) for trial in visit.trials]
    assert left == trials[8:]


def test_a_visit_that_was_measured_whole_is_not_made(entries: list[Entry]) -> None:
    visits = _plan(entries)
    assert schedule.remaining(visits, {trial.key for trial in visits[0].trials}) == visits[1:]


def test_resume_keys_are_distinct_for_all_trials_of_a_run(entries: list[Entry]) -> None:
    keys = [trial.key for visit in _plan(entries) for trial in visit.trials]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("connections", "cpus", "threads"),
    [(16, 2, 2), (16, 1, 1), (1, 8, 1), (16, 6, 4), (128, 12, 8), (1024, 96, 64), (9, 4, 3), (8, 64, 8)],
)
def test_threads_are_one_per_cpu_lowered_to_a_divisor(connections: int, cpus: int, threads: int) -> None:
    assert closed.threads(connections, cpus) == threads
    assert connections % threads == 0


@pytest.mark.parametrize(("test", "level"), [("json", Level(128, 2)), ("plaintext", Level(1024, 2))])
def test_the_warm_up_is_the_largest_level_unpipelined(test: str, level: Level) -> None:
    values = {"json": (16, 128, 32), "plaintext": (1024, 256)}[test]
    assert closed.warmup_level(test, closed.levels_of(test, values, 2)) == level


@pytest.mark.parametrize("test", ["query", "cached-query", "update"])
def test_primer_and_warm_up_ask_for_two_rows_where_n_varies(test: str) -> None:
    assert closed.warmup_level(test, closed.levels_of(test, (1, 20), 2)) == Level(128, 2, queries=2)
    assert closed.warmup_level(test, closed.levels_of(test, (1, 20), 2, 512)) == Level(512, 2, queries=2)
    assert closed.primer_level(test) == Level(8, 8, queries=2)


@pytest.mark.parametrize("test", ["db", "fortune"])
def test_primer_and_warm_up_ask_for_no_n_where_connections_vary(test: str) -> None:
    assert closed.warmup_level(test, closed.levels_of(test, (16, 512, 32), 2)) == Level(512, 2)
    assert closed.primer_level(test) == Level(8, 8)


@pytest.mark.parametrize(
    ("test", "path"),
    [
        ("db", "/db"),
        ("fortune", "/fortunes"),
        ("query", "/queries?queries=20"),
        ("update", "/updates?queries=20"),
        ("cached-query", "/cached-queries?count=20"),
    ],
)
def test_n_is_appended_to_the_path_where_it_varies(test: str, path: str) -> None:
    assert workloads.url_path(test, WORKLOADS[test].path, closed.levels_of(test, (20,), 2)[0]) == path
