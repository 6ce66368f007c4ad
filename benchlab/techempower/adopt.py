"""Makes entries of folders in the TechEmpower format: a copy of the folder, and a stanza that Compose merges.

Nothing is written into the folder itself, nor into compose.yaml.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchlab.core.errors import ConfigError, EngineError, UsageError
from benchlab.engine.engine import Engine
from benchlab.experiment import stack
from benchlab.techempower import copying, dockerfiles, registry, stanza, tfb
from benchlab.techempower.copying import PASSED_OVER
from benchlab.techempower.registry import ORIGINS, SERVICES
from benchlab.techempower.stanza import COPIES, OPEN_FILES, SYSCTLS, Adoptee, Grants
from benchlab.techempower.tfb import CONFIG, Candidate


@dataclass(frozen=True)
class Wish:
    """What was asked for: which tests of a folder, by their names; none are all.

    `name` replaces the framework's. `stand_ins` are the images that stand for others here; `usual` those that do so
    where a dockerfile names the others at all.
    """

    folder: Path
    tests: tuple[str, ...] = ()
    name: str = ""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)


def grants(engine: Engine, image: str) -> Grants:
    """Return what the engine grants of what the format promises, tried with an image. Raises EngineError."""
    most = engine.open_files(image)
    open_files = min(OPEN_FILES, int(most)) if most.isdecimal() else OPEN_FILES
    return Grants(open_files, SYSCTLS if engine.grants(image, SYSCTLS) else {})


def examine(root: Path, wish: Wish) -> tuple[list[Adoptee], dict[str, str]]:
    """Return what can be adopted of a folder, and why its other tests cannot, by name; nothing is written.

    Raises ConfigError where nothing can, UsageError for a folder that can be no entry's, and for a test, a name or an
    image that was asked for and cannot be had.
    """
    _refuse_other_folders(root, wish.folder)
    taken = _taken(root, wish.folder)
    _refuse_name(wish, taken)
    copying.refuse_uncopyable(wish.folder)
    found = tfb.suite(copying.text(wish.folder, CONFIG))
    candidates, refused = tfb.chosen(found, wish.tests)
    adoptees: list[Adoptee] = []
    for candidate in candidates:
        entry = (wish.name or found.framework) + candidate.name.removeprefix(found.framework)
        try:
            adoptees.append(_adoptee(wish, entry, candidate, taken))
            taken[entry.lower()] = "this folder"
        except ConfigError as error:
            refused[candidate.name] = str(error)
    if not adoptees or (wish.tests and refused):
        raise ConfigError("; ".join(f"{tfb.printable(name)}: {why}" for name, why in refused.items()))
    _refuse_unused(wish.stand_ins, adoptees)
    return adoptees, refused


class Images(Protocol):
    """What is needed of an engine to see whether an image can be had; a test passes in one."""

    def image_id(self, name: str) -> str | None: ...
    def pull(self, repository: str, tag: str) -> None: ...


def refuse_missing(engine: Images, adoptees: Iterable[Adoptee], say: Callable[[str], None]) -> None:
    """Raise UsageError for a stand-in that neither the lab builds, nor the engine has, nor its registry gives."""
    stand_ins = {new: old for adoptee in adoptees for old, new in adoptee.stand_ins.items()}
    for image, instead in stand_ins.items():
        if is_here(engine, image):
            continue
        say(f"{image} is not on the engine: pulling it …")
        try:
            engine.pull(*_repository_and_tag(image))
        except EngineError as error:
            there = ", ".join(stack.BASES)
            raise UsageError(
                f"--base {instead}={image}: the engine has no such image, and it cannot be pulled ({error}); there is "
                f"{there}, and what `docker images` lists"
            ) from error


def is_here(engine: Images, image: str) -> bool:
    """Return whether a build can start from the image without a registry."""
    return image.removesuffix(":latest") in stack.BASES or engine.image_id(image) is not None


def shown(name: str) -> str:
    """Return a test's name as it can be printed."""
    return tfb.printable(name)


def adopt(root: Path, folder: Path, adoptees: Sequence[Adoptee], granted: Grants) -> None:
    """Copy the folder for each entry, and write the stanzas.

    Raises ConfigError where that cannot be done; then all is as it was.
    """
    content, templates = registry.read(root), registry.templates(root)
    origin = {"folder": str(folder.resolve()), "digest": digest(folder)}
    for adoptee in adoptees:
        content[SERVICES][adoptee.entry] = stanza.service(adoptee, templates, granted)
        content[ORIGINS][adoptee.entry] = dict(origin)
    dockerfiles = {root / COPIES / adoptee.entry: adoptee.dockerfile for adoptee in adoptees}
    with copying.copies(folder, dockerfiles):
        registry.write(root, content)


def remove(root: Path, entries: Iterable[str]) -> list[str]:
    """Remove adopted entries' stanzas and copies, and return their images' names.

    Raises UsageError where one of them was not adopted, before any is removed; ConfigError for what goes wrong with
    files.
    """
    content = registry.read(root)
    names = list(dict.fromkeys(entries))
    if unknown := [name for name in names if name not in content[ORIGINS]]:
        there = ", ".join(content[ORIGINS]) or "none"
        raise UsageError(f"--remove {', '.join(unknown)}: no such entry was adopted; there is {there}")
    for name in names:
        del content[ORIGINS][name]
        del content[SERVICES][name]
    registry.write(root, content)
    with registry.usable_files():
        for name in names:
            shutil.rmtree(root / COPIES / name, ignore_errors=True)
        copying.remove_if_empty(root / COPIES)
    return [f"{stanza.IMAGE}:{name}" for name in names]


