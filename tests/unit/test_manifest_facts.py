"""What a manifest says of lab, engine, host and tools is read whatever lab wrote it, and written again as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchlab.records.facts import Contents, Database, Facts, Host, LoadGenerator

KEPT = sorted((Path(__file__).parents[1] / "kept").glob("*/manifest.json"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["lab_version", "engine_cpus", "argv", "host", "wrk", "entries", "unbuilt", "rest"]) | st.text()


@pytest.mark.parametrize("path", KEPT, ids=[path.parent.name for path in KEPT])
def test_the_facts_of_a_kept_run_are_written_again_as_they_were(path: Path) -> None:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["facts"]
    facts = Facts.of(content)
    assert facts.plain() == content
    assert facts.lab_version == content["lab_version"]
    assert (facts.host.memory_bytes, facts.host.cpu_governors) == (content["host"]["memory_bytes"], None)
    assert {name: entry.python for name, entry in (facts.entries or {}).items()} == {
        name: entry["python"] for name, entry in content["entries"].items()
    }


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON)))
def test_facts_of_any_other_kind_are_not_known_and_written_again_as_they_were(content: dict[str, object]) -> None:
    written = json.loads(json.dumps(content))
    plain = json.loads(json.dumps(Facts.of(written).plain()))
    # A part without anything in it says nothing.
    assert {name: fact for name, fact in plain.items() if fact != {}} == {
        name: fact for name, fact in written.items() if fact != {}
    }


def test_a_fact_that_is_unavailable_is_not_known_and_keeps_its_reason() -> None:
    facts = Facts.of({"lab_commit": "unavailable: git is not installed", "host": {"cpu_turbo": "unavailable"}})
    assert (facts.lab_commit, facts.host.cpu_turbo) == (None, None)
    assert facts.fact("lab_commit") == "unavailable: git is not installed"
    assert (facts.host.fact("cpu_turbo"), facts.host.fact("cpu_model")) == ("unavailable", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("engine_cpus", "2"), ("engine_cpus", True), ("argv", "--seed"), ("lab_version", 2), ("argv", [1])],
)
def test_a_fact_of_another_kind_is_not_known(name: str, value: object) -> None:
    facts = Facts.of({name: value, "engine_id": "one"})
    assert (getattr(facts, name), facts.engine_id) == (None, "one")


def test_each_part_has_its_own_facts() -> None:
    facts = Facts.of(
        {
            "host": {"cpu_count": 2, "cpus_allowed": [0, 1], "cpu_quota": 1.5},
            "database": {"version": "17.5", "settings": {"fsync": "off"}},
            "wrk": {"version": "wrk 4.2.0"},
            "entries": {"crax": {"python": "3.13.5"}, "own": "unavailable"},
        }
    )
    assert facts.host == Host(cpu_count=2, cpus_allowed=(0, 1), cpu_quota=1.5)
    assert facts.database == Database("17.5", {"fsync": "off"})
    assert facts.wrk == LoadGenerator("wrk 4.2.0")
    assert facts.entries == {"crax": Contents("3.13.5"), "own": Contents(rest="unavailable")}
