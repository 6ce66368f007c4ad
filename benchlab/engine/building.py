"""Images that are up to date: built where what they are built from has changed."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from benchlab.core import terminal
from benchlab.core.errors import ConfigError, EngineError, SetupError
from benchlab.engine import compose, images, topology
from benchlab.engine.engine import Engine
from benchlab.engine.provision import Say
from benchlab.engine.topology import Topology
from benchlab.experiment import stack

# Where the host's extra ones are, and the base image's.
CERTIFICATES = "usr/local/share/ca-certificates"
# What pip or Python says of a failure, maybe behind BuildKit's number and time. Compose's own lines do not say why.
CAUSE = re.compile(r"(?:#\d+ [\d.]+)?\s*(ERROR: (?!for |Service ).+|\w*(?:Error|Exception): .+)")
# How the images of the lab's own services are called.
OWN = "benchlab/"
# Of so many commits and levels the images are kept after a run: the next run with one of them need not build it.
VERSIONS_KEPT = 12


def update(resolved: Topology, on: Engine, services: Collection[str], state: Path, say: Say) -> dict[str, str]:
    """Bring the services' images up to date, and return why entries have none, by name.

    What an image was built from is kept in `state`: where nothing changed, nothing is built.
    Raises SetupError where it is no entry that cannot be built.
    """
    with _usable_files():
        built = Built(state, str(on.info()["ID"]))
        _copy_own_certificates(resolved.root)
        _ensure(resolved, on, {topology.BASE: ""}, built, say)
        base = on.image_id(resolved.image(topology.BASE)) or ""
        groundless = _ensure_bases(resolved, on, services, base, built, say)
        others = {service: _origins(resolved, on, service) for service in sorted(set(services) - groundless.keys())}
        origins = {service: " ".join([base, *ids]) for service, ids in others.items()}
        return {**groundless, **_ensure(resolved, on, origins, built, say)}


def update_one(resolved: Topology, service: str, origin: str, on: Engine, state: Path, say: Say) -> None:
    """Bring the image of one service, which is no entry, up to date; `origin` is the id of what it starts from.

    Raises SetupError.
    """
    with _usable_files():
        _copy_own_certificates(resolved.root)
        _ensure(resolved, on, {service: origin}, Built(state, str(on.info()["ID"])), say)


def is_current(resolved: Topology, service: str, origin: str, on: Engine, state: Path) -> bool:
    """Return whether `update_one` would build nothing. Raises SetupError."""
    with _usable_files():
        _copy_own_certificates(resolved.root)
        built = Built(state, str(on.info()["ID"]))
        return built.current(service, resolved.inputs(service, origin), on.image_id(resolved.image(service)))


def sources(resolved: Topology, services: Iterable[str]) -> dict[str, str]:
    """Return a digest of what the images of base and services would be built from now. Raises SetupError."""
    services = list(services)
    with _usable_files():
        _copy_own_certificates(resolved.root)
        names = [topology.BASE, *_bases(resolved, services), *services]
        return {service: resolved.sources(service) for service in names}


class Built:
    """The memory of what each image of an engine was built from: a small JSON file."""

    def __init__(self, path: Path, engine_id: str):
        self._path, self._engine_id = path / "built.json", engine_id
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            content = {}
        self._known: dict[str, dict[str, list[str]]] = content if isinstance(content, dict) else {}

    def current(self, service: str, inputs: str, image_id: str | None) -> bool:
        return self._known.get(self._engine_id, {}).get(service) == [inputs, image_id]

    def remember(self, service: str, inputs: str, image_id: str) -> None:
        self._known.setdefault(self._engine_id, {})[service] = [inputs, image_id]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._known, indent=1), encoding="utf-8")

    @property
    def ids(self) -> set[str]:
        """Return the ids of the images that were built here last."""
        return {image_id for _, image_id in self._known.get(self._engine_id, {}).values()}

    @property
    def log(self) -> Path:
        return self._path.with_name("build.log")


def _bases(resolved: Topology, services: Iterable[str]) -> list[str]:
    """Return which of the images for adopted entries the services need, each after what it starts from."""
    wanted = {image for service in services for image in _starts_from(resolved, service)}
    last = [number for number, name in enumerate(topology.ADOPTED_BASES, 1) if resolved.has_image(name, wanted)]
    return list(topology.ADOPTED_BASES[: max(last, default=0)])


def _ensure_bases(
    resolved: Topology, on: Engine, services: Collection[str], base: str, built: Built, say: Say
) -> dict[str, str]:
    """Build the images that adopted entries start from, and return why some have none to start from, by name."""
    below, left = base, _bases(resolved, services)
    while left:
        try:
            _ensure(resolved, on, {left[0]: below}, built, say)
        except SetupError as error:
            say(str(error))
            message, *log = str(error).splitlines()
            why = " ".join([message, *_cause(log)])
            missing = {resolved.image(name) for name in left}
            return {service: why for service in services if _starts_from(resolved, service) & missing}
        below = on.image_id(resolved.image(left.pop(0))) or ""
    return {}


def _starts_from(resolved: Topology, service: str) -> set[str]:
    return {image.removesuffix(":latest") for image in stack.builds_on(resolved.labels(service))}


def _origins(resolved: Topology, on: Engine, service: str) -> list[str]:
    """Return the ids of the images that an adopted entry starts from beside what its own dockerfile says.

    They are those that stand in for others, and the lab's own.
    """
    return [on.image_id(image) or "" for image in stack.builds_on(resolved.labels(service))]


def _ensure(resolved: Topology, on: Engine, origins: Mapping[str, str], built: Built, say: Say) -> dict[str, str]:
    """Build the services whose inputs changed or whose image is gone, and return why entries cannot be built, by name.

    `origins` are the services, each with the id of what it starts from. What an old build leaves unnamed is removed.
    """
    before = {service: on.image_id(resolved.image(service)) for service in origins}
    inputs, unusable = _inputs(resolved, origins)
    stale = [service for service in inputs if not built.current(service, inputs[service], before[service])]
    if not stale:
        return unusable
    started = time.monotonic()
    # Services that share an image are built as one.
    builders = {resolved.image(service): service for service in reversed(stale)}
    say(f"building {', '.join(stale)} …")
    with terminal.waiting("building", built.log, Console(stderr=True)):
        unbuilt = _build(resolved, sorted(builders.values()), built, say)
    builder = {service: builders[resolved.image(service)] for service in stale}
    failed = {service: unbuilt[builder[service]] for service in stale if builder[service] in unbuilt}
    done = [service for service in stale if service not in failed]
    if done:
        say(f"built {', '.join(done)} in {time.monotonic() - started:.0f} s")
    for service in done:
        image_id = on.image_id(resolved.image(service))
        if image_id is None:
            raise SetupError(f"building {service} left no image {resolved.image(service)}; see {built.log}")
        built.remember(service, inputs[service], image_id)
        if before[service] not in (None, image_id):
            # It may serve another checkout, or hold up a layer of another image: then it stays.
            with suppress(EngineError):
                on.remove_unnamed_image(str(before[service]))
    return {**unusable, **failed}


def _inputs(resolved: Topology, origins: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what each service is built from, and why entries cannot be built because of their files, by name.

    Raises the error of what is no entry.
    """
    inputs: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for service, origin in origins.items():
        try:
            inputs[service] = resolved.inputs(service, origin)
        except ConfigError as error:
            if not resolved.is_entry(service):
                raise
            unusable[service] = str(error)
        except OSError as error:
            if not resolved.is_entry(service):
                raise
            unusable[service] = f"{error.filename} cannot be used ({error.strerror}); fix its owner or permissions"
    return inputs, unusable


