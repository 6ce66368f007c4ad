"""Flags on the command line: the parser, whose errors are one line with the remedy; the settings that flags ask for."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import textwrap
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NoReturn

from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.experiment.flags import Flag
from benchlab.experiment.settings import SETTINGS, choose, is_given
from benchlab.experiment.workloads import DATABASE, WORKLOADS
from benchlab.records.plan import Settings

WIDTH = 100
NEGATIVE = re.compile(r"-[0-9.]")
SEED_BITS = 32

DRY_RUN = Flag(
    "--dry-run",
    "print the plan and the wrk commands, and start nothing; needs no engine",
    default="measure",
    is_switch=True,
)


class Parser(argparse.ArgumentParser):
    """A parser that takes flags by their whole names only: what a short one means would change with each new flag.

    `examples` end its help, one in a line.
    """

    def __init__(self, prog: str, description: str, flags: Iterable[Flag] = (), examples: str = ""):
        super().__init__(
            prog=prog,
            description=textwrap.fill(description, WIDTH),
            epilog=f"examples:\n{textwrap.indent(examples, '  ')}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for name in (None, "store"):
            self.register("action", name, _Once)
        self.register("action", "append", _EachOnce)
        for flag in flags:
            self.add_argument(*filter(None, (flag.short, flag.name)), **_options(flag))

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
        problem = message.removeprefix("argument ").rstrip(": ")
        raise UsageError(f"{problem}{' ' if problem.endswith('?') else '; '}see `python {self.prog} --help`")


def _options(flag: Flag) -> dict[str, Any]:
    """Return what argparse is to know of the flag."""
    options: dict[str, Any] = {"help": flag.explained.replace("%", "%%")}
    if not flag.is_argument:
        options["dest"] = flag.key
    if flag.is_switch:
        return options | {"action": "store_true"}
    options["type"] = partial(_read, flag)
    if flag.is_repeatable:
        options |= {"action": "extend" if flag.nargs else "append", "default": []}
    optional = {
        "metavar": flag.metavar,
        "choices": flag.choices,
        "nargs": flag.nargs,
        "required": flag.is_required,
    }
    return options | {name: value for name, value in optional.items() if value}


def _read(flag: Flag, text: str) -> Any:
    """Return the value that is typed for the flag; of an unknown word it says which was meant."""
    word = flag.renamed.get(text, text)
    if word != text:
        print(f"{flag.name} {text}: it is called {word} now", file=sys.stderr)
    if flag.choices and word not in flag.choices:
        hint = letters.meant(word, flag.choices, flag.name if flag.is_repeatable else "")
        raise argparse.ArgumentTypeError(f"unknown {word!r}: {hint}there is {', '.join(flag.choices)}")
    try:
        return flag.parse(flag.name, word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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


class _EachOnce(argparse._AppendAction):
    """Keeps all values of a repeatable flag; the same one again would change nothing."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if values in getattr(namespace, self.dest):
            raise argparse.ArgumentError(self, "the same is given twice; name each value once")
        super().__call__(parser, namespace, values, option_string)


def settings(given: argparse.Namespace, **more: Any) -> Settings:
    """Return the settings of a new run; `more` go before what is typed. Raises UsageError."""
    return choose(**{"seed": secrets.randbits(SEED_BITS), **_asked(given), **more})


def verify_settings(given: argparse.Namespace, **more: Any) -> Settings:
    """Return the settings of a verification: which entries, tests and proxy. Raises UsageError."""
    return settings(given, profile="quick", tests=given.test or tuple(WORKLOADS), seed=0, **more)


def factors_settings(given: argparse.Namespace, **more: Any) -> Settings:
    """Return the settings of a run that compares factors, with what asks the database. Raises UsageError."""
    return settings(given, tests=given.test or DATABASE, **more)


def refuse_measuring(given: argparse.Namespace, measuring: Iterable[Flag]) -> None:
    """Raise UsageError where a flag that says how to measure stands beside a run that is read."""
    for flag in measuring:
        if is_given(getattr(given, flag.key)):
            raise UsageError(f"{flag.name}: {given.run} is read as it was measured; leave that flag out")


def refuse_other_settings(given: argparse.Namespace, settings: Settings) -> None:
    """Raise UsageError where a flag beside --resume names another value than the run has."""
    asked = _asked(given)
    differences = [
        difference
        for setting in SETTINGS
        if setting.place in asked
        for difference in setting.differences(asked[setting.place], settings)
    ]
    if differences:
        what = "that" if len(differences) == 1 else "those"
        raise UsageError(f"--resume keeps the run's own settings: {'; '.join(differences)}; leave {what} out")


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were typed, by their places."""
    typed = {setting.place: getattr(given, setting.key, None) for setting in SETTINGS}
    return {place: value for place, value in typed.items() if is_given(value)}
