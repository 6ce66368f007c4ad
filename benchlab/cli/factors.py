"""The flag --factor, and what the command says where entries do not tell of the factors that it names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.experiment.flags import Flag
from benchlab.experiment.settings import FRAMEWORK
from benchlab.factors import catalog
from benchlab.factors.factor import Varied

if TYPE_CHECKING:
    from benchlab.statistics.factorial import Reason


def _factor(flag: str, text: str) -> str:
    if text.endswith("="):
        raise UsageError(f"{flag} {text}: name the level to compare with behind the =, or leave that out")
    return text


FACTOR = Flag(
    "--factor",
    "a label to report on; LEVEL is what its other levels are compared with",
    metavar="NAME[=LEVEL]",
    parse=_factor,
    default="orm and framework; with DIR, all that the entries differ in",
    is_repeatable=True,
)


@contextmanager
def refusing() -> Iterator[None]:
    """Raise UsageError with the remedy where the entries do not tell of the factors asked for."""
    from benchlab.statistics.factorial import DesignError

    try:
        yield
    except DesignError as error:
        raise UsageError(explained(error.reason)) from error


def explained(reason: Reason) -> str:
    """Return why entries do not tell of factors, and what to do."""
    from benchlab.statistics.factorial import EqualEntries, NoPair, OneLevel, UnknownEntry, UnknownFactor, UnknownLevel

    match reason:
        case UnknownEntry(name, run_id, known):
            return f"{run_id} has no entry {name}; there is {', '.join(known)}"
        case UnknownFactor(name, labels):
            main = ", ".join(factor.name for factor in catalog.MAIN)
            meant = letters.meant(name, labels)
            return f"{FACTOR.name} {name}: {meant}there is {main}, or any other label of the entries"
        case UnknownLevel(name, level, levels):
            return f"{FACTOR.name} {name}={level}: there is {', '.join(levels)}"
        case OneLevel(name, entries):
            factor = catalog.of_label(name)
            remedy = f"measure with {factor.example} to compare its levels; " if isinstance(factor, Varied) else ""
            return f"{FACTOR.name} {name}: {remedy}the entries {', '.join(entries)} do not differ in it"
        case EqualEntries((one, other), factors):
            return (
                f"{one} and {other} are equal in {', '.join(factors) or 'all factors'}: leave one out with "
                f"{FRAMEWORK.name}, or name the label in which they differ with {FACTOR.name}"
            )
        case NoPair(factors, filled):
            present = ", ".join(
                f"{entry} ({' '.join(combination)})" if combination else entry for combination, entry in filled.items()
            )
            return (
                f"no two entries differ in {' or '.join(factors)} alone: there is {present}; measure entries that "
                "do, see `lab.py list`"
            )
