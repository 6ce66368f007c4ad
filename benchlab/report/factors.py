"""What a run tells of its factors, to be read: two sentences, how the entries are crossed, a table for each test."""

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
from benchlab.report import document
from benchlab.report.document import Block, Bullets, Document, Paragraph, Plot, Table
from benchlab.statistics import effects
from benchlab.statistics.analysis import ALL_LEVELS
from benchlab.statistics.comparison import Outcome, Pair
from benchlab.statistics.effects import EstimatedEffect, FactorAnalysis, LeftOut
from benchlab.statistics.factorial import Change, DesignError, Effect, FactorialDesign
from benchlab.statistics.stats import EQUIVALENCE

# What two changes do together beyond the product of each.
INDEPENDENT, MORE, LESS = "independent", "more together", "less together"
PLOT = Plot(
    "factors",
    "What each change did, over all levels",
    "Each change alone, and with × what two do together beyond the product of each; 95 % intervals, of what makes no "
    "difference the 90 % one that shows it. Hollow: cannot be told from no change. The axis is logarithmic.",
)
# More cells without an entry than these are counted only.
MOST_MISSING = 4


def of_run(run: Run) -> FactorAnalysis | None:
    """Return what the run tells of factors; None where its entries tell nothing."""
    if not run.samples:
        return None
    try:
        answer = effects.analyse(run)
    except DesignError:
        return None
    return answer if answer.effects else None


def report(run: Run, answer: FactorAnalysis) -> Document:
    """Return what `lab.py factors` reports: the answer, how the entries are crossed, a table for each test."""
    caution = profiles.caution(run.manifest)
    return Document(tuple(blocks(answer, caution)), f"Factors of {run.manifest.run_id}{caution}")


def blocks(answer: FactorAnalysis, caution: str) -> Iterator[Block]:
    """Yield the answer in blocks: sentences, the cells of the design, notes, and a table for each test."""
    yield Paragraph((" ".join(sentences(answer)),))
    if answer.effects:
        yield PLOT
    yield _cells(answer.design)
    if lines := notes(answer):
        yield Bullets(tuple(lines))
    for test, effects_of_test in groupby(answer.effects, key=lambda each: each.test):
        yield _table(answer, test, list(effects_of_test), caution)


def sentences(answer: FactorAnalysis) -> Iterator[str]:
    """Yield the answer in two sentences: of what asks most of the database, each effect, and how they act together."""
    headline = _headline(answer)
    if headline is None:
        one = " of one change" if answer.effects else ""
        yield f"No block has a sample of all the entries that an effect{one} needs."
        return
    test, level, shown = headline
    at = _at(test, level)
    metric = answer.metric(test, level)
    if metric is None:
        neither = " nor ".join(each.long_name for each in answer.results[test].measures.ranking)
        yield (
            f"At {at} some entries filled the host and others did not, so neither {neither} tell what a factor does."
        )
        return
    alone = [_alone(told) for told in shown if len(told.effect.changes) == 1 and told.metric == metric]
    together = [_together(told) for told in shown if len(told.effect.changes) == 2 and told.metric == metric]
    both = "; ".join(together) or (
        "one factor was looked at, so nothing is said of two together"
        if len(answer.design.studied) == 1
        else "how the factors act together cannot be told, because entries are missing"
    )
    yield f"At {at}, in {metric.long_name}, {'; '.join(alone)}. {both[0].upper()}{both[1:]}."


def _at(test: str, level: LevelKey) -> str:
    """Return where the effects are told of; of queries a request, the test where it is not the one of that name."""
    if level.unit != QUERIES:
        return f"{level.name} ({test})"
    return f"{counted(level.value, 'query', 'queries')} a request{'' if test == 'query' else f' ({test})'}"


def _headline(answer: FactorAnalysis) -> tuple[str, LevelKey, list[EstimatedEffect]] | None:
    """Return the test that asks most of the database, its largest level, and the effects there in each metric."""
    tests = {told.test for told in answer.effects}
    for test in [*(test for test in DATABASE if test in tests), *sorted(tests)]:
        of_test = [told for told in answer.effects if told.test == test]
        levels = [each.level for each in of_test if each.level is not ALL_LEVELS and len(each.effect.changes) == 1]
        if levels:
            return test, max(levels), [told for told in of_test if told.level == max(levels)]
    return None


def _alone(told: EstimatedEffect) -> str:
    """Return what the change did, from the reference to the level, as the table has it."""
    (change,) = told.effect.changes
    instead = f"{_step(change)}{_between(told.effect)}"
    if told.pair.outcome is Outcome.EQUAL:
        return f"{instead} made no difference beyond {EQUIVALENCE:.0%} ({_times(told.pair)})"
    if told.pair.outcome is Outcome.UNDECIDED:
        return f"{instead} cannot be told from no change{_doubt(told.pair)} ({_times(told.pair)})"
    return f"{instead} gave {_times(told.pair)}"


