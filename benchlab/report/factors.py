"""The report of a run's factors: two sentences, the factorial design, and a table for each test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import pandas as pd

from benchlab.core import quantities
from benchlab.core.quantities import counted
from benchlab.experiment import profiles
from benchlab.experiment.workloads import DATABASE
from benchlab.factors import catalog
from benchlab.records.plan import QUERIES, LevelKey
from benchlab.records.run import Run
from benchlab.report import document, outcomes
from benchlab.report.document import Block, Bullets, Document, Paragraph, Plot, Table
from benchlab.statistics import effects
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.comparison import Outcome, Pair
from benchlab.statistics.effects import EstimatedEffect, FactorAnalysis, LeftOut
from benchlab.statistics.factorial import Change, DesignError, Effect, FactorialDesign
from benchlab.statistics.stats import EQUIVALENCE

# Outcomes of an interaction: how two changes together compare with the product of each.
INDEPENDENT, MORE, LESS = "independent", "more together", "less together"
PLOT = Plot(
    "factors",
    "What each change did, over all levels",
    "Each change alone, and with × what two do together beyond the product of each; 95 % intervals, of what makes no "
    "difference the 90 % one that shows it. Hollow: cannot be told from no change. The axis is logarithmic.",
)
# With more levels of a factor a run's report leaves factors out; `lab.py factors` reports them.
MOST_LEVELS = 8
# At most so many cells without an entry are listed; the rest are counted.
MOST_MISSING = 4


def of_run(run: Run) -> FactorAnalysis | None:
    """Return the effects of the run's factors; None if its entries show none.

    A factor of more levels than MOST_LEVELS is a list of entries, which the summaries are, too.
    """
    if not run.samples:
        return None
    try:
        analysis = effects.analyse(run)
    except DesignError:
        return None
    design, asked = analysis.design, run.manifest.settings.vary
    has_lists = any(len(design.factors[name]) > MOST_LEVELS for name in design.studied if name not in asked)
    return analysis if analysis.effects and not has_lists else None


def report(run: Run, analysis: FactorAnalysis) -> Document:
    """Return the report of `lab.py factors`: the effects, the factorial design, and a table for each test."""
    caution = profiles.caution(run.manifest)
    return Document(tuple(blocks(analysis)), f"Factors of {run.manifest.run_id}{caution}")


def blocks(analysis: FactorAnalysis) -> Iterator[Block]:
    """Yield sentences, the cells of the design, notes, and a table for each test."""
    yield Paragraph((" ".join(sentences(analysis)),))
    if analysis.effects:
        yield PLOT
    yield _design(analysis.design)
    if lines := notes(analysis):
        yield Bullets(tuple(lines))
    for test, effects_of_test in groupby(analysis.effects, key=lambda each: each.test):
        yield _table(analysis, test, list(effects_of_test))


def sentences(analysis: FactorAnalysis) -> Iterator[str]:
    """Yield two sentences, for the test that asks most of the database: each effect, and the interactions."""
    headline = _headline(analysis)
    if headline is None:
        one = " of one change" if analysis.effects else ""
        yield f"No block has a sample of all the entries that an effect{one} needs."
        return
    test, level, shown = headline
    at = _at(test, level)
    metric = analysis.metric(test, level)
    if metric is None:
        neither = " nor ".join(each.long_name for each in analysis.results[test].measures.ranking)
        yield (
            f"At {at} some entries filled the host and others did not, so neither {neither} shows what a factor does."
        )
        return
    main_effects = [_main_effect(each) for each in shown if len(each.effect.changes) == 1 and each.metric == metric]
    interactions = [_interaction(each) for each in shown if len(each.effect.changes) == 2 and each.metric == metric]
    combined = "; ".join(interactions) or (
        "only one factor was studied, so there are no interactions"
        if len(analysis.design.studied) == 1
        else "how the factors interact is unknown, because entries are missing"
    )
    yield f"At {at}, in {metric.long_name}, {'; '.join(main_effects)}. {combined[0].upper()}{combined[1:]}."


def _at(test: str, level: LevelKey) -> str:
    """Return the level, with the test where the level does not imply it."""
    if level.unit != QUERIES:
        return f"{level.name} ({test})"
    return f"{counted(level.value, 'query', 'queries')} a request{'' if test == 'query' else f' ({test})'}"


def _headline(analysis: FactorAnalysis) -> tuple[str, LevelKey, list[EstimatedEffect]] | None:
    """Return the test that asks most of the database, its largest level, and the effects there in each metric."""
    tests = {each.test for each in analysis.effects}
    for test in [*(test for test in DATABASE if test in tests), *sorted(tests)]:
        of_test = [each for each in analysis.effects if each.test == test]
        levels = [each.level for each in of_test if each.level is not ALL_LEVELS and len(each.effect.changes) == 1]
        if levels:
            return test, max(levels), [each for each in of_test if each.level == max(levels)]
    return None


def _main_effect(estimated: EstimatedEffect) -> str:
    """Return what the change from the reference to the level did, with the table's ratio."""
    (change,) = estimated.effect.changes
    instead = f"{_step(change)}{_between(estimated.effect)}"
    if estimated.pair.outcome is Outcome.EQUAL:
        return f"{instead} made no difference beyond {EQUIVALENCE:.0%} ({_times(estimated.pair)})"
    if estimated.pair.outcome is Outcome.UNDECIDED:
        return f"{instead} cannot be told from no change{_why_undecided(estimated.pair)} ({_times(estimated.pair)})"
    return f"{instead} gave {_times(estimated.pair)}"


