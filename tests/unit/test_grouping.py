"""Which entries are up at once: what fits, and how that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchlab.core.errors import UsageError
from benchlab.experiment import grouping
from benchlab.experiment.grouping import MB
from benchlab.records.plan import Entry

from .conftest import LABELS, PATHS

# 300 MB, and 40 MB of the database.
OWN = LABELS | {"connections": "16"}
GB = 1000 * MB


def _entries(count: int, **labels: str) -> list[Entry]:
    return [Entry(f"e{number:02}", OWN | labels, PATHS) for number in range(count)]


def _names(entries: list[Entry], memory_bytes: int | None, **options: object) -> list[str]:
    return [" ".join(entry.name for entry in group) for group in grouping.fit(entries, memory_bytes, **options)]  # type: ignore[arg-type]


def test_all_are_up_at_once_where_they_fit() -> None:
    assert _names(_entries(3), 8 * GB) == ["e00 e01 e02"]
    assert _names(_entries(3), None) == ["e00 e01 e02"]
    assert _names([], 8 * GB) == []


def test_groups_share_the_first_entry_and_hold_each_other_one_once() -> None:
    assert _names(_entries(6), 2100 * MB) == ["e00 e01 e02", "e00 e03 e04", "e00 e05"]


def test_connections_divide_as_memory_does() -> None:
    assert _names(_entries(5, connections="900"), None) == ["e00 e01", "e00 e02", "e00 e03", "e00 e04"]


def test_an_entry_that_says_of_no_workers_has_one_for_each_cpu() -> None:
    entries = [replace(entry, labels=OWN | {"workers": ""}) for entry in _entries(3)]
    assert _names(entries, 2100 * MB, cpus=2) == ["e00 e01 e02"]
    assert _names(entries, 2100 * MB, cpus=4) == ["e00 e01", "e00 e02"]


def test_a_version_is_up_in_the_group_of_the_entry_that_it_is_compared_with() -> None:
    versions = {f"e{number:02}": f"e{number - 1:02}" for number in (1, 3, 5)}
    assert _names(_entries(6), 2100 * MB) == ["e00 e01 e02", "e00 e03 e04", "e00 e05"]
    assert _names(_entries(6), 2100 * MB, versions=versions) == ["e00 e01", "e00 e02 e03", "e00 e04 e05"]
    with pytest.raises(UsageError, match=r"^e02 and e03 do not fit beside e00: "):
        grouping.fit(_entries(6), 1800 * MB, versions=versions)


def test_an_entry_that_does_not_fit_beside_the_first_is_named_with_what_it_takes_and_what_there_is() -> None:
    large = Entry("e02", OWN | {"workers": "100"}, PATHS)
    with pytest.raises(UsageError, match=r"^e02 does not fit beside e00: .* 11,480 MB and 32 connections, .* 8,000 MB"):
        grouping.fit([*_entries(2), large], 8 * GB)
    with pytest.raises(UsageError, match=r"^e00 does not fit: "):
        grouping.fit(_entries(1), 1 * GB)


def test_how_many_are_up_is_told_in_a_line() -> None:
    whole, parts = (
        [tuple(entry.name for entry in group) for group in grouping.fit(_entries(count), memory)]
        for count, memory in ((3, None), (6, 2100 * MB))
    )
    assert grouping.summary(whole) == "3 entries up at once, one loaded at a time"
    assert grouping.summary(parts) == ("3 groups of up to 3 entries that share e00; in each, one loaded at a time")


@pytest.mark.parametrize(
    ("connections", "batches"), [("16", ["e00 e01 e02"]), ("500", ["e00 e01", "e02"]), ("900", ["e00", "e01", "e02"])]
)
def test_entries_that_open_many_connections_start_one_after_another(connections: str, batches: list[str]) -> None:
    made = grouping.batches(_entries(3, connections=connections))
    assert [" ".join(entry.name for entry in batch) for batch in made] == batches