def _build(resolved: Topology, services: Collection[str], built: Built, say: Say) -> dict[str, str]:
    """Build the services, and return why entries among them cannot be, by name.

    One that fails would keep the builder from the others: then each is built by itself.
    """
    try:
        resolved.build(services, built.log)
        return {}
    except SetupError as error:
        if len(services) == 1:
            return {service: _unbuilt(resolved, service, error, say) for service in services}
    failed = {}
    for service in services:
        try:
            resolved.build([service], built.log.with_name(f"build-{service}.log"))
        except SetupError as error:
            failed[service] = _unbuilt(resolved, service, error, say)
    return failed


def _unbuilt(resolved: Topology, service: str, error: SetupError, say: Say) -> str:
    """Show the end of the build's log and return why it failed, in one line. Raises the error of what is no entry."""
    if not resolved.is_entry(service):
        raise error
    say(str(error))
    message, *log = str(error).splitlines()
    needs = resolved.labels(service).get("buildkit")
    why = [f"{needs} {compose.NEEDS_BUILDKIT};"] if needs and not resolved.has_buildkit else []
    return " ".join([*why, message, *_cause(log)])


def _cause(log: Sequence[str]) -> list[str]:
    """Return the line of a build's log that says why it failed; the last where none does, none of an empty log."""
    causes = [cause[1] for line in log if (cause := CAUSE.match(line))]
    return (causes or [line for line in log if line.strip()])[-1:]


