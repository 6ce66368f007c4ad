"""The registry of adopted entries, compose.adopted.yaml: what the stanza of one says, and the file that has them all.

A stanza is what compose.yaml gives its own entries, with the rights that the format needs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchlab.core.errors import ConfigError
from benchlab.engine.compose import ADOPTED, escaped
from benchlab.experiment import stack
from benchlab.experiment.stack import PREFIX
from benchlab.records.plan import PORT
from benchlab.techempower import folders, tfb
from benchlab.techempower.tfb import Candidate

HEADER = "# Written by `python lab.py adopt`, and merged into compose.yaml: change nothing here.\n"
# Stanzas and origins, each by the entry's name; Compose ignores keys that begin as the latter's.
SERVICES, ORIGINS = "services", "x-adopted"
PROXY = "nginx"
# The parts of compose.yaml that a stanza is made of.
TEMPLATES = ("x-proxy", "x-entry", "x-labels")
# Where the copies of the folders are; git ignores them, as it does the stanzas.
COPIES = "adopted"
IMAGE = "benchlab/adopted"
# What an image of the format cannot do with: it runs as root, and writes where it lies. Nor does it read the lab's
# environment, which would change it where it does.
OMITTED_KEYS = ("user", "read_only", "tmpfs", "environment", "labels")
# What a root needs that hands its work down to another user, as nginx does: to become it, to give it files and to take
# them back, to end it. All of it within the container.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID")
# More than any server needs, and too few to bring a host down.
MAX_PROCESSES = 16_384
# What the format promises its entries: as many open files, and this setting of their own network.
OPEN_FILES = 200_000
SYSCTLS = {"net.core.somaxconn": "65535"}
# What the format's builds are given as the name of the machine.
BENCHMARK_ENV = "benchlab"


@dataclass(frozen=True)
class Grants:
    """What the engine grants a container beyond what it gives by itself."""

    open_files: int
    sysctls: Mapping[str, str]


@dataclass(frozen=True)
class AdoptedEntry:
    """A test of the format as an entry: its name here, and its dockerfile as it is built.

    `bases` are the images that the dockerfile of its authors starts from; `stand_ins` those that stand for some;
    `buildkit_features` what in it only BuildKit understands.
    """

    name: str
    candidate: Candidate
    dockerfile: str
    bases: tuple[str, ...]
    stand_ins: Mapping[str, str]
    buildkit_features: tuple[str, ...] = ()

    @property
    def pulled(self) -> tuple[str, ...]:
        """Return the images that it starts from as its authors have it."""
        return tuple(image for image in self.bases if image not in self.stand_ins)

    def __str__(self) -> str:
        replaced = ", ".join(f"{new} for {old}" for old, new in self.stand_ins.items())
        parts = [
            f"{self.name}: {', '.join(self.candidate.tests)}",
            f"port {self.candidate.port}",
            replaced,
            "" if self.bases else "from scratch, no image",
        ]
        return "; ".join(filter(None, parts))


def read(root: Path) -> dict[str, Any]:
    """Return the stanzas of the adopted entries, and folder and digest of their origins. Raises ConfigError."""
    path = root / ADOPTED
    content = _yaml(path) if path.exists() else {}
    origins, services = content.get(ORIGINS) or {}, content.get(SERVICES) or {}
    try:
        entries = {name: service for name, service in services.items() if name != PROXY}
        proxy_stanza(entries)
        sources = [origin["folder"] + origin["digest"] for origin in origins.values()]
        valid = entries.keys() == origins.keys() and all(sources) and all(map(tfb.is_name, entries))
    except (AttributeError, KeyError, TypeError, ValueError):
        valid = False
    if not valid:
        raise ConfigError(f"{path} is not as adopt wrote it; remove it, and adopt again")
    return {ORIGINS: origins, SERVICES: entries}


def write(root: Path, content: dict[str, Any]) -> None:
    """Write what `read` returned, with the ports that nginx must pass on to; without an entry the file is removed.

    Raises ConfigError.
    """
    path, draft = root / ADOPTED, root / f"{ADOPTED}.draft"
    services, proxy = content[SERVICES], proxy_stanza(content[SERVICES])
    whole = {**content, SERVICES: services | ({PROXY: proxy} if proxy else {})}
    with folders.usable_files():
        if not services:
            path.unlink(missing_ok=True)
            return
        draft.write_text(HEADER + yaml.safe_dump(whole, sort_keys=True), encoding="utf-8")
        draft.replace(path)


def templates(root: Path) -> dict[str, Any]:
    """Return compose.yaml as it is written, with its variables. Raises ConfigError."""
    content = _yaml(root / "compose.yaml")
    if missing := [key for key in (SERVICES, *TEMPLATES) if not content.get(key)]:
        raise ConfigError(
            f"compose.yaml: {', '.join(missing)} is missing, and adopted entries are made of it; restore it"
        )
    return content


def build_arguments(candidate: Candidate) -> dict[str, str]:
    """Return the build arguments that the format promises."""
    return {
        "BENCHMARK_ENV": BENCHMARK_ENV,
        "TFB_TEST_NAME": candidate.name,
        "TFB_TEST_DATABASE": candidate.database,
    }


def stanza(entry: AdoptedEntry, templates: Mapping[str, Any], grants: Grants) -> dict[str, Any]:
    """Return the entry's stanza as Compose reads it; `templates` are those of compose.yaml, as they are written."""
    candidate = entry.candidate
    arguments = {name: escaped(text) for name, text in build_arguments(candidate).items()}
    keys = {
        **{key: value for key, value in templates["x-entry"].items() if key not in OMITTED_KEYS},
        "image": f"{IMAGE}:{entry.name}",
        "build": {
            "context": f"{COPIES}/{entry.name}",
            "dockerfile": folders.DOCKERFILE,
            "args": {**templates["x-proxy"], **arguments},
        },
        "cap_add": list(CAPABILITIES),
        "pids_limit": MAX_PROCESSES,
        "ulimits": {"nofile": {"soft": grants.open_files, "hard": grants.open_files}},
        # The image's own would run while samples are taken.
        "healthcheck": {"disable": True},
        "labels": {**templates["x-labels"], **{PREFIX + name: escaped(text) for name, text in _labels(entry)}},
        "command": [escaped(word) for word in candidate.command],
        "sysctls": dict(grants.sysctls),
    }
    # An empty list or map says no more than none; and what stanzas share would be written as a reference.
    return {key: copy.deepcopy(value) for key, value in keys.items() if value not in ([], {})}


