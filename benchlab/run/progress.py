"""Shows a run as it goes: a live bar with the standing table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import geometric_mean

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchlab.contract.answers import Problem
from benchlab.core import letters
from benchlab.core.quantities import counted, minutes
from benchlab.core.terminal import redraws
from benchlab.experiment.forecast import BlockForecast, Forecast
from benchlab.quality import judge
from benchlab.records.plan import Block, LevelKey, Trial, Visit
from benchlab.records.run import GOOD, INVALID, Failure, Run, Sample
from benchlab.report import document, markdown, tables
from benchlab.report.terminal import fitted, is_whole
from benchlab.run.bench import Events
from benchlab.statistics import analysis

CellKey = tuple[str, str, LevelKey]

BAR_WIDTH = 30
# Drawing takes CPU time from what is measured: no more often than this beside slices.
REDRAW_S = 5.0
# What stands in the same line as the bar: a share and a time.
BESIDE_BAR = 24


class Progress(Events):
    """Says what happens. Nothing is drawn or computed while a sample is being taken."""

    def __init__(self, console: Console, forecast: Forecast | BlockForecast, run: Run, caution: str):
        self._console = console
        self._title = f"requests/s: geometric mean [95 % interval]{caution}"
        self._forecast = forecast
        self._manifest, self._taken = run.manifest, list(run.taken)
        self._started = time.monotonic()
        self._rates: dict[CellKey, dict[str, float]] = {}
        for sample in run.samples:
            self._rate(sample)
        self._loaded: Trial | None = None
        self._live: Live | None = None
        self._now = self._latest = ""
        self._standing: RenderableType = ""
        self._drawn_s = 0.0

    @contextmanager
    def running(self) -> Iterator[Progress]:
        """Show the run for the length of the with block."""
        self._started = time.monotonic()
        if not redraws(self._console):
            yield self
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield self

    def visit(self, visit: Visit) -> None:
        self._tell(f"block {visit.block}: {visit.entry}: starting")

    def verified(self, entry: str, problems: list[Problem]) -> None:
        for warning in (False, True):
            of_severity = [problem for problem in problems if problem.warning == warning]
            if of_severity:
                more = f" (and {len(of_severity) - 1} more)" if len(of_severity) > 1 else ""
                self._print(f"  {entry}: {'warning' if warning else 'wrong'}: {of_severity[0]}{more}")

    def warming(self, trial: Trial) -> None:
        if self._live is not None:
            self._tell(f"block {trial.block}: {trial.entry}: {trial.test}: warming up")

    def measuring(self, trial: Trial) -> None:
        self._loaded = trial
        if self._live is not None:
            self._tell(_name(trial))

    def recorded(self, record: Sample | Failure) -> None:
        self._reckon(record)
        if isinstance(record, Failure):
            self._failed(record)
            return
        if record.verdict.severity != GOOD:
            self._forecast.doubted(record.trial)
            self._print(f"  {_name(record.trial)}: {record.verdict.severity}: {judge.reason(record)}")
        self._taken.append(record)
        name, rate = _name(record.trial), self._rate(record)
        if self._live is None:
            self._print(f"  {name}: {rate}; {self._left()} left")
        else:
            # The numbers first: a narrow terminal cuts the end off.
            self._latest = f"latest: {rate}: {name}"
            self._draw()

    def lost(self, visit: Visit, untried: int, summary: str) -> None:
        self._print(f"  block {visit.block}: {visit.entry}: {counted(untried, 'more sample')} not tried: {summary}")

    def notice(self, line: str) -> None:
        self._print(f"  {line}")

    def again(self, visits: list[Visit]) -> None:
        if isinstance(self._forecast, Forecast):
            self._forecast.again(visits)
        entries = ", ".join(dict.fromkeys(visit.entry for visit in visits))
        self._print(f"  block {visits[0].block}: once more, for samples that do not count or are suspect: {entries}")

    def block(self, block: int) -> None:
        self._forecast.over(block)
        results = analysis.analyse(Run(self._manifest, tuple(self._taken), ()))
        if not results:
            return
        is_many = len(self._manifest.entries) > tables.MANY
        shown = tables.means(results) if is_many else tables.overview(self._manifest, results)
        title = f"after block {block}, {self._title}{' over all levels' if is_many else ''}"
        self._standing = Group(Text(title), _standing(self._console, shown))
        if self._live is None:
            self._print(f"{title}\n{markdown.table(document.table(shown))}")
        self._draw()

    def _reckon(self, record: Sample | Failure) -> None:
        """Tell the forecast of the trial; what was not loaded says nothing of the pace."""
        was_loaded = isinstance(record, Sample) or record.trial == self._loaded
        self._loaded = None
        (self._forecast.done if was_loaded else self._forecast.dropped)(record.trial, self._elapsed_s())

    def _failed(self, failure: Failure) -> None:
        """Show why it failed; `lost` shows what was not tried."""
        if failure.was_tried:
            self._print(f"  {_name(failure.trial)}: not measured: {failure.reason}")

    def _tell(self, line: str) -> None:
        if self._live is None:
            self._print(f"  {line}")
        else:
            self._now = line
            self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            lines = [
                Text(letters.visible(text), no_wrap=True, overflow="ellipsis") for text in (self._now, self._latest)
            ]
            self._live.update(Group(self._bar(), *lines, self._standing), refresh=True)

    def _print(self, line: str) -> None:
        """Print the line as it is: a name or a reason may hold what rich takes for markup. A log gets it whole."""
        self._console.print(letters.visible(line), markup=False, highlight=False, soft_wrap=self._live is None)

    def _rate(self, sample: Sample) -> str:
        """Return the sample's rate beside the geometric mean of its cell so far; a trial's last try counts."""
        rate, rates = sample.load.requests_per_second, self._rates.setdefault(_cell_key(sample.trial), {})
        if sample.verdict.severity == INVALID or not rate:
            return f"{rate:,.0f} requests/s"
        rates[sample.trial.key] = rate
        mean = f", mean {geometric_mean(rates.values()):,.0f}" if len(rates) > 1 else ""
        return f"{rate:,.0f} requests/s{mean}"

    def _left(self) -> str:
        return minutes(self._forecast.left_s(self._elapsed_s()))

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def _bar(self) -> Table:
        done = self._forecast.fraction
        bar = ProgressBar(total=1.0, completed=done, width=max(1, min(BAR_WIDTH, self._console.width - BESIDE_BAR)))
        grid = Table.grid(padding=(0, 1))
        grid.add_row(bar, f"{done:.0%}", f"{self._left()} left")
        return grid


class RoundsProgress(Progress):
    """Says what happens where entries are up together: slices are many, so a line stands for a test's rounds."""

    _left_out: tuple[int, str, str] | None = None

    def starting(self, block: Block) -> None:
        self._tell(f"block {block.number}: starting {', '.join(block.entries)}")

    def warming(self, trial: Trial) -> None:
        self._tell(f"block {trial.block}: {trial.test}: warming up")

    def recorded(self, record: Sample | Failure) -> None:
        self._reckon(record)
        if isinstance(record, Failure):
            self._failed(record)
            return
        self._taken.append(record)
        if record.verdict.severity == INVALID:
            self._print(f"  {_name(record.trial)}: {record.verdict.severity}: {judge.reason(record)}")
        elif self._live is not None and time.monotonic() - self._drawn_s > REDRAW_S:
            self._drawn_s = time.monotonic()
            self._now = _name(record.trial)
            self._draw()

    def _failed(self, failure: Failure) -> None:
        """Show why an entry has no slices of a test: once, for it has the same reason at each of its levels."""
        trial = failure.trial
        place = (trial.block, trial.entry, trial.test)
        if failure.passing:
            super()._failed(failure)
        elif failure.was_tried and place != self._left_out:
            self._left_out = place
            self._print(f"  block {trial.block}: {trial.entry}: {trial.test}: not measured: {failure.reason}")

    def rounds(self, block: Block, test: str, records: Sequence[Sample | Failure]) -> None:
        samples = [record for record in records if isinstance(record, Sample)]
        taken = counted(len({sample.trial.repeat for sample in samples}), "round")
        rates = ", ".join(f"{entry} {rate:,.0f}" for entry, rate in sorted(_rates(samples).items()))
        line = f"block {block.number}: {test}: {taken}: {rates or 'nothing'} requests/s"
        if self._live is None:
            self._print(f"  {line}; {self._left()} left")
        else:
            self._latest = line
            self._draw()


