"""The lab's own tables: the rates, who is ahead by how much, what limited whom, and which pairs can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from benchlab import markdown
from benchlab.analysis import Cell, Result
from benchlab.comparison import Comparison, Pair, Standing
from benchlab.model import UNAVAILABLE
from benchlab.stats import Estimate

# More pairs than these are shown over all levels together only: 15 are those of six entries.
MOST_PAIRS = 15
ALL_LEVELS = "all"


def overview(results: Iterable[Result]) -> pd.DataFrame:
    """Return requests per second for each test and level, a column an entry: geometric mean with 95 % interval.

    A cell that has fewer blocks than the fullest one says so; one that the load generator bound is a lower bound.
    """
    cells = [cell for result in results for cell in result.cells]
    most = max((cell.rate.blocks for cell in cells), default=0)
    entries = sorted({cell.entry for cell in cells})
    rows: dict[tuple[str, int], dict[str, object]] = {}
    for cell in cells:
        row = rows.setdefault((cell.test, cell.level), {"test": cell.test, "level": cell.level})
        row[cell.entry] = _rate(cell, most)
    return pd.DataFrame(rows.values(), columns=["test", "level", *entries]).fillna("–").sort_values(["test", "level"])


def summary(result: Result) -> pd.DataFrame:
    """Return a row an entry, the fastest first: rank, speed relative to the first, and what it took.

    Requests per CPU-second and memory are those of its best and its largest level.
    """
    rows = [_summary_row(result, standing) for standing in result.standings]
    unranked = sorted({cell.entry for cell in result.cells} - {standing.entry for standing in result.standings})
    rows += [_row(result, entry, "–", "–") for entry in unranked]
    return pd.DataFrame(rows)


def ratios(result: Result) -> pd.DataFrame:
    """Return a row for each pair of entries, at each level and over all of them: the ratio and what it tells."""
    comparisons: list[tuple[object, Comparison]] = [(ALL_LEVELS, result.overall)]
    if len(result.overall.pairs) <= MOST_PAIRS:
        comparisons = [*result.levels.items(), *comparisons]
    rows = [_pair_row(level, pair) for level, compared in comparisons for pair in compared.pairs]
    return pd.DataFrame(rows, columns=["level", "pair", "ratio", "95 % interval", "outcome"])


def sections(results: Iterable[Result], caution: str) -> Iterator[str]:
    """Yield the summary and the ratios of each test, as Markdown."""
    for result in results:
        measure = "requests per CPU-second of app, database and proxy" if result.by_cpu else "requests per second"
        yield f"## {result.test}: summary, ranked by {measure}{caution}\n\n{markdown.table(summary(result))}"
        pairs = ratios(result)
        if not pairs.empty:
            title = (
                f'## {result.test}: ratios of requests per second, "{ALL_LEVELS}" in the measure of the ranks{caution}'
            )
            yield f"{title}\n\n{markdown.table(pairs)}"


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
    return {
        "entry": entry,
        "rank": rank,
        "relative speed": relative,
        "requests/CPU-s": _best([cell.per_cpu_s for cell in cells]),
        "of the app alone": _best([cell.per_app_cpu_s for cell in cells]),
        "peak memory, MB": _memory([cell.memory_peak_bytes for cell in cells]),
        "limited by": _limits(cells),
    }


def _best(estimates: Iterable[Estimate | None]) -> str:
    known = [estimate for estimate in estimates if estimate is not None]
    if not known:
        return UNAVAILABLE
    best = max(known, key=lambda estimate: estimate.mean)
    return f"{best.mean:,.0f}{markdown.interval(best.low, best.high, '{:,.0f}')}"


def _memory(peaks_bytes: Iterable[int | None]) -> str:
    known = [peak for peak in peaks_bytes if peak is not None]
    return f"{max(known) / 1e6:,.0f}" if known else UNAVAILABLE


def _limits(cells: Iterable[Cell]) -> str:
    """Return what limited the entry, each with the levels at which it did; one that did at all stands alone."""
    levels: dict[str, list[str]] = {}
    for cell in cells:
        levels.setdefault(cell.bottleneck, []).append(str(cell.level))
    if len(levels) == 1:
        return next(iter(levels))
    return ", ".join(f"{name} ({', '.join(at)})" for name, at in levels.items())


def _pair_row(level: object, pair: Pair) -> dict[str, object]:
    ratio = pair.ratio
    return {
        "level": level,
        "pair": f"{ratio.first} / {ratio.second}",
        "ratio": f"{ratio.ratio:.3f}",
        "95 % interval": markdown.interval(ratio.low, ratio.high, "{:.3f}").strip() or "–",
        "outcome": pair.outcome.value,
    }
