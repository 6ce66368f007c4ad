"""A run's report as Markdown, made from its samples: pure, so that equal runs give equal reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from benchlab import __version__
from benchlab.core import letters
from benchlab.core.quantities import counted, minutes
from benchlab.experiment import placement, profiles, stack
from benchlab.experiment.settings import note
from benchlab.factors import catalog
from benchlab.load import registry
from benchlab.quality import judge
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import NO_PROXY
from benchlab.records.run import GOOD, INVALID, SUSPECT, Failure, Run
from benchlab.report import lead, markdown, standings, study
from benchlab.statistics import analysis, sizing
from benchlab.statistics.analysis import Result

# What a rule means for the samples that break it. One that breaks a good one is no more than a note.
VERDICTS = {GOOD: "noted", SUSPECT: SUSPECT, INVALID: INVALID}
# What no head of a column has room for.
MEMORY = (
    "Peak memory is the most anonymous memory that all processes of the app together were seen to hold while samples "
    "were taken: what they wrote themselves, without page cache and shared memory. It includes what an earlier test of "
    "the same visit made them take and they have kept."
)
# What stands above that which verification found.
VERIFICATION = (
    "Rules of the contract that entries broke before a load, each as it was seen first. A test type whose answers are "
    "wrong is not loaded in that visit; a warning changes nothing."
)


def report(run: Run) -> str:
    """Return the answer, what the run is, its tables and the study's, how samples were judged, and what failed."""
    results = analysis.analyse(run)
    parts = [f"# {run.manifest.run_id}", lead.markdown(run, results), "\n".join(about(run))]
    parts.append("## Entries\n\n" + _entries(run))
    if run.samples:
        caution = profiles.caution(run.manifest)
        parts += [_overview(run, results, caution), *standings.sections(results, caution), MEMORY]
        parts += _shares(results, caution)
        parts += study.sections(run)
    else:
        none = f"Of the {counted(len(run.taken), 'sample')} taken, none counts."
        parts.append(none if run.taken else "No sample was measured.")
    if run.taken:
        parts.append(_verdicts(run))
    if found := findings(run):
        parts.append(
            "\n".join(
                ["## Verification", "", VERIFICATION, "", *(f"* {letters.one_line(finding)}" for finding in found)]
            )
        )
    if missing := reasons(run):
        parts.append("\n".join(["## Not measured", "", *(f"* {letters.one_line(reason)}" for reason in missing)]))
    return letters.visible(markdown.explained("\n\n".join(parts)) + "\n")


def about(run: Run) -> list[str]:
    """Return what the run is, in sentences."""
    settings = run.manifest.settings
    through = "" if settings.proxy == NO_PROXY else f" through {settings.through}"
    return [
        note(settings),
        f"Blocks with samples: {len({sample.trial.block for sample in run.samples})} of {run.blocks}. "
        f"Samples: {len(run.samples)}. Load{through}: {registry.of(settings).NAME}, "
        f"from the same {run.manifest.cpus}-CPU host. "
        f"Seed {settings.seed}. CPUs: {placement.told(run.manifest.placement, run.manifest.cpus)}.",
        _origin(run),
        *_asked(run),
        *_share(run),
        *_decided(run),
    ]


def judged(run: Run) -> str:
    """Return what became of the samples taken, and which rules had no value, in how many and why."""
    lines = [f"{_became(run)}."]
    if unknown := Counter(name for sample in run.taken for name in sample.verdict.unknown):
        told = (f"{name} in {_of_taken(run, count)} ({judge.unknown(name)})" for name, count in sorted(unknown.items()))
        lines.append(f"Rules without a value: {', '.join(told)}.")
    return " ".join(lines)


def broken_rules(run: Run) -> pd.DataFrame:
    """Return which rules the samples broke, and how often."""
    broken = Counter(name for sample in run.taken for name in sample.verdict.broken)
    return pd.DataFrame(
        {"rule": name, "samples": count, "verdict": VERDICTS[judge.severity(name)], "meaning": judge.meaning(name)}
        for name, count in sorted(broken.items(), key=lambda item: (-item[1], item[0]))
    )


def reasons(run: Run) -> list[str]:
    """Return why entries were left out and trials not measured, or not in every visit, and how many are to come."""
    unbuilt = [f"{name}, all of it: {why}" for name, why in run.manifest.unbuilt.items()]
    measured = [f"{told}; measured in another visit" for told in _told(judge.made_up_for(run))]
    to_come = [f"{counted(run.to_come, 'trial')} still to come."] if run.to_come else []
    return [*unbuilt, *_told(judge.missing(run)), *measured, *to_come]


def findings(run: Run) -> list[str]:
    """Return what verification found wrong with entries, or warned of, each rule of a test type once."""
    return [
        f"{finding.entry}, {finding.test}: {'warning' if finding.warning else 'wrong'}: {finding.message} "
        f"[{finding.rule}] (block {finding.block})"
        for finding in run.findings
    ]


def _of_taken(run: Run, count: int) -> str:
    return f"{count:,} of them" if count < len(run.taken) else "all samples"


