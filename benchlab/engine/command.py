"""A command in a container: what it left, and the error of one that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from benchlab.core.errors import EngineError

LAST_LINE_LENGTH = 300


@dataclass(frozen=True)
class Executed:
    """What a command in a container left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def failure(self) -> str | None:
        """Return the exit code and the last line of a command that failed, None of one that did not."""
        if self.exit_code == 0:
            return None
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        last = lines[-1][:LAST_LINE_LENGTH] if lines else "the container may have ended"
        return f"exit code {self.exit_code}: {last}"


class Executor(Protocol):
    """What is needed of an engine to run a command in a service's container."""

    def execute(self, service: str, command: list[str]) -> Executed: ...


def command_output(on: Executor, service: str, command: list[str]) -> str:
    """Return what the command printed in the service's container. Raises EngineError where it failed."""
    result = on.execute(service, command)
    if result.failure:
        raise EngineError(f"{_name(command)} in {service} failed: {result.failure}")
    return result.stdout


def _name(command: Sequence[str]) -> str:
    """Return what is run: of an interpreter, its script."""
    script = command[1] if len(command) > 1 and command[1].endswith(".py") else command[0]
    return PurePosixPath(script).name
