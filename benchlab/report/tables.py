"""The tables of a run: rates, ranks, ratios of pairs, bottlenecks, broken rules; and those of the original study."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pandas as pd

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load.closed import TIMEOUT_S
from benchlab.load.metrics import PER_CPU, RATE, Metric
from benchlab.quality import judge
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import LevelKey, Manifest
from benchlab.records.run import GOOD, INVALID, SUSPECT, Run, Sample
from benchlab.report import document, outcomes
from benchlab.report.document import Table
from benchlab.statistics.analysis import ALL_LEVELS, Result, Scope, unmeasured
from benchlab.statistics.bottleneck import NEARLY_FULL_IDLE
from benchlab.statistics.cells import Cell
from benchlab.statistics.comparison import Pair, Standing
from benchlab.statistics.stats import ALPHA, Estimate

# With more pairs than these, ratios of single levels are left out. Six entries have 15 pairs.
MOST_PAIRS = 15
# With more entries than these, the overview has a table for each test, with an entry in each row; and text has no more
# pairs than those of neighbours: the page has all.
MANY = 8
# Stands in place of a value without samples that count; the report gives the reasons under "Not measured".
UNMEASURED = "not measured"
MEMORY = "peak memory, MB"
# Notes under ratios of which some have no outcome.
ON_FULL_HOST = (
    "Outcomes are those of {}: all rows left the host hardly any time to spare (less than "
    f"{NEARLY_FULL_IDLE:.0%}), and there a rate says as much about wrk as about an entry."
)
UNRANKED = (
    "Some rows filled the host and others did not: over all levels nothing has an outcome, and at a level the metric "
    "that all its rows can be compared by."
)
THROUGH = (
    "A pair (through another entry) has no block in common: its ratio is that of the first to the other entry times "
    "that of the other entry to the second, and its interval is as wide as both together make it."
)
# The note under tables of latencies that wrk miscounts.
PIPELINED = (
    "wrk's latencies of pipelined batches are too low: it adds requests that it takes for delayed to its histogram, "
    "and counts them without their time. Go by N / X."
)
FORMATS = {
    "totalRequests": "{:.1f}",
    "seconds": "{:.2f}",
    "requestsPerSecond": "{:.2f}",
    "latencyAvg": "{:.3f}",
    "latencyMax": "{:.3f}",
    "N / X": "{:.3f}",
}
# The verdict of a sample that breaks a rule, by the rule's severity; a good sample gets a note only.
VERDICTS = {GOOD: "noted", SUSPECT: SUSPECT, INVALID: INVALID}
# The notes under the first summary, on columns that all of them have.
RANKS = "A rank spans all places that the entry may have."
PEAK_MEMORY = (
    "Peak memory is the most anonymous memory that all processes of the app held together while samples were taken; "
    "page cache and shared memory are not included. Memory that they took in an earlier test of the same block, and "
    "kept, is."
)
COLUMNS = (RANKS, PEAK_MEMORY)
BESIDE_CONTROL = (
    "Each entry is compared with {0} alone. Intervals of 95 % hold all at once, over all tests, and an outcome is that "
    "of its interval; “equal” has its own interval, of 90 %."
)
STUDY_ELSEWHERE = "Of so many entries the study's tables stand on the page."
ELSEWHERE = "with their intervals, stand on the page and in `lab.py export --format json`."
RANK, OUTCOME = "rank", "outcome"
# The outcome of an entry that cannot be compared with the control.
UNCOMPARED = "no block in common"
# The column of values relative to the leader's; the metric that ranks, if any, follows the word.
RELATIVE = "relative"


def overview(manifest: Manifest, results: Iterable[Result]) -> pd.DataFrame:
    """Return requests per second for each test and level, a column an entry: geometric mean with 95 % interval.

    A cell with fewer blocks than the fullest one says so; where groups of entries take turns, than the fullest one of
    entries that are in as many groups. Where wrk was the limit the rate is a lower bound. A planned
    cell without samples that count is UNMEASURED, also in a test without results.
    """
    results = list(results)
    without = [test for test in manifest.settings.tests if test not in {result.test for result in results}]
    turns = {entry: sum(entry in group for group in manifest.groups) for entry in manifest.entries}
    most: Counter[int] = Counter()
    for cell in (cell for result in results for cell in result.cells):
        most[turns[cell.entry]] = max(most[turns[cell.entry]], cell.rate.blocks)
    rows: dict[tuple[str, LevelKey], dict[str, object]] = {}
    entries: set[str] = set()
    measured = [(result, cell) for result in results for cell in result.cells]
    cells = [(result.test, cell.level, cell.entry, _rate(cell, most[turns[cell.entry]])) for result, cell in measured]
    cells += [(result.test, level, entry, UNMEASURED) for result in results for entry, level in result.unmeasured]
    cells += [(test, level, entry, UNMEASURED) for test in without for entry, level in unmeasured(manifest, test)]
    for test, level, entry, value in cells:
        rows.setdefault((test, level), {"test": test, "level": level.value})[entry] = value
        entries.add(entry)
    columns = ["test", "level", *sorted(entries)]
    return pd.DataFrame(rows.values(), columns=columns).fillna("–").sort_values(["test", "level"])


def overviews(manifest: Manifest, results: Iterable[Result]) -> Iterator[Table]:
    """Yield the overview: one table; of many entries one for each test, with an entry in each row, the best first."""
    results = list(results)
    frame = overview(manifest, results)
    if len(manifest.entries) <= MANY:
        yield document.table(frame, is_detail=True)
        return
    orders = {result.test: order(result) for result in results}
    for test, of_test in frame.groupby("test", sort=False):
        by_entry = of_test.drop(columns="test").set_index("level").T
        there = by_entry[(by_entry != "–").any(axis=1)]
        names = [entry for entry in orders.get(str(test), []) if entry in there.index]
        ordered = there.loc[[*names, *there.index.difference(names)]].rename_axis("entry").reset_index()
        yield document.table(ordered, str(test), is_detail=True)


def means(results: Iterable[Result]) -> pd.DataFrame:
    """Return requests per second of each entry, a column a test: the mean over its levels, with 95 % interval."""
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        for entry in result.averages[RATE]:
            rows.setdefault(entry, {"entry": entry})[result.test] = _average(result, RATE, entry)
    return pd.DataFrame([rows[entry] for entry in sorted(rows)]).fillna("–")


def summary(result: Result) -> pd.DataFrame:
    """Return a row for each entry, the best first: rank, value relative to the leader's, and its costs.

    Values are over all levels: the geometric mean, or for memory the largest. A value over some levels only says so,
    and an entry without any sample that counts is UNMEASURED.
    """
    ranked = {standing.entry: _summary_row(result, standing) for standing in result.standings}
    measured = {cell.entry for cell in result.cells}
    unranked = {entry: _row(result, entry, "–", "–") for entry in measured.difference(ranked)}
    lacking = {RANK: "–", _relative(result): UNMEASURED, OUTCOME: "–"}
    rows = ranked | unranked
    # Beside a control nobody has a rank, and each an outcome.
    told = [_relative(result), OUTCOME] if result.control else [RANK, _relative(result)]
    columns = ["entry", *told, *_cost(result), "limited by"]
    summaries = (rows.get(entry, {"entry": entry, **lacking}) for entry in order(result))
    return pd.DataFrame(summaries, columns=columns).fillna("–")


def order(result: Result) -> list[str]:
    """Return the entries by their standing, then those without a rank, and last those without any sample."""
    ranked = [standing.entry for standing in result.standings]
    unranked = sorted({cell.entry for cell in result.cells}.difference(ranked))
    return [*ranked, *unranked, *sorted({entry for entry, _ in result.unmeasured}.difference(ranked, unranked))]


def values(result: Result) -> pd.DataFrame:
    """Return a row for each entry at each level, with all its metrics."""
    rows: dict[tuple[LevelKey, str], dict[str, object]] = {
        (level, entry): {"level": level.value, "entry": entry, RATE.name: UNMEASURED, "blocks": 0}
        for entry, level in result.unmeasured
    }
    for cell in result.cells:
        rows[cell.level, cell.entry] = {
            "level": cell.level.value,
            "entry": cell.entry,
            RATE.name: _rate(cell, cell.rate.blocks),
            "blocks": cell.rate.blocks,
            **{metric.name: _value(metric, cell.estimates.get(metric)) for metric in _beside_rate(result)},
            MEMORY: _memory([cell]),
            "CPU used": outcomes.cpu_used(cell.shares),
            "limited by": cell.bottleneck,
        }
    place = {entry: number for number, entry in enumerate(order(result))}
    return pd.DataFrame(rows[key] for key in sorted(rows, key=lambda key: (key[0], place[key[1]]))).fillna("–")


def ratios(result: Result) -> pd.DataFrame:
    """Return a row for each pair of entries, at each level and over all levels: the ratio and its outcome.

    If the host was full, requests per CPU-second are compared too. Only the metric that ranks has outcomes.
    """
    rows = [
        _pair_row(result, ALL_LEVELS, metric, pair)
        for metric, compared in result.informing.items()
        for pair in compared.pairs
        if metric != result.basis
    ]
    if result.basis:
        rows += [_pair_row(result, ALL_LEVELS, result.basis, pair) for pair in result.overall.pairs]
    if result.control or len(result.compared[result.measures.ranked_by].pairs) <= MOST_PAIRS:
        rows = [*_at_levels(result), *rows]
    return pd.DataFrame(rows, columns=["level", "metric", "pair", "ratio", "95 % interval", "outcome"])


def chance(results: Sequence[Result]) -> str:
    """Return how often outcomes are wrong where entries do not differ: over all levels, and at single ones."""
    headlines = sum(pair.adjusted_p is not None for result in results for pair in result.overall.pairs)
    levels = sum(
        any(pair.adjusted_p is not None for pair in compared.pairs)
        for result in results
        for compared in result.decided_levels.values()
    )
    sentences = []
    if headlines and results[0].control:
        sentences.append(
            f"Over all levels, all intervals of ratios to {results[0].control} hold at once in 95 % of such reports "
            f"({counted(headlines, 'comparison')} of all tests): so 5 % is the chance that any outcome says faster or "
            "slower wrongly."
        )
    elif headlines:
        sentences.append(
            "Over all levels, 5 % is the chance that any outcome of this report says faster or slower wrongly (Holm, "
            f"over {counted(headlines, 'comparison')} of all tests)."
        )
    if levels > 1:
        those = "ratios" if results[0].control else "pairs"
        sentences.append(
            f"At a single level it is 5 % for the {those} of that level alone: where nothing differs, one or more of "
            f"{levels} levels say otherwise in up to {1 - (1 - ALPHA) ** levels:.0%} of reports."
        )
    return " ".join(sentences)


def _cost(result: Result) -> list[str]:
    """Return the columns of an entry's costs: a table of its own in text, as the summary is wider than a terminal."""
    return [*(metric.name for metric in _beside_rate(result)), MEMORY]


