"""A run before it starts: its plan in a few lines, and the commands of its loads, as they could be typed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted, hours, minutes
from benchlab.engine import variants
from benchlab.engine.endpoints import load_address
from benchlab.engine.stage import Lab
from benchlab.experiment import grouping, placement, schedule, workloads
from benchlab.experiment.forecast import NO_PACES, BlockForecast, Forecast
from benchlab.experiment.settings import (
    AGAINST,
    BASELINE,
    BLOCKS,
    BUDGET,
    FAIL_IF_SLOWER,
    FRAMEWORK,
    MAX_BLOCKS,
    PRECISION,
)
from benchlab.experiment.workloads import WORKLOADS
from benchlab.factors import catalog
from benchlab.host import facts
from benchlab.load import registry
from benchlab.records.plan import NO_PROXY, Block, Entry, Level, Settings, Target, Visit
from benchlab.records.run import Pace
from benchlab.report.document import Document, Lines, Terms
from benchlab.run import foresight
from benchlab.run.rounds import WARM_LENGTH
from benchlab.run.visits import MOST_SUSPECT_ATTEMPTS
from benchlab.statistics import looks, sizing
from benchlab.statistics.comparison import LEAST_BLOCKS

Levels = Mapping[str, Sequence[Level]]
# What of a run is still to be made.
Left = Sequence[Visit] | Sequence[Block]
# What would take longer than a day is refused, unless a budget is named.
LONGEST_S = 86_400
# The names of the entries that are up together.
Groups = tuple[tuple[str, ...], ...]


def plan(
    settings: Settings, levels: Levels, left: Left, cpus: str, host: str, paces: Mapping[str, Pace] = NO_PACES
) -> Terms:
    """Return what will be measured, on which host, and how long that takes; `cpus` says how the roles share them.

    `paces` are those that the run has so far, by test.
    """
    through = "" if settings.proxy == NO_PROXY else f", {settings.through}"
    rows = (
        ("plan", _extent(settings, left)),
        *((("rounds", _rounds(settings)),) if settings.together else ()),
        ("time", f"{_time(settings, total_s(left, settings, paces))}; builds not counted"),
        ("entries", f"{', '.join(sorted({name for each in left for name in _entries(each)}))}{through}"),
        *((test, registry.of(settings).spelled(levels[test])) for test in settings.tests),
        ("before each test", _before(settings)),
        ("blocks", _blocks(settings, left)),
        *((("baseline", f"{settings.control}: each other entry is compared with it"),) if settings.control else ()),
        ("order", f"shuffled by seed {settings.seed}"),
        ("CPUs", cpus),
        ("host", host),
    )
    return Terms(rows)


def _moved(lab: Lab, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield for each entry at whose level other packages had to move a row that names these."""
    for entry in lab.topology.choose(settings.frameworks):
        if moved := entry.labels.get("moved"):
            yield "moved too", f"{entry.name}: {moved}"


def total_s(left: Left, settings: Settings, paces: Mapping[str, Pace] = NO_PACES) -> float:
    """Return how long what is left is planned to take."""
    blocks = [each for each in left if isinstance(each, Block)]
    visits = [each for each in left if isinstance(each, Visit)]
    return BlockForecast(blocks, settings, paces).total_s + Forecast(visits, settings).total_s


def _entries(each: Visit | Block) -> tuple[str, ...]:
    return each.entries if isinstance(each, Block) else (each.entry,)


def _extent(settings: Settings, left: Left) -> str:
    if not settings.together:
        samples = counted(sum(len(each.trials) for each in left if isinstance(each, Visit)), "sample")
        return f"{samples} of {settings.duration_s:g} s in {counted(len(left), 'visit')}"
    return f"{counted(len(left), 'block')}: {grouping.summary({_entries(each) for each in left})}"


