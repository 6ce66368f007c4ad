"""Pythons as they are asked for: how a level is spelled, and what its Python must say of itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchlab.core.errors import UsageError

PYPY = "pypy"
# The version of the language that the newest PyPy has.
PYPY_IS = "3.11"
CPYTHON = re.compile(r"3\.(?P<minor>9|[1-9][0-9])(?:(?P<threads>t)|(?P<jit>-jit))?")
SPELLED = "3.14 and the like, 3.14t (free-threaded), 3.14-jit or pypy"
# The minor versions from which Python can be built without the GIL, and from which it says whether it has the JIT.
FIRST_FREE_THREADED, FIRST_JIT = 13, 14


@dataclass(frozen=True)
class Interpreter:
    """A Python as it is asked for: `version` is X.Y, None for PyPy, which brings its own."""

    level: str
    version: str | None
    is_free_threaded: bool = False
    has_jit: bool = False

    @property
    def needs(self) -> tuple[int, int]:
        """Return the version of the language that what it installs must be for."""
        major, minor = (self.version or PYPY_IS).split(".")
        return int(major), int(minor)

    def mismatch(self, seen: Mapping[str, Any]) -> str:
        """Return what a Python that says this of itself has or is instead, in words; nothing where it is the one."""
        if self.version is None:
            return "" if seen["implementation"] == "PyPy" else f"is {seen['implementation']}"
        if seen["implementation"] != "CPython" or seen["version"].split(".")[:2] != self.version.split("."):
            return f"is {seen['implementation']} {seen['version']}"
        if seen["is_free_threaded"] != self.is_free_threaded:
            return "has the GIL" if self.is_free_threaded else "is free-threaded"
        return "was built without the JIT" if self.has_jit and not seen["has_jit"] else ""


def of_level(level: str) -> Interpreter:
    """Return the Python of a level that is spelled so. Raises UsageError where there is no such level."""
    if level == PYPY:
        return Interpreter(level, None)
    match = CPYTHON.fullmatch(level)
    if match is None:
        raise UsageError(f"python {level}: there is no such level; use {SPELLED}")
    minor = int(match["minor"])
    if match["threads"] and minor < FIRST_FREE_THREADED:
        raise UsageError(f"python {level}: free-threaded Pythons begin with 3.{FIRST_FREE_THREADED}t")
    if match["jit"] and minor < FIRST_JIT:
        raise UsageError(f"python {level}: Pythons whose JIT can be switched on begin with 3.{FIRST_JIT}-jit")
    return Interpreter(level, f"3.{minor}", bool(match["threads"]), bool(match["jit"]))
