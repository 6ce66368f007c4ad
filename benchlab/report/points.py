"""Every sample of a test as a point, with its verdict, time and text; and the plot of the run's course in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import geometric_mean, median

from benchlab.core.quantities import counted
from benchlab.quality import judge
from benchlab.records.plan import LevelKey
from benchlab.records.run import GOOD, INVALID, SUSPECT, Run, Sample
from benchlab.report import charts
from benchlab.report.charts import Chart, Look, Rows, Trace, safe
from benchlab.statistics.analysis import Result
from benchlab.statistics.sizing import PAUSE_S

# A sample counts (good or suspect), was replaced by a repeated one, or is invalid.
REPLACED = "repeated"
COUNTING = (GOOD, SUSPECT)
KINDS = (*COUNTING, REPLACED, INVALID)

# A row of a plot: its level as a reader sees it, and its entry.
Key = tuple[str, str]


@dataclass(frozen=True)
class Point:
    """A sample and which of KINDS it is.

    `minutes` are those of the run until the sample began, without its long pauses; `share` is the rate in per cent of
    its row's mean.
    """

    sample: Sample
    kind: str
    minutes: float
    share: float

    @cached_property
    def row(self) -> Key:
        return key(self.sample)

    @cached_property
    def facts(self) -> list[object]:
        """Return the text on hover: level, block with repeat and try, time, verdict."""
        trial = self.sample.trial
        repeat = f", repeat {trial.repeat}" if trial.repeat > 1 else ""
        attempt = f", try {self.sample.attempt}" if self.sample.attempt > 1 else ""
        severity = self.sample.verdict.severity
        verdict = severity if severity == GOOD else f"{severity}: {judge.reason(self.sample)}"
        return [
            self.row[0],
            f"{trial.block}{repeat}{attempt}",
            f"{self.sample.started_at:%H:%M:%S}",
            charts.safe_lines(verdict),
        ]


@dataclass(frozen=True)
class Clock:
    """When each sample began, by trial and attempt, in minutes of the run without long pauses; and where these were."""

    minutes: Mapping[tuple[str, int], float]
    pauses: tuple[float, ...]


def clock(run: Run) -> Clock:
    """Return when each sample began, on a clock that stops in long pauses."""
    minutes: dict[tuple[str, int], float] = {}
    pauses: list[float] = []
    spent_s, last = 0.0, run.manifest.created_at
    for sample in sorted(run.taken, key=lambda sample: sample.started_at):
        passed_s = (sample.started_at - last).total_seconds()
        # Drawn, a run that is resumed the next day would be two heaps far apart.
        if passed_s > PAUSE_S:
            pauses.append(spent_s / 60)
        else:
            # Negative where the clock was set back.
            spent_s += max(0.0, passed_s)
        minutes[sample.trial.key, sample.attempt] = round(spent_s / 60, 2)
        last = sample.started_at
    return Clock(minutes, tuple(pauses))


def of_test(run: Run, result: Result, time: Clock) -> tuple[Point, ...]:
    """Return every sample taken in the test, whether or not it counts, in the order of time."""
    taken = [sample for sample in run.taken if sample.trial.test == result.test]
    used = {_name(sample) for sample in run.samples}
    usual = _usual(result, taken)
    return tuple(
        Point(
            sample,
            sample.verdict.severity if _name(sample) in used or sample.verdict.severity == INVALID else REPLACED,
            time.minutes[_name(sample)],
            100 * sample.load.requests_per_second / usual[key(sample)],
        )
        for sample in taken
    )


def below_means(points: Iterable[Point], looks: Mapping[str, Look], rows: Rows, blocks: int) -> Iterator[Trace]:
    """Yield every sample below the dot of its row, the first block nearest to it."""
    for kind, entry, group in by_kind(points):
        yield {
            **mark(kind, entry, looks[entry]),
            "x": [charts.rounded(point.sample.load.requests_per_second) for point in group],
            "y": [round(rows.at[point.row] + 0.2 + 0.25 * point.sample.trial.block / blocks, 3) for point in group],
            "customdata": [point.facts for point in group],
            "hovertemplate": hover("%{x:,.0f} requests/s"),
        }


def by_kind(points: Iterable[Point]) -> Iterator[tuple[str, str, list[Point]]]:
    """Yield the points by kind and entry, those that do not count last."""
    grouped: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        grouped[point.kind, point.sample.trial.entry].append(point)
    for kind, entry in sorted(grouped, key=lambda group: (KINDS.index(group[0]), group[1])):
        yield kind, entry, grouped[kind, entry]


def by_row(points: Iterable[Point]) -> dict[Key, list[Sample]]:
    """Return the samples of each row."""
    grouped: dict[Key, list[Sample]] = defaultdict(list)
    for point in points:
        grouped[point.row].append(point.sample)
    return grouped


def mark(kind: str, entry: str, look: Look) -> Trace:
    """Return how samples are drawn: full if good, hollow if suspect, a cross if they do not count."""
    if kind in COUNTING:
        symbol = look.mark if kind == GOOD else f"{look.mark}-open"
        drawn = {"size": 6, "color": look.color, "symbol": symbol, "opacity": 0.8}
    else:
        color = "--bad" if kind == INVALID else "--muted"
        drawn = {"size": 5, "color": color, "symbol": "x-thin-open", "line": {"width": 1.2}}
    name = safe(charts.short(entry)) if kind in COUNTING else kind
    return {"type": "scatter", "mode": "markers", "meta": "samples", "name": name, "text": safe(entry), "marker": drawn}


def hover(value: str) -> str:
    """Return plotly's template for the hover text of a point."""
    return (
        f"<b>%{{text}}</b>, %{{customdata[0]}}<br>{value}<br>block %{{customdata[1]}}, %{{customdata[2]}} UTC"
        "<br>%{customdata[3]}<extra></extra>"
    )


