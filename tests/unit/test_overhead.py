"""What lab and engine use, from a made-up /proc."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, cast

import pytest

from benchlab.engine.engine import Engine
from benchlab.selftest import overhead
from benchlab.selftest.check import Overhead
from benchlab.selftest.overhead import Reading


class Named:
    """An engine that only tells the name of its host."""

    def __init__(self, name: str):
        self._name = name

    def info(self) -> dict[str, Any]:
        return {"Name": self._name}


def _process(proc: Path, number: int, name: str, *nanoseconds: int) -> None:
    for thread, used in enumerate(nanoseconds, start=number):
        task = proc / str(number) / "task" / str(thread)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{used} 17 4\n")
    (proc / str(number) / "comm").write_text(f"{name}\n")


def _read(proc: Path, name: str = platform.node()) -> Reading:
    return overhead.read(overhead.is_here(cast(Engine, Named(name))), proc)


def test_the_engine_is_all_of_its_processes_threads_and_nothing_else(tmp_path: Path) -> None:
    _process(tmp_path, 10, "dockerd", 1_000_000_000, 500_000_000)
    _process(tmp_path, 20, "containerd", 250_000_000)
    _process(tmp_path, 30, "containerd-shim", 125_000_000)
    _process(tmp_path, 40, "gunicorn", 9_000_000_000)
    assert _read(tmp_path).engine_s == pytest.approx(1.875)


def test_an_engine_on_another_machine_cannot_be_seen(tmp_path: Path) -> None:
    _process(tmp_path, 10, "dockerd", 1_000_000_000)
    assert _read(tmp_path, "elsewhere").engine_s is None


def test_an_engine_without_processes_here_cannot_be_seen(tmp_path: Path) -> None:
    _process(tmp_path, 40, "gunicorn", 9_000_000_000)
    assert _read(tmp_path).engine_s is None


def test_what_was_used_in_all_intervals_together_is_a_share_of_one_core() -> None:
    first = Reading(100.0, 1.0, 5.0), Reading(110.0, 1.02, 5.05)
    second = Reading(200.0, 2.0, 6.0), Reading(230.0, 2.02, 6.15)
    used = overhead.used([first, second])
    assert used is not None
    assert used.lab == pytest.approx(0.04 / 40)
    assert used.engine == pytest.approx(0.2 / 40)
    assert overhead.used([(Reading(0.0, 1.0, None), Reading(10.0, 1.0, None))]) == Overhead(0.0, None)
    assert overhead.used([]) is None


def test_of_an_engine_that_lost_a_thread_meanwhile_nothing_is_told() -> None:
    used = overhead.used([(Reading(100.0, 1.0, 5.0), Reading(110.0, 1.02, 4.9))])
    assert used is not None
    assert used.lab == pytest.approx(0.002)
    assert used.engine is None
