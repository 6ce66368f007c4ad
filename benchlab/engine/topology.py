"""compose.yaml: its entries as records, its images built, its containers made."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from benchlab.core import letters, terminal
from benchlab.core.errors import ConfigError, SetupError, UsageError
from benchlab.engine import compose, declared, images, process
from benchlab.engine.compose import (
    ADOPTED,
    ENTRY_PROFILE,
    compose_command,
    compose_environment,
    generation,
    refuse_too_old,
)
from benchlab.engine.context import Context
from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE
from benchlab.experiment import selection
from benchlab.experiment.stack import PREFIX
from benchlab.records.plan import Entry

BASE = "base"
# Images that adopted entries may start from, each from the one before it.
ADOPTED_BASES = ("base-python", "base-dev")
# What the lab cannot do without.
PARTS = (BASE, "db", "wrk", "nginx")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
LOG_LINES = 30
# Compose 1.29 sometimes closes the connections that its own parallel builds still use. One after the other works.
V1_RACE = "Pool is closed"

# What Docker says where all its subnets are taken, by networks of whatever project.
NO_ADDRESSES = "non-overlapping IPv4 address pool"
FREE_NETWORKS = "remove networks that nobody uses: `docker network ls` shows them, `docker network rm NAME` removes one"


@dataclass(frozen=True)
class Topology:
    """The project's services as Compose resolves them. `environment` is what Compose is given."""

    root: Path
    compose: tuple[str, ...]
    environment: Mapping[str, str]
    project: str
    services: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Return the entries by name. Raises ConfigError with every problem of every stanza."""
        labels = {name: self.labels(name) for name in self.services if self.is_entry(name)}
        of_entries = [
            problem for name in labels for problem in declared.problems(name, self.services[name], labels[name])
        ]
        if problems := [*of_entries, *self._unlabelled(), *self._shared_images()]:
            raise ConfigError("compose.yaml: " + "; ".join(problems))
        return {name: declared.entry(name, labels[name]) for name in labels}

    def _shared_images(self) -> list[str]:
        """Return a problem for each image that two services are named: the one built last would serve both."""
        owners: dict[str, list[str]] = {}
        for name, service in self.services.items():
            owners.setdefault(str(service.get("image")), []).append(name)
        return [
            f"{', '.join(names)}: all are called image {image}; give each a name of its own"
            for image, names in owners.items()
            if len({_build(self.services[name]) for name in names}) > 1
        ]

    def _unlabelled(self) -> list[str]:
        """Return a problem for each stanza of which Compose would make what the lab never finds again, nor removes."""
        # The default network is made even where no stanza names it.
        networks = {"default": {}, **self.networks}
        made = {name: service for name, service in self.services.items() if name not in (BASE, *ADOPTED_BASES)}
        made |= {f"network {name}": network for name, network in networks.items()}
        return [
            f'{name}: label {LAB_LABEL}: "{LAB_VALUE}" is missing; add it, or the lab will not find what is its own'
            for name, stanza in made.items()
            if declared.labels(stanza).get(LAB_LABEL) != LAB_VALUE
        ]

    def choose(self, names: Iterable[str]) -> list[Entry]:
        """Return the named entries, or all where none is named. Raises UsageError."""
        wanted = sorted(set(names)) or sorted(self.entries)
        if unknown := [name for name in wanted if name not in self.entries]:
            hint = letters.meant(unknown[0], self.entries, "--framework")
            raise UsageError(f"unknown framework {', '.join(unknown)}: {hint}there is {', '.join(self.entries)}")
        return [self.entries[name] for name in wanted]

    @property
    def default_network(self) -> str:
        """Return the name of the network that Compose makes for all services; v1 does not print it."""
        return str((self.networks.get("default") or {}).get("name") or f"{self.project}_default")

    @property
    def usual(self) -> list[str]:
        """Return the names of the entries that are measured where none is named, in alphabetical order."""
        return selection.usual({name: entry.labels for name, entry in self.entries.items()})

    @property
    def _program(self) -> tuple[str, ...]:
        """Return the Compose command as such, without its options for the project."""
        return tuple(takewhile(lambda word: not word.startswith("-"), self.compose))

    def image(self, service: str) -> str:
        return str(self.services[service]["image"])

    @property
    def has_buildkit(self) -> bool:
        """Return whether Compose builds with BuildKit."""
        return generation(self._program) != 1

    def has_image(self, service: str, names: Collection[str]) -> bool:
        """Return whether there is such a service, and its image is one of these."""
        return service in self.services and self.image(service) in names

    def context(self, service: str) -> Context:
        """Return what the service's image is built from."""
        return Context.of(self.services[service]["build"])

    def labels(self, service: str) -> dict[str, str]:
        """Return what the service's labels say of it, without the prefix of their names."""
        labels = declared.labels(self.services[service])
        return {key.removeprefix(PREFIX): str(value) for key, value in labels.items() if key.startswith(PREFIX)}

    def is_entry(self, service: str) -> bool:
        return ENTRY_PROFILE in self.services[service].get("profiles", [])

    def definition(self, service: str) -> dict[str, Any]:
        """Return what the service's container is made by: all that Compose resolved but how its image is built."""
        return {key: value for key, value in self.services[service].items() if key != "build"}

    def inputs(self, service: str, base: str) -> str:
        """Return a digest of all that the service's image is made from; `base` is the id of what it starts from.

        Raises ConfigError where a file could not be read in the container, or is another entry's.
        """
        settings = {**self._settings(service), "labels of the lab": self._marks(service)}
        return self.context(service).digest(settings, base)

    def sources(self, service: str) -> str:
        """Return a digest of the service's files and build settings, as `inputs` does.

        The caller's proxies are left out: they lead to what is in an image, and are not in it.
        """
        settings = self._settings(service)
        arguments = {
            name: value for name, value in settings.get("args", {}).items() if name.lower() not in PROXY_VARIABLES
        }
        return self.context(service).digest({**settings, "args": arguments}, "")

    def _settings(self, service: str) -> dict[str, Any]:
        """Return how the service's image is built, but for the place of its context."""
        return {key: value for key, value in self.services[service]["build"].items() if key != "context"}

    def build(self, services: Collection[str], log: Path) -> None:
        """Build the services' images; what the builder prints goes into `log`.

        Raises SetupError, and EngineError where the engine refuses Compose itself.
        """
        profiles = f"{ENTRY_PROFILE},{BASE}"
        # v2 builds in parallel and leaves no intermediate containers by itself.
        options = [] if self.has_buildkit else ["--parallel", "--force-rm"]
        environment = compose_environment(self._program, self.environment, profiles)
        command = [*self.compose, "--file", str(self._marked(services, log.with_name("labels.yaml"))), "build"]
        code = process.logged([*command, *options, *services], log, self.root, environment)
        if code != 0 and V1_RACE in log.read_text(encoding="utf-8", errors="replace"):
            code = process.logged([*command, "--force-rm", *services], log, self.root, environment)
        if code != 0:
            printed = log.read_text(encoding="utf-8", errors="replace")
            refuse_too_old(self._program, printed)
            tail = "\n".join(terminal.plain(printed)[-LOG_LINES:])
            raise SetupError(f"building {', '.join(services)} failed; the build log {log} ends:\n{tail}")

    def _marked(self, services: Iterable[str], path: Path) -> Path:
        """Write a file that Compose merges into the others, of the labels that the services' images get."""
        marked = {service: {"build": {"labels": self._marks(service)}} for service in services}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"services": marked}), encoding="utf-8")
        return path

    def _marks(self, service: str) -> dict[str, str]:
        return images.labels(self.project, str(self.services[service].get("image")))

    def create(self, services: Collection[str], log: Path) -> None:
        """Make the services' containers and their network, without starting any.

        Raises SetupError, and EngineError where the engine refuses Compose itself.
        """
        environment = compose_environment(self._program, self.environment, ENTRY_PROFILE)
        command = [*self.compose, "up", "--no-start", "--no-build", *services]
        if process.logged(command, log, self.root, environment) != 0:
            printed = log.read_text(encoding="utf-8", errors="replace")
            refuse_too_old(self._program, printed)
            tail = " ".join(" ".join(terminal.plain(printed)).split()[-60:])
            remedy = f"; {FREE_NETWORKS}" if NO_ADDRESSES in printed else ""
            raise SetupError(f"making the containers failed: {tail}{remedy}")


