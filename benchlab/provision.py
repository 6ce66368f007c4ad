"""Makes a bare machine ready: an engine that answers, Compose, and images that are up to date."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from benchlab import topology
from benchlab.engine import Engine
from benchlab.errors import EngineError, SetupError

DEBIAN = ("debian", "trixie-slim")
BOOTSTRAPPED = ("benchlab/debian", "trixie")
CERTIFICATES = Path("/usr/local/share/ca-certificates")
ENGINE_PACKAGES = ("docker.io", "docker-compose")
ENGINE_START_S = 60

Say = Callable[[str], None]


def engine(project: str, say: Say) -> Engine:
    """Return the engine that answers, after installing one where this machine can. Raises SetupError."""
    try:
        return Engine.connect(project)
    except SetupError:
        # An engine that was named, and does not answer, is not replaced by another.
        if os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT") or not _debian_root():
            raise
    say("no Docker engine answers: installing Debian's docker.io and docker-compose, and starting the daemon")
    if shutil.which("dockerd") is None:
        _apt_install(ENGINE_PACKAGES)
    _start_daemon()
    return _wait_for_engine(project)


def compose(say: Say) -> None:
    """Make sure that a Compose runs, after installing one where this machine can. Raises SetupError."""
    try:
        topology.compose_version()
    except SetupError:
        if not _debian_root():
            raise
        say("no Compose: installing Debian's docker-compose")
        _apt_install(["docker-compose"])
        topology.compose_version()


def images(lab: topology.Topology, on: Engine, services: Collection[str], state: Path, say: Say) -> dict[str, str]:
    """Bring the services' images up to date and return their ids by service.

    What an image was built from is kept in `state`: where nothing changed, nothing is built.
    Raises SetupError.
    """
    built = _Built(state, str(on.info()["ID"]))
    _copy_certificates(lab.root / "images/base/certificates")
    base = _ensure(lab, on, [topology.BASE], built, "", say)[topology.BASE]
    return _ensure(lab, on, sorted(services), built, base, say)


def image_names(lab: topology.Topology) -> list[str]:
    """Return the names of all images that the lab makes; Debian's own, where it was pulled, is not one."""
    return [
        *(lab.image(service) for service in lab.services if service != topology.BASE),
        lab.image(topology.BASE),
        ":".join(BOOTSTRAPPED),
    ]


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
        _bootstrap(on, str(error))
        return ":".join(BOOTSTRAPPED)


class _Built:
    """The memory of what each image of an engine was built from: a small JSON file."""

    def __init__(self, path: Path, engine_id: str):
        self._path, self._engine_id = path / "built.json", engine_id
        try:
            self._known: dict[str, dict[str, list[str]]] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            self._known = {}

    def current(self, service: str, inputs: str, image_id: str | None) -> bool:
        return self._known.get(self._engine_id, {}).get(service) == [inputs, image_id]

    def remember(self, service: str, inputs: str, image_id: str | None) -> None:
        self._known.setdefault(self._engine_id, {})[service] = [inputs, image_id or ""]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._known, indent=1))

    @property
    def log(self) -> Path:
        return self._path.with_name("build.log")


def _ensure(
    lab: topology.Topology, on: Engine, services: Iterable[str], built: _Built, base: str, say: Say
) -> dict[str, str]:
    """Build the services whose inputs changed, and return the image ids of all of them."""
    stale = {
        service: inputs
        for service in services
        if not built.current(service, inputs := lab.inputs(service, base), on.image_id(lab.image(service)))
    }
    if stale:
        started = time.monotonic()
        say(f"building {', '.join(stale)} …")
        lab.build(list(stale), built.log)
        say(f"built {', '.join(stale)} in {time.monotonic() - started:.0f} s")
    ids = {}
    for service in services:
        ids[service] = on.image_id(lab.image(service)) or ""
        if service in stale:
            built.remember(service, stale[service], ids[service])
    return ids


def _copy_certificates(target: Path) -> None:
    """Make the extra CA certificates of this machine, and no others, those of the base image."""
    wanted = {path.name: path.read_bytes() for path in CERTIFICATES.rglob("*.crt")} if CERTIFICATES.is_dir() else {}
    for old in target.glob("*.crt"):
        if old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        if not (target / name).is_file() or (target / name).read_bytes() != content:
            (target / name).write_bytes(content)


def _bootstrap(on: Engine, why: str) -> None:
    if not _debian_root():
        raise SetupError(
            f"{why}; reach a registry that has {':'.join(DEBIAN)}, or run `make setup` as root on a "
            "Debian-family machine, which bootstraps it"
        )
    if shutil.which("debootstrap") is None:
        _apt_install(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="benchlab-") as folder:
        rootfs, archive = Path(folder, "rootfs"), Path(folder, "rootfs.tar")
        _run(["debootstrap", "--variant=minbase", "trixie", str(rootfs)])
        _run(["tar", "--directory", str(rootfs), "--create", "--file", str(archive), "."])
        on.load_rootfs(archive, *BOOTSTRAPPED)


def _debian_root() -> bool:
    return Path("/etc/debian_version").exists() and os.geteuid() == 0


def _apt_install(packages: Iterable[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environment)
    _run(["apt-get", "install", "-qq", "--yes", *packages], environment)


def _start_daemon() -> None:
    if Path("/run/systemd/system").exists():
        _run(["systemctl", "start", "docker"])
    elif shutil.which("service"):
        _run(["service", "docker", "start"])
    else:
        raise SetupError("Docker is installed, but neither systemctl nor service is there to start it; start dockerd")


def _wait_for_engine(project: str) -> Engine:
    deadline = time.monotonic() + ENGINE_START_S
    while True:
        try:
            return Engine.connect(project)
        except SetupError as error:
            if time.monotonic() > deadline:
                raise SetupError(f"the Docker daemon was started, but {error}; see its log") from error
            time.sleep(0.5)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        said = " ".join((result.stderr or result.stdout).split())[-400:]
        raise SetupError(f"`{' '.join(command)}` failed: {said}")
