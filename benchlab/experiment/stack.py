"""What each entry is made of, from its labels: as rows of a table, and as notes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

COLUMNS = ("framework", "orm", "driver", "server", "loop", "json", "proxy", "cpus", "workers", "pool", "tests")
# Of many entries a table has what each is made of, and of what each gets only that in which they differ.
MADE_OF = ("framework", "interface", "orm", "driver", "server", "loop", "json")
GIVEN = ("proxy", "cpus", "workers", "threads", "pool")
# What the name of a label begins with, on its service.
PREFIX = "benchlab."
# Where an entry comes from: one of compose.yaml's own, which need not say so, or one that was adopted.
LAB, ADOPTED = "lab", "adopted"
# Of an adopted entry: what it decides by itself, and what its authors do not state.
OWN, UNSTATED = "own", "?"
STANDS_FOR = "="
# The images of compose.yaml that entries start from: the lab's own, and adopted ones, for which python:* is the model.
BASE, BASE_PYTHON, BASE_DEV = "benchlab/base", "benchlab/base-python", "benchlab/base-dev"
BASES = (BASE, BASE_PYTHON, BASE_DEV)

Labels = Mapping[str, str]


def rows(labels_by_entry: Mapping[str, Labels]) -> list[list[str]]:
    """Return one row an entry, its name and COLUMNS; workers and pool are per container and per worker."""
    return [[name, *(labels.get(column, "") for column in COLUMNS)] for name, labels in sorted(labels_by_entry.items())]


def columns_of_many(labels_by_entry: Mapping[str, Labels]) -> tuple[str, ...]:
    """Return the columns of a table of many entries: without those that all have empty, or have alike around them."""
    values = {column: _values(labels_by_entry, column) for column in (*MADE_OF, *GIVEN)}
    return tuple(column for column, of in values.items() if of != {""} and (column in MADE_OF or len(of) > 1))


def rows_of_many(labels_by_entry: Mapping[str, Labels]) -> list[list[str]]:
    """Return one row an entry: its name and those columns."""
    columns = columns_of_many(labels_by_entry)
    return [[name, *(labels.get(column, "") for column in columns)] for name, labels in sorted(labels_by_entry.items())]


def below_many(labels_by_entry: Mapping[str, Labels]) -> Iterator[str]:
    """Yield what stands below those rows: what is the same for all, and what stands below any others."""
    values = {column: _values(labels_by_entry, column) for column in GIVEN}
    if alike := [f"{column} {min(of)}" for column, of in values.items() if len(of) == 1 and of != {""}]:
        yield f"The same for all: {', '.join(alike)}."
    yield from below(labels_by_entry)


def _values(labels_by_entry: Mapping[str, Labels], column: str) -> set[str]:
    return {labels.get(column, "") for labels in labels_by_entry.values()}


def below(labels_by_entry: Mapping[str, Labels]) -> Iterator[str]:
    """Yield what stands below the rows: the tests, for which a row has no room, and notes on some entries."""
    yield _tests(labels_by_entry)
    yield from _notes(labels_by_entry)


def cautions(labels_by_entry: Mapping[str, Labels]) -> list[str]:
    """Return what a reader of any table that compares the entries must know."""
    other = [name for name, labels in sorted(labels_by_entry.items()) if stand_ins(labels)]
    return [f"another base image: {', '.join(other)}"] if other else []


def choices(labels: Labels) -> dict[str, tuple[str, ...]]:
    """Return the levels of each factor that an entry declares by its label `varies`, that first which it has as it is.

    Each is written as loop=uvloop,asyncio, with spaces between them.
    """
    pairs = (choice.partition("=") for choice in labels.get("varies", "").split())
    return {name: tuple(levels.split(",")) for name, _, levels in pairs}


def is_adopted(labels: Labels) -> bool:
    return labels.get("origin") == ADOPTED


def stand_ins(labels: Labels) -> dict[str, str]:
    """Return what an entry starts from, by what its dockerfile says; empty where that is the same."""
    pairs = (pair.partition(STANDS_FOR) for pair in labels.get("base", "").split())
    return {image: stand_in for image, _, stand_in in pairs}


def builds_on(labels: Labels) -> tuple[str, ...]:
    """Return the images that an adopted entry starts from which the engine must have before: stand-ins and our own."""
    return tuple(dict.fromkeys([*stand_ins(labels).values(), *labels.get("builds-on", "").split()]))


def base_for(image: str) -> str:
    """Return which of the lab's images is most like one of the format's: only python:3.x whole has compilers."""
    return BASE_PYTHON if "slim" in image or "alpine" in image else BASE_DEV


def other_base(labels: Labels) -> str:
    """Return the mark of an entry that starts from another image than its dockerfile says; of another, nothing."""
    replaced = ", ".join(f"{stand_in} for {image}" for image, stand_in in stand_ins(labels).items())
    return f"another base image: {replaced}" if replaced else ""


def _notes(labels_by_entry: Mapping[str, Labels]) -> Iterator[str]:
    """Yield the notes on entries that were adopted, and on those at whose level other packages had to move too."""
    for name, labels in sorted(labels_by_entry.items()):
        if labels.get("moved"):
            yield f"{name} also has other versions of packages that had to move: {labels['moved']}."
        if labels.get("checkout"):
            yield f"{name} has {labels['checkout']}."
    adopted = {name: labels for name, labels in sorted(labels_by_entry.items()) if is_adopted(labels)}
    if adopted:
        yield (
            f"Adopted, of the TechEmpower format: {', '.join(adopted)}. Workers and connections are the entry's own "
            f"choice ({OWN}), not the lab's; what its authors do not state is {UNSTATED}."
        )
    others = {name: ", ".join(f"{new} for {old}" for old, new in stand_ins(of).items()) for name, of in adopted.items()}
    if other_bases := [f"{name} has {other}" for name, other in others.items() if other]:
        yield f"Another base image: {'; '.join(other_bases)}."


def _tests(labels_by_entry: Mapping[str, Labels]) -> str:
    """Return which tests the entries declare; by entry only where these differ in it."""
    entries: dict[str, list[str]] = {}
    for name, labels in sorted(labels_by_entry.items()):
        entries.setdefault(labels.get("tests", ""), []).append(name)
    parts = (tests if len(entries) == 1 else f"{tests} ({', '.join(names)})" for tests, names in entries.items())
    return f"Test types: {'; '.join(parts)}."
