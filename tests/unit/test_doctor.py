"""What is advised, for facts of made-up hosts."""

from __future__ import annotations

from typing import Any

import pytest

from benchlab.host import doctor
from benchlab.host.doctor import FATAL, FINE, WARNING, Finding
from benchlab.records.facts import Host

# A machine as one would wish it.
CALM: dict[str, Any] = {
    "cpu_count": 16,
    "busy_share": 0.002,
    "stolen_share": 0.0,
    "hypervisor": "none",
    "engine_os": "Debian GNU/Linux 13 (trixie)",
    "cpu_governors": ["performance"],
    "cpu_turbo": "off",
    "thermal_throttles": 0,
    "swap_bytes": 8_000_000_000,
    "swap_free_bytes": 8_000_000_000,
    "swapped_pages": 0,
    "memory_available_bytes": 32 * 1024**3,
    "cgroup_tree": "version 2",
    "pressure": True,
    "clocksource": "tsc",
}


def test_a_calm_host_needs_nothing() -> None:
    findings = doctor.examine(Host.of(CALM))
    assert {finding.state for finding in findings} == {doctor.FINE}
    assert {finding.remedy for finding in findings} == {""}


@pytest.mark.parametrize(
    ("subject", "changes"),
    [
        ("CPUs", {"cpu_count": 2}),
        ("CPUs", {"cpus_allowed": [3, 5]}),
        ("CPUs", {"cpus_allowed": list(range(16)), "cpu_quota": 8.0}),
        ("neighbours", {"busy_share": 0.2}),
        ("steal", {"stolen_share": 0.02}),
        ("hypervisor", {"hypervisor": "QEMU"}),
        ("engine's system", {"engine_os": "Docker Desktop"}),
        ("governor", {"cpu_governors": ["performance", "powersave"]}),
        ("turbo", {"cpu_turbo": "on"}),
        ("heat", {"thermal_throttles": 3}),
        ("swap", {"swap_free_bytes": 7_000_000_000}),
        ("swap", {"swapped_pages": 1}),
        ("memory", {"memory_available_bytes": 1024**3}),
        ("clock", {"clocksource": "hpet"}),
    ],
)
def test_what_harms_a_measurement_is_named_first_and_has_a_remedy(subject: str, changes: dict[str, Any]) -> None:
    first, *others = doctor.examine(Host.of(CALM | changes))
    assert (first.subject, first.state) == (subject, doctor.WARNING)
    assert first.remedy
    assert {finding.state for finding in others} == {doctor.FINE}


def test_what_the_host_does_not_tell_is_unavailable_and_never_fine() -> None:
    assert {finding.state for finding in doctor.examine(Host())} == {doctor.UNKNOWN}


def test_a_finding_is_printed_with_its_remedy_below() -> None:
    (first, *_) = doctor.examine(Host.of(CALM | {"swapped_pages": 1}))
    assert first.rows == [(WARNING, "swap: the host is swapping just now"), ("", "end what uses the memory")]


@pytest.mark.parametrize(
    ("changes", "observed"),
    [
        ({}, "16: client, entry and database can have CPUs of their own"),
        ({"cpu_quota": "none"}, "16: client, entry and database can have CPUs of their own"),
        ({"cpus_allowed": [2, 3, 4, 5]}, "4 of the host's 16: client, entry and database can have CPUs of their own"),
        ({"cpus_allowed": [3, 5]}, "2 of the host's 16: client, entry and database share them"),
        ({"cpu_quota": 2.5}, "16, of which a quota around the engine lets containers use 2.5 at a time"),
    ],
)
def test_the_cpus_that_are_reported_are_those_that_containers_may_use(changes: dict[str, Any], observed: str) -> None:
    (cpus,) = (finding for finding in doctor.examine(Host.of(CALM | changes)) if finding.subject == "CPUs")
    assert cpus.observed == observed


def test_what_there_is_to_beware_of_fits_a_line() -> None:
    findings = [Finding("swap", WARNING, "in use"), Finding("clock", FINE, "tsc"), Finding("engine", FATAL, "none")]
    assert doctor.summary(findings) == "this host: 2 warnings (swap, engine); `python lab.py doctor` says more"
    assert doctor.summary(findings[1:2]) == "this host: nothing to warn of"
