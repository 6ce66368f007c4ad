"""The plot of a run's course: drift becomes visible, and with it what the blocks are there for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean, median

from benchlab.core.measured import GOOD
from benchlab.core.quantities import counted
from benchlab.pages import charts, points
from benchlab.pages.charts import Chart, Look, Trace
from benchlab.pages.points import COUNTING, Clock, Point

# So far from the usual rate the axis reaches at least, in per cent: a calm run looks calm.
LEAST_REACH = 25
# A mean of logarithms needs something above nothing.
LEAST_SHARE = 0.1


def course(test: str, found: Sequence[Point], looks: Mapping[str, Look], time: Clock) -> Chart:
    """Return each sample's rate as a share of its row's mean, over the time of the run, with the mean of each block.

    What lies beyond the axis, which is made for what counts, is drawn at its edge.
    """
    counting = [point for point in found if point.kind in COUNTING]
    reach = max([LEAST_REACH, *(1.08 * abs(point.share - 100) for point in counting)])
    low, high = max(-5.0, 100 - reach), 100 + reach
    trails = [_trail(kind, entry, looks[entry], group, low, high) for kind, entry, group in points.by_kind(found)]
    trails += _without({point.sample.trial.entry for point in found}, counting, looks)
    if len(set(looks.values())) < len(looks):
        # They look alike: a legend could not tell them apart.
        trails = [trail | {"showlegend": trail["name"] in points.KINDS} for trail in trails]
    means = _blocks(counting)
    layout = _layout(low, high) | {
        "shapes": [charts.line(y0=100, y1=100), *(charts.line(x0=at, x1=at) for at in time.pauses)]
    }
    return Chart(f"{test}-course", [*_legend_once(trails), _line(means)], layout, _in_words(found, counting, means))


Mean = tuple[float, float, int]


def _trail(kind: str, entry: str, look: Look, group: Sequence[Point], low: float, high: float) -> Trace:
    return {
        **points.mark(kind, entry, look),
        "x": [point.minutes for point in group],
        "y": [round(min(max(point.share, low), high), 1) for point in group],
        "customdata": [
            [*point.facts, round(point.sample.load.requests_per_second), round(point.share, 1)] for point in group
        ],
        "hovertemplate": points.hover("%{customdata[4]:,} requests/s, %{customdata[5]} % of its row's mean"),
        "legendgroup": entry if kind in COUNTING else kind,
        "showlegend": True,
    }


def _without(entries: Iterable[str], counting: Iterable[Point], looks: Mapping[str, Look]) -> list[Trace]:
    """Return the places in the legend of those entries that have nothing in the plot but what does not count."""
    drawn = {point.sample.trial.entry for point in counting}
    nowhere: Trace = {"x": [None], "y": [None], "showlegend": True}
    return [points.mark(GOOD, entry, looks[entry]) | nowhere for entry in sorted(set(entries) - drawn)]


def _legend_once(trails: Iterable[Trace]) -> list[Trace]:
    """Return the trails, of those with the same name only the first in the legend."""
    seen: set[str] = set()
    told = []
    for trail in trails:
        told.append(trail | {"showlegend": trail["showlegend"] and trail["name"] not in seen})
        seen |= {trail["name"]} if told[-1]["showlegend"] else set()
    return told


def _blocks(counting: Iterable[Point]) -> list[Mean]:
    """Return of each block the middle of its time, the mean over all that counts, and its number."""
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


def _layout(low: float, high: float) -> dict[str, object]:
    fixed = {"fixedrange": True, "zeroline": False}
    return {
        "height": 340,
        "margin": {"l": 8, "r": 16, "t": charts.LEGEND_PX, "b": 44},
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


def _in_words(found: Sequence[Point], counting: Sequence[Point], means: Sequence[Mean]) -> str:
    unused = len(found) - len(counting)
    shares = [share for _, share, _ in means]
    drift = f" The means of blocks lie from {min(shares):.0f} to {max(shares):.0f} %." if shares else ""
    return (
        f"{counted(len(found), 'sample')} of {counted(len(means), 'block')}, {unused} of which do not count: each "
        f"one's rate as a share of the mean of its row, over the time of the run.{drift}"
    )