def groups(points: Iterable[Point], order: Sequence[str]) -> dict[str, list[str]]:
    """Return the entries of each level, in this order: the rows of a plot."""
    entries: dict[LevelKey, set[str]] = defaultdict(set)
    for point in points:
        entries[point.sample.trial.level.key].add(point.sample.trial.entry)
    place = {entry: number for number, entry in enumerate(order)}
    return {
        level.name: sorted(of, key=lambda entry: (place.get(entry, len(place)), entry))
        for level, of in sorted(entries.items())
    }


def key(sample: Sample) -> Key:
    """Return the row that a sample belongs to."""
    return sample.trial.level.key.name, sample.trial.entry


def _usual(result: Result, taken: Iterable[Sample]) -> dict[Key, float]:
    """Return the mean rate of each row; the median of all its samples if none counts."""
    seen: dict[Key, list[float]] = defaultdict(list)
    for sample in taken:
        seen[key(sample)].append(sample.load.requests_per_second)
    known = {(cell.level.name, cell.entry): cell.rate.mean for cell in result.cells}
    return {row: known.get(row) or median(rates) or 1.0 for row, rates in seen.items()}


def _name(sample: Sample) -> tuple[str, int]:
    return sample.trial.key, sample.attempt


COURSE_PX = 296
# The axis reaches at least so many per cent from the mean, so that a calm run looks calm.
LEAST_REACH = 25
# A geometric mean needs values above 0.
LEAST_SHARE = 0.1


def course(test: str, points: Sequence[Point], looks: Mapping[str, Look], time: Clock) -> Chart:
    """Return each sample's rate as a share of its row's mean, over the time of the run, with the mean of each block.

    The axis fits the samples that count; others beyond it are drawn at its edge.
    """
    counting = [point for point in points if point.kind in COUNTING]
    reach = max([LEAST_REACH, *(1.08 * abs(point.share - 100) for point in counting)])
    low, high = max(-5.0, 100 - reach), 100 + reach
    trails = [_trail(kind, entry, looks[entry], group, low, high) for kind, entry, group in by_kind(points)]
    trails += _without({point.sample.trial.entry for point in points}, counting, looks)
    if len(set(looks.values())) < len(looks):
        # They look alike: a legend could not tell them apart.
        trails = [trail | {"showlegend": trail["name"] in KINDS} for trail in trails]
    means = _blocks(counting)
    names = {trail["name"] for trail in trails if trail["showlegend"]}
    layout = _layout(low, high, charts.legend_px(len(names))) | {
        "shapes": [charts.line(y0=100, y1=100), *(charts.line(x0=at, x1=at) for at in time.pauses)]
    }
    return Chart(f"{test}-course", [*_legend_once(trails), _line(means)], layout, _in_words(points, counting, means))


