"""Drafts a new entry from one that there is: a copy of its folder, and a stanza after the others in compose.yaml.

The stanza is the other's as it is written, with its comments: only what names the other is changed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from benchlab.core import letters
from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import context
from benchlab.engine.compose import ENTRY_PROFILE
from benchlab.experiment.stack import PREFIX
from benchlab.techempower import folders, registry, tfb

COMPOSE, FRAMEWORKS = "compose.yaml", "frameworks"
# What engines take as the name of an image.
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
# The label of a new entry: it is measured only where it is named.
BY_NAME = f'{PREFIX}default: "no"'
README = """\
# {name}

Say here what it is: framework, server, event loop, JSON library, how it reads the database.

**What is idiomatic.** Say what a team that knows the framework would write just so.

**What is tuned:**

* Say what is not the framework's default, and why.

**What is left alone:** say what could be faster, and why it stays.
"""


@dataclass(frozen=True)
class Draft:
    """A new entry to be: its name, that of the one it is made from, the folders of both, compose.yaml with both.

    `dockerfile` is the file in the folder whose COPY lines name that folder; empty where they need not.
    """

    name: str
    origin: str
    folder: Path
    source: Path
    compose: str
    dockerfile: str = ""


def plan(root: Path, name: str, origin: str) -> Draft:
    """Return the draft of an entry; nothing is written.

    Raises UsageError for a name that cannot be had or an origin that is not there, ConfigError for the origin's stanza.
    """
    services = registry.templates(root)[registry.SERVICES]
    entries = [key for key, service in services.items() if ENTRY_PROFILE in (service or {}).get("profiles", [])]
    _refuse_name(root, name, services)
    if origin not in entries:
        raise UsageError(f"--from {origin}: {letters.meant(origin, entries)}there is {', '.join(entries)} in {COMPOSE}")
    folder = root / FRAMEWORKS / name
    if folder.exists():
        raise UsageError(f"{FRAMEWORKS}/{name} is there already; take another name, or remove it")
    text = folders.text(root / COMPOSE)
    build = services[origin].get("build")
    place = _place(build, name)
    written = _with_stanza(text, name, origin, entries[-1], place)
    _refuse_misread(text, written, name, origin, place)
    if "dockerfile" not in place:
        return Draft(name, origin, folder, root / build["context"], written)
    old, *dockerfile = PurePosixPath(build["dockerfile"]).parts
    return Draft(name, origin, folder, root / FRAMEWORKS / old, written, str(PurePosixPath(*dockerfile)))


def write(root: Path, draft: Draft) -> None:
    """Copy the folder, with a README.md to be filled in, and add the stanza; all or nothing. Raises ConfigError."""
    compose, changed = root / COMPOSE, root / f"{COMPOSE}.draft"
    try:
        shutil.copytree(draft.source, draft.folder, ignore=shutil.ignore_patterns("__pycache__"))
        (draft.folder / "README.md").write_text(README.format(name=draft.name), encoding="utf-8")
        if draft.dockerfile:
            copied = draft.folder / draft.dockerfile
            text = context.renamed(folders.text(copied), draft.source.name, draft.folder.name)
            copied.write_text(text, encoding="utf-8")
        changed.write_text(draft.compose, encoding="utf-8")
        changed.chmod(compose.stat().st_mode)
        changed.replace(compose)
    except BaseException as error:
        shutil.rmtree(draft.folder, ignore_errors=True)
        changed.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ConfigError(f"{draft.name} cannot be written ({str(error)[:300]}); mend that") from error
        raise


def _place(build: Any, name: str) -> dict[str, str]:
    """Return what in a build section names the entry's folder, as it is for the new entry."""
    if isinstance(build, dict) and os.path.normpath(str(build.get("context"))) == FRAMEWORKS:
        _, *dockerfile = PurePosixPath(str(build.get("dockerfile", ""))).parts or ("",)
        if dockerfile:
            return {"dockerfile": str(PurePosixPath(name, *dockerfile))}
    return {"context": f"{FRAMEWORKS}/{name}"}