def _rounds(settings: Settings) -> str:
    by_time = f"as many as take {minutes(settings.block_s)} in a block of two entries"
    number = f"{settings.repeats} of each test in a block" if settings.repeats else by_time
    return f"{number}, of slices of {settings.duration_s:g} s and more"


def _time(settings: Settings, total_s: float) -> str:
    # Suspect slices are not taken anew.
    return f"about {minutes(total_s)}" if settings.together else duration(total_s)


def duration(total_s: float) -> str:
    """Return how long visits planned to take so long take, and how long at least where noise spoils all samples."""
    noisy_s = total_s * MOST_SUSPECT_ATTEMPTS
    return f"about {minutes(total_s)}, on a very noisy host {minutes(noisy_s)} and more"


def order(left: Iterable[Visit | Block]) -> Iterator[str]:
    """Yield a line for each block or visit: what is measured in it, in order."""
    for visit in left:
        if isinstance(visit, Block):
            yield f"block {visit.number}: {', '.join(visit.entries)}: {', '.join(each.test for each in visit.rounds)}"
            continue
        tests = (
            f"{test} {' '.join(str(trial.level.key) for trial in trials)}"
            for test, trials in groupby(visit.trials, key=lambda trial: trial.test)
        )
        yield f"block {visit.block}: {visit.entry}: {', '.join(tests)}"


def commands(
    settings: Settings, entries: Iterable[Entry], levels: Levels, target: Callable[[Entry], Target]
) -> Iterator[str]:
    """Yield the commands of each test type and entry as they could be typed in the load generator's container.

    `target` gives where an entry's load goes to: each has a name of its own there.
    """
    entries = list(entries)
    for test in settings.tests:
        for entry in entries:
            if test in entry.tests:
                yield f"# {test}: {entry.name}"
                yield from _typed(settings, entry, test, levels[test], target(entry))


def _typed(settings: Settings, entry: Entry, test: str, levels: Sequence[Level], target: Target) -> Iterator[str]:
    for name, level, duration_s in _loads(settings, test, levels):
        path = workloads.url_path(test, entry.tests[test], level)
        command = registry.of(settings).command(level, target, path, WORKLOADS[test].accept, duration_s)
        yield f"{shlex.join(command)}  # {name}"


def _loads(settings: Settings, test: str, levels: Sequence[Level]) -> Iterator[tuple[str, Level, float]]:
    """Yield each load of a test type: its name, its level, and its seconds."""
    # Where entries are up together, they are warmed up at the levels that are measured.
    for step in () if settings.together else registry.of(settings).before(settings, test, levels):
        yield step.name, step.level, step.duration_s
    for level in levels:
        # wrk takes whole seconds; slices end it themselves.
        yield f"level {level.key}", level, math.ceil(settings.duration_s)


def _before(settings: Settings) -> str:
    if settings.together:
        return f"a warm-up slice of each entry, of {WARM_LENGTH.window_ms / 1000:g} s at the largest level"
    least, most = settings.warmup_s
    warm_up = f"a warm-up of {most} s" if least == most else f"a warm-up until steady, {least} to {most} s"
    parts = [f"a primer of {settings.primer_s} s"] if settings.primer_s else []
    return ", ".join([*parts, warm_up] if most else parts) or "nothing"


def _blocks(settings: Settings, left: Left) -> str:
    turns = len({_entries(each) for each in left}) if settings.together else 1
    repeats = f", each level {settings.repeats} times" if settings.repeats > 1 else ""
    in_turns = "" if turns <= 1 else f"{settings.blocks // turns} of each group, "
    each = f"{in_turns}each one lifetime of its entries" if settings.together else f"every entry once in each{repeats}"
    if settings.looks:
        return f"at most {settings.blocks}, {each}"
    goal = "" if settings.precision is None else f" until ratios are within ± {settings.precision:.1%}"
    limit = "" if settings.budget_s is None else f", for at most {minutes(settings.budget_s)} in all"
    more = f"; then more{goal}{limit}" if goal or limit else ""
    return f"{settings.blocks}, {each}{more}"


