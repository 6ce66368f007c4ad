"""Parsing, on what wrk really printed: the files of tests/captured, made with wrk 4.1.0.

Of memory and of rest before the load they tell nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchlab.core.errors import WrkError
from benchlab.load import closed
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Level, Target
from benchlab.run import wrk

from .fake_host import seen

CAPTURED = Path(__file__).parents[1] / "captured"


def _captured(name: str) -> str:
    return (CAPTURED / f"{name}.txt").read_text()


def test_a_load_is_read_with_every_figure_in_its_unit() -> None:
    assert wrk.parse(closed, _captured("json")).load == Load(
        duration_us=2_100_518,
        wall_us=2_113_847,
        requests=113_295,
        bytes=21_072_870,
        latency=Latency(
            mean_us=294.985,
            stdev_us=65.18,
            max_us=3204,
            p50_us=289,
            p75_us=294,
            p90_us=321,
            p99_us=450,
            p99_9_us=1136,
        ),
        errors=Errors(),
    )


@pytest.mark.parametrize(
    ("name", "requests", "errors"),
    [
        ("plaintext", 136_461, Errors()),
        ("query", 874, Errors()),
        ("not_found", 75_550, Errors(status=75_550)),
        ("died", 39_277, Errors(read=27, write=309)),
        ("silent", 0, Errors()),
    ],
)
def test_what_went_wrong_is_counted_by_kind(name: str, requests: int, errors: Errors) -> None:
    load = wrk.parse(closed, _captured(name)).load
    assert (load.requests, load.errors) == (requests, errors)


def test_a_maximum_is_never_below_the_average() -> None:
    broken = _captured("json").replace('"max_us":3204', '"max_us":100')
    with pytest.raises(WrkError, match=r"mean 294\.985 us, max 100\.0 us: the mean lies"):
        wrk.parse(closed, broken)


def test_a_refused_connection_is_told_in_the_words_of_wrk() -> None:
    with pytest.raises(WrkError, match="unable to connect to db:8080 Connection refused"):
        wrk.parse(closed, _captured("refused"))


def test_output_cut_off_anywhere_is_refused_and_never_half_read() -> None:
    output = _captured("json")
    for length in range(len(output)):
        with pytest.raises(WrkError):
            wrk.parse(closed, output[:length])


@settings(deadline=None)
@given(st.text())
def test_no_other_text_is_taken_for_a_load(text: str) -> None:
    with pytest.raises(WrkError):
        wrk.parse(closed, text)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["duration_us", "requests", "bytes", "latency", "errors"]), st.none() | st.text())
)
def test_a_result_line_of_nonsense_is_refused(report: dict[str, str | None]) -> None:
    with pytest.raises(WrkError):
        wrk.parse(closed, f"{wrk.MARK}{json.dumps(report)}\n{seen()}")


def test_two_result_lines_are_refused() -> None:
    with pytest.raises(WrkError, match="found 2"):
        wrk.parse(closed, _captured("json") + _captured("json"))


def test_the_command_is_that_of_the_study() -> None:
    command = closed.command(Level(128, 2), Target("tfb-server"), "/json", "application/json", 15)
    assert command == [
        *("wrk", "-H", "Host: tfb-server", "-H", "Accept: application/json", "-H", "Connection: keep-alive"),
        *("--latency", "-d", "15", "-c", "128", "--timeout", "8", "-t", "2"),
        *("-s", "/wrk/report.lua", "http://tfb-server:8080/json"),
    ]


def test_a_pipelined_command_names_its_depth() -> None:
    command = closed.command(Level(256, 2, pipeline=16), Target("tfb-server"), "/plaintext", "text/plain", 15)
    assert command[-5:] == ["-s", "/wrk/pipeline.lua", "http://tfb-server:8080/plaintext", "--", "16"]


def test_wrk_s_own_time_is_corrected_for_a_clock_that_was_set_back_beyond_its_start() -> None:
    output = _captured("json").replace('"duration_us":2100518', '"duration_us":-3597899482')
    output = output.replace('"clock_set_us": 0', '"clock_set_us": -3600000000')
    found = wrk.parse(closed, output)
    assert (found.load, found.clock_set_us) == (wrk.parse(closed, _captured("json")).load, -3_600_000_000)
