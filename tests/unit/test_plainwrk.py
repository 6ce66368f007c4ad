"""Rounds of loads in turns, and the parts of a calibration: what a load that fails costs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchlab.core.errors import WrkError
from benchlab.selftest import calibrate, kept, plainwrk, selftest
from benchlab.selftest.check import Burden, Check
from benchlab.selftest.kept import Calibration, Findings

from . import made_rounds

BURDEN = Burden(1, "slowed-1", 1000, 3_000_000, 200)


def _loads(*rates: float | None) -> Callable[[], float]:
    """Return a load that gives these rates; where there is none, it fails."""
    left: Iterator[float | None] = iter(rates)

    def load() -> float:
        if (rate := next(left)) is None:
            raise WrkError("wrk printed no rate")
        return rate

    return load


@pytest.mark.parametrize("failed", [None, 0.0])
def test_a_round_in_which_a_load_fails_or_answers_nothing_is_taken_anew_as_a_whole(failed: float | None) -> None:
    ways = {"lab": _loads(*map(float, range(10, 20))), "plain wrk": _loads(1.0, failed, 2.0, 3.0)}
    rates = plainwrk.in_turns(ways, 3, random.Random(1))
    assert rates["plain wrk"] == (1.0, 2.0, 3.0)
    # Where the load that failed came last in its round, the other had been measured in vain.
    assert (rates["lab"][0], len(rates["lab"])) == (10.0, 3)
    assert rates["lab"] in ((10.0, 11.0, 12.0), (10.0, 12.0, 13.0))


def test_loads_that_go_on_to_fail_end_the_rounds() -> None:
    failing = [None] * (plainwrk.MOST_ANEW + 1)
    with pytest.raises(WrkError, match=r"^wrk printed no rate$"):
        plainwrk.in_turns({"plain wrk": _loads(1.0, *failing, 2.0)}, 2, random.Random(1))
    just = plainwrk.in_turns({"plain wrk": _loads(1.0, *failing[1:], 2.0)}, 2, random.Random(1))
    assert just == {"plain wrk": (1.0, 2.0)}


def test_a_load_without_an_answer_is_named() -> None:
    with pytest.raises(WrkError, match=r"^plain wrk: no request was answered; see whether the entry still runs$"):
        plainwrk.in_turns({"plain wrk": lambda: 0.0}, 1, random.Random(1))


def test_each_way_is_loaded_once_a_round_in_an_order_of_chance() -> None:
    made: list[str] = []

    def way(name: str) -> Callable[[], float]:
        return lambda: made.append(name) or 1.0  # type: ignore[func-returns-value]

    plainwrk.in_turns({name: way(name) for name in "abc"}, 20, random.Random(1))
    rounds = ["".join(made[start : start + 3]) for start in range(0, 60, 3)]
    assert {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert len(set(rounds)) > 3


def test_where_wrk_fails_in_a_part_the_next_is_made_and_the_calibration_fails() -> None:
    def plain(found: Findings) -> Findings:
        raise WrkError("wrk printed no rate")

    def slowed(found: Findings) -> Findings:
        return replace(found, burdens=(BURDEN,))

    said: list[str] = []
    parts = {"plain wrk": plain, "injected slowdown": slowed}
    first, last = selftest.go_through(parts, Findings(is_full=False), said.append)
    assert first == Findings(is_full=False, broken={"plain wrk": "wrk printed no rate"})
    assert last == replace(first, burdens=(BURDEN,))
    assert said == ["the part plain wrk is given up, and those after it are made: wrk printed no rate"]
    aa_test = made_rounds.run(np.zeros((1, 2, 2, 3)))
    last_check = calibrate.checks(Calibration("x", {kept.AA_TEST: aa_test}, first))[-1]
    assert last_check == Check("part: plain wrk", "given up: wrk printed no rate", "made", False)
