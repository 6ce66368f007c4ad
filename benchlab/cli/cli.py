"""The command line: a command called, errors as one line, exit codes out."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchlab.cli import entries, measure, read, upkeep
from benchlab.cli.command import ERROR, FAILED, MAIN, Command
from benchlab.core import interrupts, letters, output
from benchlab.core.errors import ConfigError, LabError, StoreError, UsageError
from benchlab.experiment.settings import FAIL_IF_SLOWER

COMMANDS: dict[str, Command] = {
    command.name: command for command in (*measure.COMMANDS, *entries.COMMANDS, *read.COMMANDS, *upkeep.COMMANDS)
}

# What is typed for --help, alone or before a command.
HELP = "help"


def main(root: Path, arguments: Sequence[str], commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run the command and return its exit code: 0 done, 1 an error or something not measured, 2 a wrong command line.

    A signal's is 128 + n, and a gate has its own.
    """
    interrupts.install()
    output.install()
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0][:1].isalpha() else (MAIN, arguments)
    if name == HELP:
        name, rest = (*rest, MAIN)[0], ["--help"]
    failed = ERROR if name == "compare" or any(word.startswith(FAIL_IF_SLOWER.name) for word in rest) else FAILED
    try:
        code = _known(name, commands).run(root, parser(name, commands).parse_args(list(rest)))
        if unwritten := output.failure():
            raise StoreError(f"the output cannot be written ({unwritten.strerror}); what was measured is in results/")
        return code
    except LabError as error:
        # The end of a build's log has lines of its own; what is named has none.
        shown = letters.one_line if isinstance(error, StoreError | ConfigError) else letters.visible
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return ERROR if isinstance(error, UsageError) else failed
    except OSError as error:
        # What the lab's own folder lacks in rights or room; a fault of the lab names no file.
        if error.filename is None:
            traceback.print_exc()
        else:
            print(f"error: {letters.one_line(_about_file(error))}", file=sys.stderr)
        return failed
    except Exception:
        traceback.print_exc()
        return failed
    except interrupts.Interrupted as interrupt:
        print(f"ended by {interrupt}", file=sys.stderr)
        return interrupt.exit_code


def parser(name: str = MAIN, commands: Mapping[str, Command] = COMMANDS) -> argparse.ArgumentParser:
    """Return a command's parser; the main one lists all."""
    made = commands[name].parser()
    if name == MAIN:
        lines = "\n".join(f"  {each:<9}  {command.about}" for each, command in commands.items())
        made.description = f"{made.description}\n\ncommands (each has its own --help):\n{lines}"
    return made


def _about_file(error: OSError) -> str:
    return (
        f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}); fix its owner or permissions, or make room"
    )


def _known(name: str, commands: Mapping[str, Command]) -> Command:
    if name in commands:
        return commands[name]
    hint = letters.meant(name, commands)
    raise UsageError(f"unknown command {name}: {hint}there is {', '.join(commands)}; see `python lab.py --help`")
