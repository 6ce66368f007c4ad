"""The frame of the report's plots, as plotly takes them: rows, axes, marks.

Colours are CSS variables of the page ("--ink"), which differ between its light and dark themes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

Trace = dict[str, Any]

# The page has as many colours as there are marks.
MARKS = ("circle", "square", "diamond", "triangle-up", "pentagon", "triangle-down", "hexagram", "star")
# Entries that share a colour differ in the pattern of their bars and in their mark, MARK_STEP apart in MARKS.
PATTERNS, MARK_STEP = ("", "/", ".", "x", "-", "|", "+", "\\"), 3
# So many entries have a look of their own; more could not be told apart.
MOST_LOOKS = len(PATTERNS) * len(MARKS)
# How many names a line of a legend usually holds, and its height.
NAMES_A_LINE, LEGEND_LINE_PX = 6, 20
LONGEST_NAME, LONGEST_LINE, MOST_TEXT = 22, 56, 240
ROW_PX, TALL_ROW_PX, FRAME_PX = 28, 38, 64
# An axis of ratios reaches at least as far from 1, so that a difference of a per cent does not look like a gulf.
LEAST_REACH = (0.8, 1.25)
# The limit of an axis relative to the values: with two blocks an interval can be a thousand times as wide.
MOST_REACH = 1.6
# Possible ticks of an axis of ratios, the closest ones first.
TICKS = (
    (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0),
    (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0),
    (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
)
MOST_TICKS = 9
LEGEND: Mapping[str, Any] = {
    "showlegend": True,
    "legend": {
        "orientation": "h",
        "x": 0,
        "y": 1,
        "yanchor": "bottom",
        "traceorder": "normal",
        "itemsizing": "constant",
    },
}
LEGEND_PX = 44


@dataclass(frozen=True)
class Chart:
    """A plot: its name in the page, plotly's traces and layout, and a text alternative."""

    name: str
    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    alternative: str

    @property
    def figure(self) -> dict[str, Any]:
        return {"data": list(self.traces), "layout": dict(self.layout)}


@dataclass(frozen=True)
class Look:
    """How an entry is drawn: the page's colour, and plotly's mark; the pattern is that of its bars."""

    color: str
    mark: str
    pattern: str = ""


@dataclass(frozen=True)
class Dot:
    """A value in a row, the bounds of its interval if it has one, and its hover text."""

    place: int
    mean: float
    low: float | None
    high: float | None
    text: str

    @property
    def reach(self) -> tuple[float, float]:
        """Return how far the interval reaches below and above the value."""
        return (0.0, 0.0) if self.low is None or self.high is None else (self.mean - self.low, self.high - self.mean)


@dataclass(frozen=True)
class Rows:
    """The rows of a plot, from the top: below each heading its own.

    `at` has the place of each row by heading and name; `headings` the text at the place of each heading.
    """

    labels: tuple[str, ...]
    at: Mapping[tuple[str, str], int]
    headings: Mapping[int, str]


def looks(entries: Iterable[str]) -> dict[str, Look]:
    """Return how each entry is drawn, the same in all plots; more than MOST_LOOKS entries all look alike."""
    names = sorted(entries)
    if len(names) > MOST_LOOKS:
        return dict.fromkeys(names, _look(0))
    return {name: _look(number) for number, name in enumerate(names)}


def _look(number: int) -> Look:
    turn, place = divmod(number, len(MARKS))
    mark = MARKS[(place + MARK_STEP * turn) % len(MARKS)]
    return Look(f"--entry-{place + 1}", mark, PATTERNS[turn])


def legend_px(names: int) -> int:
    """Return the height of a legend with so many names."""
    return LEGEND_PX + LEGEND_LINE_PX * max(0, math.ceil(names / NAMES_A_LINE) - 2)


def rows(groups: Mapping[str, Sequence[str]], below: Mapping[tuple[str, str], str] | None = None) -> Rows:
    """Return the rows of the groups, by heading; `below` has a word that stands under a row's name."""
    labels: list[str] = []
    at: dict[tuple[str, str], int] = {}
    headings: dict[int, str] = {}
    for heading, names in groups.items():
        headings[len(labels)] = f"<b>{safe(heading)}</b>"
        labels.append("")
        for name in names:
            at[heading, name] = len(labels)
            word = (below or {}).get((heading, name))
            labels.append(safe(short(name)) + (f"<br><i>{safe(word)}</i>" if word else ""))
    return Rows(tuple(labels), at, headings)


