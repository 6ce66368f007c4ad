"""The command line: flags in, commands called, errors as one line, exit codes out."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab import flags, interrupts, naming, output, spelling, stack, store, topology
from benchlab.engine import Engine
from benchlab.errors import ConfigError, LabError, SetupError, StoreError, UsageError
from benchlab.model import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from benchlab.stage import Conditions, Lab
    from benchlab.versus import Side

Command = Callable[[Path, list[str]], int]

OK, FAILED, ERROR = 0, 1, 2
GATE = "--fail-if-slower"


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 an error or something not measured, 128 + n a signal."""
    interrupts.install()
    output.install()
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0][:1].isalpha() else ("bench", arguments)
    # 1 is the gate's word for a regression.
    failed = ERROR if name == "compare" or any(word.startswith(GATE) for word in rest) else FAILED
    try:
        code = _command(name)(root, list(rest))
        if unwritten := output.failure():
            raise StoreError(f"the output cannot be written ({unwritten.strerror}); what was measured is in results/")
        return code
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return ERROR if isinstance(error, UsageError) else failed
    except Exception:
        traceback.print_exc()
        return failed
    except interrupts.Interrupted as interrupt:
        print(f"ended by {interrupt}", file=sys.stderr)
        return interrupt.exit_code


def _command(name: str) -> Command:
    if name not in COMMANDS:
        hint = spelling.meant(name, COMMANDS)
        raise UsageError(f"unknown command {name}: {hint}there is {', '.join(COMMANDS)}; see `python lab.py --help`")
    return COMMANDS[name]


def _bench(root: Path, arguments: list[str]) -> int:
    given = flags.bench_parser().parse_args(arguments)
    if given.dry_run:
        return _rehearse(root, given)
    if given.resume is None:
        return _start(root, flags.settings(given), flags.margin(given))
    return _resume(root, Path(given.resume).resolve(), given)


def _rehearse(root: Path, given: argparse.Namespace) -> int:
    """Print what would be measured."""
    from benchlab import planning, stage

    if given.resume is not None:
        raise ConfigError("--dry-run is of a new run; leave --resume out")
    settings = flags.settings(given)
    _refuse_gate_without_versions(flags.margin(given), settings)
    lab = stage.look(root, naming.originals(settings), _say, _conditions(settings))
    print(planning.rehearse(lab, settings))
    return OK


def _start(root: Path, settings: Settings, margin: float | None) -> int:
    from benchlab import bench

    _refuse_gate_without_versions(margin, settings)
    return _finish(bench.start(_open(root, settings), settings, root / "results", _console()), margin)


def _refuse_gate_without_versions(margin: float | None, settings: Settings) -> None:
    if margin is not None and not settings.against:
        raise ConfigError("--fail-if-slower needs an older version to compare with; add --against REF, or use compare")


def _open(root: Path, settings: Settings) -> Lab:
    """Return the lab that the settings need; variants of entries are added to it later."""
    from benchlab import adopt, stage

    names = naming.originals(settings)
    lab = stage.open_lab(root, names, _say, _conditions(settings))
    for name in adopt.outdated(root, [entry.name for entry in lab.topology.choose(names)]):
        _say(f"{name}: the folder that it was adopted from has changed; adopt it again to measure that")
    return lab


def _conditions(settings: Settings) -> Conditions:
    from benchlab.stage import Conditions

    return Conditions(settings.placement, settings.proxies, next(iter(settings.db_connections), None))


def _resume(root: Path, folder: Path, given: argparse.Namespace) -> int:
    from benchlab import bench

    settings = store.read_manifest(folder).settings
    _refuse_gate_without_versions(flags.margin(given), settings)
    flags.refuse_other_settings(given, settings)
    return _finish(bench.resume(_open(root, settings), folder, _console()), flags.margin(given))


def _finish(folder: Path, margin: float | None) -> int:
    """Print the run's report, and how versions compare; a trial that was not measured makes the command fail."""
    from benchlab import bench, judge, report, versus

    run, shown = store.read(folder), bench.shown(folder)
    print(report.report(run))
    _say(f"kept in {shown}; with plots: {shown}/{store.PAGE}")
    missing = judge.missing(run)
    if missing:
        _say(f"{len(missing)} trial(s) not measured; to try them again: python lab.py --resume {shown}")
    if unbuilt := run.manifest.unbuilt:
        _say(f"not built, and not measured: {', '.join(unbuilt)}")
    code = FAILED if missing or unbuilt else OK
    if not run.manifest.settings.against:
        return code
    compared = _compared(versus.of_versions(run), margin)
    return code if margin is None else compared


def _compared(sides: tuple[Side, Side], margin: float | None) -> int:
    """Print the ratios of new to old, and return what the gate says of them; without a margin there is none."""
    from benchlab import versus

    rows, untold = versus.rows(*sides), versus.lost(*sides)
    print(versus.table(rows))
    if untold:
        _say(f"nothing can be said of what only one side has, or wrk was the limit of: {', '.join(untold)}")
    if margin is None:
        return OK
    gate = versus.gate(rows, margin, untold)
    _say(gate.reason)
    return gate.exit_code