def _together(told: EstimatedEffect) -> str:
    """Return how much more the first change did at the second's level than at its reference, as the table has it."""
    first, second = told.effect.changes
    step = f"{_step(first)}{_between(told.effect)}"
    where, there = (_named(second.factor, level) for level in (second.level, second.reference))
    if told.pair.outcome is Outcome.EQUAL:
        return f"{step} gave the same with {where} as with {there}, within {EQUIVALENCE:.0%} ({_times(told.pair)})"
    if told.pair.outcome is Outcome.UNDECIDED:
        doubt = _doubt(told.pair)
        return f"whether {step} gave more with {where} than with {there} cannot be told{doubt} ({_times(told.pair)})"
    return f"{step} gave {_times(told.pair)} as much with {where} as with {there}"


def _between(effect: Effect) -> str:
    """Return which entries the effect is taken from, where the design lacks others that would tell of it too."""
    return f" (between {_sources(effect.groups)} alone)" if len(effect.groups) < effect.possible else ""


def _doubt(pair: Pair) -> str:
    """Return why a change is not told, where its interval does not show that."""
    if pair.adjusted_p is None:
        return f" on {counted(pair.ratio.blocks, 'block')}"
    return f" among {pair.among} effects" if pair.is_unclear else ""


def _cells(design: FactorialDesign) -> Table:
    headers = ("entry", *design.factors)
    rows = tuple((entry, *cell) for cell, entry in sorted(design.filled.items(), key=itemgetter(1)))
    return Table(headers, rows, words=headers, title="How the entries are crossed")


def notes(answer: FactorAnalysis) -> list[str]:
    """Return what must be known: cells without an entry, what changes along with a factor, odd outcomes."""
    design = answer.design
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
            told = "; ".join(f"{name} ({', '.join(levels)})" for name, levels in companions.items())
            lines.append(f"{named} changes this too, and holds what that does: {told}.")
    if any(told.pair.is_unclear for told in answer.effects if answer.is_headed_by(told)):
        lines.append(
            "Outcomes are corrected (Holm) for all effects of a level, because among many chance alone makes some: so "
            "an effect may not be told although its own interval leaves out 1."
        )
    return lines


def _sources(groups: Iterable[Iterable[str]]) -> str:
    return "; ".join(" and ".join(sorted(group)) for group in groups)


def effect_title(effect: Effect) -> str:
    """Return what its rows are called: orm: raw / full; of two changes, what they lead to, orm raw × proxy nginx."""
    if len(effect.changes) > 1:
        return " × ".join(f"{change.factor} {change.level}" for change in effect.changes)
    (change,) = effect.changes
    return f"{change.factor}: {change.level} / {change.reference}"


def frame(answer: FactorAnalysis, test: str, told: Iterable[EstimatedEffect]) -> pd.DataFrame:
    """Return a row for each effect at each level of the test, with each metric."""
    names = [metric.name for metric in answer.results[test].measures.compared]
    columns = ["level", document.EFFECT, *names, "blocks", "outcome"]
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for each in told:
        row = rows.setdefault((each.level, each.effect.names), dict.fromkeys(columns, "–") | _row(each))
        is_head = answer.is_headed_by(each)
        ratio = each.pair.ratio
        low, high, confidence = each.pair.bounds if is_head else (ratio.low, ratio.high, "")
        row[each.metric.name] = f"{quantities.ratio(ratio.ratio)}{quantities.bounds(low, high, confidence=confidence)}"
        if is_head:
            row |= {"blocks": each.pair.ratio.blocks, "outcome": _outcome(each)}
    return pd.DataFrame(rows.values(), columns=columns)


def why_left_out(part: LeftOut) -> str:
    if part.level is None:
        return f"{part.entry} has no sample"
    return f"wrk was the limit of {part.entry} at {part.level}"


def _table(answer: FactorAnalysis, test: str, of_test: list[EstimatedEffect], caution: str) -> Table:
    basis = answer.results[test].basis
    by = (
        f"outcome by {basis.name}" if basis else "no outcome over all levels: some rows filled the host, others did not"
    )
    left_out = answer.left_out[test]
    return document.table(
        frame(answer, test, of_test),
        f"Factors in {test}: ratios [95 % interval], {by}{caution}",
        notes=[f"Left out: {'; '.join(map(why_left_out, left_out))}."] if left_out else [],
        is_detail=True,
    )


def _row(told: EstimatedEffect) -> dict[str, object]:
    return {"level": str(told.over), document.EFFECT: effect_title(told.effect)}


def _outcome(told: EstimatedEffect) -> str:
    outcome = told.pair.outcome
    if outcome is Outcome.UNDECIDED or len(told.effect.changes) == 1:
        return told.pair.word
    if outcome is Outcome.EQUAL:
        return INDEPENDENT
    return MORE if told.pair.ratio.ratio > 1 else LESS


def _step(change: Change) -> str:
    return f"{_named(change.factor, change.level)} instead of {_named(change.factor, change.reference)}"


def _named(factor: str, level: str) -> str:
    return catalog.of_label(factor).called(level)


def _times(pair: Pair) -> str:
    low, high, confidence = pair.bounds
    bounds = quantities.bounds(low, high, decimals=2, confidence=confidence)
    return f"{quantities.ratio(pair.ratio.ratio, decimals=2)}x{bounds}"
