"""The records that travel through the lab: frozen, checked when they are made, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from benchlab.core import checks
from benchlab.core.counters import Counters

# More requests a second than any server answers to one load generator: a broken count.
MOST_RATE = 1e9
# Where an entry listens that names no other port.
PORT = 8080
# What a verdict says of a sample: it counts; it counts where no better one could be had; it does not count.
GOOD, SUSPECT, INVALID = "good", "suspect", "invalid"
# What a manifest says of what cannot be known.
UNAVAILABLE = "unavailable"
# What the reason of a failure begins with where the entry answered wrongly before any load.
WRONG_ANSWER = "wrong answer"
# Where nothing stands in front of an entry.
NO_PROXY = "none"
# The fact of a manifest that says which entries were asked for and have no image.
UNBUILT = "unbuilt"


@dataclass(frozen=True)
class Entry:
    """A contestant: one service of compose.yaml.

    `tests` maps each test type the entry declares to the path it answers under.
    """

    name: str
    labels: dict[str, str]
    tests: dict[str, str]
    port: int = PORT

    @property
    def proxy(self) -> str:
        """Return what stands in front of the entry, "none" where nothing does."""
        return self.labels.get("proxy", NO_PROXY)


@dataclass(frozen=True)
class Target:
    """Where requests go to."""

    host: str
    port: int = PORT


@dataclass(frozen=True, order=True)
class Level:
    """One setting of the load. `queries` is the N of `?queries=N`; 0 where a test has none."""

    connections: int
    threads: int
    queries: int = 0
    pipeline: int = 1

    def __post_init__(self) -> None:
        checks.counts("level", 1, connections=self.connections, threads=self.threads, pipeline=self.pipeline)
        checks.counts("level", 0, queries=self.queries)


@dataclass(frozen=True)
class Trial:
    """One sample to be taken: the `repeat`-th of its level in one visit."""

    block: int
    entry: str
    test: str
    level: Level
    repeat: int = 1

    def __post_init__(self) -> None:
        checks.words("trial", entry=self.entry, test=self.test)
        checks.counts("trial", 0, block=self.block, repeat=self.repeat)

    @property
    def key(self) -> str:
        """Return what identifies the trial in a run: the resume key.

        Threads are left out: they follow from the connections and the engine.
        """
        level = self.level
        varied = f"c{level.connections}-q{level.queries}-p{level.pipeline}"
        again = f"/{self.repeat}" if self.repeat > 1 else ""
        return f"{self.block}/{self.entry}/{self.test}/{varied}{again}"


@dataclass(frozen=True)
class Visit:
    """One life of an entry's container, and the trials made in it, in order."""

    block: int
    entry: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Latency:
    """wrk's own latency figures, in microseconds (METHOD: never ranked in a closed loop)."""

    mean_us: float
    stdev_us: float
    max_us: float
    p50_us: float
    p75_us: float
    p90_us: float
    p99_us: float
    p99_9_us: float

    def __post_init__(self) -> None:
        checks.amounts("latency", **vars(self))
        if not 0 <= self.mean_us <= self.max_us:
            raise ValueError(f"latency: mean {self.mean_us} us, max {self.max_us} us: the mean lies from 0 to the max")


@dataclass(frozen=True)
class Errors:
    """Socket errors by kind, and answers with a status above 399, as wrk counts them."""

    connect: int = 0
    read: int = 0
    write: int = 0
    status: int = 0
    timeout: int = 0

    def __post_init__(self) -> None:
        checks.counts("errors", 0, **vars(self))

    @property
    def broken(self) -> int:
        """Return all but the time-outs: what was answered wrongly, or not at all."""
        return self.connect + self.read + self.write + self.status

    def __str__(self) -> str:
        counts = {
            "answers above 399": self.status,
            "failed connects": self.connect,
            "read errors": self.read,
            "write errors": self.write,
            "time-outs": self.timeout,
        }
        return ", ".join(f"{n} {kind}" for kind, n in counts.items() if n) or "none"


