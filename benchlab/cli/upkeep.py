"""The commands about the machine: set it up, clean it, examine it, calibrate the instrument on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchlab.cli import arguments, selection
from benchlab.cli.command import FAILED, OK, Command, console, say, show
from benchlab.core.errors import SetupError
from benchlab.core.quantities import counted
from benchlab.experiment.flags import Flag
from benchlab.experiment.settings import SEED
from benchlab.storage import files

SETUP = """
python lab.py setup
python lab.py setup --set popular                 build these now, and not when they are first measured
"""
DOCTOR = """
python lab.py doctor
python lab.py doctor --json                       for programs
"""
CALIBRATE = """
python lab.py calibrate                           up to ten minutes
python lab.py calibrate --full --seed 4           about an hour
"""


JSON = Flag("--json", "print the findings and the host's facts as JSON", default="as text", is_switch=True)
FULL = Flag("--full", "repeat more: about an hour", default="up to ten minutes", is_switch=True)


def _setup(root: Path, given: argparse.Namespace) -> int:
    from benchlab.engine import stage

    names = selection.chosen(root, given)
    lab = stage.open_lab(root, names, say)
    chosen = names or lab.topology.usual
    stage.build(lab, chosen)
    if later := sorted(lab.topology.entries.keys() - chosen):
        others = counted(len(later), "other entry is", "other entries are")
        say(f"ready: {', '.join(chosen) or 'no entry'}; {others} built when named first")
    return OK


def _clean(root: Path, _: argparse.Namespace) -> int:
    from benchlab.engine import building, compose, lease
    from benchlab.engine.engine import Engine

    engine = Engine.if_any(compose.project(root))
    if engine is None:
        raise SetupError(
            "no Docker engine answers, and what the lab left may be on one; start Docker, then clean again"
        )
    lease.refuse_if_held(engine)
    count = engine.remove_all()
    removed = building.remove(engine, root / ".lab")
    things = counted(count, "container or network", "containers and networks")
    say(f"removed {things}, and the images {', '.join(removed.names) or '(none)'}")
    for line in building.kept_images(removed):
        say(line)
    return FAILED if removed.used else OK


def _doctor(root: Path, given: argparse.Namespace) -> int:
    import json

    from benchlab.host import doctor
    from benchlab.report.document import Document, Terms

    host, findings = doctor.examine_host(root)
    if given.json:
        print(json.dumps({"findings": doctor.plain(findings), "facts": host.plain()}, indent=2))
    else:
        show(Document((Terms(tuple(row for finding in findings for row in finding.rows)),)))
    return FAILED if any(finding.state == doctor.FATAL for finding in findings) else OK


def _calibrate(root: Path, given: argparse.Namespace) -> int:
    import secrets

    from benchlab.engine import stage
    from benchlab.experiment import placement
    from benchlab.selftest import calibrate, extent, kept, selftest

    seed = secrets.randbits(arguments.SEED_BITS) if given.seed is None else given.seed
    # As runs are, so that the instrument under test is the one that is used.
    lab = stage.open_lab(root, (), say, stage.Conditions(placement.AUTO))
    asked = extent.FULL if given.full else extent.SHORT
    folder, checks = selftest.run(lab, asked, seed, root / "results", console())
    show(calibrate.report(kept.read(folder)))
    say(f"kept in {files.shown(folder)}")
    return FAILED if any(check.passed is False for check in checks) else OK


COMMANDS = (
    Command(
        "setup",
        "make the machine ready: engine, Compose, and images",
        _setup,
        "Make the machine ready: engine, Compose, and the images of the entries that are measured where none is named, "
        "or of those that are. The others are built when they are first named.",
        selection.by_default("the usual ones"),
        SETUP,
    ),
    Command("clean", "remove the lab's containers, networks and images; results stay", _clean),
    Command(
        "doctor",
        "show what on this host harms a measurement, and the remedy",
        _doctor,
        "Show what on this host harms a measurement, and what to do about it. Nothing is changed.",
        (JSON,),
        DOCTOR,
    ),
    Command(
        "calibrate",
        "test the lab itself on this host",
        _calibrate,
        "Test the lab itself on this host, in up to ten minutes: what it measures is known beforehand.",
        (FULL, SEED),
        CALIBRATE,
    ),
)
