"""Every factor that the lab knows, and the variants of entries that settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from benchlab.factors.commit import COMMIT
from benchlab.factors.connections import CONNECTIONS
from benchlab.factors.factor import AS_IS, Factor, Kind, Varied
from benchlab.factors.labels import DRIVER, FRAMEWORK, JSON, LOOP, ORIGIN, ORM, SERVER, WORKERS
from benchlab.factors.proxy import PROXY
from benchlab.records.plan import Settings, Variant

# In the order in which tables have them, and in which names of variants do.
FACTORS = (ORM, FRAMEWORK, SERVER, PROXY, CONNECTIONS, ORIGIN, COMMIT, DRIVER, LOOP, JSON, WORKERS)
MAIN = tuple(factor for factor in FACTORS if factor.kind is Kind.MAIN)
PARTS = tuple(factor for factor in FACTORS if factor.kind is Kind.PART)
VARIED = tuple(factor for factor in FACTORS if isinstance(factor, Varied))


def of_label(label: str) -> Factor:
    """Return the factor that the label names; of any other label, one that has nothing special."""
    return next((factor for factor in (*MAIN, *PARTS) if factor.name == label), Factor(label))


def variants(names: Iterable[str], settings: Settings) -> Iterator[tuple[str, Variant]]:
    """Yield name and record of all variants of each entry that the settings ask for, itself where it is one of them."""
    for name in names:
        for levels in product(*(varied.levels(settings) for varied in VARIED)):
            chosen = [(varied, level) for varied, level in zip(VARIED, levels, strict=True) if level != AS_IS]
            suffix = "".join(varied.suffix(level) for varied, level in chosen)
            yield f"{name}{suffix}", Variant(name, {varied.name: level for varied, level in chosen})


def compares_versions(settings: Settings) -> bool:
    """Return whether a run with the settings measures versions of its entries, to hold one against the other."""
    return any(varied.kind is Kind.VERSION and varied.levels(settings) != (AS_IS,) for varied in VARIED)


def versions(variants: Mapping[str, Variant]) -> dict[str, str]:
    """Return, by the name of each variant of another version, the entry that it is compared with.

    That is the one which is equal in all but the version.
    """
    names = {_key(variant, ()): name for name, variant in variants.items()}
    version = [factor.name for factor in FACTORS if factor.kind is Kind.VERSION]
    pairs = {
        name: names.get(_key(variant, version))
        for name, variant in variants.items()
        if not variant.levels.keys().isdisjoint(version)
    }
    return {name: other for name, other in pairs.items() if other is not None}


def _key(variant: Variant, without: Iterable[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return what is equal of variants that differ in nothing but these factors."""
    return variant.origin, frozenset((name, level) for name, level in variant.levels.items() if name not in without)