def _beside_rate(result: Result) -> list[Metric]:
    return [metric for metric in result.measures.every if metric != RATE]


def _relative(result: Result) -> str:
    return f"{RELATIVE} {result.basis.name}" if result.basis else RELATIVE


def _rate(cell: Cell, most: int) -> str:
    short = f" ({cell.rate.blocks} of {most} blocks)" if cell.rate.blocks < most else ""
    bound = "≥ " if cell.client_bound else ""
    return f"{bound}{_value(RATE, cell.rate)}{short}"


def _summary_row(result: Result, standing: Standing) -> dict[str, object]:
    return _row(result, standing.entry, str(standing.rank), relative(result, standing)) | {OUTCOME: _outcome(standing)}


def _outcome(standing: Standing) -> str:
    if standing.is_leader:
        return "–"
    return outcomes.outcome(standing.pair) if standing.pair else UNCOMPARED


def relative(result: Result, standing: Standing) -> str:
    """Return the entry's value relative to the leader's, with its interval, and its levels if they are not all."""
    if standing.relative is None:
        return "–"
    if standing.pair is None:
        return f"{standing.relative:.3f}"
    pair = standing.pair
    unclear = f", {outcomes.outcome(pair)}" if pair.is_unclear else ""
    through = f", through {pair.ratio.through}" if pair.ratio.through else ""
    return outcomes.ratio(pair) + unclear + through + _over(result, pair.ratio.over)


