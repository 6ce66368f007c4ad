"""What a gate can tell in its blocks, before it starts, at the spread that earlier runs on this host had.

Blocks of another number of rounds tell it too: their variance is in proportion to that of a round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchlab.core.errors import LabError
from benchlab.core.quantities import counted, minutes
from benchlab.engine.stage import Lab
from benchlab.experiment import pace
from benchlab.records.plan import Manifest, Settings
from benchlab.records.run import Run
from benchlab.statistics import interim, looks
from benchlab.statistics.spread import Spread, pooled
from benchlab.storage import store

# So many runs are read, the newest.
LATEST = 10
# What is assumed where no run tells, as measured on shared VMs of two CPUs: the spread of the log-ratio of two entries
# in one round at one level, and how long a slice takes with all beside its load (docs/method.md, section 1.5); and the
# spread between blocks of 3-s samples, of one entry at a time.
USUAL_ROUND, USUAL_SLICE_S, USUAL_BLOCK = 0.14, 0.5, 0.04
POWER = 0.8
# A standard deviation of fewer blocks than these, counted over all ratios, is not told as the host's.
LEAST_FREEDOM = 5


@dataclass(frozen=True)
class Here:
    """What runs of the same host have in common, as far as it is known before a run; None is not known."""

    engine_id: str | None
    kernel: str | None
    engine_cpus: int | None
    cpus: int

    def has(self, manifest: Manifest) -> bool:
        """Return whether the run was measured here. An engine that is not known is no engine."""
        facts = manifest.facts
        known = (facts.engine_id, facts.engine_kernel, facts.engine_cpus, manifest.cpus)
        return self.engine_id is not None and known == (self.engine_id, self.kernel, self.engine_cpus, self.cpus)


def here(info: Mapping[str, Any], cpus: int) -> Here:
    """Return the host, from what its engine says of itself."""
    return Here(info.get("ID"), info.get("KernelVersion"), info.get("NCPU"), cpus)


@dataclass(frozen=True)
class Usual:
    """What earlier runs tell of a test: how far blocks lie apart, and how long a slice takes; None is not known."""

    spread: Spread | None = None
    slice_s: float | None = None


def usual(lab: Lab, settings: Settings) -> dict[str, Usual]:
    """Return what runs on this host tell of each test; a test that no run tells of is left out."""
    if lab.engine_if_any is None:
        return {}
    return of_runs(latest(lab.root / "results", here(lab.engine_if_any.info(), lab.cpus), settings), settings)


def of_runs(runs: Iterable[Run], settings: Settings) -> dict[str, Usual]:
    """Return what the runs tell, the newest first, of each test that has blocks of the same load in them."""
    known = list(runs)
    by_test = {
        test: _usual(test, [run for run in known if _has_blocks_of(test, run.manifest.settings, settings)])
        for test in settings.tests
    }
    return {test: each for test, each in by_test.items() if each != Usual()}


def latest(results: Path, host: Here, settings: Settings) -> Iterator[Run]:
    """Yield the newest runs in the folder that were measured on the host and have blocks of the same load.

    What cannot be read is left out.
    """
    manifests = [
        (manifest.created_at, folder)
        for folder, manifest in _manifests(results)
        if host.has(manifest) and any(_has_blocks_of(test, manifest.settings, settings) for test in settings.tests)
    ]
    for _, folder in islice(sorted(manifests, reverse=True), LATEST):
        try:
            yield store.read(folder)
        except LabError:
            continue


def rows(
    settings: Settings, entries: int, known: Mapping[str, Usual], most_s: float, turns: int = 1
) -> Iterator[tuple[str, str]]:
    """Yield the lines of a plan that say when the gate looks, and what it can tell of each test.

    `entries` are compared with an older version each; all blocks take `most_s` seconds; so many groups take `turns`.
    """
    after = ", ".join(map(str, settings.looks))
    ends = ", and ends the run as soon as it knows" if len(settings.looks) > 1 else ""
    yield "gate", f"looks after {after} blocks{ends}"
    name = "it can tell"
    rounds = _rounds(settings, known)
    for test in settings.tests:
        spread = known.get(test, Usual()).spread
        stdev = (spread or _assumed(settings, test)).of_blocks(rounds[test])
        power = foreseen(settings, max(1, entries), stdev, most_s, turns)
        yield name, f"{test}: {power}, {_whose(stdev, spread)}"
        name = ""


def foreseen(settings: Settings, entries: int, stdev: float, most_s: float, turns: int = 1) -> str:
    """Return what the gate can tell of a test whose blocks have such a spread, in words."""
    # A ratio has the blocks of its group.
    own = [blocks // turns for blocks in settings.looks]
    loss = looks.smallest_loss(stdev, own, interim.MEANS / (entries * len(settings.tests)), POWER)
    passes = looks.power(interim.room(settings.margin or 0.0), stdev, own, interim.MEANS)
    # A loss below the margin that is told exactly passes.
    margin = settings.margin or 0.0
    power = f"{POWER:.0%} power" + (" or more" if loss < margin else "")
    return (
        f"{settings.blocks} blocks in about {minutes(most_s)} would show a loss of {max(loss, margin):.1%} with "
        f"{power}, and pass an unchanged entry {100 * passes:.0f} times in 100"
    )


def _whose(stdev: float, known: Spread | None) -> str:
    if known:
        return f"at this host's usual spread of {stdev:.1%} between blocks ({counted(known.runs, 'run')})"
    return f"at a spread of {stdev:.1%} between blocks, which is assumed: results/ has no such run on this host"


def _rounds(settings: Settings, known: Mapping[str, Usual]) -> Mapping[str, int]:
    """Return how many rounds of each test a block will have, or samples of each level."""
    if settings.repeats:
        return dict.fromkeys(settings.tests, settings.repeats)
    slices_s = {test: known.get(test, Usual()).slice_s or USUAL_SLICE_S for test in settings.tests}
    return pace.rounds(slices_s, {test: len(settings.levels[test]) for test in settings.tests}, settings.block_s)


def _assumed(settings: Settings, test: str) -> Spread:
    return Spread(USUAL_ROUND / math.sqrt(len(settings.levels[test])) if settings.together else USUAL_BLOCK)


def _usual(test: str, runs: Sequence[Run]) -> Usual:
    spread = pooled(runs).get(test)
    slices_s = (each.slice_s for run in runs for each in run.paces if each.test == test)
    return Usual(spread if spread and spread.freedom >= LEAST_FREEDOM else None, next(slices_s, None))


def _has_blocks_of(test: str, one: Settings, other: Settings) -> bool:
    """Return whether blocks of the two load the test alike; of entries up together, rounds may be more or fewer."""
    keys = [
        (each.together, each.duration_s, each.proxy, each.levels.get(test), None if each.together else each.repeats)
        for each in (one, other)
    ]
    return keys[0] == keys[1]


def _manifests(results: Path) -> Iterator[tuple[Path, Manifest]]:
    folders = [] if not results.is_dir() else [each for each in results.iterdir() if not each.is_symlink()]
    for folder in folders:
        try:
            yield folder, store.read_manifest(folder)
        except LabError:
            continue
