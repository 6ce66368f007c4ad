"""Measures what the length of a slice, entries that are up beside, lives and the like do to the spread of a pair.

    python -m tests.benchmarks.slices lengths    # slices of several lengths, all of them in the same lives
    python -m tests.benchmarks.slices entries    # the same pair with two, four and eight entries up
    python -m tests.benchmarks.slices lives      # lives of a pair: their means against what rounds predict
    python -m tests.benchmarks.slices pinned     # workers pinned to a CPU each and free ones, in turns
    python -m tests.benchmarks.slices databases  # a pair that shares the database and one that has two, in turns
    python -m tests.benchmarks.slices frozen     # a pair beside an entry that is never idle, frozen or not, in turns

A pair is two slices in a row, one of each of two entries that are the same image. Prints a table as Markdown, and each
slice as a line of JSON into the file that `--out` names. Nothing else may run meanwhile. What came of it stands in
docs/method.md, section 1.5.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import docker

from benchlab.engine import sandbox, stage
from benchlab.engine.endpoints import DATABASE_HOST, DATABASE_SERVICE
from benchlab.engine.stage import Lab
from benchlab.experiment import pace
from benchlab.experiment.pace import SliceLength
from benchlab.experiment.settings import choose
from benchlab.load import registry
from benchlab.load.model import LoadModel
from benchlab.records.counters import APP
from benchlab.records.plan import Level, Trial
from benchlab.report import markdown
from benchlab.report.document import Table
from benchlab.run import slices
from benchlab.run.group import Group, Up
from benchlab.run.rounds import WARM_LENGTH
from benchlab.selftest import selftest
from benchlab.statistics import sequential, stats
from benchlab.storage.store import Unkept

ROOT = Path(__file__).resolve().parents[2]
WINDOWS_S = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
CELLS = (("json", 32), ("plaintext", 256), ("query", 1), ("query", 20), ("fortune", 32))
UP = (2, 4, 8)
# Where databases are compared: the first two entries share one, the other two have one each.
SHARING, UP_WITH_OWN = 2, 4
# Where an entry is never idle, it is the third: it works for so much of each so many seconds.
UP_WITH_RESTLESS, WORKS_S, EVERY_S = 3, 0.001, 0.02
RESTLESS = (
    f"import time\nwhile True:\n until = time.perf_counter() + {WORKS_S}\n while time.perf_counter() < until: pass\n"
    f" time.sleep({EVERY_S - WORKS_S})"
)
FROZEN, AWAKE = "frozen", "awake"
PAIRS_AT_ONCE = 3
TEN_MINUTES_S, BLOCKS = 600, 8
HEADS = ("test", "level", "condition", "pairs", "s a pair", "spread", "of requests/CPU-s", "lag 1", "ten minutes show")
LIVES_HEADS = ("test", "level", "ratio of equal entries in each life", "spread of lives", "predicted by rounds")


@dataclass(frozen=True)
class Seen:
    """A slice: of which life and pair, under what condition; rates are requests per second, and per CPU-second."""

    life: int
    pair: int
    condition: str
    entry: str
    test: str
    level: int
    rate: float
    per_cpu_s: float
    took_s: float


class Life:
    """Equal entries that are up together, and the slices that were taken of them."""

    def __init__(self, lab: Lab, up: Up, number: int, out: TextIO):
        self.lab, self.names, self.number = lab, tuple(sorted(up.running)), number
        self.chance = random.Random(number)
        self.seen: list[Seen] = []
        self._up, self._out, self._pairs = up, out, 0

    def warm_up(self) -> None:
        for test, value in CELLS:
            self._take([(name, 1) for name in self.names], test, value, WARM_LENGTH, "")

    def pairs(
        self, test: str, value: int, condition: str = "", window_s: float | None = None, of: Sequence[str] = ()
    ) -> None:
        """Take some pairs of slices of two entries, as long as the lab's, or with a window of `window_s`."""
        order = []
        for pair in range(1, PAIRS_AT_ONCE + 1):
            order += [(name, pair) for name in self.chance.sample(of or self.names[:2], 2)]
        self.seen += self._take(order, test, value, pace.length(window_s or choose().duration_s), condition)
        self._pairs += PAIRS_AT_ONCE

    def _take(
        self, order: Iterable[tuple[str, int]], test: str, value: int, length: SliceLength, condition: str
    ) -> list[Seen]:
        trials = [Trial(1, name, test, self._level(test, value), pair) for name, pair in order]
        made = []
        for result in slices.taken(self._model, self._up.running, trials, length, self.lab.allowed_cpus, {}):
            load, counters = result.load, result.counters
            if load is None or counters is None:
                continue
            seen = Seen(
                life=self.number,
                pair=self._pairs + result.trial.repeat,
                condition=condition,
                entry=result.trial.entry,
                test=test,
                level=value,
                rate=load.requests_per_second,
                per_cpu_s=1e6 * load.requests_beside_counters / (counters.roles[APP].cpu_us or math.nan),
                took_s=result.took_s,
            )
            print(json.dumps(asdict(seen)), file=self._out, flush=True)
            made.append(seen)
        return made

    def _level(self, test: str, value: int) -> Level:
        settings = choose(tests=(test,), levels={test: (value,)})
        (level,) = self._model.levels(settings, self.lab.client_cpus)[test]
        return level

    @property
    def _model(self) -> LoadModel:
        return registry.of(choose())


