"""The Debian image that images/base starts from: the engine's own, a registry's, or bootstrapped."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchlab.core.errors import EngineError, SetupError
from benchlab.machine import process, provision
from benchlab.machine.engine import Engine
from benchlab.machine.provision import Say

# What unpacked packages and the archive of them take together: more than /tmp has where that is memory.
ON_DISK, BOOTSTRAP_BYTES = Path("/var/tmp"), 600_000_000
DEBIAN = ("debian", "trixie-slim")
BOOTSTRAPPED = ("benchlab/debian", "trixie")
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


def local(on: Engine) -> str | None:
    """Return the Debian image that the engine has and images/base can start from, or None."""
    names = (":".join(image) for image in (DEBIAN, BOOTSTRAPPED))
    return next((name for name in names if on.image_id(name)), None)


def fetch(on: Engine, say: Say) -> str:
    """Bring a Debian image to the engine, from its registry or bootstrapped: its name. Raises SetupError."""
    try:
        on.pull(*DEBIAN)
        return ":".join(DEBIAN)
    except EngineError as error:
        say(f"{':'.join(DEBIAN)} cannot be pulled: bootstrapping it from Debian's packages")
        _bootstrap(on, str(error), say)
        return ":".join(BOOTSTRAPPED)


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


def _bootstrap(on: Engine, why: str, say: Say) -> None:
    if not provision.is_debian_root():
        raise SetupError(
            f"{why}; reach a registry that has {':'.join(DEBIAN)}, or run `make setup` as root on a "
            "Debian-family machine, which bootstraps it"
        )
    place = workplace(os.environ)
    if shutil.which(BOOTSTRAP[0]) is None or not KEYRING.exists():
        provision.apt_install(["--no-install-recommends", BOOTSTRAP[0], "debian-archive-keyring"], say)
    with tempfile.TemporaryDirectory(prefix="benchlab-", dir=place) as folder:
        archive = Path(folder, "rootfs.tar")
        # Run whole: cut off, it could leave the host's /proc mounted in a folder that is about to be removed.
        process.whole([*BOOTSTRAP, str(archive)], {**os.environ, "TMPDIR": str(place)})
        on.load_rootfs(archive, *BOOTSTRAPPED)
