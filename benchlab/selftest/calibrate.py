"""The result of the self-test: measurements of known truth in, a row for each check out. Pure.

Source: docs/method.md, section 9.
"""

from __future__ import annotations

from benchlab import __version__
from benchlab.core.quantities import counted
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import Manifest
from benchlab.report.document import Bullets, Document, Heading, Paragraph, Table
from benchlab.selftest import aa_test, bias, costs, faults, kept, known_rate, resolution, slowdown
from benchlab.selftest.check import Check
from benchlab.selftest.extent import PLAIN
from benchlab.selftest.kept import Calibration

HEADERS = ("check", "measured", "goal", "result")
# What of the manifest's facts stands in the report: of the host first, then of lab and engine.
OF_THE_HOST = (
    *("cpu_model", "cpu_count", "cpu_cores", "hypervisor", "kernel", "memory_bytes", "swap_bytes", "clocksource"),
)
OF_THE_LAB = ("lab_version", "compose", "engine_version", "engine_cgroup_version", "engine_storage_driver")


def checks(calibration: Calibration) -> list[Check]:
    """Return what each part says, as far as there is anything of it."""
    runs, findings = calibration.runs, calibration.findings
    aa_run = calibration.aa_test
    troubles = {name: runs[part] for name, part in kept.TROUBLES.items() if part in runs}
    return [
        *aa_test.checks(aa_run),
        *resolution.checks(aa_run),
        *(slowdown.checks(runs[kept.SLOWDOWN], findings.burdens, findings.is_full) if kept.SLOWDOWN in runs else ()),
        *(known_rate.checks(runs[kept.KNOWN_RATE]) if kept.KNOWN_RATE in runs else ()),
        *bias.checks(findings.rates, findings.is_full),
        *costs.checks(aa_run, findings.used),
        *(faults.injected(runs[kept.FAULTS], PLAIN) if kept.FAULTS in runs else ()),
        *(faults.trouble(name, run, PLAIN) for name, run in troubles.items()),
        *(Check(f"part: {part}", f"given up: {reason}", "made", False) for part, reason in findings.broken.items()),
    ]


def report(calibration: Calibration) -> Document:
    """Return the checks, how much was tried, and facts of the host, lab and engine that they hold for."""
    words = {True: "pass", False: "FAIL", None: "–"}
    rows = tuple((check.name, check.measured, check.goal, words[check.passed]) for check in checks(calibration))
    facts = _facts(calibration.aa_test.manifest)
    blocks = (
        Paragraph((_about(calibration),)),
        Table(HEADERS, rows, words=HEADERS),
        Heading("The host", key="host"),
        Paragraph(("All of it is in the manifest.json of the A/A test.",)),
        Bullets(tuple(f"{name}: {fact}" for name, fact in facts.items() if fact is not None)),
    )
    return Document(blocks, calibration.name)


def _about(calibration: Calibration) -> str:
    """Return how much was tried, by which lab, when; and which parts there is nothing of."""
    manifest = calibration.aa_test.manifest
    settings = manifest.settings
    tried = "The full version (`--full`)" if calibration.findings.is_full else "The short version"
    by = manifest.facts.lab_version or UNAVAILABLE
    analysed = "" if by == __version__ else f", analysed by {__version__}"
    lines = [
        f"{tried}, seed {settings.seed}, begun {manifest.created_at:%Y-%m-%d %H:%M} UTC by benchlab {by}{analysed}.",
        f"{len(manifest.entries)} equal entries in {counted(settings.blocks, 'block')} of rounds, slices of "
        f"{settings.duration_s:g} s and more.",
    ]
    lacking = [f"Not made, or not kept here: {', '.join(calibration.lacking)}."] if calibration.lacking else []
    return " ".join([*lines, *lacking])


def _facts(manifest: Manifest) -> dict[str, object]:
    """Return what the manifest has of the host, and of lab and engine, by name."""
    facts = manifest.facts
    return {name: facts.host.fact(name) for name in OF_THE_HOST} | {name: facts.fact(name) for name in OF_THE_LAB}
