"""Who takes part in a run: the entries named, or the usual ones, and the variants of each as services of their own."""

from __future__ import annotations

import copy
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import checkout, declared, images, levels
from benchlab.engine.context import Context
from benchlab.engine.endpoints import proxy_service
from benchlab.engine.stage import Lab
from benchlab.engine.topology import Topology
from benchlab.experiment.profiles import PROXIES, PROXY_SERVICE
from benchlab.experiment.settings import AGAINST, FRAMEWORK, VARY
from benchlab.factors import catalog
from benchlab.factors.commit import COMMIT, LABELLED
from benchlab.factors.factor import AS_IS, Service, Tools
from benchlab.records.plan import NO_PROXY, Entry, Settings, Variant

COMPOSE = "compose.yaml"
# More entries than this, at all their levels, are no question that one run answers.
MOST_VARIANTS = 100
# What other flags than --vary make variants by.
OF_FLAGS = {factor.name for factor in catalog.VARIED}
NOTHING_KEPT: Mapping[str, str] = MappingProxyType({})
# What a stanza says of how its container is started.
STARTED_BY = ("command", "entrypoint")


def taking_part(lab: Lab, settings: Settings) -> tuple[Lab, list[Entry]]:
    """Return the lab with all that take part in its topology, and these in alphabetical order.

    Each entry takes part at all levels that the settings ask for of each factor that a run varies. Raises UsageError
    where an entry cannot take part so, ConfigError where no entry is measured unless it is named, or git is missing.
    """
    names = (
        [entry.name for entry in lab.topology.choose(settings.frameworks)]
        if settings.frameworks
        else lab.topology.usual
    )
    if settings.control in lab.topology.entries:
        names = sorted({*names, settings.control})
    if not names:
        raise ConfigError("no entry is measured where none is named: each has the label benchlab.default: no; name one")
    settings, entries = with_commits(lab.root, settings), lab.topology.choose(names)
    for factor in catalog.varying(settings, _labels(lab.topology)):
        asked = [level for level in factor.levels(settings) if level != AS_IS]
        if asked:
            factor.refuse(entries, asked)
    chosen = dict(islice(catalog.variants(names, settings), MOST_VARIANTS + 1))
    if len(chosen) > MOST_VARIANTS:
        raise UsageError(f"more than {MOST_VARIANTS} entries and levels in all; choose fewer, or make several runs")
    _refuse_taken(lab.topology, chosen)
    lab = with_variants(lab, chosen)
    return lab, lab.topology.choose(chosen)


def with_commits(root: Path, settings: Settings) -> Settings:
    """Return the settings with the number of each commit that they vary by any of its names.

    Raises UsageError where git knows none, or two names are of one commit, ConfigError without git.
    """
    refs = settings.vary.get(COMMIT.name, ())
    numbers = tuple(resolved(root, ref)[:LABELLED] for ref in refs)
    for (one, number), (other, same) in combinations(zip(refs, numbers, strict=True), 2):
        if number == same:
            raise UsageError(f"{VARY.name} {COMMIT.name}: {one} and {other} are the same commit {number}; name another")
    return replace(settings, vary={**settings.vary, COMMIT.name: numbers}) if refs else settings


def _labels(topology: Topology) -> list[dict[str, str]]:
    """Return the labels of every entry that there is: what one declares is no package of another."""
    return [entry.labels for entry in topology.entries.values()]


def with_variants(lab: Lab, variants: Mapping[str, Variant], kept: Mapping[str, str] = NOTHING_KEPT) -> Lab:
    """Return the lab with these variants of its entries, of which those that differ from theirs get services.

    `kept` are the locks that a run has of them, which hold whatever uv would choose today. Raises UsageError where
    there is no such entry, or an entry cannot have such a variant, ConfigError without git or uv.
    """
    lab.topology.choose(variant.origin for variant in variants.values())
    services = {
        name: _service(lab, variant, kept.get(name, "")) for name, variant in variants.items() if variant.levels
    }
    lab = replace(lab, variants=dict(variants))
    return _with_proxies(lab.with_services(services) if services else lab, variants)


def locks(lab: Lab) -> dict[str, str]:
    """Return what each variant of a typed level has installed, by its name: its lock, where it has one."""
    typed = [name for name, variant in lab.variants.items() if variant.levels.keys() - OF_FLAGS]
    return {name: lock for name in typed if (lock := levels.lock_of(lab.topology.services[name]))}


def _with_proxies(lab: Lab, names: Iterable[str]) -> Lab:
    """Return the lab with a proxy of its own for each entry that has one: all of them run at once.

    Raises UsageError where one would be called as an entry is.
    """
    proxied = {proxy_service(entry): entry for entry in lab.topology.choose(names) if entry.proxy != NO_PROXY}
    if taken := [name for name in proxied if name in lab.topology.entries]:
        raise UsageError(
            f"{taken[0]} is an entry, and the proxy in front of {proxied[taken[0]].name} would be called so too; give "
            "that entry another name"
        )
    services = {name: alias(lab.topology, PROXY_SERVICE, PROXIES[entry.proxy]) for name, entry in proxied.items()}
    return lab.with_services(services) if services else lab


def refuse_nothing(entries: Iterable[Entry], settings: Settings) -> None:
    """Raise UsageError where no entry has any of the tests."""
    if not any(test in entry.tests for entry in entries for test in settings.tests):
        raise UsageError(f"no chosen entry has the test {', '.join(settings.tests)}; see `python lab.py list`")


def alias(topology: Topology, entry: str, environment: Mapping[str, str] | None = None) -> Service:
    """Return the entry's service, to be given another name; `environment` is what it gets besides its own."""
    service: Service = copy.deepcopy(dict(topology.services[entry]))
    service["labels"] = declared.labels(service)
    service["environment"] = {**service.get("environment", {}), **(environment or {})}
    return service


