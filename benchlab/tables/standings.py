"""The lab's own tables: the rates, who is ahead by how much, what limited whom, and which pairs can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from benchlab.core import markdown
from benchlab.core.model import UNAVAILABLE, Manifest
from benchlab.core.quantities import counted
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE, Result, unmeasured
from benchlab.statistics.comparison import Comparison, Pair, Standing
from benchlab.statistics.figures import Cell
from benchlab.statistics.stats import Estimate

# More pairs than these are shown over all levels together only: 15 are those of six entries.
MOST_PAIRS = 15
# What stands in the place of figures where there is no sample that counts; why there is none stands in the report.
UNMEASURED = "not measured"
# What an entry took: in text a table of its own, because all of the summary would be wider than a terminal.
COST = [PER_CPU, "of the app alone", "peak memory, MB"]
# What stands under ratios whose rates have no outcome.
BY_CPU = f"Outcomes are those of {PER_CPU}: the host was full, where a rate says as much about wrk as about an entry."


def overview(manifest: Manifest, results: Iterable[Result]) -> pd.DataFrame:
    """Return requests per second for each test and level, a column an entry: geometric mean with 95 % interval.

    A cell that has fewer blocks than the fullest one says so; one that the load generator bound is a lower bound; one
    that was asked for and has no sample that counts is called UNMEASURED, be it of a test that has no result.
    """
    results = list(results)
    without = [test for test in manifest.settings.tests if test not in {result.test for result in results}]
    most = max((cell.rate.blocks for result in results for cell in result.cells), default=0)
    rows: dict[tuple[str, int], dict[str, object]] = {}
    entries: set[str] = set()
    found = [cell for result in results for cell in _overview_cells(result, most)]
    found += [(test, level, entry, UNMEASURED) for test in without for entry, level in unmeasured(manifest, test)]
    for test, level, entry, figure in found:
        rows.setdefault((test, level), {"test": test, "level": level})[entry] = figure
        entries.add(entry)
    columns = ["test", "level", *sorted(entries)]
    return pd.DataFrame(rows.values(), columns=columns).fillna("–").sort_values(["test", "level"])


def summary(result: Result) -> pd.DataFrame:
    """Return a row an entry, the fastest first: rank, speed relative to the first, and what it took.

    All of it is over all levels: of figures the geometric mean, of memory the largest. An entry without some of the
    levels says so, and one without any is called UNMEASURED.
    """
    ranked = {standing.entry: _summary_row(result, standing) for standing in result.standings}
    measured = {cell.entry for cell in result.cells}
    unranked = {entry: _row(result, entry, "–", "–") for entry in measured.difference(ranked)}
    lacking = {"rank": "–", f"relative {result.ranked_by}": UNMEASURED}
    rows = ranked | unranked
    columns = ["entry", *lacking, *COST, "limited by"]
    found = (rows.get(entry, {"entry": entry, **lacking}) for entry in order(result))
    return pd.DataFrame(found, columns=columns).fillna("–")


def order(result: Result) -> list[str]:
    """Return the entries by their standing, after them those without a rank, and last those without any sample."""
    ranked = [standing.entry for standing in result.standings]
    unranked = sorted({cell.entry for cell in result.cells}.difference(ranked))
    return [*ranked, *unranked, *sorted({entry for entry, _ in result.unmeasured}.difference(ranked, unranked))]


def figures(result: Result) -> pd.DataFrame:
    """Return a row for each entry at each level, with all that is known of it."""
    rows: dict[tuple[int, str], dict[str, object]] = {
        (level, entry): {"level": level, "entry": entry, RATE: UNMEASURED, "blocks": 0}
        for entry, level in result.unmeasured
    }
    for cell in result.cells:
        rows[cell.level, cell.entry] = {
            "level": cell.level,
            "entry": cell.entry,
            RATE: _rate(cell, cell.rate.blocks),
            "blocks": cell.rate.blocks,
            PER_CPU: _told(cell.per_cpu_s),
            "of the app alone": _told(cell.per_app_cpu_s),
            "peak memory, MB": _memory([cell]),
            "CPU used": str(cell.shares),
            "limited by": cell.bottleneck,
        }
    place = {entry: number for number, entry in enumerate(order(result))}
    return pd.DataFrame(rows[key] for key in sorted(rows, key=lambda key: (key[0], place[key[1]]))).fillna("–")


def ratios(result: Result) -> pd.DataFrame:
    """Return a row for each pair of entries, at each level and over all of them: the ratio and what it tells.

    Where the ranks are made of requests per CPU-second, these are compared too, and they alone have outcomes.
    """
    comparisons: list[tuple[object, str, Comparison]] = [(ALL_LEVELS, RATE, result.rates)]
    if result.by_cpu:
        comparisons.append((ALL_LEVELS, PER_CPU, result.overall))
    if len(result.overall.pairs) <= MOST_PAIRS:
        comparisons = [*_at_levels(result), *comparisons]
    rows = [
        _pair_row(level, figure, pair, pair.outcome.value if figure == result.ranked_by else "–")
        for level, figure, compared in comparisons
        for pair in compared.pairs
    ]
    return pd.DataFrame(rows, columns=["level", "figure", "pair", "ratio", "95 % interval", "outcome"])


def sections(results: Iterable[Result], caution: str) -> Iterator[str]:
    """Yield the summary and the ratios of each test, as Markdown."""
    for result in results:
        measure = "requests per CPU-second of app, database and proxy" if result.by_cpu else "requests per second"
        title = f"## {result.test}: summary over all levels, ranked by {measure}{caution}"
        found = summary(result)
        place, cost = markdown.table(found.drop(columns=COST)), markdown.table(found[["entry", *COST]])
        yield f"{title}\n\n{place}\n\n{cost}"
        pairs = ratios(result)
        if not pairs.empty:
            told = f"\n\n{BY_CPU}" if result.by_cpu else ""
            yield f"## {result.test}: ratios{caution}\n\n{markdown.table(pairs)}{told}"


def _overview_cells(result: Result, most: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield test, level, entry and figure of all that was to be measured."""
    for cell in result.cells:
        yield result.test, cell.level, cell.entry, _rate(cell, most)
    for entry, level in result.unmeasured:
        yield result.test, level, entry, UNMEASURED