def _refuse_name(root: Path, name: str, services: dict[str, Any]) -> None:
    if not NAME.fullmatch(name) or not tfb.is_name(name):
        raise UsageError(f"{name!r} {tfb.NO_NAME}; small letters only, because an image is named so, too")
    taken = {**dict.fromkeys(services, COMPOSE), **dict.fromkeys(registry.read(root)[registry.SERVICES], "adopted")}
    if name in taken:
        raise UsageError(f"{name} is in {taken[name]} already; take another name")


def _with_stanza(text: str, name: str, origin: str, last: str, place: Mapping[str, str]) -> str:
    """Return compose.yaml with a stanza for the new entry, below that of the last one."""
    document: Any = yaml.compose(text)
    services = _value(document, registry.SERVICES)
    begin, end = _extent(text, services, origin)
    changes = sorted(_changes(services, name, origin, place), reverse=True)
    stanza = text[begin:end]
    for first, beyond, new in changes:
        stanza = stanza[: first - begin] + new + stanza[beyond - begin :]
    _, after = _extent(text, services, last)
    return f"{text[:after]}\n\n{stanza}{text[after:]}"


def _changes(
    services: yaml.MappingNode, name: str, origin: str, place: Mapping[str, str]
) -> Iterator[tuple[int, int, str]]:
    """Yield begin and end, in characters, of what is replaced in the origin's stanza, and by what."""
    key, stanza = _pair(services, origin)
    labels = _value(stanza, "labels")
    yield key.start_mark.index, key.end_mark.index, name
    for node, new in (
        (_value(stanza, "image"), f"benchlab/{name}"),
        *((_value(_value(stanza, "build"), key), new) for key, new in place.items()),
        (_value(labels, f"{PREFIX}framework"), name),
    ):
        yield node.start_mark.index, node.end_mark.index, new
    if not any(key.value == f"{PREFIX}default" for key, _ in labels.value):
        # Behind the last of them, in a line of its own where each has one.
        _, last = labels.value[-1]
        gap = ", " if labels.flow_style else f"\n{' ' * labels.value[0][0].start_mark.column}"
        yield last.end_mark.index, last.end_mark.index, gap + BY_NAME


def _extent(text: str, services: yaml.MappingNode, name: str) -> tuple[int, int]:
    """Return where a stanza begins, and where its last line ends that is neither empty nor a comment."""
    key, value = _pair(services, name)
    begin = text.rfind("\n", 0, key.start_mark.index) + 1
    lines = text[begin : value.end_mark.index].splitlines(keepends=True)
    while not lines[-1].strip() or lines[-1].lstrip().startswith("#"):
        lines.pop()
    return begin, begin + len("".join(lines).rstrip())


def _refuse_misread(before: str, after: str, name: str, origin: str, place: Mapping[str, str]) -> None:
    """Raise ConfigError where the new text does not say what it should: then nothing is better than a guess."""
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    stanza = old[registry.SERVICES][origin]
    stanza["image"], stanza["build"] = f"benchlab/{name}", {**stanza["build"], **place}
    stanza["labels"] |= {f"{PREFIX}framework": name, f"{PREFIX}default": stanza["labels"].get(f"{PREFIX}default", "no")}
    expected = yaml.safe_load(before)
    expected[registry.SERVICES][name] = stanza
    if new != expected:
        raise ConfigError(f"{COMPOSE}: {origin}'s stanza cannot be copied as it is written; add {name}'s by hand")


def _value(mapping: yaml.Node, key: str) -> Any:
    return _pair(mapping, key)[1]


def _pair(mapping: yaml.Node, key: str) -> tuple[yaml.Node, Any]:
    """Return the nodes of a key and its value. Raises ConfigError where there is none, or nothing that has keys."""
    pairs = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    for node, value in pairs:
        if node.value == key:
            return node, value
    raise ConfigError(f"{COMPOSE}: line {mapping.start_mark.line + 1} has no {key} of its own, as a key; add it")
