"""The flags that several commands share, and the settings that they ask for."""

from __future__ import annotations

import argparse
import secrets

from benchlab.cli.arguments import choice, numbers, whole
from benchlab.core import quantities
from benchlab.core.errors import UsageError
from benchlab.experiment import placement, profiles
from benchlab.experiment.profiles import PROFILES, PROXY_CHOICES
from benchlab.experiment.workloads import DATABASE, WORKLOADS
from benchlab.records.plan import NO_PROXY, Settings

SEED_BITS = 32

PROTOCOLS = "; ".join(
    f"{each.name} is {quantities.counted(each.blocks, 'block')} of {each.duration_s}-s samples"
    for each in PROFILES.values()
)


def settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a new run. Raises UsageError."""
    if given.against == "":
        raise UsageError("--against names nothing; name a commit, a branch or a tag")
    return profiles.settings(
        profile=given.profile or "default",
        frameworks=given.framework,
        tests=given.test,
        levels=profiles.parse_levels(given.levels),
        blocks=given.blocks,
        duration_s=given.duration,
        proxy=given.proxy or NO_PROXY,
        seed=secrets.randbits(SEED_BITS) if given.seed is None else given.seed,
        precision=quantities.share("--precision", given.precision) if given.precision is not None else None,
        budget_s=quantities.seconds("--budget", given.budget) if given.budget is not None else None,
        placement=given.placement or placement.AUTO,
        against=given.against or "",
        repeats=given.repeats,
        db_connections=given.db_connections,
    )


def verify_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a verification: which entries, tests and proxy. Raises UsageError."""
    return profiles.settings(
        profile="quick",
        frameworks=given.framework,
        tests=given.test or WORKLOADS,
        levels={},
        blocks=None,
        duration_s=None,
        proxy=given.proxy or NO_PROXY,
        seed=0,
    )


def factors_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a run that tells of factors, of what asks the database. Raises UsageError."""
    return settings(argparse.Namespace(**vars(given) | {"test": given.test or DATABASE, "against": None}))


def refuse_measuring(given: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Raise UsageError where a flag that says how to measure stands beside a run that is read."""
    usual = vars(parser.parse_args([]))
    reading = ("run", "factor", "framework")
    if changed := [name for name, value in vars(given).items() if value != usual[name] and name not in reading]:
        raise UsageError(
            f"--{changed[0].replace('_', '-')}: {given.run} is read as it was measured; leave that flag out"
        )


def refuse_other_settings(given: argparse.Namespace, settings: Settings) -> None:
    """Raise UsageError where a flag beside --resume names another value than the run has."""
    pairs: dict[str, tuple[object, object]] = {
        "--framework": (set(given.framework), set(settings.frameworks)),
        "--test": (set(given.test), set(settings.tests)),
        "--profile": (given.profile, settings.profile),
        "--proxy": (given.proxy, settings.proxy),
        "--db-connections": (set(given.db_connections), set(settings.db_connections)),
        "--blocks": (given.blocks, settings.blocks),
        "--repeats": (given.repeats, settings.repeats),
        "--duration": (given.duration, settings.duration_s),
        "--seed": (given.seed, settings.seed),
        "--placement": (given.placement, settings.placement),
        "--precision": (given.precision and quantities.share("--precision", given.precision), settings.precision),
        "--budget": (given.budget and quantities.seconds("--budget", given.budget), settings.budget_s),
    }
    for test, values in profiles.parse_levels(given.levels).items():
        pairs[f"--levels {test}"] = (set(values), set(settings.levels.get(test, ())))
    if given.against:
        raise UsageError("--resume keeps the run's own settings, its versions among them; leave --against out")
    changed = [
        f"{flag} {_typed(wanted)} was given, the run has {_typed(kept)}"
        for flag, (wanted, kept) in pairs.items()
        if wanted not in (None, set(), kept)
    ]
    if changed:
        what = "that" if len(changed) == 1 else "those"
        raise UsageError(f"--resume keeps the run's own settings: {'; '.join(changed)}; leave {what} out")


def _typed(value: object) -> str:
    """Return the value as it is typed in a flag."""
    return ",".join(map(str, sorted(value))) or "none" if isinstance(value, set) else str(value)


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a new run is measured."""
    parser.add_argument("--profile", **choice(PROFILES), help=f"named settings: {PROTOCOLS} (default: default)")
    parser.add_argument(
        "--blocks",
        type=whole,
        metavar="N",
        help="times that every entry is visited; with --precision or --budget the pilot's (default: the profile's)",
    )
    parser.add_argument(
        "--repeats", type=whole, metavar="N", help="samples of each level in a visit (default: the profile's)"
    )
    parser.add_argument("--duration", type=whole, metavar="S", help="seconds of one sample (default: the profile's)")
    parser.add_argument(
        "--levels",
        action="append",
        default=[],
        metavar="TEST=N,N",
        help="levels of a test: connections, or N where that varies (default: the profile's); repeatable",
    )
    parser.add_argument("--seed", type=whole, metavar="N", help="seed of the plan's order (default: a new one)")
    parser.add_argument(
        "--precision",
        metavar="P%",
        help="measure until ratios over all levels are within ± P %% (decided once, after a pilot; default: as many "
        "blocks as the profile has)",
    )
    parser.add_argument(
        "--budget", metavar="TIME", help="but plan for no longer than this: 90s, 20m, 1h30m (default: no limit)"
    )
    parser.add_argument(
        "--placement",
        **choice(placement.MODES),
        help="CPUs of client, entry and database: shared, or split (default: auto, split from 4 CPUs on)",
    )
    parser.add_argument(
        "--db-connections",
        type=numbers,
        default=(),
        metavar="N[,N]",
        help="database connections of an entry, all workers together; of several, each entry is measured with each "
        "(default: LAB_DB_CONNECTIONS of .env)",
    )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add the flag that has a plan told instead of made."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and the wrk commands, and start nothing; needs no engine (default: measure)",
    )


def add_selection(parser: argparse.ArgumentParser, tests: str, entries: str) -> None:
    """Add the flags that choose entries, tests and proxy; `tests` and `entries` name those taken without a flag."""
    parser.add_argument(
        "--framework",
        action="append",
        default=[],
        metavar="NAME",
        help=f"an entry (default: {entries}; see list); repeatable",
    )
    parser.add_argument(
        "--test",
        action="append",
        default=[],
        **choice(WORKLOADS),
        help=f"a test type (default: {tests}); repeatable",
    )
    parser.add_argument(
        "--proxy",
        **choice(PROXY_CHOICES),
        metavar="PROXY",
        help="what stands in front of the entry: none, nginx, or none,nginx to measure it both ways (default: none)",
    )
