"""The flags of each command, and the settings that they ask for."""

from __future__ import annotations

import argparse
import secrets

from benchlab import placement, profiles, quantities
from benchlab.arguments import Parser, choice, numbers, whole
from benchlab.errors import ConfigError
from benchlab.model import NO_PROXY, Settings
from benchlab.profiles import PROFILES, PROXY_CHOICES
from benchlab.workloads import DATABASE, WORKLOADS

SEED_BITS = 32
# What `export` writes. Named here too, because help is given where the packages that write it are not installed.
EXPORTS = ("tfb", "csv", "json", "markdown")

PROTOCOLS = "; ".join(
    f"{each.name} is {each.blocks} blocks of {each.duration_s}-s samples" for each in PROFILES.values()
)

# What `lab.py` does beside its main job, each with its own --help.
COMMANDS = {
    "list": "show the entries and what each is made of",
    "results": "list the runs on disk",
    "adopt": "make entries of a folder in the TechEmpower format",
    "verify": "start each entry and hold its answers against the contract; no load",
    "setup": "make the machine ready: engine, Compose, images",
    "clean": "remove the lab's containers, networks and images",
    "report": "analyse a run anew and print its tables",
    "export": "print a run as TFB's results file, CSV, JSON or Markdown",
    "compare": "hold a run against an older one; --fail-if-slower makes it a gate",
    "factors": "tell what data layer, framework, server or proxy do, alone and together",
    "doctor": "say what on this host harms a measurement",
    "calibrate": "test the instrument itself",
}

BENCH = """
python lab.py                                     the study's two entries, a quarter of an hour
python lab.py --framework crax --profile quick    a first look at one entry
python lab.py --profile seed --dry-run            what would be measured, and the wrk commands
python lab.py --proxy nginx --levels json=16,32 --test json
python lab.py --resume results/latest             go on where a run was stopped
python lab.py --precision 3% --budget 20m         as many blocks as that takes
python lab.py --framework crax --against main --fail-if-slower 3%
"""
REPORT = """
python lab.py report results/latest               the newest run
"""
EXPORT = """
python lab.py export results/latest --format csv
python lab.py export results/latest --format tfb --output results.json
"""
COMPARE = """
python lab.py compare results/OLD results/NEW
python lab.py compare results/OLD results/NEW --fail-if-slower 3%
python lab.py compare results/latest              the versions in a run that was made with --against
"""
FACTORS = """
python lab.py factors                             data layer and framework, in all tests of the database
python lab.py factors --factor server --test json
python lab.py factors results/latest              the factors of a run that was measured
"""
DOCTOR = """
python lab.py doctor
python lab.py doctor --json                       for programs
"""
CALIBRATE = """
python lab.py calibrate                           about ten minutes
python lab.py calibrate --full --seed 4           about an hour
"""
ADOPT = """
python lab.py adopt path/to/entry                 then --framework with the name that it says
python lab.py adopt path/to/entry --base python:3.12=benchlab/base
python lab.py adopt --remove NAME
"""
VERIFY = """
python lab.py verify                              every entry and test type
python lab.py verify --framework crax --test json
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
        proxy=given.proxy or NO_PROXY,
        seed=secrets.randbits(SEED_BITS) if given.seed is None else given.seed,
        precision=quantities.share("--precision", given.precision) if given.precision is not None else None,
        budget_s=quantities.seconds("--budget", given.budget) if given.budget is not None else None,
        placement=given.placement or placement.AUTO,
        against=given.against or "",
        repeats=given.repeats,
        db_connections=given.db_connections,
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
        proxy=given.proxy or NO_PROXY,
        seed=0,
    )


def factors_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of a run that tells of factors, of what asks the database. Raises ConfigError."""
    return settings(argparse.Namespace(**vars(given) | {"test": given.test or DATABASE, "against": None}))


def refuse_measuring(given: argparse.Namespace) -> None:
    """Raise ConfigError where a flag that says how to measure stands beside a run that is read."""
    usual = vars(factors_parser().parse_args([]))
    reading = ("run", "factor", "framework")
    if changed := [name for name, value in vars(given).items() if value != usual[name] and name not in reading]:
        raise ConfigError(
            f"--{changed[0].replace('_', '-')}: {given.run} is read as it was measured; leave that flag out"
        )


