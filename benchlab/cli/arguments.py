"""The parser of a command line: its errors are one line that says what was meant and where to read on."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from benchlab.core import letters, quantities
from benchlab.core.errors import UsageError

WIDTH = 100
NEGATIVE = re.compile(r"-[0-9.]")


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
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Return what was given. Raises UsageError."""
        given, unknown = self.parse_known_args(None if args is None else list(self._joined(args)), namespace)
        if unknown:
            kind = "flag" if unknown[0].startswith("-") else "argument"
            flags = [flag for action in self._actions for flag in action.option_strings]
            self.error(f"unknown {kind} {' '.join(unknown)}: {letters.meant(unknown[0].partition('=')[0], flags)}")
        return given

    def _joined(self, words: Iterable[str]) -> Iterator[str]:
        """Yield the words; a negative number, with a unit too, in one with the flag that it follows: --budget=-5m.

        argparse takes it for a flag else, and says that the one before it has no value.
        """
        takes = {flag for action in self._actions if action.nargs is None for flag in action.option_strings}
        flag = ""
        for word in words:
            if flag and NEGATIVE.match(word):
                yield f"{flag}={word}"
                flag = ""
                continue
            if flag:
                yield flag
            flag = word if word in takes and word.startswith("--") else ""
            if not flag:
                yield word
        if flag:
            yield flag

    def error(self, message: str) -> NoReturn:
        said = message.removeprefix("argument ").rstrip(": ")
        raise UsageError(f"{said}{' ' if said.endswith('?') else '; '}see `python {self.prog} --help`")


def choice(known: Iterable[str]) -> dict[str, Any]:
    """Return the options of a flag that takes one of the known names, and of another says which was meant."""
    names = list(known)

    def take(name: str) -> str:
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"unknown {name!r}: {letters.meant(name, names)}there is {', '.join(names)}"
            )
        return name

    return {"type": take, "choices": names}


def whole(text: str) -> int:
    try:
        return quantities.whole(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 8,16, the smallest first."""
    try:
        found = {quantities.whole(number) for number in text.split(",")}
    except ValueError:
        found = set()
    if len(found) < len(text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r}: use whole numbers, each once, as in 16,32")
    return tuple(sorted(found))


class _Once(argparse._StoreAction):
    """Keeps a flag's value; a second one would silently take its place."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None and getattr(namespace, self.dest, self.default) is not self.default:
            raise argparse.ArgumentError(self, "it is given twice; name one value")
        super().__call__(parser, namespace, values, option_string)
