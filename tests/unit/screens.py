"""What a command of the lab shows on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


def shown(arguments: list[str], width: int, environment: Mapping[str, str]) -> str:
    """Return what `lab.py` prints on a terminal of that width, with the environment added to this one."""
    code, screen = _on_screen(arguments, width, environment, None)
    assert code == 0
    return screen


def printed(arguments: list[str], width: int, environment: Mapping[str, str]) -> str:
    """Return what Python prints of these arguments on a terminal of that width, without colours."""
    code, screen = _on_screen(arguments, width, {"NO_COLOR": "1", **environment}, None, program=())
    assert code == 0
    return screen


def exit_and_screen(arguments: list[str], width: int) -> tuple[int, str]:
    """Return the exit code of `lab.py`, and what it prints on a terminal that shows its errors, too."""
    return _on_screen(arguments, width, {"NO_COLOR": "1"}, subprocess.STDOUT)


def _on_screen(
    arguments: list[str],
    width: int,
    environment: Mapping[str, str],
    errors: int | None,
    program: Sequence[str] = ("lab.py",),
) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = [sys.executable, *program, *arguments]
    added = {**os.environ, "COLUMNS": str(width), "TERM": "xterm", **environment}
    with os.fdopen(ours, "rb", buffering=0) as screen, ThreadPoolExecutor() as reader:
        found = reader.submit(_until_closed, screen)
        with os.fdopen(theirs, "wb") as terminal_end:
            ended = subprocess.run(command, cwd=ROOT, env=added, stdout=terminal_end, stderr=errors, check=False)
        return ended.returncode, found.result().decode()


def _until_closed(screen: IO[bytes]) -> bytes:
    """Return what is written to the terminal until nobody has its other end open."""
    found = b""
    with suppress(OSError):
        while part := screen.read(4096):
            found += part
    return found
