"""The command line: flags in, commands called, errors as one line, exit codes out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab import flags, interrupts, stack, store, topology
from benchlab.engine import Engine
from benchlab.errors import LabError, SetupError
from benchlab.model import Settings

if TYPE_CHECKING:
    from rich.console import Console

OK, FAILED = 0, 1


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 an error or something not measured, 128 + n a signal."""
    interrupts.install()
    _replace_what_cannot_be_printed()
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
    given = flags.bench_parser().parse_args(arguments)
    if given.resume is None:
        return _start(root, flags.settings(given))
    return _resume(root, Path(given.resume).resolve(), given)


def _start(root: Path, settings: Settings) -> int:
    from benchlab import bench

    lab = bench.open_lab(root, settings.frameworks, _say)
    return _finish(bench.start(lab, settings, root / "results", _console()))


def _resume(root: Path, folder: Path, given: argparse.Namespace) -> int:
    from benchlab import bench

    settings = store.read_manifest(folder).settings
    flags.refuse_other_settings(given, settings)
    lab = bench.open_lab(root, settings.frameworks, _say)
    return _finish(bench.resume(lab, folder, _console()))


def _finish(folder: Path) -> int:
    """Print the run's report; a trial that was not measured makes the command fail."""
    from benchlab import bench, judge, report

    run, shown = store.read(folder), bench.shown(folder)
    print(report.report(run))
    _say(f"kept in {shown}")
    missing = judge.missing(run)
    if missing:
        _say(f"{len(missing)} trial(s) not measured; to try them again: python lab.py --resume {shown}")
    return FAILED if missing else OK


def _list(root: Path, arguments: list[str]) -> int:
    flags.plain_parser("list", "Show the entries and what each is made of.").parse_args(arguments)
    engine = Engine.if_any(topology.project(root))
    if engine is None:
        _say("no Docker engine answers: workers and pool are shown for one CPU")
    resolved = topology.load(root, topology.resources(root, engine.cpus if engine else 1))
    print(stack.table({entry.name: entry.labels for entry in resolved.choose([])}))
    return OK


def _verify(root: Path, arguments: list[str]) -> int:
    from benchlab import bench

    given = flags.verify_parser().parse_args(arguments)
    settings = flags.verify_settings(given)
    lab = bench.open_lab(root, settings.frameworks, _say)
    verdicts = bench.verify(lab, settings)
    print("\n".join(str(verdict) for verdict in verdicts))
    return OK if all(verdict.passed for verdict in verdicts) else FAILED


def _setup(root: Path, arguments: list[str]) -> int:
    from benchlab import bench

    about = "Make the machine ready: engine, Compose, and the images of all entries."
    flags.plain_parser("setup", about).parse_args(arguments)
    lab = bench.open_lab(root, (), _say)
    bench.build(lab, lab.topology.entries)
    return OK


def _clean(root: Path, arguments: list[str]) -> int:
    from benchlab import lease, provision

    about = "Remove the lab's containers, networks and images; results stay."
    flags.plain_parser("clean", about).parse_args(arguments)
    engine = Engine.if_any(topology.project(root))
    if engine is None:
        raise SetupError(
            "no Docker engine answers, and what the lab left may be on one; start Docker, then clean again"
        )
    lease.refuse_if_held(engine)
    count = engine.remove_all()
    images = provision.remove_images(topology.load(root, {}), engine)
    _say(f"removed {count} containers and networks, and the images {', '.join(images) or '(none)'}")
    return OK


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _replace_what_cannot_be_printed() -> None:
    """Let no report fail for a dash that the caller's locale does not have."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COMMANDS: dict[str, Callable[[Path, list[str]], int]] = {
    "bench": _bench,
    "list": _list,
    "verify": _verify,
    "setup": _setup,
    "clean": _clean,
}
