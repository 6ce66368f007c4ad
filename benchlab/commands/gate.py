"""New held against old on the screen, and the gate that --fail-if-slower makes of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchlab.commands.command import OK, say
from benchlab.core import quantities

if TYPE_CHECKING:
    from benchlab.statistics.versus import Side

# With it, exit code 1 is the word for a regression, and 2 for an error.
FLAG = "--fail-if-slower"


def add_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        FLAG,
        metavar="P%",
        help="a gate for CI: exit 1 if something got slower by P %%, 3 if that cannot be excluded (default: none)",
    )


def margin(given: argparse.Namespace) -> float | None:
    """Return the regression that the flag names, as a share; None without the flag. Raises ConfigError."""
    text = given.fail_if_slower
    return None if text is None else quantities.share(FLAG, text)


def compared(sides: tuple[Side, Side], margin: float | None) -> int:
    """Print the ratios of new to old, and return what the gate says of them; without a margin there is none."""
    from benchlab.statistics import versus

    rows, untold = versus.rows(*sides), versus.lost(*sides)
    print(versus.table(rows))
    if untold:
        say(f"nothing can be said of what only one side has, or wrk was the limit of: {', '.join(untold)}")
    if margin is None:
        return OK
    verdict = versus.gate(rows, margin, untold)
    say(verdict.reason)
    return verdict.exit_code
