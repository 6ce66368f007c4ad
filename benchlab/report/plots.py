"""The plots of the analysis: standings, rates, cost in CPU and memory, and what used the CPUs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.load.metrics import PER_APP_CPU, PER_CPU, RATE, Better, Metric
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.run import Run
from benchlab.report import charts, outcomes, points, tables
from benchlab.report import factors as report_factors
from benchlab.report.changes import outcome
from benchlab.report.charts import Chart, Dot, Look, Rows, Trace, safe
from benchlab.report.points import COUNTING, Clock, Key, Point, below_means
from benchlab.report.sentences import LIMITS
from benchlab.statistics import analysis, bottleneck
from benchlab.statistics.analysis import ALL_LEVELS, Result
from benchlab.statistics.candidate import Row
from benchlab.statistics.cells import Cell
from benchlab.statistics.comparison import Outcome, Standing
from benchlab.statistics.effects import FactorAnalysis
from benchlab.statistics.stats import Estimate

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
# A text alternative lists at most so many values; the table has the rest.
MOST_LISTED = 24
ALL_LEVELS_TOGETHER = "all levels"


def of_run(run: Run) -> Iterator[Chart]:
    """Yield the charts of the run's report; their names are those of the report's `Plot` blocks."""
    results = analysis.analyse(run)
    looks, time = charts.looks(run.manifest.entries), points.clock(run)
    if any(len(result.standings) > 1 for result in results):
        yield overall(results, looks)
    if (factor_analysis := report_factors.of_run(run)) is not None:
        yield factors(factor_analysis)
    for result in results:
        yield from _of_test(run, result, looks, time)


def _of_test(run: Run, result: Result, looks: Mapping[str, Look], time: Clock) -> Iterator[Chart]:
    taken, order = points.of_test(run, result, time), tables.order(result)
    groups = points.groups(taken, order)
    rows = charts.rows(groups)
    shares = {
        key: bottleneck.of_host(samples)
        for key, samples in points.by_row(point for point in taken if point.kind in COUNTING).items()
    }
    yield rates(result, taken, rows, looks, run.blocks)
    yield points.course(result.test, taken, looks, time)
    yield per_cpu(result, rows, looks)
    yield memory(result, order, looks)
    yield cpus(result, groups, shares)


def overall(results: Iterable[Result], looks: Mapping[str, Look]) -> Chart:
    """Return each test's standings: each entry's value relative to the leader's, over all levels."""
    ranked = [result for result in results if result.standings]
    rows = charts.rows({_ranking(result): [standing.entry for standing in result.standings] for result in ranked})
    dots: dict[str, list[Dot]] = defaultdict(list)
    values = []
    for result in ranked:
        for standing in result.standings:
            if standing.relative is not None:
                value = tables.relative(result, standing)
                text = f"<b>{safe(standing.entry)}</b>, {result.test}<br>{value}<br>{_told(standing)}"
                place = rows.at[_ranking(result), standing.entry]
                low, high = standing.pair.bounds if standing.pair else (None, None)
                dots[standing.entry].append(Dot(place, standing.relative, low, high, text))
                values.append(f"{result.test} {standing.entry} {value}")
    traces = [charts.dots(entry, looks[entry], dots[entry]) for entry in sorted(dots)]
    # No value is better than the leader's: beyond it there is only the end of an interval.
    directions = {result.overall.better for result in ranked}
    control = next((result.control for result in ranked), "")
    low = charts.LEAST_REACH[0] if control or Better.HIGHER in directions else 0.95
    high = charts.LEAST_REACH[1] if control or Better.LOWER in directions else 1.05
    whose = f"{control}'s" if control else "the leader's"
    layout = _of_ratios(rows, f"times {safe(whose)} value", traces, (low, high))
    return Chart(
        "overall", traces, layout, f"Each entry's value over all levels, relative to {whose}: {_listed(values)}"
    )


def _told(standing: Standing) -> str:
    """Return what is known of the entry beside the others, or beside the control."""
    if standing.rank:
        return f"rank {standing.rank}"
    return outcomes.outcome(standing.pair) if standing.pair else "the baseline"


def rates(result: Result, points: Sequence[Point], rows: Rows, looks: Mapping[str, Look], blocks: int) -> Chart:
    """Return requests per second: each row's mean with its interval, and below it every sample."""
    traces = [*below_means(points, looks, rows, blocks), *_means(result, looks, rows, RATE, RATE.name)]
    layout = charts.frame(rows, charts.axis(RATE.name, traces), charts.TALL_ROW_PX)
    return Chart(f"{result.test}-rates", traces, layout, _means_in_words(result, RATE, RATE.name))


