"""The lab's own tables: the rates, who is ahead by how much, what limited whom, and which pairs can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Manifest
from benchlab.report import markdown
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE, Result, unmeasured
from benchlab.statistics.bottleneck import NEARLY_FULL_IDLE
from benchlab.statistics.comparison import Pair, Standing
from benchlab.statistics.metrics import Cell
from benchlab.statistics.stats import ALPHA, Average, Estimate

# More pairs than these are shown over all levels together only: 15 are those of six entries.
MOST_PAIRS = 15
# What stands in the place of figures where there is no sample that counts; why there is none stands in the report.
UNMEASURED = "not measured"
# What an entry took: in text a table of its own, because all of the summary would be wider than a terminal.
COST = [PER_CPU, "of the app alone", "peak memory, MB"]
# What stands under ratios of which some have no outcome, for that.
BY_CPU = (
    f"Outcomes are those of {PER_CPU}: all rows left the host hardly any time to spare (less than "
    f"{NEARLY_FULL_IDLE:.0%}), and there a rate says as much about wrk as about an entry."
)
UNRANKED = (
    "Some rows filled the host and others did not: over all levels nothing has an outcome, and at a level the figure "
    "that all its rows can be compared by."
)
# The head of the column of figures relative to the leader's; behind it stands what ranks, where anything does.
RELATIVE = "relative"


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

    All of it is over all levels: of figures the geometric mean, of memory the largest. What is over some of them alone
    says so, and an entry without any is called UNMEASURED.
    """
    ranked = {standing.entry: _summary_row(result, standing) for standing in result.standings}
    measured = {cell.entry for cell in result.cells}
    unranked = {entry: _row(result, entry, "–", "–") for entry in measured.difference(ranked)}
    lacking = {"rank": "–", _relative(result): UNMEASURED}
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

    Where the host was full requests per CPU-second are compared too. Outcomes are those of the figure that ranks.
    """
    rows = [_pair_row(result, None, RATE, pair) for pair in result.rates.pairs if result.basis != RATE]
    rows += [_pair_row(result, None, PER_CPU, pair) for pair in result.costs.pairs if result.basis != PER_CPU]
    rows += [_pair_row(result, None, str(result.basis), pair) for pair in result.overall.pairs]
    if len(result.rates.pairs) <= MOST_PAIRS:
        rows = [*_at_levels(result), *rows]
    return pd.DataFrame(rows, columns=["level", "figure", "pair", "ratio", "95 % interval", "outcome"])


def chance(results: Sequence[Result]) -> str:
    """Return how often outcomes are wrong where entries do not differ: over all levels, and at single ones."""
    headlines = sum(pair.adjusted_p is not None for result in results for pair in result.overall.pairs)
    levels = sum(
        any(pair.adjusted_p is not None for pair in compared.pairs)
        for result in results
        for compared in result.decided_levels.values()
    )
    told = []
    if headlines:
        told.append(
            "Over all levels, 5 % is the chance that any outcome of this report says faster or slower wrongly (Holm, "
            f"over {counted(headlines, 'comparison')} of all tests)."
        )
    if levels > 1:
        told.append(
            f"At a single level it is 5 % for the pairs of that level alone: where nothing differs, one or more of "
            f"{levels} levels say otherwise in up to {1 - (1 - ALPHA) ** levels:.0%} of reports."
        )
    return " ".join(told)


def sections(results: Sequence[Result], caution: str) -> Iterator[str]:
    """Yield the summary and the ratios of each test, as Markdown, and how often outcomes are wrong."""
    for result in results:
        yield f"## {result.test}: summary over all levels, {_ranking(result)}{caution}\n\n{_summaries(result)}"
        pairs = ratios(result)
        if not pairs.empty:
            note = {PER_CPU: BY_CPU, None: UNRANKED}.get(result.basis, "")
            told = f"\n\n{note}" if note else ""
            yield f"## {result.test}: ratios{caution}\n\n{markdown.table(pairs)}{told}"
    if told := chance(results):
        yield told


def _ranking(result: Result) -> str:
    if result.basis is None:
        return "not ranked: some rows filled the host and others did not"
    measure = "requests per CPU-second of app, database and proxy" if result.by_cpu else "requests per second"
    return f"compared by {measure}"


def _summaries(result: Result) -> str:
    found = summary(result)
    return f"{markdown.table(found.drop(columns=COST))}\n\n{markdown.table(found[['entry', *COST]])}"


def _relative(result: Result) -> str:
    return f"{RELATIVE} {result.basis}" if result.basis else RELATIVE


def _overview_cells(result: Result, most: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield test, level, entry and figure of all that was to be measured."""
    for cell in result.cells:
        yield result.test, cell.level, cell.entry, _rate(cell, most)
    for entry, level in result.unmeasured:
        yield result.test, level, entry, UNMEASURED


