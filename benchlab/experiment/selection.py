"""Which entries are meant by a tag or a named set: by words that their labels have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchlab.core import letters
from benchlab.core.errors import UsageError
from benchlab.experiment.stack import UNSTATED, Labels

# What a user types.
TAG, SET = "--tag", "--set"
# The labels whose values are tags, and the one that has more of them, with spaces between.
VALUES, WORDS = ("framework", "server", "driver", "interface", "loop", "json"), "tags"
# What the data layer is called.
ORM = {"full": "orm", "raw": "raw"}
# Values that say that there is nothing to say.
NOTHING = ("", "none", UNSTATED)
# The entries that are measured where none is named; and eight that many people know, which have this tag.
STUDY, POPULAR = "study", "popular"
SETS = (STUDY, POPULAR)


def tags(labels: Labels) -> frozenset[str]:
    """Return the tags of an entry."""
    values = [labels.get(label, "") for label in VALUES]
    return frozenset({*values, ORM.get(labels.get("orm", ""), ""), *labels.get(WORDS, "").split()} - set(NOTHING))


def by_tag(entries: Mapping[str, Labels]) -> dict[str, list[str]]:
    """Return the names of the entries that have each tag, in alphabetical order."""
    by_name: dict[str, list[str]] = {}
    for name, labels in sorted(entries.items()):
        for tag in tags(labels):
            by_name.setdefault(tag, []).append(name)
    return dict(sorted(by_name.items()))


def usual(entries: Mapping[str, Labels]) -> list[str]:
    """Return the names of the entries that are measured where none is named, in alphabetical order."""
    return sorted(name for name, labels in entries.items() if labels.get("default") != "no")


def of_set(entries: Mapping[str, Labels], name: str) -> list[str]:
    """Return the names of the entries in one of SETS."""
    return usual(entries) if name == STUDY else by_tag(entries).get(name, [])


def chosen(
    entries: Mapping[str, Labels], frameworks: Iterable[str] = (), wanted: Sequence[str] = (), named_set: str = ""
) -> tuple[str, ...]:
    """Return the names of those of the set that have all wanted tags, of all entries without a set; and the frameworks.

    Without a set and without a tag it is the frameworks alone. Raises UsageError where no entry has a tag, or none all.
    """
    if not wanted and not named_set:
        return tuple(sorted(set(frameworks)))
    known = by_tag(entries)
    for tag in wanted:
        if tag not in known:
            hint = letters.meant(tag, known)
            raise UsageError(f"{TAG} {letters.one_line(tag)}: no entry has this tag; {hint}there is {', '.join(known)}")
    pool = of_set(entries, named_set) if named_set else sorted(entries)
    fitting = {name for name in pool if set(wanted) <= tags(entries[name])}
    if not pool:
        raise UsageError(f"{SET} {named_set}: no entry is in this set; name entries with --framework")
    if not fitting:
        within = f" of {SET} {named_set}" if named_set else ""
        which = "; ".join(f"{tag} is {', '.join(known[tag])}" for tag in wanted)
        raise UsageError(f"{TAG} {','.join(wanted)}: no entry{within} has all of these; {which}")
    return tuple(sorted({*fitting, *frameworks}))
