"""What is inside the containers of a run: versions, packages, settings, hashes, as far as they can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchlab.core.errors import EngineError
from benchlab.engine.endpoints import Endpoint
from benchlab.records.facts import UNAVAILABLE, Contents, Database, Facts, Host, LoadGenerator, is_unavailable

WANTED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
LOCKED = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s;]+)")
# What a Python image is made of; run in a container of its own, without the entry itself.
PYTHON = """
import importlib.metadata as metadata, json, platform, sys, sysconfig
packages = sorted(f"{found.metadata['Name']}=={found.version}" for found in metadata.distributions())
built_with_jit = "--enable-experimental-jit" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print(json.dumps({
    "python": platform.python_version(),
    "python_build": " ".join(platform.python_build()),
    "python_compiler": platform.python_compiler(),
    "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "jit": getattr(getattr(sys, "_jit", None), "is_enabled", lambda: built_with_jit)(),
    "packages": packages,
}))
"""
WRK = "wrk -v 2>&1 | head -1; cat /wrk/*.lua /wrk/*.py | sha256sum"
SETTINGS = "SELECT name, current_setting(name) FROM pg_settings WHERE source NOT IN ('default', 'override', 'client')"
CONTENT = "SELECT md5(string_agg(id || ',' || randomnumber, ';' ORDER BY id)) FROM world"
# A run looks but briefly at what is busy on the host: every sample is judged by that anyway.
GLANCE_S = "0.2"


def versions(folder: Path) -> str:
    """Return the packages that a requirements.in of the folder names, with their locked versions."""
    wanted = {_plain(match[1]) for line in _lines(folder / "requirements.in") if (match := WANTED.match(line))}
    locked = (match for line in _lines(folder / "requirements.txt") if (match := LOCKED.match(line)))
    return ", ".join(f"{match[1]} {match[2]}" for match in locked if _plain(match[1]) in wanted)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _plain(name: str) -> str:
    """Return the name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class RunsImages(Protocol):
    """What is needed of an engine."""

    def run_once(self, image: str, command: list[str]) -> str: ...


def entries(on: RunsImages, images: Mapping[str, str], kept: Path) -> dict[str, Contents]:
    """Return what each entry's image holds, by name; what is known of an image id is kept in a file."""
    known = _known(kept)
    contents = {image_id: known.get(image_id) or _python(on, image_id) for image_id in dict.fromkeys(images.values())}
    kept.parent.mkdir(parents=True, exist_ok=True)
    available = {image_id: content for image_id, content in contents.items() if content != UNAVAILABLE}
    kept.write_text(json.dumps({"asked": PYTHON, "images": available}), encoding="utf-8")
    return {name: Contents.of(contents[image_id]) for name, image_id in images.items()}


def database(at: Endpoint) -> Database:
    """Return Postgres' version, the settings that are not its defaults, and a hash of World's rows.

    The database is started where it does not run. Raises EngineError where it does not answer.
    """
    at.start()
    at.output("wait-database")
    settings = (line.partition("|") for line in _ask(at, SETTINGS).splitlines())
    return Database(
        version=_ask(at, "SHOW server_version"),
        settings={name: value for name, _, value in settings},
        world_md5=_ask(at, CONTENT),
    )


def load_generator(at: Endpoint) -> LoadGenerator:
    """Return wrk's version, and a hash of all scripts that take part in a measurement. Raises EngineError."""
    at.start()
    version, _, digest = at.output("sh", "-c", WRK).strip().partition("\n")
    return LoadGenerator(version=" ".join(version.split()[:2]), scripts_sha256=digest.split()[0])


def machine(load_generator: Endpoint, cpus: Sequence[int] = ()) -> Host:
    """Return the facts of the engine's host, as facts.py in the load generator's container sees them.

    `cpus` are those that containers may use: the load generator's own may be fewer. Raises EngineError.
    """
    command = ["python3", "/wrk/facts.py", GLANCE_S, load_generator.container_id()]
    command += [",".join(map(str, cpus))] if cpus else []
    facts: dict[str, object] = json.loads(load_generator.output(*command))
    return Host.of({name: UNAVAILABLE if value is None else value for name, value in facts.items()})


def is_blind(facts: Facts) -> bool:
    """Return whether the manifest's facts say that the containers' counters cannot be read where the load runs."""
    return is_unavailable(facts.host.fact("cgroup_tree"))


def _python(on: RunsImages, image_id: str) -> object:
    try:
        return json.loads(on.run_once(image_id, ["python3", "-c", PYTHON]))
    except (EngineError, ValueError):
        return UNAVAILABLE  # an entry need not have a Python


def _known(kept: Path) -> dict[str, Contents]:
    """Return what earlier runs learnt, by image id; nothing where they asked for something else."""
    try:
        content: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return content["images"] if content["asked"] == PYTHON else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _ask(database: Endpoint, statement: str) -> str:
    psql = ("psql", "--dbname=hello_world", "--tuples-only", "--no-align")
    return database.output(*psql, f"--command={statement}").strip()
