"""How long a calibration is planned to take, by what it tries."""

from __future__ import annotations

import re

import pytest

from benchlab.selftest import extent
from benchlab.selftest.extent import FULL, SHORT, Extent


def _planned_s(text: str) -> int:
    match = re.search(r"about (?:(\d+) min )?(\d+) s", text)
    assert match, text
    return 60 * int(match[1] or 0) + int(match[2])


@pytest.mark.parametrize(("asked", "most_min"), [(SHORT, 10), (FULL, 62)])
def test_the_plan_names_each_part_with_its_time_and_keeps_to_what_the_help_promises(
    asked: Extent, most_min: int
) -> None:
    *parts, (last, total) = asked.plan.rows
    assert last == "time"
    assert [name for name, _ in parts] == [
        "A/A test",
        "injected slowdown",
        "known rate",
        "plain wrk",
        "injected faults",
        "troubled host",
    ]
    assert sum(_planned_s(what) for _, what in parts) == pytest.approx(_planned_s(total), abs=len(parts))
    assert 0.8 * most_min * 60 < _planned_s(total) <= most_min * 60


def test_each_run_has_as_many_blocks_rounds_and_seconds_as_its_part_asks_for() -> None:
    settings = SHORT.aa_test.settings(7)
    assert (settings.frameworks, settings.seed, settings.together) == (extent.EQUAL[:4], 7, True)
    assert (settings.blocks, settings.block_s, settings.repeats) == (SHORT.aa_test.blocks, SHORT.aa_test.block_s, 0)
    assert SHORT.known_rate.settings(7).repeats == SHORT.known_rate.rounds
