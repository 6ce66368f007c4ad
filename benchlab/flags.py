"""The flags of each command, and the settings that they ask for."""

from __future__ import annotations

import argparse
import secrets
from typing import Any

from benchlab import placement, profiles, quantities
from benchlab.errors import ConfigError
from benchlab.model import Settings
from benchlab.profiles import PROFILES, PROXIES
from benchlab.workloads import WORKLOADS

SEED_BITS = 32

EXAMPLES = """
other commands (each has its own --help):
  list      show the entries and what each is made of
  adopt     make entries of a folder in the TechEmpower format
  verify    start each entry and hold its answers against the contract; no load
  setup     make the machine ready: engine, Compose, images
  clean     remove the lab's containers, networks and images
  report    analyse a run anew and print its tables
  compare   hold a run against an older one; --fail-if-slower makes it a gate
  doctor    say what on this host harms a measurement
  calibrate test the instrument itself

examples:
  python lab.py                                     every entry, a quarter of an hour
  python lab.py --framework crax --profile quick    a first look at one entry
  python lab.py --proxy nginx --levels json=16,32 --test json
  python lab.py --resume results/latest             go on where a run was stopped
  python lab.py --precision 3% --budget 20m         as many blocks as that takes
  python lab.py --framework crax --against main --fail-if-slower 3%
"""


class _Parser(argparse.ArgumentParser):
    """A parser that takes flags by their whole names only: what a short one means would change with each new flag."""

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, **options)


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
        precision=quantities.share("--precision", given.precision) if given.precision is not None else None,
        budget_s=quantities.seconds("--budget", given.budget) if given.budget is not None else None,
        placement=given.placement or placement.AUTO,
        against=given.against or "",
        repeats=given.repeats,
    )


def margin(given: argparse.Namespace) -> float | None:
    """Return the regression that --fail-if-slower names, as a share; None without the flag. Raises ConfigError."""
    text = given.fail_if_slower
    return None if text is None else quantities.share("--fail-if-slower", text)


def verify_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a verification: which entries, tests and proxy. Raises ConfigError."""
    return profiles.settings(
        profile="quick",
        frameworks=given.framework,
        tests=given.test or WORKLOADS,
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
        "--repeats": (given.repeats, settings.repeats),
        "--duration": (given.duration, settings.duration_s),
        "--seed": (given.seed, settings.seed),
        "--placement": (given.placement, settings.placement),
        "--precision": (given.precision and quantities.share("--precision", given.precision), settings.precision),
        "--budget": (given.budget and quantities.seconds("--budget", given.budget), settings.budget_s),
    }
    for test, values in profiles.parse_levels(given.levels).items():
        pairs[f"--levels {test}="] = (set(values), set(settings.levels.get(test, ())))
    if given.against:
        raise ConfigError("--resume keeps the run's own settings, its versions among them; leave --against out")
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
    parser = _Parser(
        prog="lab.py",
        description="Measure Python web frameworks in containers: randomised blocks, tables under results/.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_selection(parser, "the profile's")
    parser.add_argument("--profile", choices=list(PROFILES), help="named settings (default: default)")
    parser.add_argument(
        "--blocks",
        type=int,
        metavar="N",
        help="times that every entry is visited; with --precision or --budget the pilot's (default: the profile's)",
    )
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="samples of each level in a visit (default: the profile's)"
    )
    parser.add_argument("--duration", type=int, metavar="S", help="seconds of one sample (default: the profile's)")
    parser.add_argument(
        "--levels",
        action="append",
        default=[],
        metavar="TEST=N,N",
        help="levels of a test: connections, or N where that varies (default: the profile's); repeatable",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the plan's order (default: a new one)")
    parser.add_argument(
        "--precision",
        metavar="P%",
        help="as many blocks as ratios to ± P %% take, decided once after a pilot (default: the profile's)",
    )
    parser.add_argument(
        "--budget", metavar="TIME", help="but plan for no longer than this: 90s, 20m, 1h30m (default: no limit)"
    )
    parser.add_argument(
        "--placement",
        choices=placement.MODES,
        help="CPUs of client, entry and database: shared, or split (default: auto, split from 4 CPUs on)",
    )
    parser.add_argument(
        "--against", metavar="REF", help="measure the entries beside their own versions at this commit, in one run"
    )
    _add_gate(parser)
    parser.add_argument("--resume", metavar="DIR", help="measure what the run in this folder still misses")
    return parser


def report_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lab.py report", description="Analyse a run anew and print its tables.")
    parser.add_argument("run", metavar="DIR", help="the run's folder, such as results/latest")
    return parser


def compare_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab.py compare",
        description="Hold a new run against an old one, or the versions in a run that was made with --against. "
        "Exit code: 0 no regression shown, 1 regression shown, 2 error, 3 too noisy to exclude one.",
    )
    parser.add_argument("old", metavar="OLD", help="the older run's folder, or one made with --against")
    parser.add_argument("new", metavar="NEW", nargs="?", help="the newer run's folder")
    parser.add_argument("--anyway", action="store_true", help="compare runs of different hosts or settings, and say so")
    _add_gate(parser)
    return parser


def doctor_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab.py doctor", description="Say what on this host harms a measurement, and what to do; change nothing."
    )
    parser.add_argument("--json", action="store_true", help="print the findings and the host's facts as JSON")
    return parser


def calibrate_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab.py calibrate", description="Test the instrument itself on this host: about ten minutes, or --full."
    )
    parser.add_argument(
        "--full", action="store_true", help="more repetitions: about an hour (default: the short version)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the plan's order (default: a new one)")
    return parser


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-if-slower",
        metavar="P%",
        help="a gate for CI: exit 1 if something got slower by P %%, 3 if that cannot be excluded (default: none)",
    )


def verify_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab.py verify", description="Start each entry and hold its answers against the contract; no load."
    )
    _add_selection(parser, "all that the entry has")
    return parser


def adopt_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab.py adopt",
        description="Make entries of a folder in the format of the TechEmpower benchmarks, and change nothing in it.",
    )
    parser.add_argument("folder", metavar="DIR", nargs="?", help="the folder that has the benchmark_config.json")
    parser.add_argument(
        "--test", action="append", default=[], metavar="NAME", help="one of its tests (default: all); repeatable"
    )
    parser.add_argument(
        "--base",
        action="append",
        default=[],
        metavar="IMAGE=IMAGE",
        help="start from another image than a dockerfile says: python:3.12=benchlab/base (default: none); repeatable",
    )
    parser.add_argument("--bases", metavar="FILE", help="a file of such pairs, one in a line")
    parser.add_argument("--as", dest="name", default="", metavar="NAME", help="another name for the framework here")
    parser.add_argument(
        "--remove", action="append", default=[], metavar="NAME", help="remove an adopted entry instead; repeatable"
    )
    return parser


def plain_parser(command: str, about: str) -> argparse.ArgumentParser:
    """Return the parser of a command without flags."""
    return _Parser(prog=f"lab.py {command}", description=about)


def _add_selection(parser: argparse.ArgumentParser, tests: str) -> None:
    """Add the flags that choose entries, tests and proxy; `tests` names those that are taken without --test."""
    parser.add_argument(
        "--framework", action="append", default=[], metavar="NAME", help="an entry (default: all; see list); repeatable"
    )
    parser.add_argument(
        "--test",
        action="append",
        default=[],
        choices=list(WORKLOADS),
        help=f"a test type (default: {tests}); repeatable",
    )
    parser.add_argument("--proxy", choices=PROXIES, help="what stands in front of the entry (default: none)")