def _factors(root: Path, arguments: list[str]) -> int:
    from benchlab import bench, effects, factors, judge

    given = flags.factors_parser().parse_args(arguments)
    if given.run is not None:
        flags.refuse_measuring(given)
    folder = _measure_factors(root, given) if given.run is None else Path(given.run).resolve()
    run = store.read(folder)
    print(factors.report(run, effects.answer(run, given.factor, given.framework if given.run else ())))
    if given.run is not None:
        return OK
    _say(f"kept in {bench.shown(folder)}; its own tables: python lab.py report {bench.shown(folder)}")
    return FAILED if judge.missing(run) else OK


def _measure_factors(root: Path, given: argparse.Namespace) -> Path:
    """Return the folder of a new run of entries that tell of the factors; nothing is measured where they would not."""
    from benchlab import bench, contestants, crossing

    settings = flags.factors_settings(given)
    lab = _open(root, settings)
    if not settings.frameworks:
        labels = {name: entry.labels for name, entry in lab.topology.entries.items()}
        chosen = crossing.comparable(labels, lab.topology.usual, given.factor)
        settings = replace(settings, frameworks=tuple(chosen))
    crossing.cross({entry.name: entry.labels for entry in contestants.contestants(lab, settings)[1]}, given.factor)
    return bench.start(lab, settings, root / "results", _console())


def _report(root: Path, arguments: list[str]) -> int:
    from benchlab import html, report

    folder = Path(flags.report_parser().parse_args(arguments).run)
    run = store.read(folder.resolve())
    text = report.report(run)
    print(text)
    if store.is_cut(folder.resolve()):
        _say("the journal ends in the middle of a line, which is left out")
    try:
        store.Journal(folder.resolve()).derive(run, text, html.page(run))
    except StoreError as error:
        _say(f"the files of the run stay as they were: {error}")
    return OK


def _export(root: Path, arguments: list[str]) -> int:
    from benchlab import export, tfb_results

    given = flags.export_parser().parse_args(arguments)
    folder = Path(given.run).resolve()
    text = export.text(store.read(folder), given.format)
    if given.output is None:
        print(text, end="")
    else:
        store.write_new(Path(given.output), text)
        _say(f"written to {given.output}")
    if given.format == export.TFB:
        _say(f"left out, because the format has no place for it: {tfb_results.LEFT_OUT}")
    return OK


def _compare(root: Path, arguments: list[str]) -> int:
    from benchlab import versus

    given = flags.compare_parser().parse_args(arguments)
    margin = flags.margin(given)
    old = store.read(Path(given.old).resolve())
    if given.new is None:
        sides, differences = versus.of_versions(old), []
    else:
        new = store.read(Path(given.new).resolve())
        sides, differences = versus.of_runs(old, new), versus.differences(old.manifest, new.manifest)
    _refuse_other_conditions(differences, given.anyway)
    code = _compared(sides, margin)
    if given.html:
        folder = Path(given.new or given.old).resolve()
        name = Path(given.old).resolve().name if given.new else "versions"
        _write_comparison(folder, name, sides, differences, margin)
    return code


def _write_comparison(
    folder: Path, name: str, sides: tuple[Side, Side], differences: Sequence[str], margin: float | None
) -> None:
    from benchlab import bench, html, versus

    rows, untold = versus.rows(*sides), versus.lost(*sides)
    gate = None if margin is None else versus.gate(rows, margin, untold)
    path = store.write_comparison(folder, name, html.comparison(sides, rows, untold, differences, gate))
    _say(f"kept in {bench.shown(path)}")


def _refuse_other_conditions(differences: Sequence[str], anyway: bool) -> None:
    if not differences:
        return
    if not anyway:
        raise ConfigError(f"the runs are not comparable: {'; '.join(differences)}; --anyway compares them all the same")
    print(f"Compared although {'; '.join(differences)}.\n")


def _doctor(root: Path, arguments: list[str]) -> int:
    import json

    from benchlab import doctor, examination

    given = flags.doctor_parser().parse_args(arguments)
    facts, findings = examination.examine(root)
    if given.json:
        print(json.dumps({"findings": doctor.plain(findings), "facts": facts}, indent=2))
    else:
        print("\n".join(map(str, findings)))
    return FAILED if any(finding.state == doctor.FATAL for finding in findings) else OK


