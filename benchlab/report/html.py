"""A run's report, or a comparison, as one HTML file that needs no network: Jinja2 for the page, plotly for its plots.

The library and the plots are compressed in the file, which makes it less than half as large; the page unpacks them.
Equal runs give equal files where zlib is the same: nothing in them is made by chance or by the clock.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

import jinja2
import pandas as pd

from benchlab import __version__
from benchlab.core import letters, quantities
from benchlab.core.errors import ConfigError
from benchlab.core.quantities import counted
from benchlab.experiment import profiles, stack
from benchlab.records.run import Run
from benchlab.report import (
    changes,
    charts,
    factors,
    invocation,
    lead,
    markdown,
    plots,
    points,
    report,
    sentences,
    standings,
)
from benchlab.report.charts import Chart, Look
from benchlab.report.plots import HeatMap
from benchlab.report.points import Clock
from benchlab.statistics import analysis, baseline, bottleneck, effects, regression
from benchlab.statistics.analysis import Result
from benchlab.statistics.baseline import Side
from benchlab.statistics.candidate import Versus
from benchlab.statistics.comparison import LEAST_BLOCKS
from benchlab.statistics.regression import Gate
from benchlab.statistics.stats import EQUIVALENCE

# Inlined, not linked: a report is one file.
STYLE, SCRIPT = "page.css", "page.js"
# What stands left in a table: words.
COMPACT: Mapping[str, Any] = {"separators": (",", ":"), "allow_nan": False}
LEFT = frozenset([*markdown.LEFT, *stack.COLUMNS, "verdict"])


@dataclass(frozen=True)
class Factors:
    """What the page shows of the factors in which the entries are crossed."""

    sentences: Sequence[str]
    notes: Sequence[str]
    chart: Chart
    tables: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Section:
    """What the page shows of one test."""

    test: str
    limits: str
    rates: Chart
    course: Chart
    per_cpu: Chart
    memory: Chart
    cpus: Chart
    summary: pd.DataFrame
    values: pd.DataFrame
    heat_maps: Sequence[HeatMap]

    @property
    def charts(self) -> tuple[Chart, ...]:
        return self.rates, self.course, self.per_cpu, self.memory, self.cpus


def page(run: Run) -> str:
    """Return the report of the run."""
    results = analysis.analyse(run) if run.samples else ()
    looks = charts.looks(run.manifest.entries)
    time = points.clock(run)
    sections = [_section(run, result, looks, time) for result in results]
    compared = any(len(result.standings) > 1 for result in results)
    overall = plots.overall(results, looks) if compared else None
    crossed = _factors(run) if run.samples else None
    manifest = asdict(run.manifest)
    del manifest["facts"]
    return _rendered(
        "report.html",
        [
            *([overall] if overall else []),
            *([crossed.chart] if crossed else []),
            *(chart for section in sections for chart in section.charts),
        ],
        title=run.manifest.run_id,
        subtitle=_subtitle(run),
        about=report.about(run),
        caution=profiles.caution(run.manifest),
        lead=lead.answers(run, results),
        beware=lead.BEWARE,
        warnings=list(sentences.warnings(run, results)),
        overall=overall,
        better_side=plots.better_side(result.overall.better for result in results),
        factors=crossed,
        sections=sections,
        entries=pd.DataFrame(stack.rows(run.manifest.entries), columns=["entry", *stack.COLUMNS]),
        memory=report.MEMORY,
        verdicts=report.judged(run),
        broken=report.broken_rules(run),
        findings=report.findings(run),
        verification=report.VERIFICATION,
        missing=report.reasons(run),
        command=invocation.command(run.manifest),
        commit=_commit(run),
        facts=run.manifest.facts.plain(),
        manifest=manifest,
        chance=standings.chance(results),
        least_blocks=LEAST_BLOCKS,
        equivalence=EQUIVALENCE,
        signs={outcome.value: sign for outcome, sign in plots.SIGNS.items()},
        version=__version__,
    )


def comparison(held: Versus, differences: Sequence[str], gate: Gate | None) -> str:
    """Return how the new side compares with the old one, and what the gate says of it."""
    old, new = held.old, held.new
    changes_plot = plots.changes(held.rows)
    return _rendered(
        "compare.html",
        [changes_plot],
        title="New against old",
        better_side=plots.better_side(row.metric.better for row in held.rows),
        subtitle=f"{_run_ids(new)} against {_run_ids(old)}",
        old=old,
        new=new,
        answers=list(sentences.changes(held.rows)),
        untold=held.untold,
        differences=differences,
        gate=gate,
        design=held.design.name,
        counts=baseline.counts(old, new),
        counted_once=regression.COUNTED_ONCE,
        changes=changes_plot,
        ratios=changes.frame(held.rows),
        version=__version__,
    )


def _run_ids(side: Side) -> str:
    return sentences.names([run.manifest.run_id for run in side.runs])


def _factors(run: Run) -> Factors | None:
    """Return what the run tells of factors; None where its entries tell nothing."""
    try:
        answer = effects.answer(run)
    except ConfigError:
        return None
    if not answer.told:
        return None
    tables = {
        test: factors.frame(answer, test, told) for test, told in groupby(answer.told, key=lambda told: told.test)
    }
    return Factors(list(factors.sentences(answer)), factors.notes(answer), plots.factors(answer), tables)


def _commit(run: Run) -> str:
    """Return the commit that the lab was at, nothing where that is not known."""
    return run.manifest.facts.lab_commit or ""


def _subtitle(run: Run) -> str:
    cpu = run.manifest.facts.host.cpu_model
    where = counted(run.manifest.cpus, "CPU") + (f" ({cpu})" if cpu else "")
    entries = sentences.names(sorted(run.manifest.entries))
    return f"{entries} on {where}, {run.manifest.created_at:%Y-%m-%d %H:%M} UTC"


def _section(run: Run, result: Result, looks: Mapping[str, Look], time: Clock) -> Section:
    found = points.points(run, result, time)
    order = standings.order(result)
    groups = points.groups(found, order)
    rows = charts.rows(groups)
    shares = {
        key: bottleneck.of_host(samples)
        for key, samples in points.by_row(point for point in found if point.kind in points.COUNTING).items()
    }
    return Section(
        test=result.test,
        limits=sentences.limits(result),
        rates=plots.rates(result, found, rows, looks, run.blocks),
        course=plots.course(result.test, found, looks, time),
        per_cpu=plots.per_cpu(result, rows, looks),
        memory=plots.memory(result, order, looks),
        cpus=plots.cpus(result, groups, shares),
        summary=standings.summary(result),
        values=standings.values(result),
        heat_maps=list(_heat_maps(result, order)),
    )


def _heat_maps(result: Result, order: Sequence[str]) -> Iterable[HeatMap]:
    """Yield the pairs over all levels, and by what ranks them at each level, where there are not too many of them.

    A metric that does not rank has squares without outcomes.
    """
    usual = result.compared[result.measures.ranked_by]
    if len(usual.entries) < 2:
        return
    for metric in (*reversed(result.measures.ranking), *result.measures.beside):
        if metric in result.compared:
            is_basis = metric == result.basis
            compared = result.overall if is_basis else result.compared[metric]
            yield plots.heat_map(f"{metric.name}, over all levels", compared, order, is_basis)
    if len(result.level_basis) > 1 and len(usual.pairs) <= standings.MOST_PAIRS:
        for level, compared in result.decided_levels.items():
            basis = result.level_basis[level]
            title = f"{basis.name if basis else ''}, {level.name}"
            yield plots.heat_map(title, compared, order)


def _rendered(template: str, drawn: Iterable[Chart], **context: Any) -> str:
    library = _library()
    script = _asset(SCRIPT)
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            figures=_packed(json.dumps({chart.name: chart.figure for chart in drawn}, **COMPACT)),
            style=_asset(STYLE),
            script=script,
            library=library.packed,
            too_wide=quantities.TOO_WIDE,
            meaning=quantities.MEANING,
            script_digests=[_digest(script), library.digest],
        )
    )


@dataclass(frozen=True)
class Library:
    """Plotly's script, compressed, as text; and the digest by which the page's policy lets it run, and it alone."""

    packed: str
    digest: str


@cache
def _library() -> Library:
    source = (resources.files("plotly") / "package_data/plotly.min.js").read_text(encoding="utf-8")
    return Library(_packed(source), _digest(source))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchlab.report"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    environment.filters["is_left"] = LEFT.__contains__
    return environment


def _visible(value: object) -> object:
    """Return a text without letters that would turn others around; of what is no text, the same."""
    return letters.visible(value) if isinstance(value, str) and letters.HIDDEN.search(value) else value


@cache
def _asset(name: str) -> str:
    return (resources.files("benchlab.report") / "templates" / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Return the text compressed, in letters."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _digest(script: str) -> str:
    """Return the digest as a content security policy names a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
