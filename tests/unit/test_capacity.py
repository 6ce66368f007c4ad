"""Which CPUs containers may use, for readings of made-up hosts, and for a tree of made-up cgroups."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from benchlab.core.errors import EngineError, SetupError
from benchlab.engine import capacity, stage
from benchlab.engine.capacity import Capacity
from benchlab.engine.engine import Engine
from benchlab.engine.stage import Conditions

SIXTEEN = tuple(range(16))
CORES = "".join(f"core {cpu},{cpu + 8}\n" for cpu in range(8)) * 2
PLAIN = f"allowed 0-15\nonline 0-15\n{CORES}"
NONE = "quota max 100000\nquota -1 100000\n"


@dataclass
class Seeing:
    """An engine that counts sixteen CPUs, and whose containers see what is `printed`.

    `keeps` says whether a container that is given CPUs has no others; `mounts`, whether it can have the cgroup tree.
    """

    printed: str = PLAIN + NONE
    keeps: bool = True
    mounts: bool = True
    asked: list[str | None] = field(default_factory=list)
    cpus: int = 16

    def run_once(
        self, image: str, command: list[str], volumes: list[str] | None = None, cpuset: str | None = None
    ) -> str:
        self.asked.append(cpuset)
        if volumes and not self.mounts:
            raise EngineError("the folder cannot be mounted")
        if cpuset is None or not self.keeps:
            return self.printed if volumes else PLAIN
        return f"allowed {cpuset}\n"


@pytest.mark.parametrize(
    ("printed", "cpus", "quota", "cores"),
    [
        (PLAIN + NONE, 16, math.inf, 8),
        (PLAIN, 16, None, 8),
        # The quota lies around the engine, not around the container.
        (f"{PLAIN}quota max 100000\nquota 250000 100000\n", 2, 2.5, 1),
        (f"{PLAIN}quota -1 100000\nquota 800000 100000\nquota 400000 100000\n", 4, 4.0, 2),
        (f"{PLAIN}quota 50000 100000\n", 1, 0.5, 0),
        (f"allowed 1,9,3\nonline 0-15\n{CORES}{NONE}", 3, math.inf, 2),
        # A CPU that may be plugged in one day is not there yet.
        (f"allowed 0-127\nonline 0-15\n{CORES}{NONE}", 16, math.inf, 8),
        ("", 16, None, 0),
    ],
)
def test_a_quota_or_a_cpuset_around_the_engine_leaves_fewer_cpus_than_it_counts(
    printed: str, cpus: int, quota: float | None, cores: int
) -> None:
    found = capacity.parsed(printed, 16)
    assert (found.cpus, found.quota, len(found.usable_cores)) == (cpus, quota, cores)
    assert sum(map(len, found.usable_cores)) <= max(2, cpus)


def test_where_the_cgroup_tree_cannot_be_mounted_the_quota_is_unknown_and_the_cpus_are_not() -> None:
    found = capacity.read(Seeing(mounts=False), "debian")
    assert (found.allowed, found.quota) == (SIXTEEN, None)
    assert found.facts == {"cpus_allowed": list(SIXTEEN), "cpu_quota": None}


def test_a_manifest_says_of_a_host_without_a_quota_that_there_is_none() -> None:
    assert capacity.read(Seeing(), "debian").facts["cpu_quota"] == "none"


TREES: list[tuple[dict[str, str], list[str]]] = [
    (
        {
            "host/cgroup/cpu.max": "150000 100000",
            "host/cgroup/docker/cpu.max": "max 100000",
            "host/cgroup/docker/ID/cpu.max": "max 100000",
            "host/cgroup/system.slice/cpu.max": "10000 100000",
        },
        ["max 100000", "max 100000", "150000 100000"],
    ),
    (
        {
            "host/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "host/cgroup/cpu/cpu.cfs_period_us": "100000",
            "host/cgroup/cpu/docker/ID/cpu.cfs_quota_us": "50000",
            "host/cgroup/cpu/docker/ID/cpu.cfs_period_us": "25000",
            "host/cgroup/memory/docker/ID/memory.stat": "",
        },
        ["50000 25000", "-1 100000"],
    ),
    ({"host/cgroup/cpu/cpu.cfs_quota_us": "50000"}, []),
]


@pytest.mark.parametrize(("files", "quotas"), TREES)
def test_each_quota_is_read_from_the_container_s_cgroup_up_to_the_top_in_both_versions(
    tmp_path: Path, files: dict[str, str], quotas: list[str]
) -> None:
    (tmp_path / "hostname").write_text("4f0c9e21ab\n")
    for name, content in files.items():
        path = tmp_path / name.replace("ID", "4f0c9e21ab77")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    script = capacity.SCRIPT.replace("/proc/sys/kernel/", f"{tmp_path}/").replace("/host/", f"{tmp_path}/host/")
    script = script.replace('"$folder" != /host ', f'"$folder" != {tmp_path}/host ')
    ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert [line.removeprefix("quota ") for line in ended.stdout.splitlines() if line.startswith("quota")] == quotas
    assert any(line.startswith("allowed ") or line.startswith("allowed\t") for line in ended.stdout.splitlines())


def _placed(engine: Seeing, mode: str, say: Callable[[str], None]) -> dict[str, tuple[int, ...]]:
    seen = capacity.read(engine, "debian")
    return stage.placed(cast(Engine, engine), "debian", seen, say, Conditions(mode))


def test_roles_get_cpus_of_their_own_of_those_that_may_be_used() -> None:
    engine = Seeing(f"allowed 4-7,12-15\nonline 0-15\n{CORES}{NONE}")
    said: list[str] = []
    assert _placed(engine, "auto", said.append) == {"client": (4, 12), "db": (5, 13), "app": (6, 7, 14, 15)}
    assert (engine.asked, said) == ([None, "4"], [])


def test_under_a_quota_of_few_cpus_all_roles_share_them() -> None:
    assert _placed(Seeing(f"{PLAIN}quota 300000 100000\n"), "auto", print) == {}


def test_an_engine_that_drops_a_cpuset_is_found_out_and_the_roles_share_or_a_split_is_refused() -> None:
    said: list[str] = []
    assert _placed(Seeing(keeps=False), "auto", said.append) == {}
    (line,) = said
    assert line.startswith("the engine does not keep containers to the CPUs that they are given; ")
    assert line.endswith("; until then all roles share the 16 CPUs")
    with pytest.raises(SetupError, match=r"^--placement split: the engine does not keep containers .* or use shared$"):
        _placed(Seeing(keeps=False), "split", said.append)


@pytest.mark.parametrize(
    ("planned", "found", "told"),
    [
        ({}, [0, 1], None),
        ({"client": (0, 1)}, [0, 1], None),
        ({"client": (0, 1)}, None, None),
        ({"client": (0, 1)}, [0, 1, 2], "0,1,2 instead of 0,1"),
    ],
)
def test_a_load_generator_on_other_cpus_than_were_planned_for_it_is_told(
    planned: dict[str, tuple[int, ...]], found: Any, told: str | None
) -> None:
    assert capacity.differing(planned, "client", found) == told


def test_a_host_that_nothing_is_known_of_has_as_many_cpus_as_its_engine_counts() -> None:
    assert capacity.counted(4) == Capacity((0, 1, 2, 3), None, ())
    assert capacity.counted(4).cpus == 4