def outdated(root: Path, entries: Collection[str]) -> list[str]:
    """Return those of the entries that were adopted from a folder which has changed since.

    One that is gone, or cannot be read any more, has not.
    """
    origins = registry.read(root)[ORIGINS]
    return [entry for entry in origins if entry in entries and _has_changed(origins[entry])]


def digest(folder: Path) -> str:
    """Return a digest of a folder's files. Raises ConfigError where one cannot be read."""
    found = hashlib.sha256()
    with registry.usable_files():
        for path in sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file()):
            if not set(PASSED_OVER) & set(path.relative_to(folder).parts):
                content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
                found.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _has_changed(origin: Mapping[str, str]) -> bool:
    folder = Path(origin["folder"])
    try:
        return folder.is_dir() and digest(folder) != origin["digest"]
    except (ConfigError, OSError):
        return False


def stand_ins(pairs: Iterable[str]) -> dict[str, str]:
    """Return what stands in for which image, as pairs of the form image=image say it. Raises UsageError."""
    found: dict[str, str] = {}
    for pair in pairs:
        image, _, stand_in = (part.strip() for part in pair.partition("="))
        if not image or not stand_in or len(f"{image} {stand_in}".split()) != 2:
            raise UsageError(f"--base {pair}: write IMAGE=IMAGE, as in python:3.12={stack.BASE_DEV}")
        if not dockerfiles.REFERENCE.fullmatch(stand_in):
            raise UsageError(f"--base {pair}: {stand_in} is no image's name; write it as `docker images` has it")
        if found.setdefault(image, stand_in) != stand_in:
            raise UsageError(f"--base {pair}: {found[image]} stands for {image} already; leave one")
    return found


def pairs(file: Path) -> list[str]:
    """Return the lines of a file that are no comments. Raises UsageError without the file, ConfigError without text."""
    if not file.is_file():
        raise UsageError(f"--bases {file}: there is no such file; name one with a pair IMAGE=IMAGE in each line")
    lines = (line.strip() for line in registry.text(file).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _refuse_other_folders(root: Path, folder: Path) -> None:
    """Raise UsageError for what can be no entry's folder."""
    here, there = root.resolve(), folder.resolve()
    if not there.is_dir():
        raise UsageError(f"{folder} is no folder; name one that has a {CONFIG}")
    if here.is_relative_to(there):
        raise UsageError(f"{folder} has the lab itself in it; name the folder of an entry")
    if there.is_relative_to(here / COPIES):
        raise UsageError(f"{folder} is the lab's own; name the folder of an entry")
    if not (there / CONFIG).exists():
        raise UsageError(f"{folder} has no {CONFIG}; name a folder that has one")


def _refuse_name(wish: Wish, taken: Mapping[str, str]) -> None:
    """Raise UsageError for a name that was asked for and cannot be had."""
    if not wish.name:
        return
    if not tfb.is_name(wish.name):
        raise UsageError(f"--as {tfb.printable(wish.name)}: that {tfb.NO_NAME}")
    if owner := taken.get(wish.name.lower()):
        raise UsageError(f"--as {wish.name}: {owner} has that name already; choose another")


def _adoptee(wish: Wish, entry: str, candidate: Candidate, taken: Mapping[str, str]) -> Adoptee:
    """Return the candidate with what its dockerfile says.

    Raises ConfigError where it cannot have the name, or its dockerfile cannot be used.
    """
    if not tfb.is_name(entry):
        raise ConfigError(f"that {tfb.NO_NAME}; --as gives the framework another name")
    if owner := taken.get(entry.lower()):
        raise ConfigError(f"{owner} has that name already; give another with --as, or leave it out with --test")
    text = copying.text(wish.folder, candidate.dockerfile)
    try:
        found = dockerfiles.parse(text, stanza.arguments(candidate))
    except ConfigError as error:
        raise ConfigError(f"{candidate.dockerfile}: {error}") from error
    if found.is_empty:
        raise ConfigError(f"{candidate.dockerfile} has no FROM; mend it")
    stand_ins = {**wish.usual, **wish.stand_ins}
    used = {image: stand_ins[image] for image in found.bases if image in stand_ins}
    return Adoptee(entry, candidate, found.replaced(used), found.bases, used, found.needs)


def _refuse_unused(wanted: Mapping[str, str], adoptees: Iterable[Adoptee]) -> None:
    there = dict.fromkeys(image for adoptee in adoptees for image in adoptee.bases)
    if unused := [image for image in wanted if image not in there]:
        raise UsageError(f"--base {', '.join(unused)}: no dockerfile starts from it; there is {', '.join(there)}")


def _taken(root: Path, folder: Path) -> dict[str, str]:
    """Return who has which name, in small letters; what was adopted from the same folder may be adopted anew."""
    own = {name.lower(): "compose.yaml" for name in registry.templates(root)[SERVICES]}
    origins = {name.lower(): origin["folder"] for name, origin in registry.read(root)[ORIGINS].items()}
    return own | {name: home for name, home in origins.items() if home != str(folder.resolve())}


def _repository_and_tag(image: str) -> tuple[str, str]:
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")
