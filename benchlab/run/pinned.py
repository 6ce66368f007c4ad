"""What must not change while a run goes on: manifests in, a refusal out that names each change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from benchlab.core.errors import StoreError, UsageError
from benchlab.experiment.profiles import PROXY_SERVICE
from benchlab.records.plan import NO_PROXY, Manifest


def taking_part(services: Iterable[str], proxies: Collection[str]) -> list[str]:
    """Return the services without the proxies that nobody asked for: those are made, and never started."""
    has_proxy = any(proxy != NO_PROXY for proxy in proxies)
    return [service for service in services if service != PROXY_SERVICE or has_proxy]


@contextmanager
def going_on(run: Manifest) -> Iterator[None]:
    """Turn a UsageError of the with block into a StoreError: the run's settings were right when it began."""
    try:
        yield
    except UsageError as error:
        raise StoreError(
            f"{run.run_id} cannot be resumed: {error}; restore what it began with, or start a new run"
        ) from error


def refuse_other_sources(run: Manifest, sources: Mapping[str, str]) -> None:
    """Raise StoreError where an image would be built from something else than the run's own.

    To be asked before anything is built: the build would take the name, and then the image, that the run needs.
    """
    if changed := sorted(name for name, digest in run.sources.items() if sources.get(name) != digest):
        raise StoreError(
            f"{run.run_id} cannot be resumed: files or build settings of {', '.join(changed)} have changed since the "
            "run began; restore them, or start a new run"
        )


def refuse_other_version(run: Manifest, version: str, parameters: Mapping[str, object]) -> None:
    """Raise StoreError where another lab has measured the run so far: it may have measured or judged otherwise.

    `parameters` are those of this lab's analysis, which were fixed before the run began.
    """
    if (of_run := run.facts.lab_version) != version:
        raise StoreError(
            f"{run.run_id} cannot be resumed: benchlab {of_run} began it, and this is {version}; use that one, or "
            "start a new run"
        )
    if run.facts.analysis != parameters:
        raise StoreError(
            f"{run.run_id} cannot be resumed: the limits of the lab's rules or tests have changed since it began; use "
            "the lab as it was, or start a new run"
        )


def refuse(old: Manifest, new: Manifest) -> None:
    """Raise StoreError where images, containers or CPUs are not those of the run: by name, with both values."""
    before, after = (_comparable(manifest) for manifest in (old, new))
    changed = [
        f"{name} was {before.get(name, 'absent')}, is {after.get(name, 'absent')}"
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
    if changed:
        raise StoreError(f"{old.run_id} cannot be resumed: {'; '.join(changed)}; restore that, or start a new run")


def _comparable(manifest: Manifest) -> dict[str, object]:
    """Return what must be equal for samples to belong to one run, by name."""
    services = taking_part(manifest.images, manifest.settings.proxies)
    images = {f"image of {service}": manifest.images[service] for service in services}
    definitions = {
        name: value for service in services for name, value in _flat(f"{service}'s", manifest.services[service])
    }
    return {"number of CPUs": manifest.cpus, **images, **definitions}


def _flat(name: str, content: object) -> Iterator[tuple[str, object]]:
    """Yield each single value under the name of the keys that lead to it."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _flat(f"{name} {key}", value)
    else:
        yield name, content