def frame(rows: Rows, axis: Mapping[str, Any], row_px: int = ROW_PX) -> dict[str, Any]:
    """Return the layout of a plot of rows, with this axis below it."""
    count = len(rows.labels)
    return {
        "height": count * row_px + FRAME_PX,
        "margin": {"l": 8, "r": 16, "t": 4, "b": 44},
        "xaxis": {"fixedrange": True, "automargin": False, "tickangle": 0, **axis},
        "yaxis": {
            "range": [count - 0.4, -0.6],
            "tickvals": list(range(count)),
            "ticktext": list(rows.labels),
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
        },
        "shapes": [line(y0=place - 0.5, y1=place - 0.5) for place in rows.headings if place],
        # Inside the plot: beside the axis they would take the room that a phone needs for the plot itself.
        "annotations": [
            {"xref": "paper", "x": 0, "xanchor": "left", "y": place, "text": text, "showarrow": False}
            for place, text in rows.headings.items()
        ],
        "showlegend": False,
    }


def line(color: str = "--line", **ends: float) -> dict[str, Any]:
    """Return a thin line through the whole plot, at the ends that are given in its own units."""
    across = {"xref": "paper", "x0": 0, "x1": 1} if "y0" in ends else {"yref": "paper", "y0": 0, "y1": 1}
    return {"type": "line", "layer": "below", "line": {"color": color, "width": 1}, **across, **ends}


def axis(title: str, traces: Iterable[Trace]) -> dict[str, Any]:
    """Return an axis that starts at 0, so that lengths can be compared.

    An interval that is far wider than what was seen goes on beyond its end.
    """
    traces = list(traces)
    most = max((value for trace in traces for value in trace["x"]), default=1.0)
    end = max([most, *(min(end, MOST_REACH * most) for end in ends(traces))])
    return {"title": {"text": title}, "range": [0, 1.04 * end or 1.0], "tickformat": "~s", "nticks": 6}


def ratio_axis(title: str, traces: Iterable[Trace], reach: tuple[float, float] = LEAST_REACH) -> dict[str, Any]:
    """Return an axis of ratios: logarithmic, because twice and half are equally far from 1; with at least this reach.

    An interval that is far wider than the ratios goes on beyond its ends.
    """
    traces = list(traces)
    ratios = [ratio for trace in traces for ratio in trace["x"]] or [1.0]
    least, most = min(ratios) / MOST_REACH, max(ratios) * MOST_REACH
    reached = [min(max(end, least), most) for end in ends(traces)]
    low, high = min([reach[0], *reached]) * 0.98, max([reach[1], *reached]) * 1.02
    within = [[tick for tick in ticks if low <= tick <= high] for ticks in TICKS]
    ticks = next((fitting for fitting in within if _fits(fitting, low, high)), within[-1])
    return {
        "title": {"text": title},
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
        "zeroline": False,
    }


def dots(name: str, look: Look, dots: Sequence[Dot]) -> Trace:
    """Return the dots of an entry with their intervals."""
    reaches = [dot.reach for dot in dots]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": safe(short(name)),
        "meta": "means",
        "x": [rounded(dot.mean) for dot in dots],
        "y": [dot.place for dot in dots],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [rounded(above) for _, above in reaches],
            "arrayminus": [rounded(below) for below, _ in reaches],
            "thickness": 2,
            "width": 5,
            "color": look.color,
        },
        "marker": {"size": 10, "color": look.color, "symbol": look.mark},
        "hovertext": [dot.text for dot in dots],
        "hoverinfo": "text",
    }


def ends(traces: Iterable[Trace]) -> list[float]:
    """Return where the intervals of all dots end."""
    return [
        end
        for trace in traces
        if "error_x" in trace
        for mean, below, above in zip(
            trace["x"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True
        )
        for end in (mean - below, mean + above)
    ]


def rounded(value: float) -> float:
    """Return the number with five digits, as a plot shows no more."""
    return float(f"{value:.5g}")


def short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def safe(text: str) -> str:
    """Return the text with markup escaped, because plotly interprets tags."""
    return html.escape(text, quote=False)


def safe_lines(text: str) -> str:
    """Return a longer text escaped, broken into lines, and cut after MOST_TEXT characters."""
    cut = text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
    lines = [""]
    for word in chain.from_iterable(_pieces(word) for word in cut.split()):
        if lines[-1] and len(lines[-1]) + len(word) >= LONGEST_LINE:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "<br>".join(map(safe, lines))


def _pieces(word: str) -> list[str]:
    return [word[begin : begin + LONGEST_LINE] for begin in range(0, len(word), LONGEST_LINE)]


def _fits(ticks: Sequence[float], low: float, high: float) -> bool:
    """Return whether there are enough ticks and not too many, and whether they reach to the axis' ends."""
    return 2 < len(ticks) <= MOST_TICKS and ticks[0] <= low * 2 and ticks[-1] >= high / 2