def _row(result: Result, entry: str, rank: str, relative_value: str) -> dict[str, object]:
    cells = [cell for cell in result.cells if cell.entry == entry]
    return {
        "entry": entry,
        RANK: rank,
        OUTCOME: "–",
        _relative(result): relative_value,
        **{metric.name: _average(result, metric, entry) for metric in _beside_rate(result)},
        MEMORY: _memory(cells),
        "limited by": _limits(cells),
    }


def _average(result: Result, metric: Metric, entry: str) -> str:
    average = result.averages[metric].get(entry)
    return UNAVAILABLE if average is None else _value(metric, average.estimate) + _over(result, average.over)


def _over(result: Result, levels: Sequence[LevelKey]) -> str:
    """Return the levels that a value covers; "" if it covers all."""
    over = result.over(levels)
    return "" if over.are_all else f" ({outcomes.levels(over)})"


def _value(metric: Metric, estimate: Estimate | None) -> str:
    if estimate is None:
        return UNAVAILABLE
    return f"{metric.written(estimate.mean)}{quantities.interval(estimate.low, estimate.high, metric.form)}"


def memory_mb(cells: Iterable[Cell]) -> float | None:
    """Return the largest peak of the cells in MB; None if no cell has one."""
    known = [cell.memory_peak_bytes for cell in cells if cell.memory_peak_bytes is not None]
    return max(known) / 1e6 if known else None


