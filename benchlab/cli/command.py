"""One command of `lab.py`: what it is about, its flags, and what it does; what commands print beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab.cli.arguments import Parser
from benchlab.core import letters
from benchlab.experiment.flags import Flag

if TYPE_CHECKING:
    from rich.console import Console

    from benchlab.report.document import Document

# The main job, which needs no name.
MAIN = "bench"
# Exit codes.
OK, FAILED, ERROR = 0, 1, 2


@dataclass(frozen=True)
class Command:
    """`about` is its line in the help of `lab.py`; `run` takes the project's folder and what the parser returned.

    `description` heads its own help: `about` as a sentence where it has none.
    """

    name: str
    about: str
    run: Callable[[Path, argparse.Namespace], int]
    description: str = ""
    flags: tuple[Flag, ...] = ()
    examples: str = ""

    @property
    def typed(self) -> str:
        """Return how it is called, behind `python`."""
        return "lab.py" if self.name == MAIN else f"lab.py {self.name}"

    @property
    def described(self) -> str:
        return self.description or f"{self.about[0].upper()}{self.about[1:]}."

    @property
    def shown(self) -> str:
        """Return examples of it, one in a line."""
        return self.examples.strip() or f"python {self.typed}"

    def parser(self) -> Parser:
        return Parser(self.typed, self.described, self.flags, self.shown)


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
