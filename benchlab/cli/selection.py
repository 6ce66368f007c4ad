"""The flags --tag and --set, and the entries that are meant by them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchlab.cli.command import say
from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.experiment import selection
from benchlab.experiment.flags import TAGS, Flag
from benchlab.experiment.settings import FRAMEWORK
from benchlab.experiment.stack import Labels
from benchlab.records.plan import Manifest


def _words(flag: str, text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise UsageError(f"{flag} {letters.quoted(text)}: name a tag, as `python lab.py list` shows them")
    return words


TAG = Flag(
    selection.TAG,
    "entries with this tag; of several, an entry must have all. A tag is a framework, server, driver, interface (asgi, "
    f"wsgi), loop or json library, orm or raw, or a word such as popular. With {selection.SET}, those of the set; "
    "entries that --framework names are added",
    metavar="TAG[,TAG]",
    parse=_words,
    default="any; list shows them",
    is_repeatable=True,
    completes=TAGS,
)
SET = Flag(
    selection.SET,
    f"a named set of entries: {selection.STUDY} is those that are measured where none is named, {selection.POPULAR} "
    f"eight that many people know. {selection.TAG} narrows it, --framework adds to it",
    default="no set",
    choices=selection.SETS,
)
# What chooses entries.
FLAGS = (FRAMEWORK, TAG, SET)


def by_default(default: str) -> tuple[Flag, ...]:
    """Return the flags that choose entries, for a command that takes these where none is named."""
    return FRAMEWORK.by_default(default), TAG, SET


def is_given(given: argparse.Namespace) -> bool:
    return bool(given.tag or given.set)


def typed(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield the flags that choose entries, each with its value, as they were typed."""
    yield from ((FRAMEWORK.name, name) for name in given.framework)
    yield from ((TAG.name, ",".join(words)) for words in given.tag)
    if given.set:
        yield SET.name, given.set


def among(entries: Mapping[str, Labels], given: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of those that are meant; where nothing is asked for, none. Raises UsageError."""
    wanted = [word for words in given.tag for word in words]
    return selection.chosen(entries, given.framework, wanted, given.set or "")


def chosen(root: Path, given: argparse.Namespace, *, installs: bool = True) -> tuple[str, ...]:
    """Return the names of the entries of compose.yaml that are meant; where nothing is asked for, none.

    Compose is asked only for a tag or a set. Where there is none, it is installed if that is allowed. Raises UsageError
    for a tag that no entry has, SetupError without Compose.
    """
    if not is_given(given):
        return tuple(given.framework)
    from benchlab.engine import compose, provision, topology

    if installs:
        provision.compose(compose.project(root), say)
    return among({name: entry.labels for name, entry in topology.load(root, {}).entries.items()}, given)


def refuse_others(names: Sequence[str], given: argparse.Namespace, manifest: Manifest) -> None:
    """Raise UsageError where a tag or set beside --resume means other entries than the run has."""
    if is_given(given) and set(names) != set(manifest.origins):
        flags = " ".join(word for pair in typed(given) for word in pair)
        raise UsageError(
            f"--resume keeps the run's own entries: {flags} means {', '.join(names)}, the run has "
            f"{', '.join(sorted(manifest.origins))}; leave that out"
        )