def _memory(cells: Iterable[Cell]) -> str:
    peak_mb = memory_mb(cells)
    return UNAVAILABLE if peak_mb is None else f"{peak_mb:,.0f}"


def _limits(cells: Iterable[Cell]) -> str:
    """Return what limited the entry, with the levels at which it did; without them if it did so at all levels."""
    levels: dict[str, list[str]] = {}
    for cell in cells:
        levels.setdefault(cell.bottleneck, []).append(str(cell.level))
    if len(levels) == 1:
        return next(iter(levels))
    return ", ".join(f"{name} ({', '.join(at)})" for name, at in levels.items())


def _at_levels(result: Result) -> Iterator[dict[str, object]]:
    """Yield the rows of each level, metric by metric."""
    for level in result.level_basis:
        for metric, of in result.levels.items():
            if level in of:
                yield from (_pair_row(result, level, metric, pair) for pair in of[level].pairs)


def _pair_row(result: Result, scope: Scope, metric: Metric, pair: Pair) -> dict[str, object]:
    basis = result.basis if scope is ALL_LEVELS else result.level_basis[scope]
    ratio, has_outcome = pair.ratio, metric == basis
    interval = outcomes.interval(pair) if has_outcome else quantities.bounds(ratio.low, ratio.high)
    return {
        "level": outcomes.levels(result.over(ratio.over)) if scope is ALL_LEVELS else scope.value,
        "metric": metric.name,
        "pair": f"{ratio.first} / {ratio.second}{f' (through {ratio.through})' if ratio.through else ''}",
        "ratio": quantities.ratio(ratio.ratio),
        "95 % interval": interval.strip() or "–",
        "outcome": outcomes.outcome(pair) if has_outcome else "–",
    }


