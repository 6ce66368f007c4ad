"""What was typed, as the settings of a run; and what cannot stand beside a run that was measured already."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterable
from typing import Any

from benchlab.core.errors import UsageError
from benchlab.experiment.settings import SETTINGS, Flag, choose, is_given
from benchlab.experiment.workloads import DATABASE, WORKLOADS
from benchlab.records.plan import Settings

SEED_BITS = 32

DRY_RUN = Flag(
    "--dry-run",
    "print the plan and the wrk commands, and start nothing; needs no engine",
    default="measure",
    is_switch=True,
)


def settings(given: argparse.Namespace, **more: Any) -> Settings:
    """Return the settings of a new run; `more` go before what is typed. Raises UsageError."""
    return choose(**{"seed": secrets.randbits(SEED_BITS), **_asked(given), **more})


def verify_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a verification: which entries, tests and proxy. Raises UsageError."""
    return settings(given, profile="quick", tests=given.test or tuple(WORKLOADS), seed=0)


def factors_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a run that compares factors, with what asks the database. Raises UsageError."""
    return settings(given, tests=given.test or DATABASE)


def refuse_measuring(given: argparse.Namespace, measuring: Iterable[Flag]) -> None:
    """Raise UsageError where a flag that says how to measure stands beside a run that is read."""
    for flag in measuring:
        if is_given(getattr(given, flag.key)):
            raise UsageError(f"{flag.name}: {given.run} is read as it was measured; leave that flag out")


def refuse_other_settings(given: argparse.Namespace, settings: Settings) -> None:
    """Raise UsageError where a flag beside --resume names another value than the run has."""
    asked = _asked(given)
    differences = [
        difference
        for setting in SETTINGS
        if setting.place in asked
        for difference in setting.differences(asked[setting.place], settings)
    ]
    if differences:
        what = "that" if len(differences) == 1 else "those"
        raise UsageError(f"--resume keeps the run's own settings: {'; '.join(differences)}; leave {what} out")


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were typed, by their places."""
    typed = {setting.place: getattr(given, setting.key, None) for setting in SETTINGS}
    return {place: value for place, value in typed.items() if is_given(value)}
