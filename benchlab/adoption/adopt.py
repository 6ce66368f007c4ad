"""Makes entries of folders in the TechEmpower format: a copy of the folder, and a stanza that Compose merges.

Nothing is written into the folder itself, nor into compose.yaml.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchlab.adoption import dockerfiles, registry, stanza, tfb
from benchlab.adoption.registry import ORIGINS, SERVICES
from benchlab.adoption.stanza import COPIES, DOCKERFILE, OPEN_FILES, SYSCTLS, Adoptee, Grants
from benchlab.adoption.tfb import CONFIG, Candidate
from benchlab.core.errors import ConfigError, UsageError
from benchlab.machine.engine import Engine

# No part of what is built.
PASSED_OVER = (".git", "__pycache__")


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
    found = tfb.suite(_read(wish.folder, CONFIG))
    candidates, refused = tfb.chosen(found, wish.tests)
    taken = _taken(root, wish.folder)
    adoptees = []
    for candidate in candidates:
        entry = (wish.name or found.framework) + candidate.name.removeprefix(found.framework)
        try:
            adoptees.append(_adoptee(wish, entry, candidate, taken))
        except ConfigError as error:
            if wish.tests:
                raise
            refused[candidate.name] = str(error)
    if not adoptees:
        raise ConfigError("; ".join(f"{name}: {why}" for name, why in refused.items()))
    _refuse_unused(wish.stand_ins, adoptees)
    return adoptees, refused


def adopt(root: Path, folder: Path, adoptees: Iterable[Adoptee], granted: Grants) -> None:
    """Copy the folder for each entry, and write the stanzas. Raises ConfigError where that cannot be done."""
    content, templates = registry.read(root), registry.templates(root)
    origin = {"folder": str(folder.resolve()), "digest": digest(folder)}
    for adoptee in adoptees:
        _copy(folder, root / COPIES / adoptee.entry, adoptee.dockerfile)
        content[SERVICES][adoptee.entry] = stanza.service(adoptee, templates, granted)
        content[ORIGINS][adoptee.entry] = dict(origin)
    registry.write(root, content)


def remove(root: Path, entry: str) -> str:
    """Remove an adopted entry's stanza and its copy, and return its image's name.

    Raises UsageError where no such entry was adopted, ConfigError for what goes wrong with files.
    """
    content = registry.read(root)
    if entry not in content[ORIGINS]:
        there = ", ".join(content[ORIGINS]) or "none"
        raise UsageError(f"--remove {entry}: no such entry was adopted; there is {there}")
    del content[ORIGINS][entry]
    del content[SERVICES][entry]
    registry.write(root, content)
    with registry.usable_files():
        shutil.rmtree(root / COPIES / entry, ignore_errors=True)
        if (root / COPIES).is_dir() and not any((root / COPIES).iterdir()):
            (root / COPIES).rmdir()
    return f"{stanza.IMAGE}:{entry}"


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
            raise UsageError(f"--base {pair}: write IMAGE=IMAGE, as in python:3.12=benchlab/base")
        found[image] = stand_in
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


def _adoptee(wish: Wish, entry: str, candidate: Candidate, taken: Mapping[str, str]) -> Adoptee:
    """Return the candidate with what its dockerfile says.

    Raises UsageError where it cannot have the name, ConfigError where its dockerfile cannot be used.
    """
    if not tfb.is_name(entry):
        raise UsageError(f"--as {wish.name}: {entry} {tfb.NO_NAME}")
    if owner := taken.get(entry.lower()):
        raise UsageError(f"{entry} is in {owner} already; give it another name with --as, or leave it out with --test")
    text = _read(wish.folder, candidate.dockerfile)
    bases = dockerfiles.bases(text)
    if not bases:
        raise ConfigError(f"{candidate.dockerfile} starts from no image: it has no FROM")
    stand_ins = {**wish.usual, **wish.stand_ins}
    used = {image: stand_ins[image] for image in bases if image in stand_ins}
    return Adoptee(entry, candidate, dockerfiles.replaced(text, used), bases, used)


def _refuse_unused(wanted: Mapping[str, str], adoptees: Iterable[Adoptee]) -> None:
    there = dict.fromkeys(image for adoptee in adoptees for image in adoptee.bases)
    if unused := [image for image in wanted if image not in there]:
        raise UsageError(f"--base {', '.join(unused)}: no dockerfile starts from it; there is {', '.join(there)}")


def _taken(root: Path, folder: Path) -> dict[str, str]:
    """Return who has which name, in small letters; what was adopted from the same folder may be adopted anew."""
    own = {name.lower(): "compose.yaml" for name in registry.templates(root)[SERVICES]}
    origins = {name.lower(): origin["folder"] for name, origin in registry.read(root)[ORIGINS].items()}
    return own | {name: home for name, home in origins.items() if home != str(folder.resolve())}


def _read(folder: Path, name: str) -> str:
    """Return the text of one of the folder's files. Raises ConfigError."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{name} leads out of {folder}")
    if not path.exists():
        raise ConfigError(f"{folder} has no {name}")
    return registry.text(path)


def _copy(folder: Path, target: Path, dockerfile: str) -> None:
    """Make a copy of the folder, which all may read, with the dockerfile as it is built. Raises ConfigError."""
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(folder, draft, symlinks=True, ignore=shutil.ignore_patterns(*PASSED_OVER))
        for path in [draft, *(path for path in draft.rglob("*") if not path.is_symlink())]:
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
        # Not over the folder's own: by way of a link that would be written in the folder itself.
        (draft / DOCKERFILE).unlink(missing_ok=True)
        (draft / DOCKERFILE).write_text(dockerfile, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise ConfigError(f"{folder} cannot be copied to {target} ({str(error)[:300]}); mend that") from error
