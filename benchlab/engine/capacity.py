"""The CPUs that containers may really use: fewer than the engine counts where a quota or a cpuset lies around it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchlab.core.errors import EngineError
from benchlab.experiment import placement
from benchlab.experiment.placement import Siblings

# Of each CPU those of its core, below the root folder.
SIBLINGS = "sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list"
ONLINE = "sys/devices/system/cpu/online"
CGROUP = "/sys/fs/cgroup:/host/cgroup:ro"
# Run in a container like the lab's: its CPUs, the host's cores, and each quota from its own cgroup up to the top of
# what is mounted, which is the engine's own cgroup where the engine itself is in a container. The hostname is its id.
SCRIPT = f"""
sed -n 's/^Cpus_allowed_list:/allowed/p' /proc/self/status
sed 's/^/online /' /{ONLINE}
sed 's/^/core /' /{SIBLINGS}
find /host/cgroup -type d -name "*$(cat /proc/sys/kernel/hostname)*" 2>/dev/null | while read -r folder; do
    while [ "$folder" != /host ] && [ "$folder" ]; do
        [ -r "$folder/cpu.max" ] && echo "quota $(cat "$folder/cpu.max")"
        [ -r "$folder/cpu.cfs_quota_us" ] &&
            echo "quota $(cat "$folder/cpu.cfs_quota_us") $(cat "$folder/cpu.cfs_period_us")"
        folder=${{folder%/*}}
    done
done
true
"""
NO_QUOTA = "none"


class Engine(Protocol):
    """What is needed of an engine."""

    @property
    def cpus(self) -> int: ...
    def run_once(self, image: str, command: list[str], volumes: list[str] = ..., cpuset: str | None = ...) -> str: ...


@dataclass(frozen=True)
class Capacity:
    """What is seen of a host's CPUs: those that a container may use, and how many of them at a time.

    `quota` is infinite where there is none, and None where that cannot be seen. `cores` are the CPUs of each core.
    """

    allowed: tuple[int, ...]
    quota: float | None
    cores: Siblings

    @property
    def cpus(self) -> int:
        """Return how many CPUs can be in use at a time, in whole ones."""
        return max(1, int(min(len(self.allowed), math.inf if self.quota is None else self.quota)))

    @property
    def usable_cores(self) -> Siblings:
        """Return the CPUs of each core as far as they may be used, in as many as can be in use at a time."""
        usable: list[tuple[int, ...]] = []
        for core in self.cores:
            cpus = tuple(cpu for cpu in core if cpu in self.allowed)
            if cpus and sum(map(len, usable)) + len(cpus) <= self.cpus:
                usable.append(cpus)
        return usable

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of it; None is unknown."""
        quota = NO_QUOTA if self.quota == math.inf else self.quota
        return {"cpus_allowed": list(self.allowed), "cpu_quota": quota}


def own() -> Capacity:
    """Return what is seen of this machine, for which no engine speaks."""
    return counted(own_cpus(), placement.siblings(own_siblings()))


def counted(cpus: int, cores: Siblings = ()) -> Capacity:
    """Return the capacity of a host of which no more is seen than the number of its CPUs."""
    return Capacity(tuple(range(cpus)), None, cores)


def read(engine: Engine, image: str) -> Capacity:
    """Return what a container of the image sees of its host's CPUs. Raises EngineError."""
    command = ["sh", "-c", SCRIPT]
    try:
        printed = engine.run_once(image, command, [CGROUP])
    except EngineError:
        # An engine without that folder, or one that may not mount it, still reports the rest.
        printed = engine.run_once(image, command)
    return parsed(printed, engine.cpus)


def parsed(printed: str, cpus: int) -> Capacity:
    """Return the capacity in what the script printed; `cpus` is what the engine counts, where it printed none."""
    lines = [line.split() for line in printed.splitlines()]
    words = {
        name: [line[1:] for line in lines if line[:1] == [name]] for name in ("allowed", "online", "core", "quota")
    }
    allowed, online = (
        {cpu for (cpus_text,) in words[name] for cpu in placement.expanded(cpus_text)} for name in ("allowed", "online")
    )
    # Without a cpuset a process is allowed what may ever be plugged in.
    usable = sorted(allowed & online or allowed)
    # A cgroup may be gone between two looks at it.
    quotas = [_share(*quota) for quota in words["quota"] if len(quota) == 2]
    cores = placement.siblings("\n".join(core for (core,) in words["core"]))
    return Capacity(tuple(usable) or tuple(range(cpus)), min(quotas, default=None), cores)


def _share(quota_us: str, period_us: str) -> float:
    """Return how many CPUs a quota is: of version 2 `max`, and of version 1 less than nothing, is none."""
    return math.inf if quota_us in ("max", "-1") else int(quota_us) / int(period_us)


def keeps_apart(engine: Engine, image: str, seen: Capacity) -> bool:
    """Return whether a container that is given one CPU has that one, and no other, to run on.

    An engine that may not give out CPUs says so in a warning that Compose does not show, and starts the container.
    """
    first = seen.allowed[:1]
    try:
        printed = engine.run_once(image, ["sh", "-c", SCRIPT], cpuset=placement.cpuset(first))
    except EngineError:
        return False
    return parsed(printed, engine.cpus).allowed == first


def differing(planned: Mapping[str, tuple[int, ...]], role: str, allowed: Sequence[int] | None) -> str | None:
    """Return in words how the CPUs that a role's container found it may use are not those that were planned for it.

    None where they are, where none were planned, and where the container does not report it.
    """
    if role not in planned or allowed is None or tuple(allowed) == planned[role]:
        return None
    return f"{placement.cpuset(allowed)} instead of {placement.cpuset(planned[role])}"


def own_cpus() -> int:
    """Return the CPUs of this machine, which need not be the engine's."""
    return os.cpu_count() or 1


def own_siblings(root: Path = Path("/")) -> str:
    """Return what this machine's kernel says of its cores; where it says nothing, that each CPU is one."""
    cores = [path.read_text(encoding="utf-8") for path in sorted(root.glob(SIBLINGS))]
    return "\n".join(cores or map(str, range(own_cpus())))
