"""The profiles: named protocols, and what a reader must know of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

from benchlab.experiment import stack
from benchlab.experiment.workloads import QUERY_CONNECTIONS, WORKLOADS
from benchlab.records.plan import NO_PROXY, Manifest, Settings

Levels = Mapping[str, tuple[int, ...]]

DEFAULT, QUICK = "default", "quick"
# The load model of a profile: a file of load/.
CLOSED = "closed"
# What runs and command lines of older labs call a profile.
RENAMED = {"seed": "study"}
STUDY_TESTS = ("json", "plaintext", "query")
LEVELS: Levels = {test: workload.levels for test, workload in WORKLOADS.items()}
TFB_LEVELS: Levels = {test: workload.tfb_levels for test, workload in WORKLOADS.items()}
# TFB varies N, and warms every test type up, at its largest concurrency, as the study does at its own. Only the profile
# that is to be held beside TFB varies N at so many: 128 connections wait for an entry's 16 to the database already, and
# with 512 they would but wait longer.
TFB_MOST_CONNECTIONS = 512
FIRST_LOOK = "a first look, not to be quoted"
# What can stand in front of an entry, each with what the proxy's container is told: it keeps its connections to the
# entry, or opens one for each request, as nginx does by itself.
PROXIES: Mapping[str, Mapping[str, str]] = {
    NO_PROXY: {},
    "nginx": {},
    "nginx-reconnecting": {"UPSTREAM": "reconnecting"},
}
# Of these one, or several in one run.
PROXY_CHOICES = tuple(",".join(some) for count in range(1, len(PROXIES) + 1) for some in combinations(PROXIES, count))
# The service that all of them but none are made of.
PROXY_SERVICE = "nginx"
MAX_CONNECTIONS = 20_000


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named protocol. Times are seconds, of the warm-up the least and the most; `note` heads a report.

    `tests` are measured where none is named; `levels` has those of every test type, and `load` is the load model. Where
    N varies, the load has `query_connections`. No warm-up has more than `warmup_connections`.

    With entries `together`, all are up in a block and are loaded in rounds of slices: `duration_s` is the least length
    of one, `repeats` are the rounds, and where that is 0, they are as many as take `block_s` in a block of two entries.
    """

    name: str
    blocks: int
    repeats: int
    duration_s: float
    primer_s: int
    warmup_s: tuple[int, int]
    note: str
    tests: tuple[str, ...] = STUDY_TESTS
    levels: Levels = field(default_factory=lambda: LEVELS)
    load: str = CLOSED
    query_connections: int = QUERY_CONNECTIONS
    warmup_connections: int = MAX_CONNECTIONS
    together: bool = False
    block_s: int = 0

    @property
    def samples(self) -> str:
        """Return in words what its samples are."""
        return "rounds of short slices" if self.together else f"{self.duration_s}-s samples"


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name=DEFAULT,
            blocks=8,
            repeats=0,
            duration_s=0.3,
            primer_s=0,
            warmup_s=(1, 1),
            note="The study's levels: all entries are up, and are loaded in rounds of slices.",
            together=True,
            block_s=53,
        ),
        Profile(
            name=QUICK,
            blocks=4,
            repeats=0,
            duration_s=0.3,
            primer_s=0,
            warmup_s=(1, 1),
            note=f"{FIRST_LOOK.capitalize()}: short blocks, of rounds of slices.",
            together=True,
            block_s=22,
        ),
        Profile(
            name="study",
            blocks=5,
            repeats=1,
            duration_s=15,
            primer_s=5,
            warmup_s=(15, 15),
            note="The original study's protocol: primer, warm-up, 15-s samples, five blocks.",
        ),
        Profile(
            name="tfb",
            blocks=3,
            repeats=1,
            duration_s=15,
            primer_s=5,
            warmup_s=(15, 15),
            note="The test types, levels, primer and warm-up of the TechEmpower benchmarks, in three blocks.",
            tests=tuple(WORKLOADS),
            levels=TFB_LEVELS,
            query_connections=TFB_MOST_CONNECTIONS,
            warmup_connections=TFB_MOST_CONNECTIONS,
        ),
    )
}
# What these names stood for in labs that measured one entry at a time by default. Their runs are read as such.
FORMER = {
    profile.name: profile
    for profile in (
        Profile(
            name=DEFAULT,
            blocks=8,
            repeats=1,
            duration_s=3,
            primer_s=0,
            warmup_s=(3, 5),
            note="Eight blocks of 3-s samples at the study's levels.",
        ),
        Profile(
            name=QUICK,
            blocks=2,
            repeats=1,
            duration_s=2,
            primer_s=0,
            warmup_s=(1, 1),
            note=f"{FIRST_LOOK.capitalize()}: two blocks of 2-s samples.",
        ),
    )
}


def of(settings: Settings) -> Profile:
    """Return the profile that the settings were made from: the one of their name and design."""
    profile = PROFILES[settings.profile]
    return profile if profile.together == settings.together else FORMER[settings.profile]


def caution(manifest: Manifest) -> str:
    """Return what must stand at the head of each section with tables of the run, or nothing."""
    return "".join(f" ({words})" for words in cautions(manifest))


def cautions(manifest: Manifest) -> list[str]:
    """Return what a reader of any table of the run must know."""
    return [*of_run(manifest), *stack.cautions(manifest.entries)]


def of_run(manifest: Manifest) -> list[str]:
    """Return what a reader must know of every row of the run's tables."""
    return [FIRST_LOOK] if manifest.settings.profile == QUICK else []
