"""The facts of a run's manifest that describe lab, engine, images and tools; unknown is "unavailable"."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchlab import __version__
from benchlab.engine import checkout, compose
from benchlab.engine.engine import Engine
from benchlab.records.facts import UNAVAILABLE, Facts

REMOTE = ("https", "http", "ssh", "git")
# git@host:owner/repository.git, whose name before the @ is no secret.
SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^@\s]+")


def facts(root: Path, engine: Engine, debian_image: str) -> Facts:
    """Return what a reader must know of lab, engine and tools to judge the run's numbers."""
    info, version = engine.info(), engine.version()
    parts = {part.get("Name"): part.get("Version", UNAVAILABLE) for part in version.get("Components") or ()}
    return Facts.of(
        {
            "lab_version": __version__,
            "lab_commit": checkout.commit(root),
            "lab_branch": checkout.branch(root),
            "lab_repository": repository(checkout.remote(root)),
            "lab_changed_files": checkout.changed_files(root),
            "argv": sys.argv[1:],
            "python": platform.python_version(),
            "compose": compose.compose_version(),
            "engine_id": info.get("ID", UNAVAILABLE),
            "engine_version": version.get("Version", UNAVAILABLE),
            "engine_containerd": parts.get("containerd", UNAVAILABLE),
            "engine_runc": parts.get("runc", UNAVAILABLE),
            "engine_os": info.get("OperatingSystem", UNAVAILABLE),
            "engine_kernel": info.get("KernelVersion", UNAVAILABLE),
            "engine_architecture": info.get("Architecture", UNAVAILABLE),
            "engine_cpus": info.get("NCPU", UNAVAILABLE),
            "engine_memory_bytes": info.get("MemTotal", UNAVAILABLE),
            "engine_cgroup_version": info.get("CgroupVersion", UNAVAILABLE),
            "engine_storage_driver": info.get("Driver", UNAVAILABLE),
            "base_image_from": debian_image,
            "base_image_id": engine.image_id(debian_image) or UNAVAILABLE,
        }
    )


def summary(engine: Engine | None) -> str:
    """Return in a few words what the engine reports of its host, before anything runs on it."""
    if engine is None:
        return "this machine, on which no Docker engine answers"
    info = engine.info()
    memory = f"{int(info.get('MemTotal', 0)) / 1024**3:.1f} GiB of memory"
    return f"{memory}, {info.get('OperatingSystem', UNAVAILABLE)}, Docker {info.get('ServerVersion', UNAVAILABLE)}"


def repository(remote: str) -> str:
    """Return the address of a git remote without names and passwords; a folder of this machine is none."""
    parts = urlsplit(remote)
    if parts.scheme in REMOTE and parts.hostname:
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, place, parts.path, "", ""))
    return remote if SCP_LIKE.fullmatch(remote) else UNAVAILABLE