@contextmanager
def life(lab: Lab, number: int, entries: int, out: TextIO) -> Iterator[Life]:
    """Run so many equal entries for the length of the with block."""
    running = [lab.topology.entries[name] for name in names(entries)]
    group = Group(running, lab.roles, running, Unkept(lab.state).keep_log, say=lab.say, patterns=lab.patterns)
    with group.up(f"life{number}") as up:
        for error in up.lost.values():
            raise error
        yield Life(lab, up, number, out)


def names(count: int) -> list[str]:
    return [f"equal-{number}" for number in range(1, count + 1)]


def lengths(of: Life, seconds: float) -> None:
    """Give each length as much time, in turns and in an order of chance."""
    of.warm_up()
    spent = {(cell, window_s): 0.0 for cell in CELLS for window_s in WINDOWS_S}
    while left := [each for each, spent_s in spent.items() if spent_s < seconds]:
        for cell, window_s in of.chance.sample(left, len(left)):
            before = len(of.seen)
            of.pairs(*cell, f"{window_s} s", window_s)
            spent[cell, window_s] += sum(seen.took_s for seen in of.seen[before:]) or seconds


def usual(of: Life, seconds: float, condition: str = "") -> None:
    """Take slices as the lab does, of all cells in turns."""
    of.warm_up()
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for cell in CELLS:
            of.pairs(*cell, condition)


def pinned(of: Life, seconds: float) -> None:
    of.warm_up()
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for condition in of.chance.sample(("free", "pinned"), 2):
            _pin(of.lab, of.names, condition == "pinned")
            for cell in CELLS:
                of.pairs(*cell, condition)


def databases(of: Life, seconds: float) -> None:
    of.warm_up()
    shared, own = names(SHARING), names(UP_WITH_OWN)[SHARING:]
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for condition, pair in of.chance.sample((("one database", shared), ("one for each", own)), 2):
            for cell in CELLS:
                of.pairs(*cell, condition, of=pair)


def frozen(of: Life, seconds: float) -> None:
    of.warm_up()
    third = docker.from_env().containers.get(of.lab.engine.container_id(of.names[-1]))
    third.exec_run(["python3", "-c", RESTLESS], detach=True)
    took_s = []
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for condition in of.chance.sample((FROZEN, AWAKE), 2):
            if condition == FROZEN:
                called_s = time.monotonic()
                third.pause()
                took_s.append(time.monotonic() - called_s)
            for cell in CELLS:
                of.pairs(*cell, condition)
            if condition == FROZEN:
                called_s = time.monotonic()
                third.unpause()
                took_s[-1] += time.monotonic() - called_s
    print(f"to freeze and thaw it took {1000 * statistics.median(took_s):.0f} ms", file=sys.stderr)


