"""How quantities are typed on the command line (3%, 90s, 1h30m) and written in texts: times, counts, ratios."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from benchlab.core.errors import UsageError

# So many characters of a text that is no number are shown.
MOST_SHOWN = 40
SECONDS = {"h": 3600, "m": 60, "s": 1}
MOST_SHARE = 0.5
# A hundred days have no more in seconds.
MOST_DIGITS = 7
# An interval that reaches beyond so many times its value does not even show the order of magnitude, and its bounds
# would be read as if they did. Two blocks make one, by a t of 12.7, where one of them gave half as much again as the
# other.
WIDEST = 10
TOO_WIDE = "[too wide]"
MEANING = (
    f"An interval that is {TOO_WIDE} reaches beyond {WIDEST} times its value, and so says nothing of its size; more "
    "blocks make it narrower."
)
# A ratio's decimals, and how many may show what fewer hide: logarithms are exact to twelve.
DECIMALS, MOST_DECIMALS = 3, 13


def share(flag: str, text: str) -> float:
    """Return the share in a text such as `3%`: 0.03. Raises UsageError outside 0 to 50 %."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?%", text.strip(), re.ASCII)
    value = float(match[1]) / 100 if match else math.nan
    if not 0 < value <= MOST_SHARE:
        raise UsageError(f"{flag} {text}: use a percentage above 0 and up to {MOST_SHARE:.0%}, as in 3%")
    return value


def seconds(flag: str, text: str) -> int:
    """Return the seconds in a text such as `20m` or `1h30m`. Raises UsageError."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip(), re.ASCII)
    if match is None or not any(match.groups()):
        raise UsageError(f"{flag} {text}: use a time with its unit, as in 20m, 90s or 1h30m")
    numbers = [number or "0" for number in match.groups()]
    if max(map(len, numbers)) > MOST_DIGITS:
        raise UsageError(f"{flag} {text}: nobody waits so long; use a time as in 20m, 90s or 1h30m")
    total = sum(int(number) * unit for number, unit in zip(numbers, SECONDS.values(), strict=True))
    if not total:
        raise UsageError(f"{flag} {text}: use more than nothing, as in 20m, 90s or 1h30m")
    return total


def whole(text: str) -> int:
    """Return the number in a text such as 16 or -8. Raises ValueError, also for what only Python takes for one."""
    if not re.fullmatch(r"[+-]?\d{1,30}", text, re.ASCII):
        raise ValueError(f"{text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + '…'!r} is no whole number")
    return int(text)


def minutes(seconds: float) -> str:
    """Return the time as a person says it: `45 s`, `8 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def hours(seconds: float) -> str:
    """Return the time as a person says it of a long one: `26 h`."""
    return f"{round(seconds / 3600)} h"


def counted(count: int, one: str, several: str = "") -> str:
    """Return the count with its noun, or with its verb: `1 sample`, `1,024 samples`, `2 are`."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def listed(words: Sequence[str]) -> str:
    """Return the words as a sentence lists them: `16`, `16 and 32`, `16, 32 and 64`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def interval(low: float | None, high: float | None, form: str) -> str:
    """Return the bounds in brackets, each in the form; TOO_WIDE where they are, and nothing where there are none."""
    if low is None or high is None:
        return ""
    # They lie more than WIDEST times above and below the middle that they have on logarithms.
    too_wide = high > WIDEST**2 * low
    return f" {TOO_WIDE}" if too_wide else f" [{form.format(low)}–{form.format(high)}]"


def ratio(value: float, *limits: float, decimals: int = DECIMALS) -> str:
    """Return the ratio with so many decimals: with more where these would not show whether it is above or below 1.

    So they do of each of the limits, such as a gate's.
    """
    for digits in range(decimals, MOST_DECIMALS):
        text = f"{value:.{digits}f}"
        if all((float(text) > limit, float(text) < limit) == (value > limit, value < limit) for limit in (1, *limits)):
            return text
    return f"{value:.{decimals}f}"


def bounds(
    low: float | None, high: float | None, *limits: float, decimals: int = DECIMALS, confidence: str = ""
) -> str:
    """Return the bounds of a ratio as `interval` does, each written as `ratio` writes it; behind them the confidence.

    The confidence is given where it is not 95 %.
    """
    text = interval(low, high, "{:.3f}")
    if low is not None and high is not None and TOO_WIDE not in text:
        text = f" [{ratio(low, *limits, decimals=decimals)}–{ratio(high, *limits, decimals=decimals)}]"
    return f"{text}{confidence}" if text else ""