Mean = tuple[float, float, int]


def _trail(kind: str, entry: str, look: Look, group: Sequence[Point], low: float, high: float) -> Trace:
    return {
        **mark(kind, entry, look),
        "x": [point.minutes for point in group],
        "y": [round(min(max(point.share, low), high), 1) for point in group],
        "customdata": [
            [*point.facts, round(point.sample.load.requests_per_second), round(point.share, 1)] for point in group
        ],
        "hovertemplate": hover("%{customdata[4]:,} requests/s, %{customdata[5]} % of its row's mean"),
        "legendgroup": entry if kind in COUNTING else kind,
        "showlegend": True,
    }


def _without(entries: Iterable[str], counting: Iterable[Point], looks: Mapping[str, Look]) -> list[Trace]:
    """Return legend items for the entries of which no sample counts."""
    drawn = {point.sample.trial.entry for point in counting}
    nowhere: Trace = {"x": [None], "y": [None], "showlegend": True}
    return [mark(GOOD, entry, looks[entry]) | nowhere for entry in sorted(set(entries) - drawn)]


def _legend_once(trails: Iterable[Trace]) -> list[Trace]:
    """Return the trails; of those with the same name, only the first is in the legend."""
    seen: set[str] = set()
    drawn = []
    for trail in trails:
        drawn.append(trail | {"showlegend": trail["showlegend"] and trail["name"] not in seen})
        seen |= {trail["name"]} if drawn[-1]["showlegend"] else set()
    return drawn


def _blocks(counting: Iterable[Point]) -> list[Mean]:
    """Return for each block its median time, the mean share of its samples that count, and its number."""
    blocks: dict[int, list[Point]] = defaultdict(list)
    for point in counting:
        blocks[point.sample.trial.block].append(point)
    return sorted(
        (
            median(point.minutes for point in group),
            geometric_mean(max(point.share, LEAST_SHARE) for point in group),
            block,
        )
        for block, group in blocks.items()
    )


def _line(means: Sequence[Mean]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "mean of a block",
        "meta": "line",
        "x": [round(at, 2) for at, _, _ in means],
        "y": [round(share, 1) for _, share, _ in means],
        "line": {"color": "--ink", "width": 1.5, "dash": "dot"},
        "hovertext": [f"block {block}: {share:.1f} % of the usual rate" for _, share, block in means],
        "hoverinfo": "text",
    }


def _layout(low: float, high: float, legend_px: int) -> dict[str, object]:
    fixed = {"fixedrange": True, "zeroline": False}
    return {
        "height": COURSE_PX + legend_px,
        "margin": {"l": 8, "r": 16, "t": legend_px, "b": 44},
        "xaxis": {**fixed, "title": {"text": "minutes since the run began"}, "nticks": 8, "rangemode": "tozero"},
        "yaxis": {
            **fixed,
            "title": {"text": "rate, % of its row's mean"},
            "range": [low, high],
            "nticks": 7,
            "automargin": True,
        },
        **charts.LEGEND,
    }


def _in_words(points: Sequence[Point], counting: Sequence[Point], means: Sequence[Mean]) -> str:
    unused = len(points) - len(counting)
    shares = [share for _, share, _ in means]
    drift = f" The means of blocks lie from {min(shares):.0f} to {max(shares):.0f} %." if shares else ""
    return (
        f"{counted(len(points), 'sample')} of {counted(len(means), 'block')}, {unused} of which do not count: each "
        f"one's rate as a share of the mean of its row, over the time of the run.{drift}"
    )