def _interaction(estimated: EstimatedEffect) -> str:
    """Return how much more the first change did at the second's level than at its reference."""
    first, second = estimated.effect.changes
    step = f"{_step(first)}{_between(estimated.effect)}"
    where, there = (_named(second.factor, level) for level in (second.level, second.reference))
    if estimated.pair.outcome is Outcome.EQUAL:
        return f"{step} gave the same with {where} as with {there}, within {EQUIVALENCE:.0%} ({_times(estimated.pair)})"
    if estimated.pair.outcome is Outcome.UNDECIDED:
        doubt = _why_undecided(estimated.pair)
        return (
            f"whether {step} gave more with {where} than with {there} cannot be told{doubt} ({_times(estimated.pair)})"
        )
    return f"{step} gave {_times(estimated.pair)} as much with {where} as with {there}"


def _between(effect: Effect) -> str:
    """Return which entries the effect is taken from, where the design lacks others that would show it too."""
    return f" (between {_sources(effect.groups)} alone)" if len(effect.groups) < effect.possible else ""


def _why_undecided(pair: Pair) -> str:
    """Return why the effect is undecided, where its interval does not show that."""
    if pair.adjusted_p is None:
        return f" on {counted(pair.ratio.blocks, 'block')}"
    return f" among {pair.among} effects" if pair.is_unclear else ""


def _design(design: FactorialDesign) -> Table:
    headers = ("entry", *design.factors)
    rows = tuple((entry, *cell) for cell, entry in sorted(design.filled.items(), key=itemgetter(1)))
    return Table(headers, rows, words=headers, title="How the entries are crossed")


def notes(analysis: FactorAnalysis) -> list[str]:
    """Return notes: cells without an entry, what changes along with a factor, how outcomes are corrected."""
    design = analysis.design
    lines = []
    if missing := design.missing:
        shown = "; ".join(" ".join(cell) for cell in missing[:MOST_MISSING])
        more = f"; and {len(missing) - MOST_MISSING} more" if len(missing) > MOST_MISSING else ""
        lines.append(f"Cells without an entry ({', '.join(design.factors)}): {shown}{more}.")
    for effect in design.effects:
        named = effect_title(effect)
        if len(effect.groups) < effect.possible:
            lines.append(f"{named} comes from {_sources(effect.groups)}.")
        companions = design.companions(effect) if len(effect.changes) == 1 else {}
        if companions:
            changed = "; ".join(f"{name} ({', '.join(levels)})" for name, levels in companions.items())
            lines.append(f"{named} also changes {changed}; this effect includes what that does.")
    if any(each.pair.is_unclear for each in analysis.effects if analysis.is_headed_by(each)):
        lines.append(
            "Outcomes are corrected (Holm) for all effects of a level, because among many chance alone makes some: so "
            "an effect may lack an outcome although its own interval excludes 1."
        )
    return lines


