"""Runs other programs so that none outlives the lab, and none is cut off where that would do harm."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from benchlab.core.errors import SetupError
from benchlab.core.interrupts import shielded

GRACE_S = 10


def logged(command: Sequence[str], log: Path, cwd: Path, environment: Mapping[str, str]) -> int:
    """Run the command, its output into `log`, and return its exit code.

    When the lab is interrupted, the command and all its children are ended first. Raises SetupError.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            return _owned(command, file, cwd, environment)
    except OSError as error:
        raise SetupError(f"`{' '.join(command[:3])} …` cannot run with its log in {log}: {error.strerror}") from error


def whole(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run the command to its end, whatever signals come meanwhile: a package half installed is worse than a wait.

    Raises SetupError with the end of its output.
    """
    with shielded():
        result = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    if result.returncode != 0:
        output = " ".join((result.stderr or result.stdout).split())[-600:]
        raise SetupError(f"`{' '.join(command)}` failed: {output}")


def _owned(command: Sequence[str], output: BinaryIO, cwd: Path, environment: Mapping[str, str]) -> int:
    """Run the command and return its exit code; when that is interrupted, end its whole session before going on."""
    child = None
    try:
        # A signal that ended the start half-way would leave a child that nobody knows.
        with shielded():
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return child.wait()
    except BaseException:
        if child is not None:
            _end(child)
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the child's session to end, and kill it where that takes too long."""
    with shielded():
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_session(child.pid, number)
            try:
                child.wait(GRACE_S)
                break
            except subprocess.TimeoutExpired:
                continue


def _signal_session(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return
