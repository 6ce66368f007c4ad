"""How long a run of 24,000 samples takes to read, and its tables, page and comparison to make, and how much memory.

    python -m tests.benchmarks.analysis

Prints seconds and megabytes, and the ratio to what reading the journal's JSON alone takes: the ratio carries over to
other machines. The run is made up of 40 entries, 20 levels and 30 blocks, from a fixed seed.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchlab.load import closed
from benchlab.records import schema
from benchlab.records.plan import Manifest, Settings, Trial
from benchlab.records.run import Run, Sample
from benchlab.report import changes, markdown, outputs
from benchlab.statistics import baseline, candidate
from benchlab.storage import store
from tests.unit.conftest import LABELS, STARTED, make_load, make_sample

ENTRIES, BLOCKS = 40, 30
LEVELS = {"json": tuple(range(16, 144, 16)), "plaintext": (256, 512, 1024, 2048), "query": (1, 2, 4, 6, 8, 10, 15, 20)}


def main() -> None:
    with tempfile.TemporaryDirectory() as results:
        run = made_up()
        folder = store.create(Path(results), run.manifest).folder
        lines = (json.dumps(schema.line(sample)) for sample in run.taken)
        (folder / store.JOURNAL).write_text("\n".join(lines) + "\n", encoding="utf-8")
        # In a process of its own: the memory of making the run up is none of the analysis'.
        subprocess.run([sys.executable, "-m", __spec__.name, str(folder)], check=True)


def measure(folder: Path) -> None:
    """Print how long the run in the folder takes to read, to make tables of and to compare, and how much memory."""
    whole_s = _timed(lambda: outputs.text(store.read(folder)))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    run = store.read(folder)
    report_s = _timed(lambda: outputs.text(run))
    page_s = _timed(lambda: outputs.html(run))
    compare_s = _timed(lambda: compared(folder))
    json_s = _timed(lambda: [json.loads(line) for line in (folder / store.JOURNAL).read_bytes().splitlines()])
    print(f"{len(run.taken):,} samples: {whole_s:.2f} s, of which the tables take {report_s:.2f} s; {peak_mb:,.0f} MB")
    print(f"report.html: {page_s:.2f} s, {len(outputs.html(run).encode()) / 1e6:.2f} MB")
    print(f"compare, with a run as large: {compare_s:.2f} s")
    print(f"{whole_s / json_s:.1f} times as long as reading the journal's JSON alone ({json_s:.2f} s)")


def compared(folder: Path) -> str:
    """Return the table of the run in the folder against itself, as if there were two of them."""
    old, new = store.read(folder), store.read(folder)
    return markdown.text(changes.report(candidate.compare(*baseline.of_several([old], [new])), [], None))


def made_up() -> Run:
    """Return the run, the same each time."""
    return Run(_manifest(), tuple(_samples()), ())


def _manifest() -> Manifest:
    labels = LABELS | {"pool": "32", "tests": " ".join(LEVELS)}
    names = tuple(f"entry-{number:02}" for number in range(ENTRIES))
    settings = Settings("default", names, LEVELS, BLOCKS, 5, 0, (3, 8), "none", 1)
    return Manifest("made-up", STARTED, settings, dict.fromkeys(names, labels), {}, {}, {}, 2)


def _samples() -> list[Sample]:
    chance = random.Random(1)
    levels = {test: closed.levels_of(test, values, 2) for test, values in LEVELS.items()}
    trials = (
        Trial(block, f"entry-{number:02}", test, level)
        for block in range(1, BLOCKS + 1)
        for number in range(ENTRIES)
        for test in LEVELS
        for level in levels[test]
    )
    return [
        replace(
            make_sample(trial, make_load(round(chance.lognormvariate(11, 0.05)))),
            started_at=STARTED + timedelta(seconds=6 * index),
        )
        for index, trial in enumerate(trials)
    ]


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
