"""Refusals: the one line that the command line says, and a path that nobody may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchlab.core import letters

# The user who owns nothing.
NOBODY = 65534


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was said: an error, in one line of letters that can be seen, and nothing else."""
    printed = capsys.readouterr()
    assert (printed.out, printed.err[:7], printed.err.count("\n")) == ("", "error: ", 1)
    assert letters.visible(printed.err) == printed.err
    return printed.err


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Let nobody use the path for the length of the with block: root, whom no mode keeps from it, is another."""
    user, mode = os.geteuid(), path.stat().st_mode
    path.chmod(0)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(mode)