@dataclass(frozen=True)
class Load:
    """What one run of wrk counted; rates are derived, never stored.

    `duration_us` is wrk's own clock, which its rates are made from; `wall_us` is the life of its process.
    """

    duration_us: int
    wall_us: int
    requests: int
    bytes: int
    latency: Latency
    errors: Errors

    def __post_init__(self) -> None:
        checks.counts("load", 1, duration_us=self.duration_us, wall_us=self.wall_us)
        checks.counts("load", 0, requests=self.requests, bytes=self.bytes)
        if self.requests_per_second > MOST_RATE:
            raise ValueError(f"load: {self.requests} requests in {self.duration_us} us cannot be")

    @property
    def seconds(self) -> float:
        return self.duration_us / 1e6

    @property
    def requests_per_second(self) -> float:
        """Return answered requests per second, 4xx and 5xx included."""
        return self.requests / self.seconds


@dataclass(frozen=True)
class Verdict:
    """What was found of a sample: `broken` has, by rule, what was measured; `unknown` the rules that had no figure.

    `detail` quotes the first wrong answer.
    """

    severity: str
    broken: dict[str, float]
    unknown: tuple[str, ...] = ()
    detail: str = ""

    def __post_init__(self) -> None:
        if self.severity not in (GOOD, SUSPECT, INVALID):
            raise ValueError(f"verdict: {self.severity!r} is none of {GOOD}, {SUSPECT}, {INVALID}")
        checks.amounts("verdict", **self.broken)
        named = {f"rule {name!r}": name for name in (*self.broken, *self.unknown)}
        checks.words("verdict", detail=self.detail, **named)


@dataclass(frozen=True)
class Sample:
    """A trial that was measured, the `attempt`-th time. `started_at` is UTC."""

    trial: Trial
    attempt: int
    started_at: datetime
    load: Load
    counters: Counters
    verdict: Verdict

    def __post_init__(self) -> None:
        checks.counts("sample", 1, attempt=self.attempt)


@dataclass(frozen=True)
class Failure:
    """A trial that could not be measured, and why. A `passing` one is worth another try."""

    trial: Trial
    started_at: datetime
    reason: str
    passing: bool = False

    def __post_init__(self) -> None:
        checks.words("failure", reason=self.reason)
        if type(self.passing) is not bool:
            raise ValueError(f"failure: passing of {self.passing!r} is neither true nor false")

    @property
    def is_wrong_answer(self) -> bool:
        """Return whether the entry was verified and answered wrongly."""
        return self.reason.startswith(WRONG_ANSWER)


@dataclass(frozen=True)
class Decision:
    """How many blocks a run gets in all, decided once, after the `pilot` blocks.

    `needed` is how many its precision asks for, None where it has none.
    """

    decided_at: datetime
    pilot: int
    blocks: int
    needed: int | None
    reason: str

    def __post_init__(self) -> None:
        checks.counts("decision", 1, pilot=self.pilot, blocks=self.blocks)
        if self.needed is not None:
            checks.counts("decision", 1, needed=self.needed)
        checks.words("decision", reason=self.reason)


@dataclass(frozen=True)
class Remark:
    """A rule of the contract that an entry was seen to break before a load: in this block first, told as it was then.

    A `warning` kept nothing from being loaded. Of a rule that is broken again in later visits there is no other remark.
    """

    block: int
    entry: str
    test: str
    found_at: datetime
    rule: str
    message: str
    warning: bool

    def __post_init__(self) -> None:
        checks.counts("remark", 1, block=self.block)
        checks.words("remark", entry=self.entry, test=self.test, rule=self.rule, message=self.message)
        if type(self.warning) is not bool:
            raise ValueError(f"remark: warning of {self.warning!r} is neither true nor false")

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """Return what identifies the remark in a run: the same rule may be broken now and only warn then."""
        return self.entry, self.test, self.rule, self.warning


