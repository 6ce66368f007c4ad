"""The commands that measure: a run, new or resumed; entries of a factorial design; verification alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab.cli import arguments, factors, gate, selection
from benchlab.cli.command import FAILED, OK, Command, console, say, show
from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.experiment.flags import RUNS, Flag
from benchlab.experiment.settings import AGAINST, BASELINE, FAIL_IF_SLOWER, FRAMEWORK, PROXY, SETTINGS, TEST, VARY
from benchlab.storage import files, store

if TYPE_CHECKING:
    from benchlab.engine.stage import Conditions, Lab
    from benchlab.records.plan import Settings
    from benchlab.records.run import Run

BENCH = """
python lab.py                                     the study's two entries, about ten minutes
python lab.py --framework crax --profile quick    a first look at one entry
python lab.py --set popular --budget 1h           eight stacks that many people know
python lab.py --tag asgi,raw --framework crax     all ASGI entries with raw SQL, and crax
python lab.py --set popular --baseline starlette  each of them compared with starlette
python lab.py --profile study --dry-run           what would be measured, and the wrk commands
python lab.py --proxy nginx --levels json=16,32 --test json
python lab.py --resume results/latest             go on where a run was stopped
python lab.py --precision 3% --budget 20m         as many blocks as that takes
python lab.py --framework crax --against main --budget 15m --fail-if-slower 3%
python lab.py --framework starlette --vary uvicorn=0.49.0,0.50.0 --test json
"""
FACTORS = """
python lab.py factors                             data layer and framework, in all tests of the database
python lab.py factors --factor server --test json
python lab.py factors --dry-run                   what would be measured, and the wrk commands
python lab.py factors results/latest              the factors of a run that was measured
"""
VERIFY = """
python lab.py verify                              every entry and test type
python lab.py verify --framework crax --test json
python lab.py verify --tag wsgi
"""


RESUME = Flag(
    "--resume",
    "measure what the run in this folder still misses, with its own settings",
    metavar="DIR",
    default="a new run",
    completes=RUNS,
)
VERSION = Flag("--version", "print the lab's version and its commit, and do nothing else", is_switch=True)
RUN = Flag("run", "the folder of a run to read", metavar="DIR", default="measure a new run", nargs="?", completes=RUNS)
# What says how a run of factors is measured: older versions have no part in one.
OF_FACTORS = (
    TEST.by_default("those that read the database"),
    *(setting for setting in SETTINGS if setting not in (FRAMEWORK, TEST, BASELINE, AGAINST, FAIL_IF_SLOWER)),
    arguments.DRY_RUN,
)


def _bench(root: Path, given: argparse.Namespace) -> int:
    from benchlab.engine import checkout

    if given.version:
        print(checkout.version(root))
        return OK
    if given.resume is not None:
        return _resume(root, store.named(given.resume), given)
    settings = arguments.settings(given, frameworks=selection.chosen(root, given, installs=not given.dry_run))
    gate.refuse_without_versions(settings)
    return _show_plan(_look(root, settings), settings) if given.dry_run else _start(root, settings)


def _show_plan(lab: Lab, settings: Settings) -> int:
    """Print what would be measured, and below it the wrk commands, each in one line so that it can be copied."""
    from benchlab.run import planning

    plan, typed = planning.rehearse(lab, settings)
    show(plan)
    print(f"\n{typed}")
    return OK


def _start(root: Path, settings: Settings) -> int:
    from benchlab.run import session

    return finish(*session.start(_open(root, settings, settings.frameworks), settings, root / "results", console()))


def _resume(root: Path, folder: Path, given: argparse.Namespace) -> int:
    from benchlab.run import pinned, session

    if given.dry_run:
        raise UsageError(f"{arguments.DRY_RUN.name} is of a new run; leave {RESUME.name} out")
    manifest = store.read_manifest(folder)
    if selection.is_given(given):
        selection.refuse_others(selection.chosen(root, given), given, manifest)
        given.framework = []
    arguments.refuse_other_settings(given, manifest.settings)
    with pinned.going_on(manifest):
        made = session.resume(_open(root, manifest.settings, manifest.origins), folder, console())
    return finish(*made)


def finish(folder: Path, run: Run) -> int:
    """Print the run's report, its answer again, and how versions compare; what was not measured fails the command."""
    from benchlab.factors import catalog
    from benchlab.quality import judge
    from benchlab.report import changes, outputs, runs, sentences
    from benchlab.selftest import kept
    from benchlab.statistics import analysis

    shown = files.shown(folder)
    show(outputs.document(run))
    for line in sentences.last_lines(run, analysis.analyse(run)):
        say(line)
    say(f"kept in {shown}; with plots: {shown}/{store.PAGE}")
    if not kept.is_part(folder) and (missed := runs.left(run, folder)):
        say(missed)
    if unbuilt := run.manifest.unbuilt:
        say(f"not built, and not measured: {', '.join(unbuilt)}")
    code = FAILED if judge.missing(run) or unbuilt else OK
    if not catalog.compares_versions(run.manifest.settings):
        return code
    # With a gate 1 would be its word for a regression; where a trial failed, it is undecided.
    comparison = gate.compare(*gate.versions(run))
    decision = gate.decide(comparison, run.manifest.settings.margin)
    gate.report(comparison, changes.report(comparison, [], decision), decision)
    return code if decision is None else decision.exit_code


