"""Compares the rate of slices with that of long samples, and of wrk typed by hand, for loads of a chosen length.

    python -m tests.benchmarks.plain_wrk json 32 --rounds 60 --seconds 5
    python -m tests.benchmarks.plain_wrk query 20 --rounds 20 --slices 2 --seconds 15

It is the part "plain wrk" of the calibration by itself, for as many rounds as there is time for. Nothing else may run
meanwhile. What came of it stands in docs/method.md, section 9.5.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchlab.engine import stage
from benchlab.selftest import bias, plainwrk, selftest
from benchlab.selftest.extent import PLAIN, Turns

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares slices with long samples, and with wrk typed by hand.")
    parser.add_argument("test")
    parser.add_argument("level", type=int)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--slices", type=int, default=4, help="that make one value")
    parser.add_argument("--seconds", type=int, default=5, help="of a long sample, and of wrk typed by hand")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    turns = {args.test: Turns(args.level, args.rounds, args.slices, 0, args.seconds)}
    lab = stage.open_lab(ROOT, [selftest.ENTRY], lambda line: print(line, file=sys.stderr))
    stage.build(lab, [selftest.ENTRY])
    lab = lab.with_services({PLAIN: selftest.injected(lab, {})})
    with stage.stage(lab, [PLAIN]):
        rates = plainwrk.compare(lab, PLAIN, turns, args.seed)
    for check in bias.checks(rates, is_full=True):
        print(f"{check.name}: {check.measured}")


if __name__ == "__main__":
    main()
