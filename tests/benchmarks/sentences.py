"""Holds all that the lab says of made-up runs against their tables and samples: thousands of runs, from a seed.

    python -m tests.benchmarks.sentences --runs 3000 --seed 14

Prints how many sentences and rows of each kind were read, then what contradicts what and what could not be read; ends
with exit code 1 if there is any of either. `--first N` begins at run N, `--most N` shows so many of each kind.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.truth import made_reports
from tests.truth.findings import Findings
from tests.truth.truth import check


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=5)
    given = parser.parse_args()
    found, shown = Findings(), Counter[str]()
    for number in range(given.first, given.first + given.runs):
        case = made_reports.made(given.seed, number)
        of_case = check(case)
        found.add(of_case)
        told = [*of_case.contradictions, *((f"not read: {place}", words) for place, words in of_case.unread)]
        for kind, words in told:
            shown[kind] += 1
            if shown[kind] <= given.most:
                print(f"{case}: {kind}: {words}", flush=True)
    print(f"\n{given.runs:,} runs from seed {given.seed}: {found.read.total():,} sentences, rows and squares read")
    for kind, count in sorted(found.read.items()):
        print(f"{count:10,} {kind}")
    print(f"{len(found.contradictions):,} contradictions: {dict(Counter(kind for kind, _ in found.contradictions))}")
    print(f"{len(found.unread):,} not read: {dict(Counter(place for place, _ in found.unread))}")
    return 1 if found.contradictions or found.unread else 0


if __name__ == "__main__":
    sys.exit(main())
