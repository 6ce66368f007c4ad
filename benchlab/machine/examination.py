"""Gathers what doctor judges: the engine's word, and the facts of its host from a container there, or from here."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchlab.core.errors import EngineError, LabError, SetupError
from benchlab.machine import capacity, compose, doctor, dotenv, lease, topology
from benchlab.machine.doctor import FATAL, FINE, UNKNOWN, WARNING, Finding
from benchlab.machine.engine import Engine

FACTS = "/wrk/facts.py"
# An engine's images, and the results of many runs.
LEAST_DISK_BYTES = 3 * 1024**3


def examine_host(root: Path) -> tuple[Mapping[str, Any], list[Finding]]:
    """Return the host's facts and all findings, the worst first. Nothing is built or changed."""
    engine, found = _reached(root)
    facts, source = _facts(root, engine)
    return facts, doctor.worst_first(
        [*found, _compose(engine), _disk("disk", root, "results"), *_kept(engine), source, *doctor.examine(facts)]
    )


def _reached(root: Path) -> tuple[Engine | None, list[Finding]]:
    """Return the engine, None where none can be used, and what is found of it."""
    try:
        engine = Engine.if_any(dotenv.project(root))
    except SetupError as error:
        return None, [Finding("engine", FATAL, str(error), "then run doctor again")]
    return engine, _engine(engine)


def _facts(root: Path, engine: Engine | None) -> tuple[dict[str, Any], Finding]:
    """Return the facts of the engine's host, or of this machine where there is no image yet to look from."""
    if engine is not None:
        try:
            image = topology.load(root, {}).image("wrk")
            if engine.image_id(image):
                facts = json.loads(engine.run_once(image, ["python3", FACTS], [capacity.CGROUP]))
                facts |= capacity.read(engine, image).facts
                facts["engine_os"] = _system(engine)
                return facts, Finding("facts", FINE, "seen from a container on the engine's host")
        except (LabError, ValueError) as error:
            return {}, Finding("facts", UNKNOWN, f"the engine's host cannot be looked at ({error})")
    printed = subprocess.run([sys.executable, str(root / "wrk/facts.py")], capture_output=True, encoding="utf-8")
    facts = json.loads(printed.stdout) if printed.returncode == 0 else {}
    # The containers' view of the cgroup tree is not this process's.
    facts["cgroup_tree"] = None
    facts["engine_os"] = _system(engine)
    remedy = "run `make setup` first; a remote engine's host may differ"
    return facts, Finding("facts", UNKNOWN, "of this machine, because the images are not built yet", remedy)


def _system(engine: Engine | None) -> str | None:
    try:
        return engine.info().get("OperatingSystem") if engine else None
    except EngineError:
        return None


def _engine(engine: Engine | None) -> list[Finding]:
    if engine is None:
        remedy = "start Docker, or set DOCKER_HOST; as root on a Debian-family machine `make setup` installs it"
        return [Finding("engine", FATAL, "no Docker engine answers", remedy)]
    try:
        if lease.is_held(engine):
            remedy = "wait until it ends; what else is said of this host holds while it is at work"
            return [Finding("containers", WARNING, "another lab is at work on this engine", remedy)]
        others = engine.neighbours()
    except EngineError as error:
        return [Finding("containers", UNKNOWN, str(error))]
    if others:
        return [Finding("containers", WARNING, f"{len(others)} others run: {', '.join(others[:5])}", "stop them")]
    return [Finding("containers", FINE, "no others run")]


def _compose(engine: Engine | None) -> Finding:
    try:
        command = compose.compose_command()
        version = compose.named(command)
    except LabError as error:
        return Finding("Compose", FATAL, str(error), "install Docker Compose")
    oldest_known = _oldest_known(engine)
    if compose.is_understood(compose.generation(command), oldest_known):
        return Finding("Compose", FINE, version)
    return Finding(
        "Compose",
        FATAL,
        f"{version} is too old for this engine, which knows no client before version {oldest_known} of its API",
        f"install Compose {compose.NEW_ENOUGH} or newer, as `docker compose`",
    )


def _oldest_known(engine: Engine | None) -> str:
    """Return the first version of the engine's API that it knows, nothing where it does not tell."""
    try:
        return str(engine.version().get("MinAPIVersion") or "") if engine else ""
    except EngineError:
        return ""


def _disk(subject: str, folder: Path, use: str) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GiB free for {use}"
    if free < LEAST_DISK_BYTES:
        return Finding(subject, WARNING, found, "make room")
    return Finding(subject, FINE, found)


def _kept(engine: Engine | None) -> list[Finding]:
    try:
        return engine_disk(engine.info()) if engine else []
    except EngineError:
        return []


def engine_disk(info: Mapping[str, Any]) -> list[Finding]:
    """Return what is free where the engine keeps its data; nothing where that is not on this host, or not to be seen.

    `info` is what the engine says of itself: another host's folder of that name would have another disk.
    """
    if info.get("Name") != platform.node() or not info.get("DockerRootDir"):
        return []
    try:
        return [_disk("engine's disk", Path(info["DockerRootDir"]), "images and containers")]
    except OSError:
        return []
