"""What no run of this lab can be, although its manifest is of the right form: a manifest in, its faults out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchlab.core import letters
from benchlab.experiment.settings import impossible
from benchlab.factors import catalog
from benchlab.factors.commit import COMMIT
from benchlab.records.plan import Manifest

# More than any host has.
MOST_CPUS = 999_999
# Labels without which an entry cannot be described.
NEEDED = ("framework", "orm", "driver", "server", "workers", "tests")


def faults(made: Manifest) -> list[str]:
    """Return what no run of this lab can be, by the keys of its manifest."""
    return [
        *_names(made),
        *_labels(made),
        *_cpus(made),
        *impossible(made.settings),
        *_variants(made),
        *_control(made),
        *_versions(made),
        *_groups(made),
    ]


def _names(made: Manifest) -> Iterator[str]:
    if not _is_word(made.run_id):
        yield f"run_id is {letters.quoted(made.run_id)}, and must be a word in one line"
    for name in made.entries:
        if not _is_word(name):
            yield f"entries has {letters.quoted(name)}, which is no name of an entry"


def _labels(made: Manifest) -> Iterator[str]:
    """Yield the labels that entries lack, and numbers of workers that none has; else the choice is the entry's own."""
    for name, labels in made.entries.items():
        yield from (f"entries.{name}.{label} is missing" for label in NEEDED if label not in labels)
    for name, labels in made.entries.items():
        workers = labels.get("workers", "")
        if workers.isdecimal() and not re.fullmatch(r"0*[1-9][0-9]{,5}", workers):
            yield f"entries.{name}.workers is {letters.quoted(workers)}, and must be from 1 to {MOST_CPUS}"


def _cpus(made: Manifest) -> Iterator[str]:
    if not 1 <= made.cpus <= MOST_CPUS:
        yield f"cpus is {letters.quoted(made.cpus)}, and must be from 1 to {MOST_CPUS}"


def _variants(made: Manifest) -> Iterator[str]:
    """Yield what no run can have measured: of what is no entry of it, or at a level of what the lab does not vary."""
    varied = {factor.name for factor in catalog.varying(made.settings)}
    for name, variant in made.variants.items():
        if name not in made.entries:
            yield f"variants has {letters.quoted(name)}, which is no entry of the run"
        if not _is_word(variant.origin):
            yield f"variants.{name}.origin is {letters.quoted(variant.origin)}, which is no name of an entry"
        if unknown := sorted(variant.levels.keys() - varied):
            yield f"variants.{name}.levels has {letters.quoted(unknown[0])}, which is no factor that this lab varies"


def _control(made: Manifest) -> Iterator[str]:
    """Yield a baseline that is no entry of the run."""
    control = made.settings.control
    if control and control not in made.entries:
        yield f"settings.control is {letters.quoted(control)}, which is no entry of the run"


def _versions(made: Manifest) -> Iterator[str]:
    """Yield what is missing of two versions that the settings ask for, or of which the run has one."""
    against, pairs = made.settings.against, catalog.versions(made.variants, made.settings)
    compared = {*pairs, *pairs.values()}
    versions = [name for name, variant in made.variants.items() if COMMIT.name in variant.levels]
    if against and not versions:
        yield f"settings.against is {letters.quoted(against)}, and entries has none of another commit"
    yield from (f"entries.{name} has no other version beside it" for name in versions if name not in compared)


def _groups(made: Manifest) -> Iterator[str]:
    """Yield what cannot be up together."""
    for group in made.groups:
        if not group or len(set(group)) < len(group) or not made.entries.keys() >= set(group):
            yield f"groups has {letters.quoted(group)}, and must have entries of the run, each once in a group"


def _is_word(text: str) -> bool:
    return bool(text) and not text.isspace() and letters.one_line(text) == text
