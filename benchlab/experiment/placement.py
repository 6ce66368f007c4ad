"""Decides which CPUs each role may use: all of them together, or some of its own, with siblings of a core together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted
from benchlab.records.counters import APP, CLIENT, DB, PROXY

SHARED, SPLIT, AUTO = "shared", "split", "auto"
MODES = (SHARED, SPLIT, AUTO)
# From as many CPUs on, `auto` gives each role some of its own.
SPLIT_CPUS = 4

Siblings = Sequence[Sequence[int]]


def choose(mode: str, siblings: Siblings, proxy: bool) -> dict[str, tuple[int, ...]]:
    """Return the CPUs of each role; empty where all roles share them.

    `siblings` are the CPUs of each core. Raises UsageError where `split` has fewer cores than roles.
    """
    roles = (CLIENT, DB, PROXY, APP) if proxy else (CLIENT, DB, APP)
    enough = len(siblings) >= len(roles)
    if mode == SHARED or (mode == AUTO and not (enough and len(_cpus(siblings)) >= SPLIT_CPUS)):
        return {}
    if not enough:
        raise UsageError(
            f"{mode}: {counted(len(siblings), 'core')} for {len(roles)} roles ({', '.join(roles)}); "
            "use shared, or a machine with more cores"
        )
    return _split(siblings, roles)


def siblings(text: str) -> Siblings:
    """Return the CPUs of each core in what the kernel says of all of them: lines such as `0,4` or `0-1`."""
    return sorted({expanded(line) for line in text.split()})


def settings(cpus_of_roles: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Return the variables that compose.yaml takes the placement from."""
    return {f"LAB_CPUS_{role.upper()}": cpuset(cpus) for role, cpus in cpus_of_roles.items()}


def cpuset(cpus: Sequence[int]) -> str:
    """Return the CPUs as the engine takes them: 0,1,5."""
    return ",".join(map(str, cpus))


def summary(cpus_of_roles: Mapping[str, Sequence[int]], cpus: int) -> str:
    """Return in words which CPUs each role has, as a part of a sentence."""
    if not cpus_of_roles:
        return f"all roles share the {counted(cpus, 'CPU')}"
    return "CPUs " + ", ".join(f"{cpuset(numbers)} for the {role}" for role, numbers in cpus_of_roles.items())


def _split(siblings: Siblings, roles: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return a quarter of the cores for client and database each, an eighth for a proxy, the rest for the app."""
    cores = len(siblings)
    wanted = {CLIENT: max(1, cores // 4), DB: max(1, cores // 4), PROXY: max(1, cores // 8)}
    cpus_of_roles, begin = {}, 0
    for role in roles:
        end = cores if role == APP else begin + wanted[role]
        cpus_of_roles[role] = _cpus(siblings[begin:end])
        begin = end
    return cpus_of_roles


def expanded(line: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in line.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)


def _cpus(cores: Siblings) -> tuple[int, ...]:
    return tuple(sorted(chain.from_iterable(cores)))
