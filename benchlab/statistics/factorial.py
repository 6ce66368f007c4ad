"""Factorial designs of entries: which of them differ in one factor alone, and what that can tell. Pure.

A factor is a label, such as benchlab.orm, in which the entries differ. A *combination* is a choice of one level of each
factor; an entry fills it. A factor's effect is taken from two entries that are equal in all the others, an interaction
of two factors from four that are, and each is averaged over all such pairs, or fours, that there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product
from types import MappingProxyType

from benchlab.experiment import stack
from benchlab.factors import catalog
from benchlab.factors.factor import Varied
from benchlab.records.plan import Variant

Labels = Mapping[str, str]
# The entry that a variant is one of, as a factor: what is never studied, and is the same in each pair.
STACK = "stack"
NO_VARIANTS: Mapping[str, Variant] = MappingProxyType({})
NOTHING_VARIED: Mapping[str, Sequence[str]] = MappingProxyType({})
# What the label of a part is where nobody says what the part is: it may be as usual.
NOT_STATED = frozenset({stack.OWN, stack.UNSTATED})
# The entry's level of each factor, in the order of the factors.
Combination = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One level of a factor in the place of another, its reference."""

    factor: str
    level: str
    reference: str


@dataclass(frozen=True)
class Effect:
    """What one change does to the logarithm of a metric; or, of two changes, what both do beyond the sum of each.

    `groups` are the pairs or fours of entries that it is the mean of, each entry with its sign; `possible` counts those
    that a complete design would have.
    """

    changes: tuple[Change, ...]
    groups: tuple[Mapping[str, int], ...]
    possible: int

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each entry's logarithm in the effect; together they are 0."""
        return {entry: sign / len(self.groups) for group in self.groups for entry, sign in group.items()}

    @property
    def names(self) -> tuple[str, str]:
        """Return what identifies the effect: the levels changed to, and those changed from."""
        first = ", ".join(f"{change.factor} {change.level}" for change in self.changes)
        return first, ", ".join(f"{change.factor} {change.reference}" for change in self.changes)


@dataclass(frozen=True)
class FactorialDesign:
    """The levels of each factor, the reference first, and the entry of each combination that has one.

    `studied` are the factors whose effects are asked for; `labels` are those of every entry.
    """

    factors: Mapping[str, tuple[str, ...]]
    filled: Mapping[Combination, str]
    studied: tuple[str, ...]
    labels: Mapping[str, Labels]

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """Return the effects of the studied factors, then their interactions, as far as entries tell of them."""
        alone = [(change,) for name in self.studied for change in self._changes(name)]
        pairs = [
            pair
            for first, second in combinations(self.studied, 2)
            for pair in product(self._changes(first), self._changes(second))
        ]
        every = (self._effect(changes) for changes in [*alone, *pairs])
        return tuple(effect for effect in every if effect.groups)

    @property
    def missing(self) -> list[Combination]:
        """Return the combinations that no entry fills."""
        return [combination for combination in product(*self.factors.values()) if combination not in self.filled]

    @property
    def entries(self) -> list[str]:
        """Return the entries that some effect is taken from, in alphabetical order."""
        return sorted({entry for effect in self.effects for entry in effect.weights})

    def only(self, entries: Collection[str]) -> FactorialDesign:
        """Return the design with the combinations of these entries only: what others could tell is not known."""
        return replace(
            self, filled={combination: entry for combination, entry in self.filled.items() if entry in entries}
        )

    def companions(self, effect: Effect) -> dict[str, list[str]]:
        """Return the labels beside the factors in which entries of one group differ, with what they say.

        Whatever these do is part of the effect.
        """
        differing: dict[str, list[str]] = {}
        for factor in (factor for factor in (*catalog.MAIN, *catalog.PARTS) if factor.name not in self.factors):
            by_group = [{factor.level(self.labels[entry]) for entry in group} for group in effect.groups]
            if any(len(levels) > 1 for levels in by_group):
                differing[factor.name] = sorted(set().union(*by_group))
        return differing

    def _changes(self, name: str) -> list[Change]:
        reference, *levels = self.factors[name]
        return [Change(name, level, reference) for level in levels]

    def _effect(self, changes: tuple[Change, ...]) -> Effect:
        """Return the effect of the changes, from all groups that have an entry for each of their combinations."""
        groups = list(self._groups(changes))
        complete = [group for group in groups if all(combination in self.filled for combination in group)]
        return Effect(
            changes,
            tuple({self.filled[combination]: sign for combination, sign in group.items()} for group in complete),
            len(groups),
        )

    def _groups(self, changes: tuple[Change, ...]) -> Iterator[dict[Combination, int]]:
        """Yield, for each choice of levels of the other factors, the combinations that the changes lead to and from.

        Each has its sign: minus for every change that is not made.
        """
        others = {name: levels for name, levels in self.factors.items() if name not in {c.factor for c in changes}}
        for chosen in product(*others.values()):
            fixed = dict(zip(others, chosen, strict=True))
            group = {}
            for made in product((True, False), repeat=len(changes)):
                steps = zip(changes, made, strict=True)
                reached = {change.factor: change.level if is_made else change.reference for change, is_made in steps}
                group[tuple((fixed | reached)[name] for name in self.factors)] = (-1) ** made.count(False)
            yield group


@dataclass(frozen=True)
class UnknownEntry:
    """A run has no entry of the name."""

    name: str
    run_id: str
    known: tuple[str, ...]


