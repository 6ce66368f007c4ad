from __future__ import annotations

import re
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchlab.contract.answers import Problem
from benchlab.experiment import schedule
from benchlab.experiment.forecast import BlockForecast, Forecast
from benchlab.load import closed
from benchlab.records.plan import Entry, Manifest, Settings, Trial, Visit
from benchlab.records.run import GOOD, INVALID, NOT_TRIED, SUSPECT, WRONG_ANSWER, Failure, Run
from benchlab.run.progress import Progress, RoundsProgress
from benchlab.storage import store

from .conftest import STARTED, make_load, make_runner, make_sample, make_trial
from .fake_host import FakeHost
from .made_runs import make_run

LEVELS = {"json": closed.levels_of("json", (16, 32), 2)}


def _visits(entries: list[Entry]) -> tuple[Visit, ...]:
    return schedule.plan(entries, LEVELS, 2, seed=7)


class Screen(StringIO):
    """What was written to a terminal."""

    def isatty(self) -> bool:
        return True


def _show(visits: tuple[Visit, ...], manifest: Manifest, screen: StringIO, width: int = 80, **environment: str) -> str:
    """Return all that is shown of a run in which every first trial of a visit fails."""
    console = Console(file=screen, width=width, _environ={"TERM": "xterm", **environment})
    progress = Progress(console, Forecast(visits, manifest.settings), Run(manifest, (), ()), " (a first look)")
    with progress.running():
        for visit in visits:
            progress.visit(visit)
            progress.verified(visit.entry, [Problem("json", "extra keys", "[bold]odd[/bold]", warning=True)])
            for number, trial in enumerate(visit.trials):
                progress.warming(trial)
                progress.measuring(trial)
                failed = number == 0
                progress.recorded(Failure(trial, STARTED, "[red]died") if failed else make_sample(trial))
            progress.block(visit.block)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("screen", "environment"),
    [
        pytest.param(StringIO, {}, id="a pipe"),
        pytest.param(StringIO, {"FORCE_COLOR": "1"}, id="a pipe that is to have colours"),
        pytest.param(Screen, {"TERM": "dumb"}, id="a dumb terminal"),
        pytest.param(Screen, {"TTY_COMPATIBLE": "0"}, id="a terminal that says it is none"),
    ],
)
def test_a_log_gets_plain_whole_lines_and_the_table_after_each_block(
    entries: list[Entry], manifest: Manifest, screen: type[StringIO], environment: dict[str, str]
) -> None:
    shown = _show(_visits(entries), manifest, screen(), width=30, **environment)
    assert "\x1b" not in shown
    assert "  block 1: crax: json 16: not measured: [red]died\n" in shown
    assert "after block 2, requests/s: geometric mean [95 % interval] (a first look)\n| test" in shown
    assert "warning: json: [bold]odd[/bold] [extra keys]\n" in shown


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_of_any_width_shows_what_happens(entries: list[Entry], manifest: Manifest, width: int) -> None:
    shown = _show(_visits(entries), manifest, Screen(), width=width)
    assert "[red]died" in shown
    assert "left" in shown
    assert "[95" in shown
    assert "\x1b" in shown


def test_visits_made_once_more_are_time_to_come_and_are_told(entries: list[Entry], manifest: Manifest) -> None:
    visits, screen = _visits(entries), StringIO()
    forecast = Forecast(visits, manifest.settings)
    for trial in (trial for visit in visits for trial in visit.trials):
        forecast.done(trial, 60)
    assert forecast.left_s(60) == pytest.approx(0)
    progress = Progress(Console(file=screen, width=200), forecast, Run(manifest, (), ()), "")
    progress.again([visits[0]])
    told = f"once more, for samples that do not count or are suspect: {visits[0].entry}"
    assert screen.getvalue() == f"  block 1: {told}\n"
    assert forecast.left_s(60) > 0
    assert forecast.fraction < 1


class Noted(Forecast):
    """Notes what it is told."""

    def __init__(self, visits: tuple[Visit, ...], settings: Settings):
        super().__init__(visits, settings)
        self.told: list[tuple[str, object]] = []

    def done(self, trial: Trial, elapsed_s: float) -> None:
        self.told.append(("done", trial))

    def dropped(self, trial: Trial, elapsed_s: float) -> None:
        self.told.append(("dropped", trial))

    def doubted(self, trial: Trial) -> None:
        self.told.append(("doubted", trial))

    def over(self, block: int) -> None:
        self.told.append(("over", block))


def test_the_forecast_learns_from_what_was_loaded_and_from_what_will_be_taken_anew(manifest: Manifest) -> None:
    trial = make_trial()
    forecast = Noted((), manifest.settings)
    progress = Progress(Console(file=StringIO()), forecast, Run(manifest, (), ()), "")
    progress.measuring(trial)
    progress.recorded(make_sample(trial))
    progress.measuring(trial)
    progress.recorded(make_sample(trial, severity=SUSPECT))
    progress.recorded(Failure(trial, STARTED, "in start-up, crax ended"))
    progress.warming(trial)
    progress.recorded(Failure(trial, STARTED, "while json was warmed up, crax ended"))
    progress.measuring(trial)
    progress.recorded(Failure(trial, STARTED, "while json 16 was measured, crax ended"))
    progress.recorded(Failure(trial, STARTED, f"{NOT_TRIED}: crax ended"))
    progress.recorded(Failure(trial, STARTED, f"{WRONG_ANSWER}: json: answered 'Bye' [body]"))
    progress.block(1)
    done, dropped = ("done", trial), ("dropped", trial)
    lost = [dropped, dropped, done, dropped, dropped]
    assert forecast.told == [done, done, ("doubted", trial), *lost, ("over", 1)]


