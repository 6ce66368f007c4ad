"""Names what limited a cell (METHOD, section 5): the CPU that each role used of what it could use, in; a word, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchlab.core.counters import APP, CLIENT, DB, PROXY, Counters, share_of_host
from benchlab.core.measured import Sample
from benchlab.core.model import NO_PROXY, Level, Manifest

# A role that uses this much of its CPUs has none left to give; below CALM it waits for something else.
BUSY, CALM = 0.90, 0.70
# A host with less idle time than this is full, whoever fills it.
FULL_HOST_IDLE = 0.05
# One that is nearly full is compared with full ones: the limit between the two must not take a test's ranks away where
# its cells lie on both sides of it by a hair. Chosen, not measured.
NEARLY_FULL_IDLE = 0.10
# Where the roles had less of a full host's used CPU time than this, others filled it. Chosen, not measured.
OWN_SHARE = 0.80
# Twice the connections and nearly twice the rate: there were too few of them.
SCALES = 1.7

HOST, CONCURRENCY, WAITING, MIXED, UNKNOWN = "host-shared", "concurrency", "waiting", "mixed", "unknown"
# What the host's time goes to beside the roles; others limit a cell where they fill the host.
OTHERS, STOLEN, IDLE = "others", "stolen", "idle"


@dataclass(frozen=True)
class Shares:
    """Of each role, the CPU time used over the CPU time it could have used; `idle` is the whole host's share."""

    roles: dict[str, float]
    idle: float | None

    def __str__(self) -> str:
        parts = [f"{role} {share:.0%}" for role, share in self.roles.items()]
        return ", ".join(parts + ([] if self.idle is None else [f"host idle {self.idle:.0%}"]))


def role_cpus(manifest: Manifest, entry: str, level: Level) -> dict[str, int]:
    """Return how many CPUs each role of a trial can use at once."""
    proxy = manifest.entries[entry].get("proxy", NO_PROXY)
    roles = (CLIENT, APP, DB) if proxy == NO_PROXY else (CLIENT, APP, DB, PROXY)
    found = {role: len(manifest.placement.get(role, ())) or manifest.cpus for role in roles}
    workers = manifest.entries[entry]["workers"]
    # An adopted entry has as many as it likes.
    most = {CLIENT: level.threads, APP: int(workers) if workers.isdecimal() else manifest.cpus}
    return {role: min(cpus, most.get(role, cpus)) for role, cpus in found.items()}


def shares(samples: Iterable[Sample], cpus: Mapping[str, int]) -> Shares:
    """Return the shares over all samples together; `cpus` is how many CPUs each role can use at once.

    A role or host without figures is left out.
    """
    counters = [sample.counters for sample in samples]
    roles: dict[str, float] = {}
    for role, count in cpus.items():
        used = [(c.roles[role].cpu_us, c.between_us) for c in counters if role in c.roles]
        known = [(cpu_us, wall_us) for cpu_us, wall_us in used if cpu_us is not None]
        if known:
            roles[role] = sum(cpu_us for cpu_us, _ in known) / (count * sum(wall_us for _, wall_us in known))
    idles = [share_of_host(c.host.idle_us, c) for c in counters]
    known_idles = [idle for idle in idles if idle is not None]
    return Shares(roles, sum(known_idles) / len(known_idles) if known_idles else None)


def fills_host(found: Shares) -> bool:
    """Return whether the host had hardly any time to spare: there a CPU-second does less than on an idle one."""
    return found.idle is not None and found.idle < NEARLY_FULL_IDLE


def of_host(samples: Iterable[Sample]) -> dict[str, float]:
    """Return what the host's CPU time went to, as shares that add up to 1: each role, others, stolen, and idle.

    Of a sample whose host does not tell all of it, nothing is counted; without any other there is nothing to return.
    """
    found = [shares for sample in samples if (shares := _of_host(sample.counters))]
    parts = dict.fromkeys(part for shares in found for part in shares)
    return {part: sum(shares.get(part, 0.0) for shares in found) / len(found) for part in parts}


def own_share(parts: Mapping[str, float]) -> float | None:
    """Return how much of the CPU time that was used on the host the roles used, from what `of_host` returns."""
    used = {part: share for part, share in parts.items() if part not in (STOLEN, IDLE)}
    whole = sum(used.values())
    return 1 - used[OTHERS] / whole if whole else None


def name(found: Shares, growth: float | None, own: float | None = None) -> str:
    """Return what limited the cell: a role, or one of the words above.

    `growth` is the rate at twice the connections over the rate here, None where that was not measured; `own` is the
    roles' share of the CPU time that was used on the host, None where that is not known.
    """
    if APP not in found.roles or CLIENT not in found.roles:
        return UNKNOWN
    if found.roles[CLIENT] >= BUSY:
        return CLIENT
    busy = [role for role in (APP, DB, PROXY) if found.roles.get(role, 0.0) >= BUSY]
    if len(busy) == 1:
        return busy[0]
    if not busy and found.idle is not None and found.idle < FULL_HOST_IDLE:
        return HOST if own is None or own >= OWN_SHARE else OTHERS
    if max(found.roles.values()) < CALM and growth is not None:
        return CONCURRENCY if growth >= SCALES else WAITING
    return MIXED


def _of_host(counters: Counters) -> dict[str, float]:
    times = {role: usage.cpu_us for role, usage in counters.roles.items()}
    times |= {OTHERS: counters.outside_cpu_us, STOLEN: counters.host.stolen_us, IDLE: counters.host.idle_us}
    known = {part: time for part, time in times.items() if time is not None}
    whole = sum(known.values())
    return {part: time / whole for part, time in known.items()} if whole and len(known) == len(times) else {}