def refuse_other_settings(given: argparse.Namespace, settings: Settings) -> None:
    """Raise ConfigError where a flag beside --resume names another value than the run has."""
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
    parser = Parser(
        prog="lab.py",
        description="Measure Python web frameworks in containers: randomised blocks, tables under results/.",
        examples=BENCH,
    )
    commands = "\n".join(f"  {name:<9}  {about}" for name, about in COMMANDS.items())
    parser.description = f"{parser.description}\n\nother commands (each has its own --help):\n{commands}"
    _add_selection(parser, "the profile's", "those that have no label benchlab.default: no")
    _add_measuring(parser)
    parser.add_argument(
        "--against", metavar="REF", help="measure the entries beside their own versions at this commit, in one run"
    )
    _add_gate(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and the wrk commands, and start nothing (default: measure)",
    )
    parser.add_argument("--resume", metavar="DIR", help="measure what the run in this folder still misses")
    return parser


def report_parser() -> argparse.ArgumentParser:
    parser = Parser("lab.py report", "Analyse a run anew and print its tables.", REPORT)
    parser.add_argument("run", metavar="DIR", help="the run's folder, such as results/latest")
    return parser


def export_parser() -> argparse.ArgumentParser:
    parser = Parser("lab.py export", "Print a run in a format that other programs read.", EXPORT)
    parser.add_argument("run", metavar="DIR", help="the run's folder, such as results/latest")
    parser.add_argument(
        "--format",
        **choice(EXPORTS),
        required=True,
        help="tfb: the TechEmpower benchmarks' results file; csv: a row for each entry, test and level; "
        "json: all that the analysis knows; markdown: the report",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="a file to write, which must not be there yet (default: print it)"
    )
    return parser


def compare_parser() -> argparse.ArgumentParser:
    parser = Parser(
        "lab.py compare",
        "Hold a new run against an old one, or the versions in a run that was made with --against. "
        "Exit code: 0 no regression shown, 1 regression shown, 2 error, 3 too noisy to exclude one.",
        COMPARE,
    )
    parser.add_argument("old", metavar="OLD", help="the older run's folder, or one made with --against")
    parser.add_argument("new", metavar="NEW", nargs="?", help="the newer run's folder")
    parser.add_argument("--anyway", action="store_true", help="compare runs of different hosts or settings, and say so")
    parser.add_argument(
        "--html", action="store_true", help="write the comparison as a page with plots, too, beside the newer run"
    )
    _add_gate(parser)
    return parser


def factors_parser() -> argparse.ArgumentParser:
    parser = Parser(
        "lab.py factors",
        "Tell what each factor that labels name does, such as data layer and framework, and what two do together: "
        "measure a run of entries that are crossed, or read one.",
        FACTORS,
    )
    parser.add_argument("run", metavar="DIR", nargs="?", help="a run's folder to read (default: a new run is measured)")
    parser.add_argument(
        "--factor",
        action="append",
        default=[],
        metavar="NAME[=LEVEL]",
        help="a label to be told of, and what its levels are compared with; without it entries are measured that "
        "differ in orm and framework, and all is told that a run's entries differ in; repeatable",
    )
    _add_selection(parser, "those that read the database", "those that tell of the factors")
    _add_measuring(parser)
    return parser


def doctor_parser() -> argparse.ArgumentParser:
    parser = Parser(
        "lab.py doctor", "Say what on this host harms a measurement, and what to do; change nothing.", DOCTOR
    )
    parser.add_argument("--json", action="store_true", help="print the findings and the host's facts as JSON")
    return parser


def calibrate_parser() -> argparse.ArgumentParser:
    parser = Parser(
        "lab.py calibrate", "Test the instrument itself on this host: about ten minutes, or --full.", CALIBRATE
    )
    parser.add_argument(
        "--full", action="store_true", help="more repetitions: about an hour (default: the short version)"
    )
    parser.add_argument("--seed", type=whole, metavar="N", help="seed of the plan's order (default: a new one)")
    return parser


def _add_measuring(parser: argparse.ArgumentParser) -> None:
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
        help="as many blocks as ratios to ± P %% take, decided once after a pilot (default: the profile's)",
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


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-if-slower",
        metavar="P%",
        help="a gate for CI: exit 1 if something got slower by P %%, 3 if that cannot be excluded (default: none)",
    )


def verify_parser() -> argparse.ArgumentParser:
    parser = Parser("lab.py verify", "Start each entry and hold its answers against the contract; no load.", VERIFY)
    _add_selection(parser, "all that the entry has", "all")
    return parser


def adopt_parser() -> argparse.ArgumentParser:
    parser = Parser(
        "lab.py adopt",
        "Make entries of a folder in the format of the TechEmpower benchmarks, and change nothing in it.",
        ADOPT,
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
    return Parser(f"lab.py {command}", about, f"python lab.py {command}")


def _add_selection(parser: argparse.ArgumentParser, tests: str, entries: str) -> None:
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
        help="what stands in front of the entry, or both to measure each entry both ways (default: none)",
    )