def _told(failures: Iterable[Failure]) -> list[str]:
    """Return a line for each cause that trials of an entry failed for."""
    found: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        found.setdefault((failure.trial.entry, failure.cause), []).append(failure)
    return [_alike(of_one_cause) for of_one_cause in found.values()]


def _alike(failures: Sequence[Failure]) -> str:
    """Return why trials of an entry failed for one cause, as the first of them tells it, and how many."""
    first = failures[0]
    tests = ", ".join(dict.fromkeys(failure.trial.test for failure in failures))
    count = f"{counted(len(failures), 'trial')},{' first' if len(failures) > 1 else ''} {first.trial.key}"
    return f"{first.trial.entry}, {tests}: {first.reason} ({count})"


def _origin(run: Run) -> str:
    """Return when, and by which version of the lab, the run was measured; this one's too where that is another."""
    by = run.manifest.facts.lab_version or UNAVAILABLE
    analysed = "" if by == __version__ else f", analysed by {__version__}"
    began, ended = run.manifest.created_at, run.ended_at
    return f"Measured from {began:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M} UTC by benchlab {by}{analysed}."


def _asked(run: Run) -> Iterator[str]:
    """Yield what decides the number of blocks, where that is not the profile."""
    settings = run.manifest.settings
    wanted = [] if settings.precision is None else [f"ratios over all levels to ± {settings.precision:.1%}"]
    wanted += [] if settings.budget_s is None else [f"no longer than {minutes(settings.budget_s)}"]
    if wanted:
        yield f"Asked for: {', '.join(wanted)}; the pilot has {counted(settings.blocks, 'block')}."


def _share(run: Run) -> Iterator[str]:
    """Yield how much of the time went into samples, whatever became of them; a resumed run's pauses count as time."""
    if run.samples:
        wall_s = (run.ended_at - run.manifest.created_at).total_seconds()
        sampling_s = sum(sample.load.seconds for sample in run.taken)
        if wall_s < sampling_s:
            yield (
                f"Sampling took {minutes(sampling_s)}; of how long is not known, because the clock was set back. "
                f"{_became(run)}."
            )
            return
        yield (
            f"Sampling took {minutes(sampling_s)} of {minutes(wall_s)} ({sampling_s / wall_s:.0%}), pauses included. "
            f"{_became(run)}."
        )


def _became(run: Run) -> str:
    """Return how many samples were taken, and what became of them: the parts add up to all."""
    taken, used = len(run.taken), len(run.samples)
    invalid = sum(sample.verdict.severity == INVALID for sample in run.taken)
    again = taken - invalid - used
    suspect = sum(sample.verdict.severity == SUSPECT for sample in run.samples)
    flagged = f" ({suspect:,} of them suspect)" if suspect else ""
    told = [f"{counted(used, 'counts', 'count')}{flagged}" if used else "none counts"]
    told += [f"{again:,} {'was' if again == 1 else 'were'} suspect and taken anew"] if again else []
    told += [f"{counted(invalid, 'is', 'are')} invalid"] if invalid else []
    return f"{counted(taken, 'sample')} {'was' if taken == 1 else 'were'} taken: {', '.join(told)}"


def _decided(run: Run) -> Iterator[str]:
    """Yield how the number of blocks was decided, and how precise the ratios have become, where that was asked for."""
    if run.decision is None:
        return
    pilot, blocks = counted(run.decision.pilot, "block"), run.decision.blocks
    yield f"After {pilot} it was decided to make {blocks}: {run.decision.reason}."
    ratios = sizing.decisive(run)
    if (widest := sizing.reached(ratios)) is not None:
        bare = "; some have no interval" if any(ratio.half_width is None for ratio in ratios) else ""
        of = "of new to old" if catalog.compares_versions(run.manifest.settings) else "of two entries"
        yield f"The widest ratio {of} over all levels is known to ± {widest:.1%}{bare}."


def _entries(run: Run) -> str:
    """Return what the entries are made of, below it their tests, for which a row has no room, and what must be said."""
    *columns, _ = stack.COLUMNS
    headers = ["entry", *columns]
    made = markdown.rows(headers, (row[:-1] for row in stack.rows(run.manifest.entries)), left=headers)
    return "\n\n".join([made, *stack.below(run.manifest.entries)])


def _overview(run: Run, results: Iterable[Result], caution: str) -> str:
    title = f"## Overview: requests per second, geometric mean over blocks [95 % interval]{caution}"
    return f"{title}\n\n{markdown.table(standings.overview(run.manifest, results))}"


def _shares(results: Iterable[Result], caution: str) -> Iterator[str]:
    """Yield how much of its CPUs each role used, and what limited each cell."""
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
    title = f"## Bottlenecks: CPU used, of what each role could use{caution}"
    yield f"{title}\n\n{markdown.table(pd.DataFrame(rows))}"


def _verdicts(run: Run) -> str:
    broken = broken_rules(run)
    table = "" if broken.empty else f"\n\n{markdown.table(broken)}"
    return f"## Verdicts\n\n{judged(run)}{table}"