# What a journal is made of, a line each.
Record = Sample | Failure | Decision | Remark


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's plan and load; equal settings give equal plans.

    `levels` maps a test type to what varies in it: connections, or the N of a request. Times are seconds; a time of 0
    leaves the step out. The warm-up ends between its two times, as soon as the rate is steady. Each level is sampled
    `repeats` times in a visit: together these are one repetition, because only blocks count as such.

    `proxy` names what stands in front of the entries; of several, with commas between them, each in its turn. So does
    `db_connections`: how many an entry has in all, and where it is empty, what .env says.

    With a `precision` (0.03: ± 3 % of a ratio) or a budget, `blocks` are the pilot, after which the number of blocks
    is decided. `placement` says whether the roles share the CPUs. `against` is the commit whose versions of the
    entries take part too.
    """

    profile: str
    frameworks: tuple[str, ...]
    levels: dict[str, tuple[int, ...]]
    blocks: int
    duration_s: int
    primer_s: int
    warmup_s: tuple[int, int]
    proxy: str
    seed: int
    precision: float | None = None
    budget_s: int | None = None
    placement: str = "auto"
    against: str = ""
    repeats: int = 1
    db_connections: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        whole = ("blocks", "duration_s", "primer_s", "repeats", "seed")
        checks.integers("settings", **{name: getattr(self, name) for name in whole})

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(self.levels)

    @property
    def proxies(self) -> tuple[str, ...]:
        return tuple(self.proxy.split(","))

    @property
    def through(self) -> str:
        """Return in words what the load goes through."""
        return " and ".join("no proxy" if proxy == NO_PROXY else proxy for proxy in self.proxies)


@dataclass(frozen=True)
class Manifest:
    """What a run is: written before its first sample, compared before it is resumed.

    `entries` holds each entry's labels; `images` the image id, and `services` the resolved definition, of each
    container; `sources` a digest of what the image of each service that takes part is built from; `placement` the
    CPUs of each role, empty where all share them; `facts` describes lab, engine, host and tools: a run is not resumed
    by a lab of another version or with other limits, nor compared with the run of another host.
    """

    run_id: str
    created_at: datetime
    settings: Settings
    entries: dict[str, dict[str, str]]
    images: dict[str, str]
    services: dict[str, dict[str, object]]
    sources: dict[str, str]
    cpus: int
    placement: dict[str, tuple[int, ...]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

    def tests(self, entry: str) -> tuple[str, ...]:
        """Return the test types of the run that the entry declares."""
        declared = self.entries[entry]["tests"].split()
        return tuple(test for test in self.settings.tests if test in declared)

    @property
    def unbuilt(self) -> dict[str, str]:
        """Return why entries that were asked for take no part, by name: they could not be built."""
        found = self.facts.get(UNBUILT)
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Run:
    """A run as read back, its `taken` and `failures` in the order of time, its `remarks` in that of their keys."""

    manifest: Manifest
    taken: tuple[Sample, ...]
    failures: tuple[Failure, ...]
    decision: Decision | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def blocks(self) -> int:
        """Return how many blocks the run has in all, as far as that is decided."""
        return self.decision.blocks if self.decision else self.manifest.settings.blocks

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Return the sample that counts of each trial: its first good one, else its last suspect one."""
        chosen: dict[str, Sample] = {}
        for sample in sorted(self.taken, key=lambda sample: (sample.attempt, sample.started_at)):
            key = sample.trial.key
            if sample.verdict.severity != INVALID and not _is_good(chosen.get(key)):
                chosen[key] = sample
        return tuple(chosen.values())

    @property
    def ended_at(self) -> datetime:
        """Return when the last sample or failure was written; the run's creation where there is none."""
        ends = [sample.started_at + timedelta(microseconds=sample.load.wall_us) for sample in self.taken]
        return max([self.manifest.created_at, *ends, *(failure.started_at for failure in self.failures)])

    @property
    def measured(self) -> frozenset[str]:
        """Return the keys of the trials that have a sample that counts."""
        return frozenset(sample.trial.key for sample in self.samples)

    @property
    def untried(self) -> int:
        """Return how many trials were never tried, of the blocks that are decided on so far."""
        manifest, settings = self.manifest, self.manifest.settings
        cells = sum(len(settings.levels[test]) for entry in manifest.entries for test in manifest.tests(entry))
        return self.blocks * settings.repeats * cells - len({record.trial.key for record in self.taken + self.failures})

    @property
    def awaits_decision(self) -> bool:
        """Return whether the number of blocks is still to be decided, and there are samples to decide by."""
        settings = self.manifest.settings
        asked = settings.precision is not None or settings.budget_s is not None
        return asked and self.decision is None and bool(self.samples)


def _is_good(sample: Sample | None) -> bool:
    return sample is not None and sample.verdict.severity == GOOD