def _factors(root: Path, given: argparse.Namespace) -> int:
    from benchlab.quality import judge
    from benchlab.report import factors as report
    from benchlab.statistics import effects

    if given.run is not None:
        arguments.refuse_measuring(given, OF_FACTORS)
    if given.dry_run:
        settings = arguments.factors_settings(given, frameworks=selection.chosen(root, given, installs=False))
        lab = _look(root, settings)
        return _show_plan(lab, _with_factor_entries(lab, settings, given.factor))
    folder, run = _run_of_factors(root, given)
    with factors.refusing():
        analysis = effects.analyse(run, given.factor, selection.among(run.manifest.entries, given) if given.run else ())
    show(report.report(run, analysis))
    if given.run is not None:
        return OK
    say(f"kept in {files.shown(folder)}; its own tables: python lab.py report {files.typed(folder)}")
    return FAILED if judge.missing(run) or run.manifest.unbuilt else OK


def _run_of_factors(root: Path, given: argparse.Namespace) -> tuple[Path, Run]:
    """Return the folder and the run: what is named, else a new one of entries that differ in the factors."""
    if given.run is not None:
        return (folder := store.named(given.run)), store.read(folder)
    from benchlab.run import session

    settings = arguments.factors_settings(given, frameworks=selection.chosen(root, given))
    lab = _open(root, settings, settings.frameworks)
    return session.start(lab, _with_factor_entries(lab, settings, given.factor), root / "results", console())


def _with_factor_entries(lab: Lab, settings: Settings, asked: Sequence[str]) -> Settings:
    """Return the settings with entries that differ in the factors. Raises UsageError where they would not."""
    from benchlab.engine import variants
    from benchlab.statistics import factorial

    with factors.refusing():
        settings = variants.with_commits(lab.root, settings)
        named = {factor.partition("=")[0] for factor in asked}
        if not settings.frameworks and not (settings.vary and named <= settings.vary.keys()):
            labels = {name: entry.labels for name, entry in lab.topology.entries.items()}
            chosen = factorial.comparable(labels, lab.topology.usual, asked)
            settings = replace(settings, frameworks=tuple(chosen))
        lab, entries = variants.taking_part(lab, settings)
        factorial.cross({entry.name: entry.labels for entry in entries}, asked, settings.vary, lab.variants)
    return settings


def _verify(root: Path, given: argparse.Namespace) -> int:
    from benchlab.report.document import Document, Terms
    from benchlab.run import conformance

    settings = arguments.verify_settings(given, frameworks=selection.chosen(root, given))
    lab = _open(root, settings, settings.frameworks)
    verifications = conformance.verify_entries(lab, settings)
    show(Document((Terms(tuple(verification.row for verification in verifications)),)))
    if not all(verification.passed for verification in verifications):
        say("what each rule asks for, and why: docs/verification.md")
        return FAILED
    chosen = [*selection.typed(given), *((TEST.name, test) for test in given.test)]
    chosen += [(VARY.name, VARY.write(factor)) for factor in given.vary]
    command = " ".join(["python lab.py", *(f"{flag} {letters.typed(word)}" for flag, word in chosen)])
    say(f"all that was asked for can be measured: {command}")
    return OK


def _open(root: Path, settings: Settings, names: Sequence[str]) -> Lab:
    """Return the lab that the settings need, with these entries; variants of them are added to it later."""
    from benchlab.engine import stage
    from benchlab.techempower import adopt

    lab = stage.open_lab(root, names, say, _conditions(settings))
    for name in adopt.outdated(root, [entry.name for entry in lab.topology.choose(names)]):
        say(f"{name}: the folder that it was adopted from has changed; adopt it again to measure that")
    return lab


def _look(root: Path, settings: Settings) -> Lab:
    """Return the lab as it is, for a plan: nothing is started for it."""
    from benchlab.engine import stage

    return stage.look(root, settings.frameworks, say, _conditions(settings))


def _conditions(settings: Settings) -> Conditions:
    from benchlab.engine.stage import Conditions

    return Conditions(settings.placement, settings.proxies, next(iter(settings.db_connections), None))


COMMANDS = (
    Command(
        "bench",
        "measure entries; what `lab.py` does where no command is named",
        _bench,
        "Measure Python web frameworks in containers: randomised blocks, tables under results/.",
        (*selection.FLAGS, *(each for each in SETTINGS if each is not FRAMEWORK), arguments.DRY_RUN, RESUME, VERSION),
        BENCH,
    ),
    Command(
        "factors",
        "show what data layer, framework, server or proxy do, alone and together",
        _factors,
        "Show what each factor does, such as data layer or framework, and what two do together. A factor is a label "
        "that entries differ in. Without DIR a new run is measured.",
        (RUN, factors.FACTOR, *selection.by_default("those that differ in the factors"), *OF_FACTORS),
        FACTORS,
    ),
    Command(
        "verify",
        "start each entry and check its answers against the contract; no load",
        _verify,
        flags=(*selection.by_default("all"), TEST.by_default("all that the entry has"), PROXY, VARY),
        examples=VERIFY,
    ),
)
