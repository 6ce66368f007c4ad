"""From settings to what will be measured: which entries, visits and levels, how many blocks; told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchlab.core.errors import UsageError
from benchlab.core.model import Level, Settings, Visit
from benchlab.machine import contestants, host, variants
from benchlab.machine.stage import Lab
from benchlab.measuring import outline, serving
from benchlab.plan import placement, profiles, schedule
from benchlab.plan.forecast import Forecast
from benchlab.statistics import sizing


def settled(lab: Lab, settings: Settings) -> tuple[Lab, Settings]:
    """Return lab and settings with everything in them that a plan is made of.

    Raises UsageError where what was asked for cannot be measured, ConfigError as `contestants` does.
    """
    if settings.against:
        settings = replace(settings, against=variants.resolved(lab.root, settings.against))
    lab, entries = contestants.contestants(lab, settings)
    settings = replace(settings, frameworks=tuple(entry.name for entry in entries))
    contestants.refuse_nothing(entries, settings)
    return lab, fitted(lab, settings)


def visits(lab: Lab, settings: Settings, blocks: int) -> tuple[Visit, ...]:
    entries = lab.topology.choose(settings.frameworks)
    return schedule.plan(entries, levels(lab, settings), blocks, settings.seed, settings.repeats)


def levels(lab: Lab, settings: Settings) -> dict[str, tuple[Level, ...]]:
    return profiles.levels(settings, lab.client_cpus)


def rehearse(lab: Lab, settings: Settings) -> tuple[str, str]:
    """Return what `start` would do: the plan with every visit in its order; and the wrk commands."""
    lab, settings = settled(lab, settings)
    planned = visits(lab, settings, settings.blocks)
    entries = lab.topology.choose(settings.frameworks)
    typed = outline.commands(settings, entries, levels(lab, settings), serving.target)
    return "\n".join([told(lab, settings, planned), "", *outline.order(planned)]), "\n".join(typed)


def told(lab: Lab, settings: Settings, planned: Sequence[Visit]) -> str:
    """Return in a few lines what the visits will measure, and on what."""
    cpus = placement.told(lab.placement, lab.cpus)
    return outline.plan(settings, levels(lab, settings), planned, cpus, host.brief(lab.found))


def fitted(lab: Lab, settings: Settings) -> Settings:
    """Return the settings with no more blocks than the budget has time for. Raises UsageError where it has none."""
    if settings.precision is not None and len(settings.frameworks) < 2:
        raise UsageError(
            "--precision is that of a ratio, and there is one entry only; name a second --framework, or --against"
        )
    block = visits(lab, settings, 1)
    blocks = sizing.pilot_blocks(settings.blocks, Forecast(block, settings).total_s, settings.budget_s)
    if settings.precision is not None and blocks < sizing.LEAST_PILOT:
        raise UsageError(
            f"--precision needs a pilot of {sizing.LEAST_PILOT} blocks to see a spread, and this is one of {blocks}; "
            "use more --blocks, or a longer --budget"
        )
    return replace(settings, blocks=blocks)
