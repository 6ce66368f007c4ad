"""Makes entries of folders in the TechEmpower format: a copy of the folder, and a stanza that Compose merges.

Nothing is written into the folder itself, nor into compose.yaml.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchlab.core import letters
from benchlab.core.errors import ConfigError, EngineError, UsageError
from benchlab.engine.engine import Engine
from benchlab.experiment import stack
from benchlab.techempower import dockerfiles, folders, registry, tfb
from benchlab.techempower.registry import COPIES, OPEN_FILES, ORIGINS, SERVICES, SYSCTLS, AdoptedEntry, Grants
from benchlab.techempower.tfb import CONFIG, Candidate


@dataclass(frozen=True)
class Request:
    """What to adopt: which tests of a folder, by their names; none are all.

    `name` replaces the framework's. `stand_ins` are the images that stand for others here; `optional_stand_ins` those
    that do so where a dockerfile names the others at all.
    """

    folder: Path
    tests: tuple[str, ...] = ()
    name: str = ""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    optional_stand_ins: Mapping[str, str] = field(default_factory=dict)


def grants(engine: Engine, image: str) -> Grants:
    """Return what the engine grants of what the format promises, tried with an image. Raises EngineError."""
    limit = engine.open_files(image)
    open_files = min(OPEN_FILES, int(limit)) if limit.isdecimal() else OPEN_FILES
    return Grants(open_files, SYSCTLS if engine.grants(image, SYSCTLS) else {})


def examine(root: Path, request: Request) -> tuple[list[AdoptedEntry], dict[str, str]]:
    """Return what can be adopted of a folder, and why its other tests cannot, by name; nothing is written.

    Raises ConfigError where nothing can, UsageError for a folder that can be no entry's, and for a test, a name or an
    image that was asked for and cannot be had.
    """
    _refuse_other_folders(root, request.folder)
    taken = _taken(root, request.folder)
    _refuse_name(request, taken)
    folders.refuse_uncopyable(request.folder)
    suite = tfb.suite(folders.text_within(request.folder, CONFIG))
    candidates, refused = tfb.chosen(suite, request.tests)
    entries: list[AdoptedEntry] = []
    for candidate in candidates:
        name = (request.name or suite.framework) + candidate.name.removeprefix(suite.framework)
        try:
            entries.append(_entry(request, name, candidate, taken))
            taken[name.lower()] = "this folder"
        except ConfigError as error:
            refused[candidate.name] = str(error)
    if not entries or (request.tests and refused):
        raise ConfigError("; ".join(f"{tfb.printable(name)}: {why}" for name, why in refused.items()))
    _refuse_unused(request.stand_ins, entries)
    return entries, refused


class Images(Protocol):
    """What is needed of an engine to see whether an image can be had; a test passes in one."""

    def image_id(self, name: str) -> str | None: ...
    def pull(self, repository: str, tag: str) -> None: ...


def refuse_missing(engine: Images, entries: Iterable[AdoptedEntry], say: Callable[[str], None]) -> None:
    """Raise UsageError for a stand-in that neither the lab builds, nor the engine has, nor its registry gives."""
    stand_ins = {new: old for entry in entries for old, new in entry.stand_ins.items()}
    for image, instead in stand_ins.items():
        if is_here(engine, image):
            continue
        say(f"{image} is not on the engine: pulling it …")
        try:
            engine.pull(*_repository_and_tag(image))
        except EngineError as error:
            own = ", ".join(stack.BASES)
            raise UsageError(
                f"--base {instead}={image}: the engine has no such image, and it cannot be pulled ({error}); there is "
                f"{own}, and what `docker images` lists"
            ) from error


def is_here(engine: Images, image: str) -> bool:
    """Return whether a build can start from the image without a registry."""
    return image.removesuffix(":latest") in stack.BASES or engine.image_id(image) is not None


def adopt(root: Path, folder: Path, entries: Sequence[AdoptedEntry], granted: Grants) -> None:
    """Copy the folder for each entry, and write the stanzas.

    Raises ConfigError where that cannot be done; then all is as it was.
    """
    content, templates = registry.read(root), registry.templates(root)
    origin = {"folder": str(folder.resolve()), "digest": folders.digest(folder)}
    for entry in entries:
        content[SERVICES][entry.name] = registry.stanza(entry, templates, granted)
        content[ORIGINS][entry.name] = dict(origin)
    with folders.copies(folder, {root / COPIES / entry.name: entry.dockerfile for entry in entries}):
        registry.write(root, content)


def check_adopted(root: Path, entries: Iterable[str]) -> None:
    """Raise UsageError where one of the entries was not adopted."""
    adopted = registry.read(root)[ORIGINS]
    if unknown := [name for name in dict.fromkeys(entries) if name not in adopted]:
        hint = letters.meant(unknown[0], adopted)
        choice = f"{hint}choose from {', '.join(adopted)}" if adopted else "there is none"
        raise UsageError(f"--remove {', '.join(unknown)}: not an adopted entry; {choice}")


def remove(root: Path, entries: Iterable[str]) -> list[str]:
    """Remove the stanzas and copies of adopted entries, and return their images' names.

    Raises UsageError where one of them was not adopted, before any is removed; ConfigError for what goes wrong with
    files.
    """
    check_adopted(root, entries)
    content = registry.read(root)
    names = list(dict.fromkeys(entries))
    for name in names:
        del content[ORIGINS][name]
        del content[SERVICES][name]
    registry.write(root, content)
    with folders.usable_files():
        for name in names:
            shutil.rmtree(root / COPIES / name, ignore_errors=True)
        folders.remove_if_empty(root / COPIES)
    return [f"{registry.IMAGE}:{name}" for name in names]


def outdated(root: Path, entries: Collection[str]) -> list[str]:
    """Return those of the entries that were adopted from a folder which has changed since.

    One that is gone, or cannot be read any more, has not.
    """
    origins = registry.read(root)[ORIGINS]
    return [entry for entry in origins if entry in entries and _has_changed(origins[entry])]


def stand_ins(pairs: Iterable[str]) -> dict[str, str]:
    """Return what stands in for which image, as pairs of the form image=image say it. Raises UsageError."""
    result: dict[str, str] = {}
    for pair in pairs:
        image, _, stand_in = (part.strip() for part in pair.partition("="))
        if not image or not stand_in or len(f"{image} {stand_in}".split()) != 2:
            raise UsageError(f"--base {pair}: write IMAGE=IMAGE, as in python:3.12={stack.BASE_DEV}")
        if not dockerfiles.REFERENCE.fullmatch(stand_in):
            raise UsageError(f"--base {pair}: {stand_in} is not an image's name; write it as `docker images` has it")
        if result.setdefault(image, stand_in) != stand_in:
            raise UsageError(f"--base {pair}: {result[image]} stands for {image} already; leave one")
    return result


def pairs(file: Path) -> list[str]:
    """Return the lines of a file that are no comments. Raises UsageError without the file, ConfigError without text."""
    if not file.is_file():
        raise UsageError(f"--bases {file}: there is no such file; name one with a pair IMAGE=IMAGE in each line")
    lines = (line.strip() for line in folders.text(file).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _has_changed(origin: Mapping[str, str]) -> bool:
    folder = Path(origin["folder"])
    try:
        return folder.is_dir() and folders.digest(folder) != origin["digest"]
    except (ConfigError, OSError):
        return False


def _refuse_other_folders(root: Path, folder: Path) -> None:
    """Raise UsageError for what can be no entry's folder."""
    lab, path = root.resolve(), folder.resolve()
    if not path.is_dir():
        raise UsageError(f"{folder} is not a folder; name one that has a {CONFIG}")
    if lab.is_relative_to(path):
        raise UsageError(f"{folder} has the lab itself in it; name the folder of an entry")
    if path.is_relative_to(lab / COPIES):
        raise UsageError(f"{folder} is the lab's own; name the folder of an entry")
    if not (path / CONFIG).exists():
        raise UsageError(f"{folder} has no {CONFIG}; name a folder that has one")


