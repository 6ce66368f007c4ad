"""Tables as Markdown, and how figures are written in them."""

from __future__ import annotations

import pandas as pd

# Words stand left, figures right.
LEFT = ("framework", "test", "entry", "pair", "effect", "outcome", "limited by", "rule", "meaning")


def table(frame: pd.DataFrame) -> str:
    alignment = ["left" if column in LEFT else "right" for column in frame.columns]
    return frame.to_markdown(index=False, tablefmt="github", disable_numparse=True, colalign=alignment)


def interval(low: float | None, high: float | None, form: str) -> str:
    """Return the bounds in brackets, each in the form, or nothing where there are none."""
    return "" if low is None or high is None else f" [{form.format(low)}–{form.format(high)}]"