@contextmanager
def _usable_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"{error.filename} cannot be used ({error.strerror}); fix its owner or permissions") from error


def _copy_own_certificates(root: Path) -> None:
    copy_certificates(Path("/", CERTIFICATES), root / "images/base/rootfs" / CERTIFICATES)


def copy_certificates(source: Path, target: Path) -> None:
    """Make the extra CA certificates of this machine, in `source`, and no others, those of the base image."""
    certificates = (path for path in source.rglob("*.crt") if path.is_file())
    wanted = {"-".join(path.relative_to(source).parts): path.read_bytes() for path in certificates}
    for old in target.glob("*.crt"):
        if old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        (target / name).write_bytes(content)
        (target / name).chmod(0o644)


@dataclass(frozen=True)
class Removed:
    """The names of the images that are gone; a line for each that is still used; and the names of those left alone.

    These are called as the lab's are, but nothing says that this project's lab built them.
    """

    names: tuple[str, ...]
    used: tuple[str, ...]
    unknown: tuple[str, ...]


def remove(on: Engine, state: Path) -> Removed:
    """Remove the images that this project's lab built; Debian's own, where it was pulled, stays.

    They are known by their labels, and those of versions of the lab that gave them none by what is noted in `state`.
    """
    noted = Built(state, str(on.info()["ID"])).ids
    names, used, unknown = [], [], []
    for image in on.every_image():
        if not image.names and image.id in noted:
            with suppress(EngineError):  # another image may start from it, and goes later or is not the lab's
                on.remove_unnamed_image(image.id)
        for name in image.names:
            is_called_ours = name.startswith(OWN)
            is_noted = is_called_ours and images.is_usual(name) and image.id in noted
            if image.is_built_as(name, on.project) or is_noted:
                why = on.remove_unused_image(name)
                used += [f"{name} stays: {why}"] if why else []
                names += [] if why else [name]
            elif is_called_ours:
                unknown.append(name)
    return Removed(tuple(names), tuple(used), tuple(unknown))


def prune(on: Engine, state: Path, in_use: Collection[str]) -> None:
    """Remove what was made of commits but the last few; those of which an image is `in_use` are among these."""
    images_by_commit: dict[str, list[tuple[datetime, str]]] = {}
    for image in on.every_image():
        for name in image.names:
            if (commit := images.commit(name)) and image.is_built_as(name, on.project):
                images_by_commit.setdefault(commit, []).append((on.named_at(image.id), name))
    needed = {images.commit(name) for name in in_use}
    by_age = sorted(
        images_by_commit, key=lambda commit: (commit in needed, max(images_by_commit[commit])), reverse=True
    )
    kept = by_age[: max(VERSIONS_KEPT, len(needed & set(images_by_commit)))]
    for commit in by_age[len(kept) :]:
        for _, name in images_by_commit[commit]:
            on.remove_unused_image(name)
        for folder in (state / images.COMMITS).glob(f"{commit}*"):
            shutil.rmtree(folder, ignore_errors=True)
    # A level that is made of two others leaves copies of which there is no image.
    for folder in (state / images.LEVELS).glob("*"):
        if folder.name not in (*kept, *needed):
            shutil.rmtree(folder, ignore_errors=True)


def kept_images(removed: Removed) -> list[str]:
    """Return in lines which images stay, and why."""
    if not removed.unknown:
        return list(removed.used)
    alone = (
        f"left alone: {', '.join(removed.unknown)}; no label says that this lab built them, so an older version of it "
        f"did, or somebody else; `docker rmi {' '.join(removed.unknown)}` removes them"
    )
    return [*removed.used, alone]