@contextmanager
def own_databases(lab: Lab, entries: Iterable[str]) -> Iterator[None]:
    """Give each of the entries a database of its own, in place of the shared one, for the length of the with block."""
    api, made = docker.from_env().api, []
    shared = api.inspect_container(lab.engine.container_id(DATABASE_SERVICE))
    config = {name: value for name, value in shared["Config"].items() if name != "Hostname"}
    try:
        for entry in entries:
            (network,) = lab.engine.networks_of(entry)
            api.disconnect_container_from_network(shared["Id"], network)
            alone = {"EndpointsConfig": {network: {"Aliases": [DATABASE_HOST]}}}
            host = {**shared["HostConfig"], "NetworkMode": network}
            own = {"Labels": sandbox.labels(lab.engine.project), "HostConfig": host, "NetworkingConfig": alone}
            made.append(api.create_container_from_config(config | own)["Id"])  # type: ignore[no-untyped-call]
            api.start(made[-1])
            api.exec_start(api.exec_create(made[-1], "wait-database")["Id"])
        yield
    finally:
        for container in made:
            api.remove_container(container, force=True)


def _pin(lab: Lab, entries: Iterable[str], each_to_one: bool) -> None:
    """Let worker i of each entry run on CPU i alone, or let all run on all. The engine must be this host's own."""
    cpus = sorted(os.sched_getaffinity(0))
    for entry in entries:
        pids = _processes(lab.engine.container_id(entry))
        workers = [pid for pid, parent in pids.items() if parent in pids]
        for number, pid in enumerate(sorted(workers)):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {cpus[number % len(cpus)]} if each_to_one else cpus)