def _rate(cell: Cell, most: int) -> str:
    short = f" ({cell.rate.blocks} of {most} blocks)" if cell.rate.blocks < most else ""
    bound = "≥ " if cell.client_bound else ""
    return f"{bound}{cell.rate.mean:,.0f}{quantities.interval(cell.rate.low, cell.rate.high, '{:,.0f}')}{short}"


def _summary_row(result: Result, standing: Standing) -> dict[str, object]:
    return _row(result, standing.entry, str(standing.rank), relative(result, standing))


def relative(result: Result, standing: Standing) -> str:
    """Return the entry's figure in terms of the leader's, with its interval, and which levels it is not over."""
    if standing.relative is None:
        return "–"
    if standing.pair is None:
        return f"{standing.relative:.3f}"
    low, high, confidence = standing.pair.bounds
    told = f"{quantities.ratio(standing.relative)}{quantities.bounds(low, high, confidence=confidence)}"
    unclear = f", {standing.pair.word}" if standing.pair.is_unclear else ""
    return told + unclear + _over(result, standing.pair.ratio.over)


def _row(result: Result, entry: str, rank: str, told: str) -> dict[str, object]:
    cells = [cell for cell in result.cells if cell.entry == entry]
    return {
        "entry": entry,
        "rank": rank,
        _relative(result): told,
        PER_CPU: _average(result, result.per_cpu_s.get(entry)),
        "of the app alone": _average(result, result.per_app_cpu_s.get(entry)),
        "peak memory, MB": _memory(cells),
        "limited by": _limits(cells),
    }


def _average(result: Result, found: Average | None) -> str:
    if found is None:
        return UNAVAILABLE
    return _told(found.estimate) + _over(result, found.over)


def _over(result: Result, levels: Sequence[int]) -> str:
    """Return which levels a figure is over, where it is not over all of them."""
    label = result.label(levels)
    return "" if label == ALL_LEVELS else f" ({label})"


def _told(found: Estimate | None) -> str:
    if found is None:
        return UNAVAILABLE
    return f"{found.mean:,.0f}{quantities.interval(found.low, found.high, '{:,.0f}')}"


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


def _at_levels(result: Result) -> Iterator[dict[str, object]]:
    """Yield the rows of each level, those of the rates first."""
    for level, compared in result.levels.items():
        yield from (_pair_row(result, level, RATE, pair) for pair in compared.pairs)
        if level in result.cpu_levels:
            yield from (_pair_row(result, level, PER_CPU, pair) for pair in result.cpu_levels[level].pairs)


def _pair_row(result: Result, level: int | None, figure: str, pair: Pair) -> dict[str, object]:
    """Return the row of a pair at a level, or over all of them where that is None."""
    basis = result.basis if level is None else result.level_basis[level]
    ratio, has_outcome = pair.ratio, figure == basis
    low, high, confidence = pair.bounds if has_outcome else (ratio.low, ratio.high, "")
    return {
        "level": result.label(ratio.over) if level is None else level,
        "figure": figure,
        "pair": f"{ratio.first} / {ratio.second}",
        "ratio": quantities.ratio(ratio.ratio),
        "95 % interval": quantities.bounds(low, high, confidence=confidence).strip() or "–",
        "outcome": pair.word if has_outcome else "–",
    }
