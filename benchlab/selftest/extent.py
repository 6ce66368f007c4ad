"""How much a calibration tries, and how long its parts take by that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from benchlab.core.quantities import counted, minutes
from benchlab.experiment import forecast, profiles
from benchlab.experiment.settings import choose
from benchlab.records.plan import Block, Rounds, Settings
from benchlab.report.document import Terms
from benchlab.selftest import faults

# The profile whose design is tested.
PROFILE = profiles.DEFAULT
EQUAL = tuple(f"equal-{number}" for number in range(1, 7))
# The entry without a slowdown, those with one, and how many times the least that is.
PLAIN, DOSES = EQUAL[0], {"slowed-1": 1, "slowed-2": 2, "slowed-3": 3}
KNOWN_RATE = "known-rate"
# What a run takes before its first block and after its last: containers are made, described, and removed.
RUN_S = 8.0
# What a load of these ways takes beside its own time: slices, a long sample, wrk typed by hand.
BESIDE_S = 1.5
# What looks at the answers of connections that hang take: three of 10 s each, before their entry is left out.
HANG_S = 30.0


@dataclass(frozen=True)
class Amount:
    """How much of a run: entries that are up together, the levels of each test, and blocks.

    A block has so many `rounds`, or as many as take `block_s` where two entries are up.
    """

    entries: tuple[str, ...]
    levels: Mapping[str, tuple[int, ...]]
    blocks: int = 1
    rounds: int = 0
    block_s: int = 0

    def settings(self, seed: int) -> Settings:
        chosen = choose(
            PROFILE,
            frameworks=self.entries,
            tests=self.levels,
            levels=self.levels,
            blocks=self.blocks,
            repeats=self.rounds,
            seed=seed,
        )
        return replace(chosen, block_s=self.block_s)

    @property
    def planned_s(self) -> float:
        rounds = tuple(Rounds(test, self.rounds) for test in self.levels)
        return RUN_S + self.blocks * forecast.block_s(Block(1, self.entries, rounds), self.settings(0))


@dataclass(frozen=True)
class Turns:
    """How much of the comparison with plain wrk, for one level of a test: rounds in which each way has its turn.

    The long sample and wrk typed by hand take `long_s` each; so many `slices` make one value, and take `slices_s`.
    """

    level: int
    rounds: int
    slices: int
    slices_s: float
    long_s: int

    @property
    def planned_s(self) -> float:
        return self.rounds * (self.slices_s + 2 * self.long_s + BESIDE_S)


@dataclass(frozen=True)
class Extent:
    """How much is tried in each part; `least_dose` is a share of the host's CPU time of a request."""

    is_full: bool
    aa_test: Amount
    slowdown: Amount
    least_dose: float
    known_rate: Amount
    turns: Mapping[str, Turns]
    faults: Amount
    # For each of the two troubles that the host is given.
    troubled: Amount

    @property
    def plan(self) -> Terms:
        """Return each part with what it tries, and how long that is planned to take."""
        parts = dict(self._parts())
        total_s = sum(planned_s for _, planned_s in parts.values())
        rows = ((name, f"{what}; about {minutes(planned_s)}") for name, (what, planned_s) in parts.items())
        return Terms((*rows, ("time", f"about {minutes(total_s)}; builds not counted")))

    def _parts(self) -> Iterator[tuple[str, tuple[str, float]]]:
        yield "A/A test", (_what(self.aa_test, "equal entries"), self.aa_test.planned_s)
        doses = " ".join(f"{times * self.least_dose:.0%}" for times in DOSES.values())
        yield "injected slowdown", (_what(self.slowdown, f"entries, doses of {doses}"), self.slowdown.planned_s)
        yield "known rate", (_what(self.known_rate, "entry"), self.known_rate.planned_s)
        turns = ", ".join(f"{of.rounds} rounds of {test} {of.level}" for test, of in self.turns.items())
        yield "plain wrk", (turns, RUN_S + sum(of.planned_s for of in self.turns.values()))
        yield "injected faults", (_what(self.faults, "entries"), self.faults.planned_s + HANG_S)
        yield "troubled host", (" and ".join(faults.TROUBLES), len(faults.TROUBLES) * self.troubled.planned_s)


def _what(amount: Amount, entries: str) -> str:
    levels = ", ".join(f"{test} {' '.join(map(str, of))}" for test, of in amount.levels.items())
    return f"{len(amount.entries)} {entries} in {counted(amount.blocks, 'block')}, {levels}"


_FAULTY = (PLAIN, *(faults.entry(name) for name in faults.INJECTED))
JSON: Mapping[str, tuple[int, ...]] = {"json": (32,)}
SHORT = Extent(
    is_full=False,
    aa_test=Amount(EQUAL[:4], {"json": (32,), "plaintext": (256,), "query": (1,)}, blocks=4, block_s=9),
    slowdown=Amount((PLAIN, *DOSES), JSON, blocks=4, block_s=9),
    least_dose=0.08,
    known_rate=Amount((KNOWN_RATE,), {"json": (16, 32)}, rounds=10),
    turns={"json": Turns(32, 5, 4, 2.0, 2), "query": Turns(20, 2, 2, 5.0, 3)},
    faults=Amount(_FAULTY, JSON, rounds=5),
    troubled=Amount((PLAIN,), JSON, rounds=6),
)
FULL = Extent(
    is_full=True,
    aa_test=Amount(EQUAL, {"json": (16, 32, 128), "plaintext": (256,), "query": (1, 20)}, blocks=6, block_s=58),
    slowdown=Amount((PLAIN, *DOSES), JSON, blocks=10, block_s=50),
    least_dose=0.03,
    known_rate=Amount((KNOWN_RATE,), {"json": (16, 32)}, rounds=50),
    turns={"json": Turns(32, 48, 4, 2.0, 5), "query": Turns(20, 10, 2, 5.0, 15)},
    faults=Amount(_FAULTY, JSON, rounds=8),
    troubled=Amount((PLAIN,), JSON, rounds=10),
)
