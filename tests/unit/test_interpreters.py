from __future__ import annotations

from typing import Any

import pytest

from benchlab.core.errors import UsageError
from benchlab.experiment import interpreters
from benchlab.experiment.interpreters import Interpreter

CPYTHON = {"implementation": "CPython", "version": "3.14.8", "is_free_threaded": False, "has_jit": True}
PYPY = {"implementation": "PyPy", "version": "3.11.17", "is_free_threaded": False, "has_jit": False}


@pytest.mark.parametrize(
    ("level", "python"),
    [
        ("3.13", Interpreter("3.13", "3.13")),
        ("3.14t", Interpreter("3.14t", "3.14", is_free_threaded=True)),
        ("3.14-jit", Interpreter("3.14-jit", "3.14", has_jit=True)),
        ("pypy", Interpreter("pypy", None)),
    ],
)
def test_a_level_is_spelled_as_its_python_is_called(level: str, python: Interpreter) -> None:
    assert interpreters.of_level(level) == python


@pytest.mark.parametrize(
    ("level", "why"),
    [
        ("", "there is no such level; use 3.14 and the like, 3.14t (free-threaded), 3.14-jit or pypy"),
        ("3", "there is no such level"),
        ("3.14.8", "there is no such level"),
        ("3.14t-jit", "there is no such level"),
        ("pypy3", "there is no such level"),
        ("3.12t", "free-threaded Pythons begin with 3.13t"),
        ("3.13-jit", "Pythons whose JIT can be switched on begin with 3.14-jit"),
    ],
)
def test_what_is_no_level_is_refused_with_what_is_one(level: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        interpreters.of_level(level)
    assert str(raised.value).startswith(f"python {level}: {why}")


@pytest.mark.parametrize(
    ("level", "seen", "mismatch"),
    [
        ("3.14", CPYTHON, ""),
        ("3.14-jit", CPYTHON, ""),
        ("pypy", PYPY, ""),
        ("3.13", CPYTHON, "is CPython 3.14.8"),
        ("3.11", PYPY, "is PyPy 3.11.17"),
        ("pypy", CPYTHON, "is CPython"),
        ("3.14t", CPYTHON, "has the GIL"),
        ("3.14", CPYTHON | {"is_free_threaded": True}, "is free-threaded"),
        ("3.14-jit", CPYTHON | {"has_jit": False}, "was built without the JIT"),
    ],
)
def test_a_python_that_is_not_the_one_asked_for_is_known_by_what_it_says(
    level: str, seen: dict[str, Any], mismatch: str
) -> None:
    assert interpreters.of_level(level).mismatch(seen) == mismatch