def _service(lab: Lab, variant: Variant, lock: str) -> Service:
    """Return the service of a variant; `lock` is the one that a run keeps of it, "" where uv is to resolve it."""
    tools = Tools(
        lambda name, number: at_commit(lab.topology, name, number, lab.state),
        lambda service, package, level: levels.with_package(service, package, level, lab.root, lab.state, lock),
        lambda service, level: levels.on_python(service, level, lab.state, lock),
    )
    before = service = alias(lab.topology, variant.origin)
    factors = (catalog.named(name, _labels(lab.topology)) for name in variant.levels)
    for factor in sorted(factors, key=catalog.order):
        service = factor.made(variant.origin, service, variant.levels[factor.name], tools)
    return levels.with_moved(service, before, variant.levels)


def _refuse_taken(topology: Topology, variants: Mapping[str, Variant]) -> None:
    """Raise UsageError where a variant would be called as an entry is."""
    for name, variant in variants.items():
        if variant.levels and name in topology.services:
            levels = " and ".join(f"{factor} {level}" for factor, level in variant.levels.items())
            raise UsageError(
                f"{name} is an entry, and {variant.origin} with {levels} would be called so too; give that entry "
                "another name"
            )


def resolved(root: Path, ref: str) -> str:
    """Return the commit that a branch, a tag or a part of its own number names.

    Raises UsageError where git knows none, ConfigError without git, or where that refuses the checkout.
    """
    return _asked(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()


def at_commit(topology: Topology, entry: str, ref: str, state: Path) -> dict[str, Any]:
    """Return what of an entry's service is another one at a commit; that commit's files go below `state`.

    It is the image, how that is built, and how it is started, as compose.yaml of the commit says: None for what that
    does not say. Raises UsageError where git knows no such commit, or the entry is not in it, ConfigError without git.
    """
    number = resolved(topology.root, ref)
    stanza = _stanza(topology.root, number, entry)
    context = _context(topology, entry, stanza, number)
    folder = context.folder.relative_to(topology.root).as_posix()
    home = context.home.relative_to(topology.root).as_posix()
    if not _asked(topology.root, "ls-tree", number, home):
        raise UsageError(
            f"{AGAINST.name}: {entry} is not in commit {number[:12]}, which has no {home}; commit it, or name a commit "
            "that has it"
        )
    target = state / images.COMMITS / number
    archive = _asked(topology.root, "archive", "--format=tar", number, folder)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # Python before 3.11.4 has no filters, and git's own archive needs none.
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(target)
    service = topology.services[entry]
    build = {"context": str(target / folder), "dockerfile": str(context.dockerfile)}
    return {
        "image": images.at_commit(str(service["image"]), number),
        "build": {**service["build"], **build},
        **_started(stanza),
    }


def _stanza(root: Path, number: str, entry: str) -> dict[str, Any]:
    """Return the entry's stanza in compose.yaml of a commit, as it is written; empty where there is none.

    Raises UsageError where that compose.yaml cannot be read.
    """
    if not _asked(root, "ls-tree", number, COMPOSE):
        return {}
    try:
        content = yaml.safe_load(_asked(root, "show", f"{number}:./{COMPOSE}"))
        stanza = content["services"].get(entry)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{AGAINST.name}: {COMPOSE} of commit {number[:12]} cannot be read; name another commit"
        ) from error
    return stanza if isinstance(stanza, dict) else {}


def _context(topology: Topology, entry: str, stanza: Mapping[str, Any], number: str) -> Context:
    """Return what the entry's image was built from, where a stanza of old says so; else what it is built from now.

    Raises UsageError where that is not in the repository.
    """
    build = stanza.get("build")
    then = build if isinstance(build, dict) else {"context": build}
    if then.get("context"):
        context = Context.of({**then, "context": os.path.normpath(topology.root / str(then["context"]))})
    else:
        context = topology.context(entry)
    if not context.folder.is_relative_to(topology.root):
        raise UsageError(
            f"{AGAINST.name}: {entry} is built from {context.folder}, outside of this repository, at commit "
            f"{number[:12]}; leave it out with {FRAMEWORK.name}"
        )
    return context


def _started(stanza: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a stanza of old starts its container, which may have been by another file; nothing without a stanza.

    What has a variable of Compose's in it is left out, so that it is as it is now.
    """
    return {key: stanza.get(key) for key in STARTED_BY if stanza and "$" not in str(stanza.get(key))}


def _asked(root: Path, *arguments: str) -> bytes:
    try:
        result = checkout.git(root, *arguments)
    except FileNotFoundError as error:
        raise ConfigError(f"{AGAINST.name} needs git, which is not installed") from error
    if result.returncode != 0:
        # What is asked quietly says nothing of why git refuses the checkout.
        if remedy := checkout.refusal(result.stderr) or checkout.refusal(checkout.git(root, "rev-parse").stderr):
            raise ConfigError(f"{AGAINST.name}: git refuses a checkout of another user; {remedy}")
        stderr = " ".join(result.stderr.decode(errors="replace").split()) or "git does not know it"
        raise UsageError(
            f"{AGAINST.name}: git {arguments[0]} {arguments[-1]} failed ({stderr}); "
            f"{_hint(root)}name a commit, branch or tag"
        )
    return result.stdout


def _hint(root: Path) -> str:
    """Return how more commits come to a checkout that has but the last ones, as those of CI; nothing of another."""
    is_shallow = checkout.git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    return "this checkout has only the last commits: `git fetch --unshallow` brings the rest; " if is_shallow else ""
