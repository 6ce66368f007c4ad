from __future__ import annotations

import json
from typing import Any

import pytest

from benchlab.engine import container_state
from benchlab.records import counters
from benchlab.records.checks import MOST
from benchlab.records.counters import Counters, HostUsage, Usage
from benchlab.records.seen import ContainerReading, Seen
from benchlab.records.seen import seen as read
from benchlab.run.wrk import SEEN_MARK

from .fake_host import seen

# What Docker's engine tells of a container, as far as it matters here, with either version of cgroups.
TOLD: dict[str, Any] = {
    "cpu_stats": {"cpu_usage": {"total_usage": 123_456}, "throttling_data": {"periods": 9, "throttled_periods": 2}},
    "memory_stats": {"usage": 99_000, "stats": {"cache": 90_000, "rss": 1000, "total_rss": 4096}},
}
TOLD_BY_2: dict[str, Any] = TOLD | {"memory_stats": {"usage": 99_000, "stats": {"anon": 4096, "file": 90_000}}}


def _seen(kills: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(seen(kills=kills).removeprefix(SEEN_MARK))
    return content


def _read(content: dict[str, Any]) -> Seen:
    return read(json.dumps(content))


def test_counters_are_differences_but_memory_is_the_most_of_all_looks() -> None:
    used = Usage(1_000_000, 0, 0, 90_000_000)
    assert counters.between(_read(_seen())) == Counters(
        between_us=2_052_000,
        host=HostUsage(3_000_000, 0, 1_100_000, 0, 0, 0, 0, None),
        roles={"client": used, "app": used, "db": used},
        received=((0, 0), (1_000_000, 75_000), (2_000_000, 150_000)),
        speeds_us=(5000, 5000),
        idle_before=True,
    )


@pytest.mark.parametrize(
    ("before", "between", "after", "most"),
    [(5, 9, 7, 9), (9, 5, 7, 9), (5, 7, 9, 9), (5, None, 7, 7), (None, None, 7, 7), (5, 9, None, 9), (None,) * 4],
)
def test_the_peak_of_memory_is_that_of_the_sample_whichever_look_met_it(
    before: int | None, between: int | None, after: int | None, most: int | None
) -> None:
    found = _seen()
    found["before"]["roles"]["app"]["memory_bytes"] = before
    found["memory_bytes"]["app"] = between
    found["after"]["roles"]["app"]["memory_bytes"] = after
    assert counters.between(_read(found)).roles["app"].memory_peak_bytes == most


def test_processes_killed_for_their_memory_count_from_where_they_are_told_to() -> None:
    found = _seen(kills=(5, 6))
    assert counters.killed(_read(found)) == {"client": 0, "app": 5, "db": 0}
    assert counters.between(_read(found)).roles["app"].oom_kills == 1
    assert counters.between(_read(found), {"client": 0, "app": 2, "db": 0}).roles["app"].oom_kills == 4
    assert counters.between(_read(found), {}).roles["app"].oom_kills is None


@pytest.mark.parametrize(
    ("told", "memory_bytes"),
    [
        (TOLD, 4096),
        (TOLD_BY_2, 4096),
        (TOLD | {"memory_stats": {}}, None),
        (TOLD | {"memory_stats": {"stats": {"anon": 0}}}, None),
    ],
)
def test_the_engine_s_own_counters_are_those_of_the_cgroup_tree(told: dict[str, Any], memory_bytes: int | None) -> None:
    assert container_state.used(told) == ContainerReading(123, 2, None, memory_bytes)


def test_what_one_reading_lacks_is_unavailable() -> None:
    found = _seen()
    found["before"]["roles"]["app"]["cpu_us"] = None
    found["after"]["host"]["stolen_us"] = None
    read = counters.between(_read(found))
    assert (read.roles["app"].cpu_us, read.host.stolen_us, read.containers_cpu_us) == (None, None, None)


def test_a_counter_that_runs_backwards_is_refused_by_name() -> None:
    found = _seen()
    found["before"]["roles"]["db"]["cpu_us"] = 2_000_000
    with pytest.raises(ValueError, match="cpu_us ran backwards by 1000000"):
        counters.between(_read(found))


def test_a_counter_that_grew_more_than_any_can_is_refused_by_name() -> None:
    found = _seen()
    found["after"]["roles"]["db"]["cpu_us"] = MOST
    assert counters.between(_read(found)).roles["db"].cpu_us == MOST
    found["after"]["roles"]["db"]["cpu_us"] += 1
    with pytest.raises(ValueError, match=f"cpu_us of {MOST + 1} cannot be"):
        counters.between(_read(found))


def test_a_clock_that_stands_still_is_refused() -> None:
    found = _seen()
    found["after"]["at_us"] = 0
    with pytest.raises(ValueError, match="0 us between two readings"):
        counters.between(_read(found))
