"""What load.py prints is what the lab reads: one schema, whichever of the two is the newer one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import schema

from benchlab.core.errors import SetupError, WrkError
from benchlab.load import closed
from benchlab.records import seen
from benchlab.records.load import Ports
from benchlab.run import wrk

from .fake_host import REPORT, printed
from .fake_host import seen as line

LOAD = Path(__file__).parents[2] / "wrk/load.py"


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(line().removeprefix(wrk.SEEN_MARK))
    return content


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        (schema.HostReading, seen.HostReading),
        (schema.ContainerReading, seen.ContainerReading),
        (schema.Reading, seen.Reading),
        (schema.Ports, Ports),
        (schema.Seen, seen.Seen),
    ],
)
def test_the_scripts_and_the_lab_know_the_same_keys_of_the_same_schema(printed: Any, read: Any) -> None:
    assert [field.name for field in fields(printed)] == [field.name for field in fields(read)]
    assert schema.SCHEMA == seen.SCHEMA


def test_what_load_py_really_prints_is_read_with_every_key() -> None:
    job = {"command": ["true"], "containers": {"app": "none"}, "warm_up_s": None, "check": None, "cpus": None}
    result = subprocess.run([sys.executable, str(LOAD), json.dumps(job)], capture_output=True, text=True, check=True)
    text = result.stdout.removeprefix(wrk.SEEN_MARK)
    read = seen.seen(text)
    assert json.loads(text).keys() == {field.name for field in fields(seen.Seen)}
    assert (read.after.at_us > read.before.at_us, read.wall_us > 0, read.steady) == (True, True, False)
    assert read.before.roles == {"app": seen.ContainerReading()}


def test_a_key_that_the_lab_does_not_know_is_left_out() -> None:
    content = _content()
    content["after"]["host"]["sleeping_us"] = content["more"] = 7
    assert seen.seen(json.dumps(content)) == seen.seen(json.dumps(_content()))


def test_a_key_that_is_missing_is_unavailable() -> None:
    content = _content()
    for key in ("ports", "clock_set_us", "aside_us", "idle_before", "memory_bytes"):
        del content[key]
    for reading in (content["before"], content["after"]):
        del reading["host"]["stolen_us"], reading["roles"]["app"]["cpu_us"]
    outcome = wrk.parse(closed, f"{wrk.MARK}{json.dumps(REPORT)}\n{wrk.SEEN_MARK}{json.dumps(content)}\n")
    counters = outcome.counters
    assert (counters.host.stolen_us, counters.roles["app"].cpu_us, counters.idle_before) == (None, None, None)
    assert (outcome.ports, outcome.clock_set_us, outcome.aside_us) == (None, 0, None)


@pytest.mark.parametrize(("number", "quoted"), [(None, "null"), (0, "0"), (2, "2"), (True, "true"), ("1", '"1"')])
def test_another_schema_is_one_error_with_what_to_do(number: object, quoted: str) -> None:
    content = _content() | {"schema": number}
    with pytest.raises(SetupError) as error:
        wrk.parse(closed, printed().partition(wrk.SEEN_MARK)[0] + f"{wrk.SEEN_MARK}{json.dumps(content)}\n")
    assert str(error.value) == (
        f"the load generator's image prints schema {quoted} of its readings, and this lab reads 1; "
        "rebuild the images: make setup"
    )


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("wall_us", "long", 'wall_us is "long", and must be a whole number'),
        ("wall_us", True, "wall_us is true, and must be a whole number"),
        ("before", None, "before is null, and must be an object"),
        ("received_us_bytes", [[1]], r"received_us_bytes\[1\] has 1 values, and must have 2"),
    ],
)
def test_what_cannot_be_is_told_by_its_key(key: str, value: object, fault: str) -> None:
    text = f"{wrk.MARK}{json.dumps(REPORT)}\n{wrk.SEEN_MARK}{json.dumps(_content() | {key: value})}\n"
    with pytest.raises(WrkError, match=fault):
        wrk.parse(closed, text)
