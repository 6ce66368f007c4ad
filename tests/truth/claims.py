"""What one entry has more or less of than another, as sentences put it: in per cent, in times, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .tables import MEASURES, half_unit

MEASURE = "requests per (?:CPU-)?second"
OVER = r"(?: over (?P<but>all levels but [\d, and]+)| at (?P<alone>[\d, and]+ alone))?(?:, compared through \S+)?"
PER_CENT = re.compile(
    rf"(?P<figure>\d+\.\d+)% (?P<sign>more|fewer) (?P<measure>{MEASURE}) than (?P<other>\S+)"
    r"(?: \[(?P<low>[+-]\d+\.\d+)% to (?P<high>[+-]\d+\.\d+)%\])?" + OVER
)
TIMES = re.compile(
    rf"(?P<figure>\d+\.\d\d) times the (?P<measure>{MEASURE}) of (?P<other>\S+)"
    r"(?: \[(?:(?P<low>\d+\.\d\d)–(?P<high>\d+\.\d\d)|too wide)\])?" + OVER
)


@dataclass(frozen=True)
class Claim:
    """How many times the other's figure an entry has, with the bounds that are told, each rounded by its half unit.

    `over` are the levels that it is told to be over, as the tables name them.
    """

    other: str
    figure: str
    ratio: float
    low: float | None
    high: float | None
    half_units: tuple[float, float, float]
    is_fewer: bool
    over: str = "all"
    is_90: bool = False


def _over(match: re.Match[str]) -> str:
    return (match["but"] or match["alone"] or "all").replace("all levels", "all")


def claim(text: str) -> Claim | None:
    """Return the claim; None where the text is none."""
    if match := PER_CENT.fullmatch(text):
        sign = 1 if match["sign"] == "more" else -1
        bounds = [None if match[name] is None else 1 + float(match[name]) / 100 for name in ("low", "high")]
        ratio, scale = 1 + sign * float(match["figure"]) / 100, 100
    elif match := TIMES.fullmatch(text):
        bounds = [None if match[name] is None else float(match[name]) for name in ("low", "high")]
        ratio, scale = float(match["figure"]), 1
        sign = 1 if ratio >= 1 else -1
    else:
        return None
    first, low, high = (half_unit(match[name] or "0") / scale + 1e-5 for name in ("figure", "low", "high"))
    return Claim(
        match["other"],
        MEASURES[match["measure"]],
        ratio,
        bounds[0],
        bounds[1],
        (first, low, high),
        sign < 0,
        _over(match),
    )
