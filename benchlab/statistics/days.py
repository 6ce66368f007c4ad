"""Which runs are of one day: those that began within hours of each other met the host in one state, and count once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

# A day ends where nothing begins for so long: an evening's runs are of one day though the last began past midnight.
BREAK_HOURS = 12


def numbers(began: Sequence[datetime]) -> tuple[int, ...]:
    """Return of each of these moments which day it is of: 1 is the first, by the clock and not by the order given."""
    in_order = sorted(began)
    later = [one for before, one in pairwise(in_order) if one - before >= timedelta(hours=BREAK_HOURS)]
    # The first of each day.
    firsts = [*in_order[:1], *later]
    return tuple(bisect_right(firsts, moment) for moment in began)
