"""The command that makes a run with the same settings again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from benchlab.experiment.profiles import PROFILES
from benchlab.records.plan import NO_PROXY, Manifest


def command(manifest: Manifest) -> str:
    """Return the command line: the seed, and what differs from the profile or from what is the default anyway."""
    return shlex.join(["python", "lab.py", *_flags(manifest)])


def _flags(manifest: Manifest) -> Iterator[str]:
    settings = manifest.settings
    profile = PROFILES[settings.profile]
    # Their variants come from other flags.
    yield from _each("--framework", manifest.origins)
    yield from ("--profile", settings.profile)
    if settings.tests != profile.tests:
        yield from _each("--test", settings.tests)
    changed = {test: values for test, values in settings.levels.items() if values != profile.levels[test]}
    yield from _each("--levels", (f"{test}={','.join(map(str, values))}" for test, values in changed.items()))
    single = {
        "--blocks": (settings.blocks, profile.blocks),
        "--repeats": (settings.repeats, profile.repeats),
        "--duration": (settings.duration_s, profile.duration_s),
        "--proxy": (settings.proxy, NO_PROXY),
        "--db-connections": (",".join(map(str, settings.db_connections)), ""),
        "--precision": (settings.precision and f"{100 * settings.precision:g}%", None),
        "--budget": (settings.budget_s and f"{settings.budget_s}s", None),
        "--placement": (settings.placement, "auto"),
        "--against": (settings.against, ""),
        "--seed": (settings.seed, None),
    }
    for flag, (value, default) in single.items():
        if value != default:
            yield from (flag, str(value))


def _each(flag: str, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        yield from (flag, value)
