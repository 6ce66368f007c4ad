"""Shows a run as it goes: a live bar with the standing table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchlab import analysis, judge, markdown, standings
from benchlab.answers import Problem
from benchlab.forecast import Forecast, minutes
from benchlab.model import GOOD, Failure, Run, Sample, Trial, Visit
from benchlab.runner import Events
from benchlab.workloads import varied

BAR_WIDTH = 30


class Progress(Events):
    """Says what happens. Nothing is drawn or computed while a sample is being taken."""

    def __init__(self, console: Console, forecast: Forecast, run: Run, caution: str):
        self._console = console
        self._title = f"requests/s: geometric mean [95 % interval]{caution}"
        self._forecast = forecast
        self._manifest, self._taken = run.manifest, list(run.taken)
        self._started = time.monotonic()
        self._now = ""
        self._live: Live | None = None
        self._standing: RenderableType = ""

    @contextmanager
    def running(self) -> Iterator[Progress]:
        """Show the run for the length of the with block."""
        self._started = time.monotonic()
        if not _redraws(self._console):
            yield self
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield self

    def visit(self, visit: Visit) -> None:
        self._tell(f"block {visit.block}: {visit.entry}: starting")

    def verified(self, visit: Visit, problems: list[Problem]) -> None:
        for warning in (False, True):
            found = [problem for problem in problems if problem.warning == warning]
            if found:
                more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
                self._print(f"  {visit.entry}: {'warning' if warning else 'wrong'}: {found[0]}{more}")

    def warming(self, trial: Trial) -> None:
        if self._live is not None:
            self._tell(f"block {trial.block}: {trial.entry}: {trial.test}: warming up")

    def measuring(self, trial: Trial) -> None:
        if self._live is not None:
            self._tell(_name(trial))

    def recorded(self, record: Sample | Failure) -> None:
        self._forecast.done(record.trial.key)
        if isinstance(record, Failure):
            self._print(f"  {_name(record.trial)}: not measured: {record.reason}")
            return
        if record.verdict.severity != GOOD:
            self._print(f"  {_name(record.trial)}: {record.verdict.severity}: {judge.reason(record)}")
        self._taken.append(record)
        rate = f"{record.load.requests_per_second:,.0f} requests/s"
        # The live bar has the time left already.
        self._tell(f"{_name(record.trial)}: {rate}" + ("" if self._live else f"; {self._left()} left"))

    def block(self, block: int) -> None:
        overview = standings.overview(analysis.analyse(Run(self._manifest, tuple(self._taken), ())))
        if overview.empty:
            return
        self._standing = _standing(overview, f"after block {block}, {self._title}")
        if self._live is None:
            self._print(f"after block {block}, {self._title}\n{markdown.table(overview)}")

    def _tell(self, line: str) -> None:
        if self._live is None:
            self._print(f"  {line}")
        else:
            self._live.update(Group(self._bar(line), self._standing), refresh=True)

    def _print(self, line: str) -> None:
        """Print the line as it is: a name or a reason may hold what rich takes for markup."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        return minutes(self._forecast.left_s(time.monotonic() - self._started))

    def _bar(self, line: str) -> Table:
        done = self._forecast.fraction
        bar = ProgressBar(total=1.0, completed=done, width=BAR_WIDTH)
        grid = Table.grid(padding=(0, 1))
        grid.add_row(bar, f"{done:.0%}", f"{self._left()} left", Text(line))
        return grid


def _redraws(console: Console) -> bool:
    """Return whether lines can be drawn over there.

    A console calls a pipe a terminal where FORCE_COLOR is set, and on a dumb terminal rich's Live shows nothing.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def _standing(overview: pd.DataFrame, title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for column in overview.columns:
        table.add_column(Text(str(column)), justify="left" if column == "test" else "right")
    for row in overview.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    return table


def _name(trial: Trial) -> str:
    again = f" ({trial.repeat})" if trial.repeat > 1 else ""
    return f"block {trial.block}: {trial.entry}: {trial.test} {varied(trial.test, trial.level)}{again}"
