from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from benchlab import schedule, workloads
from benchlab.forecast import Forecast, minutes
from benchlab.model import Entry, Failure, Manifest, Problem, Run, Settings, Visit
from benchlab.progress import Progress

from .conftest import STARTED, make_sample

# Of a run with seed 7.
LINE = "  block 1: aiohttp: json 32: not measured: [red]died\n"
LEVELS = {"json": workloads.levels("json", (16, 32), 2)}


def _visits(entries: list[Entry]) -> tuple[Visit, ...]:
    return schedule.plan(entries, LEVELS, 2, seed=7)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _show(
    visits: tuple[Visit, ...], manifest: Manifest, screen: StringIO, width: int = 80, forced: bool | None = None
) -> str:
    """Return all that is shown of a run in which every first trial of a visit fails."""
    console = Console(file=screen, force_terminal=forced, width=width)
    progress = Progress(console, Forecast(visits, manifest.settings), Run(manifest, (), ()), " (a first look)")
    with progress.running():
        for visit in visits:
            progress.visit(visit)
            progress.verified(visit, [Problem("json", "extra keys", "[bold]odd[/bold]", warning=True)])
            for number, trial in enumerate(visit.trials):
                progress.warming(trial)
                progress.measuring(trial)
                failed = number == 0
                progress.recorded(Failure(trial, STARTED, "[red]died") if failed else make_sample(trial))
            progress.block(visit.block)
    return screen.getvalue()


def test_a_log_gets_plain_whole_lines_and_the_table_after_each_block(entries: list[Entry], manifest: Manifest) -> None:
    shown = _show(_visits(entries), manifest, StringIO(), width=30)
    assert "\x1b" not in shown
    assert LINE in shown
    assert "after block 2, requests/s: geometric mean [95 % interval] (a first look)\n| test" in shown
    assert "warning: json: [bold]odd[/bold] [extra keys]\n" in shown


def test_colour_forced_into_a_pipe_draws_no_bar(entries: list[Entry], manifest: Manifest) -> None:
    shown = _show(_visits(entries), manifest, StringIO(), forced=True)
    assert "\x1b" not in shown
    assert LINE in shown


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_the_lines_of_a_log(
    entries: list[Entry], manifest: Manifest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TERM", name)
    shown = _show(_visits(entries), manifest, Terminal())
    assert "\x1b" not in shown
    assert LINE in shown


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_of_any_width_shows_what_happens(
    entries: list[Entry], manifest: Manifest, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = _show(_visits(entries), manifest, Terminal(), width)
    assert "\x1b[2K" in shown
    assert "[red]died" in shown
    assert "left" in shown
    assert "[95" in shown


def test_the_time_to_come_follows_the_pace_of_what_was_done(entries: list[Entry], settings: Settings) -> None:
    visits = _visits(entries)
    forecast = Forecast(visits, replace(settings, duration_s=10))
    planned = forecast.total_s
    assert forecast.left_s(0) == pytest.approx(planned)
    for trial in visits[0].trials:
        forecast.done(trial.key)
    done = planned * forecast.fraction
    assert forecast.left_s(done * 2) == pytest.approx(2 * (planned - done))
    for visit in visits[1:]:
        for trial in visit.trials:
            forecast.done(trial.key)
    assert (forecast.left_s(99), forecast.fraction) == (0, 1)


def test_a_trial_tried_twice_counts_once(entries: list[Entry], settings: Settings) -> None:
    visits = _visits(entries)
    forecast = Forecast(visits, settings)
    key = visits[0].trials[0].key
    forecast.done(key)
    once = forecast.fraction
    forecast.done(key)
    assert forecast.fraction == once


@pytest.mark.parametrize(("seconds", "said"), [(9.4, "9 s"), (59.6, "1 min 00 s"), (485, "8 min 05 s")])
def test_times_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert minutes(seconds) == said