def _rates(samples: Sequence[Sample]) -> dict[str, float]:
    """Return by entry the geometric mean over its levels of the rates of all their slices."""
    levels: dict[str, dict[LevelKey, tuple[int, float]]] = defaultdict(dict)
    for sample in samples:
        if sample.verdict.severity != INVALID:
            requests, seconds = levels[sample.trial.entry].get(sample.trial.level.key, (0, 0.0))
            sums = requests + sample.load.requests, seconds + sample.load.seconds
            levels[sample.trial.entry][sample.trial.level.key] = sums
    return {
        entry: geometric_mean([requests / seconds for requests, seconds in of.values()])
        for entry, of in levels.items()
        if all(requests for requests, _ in of.values())
    }


def _standing(console: Console, overview: pd.DataFrame) -> RenderableType:
    """Return the overview, an entry a column; where the terminal is too narrow for that, an entry a row.

    Of many entries it has one in each row.
    """
    wide = document.table(overview)
    if is_whole(console, wide) or "entry" in overview:
        return fitted(console, wide)
    by_row = overview.melt(["test", "level"], var_name="entry", value_name="requests/s")
    return fitted(console, document.table(by_row.sort_values(["test", "level", "entry"])))


def _cell_key(trial: Trial) -> CellKey:
    return trial.entry, trial.test, trial.level.key


def _name(trial: Trial) -> str:
    again = f" ({trial.repeat})" if trial.repeat > 1 else ""
    return f"block {trial.block}: {trial.entry}: {trial.test} {trial.level.key}{again}"
