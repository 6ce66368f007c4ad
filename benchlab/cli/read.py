"""The commands that read runs on disk: report, export, compare, results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab.cli import gate
from benchlab.cli.command import FAILED, OK, Command, say, show
from benchlab.core import letters
from benchlab.core.errors import StoreError, UsageError
from benchlab.experiment.flags import RUNS, Flag
from benchlab.experiment.settings import AGAINST, BASELINE, FAIL_IF_SLOWER
from benchlab.storage import files, store

if TYPE_CHECKING:
    from benchlab.records.run import Run
    from benchlab.report.document import Document
    from benchlab.statistics.candidate import BaselineComparison

# What `export` writes. Named here too, because help is given where the packages that write it are not installed.
EXPORTS = ("tfb", "csv", "json", "markdown")
OLD, NEW = "old", "new"

REPORT = """
python lab.py report results/latest               the newest run
python lab.py report results/20261124-101500-calibration
python lab.py report results/latest --baseline crax    each entry compared with crax
"""
EXPORT = """
python lab.py export results/latest --format csv
python lab.py export results/latest --format tfb --output results.json
"""
COMPARE = """
python lab.py compare results/OLD results/NEW
python lab.py compare results/latest              the versions in a run that was made with --against
python lab.py compare results/latest --fail-if-slower 3%
python lab.py compare --old results/A results/B results/C --new results/D results/E results/F --fail-if-slower 3%
"""


RUN = Flag("run", "the run's folder, such as results/latest", metavar="DIR", completes=RUNS)
FORMAT = Flag(
    "--format",
    "tfb: the TechEmpower benchmarks' results file; csv: a row for each entry, test and level; "
    "json: all that the analysis knows; markdown: the report",
    choices=EXPORTS,
    is_required=True,
)
OUTPUT = Flag("--output", "a file to write, which must not exist yet", metavar="FILE", default="print it", short="-o")
OLDER = Flag(OLD, "the older run's folder, or one made with --against", metavar="OLD", nargs="?", completes=RUNS)
NEWER = Flag(NEW, "the newer run's folder", metavar="NEW", nargs="?", completes=RUNS)
MORE_RUNS = tuple(
    Flag(
        f"--{age}",
        f"more {age} runs; those that began less than 12 hours apart are of one day, and each day is one value",
        metavar="DIR",
        default="no more",
        is_repeatable=True,
        nargs="+",
        kept_as=f"{age}_runs",
        completes=RUNS,
    )
    for age in (OLD, NEW)
)
ANYWAY = Flag("--anyway", "compare runs of different hosts or settings, and say so", default="refuse", is_switch=True)
HTML = Flag(
    "--html",
    "also write the comparison as a page with plots, beside the newer run",
    default="no page",
    is_switch=True,
)


def _report(_: Path, given: argparse.Namespace) -> int:
    from benchlab.report import outputs, runs
    from benchlab.selftest import kept

    folder = store.named(given.run)
    if kept.is_calibration(folder):
        if given.baseline:
            raise UsageError(f"{BASELINE.name}: {given.run} is a calibration; name a run")
        return _report_calibration(folder)
    run = store.read(folder)
    if given.baseline and given.baseline != run.manifest.settings.control:
        return _report_against(folder, run, given.baseline)
    show(outputs.document(run))
    goes_on = not kept.is_part(folder)
    if cut := runs.cut(folder, goes_on):
        say(cut)
    try:
        store.Journal(folder).derive(run, outputs.outputs(run))
    except StoreError as error:
        say(f"the files of the run stay as they were: {error}")
        return FAILED
    if goes_on and (missed := runs.left(run, folder)):
        say(missed)
    return OK


def _report_against(folder: Path, run: Run, control: str) -> int:
    """Print the report of a run against another baseline than its own; its page stands beside the run's own files."""
    from benchlab.report import page, plots, report

    names = run.manifest.entries
    if run.manifest.settings.against:
        raise UsageError(f"{BASELINE.name}: {run.manifest.run_id} compares versions of its entries, each with its own")
    if control not in names or len(names) < 2:
        hint = letters.meant(control, names)
        raise UsageError(f"{BASELINE.name} {letters.one_line(control)}: {hint}there is {', '.join(sorted(names))}")
    settings = replace(run.manifest.settings, control=control)
    beside = replace(run, manifest=replace(run.manifest, settings=settings))
    document = report.against(beside)
    show(document)
    try:
        path = store.write_against(folder, control, page.page(document, plots.of_run(beside)))
    except StoreError as error:
        say(f"there is no page of it: {error}")
        return FAILED
    say(f"kept in {files.shown(path)}; the run's own files stay as they are")
    return OK


def _report_calibration(folder: Path) -> int:
    from benchlab.report import markdown
    from benchlab.selftest import calibrate, kept

    document = calibrate.report(kept.read(folder))
    show(document)
    try:
        store.write_report(folder, markdown.text(document))
    except StoreError as error:
        say(f"the files of the calibration stay as they were: {error}")
        return FAILED
    return OK


