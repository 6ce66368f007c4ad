"""A run in formats for other programs: all of it as JSON, its cells as CSV, and TFB's results file. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from benchlab import __version__
from benchlab.core.errors import StoreError
from benchlab.experiment import profiles, stack
from benchlab.load import registry
from benchlab.load.metrics import PER_APP_CPU, PER_CPU, RATE, Metric
from benchlab.quality import judge
from benchlab.records import schema
from benchlab.records.counters import APP, CLIENT, DB, PROXY, HostUsage, Usage
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Level, LevelKey
from benchlab.records.run import GOOD, INVALID, SUSPECT, Run, Sample
from benchlab.report import factors, markdown, report, tfb_results
from benchlab.statistics import analysis, cells, effects
from benchlab.statistics.analysis import ALL_LEVELS, Result, Scope
from benchlab.statistics.cells import Cell
from benchlab.statistics.comparison import Comparison, Pair, Standing
from benchlab.statistics.factorial import DesignError

# The usage of a role without a container.
NO_USAGE = Usage()
# The columns that are fields of a record, and how they are read from one.
COLUMNS: dict[type[Any], tuple[str, ...]] = {
    of: tuple(field.name for field in fields(of) if field.name not in ("latency", "errors"))
    for of in (Level, Load, Latency, Errors, HostUsage, Usage)
}
READ = {of: attrgetter(*names) for of, names in COLUMNS.items()}


def samples_csv(run: Run) -> str:
    """Return a row for each sample as CSV; "" if there is none."""
    if not run.taken:
        return ""
    roles = sorted({role for sample in run.taken for role in sample.counters.roles})
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_sample_header(roles))
    writer.writerows(_sample_row(sample, roles) for sample in run.taken)
    return lines.getvalue()


def _sample_header(roles: Sequence[str]) -> list[str]:
    parts = {"latency": Latency, "errors": Errors, "host": HostUsage, **dict.fromkeys(roles, Usage)}
    return [
        *("block", "entry", "test", "repeat", *COLUMNS[Level], "attempt", "started_at", "verdict", "broken"),
        *COLUMNS[Load],
        *(f"{part}_{name}" for part, of in parts.items() for name in COLUMNS[of]),
        *("between_us", "idle_entries_cpu_us"),
    ]


def _sample_row(sample: Sample, roles: Sequence[str]) -> list[object]:
    """Return the sample's values, in the order of the header."""
    trial, load, counters, verdict = sample.trial, sample.load, sample.counters, sample.verdict
    row = [trial.block, trial.entry, trial.test, trial.repeat, *READ[Level](trial.level)]
    row += [sample.attempt, sample.started_at.isoformat(), verdict.severity, "; ".join(verdict.broken)]
    row += [
        *READ[Load](load),
        *READ[Latency](load.latency),
        *READ[Errors](load.errors),
        *READ[HostUsage](counters.host),
    ]
    for role in roles:
        row += READ[Usage](counters.roles.get(role, NO_USAGE))
    row += [counters.between_us, counters.idle_entries_cpu_us]
    return row


TFB = "tfb"
# The version of the JSON document, which docs/export.md describes.
# 1: the first form.
# 2: ranked_by may be null; a pair has the 90 % interval, the levels that it is over, and how many are compared; the key
#    of a metric's name is metric, not figure.
VERSION = 2
# The JSON document's own keys for these metrics of a cell; all others have their usual keys.
OWN_NAMES = {RATE: "rate", PER_CPU: "per_cpu_s", PER_APP_CPU: "per_app_cpu_s"}
# CSV's columns of a metric: what follows its name, and the estimate's field.
ESTIMATE = {"": "mean", "_low": "low", "_high": "high", "_median": "median", "_min": "minimum", "_max": "maximum"}


def text(run: Run, form: str) -> str:
    """Return the run in one of FORMATS. Raises StoreError if it has no sample that counts."""
    if not run.samples:
        raise StoreError(
            f"{run.manifest.run_id} has no sample that counts, so there is nothing to export; "
            "`python lab.py report` tells why"
        )
    return FORMATS[form](run)


def document(run: Run) -> dict[str, Any]:
    """Return the run and its whole analysis, ready for JSON."""
    return {
        "format": "benchlab",
        "version": VERSION,
        "analysed_by": __version__,
        "parameters": analysis.parameters(),
        "manifest": schema.plain(run.manifest),
        "cautions": profiles.cautions(run.manifest),
        "ended_at": run.ended_at.isoformat(),
        "blocks": run.blocks,
        "untried": run.to_come,
        "decision": None if run.decision is None else schema.plain(run.decision),
        **({"looks": [schema.plain(look) for look in run.looks]} if run.looks else {}),
        "verification": [schema.plain(finding) for finding in run.findings],
        "samples": _samples(run),
        "tests": [_test(result) for result in analysis.analyse(run)],
        "factors": _factors(run),
        "missing": [asdict(failure.trial) | {"reason": failure.reason} for failure in judge.missing(run)],
    }


def _samples(run: Run) -> dict[str, Any]:
    severities = Counter(sample.verdict.severity for sample in run.taken)
    return {
        "taken": len(run.taken),
        "counted": len(run.samples),
        **{severity: severities[severity] for severity in (GOOD, SUSPECT, INVALID)},
        "broken": dict(sorted(Counter(name for sample in run.taken for name in sample.verdict.broken).items())),
        "unknown": sorted({name for sample in run.taken for name in sample.verdict.unknown}),
    }


