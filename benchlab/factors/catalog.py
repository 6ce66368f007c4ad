"""Every factor that the lab knows, and the variants of entries that settings ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from benchlab.experiment import stack
from benchlab.experiment.settings import MAX_DB_CONNECTIONS, VARY
from benchlab.experiment.stack import Labels
from benchlab.factors import environment
from benchlab.factors.choice import Choice
from benchlab.factors.commit import COMMIT
from benchlab.factors.connections import CONNECTIONS
from benchlab.factors.environment import Environment
from benchlab.factors.factor import AS_IS, Factor, Kind, Varied
from benchlab.factors.labels import (
    DRIVER,
    FRAMEWORK,
    HTTP,
    INTERFACE,
    JSON,
    LOOP,
    ORIGIN,
    ORM,
    SERVER,
    THREADS,
    WORKERS,
)
from benchlab.factors.package import Package
from benchlab.factors.proxy import PROXY
from benchlab.factors.python import Python
from benchlab.factors.share import MAX_WORKERS, Pool, Workers
from benchlab.records.plan import Settings, Variant

# In the order in which tables have them, and in which names of variants do.
FACTORS = (
    ORM,
    FRAMEWORK,
    SERVER,
    PROXY,
    CONNECTIONS,
    ORIGIN,
    COMMIT,
    INTERFACE,
    DRIVER,
    HTTP,
    LOOP,
    JSON,
    WORKERS,
    THREADS,
)
MAIN = tuple(factor for factor in FACTORS if factor.kind is Kind.MAIN)
PARTS = tuple(factor for factor in FACTORS if factor.kind is Kind.PART)
VARIED = tuple(factor for factor in FACTORS if isinstance(factor, Varied))
PYTHON = Python(name="python", mark="-python-", example=f"{VARY.name} python=3.13,3.14")
# What can be varied of every entry, by these names.
OF_EVERY_ENTRY: tuple[Varied, ...] = (
    COMMIT,
    PYTHON,
    Workers(name="workers", mark="-workers-", example=f"{VARY.name} workers=1,2", most=MAX_WORKERS),
    Pool(name="pool", mark="-pool-of-", example=f"{VARY.name} pool=8,16", most=MAX_DB_CONNECTIONS),
)


def of_label(label: str) -> Factor:
    """Return the factor that the label names; of any other label, one that has nothing special."""
    return next((factor for factor in (*MAIN, *PARTS) if factor.name == label), Factor(label))


def is_known(label: str) -> bool:
    """Return whether the label is one of the lab's own factors, of which sentences call the levels alone."""
    return any(factor.name == label for factor in (*MAIN, *PARTS))


def named(name: str, labels: Iterable[Labels] = ()) -> Varied:
    """Return the factor that --vary names, for entries with these labels.

    It is a choice where one of them declares it or it is what labels say of an entry, and else a package.
    """
    if known := next((factor for factor in (*VARIED, *OF_EVERY_ENTRY) if factor.name == name), None):
        return known
    if name.startswith(environment.PREFIX):
        return Environment(
            name=name, mark=f"-{name.removeprefix(environment.PREFIX)}-", example=f"{VARY.name} {name}=0,1"
        )
    if is_known(name) or any(name in stack.choices(of) for of in labels):
        return Choice(name=name, mark=f"-{name}-", example=f"{VARY.name} {name}=LEVEL,LEVEL")
    return Package(name=name, mark=f"-{name}-", example=f"{VARY.name} {name}=VERSION,VERSION")


def order(factor: Varied) -> int:
    """Return the place in which a factor's level is made of an entry.

    A commit brings the files that the others change; a Python takes the lock with its packages; a server may say which
    parser it has, before that is chosen.
    """
    kinds: tuple[type[Varied], ...] = (type(COMMIT), Package, Python)
    if factor.name == SERVER.name:
        return len(kinds)
    return next((place for place, kind in enumerate(kinds) if isinstance(factor, kind)), len(kinds) + 1)


def varying(settings: Settings, labels: Iterable[Labels] = ()) -> tuple[Varied, ...]:
    """Return the factors that a run makes variants of its entries for, which have these labels."""
    labels, known = list(labels), {factor.name for factor in VARIED}
    return (*VARIED, *(named(name, labels) for name in settings.vary if name not in known))


def variants(names: Iterable[str], settings: Settings) -> Iterator[tuple[str, Variant]]:
    """Yield name and record of all variants of each entry that the settings ask for, itself where it is one of them.

    Of two that would be called the same, as those of two folders of the same name are, the second has a 2 behind that.
    """
    factors, made = varying(settings), Counter[str]()
    for name in names:
        for levels in product(*(factor.levels(settings) for factor in factors)):
            chosen = [(factor, level) for factor, level in zip(factors, levels, strict=True) if level != AS_IS]
            called = name + "".join(factor.suffix(level) for factor, level in chosen)
            made[called] += 1
            number = f"-{made[called]}" if made[called] > 1 else ""
            yield f"{called}{number}", Variant(name, {factor.name: level for factor, level in chosen})


def compares_versions(settings: Settings) -> bool:
    """Return whether a run with the settings holds versions of its entries one against the other.

    It does where an entry is measured beside its own of another commit, and where a gate asks whether a level is slower
    than the first one.
    """
    has_levels = any(len(factor.levels(settings)) > 1 for factor in varying(settings))
    return bool(settings.against) or (settings.margin is not None and has_levels)


def versions(variants: Mapping[str, Variant], settings: Settings) -> dict[str, str]:
    """Return, by the name of each variant that is held against an older version of itself, the name of that.

    It is the one which is equal in all but the commit; where levels are typed, the one with the first of each.
    """
    names = {_key(variant.origin, variant.levels): name for name, variant in variants.items()}
    first = _first(variants, settings)
    older = {name: names.get(_key(of.origin, {**of.levels, **first})) for name, of in variants.items()}
    return {name: other for name, other in older.items() if other not in (None, name)}


def _first(variants: Mapping[str, Variant], settings: Settings) -> dict[str, str]:
    """Return the level of each factor that an older version has; of the others it has the level of the newer one."""
    if settings.vary:
        return {name: levels[0] for name, levels in settings.vary.items()}
    commits = {level for variant in variants.values() for name, level in variant.levels.items() if name == COMMIT.name}
    if len(commits) == 1:
        return {COMMIT.name: commits.pop()}
    # A gate without versions is one of proxies or connections.
    return {} if settings.margin is None else {factor.name: factor.levels(settings)[0] for factor in VARIED}


def _key(origin: str, levels: Mapping[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return what is equal of variants of the same levels."""
    return origin, frozenset((name, level) for name, level in levels.items() if level != AS_IS)
