"""Names what limited a cell: the CPU that each role used of what it could use, in; a word, out.

Source: docs/method.md, section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.plan import NO_PROXY, Level, Manifest
from benchlab.records.run import Sample

# A role that uses this much of its CPUs has none left to give; below CALM it waits for something else.
BUSY, CALM = 0.90, 0.70
# A host with less idle time than this is full, whoever fills it.
FULL_HOST_IDLE = 0.05
# One that is nearly full is compared with full ones: the limit between the two must not take a test's ranks away where
# its cells lie on both sides of it by a hair. Chosen, not measured.
NEARLY_FULL_IDLE = 0.07
# Where the roles had less of a full host's used CPU time than this, others filled it. Chosen, not measured.
OWN_SHARE = 0.80
# Twice the connections and nearly twice the rate: there were too few of them.
SCALES = 1.7

HOST, CONCURRENCY, WAITING, MIXED, UNKNOWN = "host-shared", "concurrency", "waiting", "mixed", "unknown"
# Twice the connections were not measured, so nobody knows which of the two it is.
UNMEASURED_GROWTH = "waiting or concurrency"
# What the host's time goes to beside the roles; others limit a cell where they fill the host.
OTHERS, STOLEN, IDLE = "others", "stolen", "idle"


@dataclass(frozen=True)
class Shares:
    """Of each role, the CPU time used over what it could have used in wrk's own time; `idle` is a share of all CPUs.

    All CPUs are those that containers may use. None is more than 1.
    """

    roles: dict[str, float]
    idle: float | None


def role_cpus(manifest: Manifest, entry: str, level: Level) -> dict[str, int]:
    """Return how many CPUs each role of a trial can use at once."""
    proxy = manifest.entries[entry].get("proxy", NO_PROXY)
    roles = (CLIENT, APP, DB) if proxy == NO_PROXY else (CLIENT, APP, DB, PROXY)
    allowed = {role: len(manifest.placement.get(role, ())) or manifest.cpus for role in roles}
    workers = manifest.entries[entry]["workers"]
    # An adopted entry has as many as it likes.
    most = {CLIENT: level.threads, APP: int(workers) if workers.isdecimal() else manifest.cpus}
    return {role: min(cpus, most.get(role, cpus)) for role, cpus in allowed.items()}


def shares(samples: Iterable[Sample], cpus: Mapping[str, int]) -> Shares:
    """Return the means of the shares over all samples; `cpus` is how many CPUs each role can use at once.

    A role or host without readings is left out.
    """
    spent = [_spent(sample) for sample in samples]
    used = {role: [each.roles[role] for each in spent if role in each.roles] for role in cpus}
    idles = [each.idle / each.cpus for each in spent if each.idle is not None]
    return Shares(
        {role: fmean(min(1.0, amount / cpus[role]) for amount in of) for role, of in used.items() if of},
        fmean(idles) if idles else None,
    )


def fills_host(used: Shares) -> bool:
    """Return whether the host had hardly any idle time: there a CPU-second does less than on an idle host."""
    return used.idle is not None and used.idle < NEARLY_FULL_IDLE


def of_host(samples: Iterable[Sample]) -> dict[str, float]:
    """Return what the CPUs' time went to, as shares that add up to 1: each role, others, stolen, and idle.

    The CPUs are those that containers may use. Of a sample whose host does not tell all of it, nothing is counted;
    without any other there is nothing to return. They are made of the same amounts as what `shares` returns.
    """
    spent = [parts for sample in samples if (parts := _spent(sample).parts)]
    names = dict.fromkeys(part for parts in spent for part in parts)
    return {part: fmean(parts.get(part, 0.0) for parts in spent) for part in names}


def own_share(parts: Mapping[str, float]) -> float | None:
    """Return how much of the CPU time that was used on the host the roles used, from what `of_host` returns."""
    used = {part: share for part, share in parts.items() if part not in (STOLEN, IDLE)}
    whole = sum(used.values())
    return 1 - used[OTHERS] / whole if whole else None


def name(used: Shares, growth: float | None, own: float | None = None) -> str:
    """Return what limited the cell: a role, or one of the words above.

    `growth` is the rate at twice the connections over the rate here, None where that was not measured; `own` is the
    roles' share of the CPU time that was used on the host, None where that is not known.
    """
    if APP not in used.roles or CLIENT not in used.roles:
        return UNKNOWN
    if used.roles[CLIENT] >= BUSY:
        return CLIENT
    busy = [role for role in (APP, DB, PROXY) if used.roles.get(role, 0.0) >= BUSY]
    if len(busy) == 1:
        return busy[0]
    if not busy and used.idle is not None and used.idle < FULL_HOST_IDLE:
        return HOST if own is None or own >= OWN_SHARE else OTHERS
    if max(used.roles.values()) >= CALM:
        return MIXED
    if growth is None:
        return UNMEASURED_GROWTH
    return CONCURRENCY if growth >= SCALES else WAITING


@dataclass(frozen=True)
class _Spent:
    """The mean number of CPUs in use while wrk ran, by its own clock: of each role, stolen, and idle.

    `cpus` is how many containers may use. Without readings of the host, it is 0 and the last two are None; `is_whole`
    is whether those of all roles are known too.
    """

    roles: dict[str, float]
    cpus: int = 0
    stolen: float | None = None
    idle: float | None = None
    is_whole: bool = False

    @property
    def parts(self) -> dict[str, float]:
        """Return the share of the host's CPUs that each part had; nothing where one is not known."""
        if self.stolen is None or self.idle is None or not self.is_whole:
            return {}
        own = {role: amount / self.cpus for role, amount in self.roles.items()}
        stolen, idle = self.stolen / self.cpus, self.idle / self.cpus
        return {**own, OTHERS: max(0.0, 1 - sum(own.values()) - stolen - idle), STOLEN: stolen, IDLE: idle}


