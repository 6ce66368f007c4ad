"""Completes a command line in the shell: commands, flags, choices, entries, tags and runs. Asks no engine."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import argcomplete
import yaml

from benchlab.cli import cli
from benchlab.cli.command import MAIN, Command
from benchlab.engine import declared
from benchlab.engine.compose import ADOPTED, ENTRY_PROFILE
from benchlab.experiment import selection
from benchlab.experiment.flags import ADOPTED_ENTRIES, ENTRIES, RUNS, TAGS
from benchlab.experiment.stack import PREFIX
from benchlab.storage.store import MANIFEST

Completer = Callable[..., list[str]]


def complete(root: Path) -> None:
    """Answer the shell and end the process; it asks through variables of the environment (see argcomplete)."""
    argcomplete.autocomplete(parser(root))


def parser(root: Path) -> argparse.ArgumentParser:
    """Return one parser of all commands, which knows what there is in the project's folder."""
    whole = cli.parser()
    commands = whole.add_subparsers(parser_class=argparse.ArgumentParser)
    for name in cli.COMMANDS.keys() - {MAIN}:
        _inform(commands.add_parser(name, parents=[cli.parser(name)], add_help=False), cli.COMMANDS[name], root)
    _inform(whole, cli.COMMANDS[MAIN], root)
    return whole


def _inform(parser: argparse.ArgumentParser, command: Command, root: Path) -> None:
    """Tell the parser's actions which entries, tags and runs there are."""
    completers: dict[str, Completer] = {
        ENTRIES: lambda **_: list(_entries(root)),
        ADOPTED_ENTRIES: lambda **_: list(_entries(root, ADOPTED)),
        RUNS: lambda **_: list(_runs(root)),
        TAGS: lambda prefix="", **_: list(_tags(root, prefix)),
    }
    completed = {flag.key: completers[flag.completes] for flag in command.flags if flag.completes}
    for action in parser._actions:
        if completer := completed.get(action.dest):
            action.completer = completer  # type: ignore[attr-defined]


def _entries(root: Path, files: str = "compose*.yaml") -> dict[str, Mapping[str, str]]:
    """Return the entries with their labels, as the files have them: to ask Compose takes half a second."""
    labels: dict[str, Mapping[str, str]] = {}
    for path in sorted(root.glob(files)):
        try:
            services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
            labels |= {
                name: _labels(service)
                for name, service in services.items()
                if ENTRY_PROFILE in service.get("profiles", [])
            }
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
            continue
    return labels


def _labels(service: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(key).removeprefix(PREFIX): str(value) for key, value in declared.labels(service).items()}


def _tags(root: Path, prefix: str) -> Iterator[str]:
    """Yield the tags that may follow those that are typed before the last comma."""
    *before, _ = prefix.split(",")
    yield from (",".join([*before, tag]) for tag in selection.by_tag(_entries(root)) if tag not in before)


def _runs(root: Path) -> Iterator[str]:
    """Yield the folders of runs, and those of calibrations, which hold runs."""
    results = root / "results"
    folders = {path.parent for path in results.glob(f"*/{MANIFEST}")}
    folders |= {path.parent.parent for path in results.glob(f"*/*/{MANIFEST}")}
    yield from map(os.path.relpath, sorted(folders))
