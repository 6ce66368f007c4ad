"""What is planned: entries, visits, trials, settings, and what a run is. Frozen, checked when made, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from benchlab.core.quantities import counted
from benchlab.records import checks
from benchlab.records.checks import Moment
from benchlab.records.facts import Facts

# Where an entry listens that names no other port.
PORT = 8080
# Where nothing stands in front of an entry.
NO_PROXY = "none"
# What varies in the levels of a test.
CONNECTIONS, QUERIES = "connections", "queries"


@dataclass(frozen=True)
class Entry:
    """What is measured: one service of compose.yaml.

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
    """Where requests go to, and the name that they ask for there, where that is another."""

    host: str
    port: int = PORT
    name: str = ""

    @property
    def host_header(self) -> str:
        return self.name or self.host


@dataclass(frozen=True, order=True)
class LevelKey:
    """What varies in the levels of a test, such as 16 connections: what levels are known by, and compared by.

    The rest of a level follows from it and from the host, such as wrk's threads.
    """

    value: int
    unit: str

    def __str__(self) -> str:
        return str(self.value)

    @property
    def name(self) -> str:
        """Return it as a reader sees it who does not know what varies."""
        return f"N = {self.value:,}" if self.unit == QUERIES else counted(self.value, self.unit.removesuffix("s"))


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

    @cached_property
    def key(self) -> LevelKey:
        """Return what varies: the queries of a request where it has any, else the connections."""
        return LevelKey(self.queries, QUERIES) if self.queries else LevelKey(self.connections, CONNECTIONS)


@dataclass(frozen=True)
class Trial:
    """One sample to be taken: the `repeat`-th of its level in one visit."""

    block: int
    entry: str
    test: str
    level: Level
    repeat: int = 1

    def __post_init__(self) -> None:
        checks.counts("trial", 0, block=self.block, repeat=self.repeat)

    @cached_property
    def key(self) -> str:
        """Return what identifies the trial in a run: the resume key.

        Threads are left out: they follow from the connections and the engine.
        """
        level = self.level
        varied = f"c{level.connections}-q{level.queries}-p{level.pipeline}"
        again = f"/{self.repeat}" if self.repeat > 1 else ""
        return f"{self.block}/{self.entry}/{self.test}/{varied}{again}"


@dataclass(frozen=True)
class Rounds:
    """The rounds of a test type that are to be taken in a block: how many, and the number of the first.

    A count of 0 is not decided yet: the pace of the test will say. They are taken for the entries that are `lacking`
    them, beside all others of the block; where none is named, all are.
    """

    test: str
    count: int
    first: int = 1
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """One life of all containers, for entries that are up together, and what is to be taken in it, in order."""

    number: int
    entries: tuple[str, ...]
    rounds: tuple[Rounds, ...]


@dataclass(frozen=True)
class Visit:
    """One lifetime of an entry's container, and the trials made in it, in order."""

    block: int
    entry: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's plan and load; equal settings give equal plans.

    `levels` maps a test type to what varies in it: connections, or the N of a request. Times are seconds; a time of 0
    leaves the step out. The warm-up ends between its two times, as soon as the rate is steady. Each level is sampled
    `repeats` times in a visit: together these are one repetition, because only blocks count as such.

    With entries `together`, all are up in a block, and are loaded in rounds of slices, of which `duration_s` is the
    least length; `repeats` are the rounds, and 0 as many as take `block_s` in a block of two entries.

    `proxy` names what stands in front of the entries; of several, with commas between them, each in its turn. So does
    `db_connections`: how many an entry has in all, and where it is empty, what .env says.

    With a `precision` (0.03: ± 3 % of a ratio) or a budget, `blocks` are the pilot, after which the number of blocks
    is decided. `placement` says whether the roles share the CPUs. `against` is the commit whose versions of the
    entries take part too.

    With a `margin` (0.03: a loss of 3 %) the run has a gate, which looks after each of these numbers of blocks
    (`looks`) and ends the run with its answer; `blocks` are then the most.

    `vary` maps a factor to the levels that each entry is measured at, of all of them crossed.

    With a `control`, one of the `frameworks`, each other entry is compared with it, and not every two with each other.
    """

    profile: str
    frameworks: tuple[str, ...]
    levels: dict[str, tuple[int, ...]]
    blocks: int
    duration_s: float
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
    together: bool = False
    block_s: int = 0
    margin: float | None = None
    looks: tuple[int, ...] = ()
    vary: dict[str, tuple[str, ...]] = field(default_factory=dict)
    control: str = ""

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(self.levels)

    @property
    def proxies(self) -> tuple[str, ...]:
        return tuple(self.proxy.split(","))

    @property
    def through(self) -> str:
        """Return in words what the load goes through."""
        return " and ".join("without a proxy" if proxy == NO_PROXY else f"through {proxy}" for proxy in self.proxies)


@dataclass(frozen=True)
class Variant:
    """What a run measures under one name: an entry of compose.yaml, and what the lab changes in it.

    `levels` maps a factor to its level, where that is another than the entry has as it is.
    """

    origin: str
    levels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What a run is: written before its first sample, compared before it is resumed.

    `entries` holds each entry's labels; `variants` what each is made of, where one that is not among them is an entry
    as it is; `images` the image id, and `services` the resolved definition, of each
    container; `sources` a digest of what the image of each service that takes part is built from; `placement` the
    CPUs of each role, empty where all share them; `facts` describes lab, engine, host and tools: a run is not resumed
    by a lab of another version or with other limits, nor compared with the run of another host. `groups` are the
    entries that are up together; empty where one is up at a time.
    """

    run_id: str
    created_at: Moment
    settings: Settings
    entries: dict[str, dict[str, str]]
    images: dict[str, str]
    services: dict[str, dict[str, object]]
    sources: dict[str, str]
    cpus: int
    placement: dict[str, tuple[int, ...]] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    variants: dict[str, Variant] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the entries of compose.yaml that the run measures variants of, themselves among these."""
        names = self.settings.frameworks
        return tuple(dict.fromkeys(self.variants.get(name, Variant(name)).origin for name in names))

    def tests(self, entry: str) -> tuple[str, ...]:
        """Return the test types of the run that the entry declares."""
        declared = self.entries[entry]["tests"].split()
        return tuple(test for test in self.settings.tests if test in declared)

    def up_in(self, block: int) -> tuple[str, ...]:
        """Return the entries that take part in the block: groups take turns."""
        return self.groups[(block - 1) % len(self.groups)] if self.groups else tuple(self.entries)

    @property
    def unbuilt(self) -> dict[str, str]:
        """Return why entries that were asked for take no part, by name: they could not be built."""
        return self.facts.unbuilt or {}
