"""The report of a run, made from its samples: pure, so that equal runs give equal reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from benchlab import __version__
from benchlab.core import letters
from benchlab.core.quantities import counted, minutes
from benchlab.experiment import placement, profiles, stack
from benchlab.experiment.settings import BASELINE, command, note
from benchlab.experiment.stack import Labels
from benchlab.factors import catalog
from benchlab.load import registry
from benchlab.quality import judge
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import NO_PROXY, Settings
from benchlab.records.run import INVALID, SUSPECT, Failure, Run
from benchlab.report import factors, heat, rounds, sentences, tables
from benchlab.report.document import (
    Block,
    Bullets,
    Code,
    Conclusions,
    Document,
    Facts,
    Files,
    Heading,
    HeatMaps,
    Paragraph,
    Plot,
    Table,
    Warnings,
)
from benchlab.statistics import analysis, sizing
from benchlab.statistics.analysis import Result
from benchlab.statistics.comparison import LEAST_BLOCKS
from benchlab.statistics.stats import EQUIVALENCE
from benchlab.storage import store

# Introduces the findings of verification.
VERIFICATION = (
    "Rules of the contract that entries broke before a load, each as it was seen first. A test type whose answers are "
    "wrong is not loaded in that block; a warning changes nothing."
)
NAMED_LATER = (
    "{} was named as the baseline once the run was measured: intervals and outcomes hold if what was measured had no "
    "part in that choice."
)
BLOCK = "A block visits every entry once, in shuffled order."
# What a block is where entries are up together.
BLOCK_OF_ROUNDS = (
    "A block is one lifetime of entries that are up together; each of its rounds loads every one of them once at a "
    "level, in shuffled order."
)
BLOCKS_COUNT = "Only blocks count as repetitions, so what slows the whole host down hits all alike."
METHOD = (
    "A value is the geometric mean over the blocks, with Student's interval on logarithms (95 %). Two entries are "
    "compared within each block.",
    f"“Equal” means within {EQUIVALENCE:.0%}, shown by two one-sided tests: the 90 % interval lies within. All else "
    "cannot be told apart, which does not mean that it is equal; “unclear among N comparisons” are those that would be "
    f"told apart if they were the only ones. Fewer than {LEAST_BLOCKS} blocks have no outcome.",
    "A sample is judged by what happened around it, never by its rate; what does not count is kept and drawn.",
    "The load generator and the database share this host with the entry. Where all rows of a test filled the host, "
    "ranks are made of requests per CPU-second; where only some did, nobody is ranked.",
    "An entry is a whole stack: framework, data layer, server and settings. The values are of this host: run it on "
    "yours.",
)


def report(run: Run) -> Document:
    """Return the report: conclusions, each test's tables and plots, verdicts, failures, and the run's facts."""
    return _document(run, was_named_later=False)


def against(run: Run) -> Document:
    """Return the report of a run whose baseline was named once it was measured."""
    return _document(run, was_named_later=True)


def _document(run: Run, *, was_named_later: bool) -> Document:
    results = analysis.analyse(run)
    caution = profiles.caution(run.manifest)
    blocks = [
        *_conclusions(run, results, caution, was_named_later),
        *_factors(run, caution),
        *(_overview(run, results, caution) if run.samples else ()),
        *(block for result in results for block in _test(result, caution, is_first=result is results[0])),
        *(_bottlenecks(results, caution) if run.samples else ()),
        *(_look_up(run, results, caution) if run.samples else ()),
        *_samples(run),
        *rounds.blocks(run, results, caution),
        *_run(run),
        *_method(run),
        *_again(run, was_named_later),
    ]
    return Document(tuple(blocks), run.manifest.run_id, _subtitle(run))


def _conclusions(run: Run, results: Sequence[Result], caution: str, was_named_later: bool) -> Iterator[Block]:
    yield Heading(f"The answer{caution}", key="answer")
    yield Conclusions(tuple(sentences.conclusions(run, results)))
    if was_named_later:
        yield Paragraph((NAMED_LATER.format(run.manifest.settings.control),))
    if warnings := tuple(sentences.warnings(run, results)):
        yield Warnings(warnings)
    if any(len(result.standings) > 1 for result in results):
        yield Plot(
            "overall",
            "Standings over all levels",
            f"{sentences.better_direction(result.overall.better for result in results)}; the bars are 95 % intervals, "
            "of what is equal the 90 % one that shows it. The axis is logarithmic: half and twice are equally far from "
            f"1. {_told_apart(run)}",
        )
    yield Paragraph(tuple(about(run)), is_quiet=True)
    yield from entries(run.manifest.entries)


def _told_apart(run: Run) -> str:
    """Return how the plot of standings shows what can be told apart."""
    if control := run.manifest.settings.control:
        return f"An entry is told from {control} where its bar leaves out 1; two others are not compared."
    return "What can be told apart is said by the ranks in the tables below, not by whether intervals overlap."


def _factors(run: Run, caution: str) -> Iterator[Block]:
    if (analysed := factors.of_run(run)) is not None:
        yield Heading(f"Factors{caution}", key="effects", short="factors")
        yield from factors.blocks(analysed)


def _overview(run: Run, results: Sequence[Result], caution: str) -> Iterator[Block]:
    title = f"Overview: requests per second, geometric mean over blocks [95 % interval]{caution}"
    yield Heading(title, key="overview", short="overview")
    yield from tables.overviews(run.manifest, results)
    if chance := tables.chance(results):
        yield Paragraph((chance,))


def _test(result: Result, caution: str, *, is_first: bool) -> Iterator[Block]:
    """Yield the tables and plots of a test; the first one explains the columns that all of them have."""
    test = result.test
    yield Heading(f"{test}{caution}", key=test, short=test)
    yield Plot(
        f"{test}-rates",
        "Requests per second",
        "A large mark is the mean over the blocks, with its 95 % interval. Below it stands every sample, the first "
        "block at the top: hollow where it is suspect; a cross where it does not count, grey if it was repeated, red "
        "if it was invalid.",
    )
    yield tables.summary_table(result, notes=tables.COLUMNS if is_first else ())
    if maps := tuple(heat.maps(result)):
        yield HeatMaps(maps)
    yield from tables.ratio_tables(result)
    yield Plot(
        f"{test}-course",
        "The course of the run",
        "Every sample as a share of the mean of its row, so that all rows share one axis: what moves all of them "
        "together is the host. What lies beyond the axis is drawn at its edge.",
    )
    yield Plot(
        f"{test}-per-cpu",
        "Requests per CPU-second",
        "Full: of app, database and proxy together, with 95 % intervals. Hollow: of the app alone; it is hidden where "
        "the two are the same.",
    )
    yield Plot(f"{test}-memory", "Memory", "The most that the app was seen to hold, at the level where it was most.")
    yield Plot(
        f"{test}-cpus",
        "What used the CPUs",
        f"{sentences.limits(result)} Shares of the host's CPU time while samples ran; below each entry's name stands "
        "what limited it.",
    )


def _look_up(run: Run, results: Sequence[Result], caution: str) -> Iterator[Block]:
    """Yield the long tables of all tests, behind those that answer a question."""
    yield Heading(f"All metrics, and the study's tables{caution}", key="metrics", short="all metrics")
    for result in results:
        yield tables.values_table(result)
        yield from tables.study_tables(run, result.test)


def _bottlenecks(results: Sequence[Result], caution: str) -> Iterator[Block]:
    title = f"Bottlenecks: CPU used, of what each role could use{caution}"
    yield Heading(title, key="bottlenecks", short="bottlenecks")
    yield tables.bottlenecks(results)


def _samples(run: Run) -> Iterator[Block]:
    yield Heading("Verdicts", key="samples", short="samples")
    if not run.samples:
        none = f"Of the {counted(len(run.taken), 'sample')} taken, none counts."
        yield Paragraph((none if run.taken else "No sample was measured.",))
    if run.taken:
        yield Paragraph((judged(run),))
        yield from tables.broken_rules(run)
    if broken := tuple(findings(run)):
        yield Heading("Verification", level=3)
        yield Paragraph((VERIFICATION,))
        yield Bullets(broken)
    if missing := tuple(reasons(run)):
        yield Heading("Not measured", level=3)
        yield Bullets(missing)


def _run(run: Run) -> Iterator[Block]:
    yield Heading("The run", key="run", short="the run")
    manifest = asdict(run.manifest)
    del manifest["facts"]
    yield Facts("Settings, images and containers", manifest)
    yield Facts("Host, engine and tools", run.manifest.facts.plain())
    about = {
        store.JOURNAL: "the journal: every sample",
        store.CSV: "",
        store.MANIFEST: "",
        store.REPORT: "",
        store.PAGE: "with plots",
        **({store.LOCKS: "what each entry has installed"} if run.manifest.settings.vary else {}),
    }
    yield Files("Files of the run", about)


def _method(run: Run) -> Iterator[Block]:
    yield Heading("The method, and its limits", key="method", short="method")
    settings = run.manifest.settings
    block = BLOCK_OF_ROUNDS if settings.together else BLOCK
    yield Bullets((registry.of(settings).CAUTION, f"{block} {BLOCKS_COUNT}", *METHOD))


def _again(run: Run, was_named_later: bool) -> Iterator[Block]:
    commit = run.manifest.facts.lab_commit
    at = f", from the commit {commit[:12]}" if commit else ""
    yield Heading("Again", key="again", short="again")
    yield Paragraph((f"With the same settings and the same order{at}:",))
    yield Code(("make setup", command(run.manifest)))
    folder = f"results/{run.manifest.run_id}"
    read = f"python lab.py report {folder}"
    if was_named_later:
        read += f" {BASELINE.name} {letters.typed(run.manifest.settings.control)}"
    if _resumes(run):
        yield Paragraph(("This report from its journal, and what is still missing, if the run is in results/:",))
        yield Code((read, f"python lab.py --resume {folder}"))
    else:
        yield Paragraph(("This report from its journal, if the run is in results/:",))
        yield Code((read,))


def _resumes(run: Run) -> bool:
    """Return whether --resume can measure anything more: it takes unchanged sources, so wrong answers stay wrong."""
    is_open = run.to_come or run.awaits_decision
    return bool(is_open) or any(not failure.is_wrong_answer for failure in judge.missing(run))


def entries(labels: Mapping[str, Labels]) -> Iterator[Block]:
    """Yield a table of what the entries are made of, and below it what has no room in a row, such as their tests."""
    if len(labels) > tables.MANY:
        yield from _many_entries(labels)
        return
    headers = ("entry", *stack.COLUMNS)
    rows = tuple(tuple(row) for row in stack.rows(labels))
    yield Table(headers, rows, words=headers, title="Entries", narrow=(headers[:-1],))
    yield from (Paragraph((line,)) for line in stack.below(labels))


def _many_entries(labels: Mapping[str, Labels]) -> Iterator[Block]:
    headers = ("entry", *stack.columns_of_many(labels))
    yield Table(headers, tuple(map(tuple, stack.rows_of_many(labels))), words=headers, title="Entries")
    yield from (Paragraph((line,)) for line in stack.below_many(labels))


def _subtitle(run: Run) -> str:
    cpu = run.manifest.facts.host.cpu_model
    where = counted(run.manifest.cpus, "CPU") + (f" ({cpu})" if cpu else "")
    names = sentences.names(sorted(run.manifest.entries))
    return f"{names} on {where}, {run.manifest.created_at:%Y-%m-%d %H:%M} UTC"


def about(run: Run) -> list[str]:
    """Return the run's settings and course, in sentences."""
    settings = run.manifest.settings
    through = "" if settings.proxy == NO_PROXY else f" {settings.through}"
    return [
        note(settings),
        f"Blocks with samples: {len({sample.trial.block for sample in run.samples})} of {run.blocks}. "
        f"Samples: {len(run.samples)}. Load{through}: {registry.of(settings).NAME}, "
        f"from the same {run.manifest.cpus}-CPU host. "
        f"Seed {settings.seed}. CPUs: {placement.summary(run.manifest.placement, run.manifest.cpus)}.",
        *_groups(run),
        _origin(run),
        *_asked(run),
        *_share(run),
        *_decided(run),
    ]


