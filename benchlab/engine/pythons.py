"""Base images with another Python: where each Python is to be had, and the image that entries can start from.

All are built from images/base, as benchlab/base is: an entry that starts from one of them is built and run alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchlab.core.errors import EngineError, SetupError
from benchlab.engine import building, compose, provision, topology
from benchlab.engine.engine import Engine, engine_address
from benchlab.engine.provision import Say
from benchlab.engine.topology import BASE, Topology
from benchlab.experiment import interpreters
from benchlab.experiment.interpreters import Interpreter

# The testing release has several Pythons side by side, so that levels differ in their Python and not in the C library,
# OpenSSL or compiler. It drops old ones, which the stable release may still have.
RELEASES = ("forky", provision.RELEASE)
# What apt says of a package that the archive does not have.
NO_PACKAGE = re.compile(r"E: (Unable to locate package|Package '.*' has no installation candidate)")
# What a Python says of itself, as JSON.
PROBE = """
import json, platform, sys, sysconfig
jit, pypy = getattr(sys, "_jit", None), getattr(sys, "pypy_version_info", None)
print(json.dumps({
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "own_version": ".".join(map(str, pypy[:3])) if pypy else platform.python_version(),
    "build": sys.version.split("[")[-1].rstrip("]"),
    "is_free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "has_jit": bool(jit and jit.is_available()),
}))
"""


@dataclass(frozen=True)
class PythonBase:
    """The name of a base image with another Python, and in a phrase where that Python came from."""

    image: str
    origin: str


@dataclass(frozen=True)
class Official:
    """An image that has a Python: a registry's, or one that the user made and called so."""

    repository: str
    tag: str
    program: str = "python3"
    packages: str = ""

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tag}"

    def local(self, on: Engine) -> str | None:
        """Return the image's name where the engine has it."""
        return self.name if on.image_id(self.name) else None

    def fetch(self, on: Engine, say: Say) -> str:
        """Bring the image to the engine: its name. Raises SetupError."""
        try:
            on.pull(self.repository, self.tag)
        except EngineError as error:
            raise SetupError(str(error)) from error
        return self.name

    def refusal(self, why: str) -> str:
        """Return in a line why the Python cannot be taken from here."""
        return _line(why)


@dataclass(frozen=True)
class Packaged:
    """A Debian release, whose archive may have the Python: `program` starts it, and names its package."""

    release: str
    program: str

    @property
    def name(self) -> str:
        return f"Debian {self.release}'s {self.program}"

    @property
    def packages(self) -> str:
        return f"{self.program} {self.program}-venv"

    def local(self, on: Engine) -> str | None:
        """Return the name of the release's image where the engine has it."""
        return provision.local(on, self.release)

    def fetch(self, on: Engine, say: Say) -> str:
        """Bring the release's image to the engine: its name. Raises SetupError."""
        return provision.fetch(on, say, self.release)

    def refusal(self, why: str) -> str:
        """Return in a line why the Python cannot be taken from here."""
        return f"Debian {self.release} has no {self.program}" if NO_PACKAGE.search(why) else _line(why)


Source = Official | Packaged


def ensure(level: str, on: Engine, root: Path, say: Say) -> PythonBase:
    """Return the base image of a level such as 3.14t, after building it where it is not up to date.

    Builds disturb samples: the caller holds the engine's lease. Raises UsageError where there is no such level,
    SetupError where its Python cannot be had.
    """
    python = interpreters.of_level(level)
    return Builder(on, topology.load(root, engine_address()), root / ".lab", say).base(python)


def sources(python: Interpreter) -> Iterator[Source]:
    """Yield where the Python may be had, the best first. Debian has no free-threaded one."""
    if python.version is None:
        yield Official("pypy", "3.11-slim", program="pypy3")
    else:
        yield Official("python", f"{python.version}{'t' if python.is_free_threaded else ''}-slim")
    if not python.is_free_threaded:
        program = "pypy3" if python.version is None else f"python{python.version}"
        yield from (Packaged(release, program) for release in RELEASES)


