"""Decides how many blocks a run needs, by Stein's two-stage rule, and what they can show.

Source: docs/method.md, section 6.9.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from benchlab.statistics.stats import ALPHA, Ratio, t_quantile, tested, within


def blocks_needed(pilot: Iterable[Ratio], half_width: float) -> int:
    """Return how many blocks bring the Stein interval of every pair within ± half_width; 0.03 is 3 %.

    Never fewer than a pair of the pilot has. A pair of fewer than two blocks has no say. Raises ValueError if
    half_width is not positive. Source: Stein (1945), Ann. Math. Statist. 16, 243-258.
    """
    if not half_width > 0:
        raise ValueError(f"half-width {half_width} is not positive; give a share such as 0.03")
    return max((_needed(ratio, math.log1p(half_width)) for ratio in pilot), default=0)


def conclude(pilot: Iterable[Ratio], final: Iterable[Ratio], level: float = ALPHA) -> list[Ratio]:
    """Return the final ratios, whose intervals are at `level`, each with the wider of Stein's interval and its own.

    The blocks were counted out by the pilot's spread, which makes the interval and p of all blocks a little too sure.
    A ratio that the pilot has no spread of, or that lost blocks or levels since, keeps its own; so does one through an
    anchor, whose spread is that of two others.
    """
    frozen = {(ratio.first, ratio.second): ratio for ratio in pilot}
    return [_concluded(frozen.get((ratio.first, ratio.second)), ratio, level) for ratio in final]


def stein_interval(pilot: Ratio, final: Ratio, level: float = ALPHA) -> Ratio:
    """Return the ratio over all blocks, with interval and tests from the pilot's standard deviation.

    Raises ValueError if the pilot has fewer than two blocks, or more than there are in all.
    """
    if pilot.stdev is None or final.blocks < pilot.blocks:
        raise ValueError(
            f"{final.first}/{final.second}: {pilot.blocks} blocks in the pilot, {final.blocks} in all; "
            "a pilot is the first 2 blocks or more of the whole"
        )
    freedom = pilot.blocks - 1
    made = tested(final.first, final.second, math.log(final.ratio), pilot.stdev, final.blocks, freedom)
    return within(made, pilot.stdev, freedom, level)


def wider(final: Ratio, stein: Ratio) -> Ratio:
    """Return the final ratio with the wider interval of the two, and with the larger p of each test."""
    wide = max(final, stein, key=lambda ratio: ratio.half_width or 0.0)
    equivalence_p = _larger(final.equivalence_p, stein.equivalence_p)
    return replace(
        final,
        low=wide.low,
        high=wide.high,
        p=_larger(final.p, stein.p),
        equivalence_p=equivalence_p,
        low_90=min(filter(None, (final.low_90, stein.low_90)), default=None),
        high_90=max(filter(None, (final.high_90, stein.high_90)), default=None),
    )


def smallest_effect(stdev: float, blocks: int, power: float = 0.8, level: float = ALPHA) -> float:
    """Return the smallest difference that a paired t-test of one pair shows with the power given; 0.03 is 3 %.

    `stdev` is that of the log-ratio. Raises ValueError below two blocks, or if level < power < 1 does not hold.
    Source: the noncentral t distribution, both tails.
    """
    from scipy.optimize import brentq  # not above: most commands do without, and it takes half of a short one's time

    if blocks < 2 or not 0 < level < power < 1:
        raise ValueError(f"{blocks} blocks, level {level}, power {power}: needs 2 blocks and 0 < level < power < 1")
    limit = 1.0
    while _power(limit, blocks, level) < power:
        limit *= 2
    shift = brentq(lambda shift: _power(shift, blocks, level) - power, 0, limit)
    return math.expm1(shift * stdev / math.sqrt(blocks))


def _needed(ratio: Ratio, log_width: float) -> int:
    if ratio.stdev is None:
        return ratio.blocks
    return max(ratio.blocks, math.ceil((t_quantile(ratio.blocks - 1) * ratio.stdev / log_width) ** 2))


def _concluded(pilot: Ratio | None, final: Ratio, level: float) -> Ratio:
    if pilot is None or pilot.stdev is None or final.blocks < pilot.blocks:
        return final
    if final.over != pilot.over or final.through or pilot.through:
        return final
    return wider(final, stein_interval(pilot, final, level))


def _larger(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _power(shift: float, blocks: int, level: float) -> float:
    """Return the power of the test where the mean lies `shift` standard errors from 0."""
    from scipy.stats import nct  # not above, for the same reason

    critical = t_quantile(blocks - 1, level)
    # The lower tail as the upper one of its mirror image: nct.cdf can be NaN far out, where nct.sf is not.
    return float(nct.sf(critical, blocks - 1, shift) + nct.sf(critical, blocks - 1, -shift))
