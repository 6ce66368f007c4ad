"""Placeholder until the helper's part lands."""

from __future__ import annotations

from benchlab.experiment.stack import BASE


def image(level: str) -> str:
    return f"{BASE}:python-{level}"


def version(level: str) -> str:
    return level[:4]
