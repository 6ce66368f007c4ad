"""Makes a bare machine ready: an engine that answers, Compose, and images that are up to date."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from benchlab.core import stack
from benchlab.core.errors import EngineError, NoEngineError, SetupError
from benchlab.machine import connection, process, topology
from benchlab.machine.compose import NO_COMPOSE, compose_command
from benchlab.machine.engine import Engine
from benchlab.machine.topology import Topology
from benchlab.tables import terminal

DEBIAN = ("debian", "trixie-slim")
BOOTSTRAPPED = ("benchlab/debian", "trixie")
CERTIFICATES = "usr/local/share/ca-certificates"
# A Debian like the registry's slim one, with its archives of updates and of security. What images/base installs anyway
# is in it, because it unpacks faster here than in a build.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BOOTSTRAP = (
    *("mmdebstrap", "--mode=root", f"--keyring={KEYRING}"),
    *("--variant=minbase", "--include=ca-certificates,python3,python3-venv"),
    *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*"),
    *("--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*"),
    *("--dpkgopt=path-include=/usr/share/doc/*/copyright", BOOTSTRAPPED[1]),
)
ENGINE_START_S = 60

Say = Callable[[str], None]


def engine(project: str, say: Say) -> Engine:
    """Return the engine that answers, after starting or installing one where this machine can. Raises SetupError."""
    try:
        return Engine.connect(project)
    except NoEngineError:
        # An engine that was named, and does not answer, is not replaced by another.
        if connection.is_named() or not _debian_root():
            raise
    if shutil.which("dockerd") is None:
        say("no Docker engine on this machine")
        _apt_install(["docker.io"], say)
    say("no Docker engine answers: starting the daemon")
    _start_daemon()
    return _wait_for_engine(project)


def compose(project: str, say: Say) -> None:
    """Make sure that a Compose runs, after installing one where this machine can.

    Raises SetupError, which tells of a missing engine too: one remedy serves both.
    """
    try:
        compose_command()
    except SetupError as error:
        if not _debian_root():
            raise without_compose(project) from error
        # Without what it recommends: that is an engine, and the caller may have one elsewhere.
        _apt_install(["--no-install-recommends", *_compose_packages()], say)
        compose_command()


def without_compose(project: str) -> SetupError:
    """Return the error of a machine that has no Compose, and maybe no engine either, and installs nothing by itself."""
    try:
        Engine.connect(project)
    except NoEngineError:
        lacking, wanted = f"{NO_COMPOSE}, and no Docker engine answers", "Docker with Compose"
    else:
        lacking, wanted = NO_COMPOSE, "Compose"
    return SetupError(
        f"{lacking}; install {wanted}, or run this as root on a Debian-family machine, where the lab installs it"
    )


def images(resolved: Topology, on: Engine, services: Collection[str], state: Path, say: Say) -> dict[str, str]:
    """Bring the services' images up to date, and return why entries have none, by name.

    What an image was built from is kept in `state`: where nothing changed, nothing is built.
    Raises SetupError where it is no entry that cannot be built.
    """
    with _usable_files():
        built = _Built(state, str(on.info()["ID"]))
        _copy_own_certificates(resolved.root)
        _ensure(resolved, on, {topology.BASE: ""}, built, say)
        base = on.image_id(resolved.image(topology.BASE)) or ""
        others = {service: _origins(resolved, on, service) for service in sorted(services)}
        return _ensure(resolved, on, {service: " ".join([base, *ids]) for service, ids in others.items()}, built, say)


def sources(resolved: Topology, services: Iterable[str]) -> dict[str, str]:
    """Return a digest of what the images of base and services would be built from now. Raises SetupError."""
    with _usable_files():
        _copy_own_certificates(resolved.root)
        return {service: resolved.sources(service) for service in [topology.BASE, *services]}


def remove_images(resolved: Topology, on: Engine, state: Path) -> list[str]:
    """Remove the images that the lab made, and return their names; Debian's own, where it was pulled, stays.

    Those of versions and of calibration, which compose.yaml does not name, are known from `state`.
    """
    for image_id in _Built(state, str(on.info()["ID"])).others(resolved.services):
        with suppress(EngineError):  # another image may start from it: then it has a name, and goes with that
            on.remove_image(image_id)
    # The images that others start from go last.
    others = [resolved.image(service) for service in resolved.services if service != topology.BASE]
    names = [*others, resolved.image(topology.BASE), ":".join(BOOTSTRAPPED)]
    return [name for name in names if on.remove_image(name)]


def local_debian(on: Engine) -> str | None:
    """Return the Debian image that the engine has and images/base can start from, or None."""
    names = (":".join(image) for image in (DEBIAN, BOOTSTRAPPED))
    return next((name for name in names if on.image_id(name)), None)


def fetch_debian(on: Engine, say: Say) -> str:
    """Bring a Debian image to the engine, from its registry or bootstrapped: its name. Raises SetupError."""
    try:
        on.pull(*DEBIAN)
        return ":".join(DEBIAN)
    except EngineError as error:
        say(f"{':'.join(DEBIAN)} cannot be pulled: bootstrapping it from Debian's packages")
        _bootstrap(on, str(error), say)
        return ":".join(BOOTSTRAPPED)


class _Built:
    """The memory of what each image of an engine was built from: a small JSON file."""

    def __init__(self, path: Path, engine_id: str):
        self._path, self._engine_id = path / "built.json", engine_id
        try:
            self._known: dict[str, dict[str, list[str]]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def current(self, service: str, inputs: str, image_id: str | None) -> bool:
        return self._known.get(self._engine_id, {}).get(service) == [inputs, image_id]

    def remember(self, service: str, inputs: str, image_id: str) -> None:
        self._known.setdefault(self._engine_id, {})[service] = [inputs, image_id]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._known, indent=1), encoding="utf-8")

    def others(self, services: Collection[str]) -> list[str]:
        """Return the ids of the images that were built for other services than these."""
        known = self._known.get(self._engine_id, {})
        return [image_id for service, (_, image_id) in known.items() if service not in services]

    @property
    def log(self) -> Path:
        return self._path.with_name("build.log")


def _origins(resolved: Topology, on: Engine, service: str) -> list[str]:
    """Return the ids of the images that an adopted entry starts from instead of what its dockerfile says."""
    stand_ins = stack.stand_ins(resolved.labels(service)).values()
    return [on.image_id(image) or "" for image in dict.fromkeys(stand_ins)]


def _ensure(resolved: Topology, on: Engine, origins: Mapping[str, str], built: _Built, say: Say) -> dict[str, str]:
    """Build the services whose inputs changed or whose image is gone, and return why entries cannot be built, by name.

    `origins` are the services, each with the id of what it starts from. What an old build leaves unnamed is removed.
    """
    before = {service: on.image_id(resolved.image(service)) for service in origins}
    inputs = {service: resolved.inputs(service, origin) for service, origin in origins.items()}
    stale = [service for service in origins if not built.current(service, inputs[service], before[service])]
    if not stale:
        return {}
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
    return failed


def _build(resolved: Topology, services: Collection[str], built: _Built, say: Say) -> dict[str, str]:
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
    told, *log = str(error).splitlines()
    return " ".join([told, *log[-1:]])


@contextmanager
def _usable_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"{error.filename} cannot be used ({error.strerror}); mend its owner or rights") from error


def _copy_own_certificates(root: Path) -> None:
    copy_certificates(Path("/", CERTIFICATES), root / "images/base/rootfs" / CERTIFICATES)


def copy_certificates(source: Path, target: Path) -> None:
    """Make the extra CA certificates of this machine, in `source`, and no others, those of the base image."""
    found = (path for path in source.rglob("*.crt") if path.is_file())
    wanted = {"-".join(path.relative_to(source).parts): path.read_bytes() for path in found}
    for old in target.glob("*.crt"):
        if old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        (target / name).write_bytes(content)
        (target / name).chmod(0o644)


def _bootstrap(on: Engine, why: str, say: Say) -> None:
    if not _debian_root():
        raise SetupError(
            f"{why}; reach a registry that has {':'.join(DEBIAN)}, or run `make setup` as root on a "
            "Debian-family machine, which bootstraps it"
        )
    if shutil.which(BOOTSTRAP[0]) is None or not KEYRING.exists():
        _apt_install(["--no-install-recommends", BOOTSTRAP[0], "debian-archive-keyring"], say)
    with tempfile.TemporaryDirectory(prefix="benchlab-") as folder:
        archive = Path(folder, "rootfs.tar")
        # Run whole: cut off, it could leave the host's /proc mounted in a folder that is about to be removed.
        process.whole([*BOOTSTRAP, str(archive)])
        on.load_rootfs(archive, *BOOTSTRAPPED)


def _debian_root() -> bool:
    return Path("/etc/debian_version").exists() and os.geteuid() == 0


def _compose_packages() -> tuple[str, ...]:
    """Return what Compose is called here: Ubuntu has v2 under a name of its own."""
    if "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8"):
        return ("docker-compose-v2", "docker-buildx")
    return ("docker-compose",)


def _apt_install(arguments: Collection[str], say: Say) -> None:
    packages = ", ".join(argument for argument in arguments if not argument.startswith("-"))
    say(f"installing {packages} from this machine's packages; a signal waits until that is done")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    process.whole(["apt-get", "update", "-qq"], environment)
    process.whole(["apt-get", "install", "-qq", "--yes", *arguments], environment)


def _start_daemon() -> None:
    if Path("/run/systemd/system").exists():
        process.whole(["systemctl", "start", "docker"])
    elif shutil.which("service"):
        process.whole(["service", "docker", "start"])
    else:
        raise SetupError("Docker is installed, but neither systemctl nor service is there to start it; start dockerd")


def _wait_for_engine(project: str) -> Engine:
    deadline = time.monotonic() + ENGINE_START_S
    while True:
        try:
            return Engine.connect(project)
        except NoEngineError as error:
            if time.monotonic() > deadline:
                raise SetupError(f"the Docker daemon was started, but {error}; see its log") from error
            time.sleep(0.5)