@dataclass(frozen=True)
class Builder:
    """What base images are made with: an engine, compose.yaml, and the folder of what is known of earlier builds."""

    on: Engine
    topology: Topology
    state: Path
    say: Say

    def base(self, python: Interpreter) -> PythonBase:
        """Return the base image of the Python, which is up to date. Raises SetupError where there is none to be had."""
        for source in sources(python):
            if self._is_current(python, source):
                return self._checked(python, source)
        tried = []
        for source in sources(python):
            try:
                return self._made(python, source)
            except SetupError as error:
                tried.append(source.refusal(str(error)))
        raise SetupError(f"no Python {python.level} can be had: {'; '.join([*tried, _remedy(python)])}")

    def _is_current(self, python: Interpreter, source: Source) -> bool:
        image = source.local(self.on)
        return image is not None and building.is_current(*self._build(python, source, image), self.on, self.state)

    def _made(self, python: Interpreter, source: Source) -> PythonBase:
        """Return the base image of the Python, built of this source. Raises SetupError where that is not possible."""
        image = source.local(self.on) or source.fetch(self.on, self.say)
        if not source.packages:
            self._ask(python, source, image, source.program)
        building.update_one(*self._build(python, source, image), self.on, self.state, self.say)
        try:
            return self._checked(python, source)
        except SetupError:
            self.on.remove_image(name(python))
            raise

    def _checked(self, python: Interpreter, source: Source) -> PythonBase:
        """Return the base image that was built of this source. Raises SetupError where it has another Python."""
        seen = self._ask(python, source, name(python), "python3")
        jit = " with its JIT on" if python.has_jit else ""
        return PythonBase(name(python), f"{source.name} {seen['own_version']}{jit} ({seen['build']})")

    def _ask(self, python: Interpreter, source: Source, image: str, program: str) -> dict[str, Any]:
        """Return what the Python in an image says of itself. Raises SetupError where it is not the one asked for."""
        try:
            seen: dict[str, Any] = json.loads(self.on.run_once(image, [program, "-c", PROBE]))
        except (EngineError, ValueError) as error:
            raise SetupError(f"{source.name} has no {program} that runs: {error}") from error
        if mismatch := python.mismatch(seen):
            raise SetupError(f"{source.name} {mismatch}")
        return seen

    def _build(self, python: Interpreter, source: Source, image: str) -> tuple[Topology, str, str]:
        """Return the topology with a service for the base image, that service, and the id of what it starts from."""
        service = f"python-{python.level}"
        build = self.topology.services[BASE]["build"]
        arguments = {
            "DEBIAN_IMAGE": image,
            "PYTHON": source.program,
            "PYTHON_PACKAGES": source.packages,
            "PYTHON_JIT": "1" if python.has_jit else "",
        }
        stanza = {
            "profiles": [BASE],
            "image": name(python),
            "build": {**build, "args": {**build.get("args", {}), **arguments}},
        }
        path = compose.write({service: stanza}, self.state / f"{service}.yaml")
        more = replace(
            self.topology,
            compose=(*self.topology.compose, "--file", str(path)),
            services={**self.topology.services, service: stanza},
        )
        return more, service, str(self.on.image_id(image))


def _line(why: str) -> str:
    """Return what is known of a failure in one line: of a build, the last of its log."""
    first, *log = why.splitlines()
    return " ".join([first, *log[-1:]])


def name(python: Interpreter) -> str:
    """Return what the base image of the Python is called."""
    return f"benchlab/base:python-{python.level}"


def _remedy(python: Interpreter) -> str:
    official = next(iter(sources(python)))
    if python.is_free_threaded:
        return f"Debian has no free-threaded Python; make an image of one and call it {official.name} (docs/pythons.md)"
    return f"reach a registry that has {official.name}, or ask for another level"