def settled(lab: Lab, settings: Settings) -> tuple[Lab, Settings]:
    """Return lab and settings with all that take part in a run; `fitted` says how many blocks they get.

    Raises UsageError where what was asked for cannot be measured, ConfigError as `taking_part` does.
    """
    if settings.against:
        settings = replace(settings, against=variants.resolved(lab.root, settings.against))
    settings = variants.with_commits(lab.root, settings)
    lab, entries = variants.taking_part(lab, settings)
    settings = replace(settings, frameworks=tuple(entry.name for entry in entries))
    variants.refuse_nothing(entries, settings)
    _refuse_control(settings)
    if settings.precision is not None and len(entries) < 2:
        raise UsageError(
            f"{PRECISION.name} is that of a ratio, and there is one entry only; name a second {FRAMEWORK.name}, "
            f"or {AGAINST.name}"
        )
    return lab, settings


def _refuse_control(settings: Settings) -> None:
    """Raise UsageError where no entry is called as the baseline, or there is none beside it."""
    names, control = settings.frameworks, settings.control
    if control and control not in names:
        hint = letters.meant(control, names)
        raise UsageError(f"{BASELINE.name} {letters.one_line(control)}: {hint}there is {', '.join(names)}")
    if control and len(names) < 2:
        raise UsageError(f"{BASELINE.name} {control}: there is no other entry to compare with it; name one")


def planned(lab: Lab, settings: Settings, blocks: int, of_groups: Groups | None = None) -> Left:
    """Return all that so many blocks of a run are made of, with the groups that it has, or else those that fit now."""
    if not settings.together:
        return visits(lab, settings, blocks)
    entries = {entry.name: entry for entry in lab.topology.choose(settings.frameworks)}
    return schedule.planned(entries, groups(lab, settings) if of_groups is None else of_groups, settings, blocks)


def groups(lab: Lab, settings: Settings) -> Groups:
    """Return the entries that are up together; none where one is up at a time. Raises UsageError."""
    if not settings.together:
        return ()
    memory = lab.engine_if_any.info().get("MemTotal") if lab.engine_if_any else None
    versions = catalog.versions(lab.variants, settings)
    # The first is in every group.
    entries = sorted(lab.topology.choose(settings.frameworks), key=lambda entry: entry.name != settings.control)
    fitting = grouping.fit(entries, memory, cpus=lab.cpus, versions=versions)
    return tuple(tuple(entry.name for entry in group) for group in fitting)


def visits(lab: Lab, settings: Settings, blocks: int) -> tuple[Visit, ...]:
    entries = lab.topology.choose(settings.frameworks)
    return schedule.plan(entries, levels(lab, settings), blocks, settings.seed, settings.repeats)


def levels(lab: Lab, settings: Settings) -> dict[str, tuple[Level, ...]]:
    return registry.of(settings).levels(settings, lab.client_cpus)


def rehearse(lab: Lab, settings: Settings) -> tuple[Document, str]:
    """Return what `start` would do: the plan with every visit in its order; and the wrk commands."""
    lab, settings = settled(lab, settings)
    settings = fitted(lab, settings)
    left = planned(lab, settings, settings.blocks)
    entries = lab.topology.choose(settings.frameworks)
    typed = commands(settings, entries, levels(lab, settings), load_address)
    plan_of_run = Document((outline(lab, settings, left), Lines(tuple(order(left)))))
    return plan_of_run, "\n".join(typed)


