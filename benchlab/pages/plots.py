"""The plots of what the analysis says: standings, rates, cost in CPU and memory, and what used the CPUs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchlab.core import quantities
from benchlab.core.counters import APP, CLIENT, DB, PROXY
from benchlab.core.quantities import counted
from benchlab.pages import charts
from benchlab.pages.charts import Chart, Dot, Look, Rows, Trace, level_name, safe
from benchlab.pages.points import Key, Point, below_means
from benchlab.statistics import bottleneck
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE, Result
from benchlab.statistics.comparison import Outcome
from benchlab.statistics.effects import Answer
from benchlab.statistics.figures import Cell
from benchlab.statistics.stats import Estimate
from benchlab.statistics.versus import Row
from benchlab.tables import standings
from benchlab.tables.factors import effect_title
from benchlab.tables.sentences import LIMITS, MEASURES

# What the host's CPU time can go to, with its colour, in the order of the bars.
PARTS = {
    CLIENT: ("wrk", "--part-1"),
    PROXY: ("proxy", "--part-2"),
    APP: ("entry", "--part-3"),
    DB: ("database", "--part-4"),
    bottleneck.OTHERS: ("others", "--part-5"),
    bottleneck.STOLEN: ("stolen", "--part-6"),
    bottleneck.IDLE: ("idle", "--part-7"),
}
# A text alternative tells as many figures; of more, the rest stands in the table.
MOST_TOLD = 24
ALL_LEVELS_TOGETHER = "all levels"

Measure = Callable[[Cell], Estimate | None]


def overall(results: Iterable[Result], looks: Mapping[str, Look]) -> Chart:
    """Return each test's standings: what an entry's figure is of the leader's, over all levels."""
    ranked = [result for result in results if result.standings]
    rows = charts.rows({_ranking(result): [standing.entry for standing in result.standings] for result in ranked})
    dots: dict[str, list[Dot]] = defaultdict(list)
    told = []
    for result in ranked:
        for standing in result.standings:
            if standing.relative is not None:
                figure = standings.relative(result, standing)
                text = f"<b>{safe(standing.entry)}</b>, {result.test}<br>{figure}<br>rank {standing.rank}"
                place = rows.at[_ranking(result), standing.entry]
                low, high, _ = standing.pair.bounds if standing.pair else (None, None, "")
                dots[standing.entry].append(Dot(place, standing.relative, low, high, text))
                told.append(f"{result.test} {standing.entry} {figure}")
    traces = [charts.dots(entry, looks[entry], dots[entry]) for entry in sorted(dots)]
    # None is better than the leader's: there is nothing to be seen on its other side but the end of an interval.
    layout = _of_ratios(rows, "times the leader's figure", traces, (charts.LEAST_REACH[0], 1.05))
    return Chart(
        "overall", traces, layout, f"Each entry's figure over all levels, relative to the leader's: {_listed(told)}"
    )


def rates(result: Result, found: Sequence[Point], rows: Rows, looks: Mapping[str, Look], blocks: int) -> Chart:
    """Return requests per second: of each row the mean with its interval, and below it every sample."""
    traces = [*below_means(found, looks, rows, blocks), *_means(result, looks, rows, lambda cell: cell.rate, RATE)]
    layout = charts.frame(rows, charts.axis(RATE, traces), charts.TALL_ROW_PX)
    return Chart(f"{result.test}-rates", traces, layout, _told(result, RATE, lambda cell: cell.rate))


def per_cpu(result: Result, rows: Rows, looks: Mapping[str, Look]) -> Chart:
    """Return requests per CPU-second: of app, database and proxy together full, of the app alone hollow."""
    together = f"{PER_CPU} of app, database and proxy"
    traces = [
        *_means(result, looks, rows, lambda cell: cell.per_app_cpu_s, f"{PER_CPU} of the app alone", "-open"),
        *_means(result, looks, rows, lambda cell: cell.per_cpu_s, together),
    ]
    layout = charts.frame(rows, charts.axis(PER_CPU, traces))
    return Chart(f"{result.test}-per-cpu", traces, layout, _told(result, together, lambda cell: cell.per_cpu_s))