def proxy_stanza(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the proxy's stanza must say of the entries' ports; nothing where all have the usual one."""
    ports = sorted({PORT, *(int(service["labels"][f"{PREFIX}port"]) for service in services.values())})
    return {} if ports == [PORT] else {"environment": {"ENTRY_PORTS": " ".join(map(str, ports))}}


def _labels(entry: AdoptedEntry) -> Iterator[tuple[str, str]]:
    candidate, about = entry.candidate, entry.candidate.about
    has_database = candidate.database != tfb.NO_DATABASE
    server = next((about[key] for key in ("webserver", "platform") if _is_given(about.get(key))), stack.UNSTATED)
    yield "origin", stack.ADOPTED
    # A run where no entry is named stays as long as it was.
    yield "default", "no"
    yield "framework", about.get("framework") or candidate.name
    yield "orm", about.get("orm", stack.UNSTATED).lower() if has_database else tfb.NO_DATABASE
    yield "driver", stack.UNSTATED if has_database else tfb.NO_DATABASE
    yield "server", server
    yield from ((name, stack.UNSTATED) for name in ("loop", "json"))
    yield from ((name, stack.OWN) for name in ("workers", "pool", "connections"))
    yield "tests", " ".join(candidate.tests)
    yield "port", str(candidate.port)
    yield from ((f"path.{test}", path) for test, path in candidate.tests.items())
    yield "tfb.project", candidate.project
    yield from ((f"tfb.{key}", text) for key, text in about.items())
    if own := [image for image in entry.pulled if image.partition(":")[0] in stack.BASES]:
        yield "builds-on", " ".join(own)
    if entry.buildkit_features:
        yield "buildkit", ", ".join(entry.buildkit_features)
    if entry.stand_ins:
        yield "base", " ".join(f"{old}{stack.STANDS_FOR}{new}" for old, new in entry.stand_ins.items())


def _is_given(text: str | None) -> bool:
    return text is not None and text.lower() not in ("", "none")


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(folders.text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML ({' '.join(str(error).split())[:200]}); fix it") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} has no stanzas; fix it")
    return content