def _spent(sample: Sample) -> _Spent:
    """Return what the CPUs were used for in wrk's own time, which lies within that of the two readings.

    All that the roles used between the readings counts as used in wrk's own time, because wrk starts and ends around
    it. So the roles may seem to have used more than there was: then wrk had its share, and the others no more than it
    left. What is not the lab's knows nothing of wrk: it used as much of the time around as of wrk's own. What was
    stolen is the same share of both. The rest was idle.
    """
    counters, load = sample.counters, sample.load
    known = {role: usage.cpu_us for role, usage in counters.roles.items() if usage.cpu_us is not None}
    # Of a slice, the readings lie in the load, and not around it.
    counted_us = counters.between_us if load.is_slice else load.duration_us
    used = {role: cpu_us / counted_us for role, cpu_us in known.items()}
    host = counters.host
    if host.busy_us is None or host.interrupts_us is None or host.idle_us is None or host.stolen_us is None:
        return _Spent(used)
    whole_us = host.busy_us + host.interrupts_us + host.idle_us + host.stolen_us
    if not whole_us:
        return _Spent(used)
    cpus = max(1, round(whole_us / counters.between_us))
    stolen = host.stolen_us / whole_us * cpus
    roles = _fitted(used, cpus - stolen)
    background_us = max(0, host.busy_us + host.interrupts_us - sum(known.values()))
    idle = cpus - stolen - sum(roles.values()) - background_us / counters.between_us
    return _Spent(roles, cpus, stolen, max(0.0, idle), len(known) == len(counters.roles))


def _fitted(used: Mapping[str, float], cpus: float) -> dict[str, float]:
    """Return what the roles used, no more of it than so many CPUs: wrk's as it is, of the others each the same part."""
    client = min(used.get(CLIENT, 0.0), cpus)
    others = sum(amount for role, amount in used.items() if role != CLIENT)
    part = min(1.0, (cpus - client) / others) if others else 1.0
    return {role: client if role == CLIENT else amount * part for role, amount in used.items()}