def study(samples: tuple[Sample, ...], test: str) -> pd.DataFrame:
    """Return one row for each entry and level of the test, with the study's columns.

    Each value is the mean over the samples. latencyAvg and latencyMax are wrk's own, in ms. The lab adds N / X: what
    the mean must be in a closed loop whose connections all take part; of a pipelined load, that of a batch.
    """
    column = WORKLOADS[test].column
    rows = [
        {
            "framework": sample.trial.entry,
            column: sample.trial.level.key.value,
            "totalRequests": sample.load.requests,
            "seconds": sample.load.seconds,
            "requestsPerSecond": sample.load.requests_per_second,
            "latencyAvg": sample.load.latency.mean_us / 1000,
            "latencyMax": sample.load.latency.max_us / 1000,
            "N / X": closed_loop_s(sample) * 1000,
        }
        for sample in samples
        if sample.trial.test == test
    ]
    columns = ["framework", column, *FORMATS]
    return pd.DataFrame(rows, columns=columns).groupby(["framework", column], as_index=False).mean()


def closed_loop_s(sample: Sample) -> float:
    """Return connections over rate, in seconds; by pipelined batch where there are any. Source: Little's law."""
    level = sample.trial.level
    rate = sample.load.requests_per_second
    return level.connections * level.pipeline / rate if rate else math.nan


def study_tables(run: Run, test: str) -> Iterator[Table]:
    """Yield the study's two tables of the test, by rate and by latency, with notes on both below the second."""
    means = study(run.samples, test)
    pipelined = [PIPELINED] if WORKLOADS[test].pipeline > 1 else []
    notes = [*pipelined, *_short(run, test), *_timeouts(run, test)]
    by_rate, by_latency = (("requestsPerSecond", "descending"), ("latencyAvg", "ascending"))
    for (by, order), below in ((by_rate, []), (by_latency, notes)):
        ordered = _formatted(means.sort_values(by, ascending=order == "ascending", kind="stable"))
        title = f"{test}, by {by} {order} (latency in ms)"
        made = document.table(ordered, title, notes=below, is_detail=True)
        is_long = len(run.manifest.entries) > MANY
        yield (
            replace(made, brief=(), brief_note=STUDY_ELSEWHERE if by == "requestsPerSecond" else "")
            if is_long
            else made
        )


def summary_table(result: Result, *, notes: Sequence[str]) -> Table:
    """Return the summary; in text, the costs of the entries are a table of their own, because one would be too wide."""
    frame, cost = summary(result), _cost(result)
    ranks = [column for column in frame.columns if column not in cost]
    title = f"Summary over all levels, {_ranking(result)}"
    if result.control:
        notes = [BESIDE_CONTROL.format(result.control), *(note for note in notes if note != RANKS)]
    rank_of = {standing.entry: standing.rank for standing in result.standings}
    return document.table(
        frame,
        title,
        notes=notes,
        narrow=[ranks, ["entry", *cost]],
        ranks=[rank_of.get(entry) for entry in frame["entry"]],
    )


def values_table(result: Result) -> Table:
    """Return all metrics of each cell; in text, rates are in the overview and limits among the bottlenecks."""
    narrow = [["level", "entry", *_cost(result)]]
    return document.table(values(result), f"{result.test}: all metrics", narrow=narrow, is_detail=True)


def ratio_tables(result: Result) -> Iterator[Table]:
    """Yield the ratios of the test's pairs, if it has any; of many entries text has those of neighbours alone."""
    pairs = ratios(result)
    if pairs.empty:
        return
    made = document.table(pairs, "Ratios", notes=list(_note(result)), is_detail=True)
    yield made if len(result.overall.entries) <= MANY else replace(made, **_brief(result, pairs))