def _rate(cell: Cell, most: int) -> str:
    short = f" ({cell.rate.blocks} of {most} blocks)" if cell.rate.blocks < most else ""
    bound = "≥ " if cell.client_bound else ""
    return f"{bound}{cell.rate.mean:,.0f}{markdown.interval(cell.rate.low, cell.rate.high, '{:,.0f}')}{short}"


def _summary_row(result: Result, standing: Standing) -> dict[str, object]:
    relative = "–" if standing.relative is None else f"{standing.relative:.3f}"
    return _row(
        result, standing.entry, str(standing.rank), relative + markdown.interval(standing.low, standing.high, "{:.3f}")
    )


def _row(result: Result, entry: str, rank: str, relative: str) -> dict[str, object]:
    cells = [cell for cell in result.cells if cell.entry == entry]
    asked = len({cell.level for cell in result.cells} | {level for _, level in result.unmeasured})
    short = f" ({len(cells)} of {counted(asked, 'level')})" if len(cells) < asked else ""
    return {
        "entry": entry,
        "rank": rank,
        f"relative {result.ranked_by}": relative,
        PER_CPU: _told(result.per_cpu_s.get(entry), short),
        "of the app alone": _told(result.per_app_cpu_s.get(entry), short),
        "peak memory, MB": _memory(cells),
        "limited by": _limits(cells),
    }


def _told(found: Estimate | None, short: str = "") -> str:
    if found is None:
        return UNAVAILABLE
    return f"{found.mean:,.0f}{markdown.interval(found.low, found.high, '{:,.0f}')}{short}"


def memory_mb(cells: Iterable[Cell]) -> float | None:
    """Return the largest peak of the cells in MB; None where none is known."""
    known = [cell.memory_peak_bytes for cell in cells if cell.memory_peak_bytes is not None]
    return max(known) / 1e6 if known else None


def _memory(cells: Iterable[Cell]) -> str:
    peak_mb = memory_mb(cells)
    return UNAVAILABLE if peak_mb is None else f"{peak_mb:,.0f}"


def _limits(cells: Iterable[Cell]) -> str:
    """Return what limited the entry, each with the levels at which it did; one that did at all stands alone."""
    levels: dict[str, list[str]] = {}
    for cell in cells:
        levels.setdefault(cell.bottleneck, []).append(str(cell.level))
    if len(levels) == 1:
        return next(iter(levels))
    return ", ".join(f"{name} ({', '.join(at)})" for name, at in levels.items())


def _at_levels(result: Result) -> Iterator[tuple[object, str, Comparison]]:
    """Yield the comparisons at each level, of the figure that ranks after that of the rates."""
    for level, compared in result.levels.items():
        yield level, RATE, compared
        if result.by_cpu:
            yield level, PER_CPU, result.cpu_levels[level]


def _pair_row(level: object, figure: str, pair: Pair, outcome: str) -> dict[str, object]:
    ratio = pair.ratio
    return {
        "level": level,
        "figure": figure,
        "pair": f"{ratio.first} / {ratio.second}",
        "ratio": f"{ratio.ratio:.3f}",
        "95 % interval": markdown.interval(ratio.low, ratio.high, "{:.3f}").strip() or "–",
        "outcome": outcome,
    }
