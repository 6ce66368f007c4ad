"""One command of `lab.py`: what it is about, its parser, and what it does; what commands tell the user beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab.cli.arguments import Parser
from benchlab.core import letters

if TYPE_CHECKING:
    from rich.console import Console

    from benchlab.report.document import Document

# Exit codes.
OK, FAILED, ERROR = 0, 1, 2


@dataclass(frozen=True)
class Command:
    """`about` is its line in the help of `lab.py`; `run` takes the project's folder and what the parser returned."""

    about: str
    parser: Callable[[], argparse.ArgumentParser]
    run: Callable[[Path, argparse.Namespace], int]


def plain(name: str, about: str, run: Callable[[Path, argparse.Namespace], int]) -> Command:
    """Return a command without flags. `about` is a sentence without its full stop."""
    described = f"{about[0].upper()}{about[1:]}."
    return Command(about, partial(Parser, f"lab.py {name}", described, f"python lab.py {name}"), run)


def say(line: str) -> None:
    """Tell the user something that is no part of what was asked for."""
    print(letters.visible(line), file=sys.stderr, flush=True)


def screen() -> Console:
    """Return where what was asked for is printed; with NO_COLOR nothing but letters is."""
    from rich.console import Console

    return Console(color_system=None if os.environ.get("NO_COLOR") else "auto")


def show(document: Document) -> None:
    """Print what was asked for."""
    from benchlab.report import terminal

    terminal.show(screen(), document)


def console() -> Console:
    """Return where progress is shown."""
    from rich.console import Console

    return Console(stderr=True)