def per_cpu(result: Result, rows: Rows, looks: Mapping[str, Look]) -> Chart:
    """Return requests per CPU-second: of app, database and proxy together full, of the app alone hollow."""
    together = f"{PER_CPU.name} of app, database and proxy"
    traces = [
        *_means(result, looks, rows, PER_APP_CPU, f"{PER_CPU.name} {PER_APP_CPU.name}", "-open"),
        *_means(result, looks, rows, PER_CPU, together),
    ]
    layout = charts.frame(rows, charts.axis(PER_CPU.name, traces))
    return Chart(f"{result.test}-per-cpu", traces, layout, _means_in_words(result, PER_CPU, together))


def memory(result: Result, order: Sequence[str], looks: Mapping[str, Look]) -> Chart:
    """Return the app's peak memory, one for each entry: that of the level where it was largest."""
    peaks = {entry: tables.memory_mb(cell for cell in result.cells if cell.entry == entry) for entry in order}
    known = {entry: peak_mb for entry, peak_mb in peaks.items() if peak_mb is not None}
    rows = charts.rows({ALL_LEVELS_TOGETHER: list(known)})
    traces = [_bar(rows.at[ALL_LEVELS_TOGETHER, entry], entry, known[entry], looks[entry]) for entry in known]
    layout = charts.frame(rows, charts.axis("MB", traces)) | {"barmode": "overlay", "bargap": 0.35}
    values = _listed([f"{entry} {peak_mb:,.0f}" for entry, peak_mb in known.items()])
    return Chart(f"{result.test}-memory", traces, layout, f"{result.test}, peak memory of the app in MB: {values}")


def cpus(result: Result, groups: Mapping[str, Sequence[str]], shares: Mapping[Key, Mapping[str, float]]) -> Chart:
    """Return what the host's CPU time went to in each row, and below its name what limited it."""
    limits = {(cell.level.name, cell.entry): cell.bottleneck for cell in result.cells}
    rows = charts.rows(groups, limits)
    axis = {"title": {"text": "of the host's CPU time, %"}, "range": [0, 100], "nticks": 6}
    layout = charts.frame(rows, axis, charts.TALL_ROW_PX)
    layout |= {"barmode": "stack", "bargap": 0.3, "uniformtext": {"minsize": 10, "mode": "hide"}, **charts.LEGEND}
    layout |= {"margin": layout["margin"] | {"t": charts.LEGEND_PX}, "height": layout["height"] + charts.LEGEND_PX}
    traces = [_part(part, rows, shares) for part in PARTS if any(part in of for of in shares.values())]
    shares_and_limits = [
        f"{cell.entry} at {cell.level}: {outcomes.cpu_used(cell.shares)}; limited by {LIMITS[cell.bottleneck]}"
        for cell in result.cells
    ]
    return Chart(
        f"{result.test}-cpus", traces, layout, f"{result.test}, CPU used by each role: {_listed(shares_and_limits)}"
    )


def factors(analysis: FactorAnalysis) -> Chart:
    """Return the effect of each change over all levels, test by test; a hollow mark is undecided."""
    effects = [effect for effect in analysis.effects if effect.level is ALL_LEVELS and analysis.is_headed_by(effect)]
    groups: dict[str, list[str]] = defaultdict(list)
    titles = [report_factors.effect_title(effect.effect) for effect in effects]
    for effect, title in zip(effects, titles, strict=True):
        groups[f"{effect.test}, {effect.metric.name}"].append(title)
    rows = charts.rows(groups)
    dots: dict[str, list[Dot]] = {"decided": [], "undecided": []}
    for effect, title in zip(effects, titles, strict=True):
        words = f"{outcomes.ratio(effect.pair)}<br>{outcomes.outcome(effect.pair)}"
        text = f"<b>{safe(title)}</b>, {effect.test}<br>{words}"
        place = rows.at[f"{effect.test}, {effect.metric.name}", title]
        kind = "undecided" if effect.pair.outcome is Outcome.UNDECIDED else "decided"
        dots[kind].append(Dot(place, effect.pair.ratio.ratio, *effect.pair.bounds, text))
    mark = charts.MARKS[0]
    traces = [
        charts.dots(kind, Look("--entry-1", mark if kind == "decided" else f"{mark}-open"), of)
        for kind, of in dots.items()
    ]
    layout = _of_ratios(rows, "times, by the change", traces)
    values = [
        f"{effect.test} {title} {effect.pair.ratio.ratio:.3f}" for effect, title in zip(effects, titles, strict=True)
    ]
    return Chart("factors", traces, layout, f"What each factor did, over all levels: {_listed(values)}")