def _groups(run: Run) -> Iterator[str]:
    """Yield which entries were up together, where not all were."""
    if len(groups := run.manifest.groups) > 1:
        yield f"Up together, in turns: {'; '.join(sentences.names(list(group)) for group in groups)}."


def judged(run: Run) -> str:
    """Return how many samples count, and which rules had no value, in how many samples and why."""
    lines = [f"{_became(run)}."]
    if unknown := Counter(name for sample in run.taken for name in sample.verdict.unknown):
        without_value = (
            f"{name} in {_of_taken(run, count)} ({judge.unknown(name)})" for name, count in sorted(unknown.items())
        )
        lines.append(f"Rules without a value: {', '.join(without_value)}.")
    return " ".join(lines)


def reasons(run: Run) -> list[str]:
    """Return why entries and trials were not measured, or not in every visit, and how many trials are still to come."""
    unbuilt = [f"{name}, all of it: {why}" for name, why in run.manifest.unbuilt.items()]
    measured = [f"{line}; measured later" for line in _failures(judge.made_up_for(run))]
    spared = [f"{line}; the block has enough rounds without" for line in _failures(judge.spared(run))]
    to_come = [f"{counted(run.to_come, 'trial')} still to come."] if run.to_come else []
    return [*unbuilt, *_failures(judge.missing(run)), *measured, *spared, *to_come]


