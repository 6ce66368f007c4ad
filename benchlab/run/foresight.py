"""What a gate can tell in its blocks, before it starts, at the spread that earlier runs on this host had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchlab.core.errors import LabError
from benchlab.core.quantities import counted, minutes
from benchlab.engine.stage import Lab
from benchlab.records.plan import Manifest, Settings
from benchlab.records.run import Run
from benchlab.statistics import interim, looks, spread
from benchlab.statistics.spread import Spread
from benchlab.storage import store

# So many runs are read, the newest.
LATEST = 10
# What is assumed where no run tells: the spread of the log-ratio of two entries between blocks, as measured with 3-s
# samples on a shared VM of two CPUs (docs/ci.md).
USUAL_SPREAD = 0.04
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


def usual(lab: Lab, settings: Settings) -> dict[str, Spread]:
    """Return for each test how far blocks usually lie apart on this host; a test that no run tells of is left out."""
    if lab.engine_if_any is None:
        return {}
    return of_runs(latest(lab.root / "results", here(lab.engine_if_any.info(), lab.cpus)), settings)


def of_runs(runs: Iterable[Run], settings: Settings) -> dict[str, Spread]:
    """Return the spread of each test over the runs that have blocks of the same load."""
    of = [run for run in runs if _is_alike(run.manifest.settings, settings)]
    found = {
        test: spread.pooled(run for run in of if run.manifest.settings.levels.get(test) == settings.levels[test]).get(
            test
        )
        for test in settings.tests
    }
    return {test: each for test, each in found.items() if each is not None and each.freedom >= LEAST_FREEDOM}


def latest(results: Path, host: Here) -> Iterator[Run]:
    """Yield the newest runs in the folder that were measured on the host; what cannot be read is left out."""
    manifests = [(manifest.created_at, folder) for folder, manifest in _manifests(results) if host.has(manifest)]
    for _, folder in islice(sorted(manifests, reverse=True), LATEST):
        try:
            yield store.read(folder)
        except LabError:
            continue


def rows(
    settings: Settings, entries: int, known: Mapping[str, Spread], most_s: float, turns: int = 1
) -> Iterator[tuple[str, str]]:
    """Yield the lines of a plan that say when the gate looks, and what it can tell of each test.

    `entries` are compared with an older version each; all blocks take `most_s` seconds; so many groups take `turns`.
    """
    after = ", ".join(map(str, settings.looks))
    yield "gate", f"looks after {after} blocks, and ends the run as soon as it knows"
    name = "it can tell"
    for test in settings.tests:
        yield name, f"{test}: {foreseen(settings, max(1, entries), known.get(test), most_s, turns)}"
        name = ""


def foreseen(settings: Settings, entries: int, known: Spread | None, most_s: float, turns: int = 1) -> str:
    """Return what the gate can tell of a test, in words."""
    margin, stdev = settings.margin or 0.0, known.stdev if known else USUAL_SPREAD
    # A ratio has the blocks of its group.
    own = [blocks // turns for blocks in settings.looks]
    loss = looks.smallest_loss(stdev, own, interim.MEANS / (entries * len(settings.tests)), POWER)
    passes = looks.power(interim.room(margin), stdev, own, interim.MEANS)
    whose = (
        f"this host's usual spread of {stdev:.1%} between blocks ({counted(known.runs, 'run')})"
        if known
        else f"a spread of {stdev:.0%} between blocks, which is assumed: results/ has no such run on this host"
    )
    return (
        f"{settings.blocks} blocks in about {minutes(most_s)} would show a loss of {loss:.1%} with {POWER:.0%} power, "
        f"and pass an unchanged entry {100 * passes:.0f} times in 100, at {whose}"
    )


def _is_alike(one: Settings, other: Settings) -> bool:
    """Return whether blocks of the two are loaded alike, so that their spreads are of one kind.

    Where the rounds of a block follow from its time, other tests beside it leave a test other rounds.
    """
    keys = [(each.duration_s, each.repeats, each.block_s, each.proxy, each.together) for each in (one, other)]
    shared = not one.together or one.repeats > 0 or set(one.tests) == set(other.tests)
    return keys[0] == keys[1] and shared


def _manifests(results: Path) -> Iterator[tuple[Path, Manifest]]:
    folders = [] if not results.is_dir() else [each for each in results.iterdir() if not each.is_symlink()]
    for folder in folders:
        try:
            yield folder, store.read_manifest(folder)
        except LabError:
            continue
