"""The script that tells what kind of host it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import facts
import pytest

from benchlab.records.facts import Host

COMMAND_LINE = Path("/proc/cmdline").read_text()
CALM = {"busy_us": 0, "interrupts_us": 0, "idle_us": 0, "stolen_us": 0, "swapped_pages": 0, "thermal_throttles": None}


def test_this_machine_is_described_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.argv", ["facts.py", "0.01"])
    facts.main()
    told = json.loads(capsys.readouterr().out)
    assert told["cpu_count"] == os.cpu_count()
    assert told["cpus_allowed"] == sorted(os.sched_getaffinity(0))
    assert told["memory_bytes"] > told["memory_available_bytes"] > 0
    assert told["open_files"]["soft"] <= told["open_files"]["hard"] or told["open_files"]["hard"] == -1
    assert told["kernel"] == os.uname().release
    # Of the same keys as the record, and of their kinds.
    assert {name: fact for name, fact in Host.of(told).rest.items() if fact is not None} == {}
    assert (told["kernel_parameters"], "kernel_command_line" in told) == (facts.parameters(COMMAND_LINE), False)


@pytest.mark.parametrize(("told", "cpus"), [("0", [0]), ("0,4", [0, 4]), ("0-1", [0, 1]), ("0-1,8-9", [0, 1, 8, 9])])
def test_lists_of_cpus_are_read_as_the_kernel_writes_them(told: str, cpus: list[int]) -> None:
    assert facts.expanded(told) == cpus


def test_shares_are_of_all_cpu_time_between_the_two_looks() -> None:
    after = CALM | {"busy_us": 20, "interrupts_us": 10, "idle_us": 65, "stolen_us": 5, "swapped_pages": 3}
    told = facts.activity(CALM, after)
    assert (told["busy_share"], told["stolen_share"], told["swapped_pages"]) == (0.3, 0.05, 3)


def test_shares_are_unknown_where_a_part_is() -> None:
    told = facts.activity(CALM, CALM | {"busy_us": None})
    assert (told["busy_share"], told["stolen_share"]) == (None, None)


@pytest.mark.parametrize(
    ("flags", "told"), [({"flags": "fpu hypervisor"}, True), ({"flags": "fpu"}, "none"), ({}, None)]
)
def test_a_hypervisor_is_seen_by_the_processor_s_flag(flags: dict[str, str], told: object) -> None:
    found = facts.hypervisor(flags)
    assert found not in (None, "none") if told is True else found == told


def test_the_chosen_one_stands_in_brackets(tmp_path: Path) -> None:
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    assert facts.chosen(tmp_path / "enabled") == "madvise"
    assert facts.chosen(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "BOOT_IMAGE=/vmlinuz root=UUID=0b1c quiet mitigations=off isolcpus=managed_irq,1-3 ip=10.0.0.5 psi=1",
            "mitigations=off isolcpus=managed_irq,1-3 psi=1",
        ),
        ("intel_idle.max-cstate=1 quiet", "intel_idle.max-cstate=1"),
        ("nopti spectre_v2=off spectre_v3=off hugepages=64 quiet", "nopti spectre_v2=off hugepages=64"),
        ("nosmt -- idle=poll", "nosmt"),
        ("root=/dev/sda1", ""),
        (None, None),
    ],
)
def test_of_the_kernel_s_parameters_only_those_are_told_that_matter_to_a_measurement(
    line: str | None, told: str | None
) -> None:
    assert facts.parameters(line) == told