def findings(run: Run) -> list[str]:
    """Return the findings of verification, faults and warnings, each rule of a test type once."""
    return [
        f"{finding.entry}, {finding.test}: {'warning' if finding.warning else 'wrong'}: {finding.message} "
        f"[{finding.rule}] (block {finding.block})"
        for finding in run.findings
    ]


def _of_taken(run: Run, count: int) -> str:
    return f"{count:,} of them" if count < len(run.taken) else "all samples"


def _failures(failures: Iterable[Failure]) -> list[str]:
    """Return a line for each entry and cause of failed trials."""
    by_cause: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        by_cause.setdefault((failure.trial.entry, failure.cause), []).append(failure)
    return [_failure(of_one_cause) for of_one_cause in by_cause.values()]


def _failure(failures: Sequence[Failure]) -> str:
    """Return how many trials of an entry failed for this cause, with the reason of the first."""
    first = failures[0]
    tests = ", ".join(dict.fromkeys(failure.trial.test for failure in failures))
    count = f"{counted(len(failures), 'trial')},{' first' if len(failures) > 1 else ''} {first.trial.key}"
    return f"{first.trial.entry}, {tests}: {first.reason} ({count})"


def _origin(run: Run) -> str:
    """Return when and by which version of the lab the run was measured, and by which it is analysed if that differs."""
    by = run.manifest.facts.lab_version or UNAVAILABLE
    analysed = "" if by == __version__ else f", analysed by {__version__}"
    began, ended = run.manifest.created_at, run.ended_at
    return f"Measured from {began:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M} UTC by benchlab {by}{analysed}."