def _refuse_name(request: Request, taken: Mapping[str, str]) -> None:
    """Raise UsageError for a name that was asked for and cannot be had."""
    if not request.name:
        return
    if not tfb.is_name(request.name):
        raise UsageError(f"--as {tfb.printable(request.name)}: that {tfb.NO_NAME}")
    if owner := taken.get(request.name.lower()):
        raise UsageError(f"--as {request.name}: {owner} has that name already; choose another")


def _entry(request: Request, name: str, candidate: Candidate, taken: Mapping[str, str]) -> AdoptedEntry:
    """Return the candidate as an entry of this name, with what its dockerfile says.

    Raises ConfigError where it cannot have the name, or its dockerfile cannot be used.
    """
    if not tfb.is_name(name):
        raise ConfigError(f"that {tfb.NO_NAME}; --as gives the framework another name")
    if owner := taken.get(name.lower()):
        raise ConfigError(f"{owner} has that name already; give another with --as, or leave it out with --test")
    text = folders.text_within(request.folder, candidate.dockerfile)
    try:
        dockerfile = dockerfiles.parse(text, registry.build_arguments(candidate))
    except ConfigError as error:
        raise ConfigError(f"{candidate.dockerfile}: {error}") from error
    if not dockerfile.has_from:
        raise ConfigError(f"{candidate.dockerfile} has no FROM; add one")
    stand_ins = {**request.optional_stand_ins, **request.stand_ins}
    used = {image: stand_ins[image] for image in dockerfile.bases if image in stand_ins}
    return AdoptedEntry(
        name, candidate, dockerfile.replaced(used), dockerfile.bases, used, dockerfile.buildkit_features
    )


def _refuse_unused(stand_ins: Mapping[str, str], entries: Iterable[AdoptedEntry]) -> None:
    bases = dict.fromkeys(image for entry in entries for image in entry.bases)
    if unused := [image for image in stand_ins if image not in bases]:
        raise UsageError(f"--base {', '.join(unused)}: no dockerfile starts from it; there is {', '.join(bases)}")


def _taken(root: Path, folder: Path) -> dict[str, str]:
    """Return who has which name, in small letters; what was adopted from the same folder may be adopted again."""
    own = {name.lower(): "compose.yaml" for name in registry.templates(root)[SERVICES]}
    origins = {name.lower(): origin["folder"] for name, origin in registry.read(root)[ORIGINS].items()}
    return own | {name: owner for name, owner in origins.items() if owner != str(folder.resolve())}


def _repository_and_tag(image: str) -> tuple[str, str]:
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")
