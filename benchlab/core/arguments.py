"""The parser of a command line: its errors are one line that says what was meant and where to read on."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from typing import Any, NoReturn

from benchlab.core import spelling
from benchlab.core.errors import UsageError

WIDTH = 100


class Parser(argparse.ArgumentParser):
    """A parser that takes flags by their whole names only: what a short one means would change with each new flag.

    `examples` end its help, one in a line.
    """

    def __init__(self, prog: str, description: str, examples: str = ""):
        super().__init__(
            prog=prog,
            description=textwrap.fill(description, WIDTH),
            epilog=f"examples:\n{textwrap.indent(textwrap.dedent(examples).strip(), '  ')}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Return what was given. Raises UsageError."""
        given, unknown = self.parse_known_args(None if args is None else list(args), namespace)
        if unknown:
            kind = "flag" if unknown[0].startswith("-") else "argument"
            flags = [flag for action in self._actions for flag in action.option_strings]
            self.error(f"unknown {kind} {' '.join(unknown)}: {spelling.meant(unknown[0].partition('=')[0], flags)}")
        return given

    def error(self, message: str) -> NoReturn:
        said = message.removeprefix("argument ").rstrip(": ")
        raise UsageError(f"{said}{' ' if said.endswith('?') else '; '}see `python {self.prog} --help`")


def choice(known: Iterable[str]) -> dict[str, Any]:
    """Return the options of a flag that takes one of the known names, and of another says which was meant."""
    names = list(known)

    def take(name: str) -> str:
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"unknown {name!r}: {spelling.meant(name, names)}there is {', '.join(names)}"
            )
        return name

    return {"type": take, "choices": names}


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 8,16, the smallest first."""
    found = {int(number) for number in text.split(",") if number.isdecimal()}
    if len(found) < len(text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r}: use whole numbers, each once, as in 16,32")
    return tuple(sorted(found))
