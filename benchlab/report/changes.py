"""How two versions, or two runs, compare: the ratios as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchlab.report import markdown
from benchlab.statistics.candidate import Row


def table(found: Sequence[Row]) -> str:
    """Return the ratios as Markdown, in the order given."""
    return markdown.table(frame(found))


def frame(found: Sequence[Row]) -> pd.DataFrame:
    """Return the ratios as they are shown, in the order given."""
    return pd.DataFrame([_shown(row) for row in found])


def _shown(row: Row) -> dict[str, object]:
    return {
        "entry": row.entry,
        "test": row.test,
        "level": row.where,
        "metric": row.metric.name,
        "new / old": row.told.ratio,
        "95 % interval": row.told.interval or "–",
        f"{row.design.unit}s": row.ratio.blocks,
        "outcome": row.told.outcome,
    }
