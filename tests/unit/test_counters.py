from __future__ import annotations

import json
from typing import Any

import pytest

from benchlab.core import counters
from benchlab.core.counters import Counters, HostUsage, Usage
from benchlab.measuring.wrk import SEEN_MARK

from .fake_host import seen


def _seen() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seen().removeprefix(SEEN_MARK))
    return found


def test_counters_are_differences_but_for_what_counts_from_the_start() -> None:
    used = Usage(1_000_000, 0, 0, 90_000_000)
    assert counters.between(_seen()) == Counters(
        between_us=2_052_000,
        host=HostUsage(3_000_000, 0, 1_100_000, 0, 0, 0, 0, None),
        roles={"client": used, "app": used, "db": used},
        received=((0, 0), (1_000_000, 75_000), (2_000_000, 150_000)),
        speeds_us=(5000, 5000),
    )


def test_a_process_killed_for_its_memory_in_the_warm_up_is_told_of_the_sample() -> None:
    found = _seen()
    for reading in (found["before"], found["after"]):
        reading["roles"]["app"]["oom_kills"] = 2
    assert counters.between(found).roles["app"].oom_kills == 2


def test_what_one_reading_lacks_is_unavailable() -> None:
    found = _seen()
    found["before"]["roles"]["app"]["cpu_us"] = None
    found["after"]["host"]["stolen_us"] = None
    read = counters.between(found)
    assert (read.roles["app"].cpu_us, read.host.stolen_us, read.containers_cpu_us) == (None, None, None)


def test_a_counter_that_runs_backwards_is_refused_by_name() -> None:
    found = _seen()
    found["before"]["roles"]["db"]["cpu_us"] = 2_000_000
    with pytest.raises(ValueError, match="cpu_us ran backwards by 1000000"):
        counters.between(found)


def test_a_counter_that_grew_more_than_any_can_is_refused_by_name() -> None:
    found = _seen()
    found["after"]["roles"]["db"]["cpu_us"] = counters.MOST
    assert counters.between(found).roles["db"].cpu_us == counters.MOST
    found["after"]["roles"]["db"]["cpu_us"] += 1
    with pytest.raises(ValueError, match=f"cpu_us of {counters.MOST + 1} cannot be"):
        counters.between(found)


def test_a_clock_that_stands_still_is_refused() -> None:
    found = _seen()
    found["after"]["at_us"] = 0
    with pytest.raises(ValueError, match="0 us between two readings"):
        counters.between(found)
