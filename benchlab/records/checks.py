"""What a figure or a word in a record must be: refused when it is made, so that no table fails over it."""

from __future__ import annotations

from datetime import UTC, datetime

from benchlab.core.letters import quoted
from benchlab.records.counters import MOST

# Sums of times and lengths end in the year 9999; no length in a record is longer than MOST microseconds, 32 years.
LAST_YEAR = 9900


def integers(of: str, /, **figures: object) -> None:
    """Raise ValueError where a figure is no whole number. `of` is what they are figures of."""
    for name, figure in figures.items():
        # For Python True is an integer, too.
        if type(figure) is not int:
            raise _not_whole(of, name, figure)


def counts(of: str, least: int, /, **figures: int) -> None:
    """Raise ValueError where a figure is no whole number from `least` to MOST."""
    for name, figure in figures.items():
        if type(figure) is not int:
            raise _not_whole(of, name, figure)
        if not least <= figure <= MOST:
            raise ValueError(
                f"{of}: {name} of {quoted(figure)} cannot be; it is {least} or more, and {MOST:.0e} at most"
            )


def amounts(of: str, /, **figures: float) -> None:
    """Raise ValueError where a figure is no number from 0 to MOST."""
    for name, figure in figures.items():
        if type(figure) not in (int, float) or not 0 <= figure <= MOST:
            raise ValueError(f"{of}: {name} of {quoted(figure)} cannot be; it is a number from 0 to {MOST:.0e}")


def truths(of: str, /, **flags: object) -> None:
    """Raise ValueError where a flag is neither true nor false."""
    for name, flag in flags.items():
        if type(flag) is not bool:
            raise ValueError(f"{of}: {name} of {quoted(flag)} is neither true nor false")


def words(of: str, /, **texts: object) -> None:
    """Raise ValueError where a text is none, or cannot be written."""
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{of}: {name} of {quoted(text)} is no text")
        # Half of a pair of surrogates, which JSON allows, is refused by every file.
        text.encode()


def moment(text: str) -> datetime:
    """Return the time in a text of ISO 8601, in UTC. Raises ValueError, TypeError or OverflowError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    if found.year > LAST_YEAR:
        raise ValueError(f"{text} cannot be: it is after the year {LAST_YEAR}")
    return found.astimezone(UTC)


def _not_whole(of: str, name: str, figure: object) -> ValueError:
    return ValueError(f"{of}: {name} of {quoted(figure)} is no whole number")