def memory(result: Result, order: Sequence[str], looks: Mapping[str, Look]) -> Chart:
    """Return the app's peak memory, one for each entry: that of the level where it was largest."""
    peaks = {entry: standings.memory_mb(cell for cell in result.cells if cell.entry == entry) for entry in order}
    known = {entry: peak_mb for entry, peak_mb in peaks.items() if peak_mb is not None}
    rows = charts.rows({ALL_LEVELS_TOGETHER: list(known)})
    traces = [_bar(rows.at[ALL_LEVELS_TOGETHER, entry], entry, known[entry], looks[entry]) for entry in known]
    layout = charts.frame(rows, charts.axis("MB", traces)) | {"barmode": "overlay", "bargap": 0.35}
    told = _listed([f"{entry} {peak_mb:,.0f}" for entry, peak_mb in known.items()])
    return Chart(f"{result.test}-memory", traces, layout, f"{result.test}, peak memory of the app in MB: {told}")


def cpus(result: Result, groups: Mapping[str, Sequence[str]], shares: Mapping[Key, Mapping[str, float]]) -> Chart:
    """Return what the host's CPU time went to in each row, and below its name what limited it."""
    limits = {(level_name(cell.test, cell.level), cell.entry): cell.bottleneck for cell in result.cells}
    rows = charts.rows(groups, limits)
    axis = {"title": {"text": "of the host's CPU time, %"}, "range": [0, 100], "nticks": 6}
    layout = charts.frame(rows, axis, charts.TALL_ROW_PX)
    layout |= {"barmode": "stack", "bargap": 0.3, "uniformtext": {"minsize": 10, "mode": "hide"}, **charts.LEGEND}
    layout |= {"margin": layout["margin"] | {"t": charts.LEGEND_PX}, "height": layout["height"] + charts.LEGEND_PX}
    traces = [_part(part, rows, shares) for part in PARTS if any(part in of for of in shares.values())]
    told = [
        f"{cell.entry} at {cell.level}: {cell.shares}; limited by {LIMITS[cell.bottleneck]}" for cell in result.cells
    ]
    return Chart(f"{result.test}-cpus", traces, layout, f"{result.test}, CPU used by each role: {_listed(told)}")


def factors(answer: Answer) -> Chart:
    """Return what each change did over all levels, test by test; hollow where it cannot be told from no change."""
    found = [told for told in answer.told if told.level == ALL_LEVELS and answer.is_headed_by(told)]
    groups: dict[str, list[str]] = defaultdict(list)
    for told in found:
        groups[f"{told.test}, {told.figure}"].append(effect_title(told.effect))
    rows = charts.rows(groups)
    dots: dict[str, list[Dot]] = {"told": [], "cannot be told": []}
    for told in found:
        ratio, (low, high, confidence) = told.pair.ratio, told.pair.bounds
        figure = f"{quantities.ratio(ratio.ratio)}{quantities.bounds(low, high, confidence=confidence)}"
        text = f"<b>{safe(effect_title(told.effect))}</b>, {told.test}<br>{figure}<br>{told.pair.word}"
        place = rows.at[f"{told.test}, {told.figure}", effect_title(told.effect)]
        kind = "cannot be told" if told.pair.outcome is Outcome.UNDECIDED else "told"
        dots[kind].append(Dot(place, ratio.ratio, low, high, text))
    mark = charts.MARKS[0]
    traces = [
        charts.dots(kind, Look("--entry-1", mark if kind == "told" else f"{mark}-open"), of)
        for kind, of in dots.items()
    ]
    layout = _of_ratios(rows, "times, by the change", traces)
    told_of = [f"{told.test} {effect_title(told.effect)} {told.pair.ratio.ratio:.3f}" for told in found]
    return Chart("factors", traces, layout, f"What each factor did, over all levels: {_listed(told_of)}")


