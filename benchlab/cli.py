"""The command line: flags in, commands called, errors as one line, exit codes out."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab import interrupts, profiles, stack, store, topology
from benchlab.engine import Engine
from benchlab.errors import ConfigError, LabError
from benchlab.model import Settings
from benchlab.profiles import PROFILES, PROXIES
from benchlab.workloads import WORKLOADS

if TYPE_CHECKING:
    from rich.console import Console

OK, FAILED = 0, 1
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


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 an error or something not measured, 128 + n a signal."""
    interrupts.install()
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in COMMANDS else ("bench", arguments)
    try:
        return COMMANDS[name](root, list(rest))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # Whoever read the output has enough of it (`lab.py list | head -1`); nothing more can be told there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except interrupts.Interrupted as interrupt:
        print(f"ended by {interrupt}", file=sys.stderr)
        return interrupt.exit_code


def _bench(root: Path, arguments: list[str]) -> int:
    flags = _bench_parser().parse_args(arguments)
    if flags.resume is None:
        return _start(root, _settings(flags))
    return _resume(root, Path(flags.resume).resolve(), flags)


def _start(root: Path, settings: Settings) -> int:
    from benchlab import bench

    lab = bench.open_lab(root, settings.frameworks, _say)
    return _finish(bench.start(lab, settings, root / "results", _console()))


def _resume(root: Path, folder: Path, flags: argparse.Namespace) -> int:
    from benchlab import bench

    settings = store.read_manifest(folder).settings
    _refuse_other_settings(flags, settings)
    lab = bench.open_lab(root, settings.frameworks, _say)
    return _finish(bench.resume(lab, folder, _console()))


def _finish(folder: Path) -> int:
    """Print the run's report; a trial that was not measured makes the command fail."""
    from benchlab import bench, tables

    run, shown = store.read(folder), bench.shown(folder)
    print(tables.report(run))
    _say(f"kept in {shown}")
    if run.missing:
        _say(f"{len(run.missing)} trial(s) not measured; to try them again: python lab.py --resume {shown}")
    return FAILED if run.missing else OK


def _list(root: Path, arguments: list[str]) -> int:
    argparse.ArgumentParser(prog="lab.py list", description="Show the entries and what each is made of.").parse_args(
        arguments
    )
    engine = Engine.if_any(topology.project(root))
    if engine is None:
        _say("no Docker engine answers: workers and pool are shown for one CPU")
    resolved = topology.load(root, topology.resources(root, engine.cpus if engine else 1))
    print(stack.table({entry.name: entry.labels for entry in resolved.choose([])}))
    return OK


def _verify(root: Path, arguments: list[str]) -> int:
    from benchlab import bench

    flags = _verify_parser().parse_args(arguments)
    settings = profiles.settings(
        profile="quick",
        frameworks=flags.framework,
        tests=flags.test,
        levels={},
        blocks=None,
        duration_s=None,
        proxy=flags.proxy or "none",
        seed=0,
    )
    lab = bench.open_lab(root, settings.frameworks, _say)
    verdicts = bench.verify(lab, settings)
    print("\n".join(str(verdict) for verdict in verdicts))
    return OK if all(verdict.passed for verdict in verdicts) else FAILED


def _setup(root: Path, arguments: list[str]) -> int:
    from benchlab import bench, lease, provision

    argparse.ArgumentParser(
        prog="lab.py setup", description="Make the machine ready: engine, Compose, and the images of all entries."
    ).parse_args(arguments)
    lab = bench.open_lab(root, (), _say)
    lease.refuse_if_held(lab.engine)
    provision.images(lab.topology, lab.engine, [*bench.BESIDE, *lab.topology.entries], lab.state, _say)
    return OK


def _clean(root: Path, arguments: list[str]) -> int:
    from benchlab import lease, provision

    argparse.ArgumentParser(
        prog="lab.py clean", description="Remove the lab's containers, networks, volumes and images; results stay."
    ).parse_args(arguments)
    engine = Engine.if_any(topology.project(root))
    if engine is None:
        _say("no Docker engine answers: nothing of the lab can be on it")
        return OK
    lease.refuse_if_held(engine)
    count = engine.remove_all()
    images = provision.remove_images(engine)
    _say(f"removed {count} containers and networks, and the images {', '.join(images) or '(none)'}")
    return OK


def _settings(flags: argparse.Namespace) -> Settings:
    return profiles.settings(
        profile=flags.profile or "default",
        frameworks=flags.framework,
        tests=flags.test,
        levels=profiles.parse_levels(flags.levels),
        blocks=flags.blocks,
        duration_s=flags.duration,
        proxy=flags.proxy or "none",
        seed=secrets.randbits(SEED_BITS) if flags.seed is None else flags.seed,
    )


def _refuse_other_settings(flags: argparse.Namespace, settings: Settings) -> None:
    """Raise ConfigError where a flag beside --resume names another value than the run has."""
    pairs: dict[str, tuple[object, object]] = {
        "--framework": (set(flags.framework), set(settings.frameworks)),
        "--test": (set(flags.test), set(settings.tests)),
        "--profile": (flags.profile, settings.profile),
        "--proxy": (flags.proxy, settings.proxy),
        "--blocks": (flags.blocks, settings.blocks),
        "--duration": (flags.duration, settings.duration_s),
        "--seed": (flags.seed, settings.seed),
    }
    for test, values in profiles.parse_levels(flags.levels).items():
        pairs[f"--levels {test}="] = (set(values), set(settings.levels.get(test, ())))
    changed = [
        f"{flag} {_typed(given)} was given, the run has {_typed(kept)}"
        for flag, (given, kept) in pairs.items()
        if given not in (None, set(), kept)
    ]
    if changed:
        raise ConfigError(f"--resume keeps the run's own settings: {'; '.join(changed)}; leave that flag out")


def _typed(value: object) -> str:
    """Return the value as it is typed in a flag."""
    return ",".join(map(str, sorted(value))) or "none" if isinstance(value, set) else str(value)


def _bench_parser() -> argparse.ArgumentParser:
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


def _verify_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py verify", description="Start each entry and hold its answers against the contract; no load."
    )
    _add_selection(parser)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--framework", action="append", default=[], metavar="NAME", help="an entry (default: all; see list); repeatable"
    )
    parser.add_argument(
        "--test", action="append", default=[], choices=list(WORKLOADS), help="a test type (default: all); repeatable"
    )
    parser.add_argument("--proxy", choices=PROXIES, help="what stands in front of the entry (default: none)")


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COMMANDS: dict[str, Callable[[Path, list[str]], int]] = {
    "bench": _bench,
    "list": _list,
    "verify": _verify,
    "setup": _setup,
    "clean": _clean,
}