def _test(result: Result) -> dict[str, Any]:
    overall = {**result.informing, **({result.basis: result.overall} if result.basis else {})}
    usual = result.measures.ranked_by
    return {
        "test": result.test,
        "ranked_by": result.basis and result.basis.name,
        "cells": [_cell(cell, result.measures.every) for cell in result.cells],
        "unmeasured": [{"entry": entry, "level": level.value} for entry, level in result.unmeasured],
        "standings": [_standing(standing) for standing in result.standings],
        "comparisons": [
            *(_comparison(level, usual, compared) for level, compared in result.levels[usual].items()),
            *(_comparison(ALL_LEVELS, metric, compared) for metric, compared in overall.items() if compared.entries),
        ],
    }


def _cell(cell: Cell, metrics_of: Sequence[Metric]) -> dict[str, Any]:
    estimates = {OWN_NAMES.get(metric, metric.key): cell.estimates.get(metric) for metric in metrics_of}
    return {
        "entry": cell.entry,
        "test": cell.test,
        "level": cell.level.value,
        **{name: estimate and asdict(estimate) for name, estimate in estimates.items()},
        "memory_peak_bytes": cell.memory_peak_bytes,
        "shares": asdict(cell.shares),
        "bottleneck": cell.bottleneck,
        "client_bound": cell.client_bound,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    ratio = standing.pair.ratio if standing.pair else None
    bounds = {"low": ratio.low if ratio else None, "high": ratio.high if ratio else None}
    rank = None if standing.rank is None else asdict(standing.rank)
    return {"entry": standing.entry, "relative": standing.relative, **bounds, "rank": rank}


def _comparison(scope: Scope, metric: Metric, compared: Comparison) -> dict[str, Any]:
    return {
        "level": scope.value,
        "metric": metric.name,
        "ranks": {entry: asdict(rank) for entry, rank in compared.ranks.items()},
        "pairs": [_pair(pair) for pair in compared.pairs],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    ratio = asdict(pair.ratio)
    if not pair.ratio.through:
        del ratio["through"]
    return ratio | {
        "over": [level.value for level in pair.ratio.over],
        "adjusted_p": pair.adjusted_p,
        "among": pair.among,
        "outcome": pair.outcome.value,
    }


def _factors(run: Run) -> dict[str, Any] | None:
    """Return the effects of factors; None if the entries do not form a factorial design."""
    try:
        factor_analysis = effects.analyse(run)
    except DesignError:
        return None
    return {
        "levels": factor_analysis.design.factors,
        "effects": [
            {
                "test": estimated.test,
                "level": estimated.level.value,
                "metric": estimated.metric.name,
                **asdict(estimated.effect),
                **_pair(estimated.pair),
            }
            for estimated in factor_analysis.effects
        ],
        "untold": {
            test: [factors.why_left_out(part) for part in parts] for test, parts in factor_analysis.left_out.items()
        },
    }


def _json(run: Run) -> str:
    return _dumped(document(run))


def _tfb(run: Run) -> str:
    return _dumped(tfb_results.results(run))


def _dumped(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _csv(run: Run) -> str:
    lines = io.StringIO()
    rows = list(_rows(run))
    writer = csv.DictWriter(lines, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


def _rows(run: Run) -> Iterator[dict[str, object]]:
    """Yield a row for each planned cell; one without a sample that counts has 0 blocks and no values."""
    measured = {(cell.entry, cell.test, cell.level): cell for cell in cells.every_cell(run)}
    counts = Counter((sample.trial.entry, sample.trial.test, sample.trial.level.key) for sample in run.samples)
    keys = registry.of(run.manifest.settings).keys
    for test, levels in run.manifest.settings.levels.items():
        for level in sorted(keys(test, levels)):
            for entry in sorted(run.manifest.entries):
                if test in run.manifest.tests(entry):
                    key = entry, test, level
                    yield _row(run, key, measured.get(key), counts[key])


def _row(run: Run, key: tuple[str, str, LevelKey], cell: Cell | None, samples: int) -> dict[str, object]:
    entry, test, level = key
    every = registry.measures(run.manifest).every
    return {
        "run": run.manifest.run_id,
        "entry": entry,
        "test": test,
        "varies": level.unit,
        "level": level.value,
        "blocks": cell.rate.blocks if cell else 0,
        "samples": samples,
        **{name: value for metric in every for name, value in _estimate(metric, cell).items()},
        "memory_peak_bytes": cell and cell.memory_peak_bytes,
        **{f"{role}_cpu_share": cell and cell.shares.roles.get(role) for role in (CLIENT, PROXY, APP, DB)},
        "host_idle_share": cell and cell.shares.idle,
        "limited_by": cell and cell.bottleneck,
        "caution": "; ".join(
            filter(None, [*profiles.of_run(run.manifest), stack.other_base(run.manifest.entries[entry])])
        ),
    }


def _estimate(metric: Metric, cell: Cell | None) -> dict[str, object]:
    estimate = cell and cell.estimates.get(metric)
    return {f"{metric.key}{suffix}": estimate and getattr(estimate, field) for suffix, field in ESTIMATE.items()}


def _markdown(run: Run) -> str:
    return markdown.text(run.once(report.report))


FORMATS: Mapping[str, Callable[[Run], str]] = {TFB: _tfb, "csv": _csv, "json": _json, "markdown": _markdown}