def changes(ratios: Iterable[Row]) -> Chart:
    """Return the ratios of new to old over all levels, with the intervals that their outcomes follow from."""
    overall = [row for row in ratios if row.level is ALL_LEVELS]
    groups: dict[str, list[str]] = defaultdict(list)
    for row in sorted(overall, key=lambda row: (row.metric.name, row.test, row.entry)):
        groups[row.metric.long_name].append(f"{row.entry}, {row.test}")
    rows = charts.rows(groups)
    dots = []
    for row in overall:
        name = f"{row.entry}, {row.test}"
        blocks = counted(row.ratio.blocks, row.design.unit)
        words = f"{outcomes.ratio(row.pair)} {row.metric.name}<br>{outcome(row)}; {blocks}"
        place = rows.at[row.metric.long_name, name]
        dots.append(Dot(place, row.ratio.ratio, *row.pair.bounds, f"<b>{safe(name)}</b><br>{words}"))
    traces = [charts.dots("new / old", Look("--entry-1", charts.MARKS[0]), dots)]
    layout = _of_ratios(rows, "new / old", traces)
    values = [f"{row.entry} {row.test} {row.metric.name} {quantities.ratio(row.ratio.ratio)}" for row in overall]
    return Chart("changes", traces, layout, f"New relative to old, over all levels: {_listed(values)}")


def _of_ratios(
    rows: Rows, title: str, traces: Sequence[Trace], reach: tuple[float, float] = charts.LEAST_REACH
) -> dict[str, object]:
    """Return the layout of a plot of ratios, with a line at 1."""
    layout = charts.frame(rows, charts.ratio_axis(title, traces, reach))
    return layout | {"shapes": [*layout["shapes"], charts.line("--muted", x0=1, x1=1)]}


def _means(
    result: Result, looks: Mapping[str, Look], rows: Rows, metric: Metric, name: str, hollow: str = ""
) -> Iterator[Trace]:
    for entry in sorted({cell.entry for cell in result.cells}):
        look = looks[entry]
        dots = [
            Dot(
                rows.at[cell.level.name, entry],
                estimate.mean,
                estimate.low,
                estimate.high,
                f"<b>{safe(entry)}</b>, {cell.level.name}<br>{_value(cell, metric, estimate, name)}",
            )
            for cell in result.cells
            if cell.entry == entry and (estimate := cell.estimates.get(metric)) is not None
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
        "x": [charts.rounded(peak_mb)],
        "y": [place],
        "marker": {
            "color": look.color,
            "pattern": {"shape": look.pattern, "solidity": 0.5},
            "line": {"color": look.color, "width": 1},
        },
        "hovertext": [f"<b>{safe(entry)}</b><br>{peak_mb:,.0f} MB"],
        "hoverinfo": "text",
    }


def _ranking(result: Result) -> str:
    return f"{result.test}, {result.basis.name if result.basis else 'not ranked'}"


def _value(cell: Cell, metric: Metric, estimate: Estimate, name: str) -> str:
    bound = "at least " if cell.client_bound and metric == RATE else ""
    value = f"{bound}{_estimate(metric, estimate)} {name}"
    return f"{value}<br>{counted(estimate.blocks, 'block')}; limited by {LIMITS[cell.bottleneck]}"


def _estimate(metric: Metric, estimate: Estimate) -> str:
    return f"{metric.written(estimate.mean)}{quantities.interval(estimate.low, estimate.high, metric.form)}"


def _means_in_words(result: Result, metric: Metric, name: str) -> str:
    """Return a plot of means in words."""
    values = [
        f"{cell.entry} at {cell.level}: {_estimate(metric, estimate)}"
        for cell in result.cells
        if (estimate := cell.estimates.get(metric)) is not None
    ]
    return f"{result.test}, {name}: {_listed(values)}"


def _listed(values: Sequence[str]) -> str:
    rest = f"; {len(values) - MOST_LISTED} more stand in the table" if len(values) > MOST_LISTED else ""
    return f"{'; '.join(values[:MOST_LISTED])}{rest}." if values else "nothing is known."