def _brief(result: Result, pairs: pd.DataFrame) -> dict[str, Any]:
    """Return the rows that text has of many pairs, and what it says of the others."""
    if result.control:
        return {"brief": (), "brief_note": f"{counted(len(pairs), 'ratio')} to {result.control}, {ELSEWHERE}"}
    neighbours = [f"{first} / {second}" for first, second in map(sorted, pairwise(order(result)))]
    named = [(neighbours.index(name), place) for place, name in enumerate(_names(pairs)) if name in neighbours]
    rows = tuple(place for _, place in sorted(named))
    note = (
        f"Neighbours in the order of the summary: {len(rows)} of {counted(len(pairs), 'row')}. All of them, {ELSEWHERE}"
    )
    return {"brief": rows, "brief_note": note}


def _note(result: Result) -> Iterator[str]:
    """Yield why some ratios have no outcome, and how those were made that share no block."""
    if result.basis is None:
        yield UNRANKED
    elif result.is_host_full:
        yield ON_FULL_HOST.format(result.basis.name)
    if any(pair.ratio.through for compared in result.compared.values() for pair in compared.pairs):
        yield THROUGH


def bottlenecks(results: Iterable[Result]) -> Table:
    """Return how much of its CPUs each role used, and what limited each cell."""
    rows = [
        {
            "test": cell.test,
            "level": cell.level.value,
            "entry": cell.entry,
            **{role: f"{share:.0%}" for role, share in cell.shares.roles.items()},
            "host idle": UNAVAILABLE if cell.shares.idle is None else f"{cell.shares.idle:.0%}",
            "limited by": cell.bottleneck,
        }
        for result in results
        for cell in result.cells
    ]
    # Not every entry has every role: some have no proxy.
    return document.table(pd.DataFrame(rows).fillna("–"), is_detail=True)


def broken_rules(run: Run) -> Iterator[Table]:
    """Yield which rules the samples broke, and how often; nothing if they broke none."""
    broken = Counter(name for sample in run.taken for name in sample.verdict.broken)
    rows = [
        {"rule": name, "samples": count, "verdict": VERDICTS[judge.severity(name)], "meaning": judge.meaning(name)}
        for name, count in sorted(broken.items(), key=lambda item: (-item[1], item[0]))
    ]
    if rows:
        yield document.table(pd.DataFrame(rows))


def _names(pairs: pd.DataFrame) -> list[str]:
    """Return the names of each pair, without the anchor."""
    return [str(pair).partition(" (")[0] for pair in pairs["pair"]]


def _ranking(result: Result) -> str:
    if result.basis is None:
        return "not ranked: some rows filled the host and others did not"
    against = f" with {result.control}" if result.control else ""
    of = " of app, database and proxy" if result.basis == PER_CPU else ""
    return f"compared{against} by {result.basis.long_name}{of}"


def _short(run: Run, test: str) -> Iterator[str]:
    """Yield which cells of the test have fewer samples than its fullest one, if any do."""
    counts = Counter(
        f"{sample.trial.entry} at {sample.trial.level.key}" for sample in run.samples if sample.trial.test == test
    )
    most = max(counts.values())
    if short := [f"{cell}: {count}" for cell, count in sorted(counts.items()) if count < most]:
        yield f"Means over fewer than {most} samples, so not quite comparable: {', '.join(short)}."


def _timeouts(run: Run, test: str) -> Iterator[str]:
    """Yield how many requests of the test took longer than wrk waits, if any did."""
    counts: dict[str, int] = {}
    for sample in run.samples:
        if sample.trial.test == test and sample.load.errors.timeout:
            cell = f"{sample.trial.entry} at {sample.trial.level.key}"
            counts[cell] = counts.get(cell, 0) + sample.load.errors.timeout
    if counts:
        timeouts = ", ".join(f"{cell}: {count}" for cell, count in sorted(counts.items()))
        yield f"Time-outs (a request that was answered after more than {TIMEOUT_S} s), over all blocks: {timeouts}."


def _formatted(means: pd.DataFrame) -> pd.DataFrame:
    formatted = means.astype(object)
    for column, form in FORMATS.items():
        formatted[column] = means[column].map(form.format)
    return formatted
