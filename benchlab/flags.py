"""The flags of each command, and the settings that they ask for."""

from __future__ import annotations

import argparse
import secrets

from benchlab import profiles
from benchlab.errors import ConfigError
from benchlab.model import Settings
from benchlab.profiles import PROFILES, PROXIES
from benchlab.workloads import WORKLOADS

SEED_BITS = 32

EXAMPLES = """
other commands (each has its own --help):
  list      show the entries and what each is made of
  verify    start each entry and hold its answers against the contract; no load
  setup     make the machine ready: engine, Compose, images
  clean     remove the lab's containers, networks and images

examples:
  python lab.py                                     every entry, about ten minutes
  python lab.py --framework crax --profile quick    a first look at one entry
  python lab.py --proxy nginx --levels json=16,32 --test json
  python lab.py --resume results/latest             go on where a run was stopped
"""


def settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a new run. Raises ConfigError."""
    return profiles.settings(
        profile=given.profile or "default",
        frameworks=given.framework,
        tests=given.test,
        levels=profiles.parse_levels(given.levels),
        blocks=given.blocks,
        duration_s=given.duration,
        proxy=given.proxy or "none",
        seed=secrets.randbits(SEED_BITS) if given.seed is None else given.seed,
    )


def verify_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a verification: which entries, tests and proxy. Raises ConfigError."""
    return profiles.settings(
        profile="quick",
        frameworks=given.framework,
        tests=given.test,
        levels={},
        blocks=None,
        duration_s=None,
        proxy=given.proxy or "none",
        seed=0,
    )


def refuse_other_settings(given: argparse.Namespace, settings: Settings) -> None:
    """Raise ConfigError where a flag beside --resume names another value than the run has."""
    pairs: dict[str, tuple[object, object]] = {
        "--framework": (set(given.framework), set(settings.frameworks)),
        "--test": (set(given.test), set(settings.tests)),
        "--profile": (given.profile, settings.profile),
        "--proxy": (given.proxy, settings.proxy),
        "--blocks": (given.blocks, settings.blocks),
        "--duration": (given.duration, settings.duration_s),
        "--seed": (given.seed, settings.seed),
    }
    for test, values in profiles.parse_levels(given.levels).items():
        pairs[f"--levels {test}="] = (set(values), set(settings.levels.get(test, ())))
    changed = [
        f"{flag} {_typed(wanted)} was given, the run has {_typed(kept)}"
        for flag, (wanted, kept) in pairs.items()
        if wanted not in (None, set(), kept)
    ]
    if changed:
        raise ConfigError(f"--resume keeps the run's own settings: {'; '.join(changed)}; leave that flag out")


def _typed(value: object) -> str:
    """Return the value as it is typed in a flag."""
    return ",".join(map(str, sorted(value))) or "none" if isinstance(value, set) else str(value)


def bench_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py",
        description="Measure Python web frameworks in containers: randomised blocks, tables under results/.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_selection(parser)
    parser.add_argument("--profile", choices=list(PROFILES), help="named settings (default: default)")
    parser.add_argument(
        "--blocks", type=int, metavar="N", help="times that every entry is visited (default: the profile's)"
    )
    parser.add_argument("--duration", type=int, metavar="S", help="seconds of one sample (default: the profile's)")
    parser.add_argument(
        "--levels",
        action="append",
        default=[],
        metavar="TEST=N,N",
        help="levels of a test: connections, for query the rows a request (default: the study's); repeatable",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the plan's order (default: a new one)")
    parser.add_argument("--resume", metavar="DIR", help="measure what the run in this folder still misses")
    return parser


def verify_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py verify", description="Start each entry and hold its answers against the contract; no load."
    )
    _add_selection(parser)
    return parser


def plain_parser(command: str, about: str) -> argparse.ArgumentParser:
    """Return the parser of a command without flags."""
    return argparse.ArgumentParser(prog=f"lab.py {command}", description=about)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--framework", action="append", default=[], metavar="NAME", help="an entry (default: all; see list); repeatable"
    )
    parser.add_argument(
        "--test", action="append", default=[], choices=list(WORKLOADS), help="a test type (default: all); repeatable"
    )
    parser.add_argument("--proxy", choices=PROXIES, help="what stands in front of the entry (default: none)")