def _list(root: Path, arguments: list[str]) -> int:
    from rich.console import Console

    from benchlab import locks, terminal

    flags.plain_parser("list", "Show the entries and what each is made of.").parse_args(arguments)
    engine = Engine.if_any(topology.project(root))
    if engine is None:
        _say("no Docker engine answers: workers and pool are shown for one CPU")
    resolved = topology.load(root, topology.resources(root, engine.cpus if engine else 1))
    labels = {entry.name: entry.labels for entry in resolved.choose([])}
    rows = [[*row, locks.versions(resolved.context(row[0]))] for row in stack.rows(labels)]
    terminal.show(Console(), ["entry", *stack.COLUMNS, "versions"], rows)
    for note in stack.notes(labels):
        print(f"\n{note}")
    print(f"\nmeasured where none is named: {', '.join(resolved.usual) or 'none'}")
    return OK


def _results(root: Path, arguments: list[str]) -> int:
    from rich.console import Console

    from benchlab import runs, terminal

    about = "List the runs on disk, the newest first: when, profile, entries, blocks, samples, who is ahead."
    flags.plain_parser("results", about).parse_args(arguments)
    rows, unreadable = runs.rows(root / "results")
    if rows:
        terminal.show(Console(), runs.COLUMNS, rows)
    else:
        _say("no run on disk yet; `python lab.py` makes one")
    for error in unreadable:
        _say(f"left out: {error}")
    return OK


def _verify(root: Path, arguments: list[str]) -> int:
    from benchlab import bench

    given = flags.verify_parser().parse_args(arguments)
    settings = flags.verify_settings(given)
    lab = _open(root, settings)
    verdicts = bench.verify(lab, settings)
    print("\n".join(str(verdict) for verdict in verdicts))
    return OK if all(verdict.passed for verdict in verdicts) else FAILED


def _setup(root: Path, arguments: list[str]) -> int:
    from benchlab import stage

    about = "Make the machine ready: engine, Compose, and the images of all entries."
    flags.plain_parser("setup", about).parse_args(arguments)
    lab = stage.open_lab(root, (), _say)
    stage.build(lab, lab.topology.entries)
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
    images = provision.remove_images(topology.load(root, {}), engine, root / ".lab")
    _say(f"removed {count} containers and networks, and the images {', '.join(images) or '(none)'}")
    return OK


def _adopt(root: Path, arguments: list[str]) -> int:
    from benchlab import adopt, lease, stage

    parser = flags.adopt_parser()
    given = parser.parse_args(arguments)
    if (given.folder is None) == (not given.remove):
        parser.error("name a folder, or what to --remove")
    if given.remove:
        return _abandon(root, given.remove)
    usual = adopt.stand_ins(adopt.pairs(Path(given.bases)) if given.bases else ())
    wish = adopt.Wish(Path(given.folder), tuple(given.test), given.name, adopt.stand_ins(given.base), usual)
    adoptees, refused = adopt.examine(root, wish)
    for name, why in refused.items():
        _say(f"left out {name}: {why}")
    lab = stage.open_lab(root, (), _say)
    # What the engine grants is tried with containers, which would disturb another lab's samples.
    lease.refuse_if_held(lab.engine)
    adopt.adopt(root, wish.folder, adoptees, adopt.grants(lab.engine, lab.debian))
    for adoptee in adoptees:
        print(f"adopted {adoptee}")
        for image in adoptee.pulled:
            if lab.engine.image_id(image) is None:
                _say(
                    f"{adoptee.entry}: {image} is pulled when it is built; else adopt with --base {image}=benchlab/base"
                )
    return OK


def _abandon(root: Path, names: Sequence[str]) -> int:
    """Remove adopted entries, and their images from the engine, where one answers."""
    from benchlab import adopt, lease

    engine = Engine.if_any(topology.project(root))
    if engine is not None:
        lease.refuse_if_held(engine)
    for name in names:
        image = adopt.remove(root, name)
        gone = engine is not None and engine.remove_image(image)
        print(f"removed {name}" + (f" and its image {image}" if gone else ""))
    if engine is None:
        _say("no Docker engine answers: an image that was built stays on it; `python lab.py clean` removes it")
    return OK


def _calibrate(root: Path, arguments: list[str]) -> int:
    import secrets

    from benchlab import bench, placement, proving, stage

    given = flags.calibrate_parser().parse_args(arguments)
    seed = secrets.randbits(flags.SEED_BITS) if given.seed is None else given.seed
    # As runs are, so that the instrument under test is the one that is used.
    lab = stage.open_lab(root, (), _say, stage.Conditions(placement.AUTO))
    folder, checks = proving.prove(lab, given.full, seed, root / "results", _console())
    print((folder / store.REPORT).read_text(encoding="utf-8"))
    _say(f"kept in {bench.shown(folder)}")
    return FAILED if any(check.passed is False for check in checks) else OK


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COMMANDS: dict[str, Command] = {
    "bench": _bench,
    "list": _list,
    "results": _results,
    "adopt": _adopt,
    "verify": _verify,
    "setup": _setup,
    "clean": _clean,
    "report": _report,
    "export": _export,
    "compare": _compare,
    "factors": _factors,
    "doctor": _doctor,
    "calibrate": _calibrate,
}