def _processes(container_id: str) -> dict[int, int]:
    """Return the processes of the container, and the parent of each."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        if container_id in status.with_name("cgroup").read_text():
            (parent,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("PPid:"))
            found[int(status.parent.name)] = int(parent)
    return found


def pairs_of(seen: Iterable[Seen]) -> list[tuple[Seen, Seen]]:
    """Return the pairs of which both slices gave something, in the order in which they were taken."""
    found: dict[tuple[int, int], dict[str, Seen]] = defaultdict(dict)
    for each in seen:
        found[each.life, each.pair][each.entry] = each
    whole = [sorted(of.items()) for _, of in sorted(found.items()) if len(of) == 2]
    return [(first, second) for (_, first), (_, second) in whole]


def grouped(seen: Iterable[Seen], by: Callable[[Seen], tuple[object, ...]]) -> dict[tuple[object, ...], list[Seen]]:
    found: dict[tuple[object, ...], list[Seen]] = defaultdict(list)
    for each in seen:
        found[by(each)].append(each)
    return found


def table(seen: Iterable[Seen]) -> Table:
    """Return a row for each test, level and condition: what a pair costs, and what ten minutes of pairs show."""
    rows = []
    for (test, level, condition), of in grouped(seen, lambda each: (each.test, each.level, each.condition)).items():
        pairs = pairs_of(of)
        logs, per_cpu = _logs((a.rate, b.rate) for a, b in pairs), _logs((a.per_cpu_s, b.per_cpu_s) for a, b in pairs)
        if min(len(logs), len(per_cpu)) < 3:
            continue
        pair_s, spread = statistics.mean(a.took_s + b.took_s for a, b in pairs), statistics.stdev(logs)
        effect = sequential.smallest_effect(spread / math.sqrt(TEN_MINUTES_S / pair_s / BLOCKS), BLOCKS)
        rows.append(
            (
                *(str(test), str(level), str(condition), str(len(logs)), f"{pair_s:.2f}"),
                *(
                    f"{spread:.1%}",
                    f"{statistics.stdev(per_cpu):.1%}",
                    f"{statistics.correlation(logs[1:], logs[:-1]):+.2f}",
                ),
                f"{effect:.1%}",
            )
        )
    return Table(HEADS, tuple(sorted(rows)))


def frozen_table(seen: Iterable[Seen]) -> Table:
    """Return a row for each test and level: values beside a frozen entry, in times of those beside it awake."""
    rows = []
    for (test, level), of in grouped(seen, lambda each: (each.test, each.level)).items():
        turns = grouped(of, lambda each: (each.condition, each.life, (each.pair - 1) // PAIRS_AT_ONCE))
        cells = []
        for metric in ("rate", "per_cpu_s"):
            of_turns = {key: statistics.mean(getattr(each, metric) for each in one) for key, one in turns.items()}
            sides = [[value for key, value in of_turns.items() if key[0] == side] for side in (FROZEN, AWAKE)]
            mean, half = stats.mean_within(list(_logs(zip(*sides, strict=False))))
            cells.append(f"{math.exp(mean):.3f} ± {half:.3f}")
        rows.append((str(test), str(level), str(len(turns)), *cells))
    return Table(("test", "level", "turns", "requests/s", "requests/CPU-s"), tuple(rows))


def lives_table(seen: Iterable[Seen]) -> Table:
    """Return a row for each test and level: the ratio in each life, and how far apart its rounds let them lie."""
    rows = []
    for (test, level), of in grouped(seen, lambda each: (each.test, each.level)).items():
        lives = [
            _logs((a.rate, b.rate) for a, b in pairs_of(one)) for one in grouped(of, lambda each: (each.life,)).values()
        ]
        means = [statistics.mean(logs) for logs in lives]
        predicted = math.sqrt(statistics.mean(statistics.variance(logs) / len(logs) for logs in lives))
        told = ", ".join(f"{math.exp(mean):.3f}" for mean in means)
        rows.append((str(test), str(level), told, f"{statistics.stdev(means):.1%}", f"{predicted:.1%}"))
    return Table(LIVES_HEADS, tuple(rows))


def _logs(pairs: Iterable[tuple[float, float]]) -> list[float]:
    return [math.log(first / second) for first, second in pairs if first > 0 and second > 0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what slices of several kinds say of a pair.")
    parser.add_argument("what", choices=("lengths", "entries", "lives", "pinned", "databases", "frozen"))
    parser.add_argument("--lives", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60, help="in each life; of lengths, for each cell and length")
    parser.add_argument("--out", type=Path, default=Path(os.devnull))
    args = parser.parse_args()
    lab = stage.open_lab(ROOT, [selftest.ENTRY], lambda line: print(line, file=sys.stderr))
    stage.build(lab, [selftest.ENTRY])
    counts = {"entries": UP, "databases": (UP_WITH_OWN,), "frozen": (UP_WITH_RESTLESS,)}.get(args.what, UP[:1])
    lab = lab.with_services({name: selftest.injected(lab, {}) for name in names(max(counts))})
    measure = {"lengths": lengths, "pinned": pinned, "databases": databases, "frozen": frozen}.get(args.what, usual)
    having_own = names(UP_WITH_OWN)[SHARING:] if args.what == "databases" else []
    seen: list[Seen] = []
    with args.out.open("a") as out, stage.stage(lab, names(max(counts))), own_databases(lab, having_own):
        for number in range(1, args.lives + 1):
            for count in random.Random(number).sample(counts, len(counts)):
                with life(lab, number, count, out) as of:
                    if args.what == "entries":
                        usual(of, args.seconds, f"{count} up")
                    else:
                        measure(of, args.seconds)
                    seen += of.seen
    print(markdown.table(table(seen)))
    if args.what == "lives":
        print("\n" + markdown.table(lives_table(seen)))
    if args.what == "frozen":
        print("\n" + markdown.table(frozen_table(seen)))


if __name__ == "__main__":
    main()