@dataclass(frozen=True)
class UnknownFactor:
    """No entry has the label; `labels` are those of all of them, and the main factors."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class UnknownLevel:
    """No entry has the level that the others are to be compared with."""

    factor: str
    level: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class OneLevel:
    """All entries have the same level of the factor."""

    factor: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class EqualEntries:
    """Two entries have the same level of every factor."""

    entries: tuple[str, str]
    factors: tuple[str, ...]


@dataclass(frozen=True)
class NoPair:
    """No two entries differ in one of the factors alone."""

    factors: tuple[str, ...]
    filled: Mapping[Combination, str]


Reason = UnknownEntry | UnknownFactor | UnknownLevel | OneLevel | EqualEntries | NoPair


class DesignError(Exception):
    """Entries do not tell of the factors asked for; `reason` says why."""

    def __init__(self, reason: Reason):
        super().__init__(reason)
        self.reason = reason


def cross(
    entries: Mapping[str, Labels],
    asked: Iterable[str] = (),
    varied: Mapping[str, Sequence[str]] = NOTHING_VARIED,
    variants: Mapping[str, Variant] = NO_VARIANTS,
) -> FactorialDesign:
    """Return the entries, given with their labels, as a factorial design.

    `asked` are the factors to be studied, each a label or a label and its reference, such as framework=crax; without
    them, all main ones. The reference is the level asked for, or else the factor's own. Of a run that has `varied`
    factors, these are studied where no other is asked for, each against the first of its levels: `variants` says of
    what entry each is one, and whatever else that has is the same in a pair. Raises DesignError where the entries do
    not tell of what is asked.
    """
    references = dict(part.partition("=")[::2] for part in asked)
    made_for = {*varied, *(factor.name for factor in catalog.VARIED)}
    if varied and variants and made_for >= references.keys():
        entries = {name: {**labels, STACK: variants[name].origin} for name, labels in entries.items()}
        candidates = [*(factor.name for factor in catalog.VARIED), *varied, STACK]
    else:
        candidates = [*_main(), *varied, *references]
    names = [name for name in dict.fromkeys(candidates) if _varies(entries, name)]
    names = [name for name in names if name in {*references, *varied, STACK} or not _is_part(entries, name, names)]
    if unknown := [name for name in references if name not in names]:
        raise DesignError(_untold(unknown[0], entries))
    factors = {name: _levels(entries, name, references.get(name, ""), varied.get(name, ())) for name in names}
    filled: dict[Combination, str] = {}
    for entry, labels in entries.items():
        combination = tuple(_level(labels, name) for name in names)
        if combination in filled:
            raise DesignError(EqualEntries((filled[combination], entry), tuple(names)))
        filled[combination] = entry
    design = FactorialDesign(
        factors, filled, tuple(name for name in names if name in (references or names) and name != STACK), entries
    )
    if not design.effects:
        raise DesignError(NoPair(design.studied or tuple(_main()), filled))
    return design


def _untold(name: str, entries: Mapping[str, Labels]) -> UnknownFactor | OneLevel:
    """Return why the entries do not tell of the factor."""
    known = {*_main(), *(label for labels in entries.values() for label in labels)}
    return OneLevel(name, tuple(entries)) if name in known else UnknownFactor(name, tuple(sorted(known)))


def comparable(entries: Mapping[str, Labels], usual: Sequence[str], asked: Iterable[str]) -> list[str]:
    """Return the entries that tell of the factors asked for, or the usual factors; the usual entries where variants do.

    That is, of those that differ from a usual one in nothing but these factors, each that has a counterpart. Its parts
    may go along with these factors, but none is of a level that no usual entry has. Raises DesignError where there are
    none.
    """
    asked = list(asked) or [factor.name for factor in catalog.FACTORS if factor.is_usual]
    asked = [part for part in asked if not isinstance(catalog.of_label(part.partition("=")[0]), Varied)]
    if not asked:
        return list(usual)
    free = {part.partition("=")[0] for part in asked}
    held = [factor for factor in catalog.MAIN if factor.name not in free and not factor.is_resource]
    allowed = {tuple(factor.level(entries[name]) for factor in held) for name in usual}
    parts = [
        (factor, NOT_STATED.union(factor.level(entries[name]) for name in usual))
        for factor in catalog.PARTS
        if factor.name not in free
    ]
    chosen = {
        entry: labels
        for entry, labels in entries.items()
        if tuple(factor.level(labels) for factor in held) in allowed
        and all(factor.level(labels) in levels for factor, levels in parts)
    }
    return cross(chosen, asked).entries


def _main() -> list[str]:
    return [factor.name for factor in catalog.MAIN]


def _varies(entries: Mapping[str, Labels], name: str) -> bool:
    return len({_level(labels, name) for labels in entries.values()}) > 1


def _is_part(entries: Mapping[str, Labels], name: str, others: Iterable[str]) -> bool:
    """Return whether the factor is a resource, and the level of another tells its own: then it is a part of that."""
    if not catalog.of_label(name).is_resource:
        return False
    pairs = (
        {(_level(labels, other), _level(labels, name)) for labels in entries.values()}
        for other in others
        if other != name
    )
    return any(len(dict(levels)) == len(levels) for levels in pairs)


def _level(labels: Labels, name: str) -> str:
    return catalog.of_label(name).level(labels)


def _levels(entries: Mapping[str, Labels], name: str, reference: str, typed: Sequence[str]) -> tuple[str, ...]:
    """Return the levels that the entries have, the reference first; in the order in which they were typed, if so."""
    levels = {_level(labels, name) for labels in entries.values()}
    if reference and reference not in levels:
        raise DesignError(UnknownLevel(name, reference, tuple(sorted(levels))))
    ordered = (*(level for level in typed if level in levels),) or catalog.of_label(name).ordered(levels)
    return (reference, *(level for level in ordered if level != reference)) if reference else ordered
