"""More services made of an entry's own: with another environment, proxy or pool, or its folder as it was once."""

from __future__ import annotations

import copy
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import checkout, declared, images
from benchlab.engine.compose import pool_size
from benchlab.engine.topology import Topology
from benchlab.experiment.stack import PREFIX
from benchlab.factors import naming

Services = dict[str, dict[str, Any]]


def alias(topology: Topology, entry: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the entry's service, to be given another name; `environment` is what it gets besides its own."""
    service: dict[str, Any] = copy.deepcopy(dict(topology.services[entry]))
    service["environment"] = {**service.get("environment", {}), **(environment or {})}
    return service


def behind(topology: Topology, entry: str, proxy: str) -> dict[str, Any]:
    """Return the entry's service, to be measured behind the proxy."""
    return _labelled(alias(topology, entry), proxy=proxy)


def with_connections(topology: Topology, entry: str, total: int) -> dict[str, Any]:
    """Return the entry's service with as many database connections, which its workers share.

    Raises UsageError for an entry whose workers are not the lab's to number.
    """
    workers = topology.entries[entry].labels["workers"]
    if not workers.isdecimal():
        raise UsageError(f"--db-connections: {entry} opens as many as it likes; leave it out with --framework")
    size = str(pool_size(total, int(workers)))
    return _labelled(alias(topology, entry, {"DB_POOL_SIZE": size}), pool=size, connections=str(total))


def resolved(root: Path, ref: str) -> str:
    """Return the commit that a branch, a tag or a part of its own number names.

    Raises UsageError where git knows none, ConfigError without git, or where that refuses the checkout.
    """
    return _asked(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()


def at_commit(topology: Topology, entry: str, ref: str, state: Path) -> tuple[str, dict[str, Any]]:
    """Return name and service of the entry with its folder as it was at a commit; the folder goes below `state`.

    All but the folder is as it is now: stanza, labels, base image. Raises UsageError where git knows no such commit or
    no such folder there, ConfigError without git.
    """
    number = resolved(topology.root, ref)
    context = topology.context(entry)
    folder = context.relative_to(topology.root).as_posix()
    if not _asked(topology.root, "ls-tree", number, folder):
        raise UsageError(
            f"--against: {entry} is not in commit {number[:12]}, which has no {folder}; commit it, or name a commit "
            "that has it"
        )
    target = state / "at" / number
    archive = _asked(topology.root, "archive", "--format=tar", number, folder)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # Python before 3.11.4 has no filters, and git's own archive needs none.
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(target)
    service = alias(topology, entry)
    service["image"] = images.at_commit(service["image"], number)
    service["build"] = {**service["build"], "context": str(target / folder)}
    return naming.at(entry, number), service


def write(services: Services, path: Path) -> Path:
    """Write the services as a file that Compose merges into compose.yaml, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"services": _escaped(services)}, sort_keys=True), encoding="utf-8")
    return path


def _labelled(service: dict[str, Any], **changes: str) -> dict[str, Any]:
    service["labels"] = declared.labels(service) | {f"{PREFIX}{name}": value for name, value in changes.items()}
    return service


def _escaped(content: Any) -> Any:
    """Return what Compose reads as the content: it would take a dollar for the begin of a variable."""
    if isinstance(content, dict):
        return {key: _escaped(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_escaped(value) for value in content]
    return content.replace("$", "$$") if isinstance(content, str) else content


def _asked(root: Path, *arguments: str) -> bytes:
    try:
        result = checkout.git(root, *arguments)
    except FileNotFoundError as error:
        raise ConfigError("--against needs git, which is not installed") from error
    if result.returncode != 0:
        # What is asked quietly says nothing of why git refuses the checkout.
        if remedy := checkout.refusal(result.stderr) or checkout.refusal(checkout.git(root, "rev-parse").stderr):
            raise ConfigError(f"--against: git refuses a checkout of another user; {remedy}")
        said = " ".join(result.stderr.decode(errors="replace").split()) or "git does not know it"
        raise UsageError(
            f"--against: git {arguments[0]} {arguments[-1]} failed ({said}); {_hint(root)}name a commit, branch or tag"
        )
    return result.stdout


def _hint(root: Path) -> str:
    """Return how more commits come to a checkout that has but the last ones, as those of CI; nothing of another."""
    is_shallow = checkout.git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    return "this checkout has only the last commits: `git fetch --unshallow` brings the rest; " if is_shallow else ""
