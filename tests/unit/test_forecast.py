"""How long a run will take, and what it learns of that from its own pace and from samples that are taken anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from benchlab.experiment.forecast import (
    TEST_S,
    TRIAL_S,
    VERIFY_S,
    VERIFY_TEST_S,
    VISIT_S,
    WARM_UP_S,
    WHOLE_S,
    BlockForecast,
    Forecast,
    block_s,
    verification_s,
)
from benchlab.records.plan import Block, Entry, Rounds, Settings, Visit
from benchlab.records.run import Pace

from .conftest import STARTED, planned

# As long as things really take in these tests: a trial, and what comes before a test type, the entry's start too.
TRIAL_TAKES_S, BEFORE_TAKES_S = 3.0, 20.0


@pytest.fixture
def visits(entries: list[Entry]) -> tuple[Visit, ...]:
    """Return two visits in each of two blocks: five trials of three test types in each."""
    return planned(entries)


def _make(forecast: Forecast, visits: Iterable[Visit], elapsed_s: float = 0.0) -> float:
    """Make the visits, which take that long, and return the seconds of the run so far."""
    for visit in visits:
        tests: set[str] = set()
        for trial in visit.trials:
            elapsed_s += TRIAL_TAKES_S + (0 if trial.test in tests else BEFORE_TAKES_S)
            tests.add(trial.test)
            forecast.done(trial, elapsed_s)
    return elapsed_s


def _once_more(visit: Visit) -> Visit:
    """Return the visit as it is made for its first trial alone."""
    return Visit(visit.block, visit.entry, visit.trials[:1])


def test_before_anything_was_measured_the_plan_is_the_forecast(visits: tuple[Visit, ...], settings: Settings) -> None:
    forecast = Forecast(visits, settings)
    trial_s = settings.duration_s + TRIAL_S
    test_s = TEST_S + settings.primer_s + settings.warmup_s[0] + WARM_UP_S
    assert forecast.left_s(0) == pytest.approx(forecast.total_s) == 4 * (VISIT_S + 3 * test_s + 5 * trial_s)


def test_the_time_to_come_follows_the_pace_of_what_was_done(visits: tuple[Visit, ...], settings: Settings) -> None:
    forecast = Forecast(visits, settings)
    elapsed_s = _make(forecast, visits[:1])
    assert forecast.left_s(elapsed_s) == pytest.approx(3 * elapsed_s)
    assert forecast.left_s(elapsed_s + 7) == pytest.approx(3 * elapsed_s - 7)
    elapsed_s = _make(forecast, visits[1:], elapsed_s)
    assert [forecast.left_s(elapsed_s), forecast.fraction] == pytest.approx([0, 1])


def test_starts_and_warm_ups_have_a_pace_of_their_own(visits: tuple[Visit, ...], settings: Settings) -> None:
    forecast = Forecast(visits, settings)
    elapsed_s = _make(forecast, visits)
    forecast.over(1)
    forecast.again([_once_more(visits[-1])])
    before_s = VISIT_S + TEST_S + settings.primer_s + settings.warmup_s[0] + WARM_UP_S
    all_before_s = VISIT_S + 3 * (before_s - VISIT_S)
    before_takes_s = 3 * BEFORE_TAKES_S * before_s / all_before_s
    assert forecast.left_s(elapsed_s) == pytest.approx(TRIAL_TAKES_S + before_takes_s)


def test_what_is_taken_anew_in_one_block_is_expected_of_the_next(visits: tuple[Visit, ...], settings: Settings) -> None:
    calm, noisy = Forecast(visits, settings), Forecast(visits, settings)
    elapsed_s = _make(calm, visits[:2])
    calm.over(1)
    assert calm.left_s(elapsed_s) == pytest.approx(elapsed_s)
    noisy_s = _make(noisy, visits[:2])
    # All of the block once more, and one of its two visits a third time.
    noisy.again(visits[:2])
    noisy_s = _make(noisy, visits[:2], noisy_s)
    noisy.again(visits[:1])
    noisy_s = _make(noisy, visits[:1], noisy_s)
    noisy.over(1)
    assert noisy_s == pytest.approx(2.5 * elapsed_s)
    assert noisy.left_s(noisy_s) == pytest.approx(2.5 * elapsed_s)


def test_what_will_be_taken_anew_is_time_to_come_before_its_block_has_come_to_that(
    visits: tuple[Visit, ...], settings: Settings
) -> None:
    forecast = Forecast(visits[:2], settings)
    elapsed_s = _make(forecast, visits[:1])
    calm_s = forecast.left_s(elapsed_s)
    forecast.doubted(visits[0].trials[0])
    noisy_s = forecast.left_s(elapsed_s)
    assert noisy_s > calm_s + TRIAL_TAKES_S
    elapsed_s = _make(forecast, visits[1:2], elapsed_s)
    doubted_s = forecast.left_s(elapsed_s)
    forecast.again([_once_more(visits[0])])
    assert forecast.left_s(elapsed_s) == pytest.approx(doubted_s)
    # Taken anew, and doubted once more: that it is taken a third time is not known.
    elapsed_s = _make(forecast, [_once_more(visits[0])], elapsed_s)
    forecast.doubted(visits[0].trials[0])
    assert forecast.left_s(elapsed_s) == pytest.approx(0)


def test_what_was_never_loaded_tells_nothing_of_the_pace(visits: tuple[Visit, ...], settings: Settings) -> None:
    forecast = Forecast(visits, settings)
    elapsed_s = _make(forecast, visits[:1])
    for trial in visits[1].trials:
        forecast.dropped(trial, elapsed_s + 30)
    assert forecast.left_s(elapsed_s + 30) == pytest.approx(2 * elapsed_s)
    assert forecast.fraction == pytest.approx(0.5)
    # The 30 s that it took to lose a visit are no part of the next one's start.
    again_s = _make(forecast, visits[2:3], elapsed_s + 30)
    assert forecast.left_s(again_s) == pytest.approx(elapsed_s)


def test_what_was_never_loaded_is_not_expected_to_be_taken_anew(visits: tuple[Visit, ...], settings: Settings) -> None:
    forecast = Forecast(visits, settings)
    elapsed_s = _make(forecast, visits[:1])
    for trial in visits[1].trials:
        forecast.dropped(trial, elapsed_s)
    forecast.again(visits[:1])
    elapsed_s = _make(forecast, visits[:1], elapsed_s)
    # All that was loaded of the first block was taken anew; so will all be of the second, with two visits.
    assert forecast.left_s(elapsed_s) == pytest.approx(2 * elapsed_s)


def test_a_resumed_block_takes_as_long_as_the_rounds_that_it_lacks(settings: Settings) -> None:
    together = replace(settings, levels={"json": (16, 32)}, together=True, repeats=0, block_s=600)
    paces = {"json": Pace(STARTED, "json", 40, 0.5)}
    whole, few = (Block(1, ("aiohttp", "crax"), (Rounds("json", count, 39),)) for count in (0, 2))
    saved_s = block_s(whole, together, paces) - block_s(few, together, paces)
    assert saved_s == pytest.approx(38 * 2 * 2 * 0.5)


def test_the_first_block_of_each_entry_has_its_whole_verification_in_it(settings: Settings) -> None:
    together = replace(settings, levels={"json": (16, 32)}, together=True, repeats=4)
    rounds = (Rounds("json", 4),)
    # Two groups that share an entry, twice each.
    blocks = [Block(number, ("a", "bc"[number % 2]), rounds) for number in (1, 2, 3, 4)]
    usual_s = sum(block_s(block, together) for block in blocks)
    assert BlockForecast(blocks, together).total_s == pytest.approx(usual_s + 3 * WHOLE_S)


def test_a_verification_is_planned_by_its_entries_and_their_tests() -> None:
    assert verification_s([7, 7, 2]) == pytest.approx(3 * VERIFY_S + 16 * VERIFY_TEST_S)
