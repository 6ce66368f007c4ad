"""How a count spreads of a server that works on all its requests at once: timed, or in whole waves. Simulated.

    python -m tests.benchmarks.waves

Each connection's requests follow each other without a pause, and all begin at the same time. Times are in waits of a
connection, L; launches are some per cent faster or slower than the one that L was taken from. Prints a table as
Markdown, from a fixed seed; see docs/method.md, section 1.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchlab.report import markdown
from benchlab.report.document import Table

Array = NDArray[np.float64]

SEED, LAUNCHES, CONNECTIONS, REQUESTS = 16, 2_000, 128, 6
# Standard deviations of the work of a request, and of the logarithm of a launch's speed.
WORK, SPEED = (0.05, 0.15, 0.30), 0.10
# What L is taken for in a timed window.
GUESSES = (0.85, 1.0, 1.15)
# In whole waves, as wrk/slice.lua counts: from when half the connections have had their first answers.
BEFORE = CONNECTIONS // 2


def launches(chance: np.random.Generator, work: float) -> tuple[Array, Array]:
    """Return the speed of each launch, and when its requests are answered, in order."""
    speeds = np.exp(chance.normal(0, SPEED, LAUNCHES))
    works = np.clip(chance.normal(1, work, (LAUNCHES, CONNECTIONS, REQUESTS)), 0.05, None)
    ends = works.cumsum(axis=2) / speeds[:, None, None]
    return speeds, np.sort(ends.reshape(LAUNCHES, -1), axis=1)


def timed(ends: Array, guess: float) -> Array:
    """Return the rates in windows of one L after a ramp of one, as that is guessed."""
    return np.asarray(((ends > guess) & (ends <= 2 * guess)).sum(axis=1) / guess / CONNECTIONS)


def in_waves(ends: Array) -> Array:
    """Return the rates in windows of as many answers as there are connections."""
    return np.asarray(1 / (ends[:, BEFORE + CONNECTIONS] - ends[:, BEFORE]))


def main() -> None:
    chance = np.random.default_rng(SEED)
    rows = []
    for work in WORK:
        speeds, ends = launches(chance, work)
        counts = {f"timed, L taken for {guess:.2f} L": timed(ends, guess) for guess in GUESSES}
        for name, rates in (counts | {"in whole waves": in_waves(ends)}).items():
            shares = rates / speeds
            rows.append((f"{work:.0%}", name, f"{shares.mean() - 1:+.1%}", f"{shares.std():.1%}"))
    print(markdown.table(Table(("work varies by", "count", "off by", "spread"), tuple(rows))))


if __name__ == "__main__":
    main()