def test_the_latest_rate_stands_beside_the_mean_of_its_cell_so_far(manifest: Manifest) -> None:
    tries = ((1, 1000, GOOD), (2, 9000, SUSPECT), (2, 4000, GOOD), (3, 9000, INVALID), (4, 2000, GOOD))
    taken = [make_sample(make_trial(block), make_load(rate), verdict) for block, rate, verdict in tries]
    screen = StringIO()
    console = Console(file=screen, width=200)
    progress = Progress(console, Forecast((), manifest.settings), Run(manifest, (taken[0],), ()), "")
    with progress.running():
        for sample in taken[1:]:
            progress.recorded(sample)
    said = [line for line in screen.getvalue().splitlines() if "left" in line]
    assert said == [
        "  block 2: crax: json 16: 9,000 requests/s, mean 3,000; 0 s left",
        "  block 2: crax: json 16: 4,000 requests/s, mean 2,000; 0 s left",
        "  block 3: crax: json 16: 9,000 requests/s; 0 s left",
        "  block 4: crax: json 16: 2,000 requests/s, mean 2,000; 0 s left",
    ]


def test_no_color_keeps_a_terminal_without_colours(entries: list[Entry], manifest: Manifest) -> None:
    colour = re.compile(r"\x1b\[[\d;]*\b(3|4|9|10)\d[\d;]*m")
    coloured = _show(_visits(entries), manifest, Screen())
    plain = _show(_visits(entries), manifest, Screen(), NO_COLOR="1")
    assert colour.search(coloured)
    assert not colour.search(plain)


def _drawn(visits: tuple[Visit, ...], manifest: Manifest, width: int) -> str:
    screen = Screen()
    _show(visits, manifest, screen, width=width)
    return _plain(screen)


def _plain(screen: Screen) -> str:
    """Return all that was shown on a terminal, without what moves the cursor or gives colours."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(entries: list[Entry], manifest: Manifest, width: int) -> None:
    lines = _drawn(_visits(entries), manifest, width).splitlines()
    assert max(map(len, lines)) <= width


def test_entries_that_a_terminal_is_too_narrow_for_become_rows(entries: list[Entry], manifest: Manifest) -> None:
    wide, narrow = (_drawn(_visits(entries), manifest, width) for width in (120, 40))
    assert re.search(r"test +level +aiohttp +crax", wide)
    assert "entry" not in wide
    assert re.search(r"test +level +entry +requests/s", narrow)
    assert re.search(r"json +16 +crax +1,000 ", narrow)


@pytest.mark.parametrize("width", [40, 80])
def test_of_forty_long_names_each_stands_whole_beside_its_rate(width: int) -> None:
    names = [f"{'an-entry-with-a-very-long-name-' * 2}{number:02}" for number in range(40)]
    run, screen = make_run({name: [1000] for name in names}), Screen()
    console = Console(file=screen, width=width, height=1000, _environ={"TERM": "xterm"})
    progress = Progress(console, Forecast((), run.manifest.settings), run, "")
    with progress.running():
        progress.block(1)
    lines = _plain(screen).splitlines()
    assert max(map(len, lines)) <= width
    pieces = re.sub(r"\s", "", "".join(lines))
    # In a table, or below each other.
    assert [name for name in names if not re.search(f"{name}(json:)?1,000", pieces)] == []


def test_a_narrow_terminal_cuts_off_the_name_rather_than_the_rate(entries: list[Entry], manifest: Manifest) -> None:
    assert "latest: 1,000 requests/s, mean 1,000: b" in _drawn(_visits(entries), manifest, 44)


def test_nothing_is_drawn_or_written_while_a_sample_is_taken(
    tmp_path: Path, entries: list[Entry], manifest: Manifest, settings: Settings
) -> None:
    manifest = replace(manifest, settings=settings)
    screen, host, journal = Screen(), FakeHost(), store.create(tmp_path, manifest)
    visits = _visits(entries)
    changed: list[bool] = []

    def look() -> tuple[str, dict[str, int]]:
        return screen.getvalue(), {path.name: path.stat().st_mtime_ns for path in journal.folder.rglob("*")}

    def under_load(entry: str, number: int) -> None:
        if host.jobs[-1]["check"] is not None:
            before = look()
            # The first for longer than rich's own thread, which is not to run, waits between two drawings.
            time.sleep(0.01 if changed else 0.6)
            changed.append(look() != before)

    host.on_load = under_load
    console = Console(file=screen, width=80, _environ={"TERM": "xterm"})
    progress = Progress(console, Forecast(visits, manifest.settings), Run(manifest, (), ()), "")
    with progress.running():
        for block in make_runner(host, journal, entries, settings, progress).run(visits):
            progress.block(block)
    assert changed == [False] * sum(len(visit.trials) for visit in visits)
    assert "latest: " in screen.getvalue()
    assert len(store.read(journal.folder).taken) == len(changed)


def test_why_an_entry_has_no_slices_of_a_test_is_told_once_and_not_for_each_level(manifest: Manifest) -> None:
    screen = StringIO()
    progress = RoundsProgress(
        Console(file=screen, width=120), BlockForecast((), manifest.settings), Run(manifest, (), ()), ""
    )
    for level in LEVELS["json"]:
        progress.recorded(Failure(Trial(1, "crax", "json", level), STARTED, "it hangs"))
    assert screen.getvalue() == "  block 1: crax: json: not measured: it hangs\n"