def _export(_: Path, given: argparse.Namespace) -> int:
    from benchlab.report import export, tfb_results

    folder = store.named(given.run)
    text = export.text(store.read(folder), given.format)
    if given.output is None:
        print(text, end="")
    elif not given.output:
        raise UsageError(f"{OUTPUT.name}: the file has no name; name one, or leave the flag out to print")
    else:
        store.write_new(Path(given.output), text)
        say(f"written to {given.output}")
    if given.format == export.TFB:
        say(f"left out, because the format has no place for it: {tfb_results.LEFT_OUT}")
    return OK


def _compare(_: Path, given: argparse.Namespace) -> int:
    from benchlab.report import changes
    from benchlab.statistics import baseline, comparability

    margin = given.margin
    old, new = _named(given)
    before, after = ([store.read(store.named(name)) for name in names] for names in (old, new))
    if not new:
        pair, differences = gate.versions(before[0]), []
    else:
        runs = [*before, *after]
        _refuse_the_same([*old, *new], runs)
        pair = baseline.of_several(before, after)
        differences = [changes.difference(each) for each in comparability.among([run.manifest for run in runs])]
    _refuse_other_conditions(differences, given.anyway)
    if new:
        gate.warn(margin, *pair)
        _tell_changed_sources(before, after)
    comparison = gate.compare(*pair)
    decision = gate.decide(comparison, margin)
    document = changes.report(comparison, differences, decision)
    gate.report(comparison, document, decision)
    if given.html:
        _write_comparison(store.named((new or old)[-1]), _name(old, new), comparison, document)
    return OK if decision is None else decision.exit_code


def _named(given: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the older and the newer runs as they are typed; no new one where versions in one run are meant."""
    old = [*([] if given.old is None else [given.old]), *given.old_runs]
    new = [*([] if given.new is None else [given.new]), *given.new_runs]
    if not old or (len(old) > 1 and not new):
        missing = "new" if old else "old"
        raise UsageError(
            f"compare names no {missing} run; give OLD and NEW, --old and --new, or one made with {AGAINST.name}"
        )
    return old, new


def _name(old: Sequence[str], new: Sequence[str]) -> str:
    """Return what the file of the comparison is named after."""
    first = store.named(old[0]).name
    more = f"-and-{len(old) - 1}-more" if len(old) > 1 else ""
    return f"{first}{more}" if new else "versions"


def _refuse_the_same(names: Sequence[str], runs: Sequence[Run]) -> None:
    """Raise UsageError where two names lead to one run, as results/latest leads to the newest, or to a copy of it."""
    for (one, first), (other, second) in combinations(zip(names, runs, strict=True), 2):
        if first.manifest == second.manifest:
            raise UsageError(
                f"{one} and {other} are the same run, {first.manifest.run_id}; name each run once, or for the versions "
                f"in a run made with {AGAINST.name} that one alone"
            )


def _write_comparison(folder: Path, name: str, comparison: BaselineComparison, document: Document) -> None:
    from benchlab.report import page, plots

    path = store.write_comparison(folder, name, page.page(document, [plots.changes(comparison.rows)]))
    say(f"kept in {files.shown(path)}")


def _refuse_other_conditions(differences: Sequence[str], anyway: bool) -> None:
    if differences and not anyway:
        raise UsageError(
            f"the runs are not comparable: {'; '.join(differences)}; {ANYWAY.name} compares them all the same"
        )


def _tell_changed_sources(old: Sequence[Run], new: Sequence[Run]) -> None:
    from benchlab.statistics import comparability

    for age, runs in ((OLD, old), (NEW, new)):
        if changed := comparability.changed_sources([run.manifest for run in runs]):
            say(f"the {age} runs are of different files of {', '.join(changed)}: their effects count as spread")


def _results(root: Path, _: argparse.Namespace) -> int:
    from benchlab.report import runs
    from benchlab.report.document import Document, Table
    from benchlab.selftest import kept

    listed = runs.listing(root / "results", kept.first_manifest)
    if listed.rows:
        rows = tuple(tuple(row) for row in listed.rows)
        show(Document((Table(tuple(runs.COLUMNS), rows, words=runs.COLUMNS),)))
    else:
        say(f"no run {'that can be read' if listed.unreadable else 'on disk yet'}; `python lab.py` makes one")
    for line in [*listed.notes, *(f"left out: {error}" for error in listed.unreadable)]:
        say(line)
    return OK


COMMANDS = (
    Command("results", "list the runs on disk, the newest first", _results),
    Command(
        "report",
        "analyse a run or a calibration again, and print its tables",
        _report,
        flags=(RUN, BASELINE.by_default("the run's own; else all pairs")),
        examples=REPORT,
    ),
    Command(
        "export",
        "print a run as TFB's results file, CSV, JSON or Markdown",
        _export,
        "Print a run in a format that other programs read.",
        (RUN, FORMAT, OUTPUT),
        EXPORT,
    ),
    Command(
        "compare",
        "compare a run with an older one; --fail-if-slower makes it a gate",
        _compare,
        "Compare a new run with an old one, several with several, or the versions in a run that was made with "
        "--against. Exit codes with --fail-if-slower: 0 a regression is excluded, 1 it is shown, 2 error, 3 neither; "
        "without it 0 or 2.",
        (OLDER, NEWER, *MORE_RUNS, ANYWAY, HTML, FAIL_IF_SLOWER),
        COMPARE,
    ),
)