def changes(found: Iterable[Row]) -> Chart:
    """Return the ratios of new to old over all levels, with the intervals that their outcomes follow from."""
    overall = [row for row in found if row.level == ALL_LEVELS]
    groups: dict[str, list[str]] = defaultdict(list)
    for row in sorted(overall, key=lambda row: (row.figure, row.test, row.entry)):
        groups[MEASURES[row.figure]].append(f"{row.entry}, {row.test}")
    rows = charts.rows(groups)
    dots = []
    for row in overall:
        name, (low, high, _) = f"{row.entry}, {row.test}", row.pair.bounds
        words = f"{row.told} {row.figure}<br>{row.told.outcome}; {counted(row.ratio.blocks, row.design.unit)}"
        place = rows.at[MEASURES[row.figure], name]
        dots.append(Dot(place, row.ratio.ratio, low, high, f"<b>{safe(name)}</b><br>{words}"))
    traces = [charts.dots("new / old", Look("--entry-1", charts.MARKS[0]), dots)]
    layout = _of_ratios(rows, "new / old", traces)
    told = [f"{row.entry} {row.test} {row.figure} {row.told.ratio}" for row in overall]
    return Chart("changes", traces, layout, f"New relative to old, over all levels: {_listed(told)}")


def _of_ratios(
    rows: Rows, title: str, traces: Sequence[Trace], reach: tuple[float, float] = charts.LEAST_REACH
) -> dict[str, object]:
    """Return the layout of a plot of ratios, with a line at 1."""
    layout = charts.frame(rows, charts.ratio_axis(title, traces, reach))
    return layout | {"shapes": [*layout["shapes"], charts.line("--muted", x0=1, x1=1)]}


def _means(
    result: Result, looks: Mapping[str, Look], rows: Rows, measure: Measure, unit: str, hollow: str = ""
) -> Iterator[Trace]:
    for entry in sorted({cell.entry for cell in result.cells}):
        look = looks[entry]
        dots = [
            Dot(
                rows.at[level_name(cell.test, cell.level), entry],
                estimate.mean,
                estimate.low,
                estimate.high,
                f"<b>{safe(entry)}</b>, {level_name(cell.test, cell.level)}<br>{_figure(cell, estimate, unit)}",
            )
            for cell in result.cells
            if cell.entry == entry and (estimate := measure(cell)) is not None
        ]
        yield charts.dots(entry, Look(look.color, look.mark + hollow), dots)


def _part(part: str, rows: Rows, shares: Mapping[Key, Mapping[str, float]]) -> Trace:
    name, color = PARTS[part]
    known = {rows.at[row]: 100 * of[part] for row, of in shares.items() if part in of}
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "meta": "bars",
        "x": [round(share, 1) for share in known.values()],
        "y": list(known),
        "marker": {"color": color, "line": {"color": "--card", "width": 1}},
        "text": [f"{name} {share:.0f}" for share in known.values()],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "insidetextfont": {"color": f"{color}-text"},
        "hovertemplate": f"{name}: %{{x:.1f}} % of the host's CPU time<extra></extra>",
    }


def _bar(place: int, entry: str, peak_mb: float, look: Look) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": safe(charts.short(entry)),
        "meta": "bars",
        "x": [charts.figure(peak_mb)],
        "y": [place],
        "marker": {"color": look.color},
        "hovertext": [f"<b>{safe(entry)}</b><br>{peak_mb:,.0f} MB"],
        "hoverinfo": "text",
    }


def _ranking(result: Result) -> str:
    return f"{result.test}, {result.basis}"


def _figure(cell: Cell, estimate: Estimate, unit: str) -> str:
    bound = "at least " if cell.client_bound and unit == RATE else ""
    told = f"{bound}{estimate.mean:,.0f}{quantities.interval(estimate.low, estimate.high, '{:,.0f}')} {unit}"
    return f"{told}<br>{counted(estimate.blocks, 'block')}; limited by {LIMITS[cell.bottleneck]}"


def _told(result: Result, what: str, measure: Measure) -> str:
    """Return a plot of means in words."""
    told = [
        f"{cell.entry} at {cell.level}: {estimate.mean:,.0f}"
        f"{quantities.interval(estimate.low, estimate.high, '{:,.0f}')}"
        for cell in result.cells
        if (estimate := measure(cell)) is not None
    ]
    return f"{result.test}, {what}: {_listed(told)}"


def _listed(told: Sequence[str]) -> str:
    rest = f"; {len(told) - MOST_TOLD} more stand in the table" if len(told) > MOST_TOLD else ""
    return f"{'; '.join(told[:MOST_TOLD])}{rest}." if told else "nothing is known."