def outline(
    lab: Lab,
    settings: Settings,
    left: Left,
    paces: Mapping[str, Pace] = NO_PACES,
    of_groups: Groups | None = None,
) -> Terms:
    """Return in a few lines what is to be measured, and on what; `of_groups` are those of a run that has begun."""
    cpus = placement.summary(lab.placement, lab.cpus)
    terms = plan(settings, levels(lab, settings), left, cpus, facts.summary(lab.engine_if_any), paces)
    terms = Terms((*terms.rows, *_moved(lab, settings)))
    if not settings.looks:
        return terms
    of_groups = groups(lab, settings) if of_groups is None else of_groups
    most_s = total_s(planned(lab, settings, settings.blocks, of_groups), settings)
    pairs, turns = len(catalog.versions(lab.variants, settings)), max(1, len(of_groups))
    return Terms((*terms.rows, *foresight.rows(settings, pairs, foresight.usual(lab, settings), most_s, turns)))


def fitted(lab: Lab, settings: Settings) -> Settings:
    """Return the settings with as many blocks as all groups get, and the budget has time for. Raises UsageError."""
    # A block of each group.
    turns = max(1, len(groups(lab, settings)))
    asked = BLOCKS.unusual(settings) is not None
    settings = replace(settings, blocks=sizing.in_turns(min(MAX_BLOCKS, settings.blocks * turns), turns))
    once_s, twice_s = (total_s(planned(lab, settings, times * turns), settings) for times in (1, 2))
    block_s = (twice_s - once_s) / turns
    # The first block of each entry takes longer.
    budget_s = None if settings.budget_s is None else max(0, settings.budget_s - round(2 * once_s - twice_s))
    whole_s = once_s + (settings.blocks // turns - 1) * turns * block_s
    if settings.budget_s is None and whole_s > LONGEST_S:
        raise UsageError(
            f"{counted(len(settings.frameworks), 'entry', 'entries')} would take about {hours(whole_s)}; choose fewer "
            f"of them, of their levels or of the tests, or say how long it may take with {BUDGET.name}"
        )
    if settings.margin is not None:
        return _with_looks(settings, block_s, budget_s, asked, turns)
    blocks = sizing.pilot_blocks(settings.blocks, block_s, budget_s, turns)
    if settings.budget_s is not None and blocks < 1:
        one = "one block takes" if turns == 1 else f"a block of each of {turns} groups takes"
        raise UsageError(
            f"{BUDGET.name} {minutes(settings.budget_s)}: {one} about {minutes(once_s)}; "
            "give more time, or choose fewer entries, tests or levels"
        )
    if settings.precision is not None and blocks < sizing.LEAST_PILOT * turns:
        raise UsageError(
            f"{PRECISION.name} needs a pilot of {_blocks_of(sizing.LEAST_PILOT, turns)} to see a spread, and this is "
            f"one of {blocks}; use more {BLOCKS.name}, or a longer {BUDGET.name}"
        )
    return replace(settings, blocks=blocks)


def _with_looks(settings: Settings, block_s: float, budget_s: int | None, asked: bool, turns: int) -> Settings:
    """Return the settings with the most blocks and the looks of a gate. Raises UsageError where there is no look.

    The budget, as far as blocks have it, decides on the most, unless so many were `asked` for and these are fewer. So
    many groups take `turns`.
    """
    most = settings.blocks
    if budget_s is not None:
        fitting = sizing.fitting_blocks(budget_s, block_s, turns)
        most = min(most, fitting) if asked else fitting
    if most < LEAST_BLOCKS * turns:
        time = "" if budget_s is None else f", of about {minutes(block_s)} each"
        raise UsageError(
            f"{FAIL_IF_SLOWER.name} needs {_blocks_of(LEAST_BLOCKS, turns)} to see a spread, and this is a run of "
            f"{most}{time}; use more {BLOCKS.name}, a longer {BUDGET.name}, or fewer tests or levels"
        )
    return replace(settings, blocks=most, looks=looks.planned(most, turns))


def _blocks_of(least: int, turns: int) -> str:
    """Return in words how many blocks it takes where so many groups take `turns`."""
    return f"{least} blocks" if turns == 1 else f"{least} blocks of each of {turns} groups"
