"""The report of a calibration: how much was tried, for which host, and whether each check passed."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from benchlab import __version__
from benchlab.records.facts import Facts
from benchlab.report import markdown
from benchlab.selftest import bias, calibrate, kept
from benchlab.selftest.check import Overhead
from benchlab.selftest.kept import Calibration, Findings

from . import made_rounds


def _calibration(findings: Findings | None = None, **facts: object) -> Calibration:
    run = made_rounds.run(np.random.default_rng(1).normal(0, 0.02, (1, 2, 3, 4)))
    aa_test = replace(run, manifest=replace(run.manifest, facts=Facts.of(facts)))
    return Calibration("a calibration", {kept.AA_TEST: aa_test}, findings or Findings(is_full=False))


@pytest.mark.parametrize(("is_full", "tried"), [(False, "The short version"), (True, "The full version (`--full`)")])
def test_the_report_says_how_much_was_tried_with_which_seed_when_and_by_which_lab(is_full: bool, tried: str) -> None:
    calibration = _calibration(Findings(is_full), lab_version=__version__)
    head = markdown.text(calibrate.report(calibration)).split("\n\n")[:2]
    assert head == [
        "# a calibration",
        f"{tried}, seed 7, begun 2026-11-23 12:00 UTC by benchlab {__version__}. "
        "2 equal entries in 3 blocks of rounds, slices of 0.3 s and more. "
        "Not made, or not kept here: slowdown, known-rate, faults, starved-wrk, busy-neighbours, plain wrk.",
    ]


def test_a_calibration_of_another_lab_says_so() -> None:
    told = markdown.text(calibrate.report(_calibration(lab_version="0.1.0")))
    assert f"by benchlab 0.1.0, analysed by {__version__}." in told


def test_the_report_says_for_which_host_it_holds() -> None:
    host = {"cpu_count": 2, "cpu_model": None, "odd": 1}
    told = markdown.text(calibrate.report(_calibration(lab_version="0.1.0", host=host)))
    assert told.endswith(
        "\n\n## The host\n\nAll of it is in the manifest.json of the A/A test.\n\n"
        "* cpu_count: 2\n* lab_version: 0.1.0\n"
    )


def test_the_report_says_of_each_check_whether_it_passed() -> None:
    told = markdown.text(calibrate.report(_calibration(Findings(is_full=False, used=Overhead(0.02, None)))))
    assert re.search(r"\| check +\| measured +\| goal +\| result +\|", told)
    assert re.search(r"\| slices of equal entries that count +\| 24 of 24 +\| all +\| pass +\|", told)
    assert re.search(r"\| CPU of lab\.py and engine while rounds go on +\| .*\| FAIL +\|", told)
    assert re.search(r"\| CPU outside the containers while one is loaded +\| .*\| – +\|", told)


def test_the_checks_are_those_of_the_parts_there_are() -> None:
    alone = [check.name for check in calibrate.checks(_calibration())]
    rates: dict[str, dict[str, tuple[float, ...]]] = {"json": dict.fromkeys(bias.WAYS, (1.0, 1.0, 1.0))}
    whole = _calibration(Findings(is_full=False, used=Overhead(0.0, 0.0), rates=rates, broken={"known rate": "x"}))
    more = {
        "bias: json, slices against a long sample",
        "bias: json, slices against plain wrk",
        "CPU of lab.py and engine while rounds go on",
        "part: known rate",
    }
    assert {check.name for check in calibrate.checks(whole)} == {*alone, *more}
    kinds = (
        "slices of equal",
        "A/A: pairs",
        "A/A: bias",
        "slices without",
        "smallest effect",
        "time of a slice",
        "CPU",
    )
    assert [any(name.startswith(kind) for name in alone) for kind in kinds] == [True] * len(kinds)
