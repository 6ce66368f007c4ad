"""The stanza of an adopted entry: what compose.yaml gives its own entries, with the rights that the format needs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchlab.experiment import stack
from benchlab.experiment.stack import PREFIX
from benchlab.records.plan import PORT
from benchlab.techempower import tfb
from benchlab.techempower.tfb import Candidate

# The parts of compose.yaml that a stanza is made of.
TEMPLATES = ("x-proxy", "x-entry", "x-labels")
# Where the copies of the folders are; git ignores them, as it does the stanzas. In each, the dockerfile as it is built.
COPIES, DOCKERFILE = "adopted", "benchlab.dockerfile"
IMAGE = "benchlab/adopted"
# What an image of the format cannot do with: it runs as root, and writes where it lies. Nor does it read the lab's
# environment, which would change it where it does.
TOO_STRICT = ("user", "read_only", "tmpfs", "environment", "labels")
# What a root needs that hands its work down to another user, as nginx does: to become it, to give it files and to take
# them back, to end it. All of it within the container.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID")
# More than any server needs, and too few to bring a host down.
MOST_PROCESSES = 16_384
# What the format promises its entries: as many open files, and this setting of their own network.
OPEN_FILES = 200_000
SYSCTLS = {"net.core.somaxconn": "65535"}
# What the format's builds are told of the machine.
BENCHMARK_ENV = "benchlab"


@dataclass(frozen=True)
class Grants:
    """What the engine grants a container beyond what it gives by itself."""

    open_files: int
    sysctls: Mapping[str, str]


@dataclass(frozen=True)
class Adoptee:
    """A test of the format on its way to an entry: its name here, and its dockerfile as it is built.

    `bases` are the images that the dockerfile of its authors starts from; `stand_ins` those that stand for some;
    `needs` what in it BuildKit alone understands.
    """

    entry: str
    candidate: Candidate
    dockerfile: str
    bases: tuple[str, ...]
    stand_ins: Mapping[str, str]
    needs: tuple[str, ...] = ()

    @property
    def pulled(self) -> tuple[str, ...]:
        """Return the images that it starts from as its authors have it."""
        return tuple(image for image in self.bases if image not in self.stand_ins)

    def __str__(self) -> str:
        tests, port = ", ".join(self.candidate.tests), self.candidate.port
        told = ", ".join(f"{new} for {old}" for old, new in self.stand_ins.items())
        return "; ".join(filter(None, [f"{self.entry}: {tests}", f"port {port}", told, self._scratch]))

    @property
    def _scratch(self) -> str:
        return "" if self.bases else "from scratch, no image"


def arguments(candidate: Candidate) -> dict[str, str]:
    """Return what the format promises its builds to be told."""
    return {
        "BENCHMARK_ENV": BENCHMARK_ENV,
        "TFB_TEST_NAME": candidate.name,
        "TFB_TEST_DATABASE": candidate.database,
    }


def service(adoptee: Adoptee, templates: Mapping[str, Any], granted: Grants) -> dict[str, Any]:
    """Return the entry's stanza as Compose reads it; `templates` are those of compose.yaml, as they are written."""
    candidate = adoptee.candidate
    found = {
        **{key: value for key, value in templates["x-entry"].items() if key not in TOO_STRICT},
        "image": f"{IMAGE}:{adoptee.entry}",
        "build": {
            "context": f"{COPIES}/{adoptee.entry}",
            "dockerfile": DOCKERFILE,
            "args": {**templates["x-proxy"], **{name: _escaped(text) for name, text in arguments(candidate).items()}},
        },
        "cap_add": list(CAPABILITIES),
        "pids_limit": MOST_PROCESSES,
        "ulimits": {"nofile": {"soft": granted.open_files, "hard": granted.open_files}},
        # The image's own would run while samples are taken.
        "healthcheck": {"disable": True},
        "labels": {**templates["x-labels"], **{PREFIX + name: _escaped(text) for name, text in _labels(adoptee)}},
        "command": [_escaped(word) for word in candidate.command],
        "sysctls": dict(granted.sysctls),
    }
    # A list or map without anything says no more than none; and what stanzas share would be written as a reference.
    return {key: copy.deepcopy(value) for key, value in found.items() if value not in ([], {})}


def proxy(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the stanza of a proxy must say of the entries' ports; nothing where all have the usual one."""
    ports = sorted({PORT, *(int(service["labels"][f"{PREFIX}port"]) for service in services.values())})
    return {} if ports == [PORT] else {"environment": {"ENTRY_PORTS": " ".join(map(str, ports))}}


def _labels(adoptee: Adoptee) -> Iterator[tuple[str, str]]:
    candidate, about = adoptee.candidate, adoptee.candidate.about
    has_database = candidate.database != tfb.NO_DATABASE
    server = next((about[key] for key in ("webserver", "platform") if _is_told(about.get(key))), stack.UNTOLD)
    yield "origin", stack.ADOPTED
    # A run where no entry is named stays as long as it was.
    yield "default", "no"
    yield "framework", about.get("framework") or candidate.name
    yield "orm", about.get("orm", stack.UNTOLD).lower() if has_database else tfb.NO_DATABASE
    yield "driver", stack.UNTOLD if has_database else tfb.NO_DATABASE
    yield "server", server
    yield from ((name, stack.UNTOLD) for name in ("loop", "json"))
    yield from ((name, stack.OWN) for name in ("workers", "pool", "connections"))
    yield "tests", " ".join(candidate.tests)
    yield "port", str(candidate.port)
    yield from ((f"path.{test}", path) for test, path in candidate.tests.items())
    yield "tfb.project", candidate.project
    yield from ((f"tfb.{key}", text) for key, text in about.items())
    if own := [image for image in adoptee.pulled if image.partition(":")[0] in stack.BASES]:
        yield "builds-on", " ".join(own)
    if adoptee.needs:
        yield "buildkit", ", ".join(adoptee.needs)
    if adoptee.stand_ins:
        yield "base", " ".join(f"{old}{stack.STANDS_FOR}{new}" for old, new in adoptee.stand_ins.items())


def _is_told(text: str | None) -> bool:
    return text is not None and text.lower() not in ("", "none")


def _escaped(text: str) -> str:
    """Return what Compose reads as the text: it would take a dollar for the begin of a variable."""
    return text.replace("$", "$$")
