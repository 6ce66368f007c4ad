"""Makes a bare machine ready: an engine that answers, and Compose."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from benchlab.core.errors import EngineError, NoEngineError, SetupError
from benchlab.engine import process
from benchlab.engine.compose import NO_COMPOSE, compose_command
from benchlab.engine.engine import Engine, is_engine_named

ENGINE_START_S = 60
# From Debian 13 on the docker client is a package of its own, which Docker and Compose only recommend.
CLIENT_PACKAGES = ("docker-cli",)

Say = Callable[[str], None]
# What unpacked packages and the archive of them take together: more than /tmp has where that is memory.
ON_DISK, BOOTSTRAP_BYTES = Path("/var/tmp"), 600_000_000
# The release of Debian that the lab's own images start from.
RELEASE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# A Debian like the registry's slim one, with its archives of updates and of security.
BOOTSTRAP = (
    *("mmdebstrap", "--mode=root", f"--keyring={KEYRING}", "--variant=minbase"),
    *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*"),
    *("--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*"),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)
# What images/base installs anyway: it unpacks faster here than in a build.
INCLUDED = {RELEASE: "ca-certificates,python3,python3-venv"}
# What apt says of an index that is older than it may be; it has checked the signature before.
EXPIRED = "is expired"
ANY_AGE = '--aptopt=Acquire::Check-Valid-Until "false"'


def engine(project: str, say: Say) -> Engine:
    """Return the engine that answers, after starting or installing one where this machine can. Raises SetupError."""
    try:
        return Engine.connect(project)
    except NoEngineError:
        # An engine that was named, and does not answer, is not replaced by another.
        if is_engine_named() or not is_debian_root():
            raise
    if shutil.which("dockerd") is None:
        say("no Docker engine on this machine")
        apt_install(["docker.io"], say, if_any=CLIENT_PACKAGES)
    say("no Docker engine answers: starting the daemon")
    _start_daemon()
    return _wait_for_engine(project)


def compose(project: str, say: Say) -> None:
    """Make sure that a Compose runs, after installing one where this machine can.

    Raises SetupError, also for a missing engine: one remedy serves both.
    """
    try:
        compose_command()
    except SetupError as error:
        if not is_debian_root():
            raise without_compose(project) from error
        # Without what it recommends: that is an engine, and the caller may have one elsewhere.
        apt_install(["--no-install-recommends", *_compose_packages()], say, if_any=CLIENT_PACKAGES)
        compose_command.cache_clear()
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


def is_debian_root() -> bool:
    return Path("/etc/debian_version").exists() and os.geteuid() == 0


def _compose_packages() -> tuple[str, ...]:
    """Return what Compose is called here: Ubuntu has v2 under a name of its own."""
    if "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8"):
        return ("docker-compose-v2", "docker-buildx")
    return ("docker-compose",)


def apt_install(arguments: Collection[str], say: Say, if_any: Collection[str] = ()) -> None:
    """Install what the arguments name, and of `if_any` the packages that this machine's Debian has.

    Raises SetupError.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    named = [argument for argument in arguments if not argument.startswith("-")]
    say(f"installing {', '.join(named)} from this machine's packages; a signal waits until that is done")
    process.whole(["apt-get", "update", "-qq"], environment)
    more = [package for package in if_any if _is_there(package)]
    process.whole(["apt-get", "install", "-qq", "--yes", *arguments, *more], environment)


def _is_there(package: str) -> bool:
    """Return whether apt knows the package as one of its own."""
    result = subprocess.run(["apt-cache", "show", "--quiet", package], capture_output=True)
    return result.returncode == 0 and bool(result.stdout.strip())


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


def local(on: Engine, release: str = RELEASE) -> str | None:
    """Return the image of a Debian release that the engine has and images/base can start from, or None."""
    names = (":".join(image) for image in (_slim(release), _bootstrapped(release)))
    return next((name for name in names if on.image_id(name)), None)


def fetch(on: Engine, say: Say, release: str = RELEASE) -> str:
    """Bring the image of a Debian release to the engine, from its registry or bootstrapped: its name.

    Raises SetupError.
    """
    slim = ":".join(_slim(release))
    try:
        on.pull(*_slim(release))
        return slim
    except EngineError as error:
        say(f"{slim} cannot be pulled: bootstrapping it from Debian's packages")
        _bootstrap(on, release, str(error), say)
        return ":".join(_bootstrapped(release))


def _slim(release: str) -> tuple[str, str]:
    return "debian", f"{release}-slim"


def _bootstrapped(release: str) -> tuple[str, str]:
    return "benchlab/debian", release


def workplace(environment: Mapping[str, str]) -> Path:
    """Return the folder to bootstrap in, on a disk: /tmp is memory on many a machine.

    Raises SetupError where it has no room.
    """
    place = Path(environment.get("TMPDIR") or ON_DISK)
    try:
        free_bytes = shutil.disk_usage(place).free
    except OSError as error:
        raise SetupError(f"{place} cannot be used ({error.strerror}); set TMPDIR to a folder that can") from error
    if free_bytes < BOOTSTRAP_BYTES:
        raise SetupError(
            f"bootstrapping Debian needs {BOOTSTRAP_BYTES / 1e6:,.0f} MB, and {place} has {free_bytes / 1e6:,.0f} MB "
            "free; make room there, or set TMPDIR to a folder that has it"
        )
    return place


def _bootstrap(on: Engine, release: str, why: str, say: Say) -> None:
    if not is_debian_root():
        raise SetupError(
            f"{why}; reach a registry that has {':'.join(_slim(release))}, or run this command as root on a "
            "Debian-family machine, where the lab bootstraps it"
        )
    place = workplace(os.environ)
    if shutil.which(BOOTSTRAP[0]) is None or not KEYRING.exists():
        apt_install(["--no-install-recommends", BOOTSTRAP[0], "debian-archive-keyring"], say)
    with tempfile.TemporaryDirectory(prefix="benchlab-", dir=place) as folder:
        archive = Path(folder, "rootfs.tar")
        unpack(release, archive, {**os.environ, "TMPDIR": str(place)}, say)
        on.load_rootfs(archive, *_bootstrapped(release))


def unpack(release: str, archive: Path, environment: Mapping[str, str], say: Say) -> None:
    """Make a tar file of a Debian release's root file system. Raises SetupError.

    The index of a testing release is valid for a week, and a mirror may be behind: that is told, and is no obstacle.
    """
    included = INCLUDED.get(release, "ca-certificates")
    command, to = [*BOOTSTRAP, f"--include={included}"], [release, str(archive)]
    # Run whole: cut off, it could leave the host's /proc mounted in a folder that is about to be removed.
    try:
        process.whole([*command, *to], environment)
    except SetupError as error:
        if EXPIRED not in str(error):
            raise
        say(f"the index of Debian {release} is past its date, so the mirror is behind; its signature counts")
        process.whole([*command, ANY_AGE, *to], environment)