def _asked(run: Run) -> Iterator[str]:
    """Yield the precision and budget that the number of blocks follows from, where the profile does not fix it."""
    settings = run.manifest.settings
    wanted = [] if settings.precision is None else [f"ratios over all levels to ± {settings.precision:.1%}"]
    wanted += [] if settings.budget_s is None else [f"no longer than {minutes(settings.budget_s)}"]
    if wanted:
        yield f"Asked for: {', '.join(wanted)}; the pilot has {counted(settings.blocks, 'block')}."


def _share(run: Run) -> Iterator[str]:
    """Yield which share of the run's time was spent on samples, counted or not; a resumed run's pauses are included."""
    if run.samples:
        wall_s = (run.ended_at - run.manifest.created_at).total_seconds()
        sampling_s = sum(sample.load.loaded_s for sample in run.taken)
        counted_s = sum(sample.load.seconds for sample in run.taken)
        of_it = f"; {minutes(counted_s)} of it are counted" if run.manifest.settings.together else ""
        if wall_s < sampling_s:
            yield (
                f"Sampling took {minutes(sampling_s)}; how long the run took is unknown, because the clock was set "
                f"back. {_became(run)}."
            )
            return
        yield (
            f"Sampling took {minutes(sampling_s)} of {minutes(wall_s)} ({sampling_s / wall_s:.0%}), pauses included"
            f"{of_it}. {_became(run)}."
        )


def _became(run: Run) -> str:
    """Return how many samples were taken, and how many count, were repeated, or are invalid; the parts add up."""
    taken, used = len(run.taken), len(run.samples)
    invalid = sum(sample.verdict.severity == INVALID for sample in run.taken)
    again = taken - invalid - used
    suspect = sum(sample.verdict.severity == SUSPECT for sample in run.samples)
    flagged = f" ({suspect:,} of them suspect)" if suspect else ""
    parts = [f"{counted(used, 'counts', 'count')}{flagged}" if used else "none counts"]
    parts += [f"{again:,} {'was' if again == 1 else 'were'} suspect and repeated"] if again else []
    parts += [f"{counted(invalid, 'is', 'are')} invalid"] if invalid else []
    return f"{counted(taken, 'sample')} {'was' if taken == 1 else 'were'} taken: {', '.join(parts)}"


def _decided(run: Run) -> Iterator[str]:
    """Yield how the number of blocks was decided, and how precise the ratios are; nothing if the profile fixed it."""
    if run.looks:
        after = ", ".join(str(look.blocks) for look in run.looks)
        yield f"The gate looked after {after} of at most {run.manifest.settings.blocks} blocks: {run.looks[-1].reason}."
        return
    if run.decision is None:
        return
    pilot, blocks = counted(run.decision.pilot, "block"), run.decision.blocks
    yield f"After a pilot of {pilot} the number of blocks was set to {blocks}: {run.decision.reason}."
    ratios = sizing.decisive(run)
    if (widest := sizing.reached(ratios)) is not None:
        bare = "; some have no interval" if any(ratio.half_width is None for ratio in ratios) else ""
        of, own = _of_which(run.manifest.settings), ", by its own interval" if run.manifest.settings.control else ""
        yield f"The widest ratio {of} over all levels is known to ± {widest:.1%}{own}{bare}."


def _of_which(settings: Settings) -> str:
    """Return which ratios decide how many blocks there are."""
    if settings.control:
        return f"of an entry to {settings.control}"
    return "of new to old" if catalog.compares_versions(settings) else "of two entries"