def load(root: Path, environment: Mapping[str, str], overlays: Sequence[Path] = ()) -> Topology:
    """Return the topology of compose.yaml in `root`, resolved with `environment` on top of the caller's.

    `overlays` are files of more services, which Compose merges into it, after that of the adopted entries.

    Raises SetupError where there is no Compose, ConfigError where it refuses the file.
    """
    name = compose.project(root)
    adopted = [ADOPTED] if (root / ADOPTED).exists() else []
    files = [part for path in ("compose.yaml", *adopted, *map(str, overlays)) for part in ("--file", path)]
    command = (*compose_command(), "--project-name", name, *files)
    result = subprocess.run(
        [*command, "config"],
        cwd=root,
        env=compose_environment(compose_command(), environment, f"{ENTRY_PROFILE},{BASE}"),
        capture_output=True,
        encoding="utf-8",
    )
    if result.returncode != 0:
        stderr = " ".join(result.stderr.split())[-500:]
        if subprocess.run([*compose_command(), "version"], capture_output=True).returncode != 0:
            raise SetupError(f"`{' '.join(compose_command())}` is broken ({stderr}); install Compose anew")
        hint = f"; an entry in {ADOPTED} goes with `python lab.py adopt --remove NAME`" if adopted else ""
        raise ConfigError(f"compose.yaml is refused: {stderr}{hint}")
    resolved = yaml.safe_load(result.stdout)
    services = resolved.get("services") or {}
    if missing := [part for part in PARTS if part not in services]:
        raise ConfigError(f"compose.yaml: service {', '.join(missing)} is missing, and the lab needs it; restore it")
    if not any(ENTRY_PROFILE in service.get("profiles", []) for service in services.values()):
        raise ConfigError(f"compose.yaml: no service has the profile {ENTRY_PROFILE}: there is no entry; add one")
    return Topology(root, command, environment, name, services, resolved.get("networks") or {})


def _build(service: Mapping[str, Any]) -> str:
    return json.dumps(service.get("build"), sort_keys=True)
