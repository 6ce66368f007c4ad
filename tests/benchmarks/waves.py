"""How ramp and window spread the count of a server that works on all its requests at once, simulated.

    python -m tests.benchmarks.waves

Each connection's requests follow each other without a pause, and all begin at the same time. Times are in waits of a
connection, L; each launch is up to some per cent faster or slower than the one by which ramp and window were chosen.
Prints a table as Markdown, from a fixed seed; see docs/method.md, section 1.5.
"""

from __future__ import annotations

import numpy as np

from benchlab.report import markdown
from benchlab.report.document import Table

SEED, LAUNCHES, CONNECTIONS = 16, 2_000, 128
# Standard deviations of the work of a request, and of the logarithm of a launch's speed.
WORK, SPEED = (0.05, 0.15, 0.30), 0.10
RAMPS_AND_WINDOWS = ((1.0, 1.0), (1.5, 1.0), (1.5, 1.5), (1.0, 1.5), (1.0, 2.0))


def errors(chance: np.random.Generator, work: float, ramp: float, window: float) -> tuple[float, float]:
    """Return how far off the rates of launches are on average, and how they spread, as shares of the true ones."""
    speeds = np.exp(chance.normal(0, SPEED, LAUNCHES))
    requests = int(2 * (ramp + window)) + 2
    works = np.clip(chance.normal(1, work, (LAUNCHES, CONNECTIONS, requests)), 0.05, None)
    ends = works.cumsum(axis=2) / speeds[:, None, None]
    counts = ((ends > ramp) & (ends <= ramp + window)).sum(axis=(1, 2))
    rates = counts / window / CONNECTIONS / speeds
    return float(rates.mean() - 1), float(rates.std())


def main() -> None:
    chance = np.random.default_rng(SEED)
    rows = []
    for work in WORK:
        for ramp, window in RAMPS_AND_WINDOWS:
            off, spread = errors(chance, work, ramp, window)
            rows.append((f"{work:.0%}", f"{ramp} L", f"{window} L", f"{off:+.1%}", f"{spread:.1%}"))
    print(markdown.table(Table(("work varies by", "ramp", "window", "off by", "spread"), tuple(rows))))


if __name__ == "__main__":
    main()