def _sources(groups: Iterable[Iterable[str]]) -> str:
    return "; ".join(" and ".join(sorted(group)) for group in groups)


def effect_title(effect: Effect) -> str:
    """Return the name of its rows: "orm: raw / full"; for two changes, "orm raw × proxy nginx"."""
    if len(effect.changes) > 1:
        return " × ".join(f"{change.factor} {change.level}" for change in effect.changes)
    (change,) = effect.changes
    return f"{change.factor}: {change.level} / {change.reference}"


def frame(analysis: FactorAnalysis, test: str, estimates: Iterable[EstimatedEffect]) -> pd.DataFrame:
    """Return a row for each effect at each level of the test, with each metric."""
    names = [metric.name for metric in analysis.results[test].measures.compared]
    columns = ["level", document.EFFECT, *names, "blocks", "outcome"]
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for each in estimates:
        row = rows.setdefault((each.level, each.effect.names), dict.fromkeys(columns, "–") | _row(each))
        is_head = analysis.is_headed_by(each)
        ratio = each.pair.ratio
        interval = outcomes.interval(each.pair) if is_head else quantities.bounds(ratio.low, ratio.high)
        row[each.metric.name] = f"{quantities.ratio(ratio.ratio)}{interval}"
        if is_head:
            row |= {"blocks": each.pair.ratio.blocks, "outcome": _outcome(each)}
    return pd.DataFrame(rows.values(), columns=columns)


def why_left_out(part: LeftOut) -> str:
    if part.level is None:
        return f"{part.entry} has no sample"
    return f"wrk was the limit of {part.entry} at {part.level}"


def _table(analysis: FactorAnalysis, test: str, of_test: list[EstimatedEffect]) -> Table:
    basis = analysis.results[test].basis
    by = (
        f"outcome by {basis.name}" if basis else "no outcome over all levels: some rows filled the host, others did not"
    )
    left_out = analysis.left_out[test]
    return document.table(
        frame(analysis, test, of_test),
        f"Factors in {test}: ratios [95 % interval], {by}",
        notes=[f"Left out: {'; '.join(map(why_left_out, left_out))}."] if left_out else [],
        is_detail=True,
    )


def _row(estimated: EstimatedEffect) -> dict[str, object]:
    return {"level": outcomes.levels(estimated.over), document.EFFECT: effect_title(estimated.effect)}


def _outcome(estimated: EstimatedEffect) -> str:
    outcome = estimated.pair.outcome
    if outcome is Outcome.UNDECIDED or len(estimated.effect.changes) == 1:
        return outcomes.outcome(estimated.pair)
    if outcome is Outcome.EQUAL:
        return INDEPENDENT
    return MORE if estimated.pair.ratio.ratio > 1 else LESS


def _step(change: Change) -> str:
    """Return what is exchanged; of a factor that is nothing but its name, such as a package, with that before it."""
    name = "" if catalog.is_known(change.factor) else f"{change.factor} "
    return f"{name}{_named(change.factor, change.level)} instead of {_named(change.factor, change.reference)}"


def _named(factor: str, level: str) -> str:
    return catalog.of_label(factor).called(level)


def _times(pair: Pair) -> str:
    return f"{quantities.ratio(pair.ratio.ratio, decimals=2)}x{outcomes.interval(pair, decimals=2)}"
